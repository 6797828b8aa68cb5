"""Compiled programs kept between runs: a second run of the command line need not wait for them."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from jaxcogc.runtime.atomic_files import write_atomically

if TYPE_CHECKING:
    from jax.export import Exported
    from jax.sharding import Mesh
    from jax.stages import Lowered, Wrapped

_MOST_BYTES = 2 * 10**9
"""Of all programs: beyond it JAX drops those used longest ago."""
_LEAST_SECONDS = 0.1
"""What compiles faster is not worth a file."""
_MOST_TRACED = 256
"""Traced programs, about 0.1 MB each: those used last."""
_DIGEST = hashlib.sha256().digest_size

_traced: Path | None = None  # their folder, from `keep_programs`, and the sources of that time
_sources = ""


def keep_programs() -> Path | None:
    """Let JAX keep compiled programs in the user's cache folder; before JAX is imported.

    A user's own settings of JAX's cache (``JAX_COMPILATION_CACHE_DIR``,
    ``JAX_ENABLE_COMPILATION_CACHE``) stay as they are. Two processes may share the folder: JAX
    locks it. Each kind of processor has a folder of its own, since machines that share a home may
    differ.

    Programs that go through `lowered` need not even be traced again.

    Returns:
      The folder; None where nothing was set: JAX runs already, the user has chosen for himself,
      the folder cannot be written, or the user has no home.
    """
    global _traced, _sources
    _traced = None
    told = {"JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE"} & os.environ.keys()
    if told or "jax" in sys.modules:
        return None
    try:
        folder = platformdirs.user_cache_path("jaxcogc") / "programs" / _kind_of_processor()
        if not folder.is_absolute():  # "~", in older versions of platformdirs
            return None
        (folder / "traced").mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: no HOME, and a user that nobody knows
        return None
    if not os.access(folder, os.W_OK | os.X_OK):
        return None
    with contextlib.suppress(OSError):  # a source that cannot be read: nothing traced is kept
        _sources = _digest_of_sources()
        _traced = folder / "traced"
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    os.environ.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(_MOST_BYTES))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", str(_LEAST_SECONDS))
    return folder


def lowered(what: str, program: Callable[..., Any], mesh: Mesh, inputs: Any) -> Lowered:
    """A program lowered for the devices of a mesh, all of which get all of its inputs.

    Tracing a simulation takes a second, which JAX's own cache of compiled programs does not save.
    Where `keep_programs` has found a folder, what has been traced is kept there, under the name
    of the program, the sources of this package, the versions and settings of JAX, and XLA's.
    A file that cannot be read or written is as good as none.

    Args:
      what: with the sources of the package, all that the program depends on.
      program: of one argument, without linear algebra of LAPACK's.
      mesh: of devices of this process.
      inputs: of the right shapes and types.
    """
    import jax
    from jax import export
    from jax.sharding import NamedSharding, PartitionSpec

    if _traced is None:
        return jax.jit(program).lower(inputs)
    file = _traced / _fingerprint(what)
    exported = _load(file)
    if exported is None:
        leaves, tree = jax.tree.flatten(inputs)
        flat = jax.jit(lambda *leaves: program(jax.tree.unflatten(tree, leaves)))
        trace: Callable[..., Exported] = export.export(
            flat, platforms=[mesh.devices.flat[0].platform]
        )
        exported = trace(*leaves)
        _save(file, exported)
    again: Callable[..., Any] = _without_lapack(exported).call
    everywhere = NamedSharding(mesh, PartitionSpec())
    run: Wrapped = jax.jit(lambda x: again(*jax.tree.leaves(x)), in_shardings=everywhere)
    return run.lower(inputs)


def _without_lapack(exported: Exported) -> Exported:
    """The same program, under a platform's name for which JAX does not load LAPACK.

    For any program of a CPU it would import scipy.linalg, which takes half a second.
    """
    from jax.export import DisabledSafetyCheck

    checks = (*exported.disabled_safety_checks, DisabledSafetyCheck.platform())
    return dataclasses.replace(exported, platforms=("any",), disabled_safety_checks=checks)


def _fingerprint(what: str) -> str:
    import jax

    told = {k: v for k, v in os.environ.items() if k.startswith(("JAX_", "XLA_"))}
    versions = [sys.version, jax.__version__]
    return hashlib.sha256(
        repr((what, _sources, versions, sorted(told.items()))).encode()
    ).hexdigest()


def _digest_of_sources() -> str:
    """Of what this process imports: read when it starts, as files may change while it runs."""
    digest = hashlib.sha256(version("jaxlib").encode())
    for source in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _load(file: Path) -> Exported | None:
    from jax import export

    try:
        content = file.read_bytes()
        os.utime(file)  # used last
    except OSError:
        return None
    digest, body = content[:_DIGEST], content[_DIGEST:]
    if digest != hashlib.sha256(body).digest():  # torn: flatbuffers would crash
        return None
    exported: Exported = export.deserialize(bytearray(body))
    return exported


def _save(file: Path, exported: Exported) -> None:
    content = bytes(exported.serialize())
    with contextlib.suppress(OSError):
        write_atomically(file, hashlib.sha256(content).digest() + content)
        for old in sorted(file.parent.iterdir(), key=lambda f: f.stat().st_mtime)[:-_MOST_TRACED]:
            old.unlink()


def _kind_of_processor() -> str:
    """A name that differs where a compiled program might not run."""
    told = f"{platform.machine()} {platform.processor()}"
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith(("model name", "flags", "Features")):
            told += line
        elif not line.strip():
            break  # the first processor stands for all
    return hashlib.sha256(told.encode()).hexdigest()[:12]
