"""What a training run amounts to: a table of every round, and a summary of every scheme."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special, stats

from jaxcogc.training.plan import Trained, TrainingPlan

__all__ = ["COLUMNS", "INTERVAL_LEVEL", "metrics_csv", "seed_interval", "summarize"]

COLUMNS = (
    "scheme",
    "seed",
    "round",
    "test_accuracy",
    "test_loss",
    "train_loss",
    "hold",
    "exact",
    "num_recovered",
    "num_revealed",
    "coefficient_sum",
    "peer_uses",
    "uplink_uses",
)
INTERVAL_LEVEL = 0.95


def metrics_csv(plan: TrainingPlan, trained: Trained, num_rounds: int | None = None) -> str:
    """The table of all rounds done: one line for each scheme, seed and round.

    Numbers have nine digits, which is all of a float32; hold and exact are 0 or 1; test columns
    are empty where nothing was evaluated.

    Args:
      plan: what was run.
      trained: where it stands.
      num_rounds: write so many rounds only.
    """
    rounds = trained.round_index if num_rounds is None else num_rounds
    columns = [
        np.moveaxis(np.asarray(getattr(trained.metrics, name))[:, :, :rounds], 0, 1)
        for name in COLUMNS[3:]
    ]
    formats = [_float_text if c.dtype.kind == "f" else _int_text for c in columns]
    lines = [",".join(COLUMNS)]
    for s, scheme in enumerate(plan.settings.schemes):
        for n, seed in enumerate(plan.seeds):
            texts = [
                [write(x) for x in column[s, n].tolist()]
                for write, column in zip(formats, columns, strict=True)
            ]
            rows = zip(*texts, strict=True)
            lines += [f"{scheme},{seed},{r}," + ",".join(row) for r, row in enumerate(rows)]
    return "\n".join(lines) + "\n"


def _float_text(value: float) -> str:
    return "" if value != value else f"{value:.9g}"


def _int_text(value: Any) -> str:
    return str(int(value))


def seed_interval(values: Any, *, fraction: bool = False) -> dict[str, float | None]:
    """Mean over seeds with its Student-t interval at `INTERVAL_LEVEL`.

    Args:
      values: [seeds].
      fraction: values are in [0, 1], and so are the ends: those of the interval of logit(mean),
        with the standard error that a small one of the mean gives it (delta method).

    Returns:
      mean, low and high; an end is None where one seed alone gives no interval, or where a number
      is not finite.

    >>> seed_interval([0.5])
    {'mean': 0.5, 'low': None, 'high': None}
    >>> [round(x, 3) for x in seed_interval([0.9, 0.98]).values()]
    [0.94, 0.432, 1.448]
    >>> [round(x, 3) for x in seed_interval([0.9, 0.98], fraction=True).values()]
    [0.94, 0.002, 1.0]
    """
    values = np.asarray(values, np.float64)
    mean = float(values.mean())
    if not np.isfinite(mean):
        return {"mean": None, "low": None, "high": None}
    if values.size < 2:
        return {"mean": mean, "low": None, "high": None}
    quantile = stats.t.ppf((1 + INTERVAL_LEVEL) / 2, values.size - 1)
    half = float(quantile * values.std(ddof=1) / np.sqrt(values.size))
    if fraction and 0 < mean < 1:
        odds = half / (mean * (1 - mean))
        low, high = (float(special.expit(special.logit(mean) + x)) for x in (-odds, odds))
        return {"mean": mean, "low": low, "high": high}
    return {"mean": mean, "low": mean - half, "high": mean + half}


def summarize(plan: TrainingPlan, trained: Trained) -> dict[str, dict[str, Any]]:
    """Every scheme in a few numbers: its last evaluation, and means per round over seeds.

    Args:
      plan: what was run.
      trained: where it stands; at least one round done.
    """
    rounds, metrics = trained.round_index, trained.metrics
    summary = {}
    for s, scheme in enumerate(plan.settings.schemes):
        table = {
            name: np.asarray(getattr(metrics, name))[:, s, :rounds].astype(np.float64)
            for name in COLUMNS[3:]
        }
        last = {name: _last_evaluated(table[name]) for name in ("test_accuracy", "test_loss")}
        summary[scheme] = {
            "test_accuracy": seed_interval(last["test_accuracy"], fraction=True),
            "test_loss": seed_interval(last["test_loss"]),
            "hold_fraction": float(table["hold"].mean()),
            "exact_fraction": float(table["exact"].mean()),
            "mean_num_recovered": float(table["num_recovered"].mean()),
            "uplink_uses": float(table["uplink_uses"].mean()),
            "peer_uses": float(table["peer_uses"].mean()),
        }
    return summary


def _last_evaluated(values: np.ndarray) -> np.ndarray:
    """Of [seeds, rounds], the column of the last evaluation; NaN when there was none."""
    evaluated = np.flatnonzero(~np.isnan(values).all(axis=0))
    return values[:, evaluated[-1]] if evaluated.size else np.full(len(values), np.nan)
