"""Several processes, on one host or many, under JAX's own multi-process runtime."""

from __future__ import annotations

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxcogc.runtime.rendezvous import WAIT_SECONDS, Say, meet


def join_processes(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    *,
    say: Say = lambda text: None,
) -> None:
    """Make this process one of a distributed run; call it before anything touches a device.

    Args:
      coordinator: "HOST:PORT" of process 0; None where SLURM, Open MPI or Kubernetes tell.
      num_processes: processes of the run; None likewise.
      process_id: number of this process, from 0; None likewise.
      say: told every now and then who is waited for.

    Raises:
      ValueError: nothing tells what the other processes are, or not all of them came in time.
    """
    try:
        given = coordinator, num_processes, process_id
        told = _told_by_cluster() if None in given else given
        if told[0] is not None and told[1] is not None and told[2] is not None:
            meet(told[0], told[1], told[2], say=say)
        jax.distributed.initialize(coordinator, num_processes, process_id)
    except (ValueError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0]
        if coordinator is None:
            reason = f"nothing here tells which they are ({reason.rstrip('.')})"
        raise ValueError(f"cannot join the processes: {reason}") from error


def _told_by_cluster() -> tuple[str | None, int | None, int | None]:
    """Coordinator, processes and number of this one where SLURM and the like tell; else None.

    JAX finds them too, but keeps them to itself, waits five minutes without a word for a process
    that does not come, and then aborts. What it looks them up with is private: where that changes,
    or fails, JAX alone says what is wrong, in its own time.
    """
    try:
        from jax._src.clusters import ClusterEnv

        found = ClusterEnv.auto_detect_unset_distributed_params(
            None, None, None, None, None, int(WAIT_SECONDS)
        )
        return found[0], found[1], found[2]
    except Exception:
        return None, None, None


def is_first_process() -> bool:
    """Whether this process is the one that prints and writes."""
    return jax.process_index() == 0


def num_processes() -> int:
    """Processes of this run."""
    return int(jax.process_count())


def any_process(flag: bool) -> bool:
    """Whether the flag is set in any process; all of them must ask, in the same order."""
    if num_processes() == 1:
        return flag
    return bool(np.any(multihost_utils.process_allgather(np.int32(flag))))
