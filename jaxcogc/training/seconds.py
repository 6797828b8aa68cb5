"""Seconds of training rounds on one shared channel, where messages follow each other."""

from __future__ import annotations

import numpy as np

from jaxcogc._types import HostFloats
from jaxcogc.federated.rounds.experiment import RoundMetrics
from jaxcogc.outage.laws.waiting_times import MessageSeconds


def seconds_so_far(seconds: MessageSeconds, metrics: RoundMetrics) -> HostFloats:
    """Seconds from the start to the end of each round, held ones included.

    Args:
        seconds: what things take.
        metrics: of the run, [seeds, schemes, rounds].

    Returns:
        float64 [seeds, schemes, rounds].

    Source: docs/mathematics.md, "Time".
    """
    peer, uplink = (np.asarray(x, np.float64) for x in (metrics.peer_uses, metrics.uplink_uses))
    each = seconds.compute + seconds.peer * peer + seconds.uplink * uplink
    return np.asarray(each.cumsum(axis=-1))
