"""Compiling for a GPU that is only described, with the wheels of `gpu-requirements.txt`."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import jax

from benchmarks.gpu.hlo import Module
from benchmarks.gpu.machine_code import Kernel, assemble, tool
from benchmarks.gpu.targets import Target
from benchmarks.gpu.thunks import Thunk, read_thunks

_PLUGIN = "jax_cuda13_plugin"
_HOW = "make gpu-plan, or pip install --no-deps -r benchmarks/gpu-requirements.txt"


class NoCompiler(Exception):
    """The wheels that compile for a GPU are missing."""


def why_no_compiler() -> str | None:
    """What is missing, in one line; None where programs can be compiled for a GPU."""
    if importlib.util.find_spec(_PLUGIN) is None:
        return f"the compiler for GPUs is not installed: {_HOW}"
    if tool("ptxas") is None or tool("nvdisasm") is None:
        return f"ptxas or nvdisasm is not installed: {_HOW}"
    return None


def described_device(target: Target) -> jax.Device:
    """A device to compile for; nothing can run on it."""
    os.environ.setdefault("JAX_SKIP_CUDA_CONSTRAINTS_CHECK", "1")  # there is no driver to ask
    assembler = tool("ptxas")
    if assembler is not None:  # XLA looks for it on the path
        os.environ["PATH"] = f"{Path(assembler).parent}{os.pathsep}{os.environ['PATH']}"
    from jax.experimental import topologies

    topology = topologies.get_topology_desc(
        platform="cuda", topology_name="planned", topology="1x1x1", target_config=target.description
    )
    device: jax.Device = topology.devices[0]
    return device


@contextmanager
def as_on_a_gpu() -> Iterator[None]:
    """Within the block the project chooses tiles and options as where the first device is a GPU."""
    with mock.patch("jax.default_backend", return_value="gpu"):
        yield


@contextmanager
def _without_cache() -> Iterator[None]:
    """The cache would hand out what was compiled before, and dump nothing."""
    name = "jax_enable_compilation_cache"
    before = getattr(jax.config, name)
    jax.config.update(name, False)
    try:
        yield
    finally:
        jax.config.update(name, before)


class CompiledProgram(NamedTuple):
    """What became of a program.

    Attributes:
      compile_seconds: of XLA and the assembler, on this machine.
      argument_bytes, temporary_bytes: of the device's memory.
      thunks: XLA's list of what is started.
      module: the program as XLA optimised it.
      kernels: that it has code of its own for; libraries' are not among them.
    """

    compile_seconds: float
    argument_bytes: int
    temporary_bytes: int
    thunks: list[Thunk]
    module: Module
    kernels: list[Kernel]


def compile_program(lowered: jax.stages.Lowered, options: dict[str, Any]) -> CompiledProgram:
    """Compile a program that was lowered for a described device, and look at the result.

    Args:
      lowered: the program.
      options: XLA's, beside those that the program has itself.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, dump = Path(name), {"xla_dump_to": name}
        if jax.__version_info__ >= (0, 11):  # earlier ones dump it anyway
            dump["xla_dump_emitter_re"] = "ptx"
        started = time.perf_counter()
        with _without_cache():
            compiled = lowered.compile(compiler_options={**options, **dump})
        seconds = time.perf_counter() - started
        memory = compiled.memory_analysis()
        lists = sorted(folder.glob("*thunk_sequence*.txt"))
        thunks = read_thunks(lists[-1].read_text() if lists else "")
        module = Module(next(folder.glob("*after_optimizations.txt")).read_text())
        kernels = assemble(sorted(folder.glob("*.ptx")))
    return CompiledProgram(
        seconds,
        0 if memory is None else memory.argument_size_in_bytes,
        0 if memory is None else memory.temp_size_in_bytes,
        thunks,
        module,
        kernels,
    )
