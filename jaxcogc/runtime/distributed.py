"""Several processes, on one host or many, under JAX's own multi-process runtime."""

from __future__ import annotations

import jax


def join_processes(
    coordinator: str | None = None, num_processes: int | None = None, process_id: int | None = None
) -> None:
    """Make this process one of a distributed run; call it before anything touches a device.

    Args:
      coordinator: "HOST:PORT" of process 0; None where SLURM, Open MPI or Kubernetes tell.
      num_processes: processes of the run; None likewise.
      process_id: number of this process, from 0; None likewise.

    Raises:
      ValueError: nothing tells what the other processes are.
    """
    try:
        jax.distributed.initialize(coordinator, num_processes, process_id)
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"--distributed: the processes could not be joined: {reason}") from error


def is_first_process() -> bool:
    """Whether this process is the one that prints and writes."""
    return jax.process_index() == 0
