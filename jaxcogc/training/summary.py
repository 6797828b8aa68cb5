"""What a training run amounts to: every scheme in a few numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import asdict, dataclass, replace
from typing import Any

import jax
import numpy as np
from scipy import special

from jaxcogc.federated.rounds.experiment import RoundMetrics
from jaxcogc.links.checks import check_choice
from jaxcogc.training.losses import cross_entropy
from jaxcogc.training.plan import TrainingPlan
from jaxcogc.training.seconds import seconds_so_far
from jaxcogc.training.task import fractions
from jaxcogc.training.trained import Trained, evaluated_rounds

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
    """A scheme in a few numbers.

    Attributes:
      test: of the last evaluation, over seeds, by name: the plan's metrics, and the loss.
      hold_fraction, exact_fraction: of all rounds.
      mean_num_recovered, uplink_uses, peer_uses: means per round.
      seconds: likewise; None where nobody said what messages take.
      diverged: the seeds whose loss is not finite at the end, or above `DIVERGED_LOSS` where it is
        cross entropy.
    """

    test: Mapping[str, SeedInterval]
    hold_fraction: float
    exact_fraction: float
    mean_num_recovered: float
    uplink_uses: float
    peer_uses: float
    diverged: tuple[int, ...]
    seconds: float | None = None

    def fields(self) -> dict[str, Any]:
        """What JSON files hold: no seconds where there are none."""
        found = asdict(self)
        if self.seconds is None:
            del found["seconds"]
        test = {f"test_{name}": interval for name, interval in found.pop("test").items()}
        return test | found


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
    bounded = fractions(plan)
    done = _done_rounds(trained)

    def of_scheme(number: int) -> RoundMetrics:
        one: RoundMetrics = jax.tree.map(lambda x: x[:, number].astype(np.float64), done)
        return one

    clock = seconds_so_far(plan, trained.metrics)
    found = {}
    for number, scheme in enumerate(plan.settings.schemes):
        found[scheme] = _summary(plan, of_scheme(number), bounded)
        if clock is not None:
            mean = clock[:, number, trained.round_index - 1].mean() / trained.round_index
            found[scheme] = replace(found[scheme], seconds=float(mean))
    return found


def _summary(plan: TrainingPlan, metrics: RoundMetrics, bounded: Set[str]) -> SchemeSummary:
    """Of one scheme; float64 [seeds, rounds]."""
    test = _last_tests(plan, metrics)
    limit = DIVERGED_LOSS if plan.loss is cross_entropy else np.finfo(np.float64).max
    fine = np.asarray(metrics.train_loss)[:, -1] <= limit
    if evaluated_rounds(plan, metrics.hold.shape[1]).any():
        fine &= test["loss"] <= limit
    return SchemeSummary(
        test={name: seed_interval(x, fraction=name in bounded) for name, x in test.items()},
        hold_fraction=float(metrics.hold.mean()),
        exact_fraction=float(metrics.exact.mean()),
        mean_num_recovered=float(metrics.num_recovered.mean()),
        uplink_uses=float(metrics.uplink_uses.mean()),
        peer_uses=float(metrics.peer_uses.mean()),
        diverged=tuple(
            seed for seed, good in zip(plan.seeds, fine.tolist(), strict=True) if not good
        ),
    )


def _done_rounds(trained: Trained) -> RoundMetrics:
    """Of the rounds that are done, [seeds, schemes, rounds]."""
    done: RoundMetrics = jax.tree.map(
        lambda x: np.asarray(x)[:, :, : trained.round_index], trained.metrics
    )
    return done


def _last_tests(plan: TrainingPlan, metrics: RoundMetrics) -> dict[str, np.ndarray]:
    """Of the last evaluation, by name: [seeds, ..] of [seeds, .., rounds]; NaN before the first."""
    last = np.flatnonzero(evaluated_rounds(plan, metrics.hold.shape[-1]))[-1:]
    tests = {name: np.asarray(metrics.test[name], np.float64) for name in (*plan.metrics, "loss")}
    if not last.size:
        return {name: np.full(x.shape[:-1], np.nan) for name, x in tests.items()}
    return {name: x[..., last[0]] for name, x in tests.items()}


def difference(
    plan: TrainingPlan, trained: Trained, scheme: str, other: str, metric: str | None = None
) -> SeedInterval:
    """How far one scheme is above another at the last evaluation, seed by seed.

    All schemes of a seed see the same links, data and initial parameters, so that differences
    usually vary less than the schemes do.

    Args:
      plan: what was run.
      trained: where it stands; at least one round done.
      scheme, other: their names.
      metric: its name; None: the plan's first, else the loss.

    Raises:
      ValueError: a scheme or a metric that was not run.
    """
    schemes, metrics = plan.settings.schemes, (*plan.metrics, "loss")
    metric = metrics[0] if metric is None else metric
    check_choice("scheme", scheme, schemes)
    check_choice("other", other, schemes)
    check_choice("metric", metric, metrics)
    values = _last_tests(plan, _done_rounds(trained))[metric]
    with np.errstate(invalid="ignore"):  # of two that diverged
        return seed_interval(values[:, schemes.index(scheme)] - values[:, schemes.index(other)])
