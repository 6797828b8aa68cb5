"""What the rounds of a run tell the server beyond sums, of the schemes whose clients wear masks."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.federated.privacy.leakage import gaussian_epsilon
from jaxcogc.federated.privacy.masks import largest_mu, leaked_bits, leaked_bits_of_client
from jaxcogc.federated.rounds.experiment import RoundMetrics
from jaxcogc.training.plan import TrainingPlan
from jaxcogc.training.trained import Trained

DELTA = 1e-5
"""Of (epsilon, delta) differential privacy."""


class RunLeak(NamedTuple):
    """What a scheme leaked; bits are for one coordinate, means over rounds and seeds.

    Attributes:
        bits: a round, about all updates together.
        bits_client: a round, about the client of whom it tells most.
        mu: over all rounds, the largest of the seeds; an update may change by its deviation.
        epsilon: of (epsilon, 1e-5) differential privacy at that mu, for what lies beyond the sums;
            None where infinite. Updates must be clipped for it to hold.
    """

    bits: float | None
    bits_client: float | None
    mu: float | None
    epsilon: float | None


def round_leaks(plan: TrainingPlan, metrics: RoundMetrics) -> dict[str, HostFloats]:
    """Bits and mu of every round, [seeds, schemes, rounds] by name; empty without masks.

    Args:
        plan: what was run.
        metrics: of the run.
    """
    masked = np.array(plan.settings.masked)
    if not masked.any():
        return {}
    ratio, clients = plan.settings.mask_ratio, plan.network.num_clients
    worn = masked[None, :, None]
    dimensions = np.where(worn, np.asarray(metrics.num_dimensions), 0)
    share = np.where(worn, np.asarray(metrics.largest_share), 0.0)
    return {
        "leak_bits": leaked_bits(dimensions, ratio, clients),
        "leak_bits_client": leaked_bits_of_client(share, ratio, clients),
        "leak_mu": largest_mu(share, ratio, clients),
    }


def run_leaks(plan: TrainingPlan, trained: Trained) -> dict[str, RunLeak]:
    """What each scheme with masks leaked so far.

    Args:
        plan: what was run.
        trained: where it stands.
    """
    found = {}
    leaks = round_leaks(plan, trained.metrics)
    for number, name in enumerate(plan.settings.schemes):
        if plan.settings.masked[number]:
            bits, client, mu = (x[:, number, : trained.round_index] for x in leaks.values())
            whole = float(np.sqrt(np.square(mu).sum(axis=1)).max())
            values = (bits.mean(), client.mean(), whole, gaussian_epsilon(whole, DELTA))
            finite = [float(x) if math.isfinite(x) else None for x in values]
            found[name] = RunLeak(*finite)
    return found
