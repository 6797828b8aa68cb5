"""Checkpoints of training runs, by Orbax: whole or absent, the last two are kept."""

from __future__ import annotations

import logging
from pathlib import Path

import jax
import numpy as np

from jaxcogc.training.trained import Trained


class Checkpoints:
    """The checkpoints of one run in a folder; use it as a context.

    A checkpoint appears under its final name only when it is complete, so that a process killed at
    any moment leaves the one before.
    """

    def __init__(self, folder: Path) -> None:
        # Orbax and what it stands on take seconds to import: only where checkpoints are wanted.
        import orbax.checkpoint as ocp

        logging.getLogger("absl").setLevel(logging.ERROR)
        self._ocp = ocp
        options = ocp.CheckpointManagerOptions(
            max_to_keep=2, enable_async_checkpointing=False, cleanup_tmp_directories=True
        )
        self._manager = ocp.CheckpointManager(folder.resolve(), options=options)

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *error: object) -> None:
        self._manager.close()

    def save(self, trained: Trained) -> None:
        """Keep where a run stands, unless it is kept already."""
        if trained.round_index != self._manager.latest_step():
            item = self._ocp.args.StandardSave(_named_leaves(trained))
            self._manager.save(trained.round_index, args=item)

    def restore(self, like: Trained) -> Trained | None:
        """The latest checkpoint, every bit as saved; None when there is none.

        Args:
          like: the start of the same run, for its structure, shapes and dtypes.
        """
        step = self._manager.latest_step()
        if step is None:
            return None
        item = self._ocp.args.StandardRestore(_named_leaves(like))
        found = self._manager.restore(step, args=item)
        leaves, structure = jax.tree.flatten((like.state, like.metrics))
        restored = [np.asarray(found[f"{number:04d}"]) for number in range(len(leaves))]
        state, metrics = jax.tree.unflatten(structure, restored)
        return Trained(state, step, metrics)


def _named_leaves(trained: Trained) -> dict[str, np.ndarray]:
    """The arrays by number: what Orbax stores does not depend on the optimizer's own classes."""
    leaves = jax.tree.leaves((trained.state, trained.metrics))
    return {f"{number:04d}": np.asarray(leaf) for number, leaf in enumerate(leaves)}
