"""How many complete and incomplete rows arrive: the joint law, exact for rows of the ring."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from jaxcogc._types import Array, HostFloats
from jaxcogc.links.checks import check_count
from jaxcogc.links.memory import LinkDynamics, blocked_clients, link_chains
from jaxcogc.links.network import Network
from jaxcogc.outage.laws.differentiable import CompiledLaw, evaluated
from jaxcogc.outage.laws.rounds_in_time import Round, pattern_law, row_links
from jaxcogc.outage.laws.rows_in_time import RowLinks, steps_of, together
from jaxcogc.outage.laws.standard_decoding import needs_both_directions
from jaxcogc.runtime.jax_settings import under_plain_settings

_MOST_ATTEMPTS = 8
"""With memory: all pairs of patterns over the attempts are gone through."""


@under_plain_settings
def strata_law(
    network: Network,
    num_stragglers: int,
    num_attempts: int = 1,
    *,
    dynamics: LinkDynamics | None = None,
) -> Float64[np.ndarray, "_ clients+1"]:
    """The joint law of incomplete rows received and of distinct complete ones.

    Row m holds client m and the next s clients of the ring, the same in all attempts: cyclic and
    uncoded (s = 0) schemes.

    Args:
      network: the links' mean erasure probabilities.
      num_stragglers: s, below the number of clients.
      num_attempts: A.
      dynamics: how links remember; at most 8 attempts then.

    Returns:
      [attempts x clients + 1, clients + 1] float64; entry [i, N]: the server receives i
      incomplete rows in all attempts, and complete rows of N clients.

    Raises:
      ValueError: a count out of range, reciprocal links of which rows use both directions
        (2 s >= M), blocked clients, too many attempts of links that remember, or ``dynamics``
        that do not fit the network.

    Source: docs/mathematics/statistics.md, "Strata of known probability".

    >>> network = Network.homogeneous(3, uplink_erasure=0.5, peer_erasure=0.0)
    >>> strata_law(network, 1)[0]  # every row is complete: a matter of three fair coins
    array([0.125, 0.375, 0.375, 0.125])
    """
    clients = network.num_clients
    stragglers = check_count("num_stragglers", num_stragglers, low=0, high=clients - 1)
    attempts = check_count("num_attempts", num_attempts)
    if network.reciprocal and needs_both_directions("cyclic", clients, stragglers):
        raise ValueError(
            f"reciprocal = True with num_stragglers = {stragglers} of {clients} clients: allowed is"
            " 2 s < M, as rows are not independent where they use both directions of a pair"
        )
    law = np.zeros((attempts * clients + 1, clients + 1))
    law[0, 0] = 1.0
    for client in _client_laws(network, stragglers, attempts, dynamics):
        after = np.zeros_like(law)
        for (incomplete, complete), chance in np.ndenumerate(client):
            if chance:  # what would move out of the table is 0
                after += chance * np.roll(law, (incomplete, complete), (0, 1))
        law = after
    return law


def _client_laws(
    network: Network, stragglers: int, attempts: int, dynamics: LinkDynamics | None
) -> HostFloats:
    """Law of a client's (incomplete rows, whether a complete one): [clients, attempts + 1, 2]."""
    if dynamics is not None:
        for client, chance in enumerate(blocked_clients(network, dynamics)):
            if chance:
                raise ValueError(
                    f"block_probability = {chance:g} of client {client}: allowed is 0, as rows of "
                    "blocked clients are not independent"
                )
        if attempts > 1 and np.any(link_chains(network, dynamics).memory):
            if attempts > _MOST_ATTEMPTS:
                raise ValueError(
                    f"num_attempts = {attempts}: allowed with memory is at most {_MOST_ATTEMPTS}"
                )
            shape = Round(network.num_clients, "cyclic", stragglers, attempts, hard=False)
            return np.asarray(evaluated(_WithMemory(shape), network, dynamics), np.float64)
        link_chains(network, dynamics)  # names what does not fit
    return _independent(network, stragglers, attempts)


def _independent(network: Network, stragglers: int, attempts: int) -> HostFloats:
    uplink = np.asarray(network.uplink_erasure, np.float64)
    peer = np.asarray(network.peer_erasure, np.float64)
    clients = len(uplink)
    others = (np.arange(clients)[:, None] + np.arange(1, stragglers + 1)) % clients
    works = 1.0 - np.take_along_axis(peer, others, 1)
    complete = (1.0 - uplink) * works.prod(1)
    # That some link of a row fails, link by link: positive terms.
    before = np.concatenate([np.ones((clients, 1)), np.cumprod(works, 1)], 1)[:, :-1]
    incomplete = (1.0 - uplink) * (before * (1.0 - works)).sum(1)
    law = np.zeros((clients, attempts + 1, 2))
    for number in range(attempts + 1):
        rest = attempts - number
        chosen = comb(attempts, number) * incomplete**number
        law[:, number, 0] = chosen * uplink**rest
        lost_or_complete = uplink + complete
        some = sum(lost_or_complete**i * uplink ** (rest - 1 - i) for i in range(rest))
        law[:, number, 1] = chosen * complete * some
    return law


@dataclass(frozen=True)
class _WithMemory(CompiledLaw):
    """[clients, attempts + 1, 2] of links that remember, a function of (network, dynamics).

    From the patterns over the attempts in which the server hears the client, and those in which
    the client hears all of its row: two independent laws.
    """

    round: Round

    def __call__(self, network: Network, dynamics: LinkDynamics) -> Array:
        attempts = self.round.num_attempts
        links = row_links(network, dynamics, self.round)
        arrives = _patterns(links, slice(0, 1), attempts)
        covered = _patterns(links, slice(1, None), attempts)
        number = np.arange(2**attempts)
        incomplete = np.bitwise_count(number[:, None] & ~number)  # heard, and not covered
        complete = (number[:, None] & number) != 0
        both = arrives.T[:, :, None] * covered.T[:, None, :]
        place = (incomplete * 2 + complete).reshape(-1)
        flat = both.reshape(self.round.clients, -1)
        table = jnp.zeros((self.round.clients, 2 * (attempts + 1))).at[:, place].add(flat)
        return table.reshape(self.round.clients, attempts + 1, 2)


def _patterns(links: RowLinks, chosen: slice, attempts: int) -> Array:
    """Law of the attempts in which all of the chosen links of a row deliver: [sets, clients]."""
    some = links._replace(
        bad=links.bad[:, chosen],
        memory=links.memory[:, chosen],
        round_memory=links.round_memory[:, chosen],
    )
    law = pattern_law(together(some, some.delivers, steps_of(attempts)))
    return jnp.maximum(law, 0.0)  # of differences, some end below 0 by rounding
