"""Checkpoints of training runs, by Orbax: whole or absent, the last two are kept."""

from __future__ import annotations

import hashlib
import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxcogc._types import AnyArray
from jaxcogc.federated.rounds.experiment import RoundMetrics
from jaxcogc.training.trained import Trained

_DIGEST = "sha256"


class Restored(NamedTuple):
    """Where a run stood.

    Attributes:
      trained: of the newest checkpoint that is intact; None where there is none.
      damaged: rounds of newer ones that cannot be read, the newest first.
    """

    trained: Trained | None
    damaged: tuple[int, ...]


class Checkpoints:
    """The checkpoints of one run in a folder; use it as a context.

    A checkpoint appears under its final name only when it is complete, so that a process killed at
    any moment leaves the one before.
    """

    def __init__(self, folder: Path) -> None:
        # Orbax and what it stands on take seconds to import: only where checkpoints are wanted.
        import orbax.checkpoint as ocp

        # What a damaged checkpoint makes them say, in many lines, is said in one by the caller.
        for name in ("absl", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._ocp = ocp
        self._folder = folder.resolve()
        options = ocp.CheckpointManagerOptions(
            max_to_keep=2, enable_async_checkpointing=False, cleanup_tmp_directories=True
        )
        self._manager = ocp.CheckpointManager(
            self._folder, options=options, item_handlers=ocp.StandardCheckpointHandler()
        )

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *error: object) -> None:
        self._manager.close()

    def save(self, trained: Trained) -> None:
        """Keep where a run stands, unless it is kept already."""
        if trained.round_index != self._manager.latest_step():
            item = self._ocp.args.StandardSave(_with_digest(_named_leaves(trained)))
            self._manager.save(trained.round_index, args=item)

    def restore(self, like: Trained) -> Restored:
        """The newest checkpoint that is intact, every bit as saved; newer ones are removed then.

        Args:
          like: the start of the same run, for its structure, shapes and dtypes. It may have other
            rounds: those of the run that was saved need not be as many.
        """
        with _unsaid():
            return self._newest(like)

    def _newest(self, like: Trained) -> Restored:
        damaged: list[int] = []
        for step in sorted(self._manager.all_steps(), reverse=True):
            trained = self._read(like, step)
            if trained is not None:
                for newer in damaged:  # else they could not be saved again
                    shutil.rmtree(self._folder / str(newer), ignore_errors=True)
                self._manager.reload()
                return Restored(trained, tuple(damaged))
            damaged.append(step)
        return Restored(None, tuple(damaged))

    def _read(self, like: Trained, step: int) -> Trained | None:
        """One checkpoint; None where it is damaged."""
        short = like._replace(round_index=step, metrics=_with_rounds(like.metrics, step))
        asked = _with_digest(_named_leaves(short))
        item = self._ocp.args.StandardRestore(asked)
        try:
            found = self._manager.restore(step, args=item)
        except Exception:  # Orbax has no class of error for this: whatever keeps it from being read
            return None
        found = {name: np.asarray(leaf) for name, leaf in found.items()}
        if any(found[name].shape != leaf.shape for name, leaf in asked.items()):
            return None
        if not np.array_equal(_with_digest(dict(found))[_DIGEST], found.pop(_DIGEST)):
            return None
        leaves = [found[name] for name in sorted(found)]
        state, metrics = jax.tree.unflatten(jax.tree.structure((like.state, like.metrics)), leaves)
        rounds = like.metrics.hold.shape[-1]
        return Trained(state, step, _with_rounds(metrics, max(rounds, step)))


@contextmanager
def _unsaid() -> Iterator[None]:
    """Reads that are given up complain from other threads, each in five lines; not to the user."""
    before = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        yield
    finally:
        sys.unraisablehook = before


def _with_rounds(metrics: RoundMetrics, number: int) -> RoundMetrics:
    """Metrics of so many rounds: the first ones, or with zeros behind."""

    def cut(x: AnyArray) -> AnyArray:
        kept = np.asarray(x)[:, :, :number]
        missing = np.zeros((*kept.shape[:2], number - kept.shape[2], *kept.shape[3:]), kept.dtype)
        return np.concatenate([kept, missing], axis=2)

    all_cut: RoundMetrics = jax.tree.map(cut, metrics)
    return all_cut


def _named_leaves(trained: Trained) -> dict[str, np.ndarray]:
    """The arrays by number, of the rounds done: what Orbax stores does not depend on the
    optimizer's own classes, nor on the rounds to come.
    """
    metrics = _with_rounds(trained.metrics, trained.round_index)
    leaves = jax.tree.leaves((trained.state, metrics))
    return {f"{number:04d}": np.asarray(leaf) for number, leaf in enumerate(leaves)}


def _with_digest(leaves: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays, and a checksum of all of them: the storage below does not check every byte."""
    leaves.pop(_DIGEST, None)
    digest = hashlib.sha256()
    for name in sorted(leaves):
        digest.update(np.ascontiguousarray(leaves[name]).tobytes())
    return {**leaves, _DIGEST: np.frombuffer(digest.digest(), np.uint8)}
