"""The cores of a CPU as devices."""

import os


def one_device_per_core() -> None:
    """Let JAX, not yet started, see every core as a device, unless the environment says otherwise.

    For entry points of programs, which own their process. XLA's threads inside one CPU device
    wait for each other between short operations; devices of one core each do not.
    """
    available = getattr(os, "sched_getaffinity", None)
    cores = len(available(0)) if available else os.cpu_count() or 1
    os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(cores))
