"""Devices, the one-dimensional mesh over them, and what the compiler is told of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import Any, TypeVar

import jax
import numpy as np
from jax.sharding import AxisType, Mesh

AXIS = "devices"
T = TypeVar("T")


def device_mesh(devices: Sequence[Any]) -> Mesh:
    """A mesh of all given devices along one axis, of the kind that accepts unsharded inputs."""
    return Mesh(np.array(devices, dtype=object), (AXIS,), axis_types=(AxisType.Auto,))


_IN_ONE_LAUNCH = (
    "FUSION",
    "CUBLAS",
    "CUBLASLT",
    "CUDNN",
    "CUSTOM_CALL",
    "DYNAMIC_SLICE_FUSION",
    "CONDITIONAL",
    "WHILE",
)
"""XLA's own choice, and loops and branches."""


_OLD_EMITTERS = jax.__version_info__ < (0, 11)
"""XLA still has the emitters before its fusion emitters: they compile in half the time."""


def compiler_options(platform: str, *, quick: bool = False) -> dict[str, str | bool]:
    """XLA's options for our programs on a platform, named as ``Device.platform`` names it.

    On a CPU the whole width of AVX-512: 8 to 25 % faster than XLA's choice, and no difference
    without it. On a GPU loops and branches too enter command buffers, which the device runs by
    itself: otherwise the host waits for the device at every loop's condition and every branch.

    Args:
      platform: for which is compiled.
      quick: for a program of small loops. On a CPU LLVM's first level, whose code for these is
        faster, and XLA's older emitters, while JAX has them: half the compilation.

    >>> compiler_options("cpu")
    {'xla_cpu_prefer_vector_width': '512'}
    >>> list(compiler_options("gpu"))
    ['xla_gpu_enable_command_buffer']
    >>> compiler_options("tpu", quick=True)
    {}
    """
    if platform == "gpu":
        return {"xla_gpu_enable_command_buffer": ",".join(_IN_ONE_LAUNCH)}
    if platform != "cpu":
        return {}
    options: dict[str, str | bool] = {"xla_cpu_prefer_vector_width": "512"}
    if quick:
        options["xla_backend_optimization_level"] = "1"
        if _OLD_EMITTERS:
            options["xla_cpu_use_fusion_emitters"] = False
    return options


def jit_by_backend(
    function: Callable[..., T], *, static_argnums: int | Sequence[int] = ()
) -> Callable[..., T]:
    """`jax.jit` of a function that no other program calls, with quick `compiler_options`.

    The backend is asked for in the first call: importing a module must not start it.
    """

    @cache
    def program() -> Callable[..., T]:
        options = compiler_options(jax.default_backend(), quick=True)
        compiled: Callable[..., T] = jax.jit(
            function, static_argnums=static_argnums, compiler_options=options
        )
        return compiled

    @wraps(function)
    def call(*args: Any) -> T:
        return program()(*args)

    return call


def devices_that_divide(devices: Sequence[Any], number: int) -> Sequence[Any]:
    """As many of the devices, from the first on, as can share ``number`` things equally.

    >>> devices_that_divide(["a", "b", "c", "d"], 6)
    ['a', 'b', 'c']
    """
    return devices[: max(n for n in range(1, len(devices) + 1) if number % n == 0)]


def describe_devices(devices: Sequence[Any]) -> str:
    """The devices in words: "cpu" or "2 x NVIDIA H200"."""
    kinds = Counter(str(device.device_kind) for device in devices)
    return ", ".join(f"{n} x {kind}" if n > 1 else kind for kind, n in kinds.items())
