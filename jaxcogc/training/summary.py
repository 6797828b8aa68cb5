"""What a training run amounts to: a table of every round, and a summary of every scheme."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import special

from jaxcogc.federated.rounds.experiment import RoundMetrics
from jaxcogc.training.leaks import round_leaks
from jaxcogc.training.plan import TrainingPlan
from jaxcogc.training.seconds import seconds_so_far
from jaxcogc.training.trained import Trained

_MEASURED = tuple(name for name in RoundMetrics._fields if name != "finite")
COLUMNS = ("scheme", "seed", "round", *_MEASURED)
INTERVAL_LEVEL = 0.95
DIVERGED_LOSS = 745.0
"""Beyond it a model leaves the right class, on average, less than the smallest float64."""


@dataclass(frozen=True)
class SeedInterval:
    """A mean over seeds and its interval; None where it is not finite, or where one seed or seeds
    that all agree do not tell how wide it is.
    """

    mean: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class SchemeSummary:
    """A scheme in a few numbers; `dataclasses.asdict` makes it what JSON files hold.

    Attributes:
      test_accuracy, test_loss: of the last evaluation, over seeds.
      hold_fraction, exact_fraction: of all rounds.
      mean_num_recovered, uplink_uses, peer_uses: means per round.
      diverged: the seeds whose loss is not finite or above `DIVERGED_LOSS` at the end.
    """

    test_accuracy: SeedInterval
    test_loss: SeedInterval
    hold_fraction: float
    exact_fraction: float
    mean_num_recovered: float
    uplink_uses: float
    peer_uses: float
    diverged: tuple[int, ...]


def metrics_csv(plan: TrainingPlan, trained: Trained, num_rounds: int | None = None) -> str:
    """The table of all rounds done: one line for each scheme, seed and round.

    Numbers have nine digits, which is all of a float32; hold and exact are 0 or 1; test columns
    are empty where nothing was evaluated, and losses "nan" where they are no number. Where a
    scheme has masks, more columns tell what its rounds leak; they are 0 for the others. Where the
    plan says what messages take, the last column is the seconds from the start.

    Args:
      plan: what was run.
      trained: where it stands.
      num_rounds: write so many rounds only.
    """
    rounds = trained.round_index if num_rounds is None else num_rounds
    columns = [
        np.moveaxis(np.asarray(getattr(trained.metrics, name))[:, :, :rounds], 0, 1)
        for name in _MEASURED
    ]
    leaks = round_leaks(plan, trained.metrics)
    more = dict(leaks)
    if plan.seconds is not None:
        more["seconds"] = seconds_so_far(plan.seconds, trained.metrics)
    columns += [np.moveaxis(x[:, :, :rounds], 0, 1) for x in more.values()]
    # An accuracy is a number wherever it was evaluated; a loss need not be.
    unknown = np.isnan(columns[_MEASURED.index("test_accuracy")])
    for number, name in enumerate(_MEASURED):
        if name in ("test_accuracy", "test_loss"):
            columns[number] = columns[number].astype(object)
            columns[number][unknown] = None
    lines = [",".join((*COLUMNS, *more))]
    for s, scheme in enumerate(plan.settings.schemes):
        for n, seed in enumerate(plan.seeds):
            rows = zip(*(column[s, n].tolist() for column in columns), strict=True)
            lines += [
                ",".join([scheme, str(seed), str(r), *map(_text, x)]) for r, x in enumerate(rows)
            ]
    return "\n".join(lines) + "\n"


def _text(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.9g}" if isinstance(value, float) else str(int(value))


def seed_interval(values: Iterable[float], *, fraction: bool = False) -> SeedInterval:
    """Mean over seeds with its Student-t interval at `INTERVAL_LEVEL`.

    Args:
      values: [seeds].
      fraction: values are in [0, 1], and so are the ends: those of the interval of logit(mean),
        with the standard error that a small one of the mean gives it (delta method).

    >>> seed_interval([0.5])
    SeedInterval(mean=0.5, low=None, high=None)
    >>> found = seed_interval([0.9, 0.98]), seed_interval([0.9, 0.98], fraction=True)
    >>> [(round(x.mean, 3), round(x.low, 3), round(x.high, 3)) for x in found]
    [(0.94, 0.432, 1.448), (0.94, 0.002, 1.0)]
    """
    values = np.asarray(values, np.float64)
    mean = float(values.mean())
    if not np.isfinite(mean):
        return SeedInterval()
    if np.ptp(values) == 0:
        return SeedInterval(mean)
    quantile = special.stdtrit(values.size - 1, (1 + INTERVAL_LEVEL) / 2)
    half = float(quantile * values.std(ddof=1) / np.sqrt(values.size))
    if fraction and 0 < mean < 1:
        odds = half / (mean * (1 - mean))
        low, high = (float(special.expit(special.logit(mean) + x)) for x in (-odds, odds))
        return SeedInterval(mean, low, high)
    return SeedInterval(mean, mean - half, mean + half)


def summarize(plan: TrainingPlan, trained: Trained) -> dict[str, SchemeSummary]:
    """Every scheme in a few numbers: its last evaluation, and means per round over seeds.

    Args:
      plan: what was run.
      trained: where it stands; at least one round done.
    """
    done = [np.asarray(x)[:, :, : trained.round_index] for x in trained.metrics]
    return {
        scheme: _summary(plan, RoundMetrics(*(x[:, number].astype(np.float64) for x in done)))
        for number, scheme in enumerate(plan.settings.schemes)
    }


def _summary(plan: TrainingPlan, metrics: RoundMetrics) -> SchemeSummary:
    """Of one scheme; float64 [seeds, rounds]."""
    evaluated = np.flatnonzero(~np.isnan(metrics.test_accuracy).all(axis=0))
    last = evaluated[-1:]  # none, where nothing was evaluated yet
    accuracy, loss = (
        np.asarray(x)[:, last].sum(axis=1) if last.size else np.full(len(x), np.nan)
        for x in (metrics.test_accuracy, metrics.test_loss)
    )
    fine = np.asarray(metrics.train_loss)[:, -1] <= DIVERGED_LOSS
    if last.size:
        fine &= loss <= DIVERGED_LOSS
    return SchemeSummary(
        test_accuracy=seed_interval(accuracy, fraction=True),
        test_loss=seed_interval(loss),
        hold_fraction=float(metrics.hold.mean()),
        exact_fraction=float(metrics.exact.mean()),
        mean_num_recovered=float(metrics.num_recovered.mean()),
        uplink_uses=float(metrics.uplink_uses.mean()),
        peer_uses=float(metrics.peer_uses.mean()),
        diverged=tuple(
            seed for seed, good in zip(plan.seeds, fine.tolist(), strict=True) if not good
        ),
    )
