"""The table of a training run: one line for each round, scheme and seed."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from jaxcogc.federated.rounds.experiment import RoundMetrics
from jaxcogc.training.leaks import MASK_ERRORS, round_leaks
from jaxcogc.training.plan import TrainingPlan
from jaxcogc.training.seconds import seconds_so_far
from jaxcogc.training.trained import Trained, evaluated_rounds

_ELSEWHERE = ("test", "slots", "finite", *MASK_ERRORS)
_MEASURED = tuple(name for name in RoundMetrics._fields if name not in _ELSEWHERE)


def metrics_table(
    plan: TrainingPlan, trained: Trained, first: int = 0, num_rounds: int | None = None
) -> pd.DataFrame:
    """The rounds done, one line for each round, scheme and seed.

    Args:
      plan: what was run.
      trained: where it stands.
      first: leave out so many rounds at the beginning.
      num_rounds: stop after so many rounds; None: all that are done.

    Returns:
      A frame [rounds x schemes x seeds]: scheme, seed, round (from 0), every metric of the test
      data and its loss (NaN where nothing was evaluated), and what is known of each round. Where a
      scheme has masks, more columns tell what its rounds leak; they are 0 for the others, and with
      payloads how far what is decoded is from the average, NaN where nothing is. Where the plan
      says what messages take, the last one is the seconds from the start.
    """
    rounds = slice(first, trained.round_index if num_rounds is None else num_rounds)
    columns = _columns(plan, trained)
    names, seeds = plan.settings.schemes, plan.seeds
    numbers = np.arange(plan.rounds)[rounds]
    size = len(names) * len(seeds)
    frame = {
        "scheme": np.tile(np.repeat(np.array(names, object), len(seeds)), len(numbers)),
        "seed": np.tile(np.array(seeds), len(numbers) * len(names)),
        "round": np.repeat(numbers, size),
    }
    for name, values in columns.items():
        frame[name] = np.transpose(values[:, :, rounds], (2, 1, 0)).ravel()
    return pd.DataFrame(frame)


def metrics_csv(
    plan: TrainingPlan, trained: Trained, first: int = 0, num_rounds: int | None = None
) -> str:
    """`metrics_table` as a text, whose lines are the end of that of all rounds: a file may grow.

    Numbers have nine digits, which is all of a float32; hold and exact are 0 or 1; test columns
    are empty where nothing was evaluated, and "nan" where they are no number; errors of masks are
    empty where no masks were worn.

    Args:
      plan, trained, first, num_rounds: as there; the heading stands before the first round.
    """
    table = metrics_table(plan, trained, first, num_rounds)
    evaluated = evaluated_rounds(plan, plan.rounds)[table["round"].to_numpy(int)]
    texts = []
    for name in table.columns:
        values = table[name].tolist()
        if name.startswith("test_"):
            known = evaluated.tolist()
            texts.append([_text(x) if k else "" for x, k in zip(values, known, strict=True)])
        elif name in MASK_ERRORS:
            texts.append(["" if math.isnan(x) else _text(x) for x in values])
        else:
            texts.append([_text(x) for x in values])
    lines = [] if first else [",".join(table.columns)]
    lines += [",".join(row) for row in zip(*texts, strict=True)]
    return "\n".join(lines) + "\n" if lines else ""


def _columns(plan: TrainingPlan, trained: Trained) -> dict[str, np.ndarray]:
    """[seeds, schemes, rounds] by name."""
    metrics = trained.metrics
    columns = {f"test_{name}": metrics.test[name] for name in (*plan.metrics, "loss")}
    columns |= {name: getattr(metrics, name) for name in _MEASURED}
    leaks = round_leaks(plan, metrics)
    columns |= leaks
    if leaks and plan.settings.aggregation == "payload":
        columns |= {name: getattr(metrics, name) for name in MASK_ERRORS}
    clock = seconds_so_far(plan, metrics)
    if clock is not None:
        columns["seconds"] = clock
    return {name: np.asarray(x) for name, x in columns.items()}


def _text(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.9g}" if isinstance(value, float) else str(int(value))
