"""What schemes must know of a network before the first round: weights of relays, how often each
client is recovered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np

from jaxcogc._types import HostFloats, Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.federated.aggregation.channel import Foreknowledge
from jaxcogc.federated.aggregation.link_evidence import PolicyOptions
from jaxcogc.federated.aggregation.relaying import colrel_weights
from jaxcogc.federated.aggregation.rules import RULES, check_scheme_names
from jaxcogc.federated.convergence.round_samples import AllRounds, enumerate_rounds, sample_rounds
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.runtime.jax_settings import plain_settings


@plain_settings()
def gather_foreknowledge(
    key: Key,
    network: Network,
    schemes: Sequence[str],
    code: GradientCode | None = None,
    *,
    relay_objective: str = "total",
    relay_window: int | None = None,
    num_trials: int = 100_000,
    redraw_code: bool = False,
    dynamics: LinkDynamics | None = None,
    **policy: Unpack[PolicyOptions],
) -> Foreknowledge:
    """Find what some schemes must know: from all patterns of links, or from rounds drawn.

    Args:
      key: of the rounds that are drawn, if any.
      network: on the host.
      schemes: of `jaxcogc.names.SCHEMES`; nothing is found that none of them needs.
      code: of the coded schemes.
      relay_objective, relay_window: of the weights of relays, as in `colrel_weights`.
      num_trials: rounds to draw.
      redraw_code: another code in every attempt; cyclic only.
      dynamics: how links remember, and which clients are blocked.
      policy: fields of `LinkPolicy`.

    Raises:
      ValueError: an argument outside what is allowed; relays that never reach the server.

    Source: docs/mathematics/schemes.md, "Partial averages without bias".

    >>> import jax
    >>> network = Network([0.5, 0.0], [[0.0, 1.0], [1.0, 0.0]])
    >>> gather_foreknowledge(jax.random.key(0), network, ("colrel",)).relay_weights.tolist()
    [[2.0, 0.0], [0.0, 1.0]]
    """
    check_scheme_names(schemes)
    weights = None
    if any(RULES[name].relays for name in schemes):
        weights = colrel_weights(network, objective=relay_objective, window=relay_window)
    decoders = tuple(x for x in RULES if x in {RULES[name].unbiased for name in schemes})
    if not decoders:
        return Foreknowledge(weights)
    every = None
    if dynamics is None and not redraw_code:
        every = enumerate_rounds(network, code, schemes=decoders, **policy)
    if every is None:
        drawn = sample_rounds(
            key,
            network,
            code,
            schemes=decoders,
            num_trials=num_trials,
            redraw_code=redraw_code,
            dynamics=dynamics,
            **policy,
        )
        every = AllRounds(drawn, np.full(num_trials, 1 / num_trials))
    return Foreknowledge(weights, _recovered(every, decoders))


def _recovered(every: AllRounds, decoders: tuple[str, ...]) -> dict[str, HostFloats]:
    """How often each client is in the aggregate, [clients] by decoder."""
    drawn, chance = every
    recovered: dict[str, HostFloats] = {
        name: np.minimum(1.0, chance @ (np.asarray(drawn.weights[:, number]) != 0))
        for number, name in enumerate(decoders)
    }
    return recovered


def largest_inverse(known: Foreknowledge) -> dict[str, float]:
    """By decoder, the largest 1 / P(client is recovered): how much one round may weigh a client.

    Infinite where some client is never recovered, and no weight makes up for it.
    """
    found = {}
    for name, values in (known.recovery_probability or {}).items():
        least = float(np.min(values))
        found[name] = 1 / least if least > 0 else float("inf")
    return found
