"""Where a plan stands after some of its rounds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxcogc.federated.rounds.experiment import RoundMetrics, TrainState
from jaxcogc.training.plan import TrainingPlan


class Trained(NamedTuple):
    """Where a plan stands; on the host.

    Attributes:
      state: parameters and server optimizer, leading axes [seeds, schemes].
      round_index: rounds that are done.
      metrics: RoundMetrics [seeds, schemes, rounds] of the whole plan; 0 where not done yet.
    """

    state: TrainState
    round_index: int
    metrics: RoundMetrics


def as_planned(plan: TrainingPlan, trained: Trained) -> Trained:
    """Where the plan would stand, had it not been begun with another number of rounds.

    Nothing else depends on that number but which rounds are evaluated: the last one always is.
    """
    number = np.arange(1, trained.metrics.test_loss.shape[-1] + 1)
    done = number <= trained.round_index
    spare = done & (number % plan.settings.evaluate_every != 0) & (number != plan.rounds)
    accuracy, loss = (
        np.where(spare, np.asarray(np.nan, x.dtype), x)
        for x in (trained.metrics.test_accuracy, trained.metrics.test_loss)
    )
    metrics = trained.metrics._replace(test_accuracy=accuracy, test_loss=loss)
    return trained._replace(metrics=metrics)


class NonFiniteUpdate(NamedTuple):
    """An update that was not finite; its round counts from 0, as metrics do."""

    round: int
    scheme: str
    seed: int
    client: int


def first_non_finite(
    plan: TrainingPlan, trained: Trained, since: int = 0
) -> NonFiniteUpdate | None:
    """The first update that was not finite in the rounds from ``since`` on; None: all were."""
    spoilt = ~trained.metrics.finite[:, :, since : trained.round_index]
    if not spoilt.any():
        return None
    number, scheme, seed, client = np.argwhere(np.transpose(spoilt, (2, 1, 0, 3)))[0]
    name = plan.settings.schemes[scheme]
    return NonFiniteUpdate(int(since + number), name, plan.seeds[seed], int(client))
