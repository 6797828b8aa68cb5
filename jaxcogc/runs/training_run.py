"""Training on what users have: the door to everything below."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Unpack

from jaxcogc.federated.models import AnyModel
from jaxcogc.links.network import Network
from jaxcogc.runs.examples import Data
from jaxcogc.runs.live_run import LiveRun, run_rounds
from jaxcogc.runs.planning import NamedScheme, TrainOptions, plan_training
from jaxcogc.runs.result import TrainingResult
from jaxcogc.runs.run_files import RunFiles
from jaxcogc.runs.run_folder import held_folder, is_new
from jaxcogc.runtime.atomic_files import write_atomically
from jaxcogc.training.compiled import compile_training
from jaxcogc.training.plan import TrainingPlan

IDENTITY = "run.json"
"""What a run was, in its folder."""


def train(
    model: AnyModel | str,
    data: Data,
    network: Network,
    schemes: Sequence[NamedScheme],
    *,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    callback: Callable[[LiveRun], bool | None] | None = None,
    **options: Unpack[TrainOptions],
) -> TrainingResult:
    """Train a model under several schemes over links that lose messages.

    Args:
      model: of `jaxcogc.names.MODELS`; a Flax NNX module whose state is parameters alone, or what
        makes one of ``rngs``; a Model.
      data: a Dataset; ``(inputs, targets)`` of all clients [samples, ..], divided by
        ``partition``; or a list of such pairs, one for each client.
      network: the links.
      schemes: of `jaxcogc.names.SCHEMES`, or ``(name, Scheme)``.
      out: a new folder for metrics.csv (which grows while the run goes on), checkpoints,
        summary.json and accuracy.png; None: nothing is kept.
      resume: go on with the run in ``out``, also to more rounds, as if it had never stopped.
      callback: called after every block of rounds, a few seconds at most; True ends the run.
      options: see `TrainOptions`: num_rounds, seeds, test, partition, loss, metrics,
        local_optimizer, server_optimizer, code, local_steps, batch_size, num_attempts, ..

    Returns:
      TrainingResult.

    Raises:
      ValueError: something that is not allowed, named with its value; a module with other state
        than parameters (names the part); a loss that is not a scalar; a folder with a run of
        another model, data or options.
      OSError: the disk refuses.

    Source: docs/guide/own_model.md, "A model of your own".
    """
    plan = plan_training(model, data, network, schemes, **options)
    return run_plan(plan, out=out, resume=resume, callback=callback)


def run_plan(
    plan: TrainingPlan,
    *,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    callback: Callable[[LiveRun], bool | None] | None = None,
) -> TrainingResult:
    """`train` for a plan that is made already.

    Args:
      plan: what is run.
      out, resume, callback: as there.
    """
    folder = None if out is None else Path(out)
    if folder is None and resume:
        raise ValueError("resume without out: allowed with the folder of the run")
    if folder is not None and resume != (folder / IDENTITY).is_file():
        told = "with resume a folder that a run left"
        if not resume:
            told = "a new or empty folder; this one has a run, which resume=True goes on with"
        raise ValueError(f"out = {str(folder)!r}: allowed is {told}")
    if folder is not None and not resume and not is_new(folder):
        raise ValueError(f"out = {str(folder)!r}: allowed is a new or empty folder")
    compiled = compile_training(plan)
    trained, failure = compiled.start(), None
    with ExitStack() as stack:
        files = None
        if folder is not None:
            identity = _identity(plan, compiled.fingerprint())
            if resume:
                _check_same(folder / IDENTITY, identity)
            kept = {IDENTITY: (json.dumps(identity, indent=2) + "\n").encode()}
            stack.enter_context(held_folder(folder, kept, resume=resume, warn=warnings.warn))
            files = stack.enter_context(RunFiles(plan, folder))
            if resume:
                trained = files.restore(trained).trained or trained
        for live in run_rounds(plan, compiled, trained, files):
            trained, failure = live.trained, live.non_finite
            if callback is not None and callback(live):
                break
        if plan.settings.drop_non_finite:
            failure = None
        if files is not None and failure is None and trained.round_index:
            files.keep(trained)
        result = TrainingResult(
            plan, trained, folder, failure, compiled.compile_seconds, compiled.device
        )
        if folder is not None and failure is None:
            _leave(result, folder)
    return result


def _identity(plan: TrainingPlan, fingerprint: str) -> dict[str, object]:
    return {
        "jaxcogc": version("jaxcogc"),
        "jax": version("jax"),
        "schemes": list(plan.settings.schemes),
        "seeds": list(plan.seeds),
        "sha256": fingerprint,
    }


def _check_same(path: Path, identity: dict[str, object]) -> None:
    """Raise a ValueError where a folder is not that of this run."""
    there = json.loads(path.read_text(encoding="utf-8"))
    different = [name for name, value in identity.items() if there.get(name) != value]
    if different:
        told = "model, loss, data or options" if different == ["sha256"] else different[0]
        raise ValueError(
            f"out = {str(path.parent)!r}: a run of another {told}: allowed is the same run"
        )


def _leave(result: TrainingResult, folder: Path) -> None:
    if result.trained.round_index == 0:
        return
    schemes = {name: row.fields() for name, row in result.summary.items()}
    fields = {
        "schemes": schemes,
        "rounds": result.trained.round_index,
        "seeds": len(result.plan.seeds),
    }
    text = json.dumps(fields, indent=2, allow_nan=False) + "\n"
    write_atomically(folder / "summary.json", text)
    result.write_picture(folder / "accuracy.png")
