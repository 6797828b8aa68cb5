"""The schemes: for each, its rule from a round's links to coefficients, and what else is known.

Every scheme is linear: the server adds sum_k c_k Delta_k, or holds. A rule turns Evidence into c
for the round and each of its repeats. `RULES` is the one table of schemes: who adds a scheme writes
its rule here, a line in the table, and its name into `jaxcogc.names`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import NamedTuple

from jaxcogc._types import Array, HostFloats
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.decoding import gc_plus_weights, gc_weights, row_space_weights
from jaxcogc.federated.aggregation.arrival_rules import (
    held_below,
    ideal,
    intermittent,
    intermittent_blind,
    inverse_probability,
    mean_of_average,
    retransmission,
)
from jaxcogc.federated.aggregation.client_states import Remembered
from jaxcogc.federated.aggregation.coefficients import Attempted
from jaxcogc.federated.aggregation.decoded_rules import (
    colrel,
    gc,
    gc_plus,
    gc_plus_unbiased,
    least_squares,
    replicated_gc,
    row_space,
    row_space_unbiased,
    secure_gc,
    secure_row_space,
)
from jaxcogc.federated.aggregation.link_evidence import Evidence, Sharing
from jaxcogc.links.draws import Links
from jaxcogc.names import REFUSED_SCHEMES, SCHEMES, underscored

Decoder = Callable[[GradientCode, Links], Array]
"""From what arrived to weights of the received rows."""


class SchemeRule(NamedTuple):
    """A scheme, as the rest of the program asks for it.

    Attributes:
      attempt: the rule, from Evidence to coefficients.
      sharing: how clients share what they send coded sums of; None: they do not, and no code is
        needed. Sharing over links costs uses.
      several_tries: a client tries its uplink num_tries times at most; elsewhere once an attempt.
      projects: the rule looks at the least-squares projection.
      sum_decoder: weights [rows] of the received rows that give the sum of all updates; of schemes
        that share.
      client_decoder: weights [clients, rows] that give the updates of single clients; of schemes
        that fall back on averages over some.
      all_or_nothing: every round gives the exact average or nothing.
      arrival_law: from erasure probabilities of uplinks [clients] to the mean coefficients
        [clients]; of schemes in which a coefficient depends on who arrives and nothing else.
      outcomes: the decoder, in the names of exact and simulated outcomes, whose averages they are.
      relays: clients pass on weighted sums of what they hear; the weights are known beforehand.
      unbiased: the scheme whose recovered clients are weighed by the inverse of how often they are;
        the clients scale what they share, so that a decoded sum is scaled as well.
      remembers: what is kept of each client from round to round.
      masked: clients hide their updates behind masks that add up to 0.
    """

    attempt: Callable[[Evidence], Attempted]
    sharing: Sharing | None = None
    several_tries: bool = False
    projects: bool = False
    sum_decoder: Decoder | None = None
    client_decoder: Decoder | None = None
    all_or_nothing: bool = False
    arrival_law: Callable[[HostFloats], HostFloats] | None = None
    outcomes: str | None = None
    relays: bool = False
    unbiased: str | None = None
    remembers: Remembered | None = None
    masked: bool = False

    @property
    def coded(self) -> bool:
        """Whether a gradient code is needed."""
        return self.sharing is not None

    @property
    def attempts_all(self) -> bool:
        """Whether clients share and send up in all attempts of a round, or send up once."""
        return self.sharing == "links" or self.relays


RULES = {
    "ideal": SchemeRule(ideal, all_or_nothing=True),
    "intermittent": SchemeRule(held_below(intermittent), arrival_law=mean_of_average),
    "intermittent_blind": SchemeRule(
        intermittent_blind, arrival_law=lambda lost: (1 - lost) / len(lost)
    ),
    "inverse_probability": SchemeRule(
        inverse_probability, arrival_law=lambda lost: (lost < 1) / len(lost)
    ),
    "retransmission": SchemeRule(
        held_below(retransmission), several_tries=True, arrival_law=mean_of_average
    ),
    "replicated_gc": SchemeRule(
        replicated_gc, sharing="free", sum_decoder=gc_weights, all_or_nothing=True
    ),
    "gc": SchemeRule(
        gc, sharing="links", sum_decoder=gc_weights, all_or_nothing=True, outcomes="gc"
    ),
    "gc_plus": SchemeRule(
        held_below(gc_plus),
        sharing="links",
        sum_decoder=gc_weights,
        client_decoder=gc_plus_weights,
        outcomes="gc_plus",
    ),
    "row_space": SchemeRule(
        held_below(row_space),
        sharing="links",
        sum_decoder=row_space_weights,
        client_decoder=gc_plus_weights,
        outcomes="row_space",
    ),
    "least_squares": SchemeRule(
        least_squares, sharing="links", projects=True, sum_decoder=row_space_weights
    ),
    "colrel": SchemeRule(colrel, relays=True),
    "gc_plus_unbiased": SchemeRule(
        gc_plus_unbiased,
        sharing="links",
        sum_decoder=gc_weights,
        client_decoder=gc_plus_weights,
        unbiased="gc_plus",
    ),
    "row_space_unbiased": SchemeRule(
        row_space_unbiased,
        sharing="links",
        sum_decoder=row_space_weights,
        client_decoder=gc_plus_weights,
        unbiased="row_space",
    ),
    "intermittent+memory": SchemeRule(intermittent, remembers="updates"),
    "intermittent_blind+memory": SchemeRule(intermittent_blind, remembers="updates"),
    "inverse_probability+memory": SchemeRule(inverse_probability, remembers="updates"),
    "gc_plus+memory": SchemeRule(
        gc_plus,
        sharing="links",
        sum_decoder=gc_weights,
        client_decoder=gc_plus_weights,
        remembers="updates",
    ),
    "row_space+memory": SchemeRule(
        row_space,
        sharing="links",
        sum_decoder=row_space_weights,
        client_decoder=gc_plus_weights,
        remembers="updates",
    ),
    "projected_memory": SchemeRule(
        least_squares,
        sharing="links",
        projects=True,
        sum_decoder=row_space_weights,
        remembers="projections",
    ),
    "implicit_gossip": SchemeRule(intermittent, remembers="models"),
    "secure_gc": SchemeRule(
        secure_gc, sharing="links", sum_decoder=gc_weights, all_or_nothing=True, masked=True
    ),
    "secure_row_space": SchemeRule(
        held_below(secure_row_space),
        sharing="links",
        sum_decoder=row_space_weights,
        all_or_nothing=True,
        masked=True,
    ),
}
"""By name, in the order of `jaxcogc.names.SCHEMES`."""


def check_scheme_names(names: Iterable[str]) -> None:
    """Raise a ValueError unless all are schemes, as Python spells them.

    >>> check_scheme_names(["gc-plus"])
    Traceback (most recent call last):
    ValueError: scheme 'gc-plus': allowed is 'gc_plus' (hyphens are for the command line)
    """
    for name in names:
        python_name = underscored(name)
        if python_name in REFUSED_SCHEMES:
            raise ValueError(f"scheme {name!r}: {REFUSED_SCHEMES[python_name]}")
        if name not in RULES and python_name in RULES:
            raise ValueError(
                f"scheme {name!r}: allowed is {python_name!r} (hyphens are for the command line)"
            )
        if name not in RULES:
            near = get_close_matches(python_name, SCHEMES, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(f"scheme {name!r}: allowed are {', '.join(SCHEMES)}{hint}")
