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

MASK_ERRORS = ("mask_error", "mask_error_predicted")
"""Of metrics: how far a decoded average is from that of the updates, over their deviation."""
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
      mask_error, mask_error_predicted: of the `MASK_ERRORS`, their root mean square over rounds;
        None where no payloads are formed, or none was decoded.
    """

    bits: float | None
    bits_client: float | None
    mu: float | None
    epsilon: float | None
    mask_error: float | None
    mask_error_predicted: float | None


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
    if plan.settings.masks == "field":  # what is seen beyond the sum is uniform
        ratio, dimensions, share = 1.0, np.zeros_like(dimensions), np.zeros_like(share)
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
            errors = [
                np.asarray(getattr(trained.metrics, x))[:, number, : trained.round_index]
                for x in MASK_ERRORS
            ]
            whole = float(np.sqrt(np.square(mu).sum(axis=1)).max())
            values = (bits.mean(), client.mean(), whole, gaussian_epsilon(whole, DELTA))
            sizes = [_root_mean_square(x[np.isfinite(x)]) for x in errors]
            finite = [float(x) if math.isfinite(x) else None for x in (*values, *sizes)]
            found[name] = RunLeak(*finite)
    return found


def _root_mean_square(values: HostFloats) -> float:
    return float(np.sqrt(np.square(values).mean())) if values.size else math.nan
