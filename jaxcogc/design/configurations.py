"""The codes that a design may use, and how each may be used.

One compiled program a number of attempts serves all families, stragglers and orders: every code is
taken over one prime field (that of the cyclic MDS codes), with coefficients of its own for every
attempt, and the standard decoder is decided by the rows themselves rather than by counting them.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from jaxcogc._types import Key
from jaxcogc.coding.codes import GradientCode, make_code
from jaxcogc.coding.constructions import cyclic_residues
from jaxcogc.coding.host_field import largest_prime_one_mod
from jaxcogc.design.ring_order import RANDOM, Order, Placement, best_order
from jaxcogc.links.network import Network
from jaxcogc.names import CUSTOM, RingKind, ring_kind
from jaxcogc.runtime.random_words import host_generator

__all__ = [
    "CodeConfig",
    "code_configs",
    "code_in_shared_field",
    "for_every_attempt",
    "own_configs",
]


class CodeConfig(NamedTuple):
    """A code and how it is used.

    Attributes:
      family: one of `names.FAMILIES`, or `names.CUSTOM`.
      stragglers: s; of one's own code what it promises.
      attempts: A.
      redraw_code: another code in every attempt.
      order: place i of the ring holds client order[i]; or "random", anew in every round.
      keep_heard: clients keep what they heard in earlier attempts.
    """

    family: str
    stragglers: int
    attempts: int
    redraw_code: bool
    order: Placement
    keep_heard: bool = False


def code_configs(
    network: Network, max_attempts: int, order: str, *, keep_heard: bool = False
) -> list[CodeConfig]:
    """All codes of a network's size: every family, number of stragglers and of attempts.

    A code that another family has too is there once: s = 0 as uncoded, s = M - 1 as cyclic, rings
    of two ones as cyclic MDS.

    Args:
      network: mean erasures, in the clients' own order: orders are those of independent links.
      max_attempts: attempts 1 .. max_attempts.
      order: "fixed" keeps the clients' own order; "random" has another one in every round;
        "optimised" looks for one with few outages.
      keep_heard: more attempts than one with and without keeping what was heard.
    """
    clients = network.num_clients
    middle = range(1, clients - 1)
    dividing = [s for s in middle if clients % (s + 1) == 0]
    codes_tried = [("uncoded", 0), *(("cyclic", s) for s in range(1, clients))]
    codes_tried += [("fractional-repetition", s) for s in dividing]
    codes_tried += [("all-ones-ring", s) for s in dividing if s > 1]
    codes_tried += [("cyclic-mds", s) for s in middle if (clients - s) % 2 == 1]
    configs = []
    for attempts in range(1, max_attempts + 1):
        best: dict[tuple[RingKind, int], Order] = {}
        for family, s in codes_tried:
            kind = ring_kind(family, s)
            place: Placement = RANDOM if order == RANDOM else tuple(range(clients))
            if order == "optimised":
                if (kind, s) not in best:
                    starts = (best[kind, s - 1],) if (kind, s - 1) in best else ()
                    found = best_order(network, s, attempts, kind=kind, starts=starts)
                    best[kind, s] = found.order
                place = best[kind, s]
            codes = [CodeConfig(family, s, attempts, False, place)]
            if family == "cyclic" and attempts > 1 and s < clients - 1:
                codes.append(CodeConfig(family, s, attempts, True, place))
            configs += codes
            if keep_heard and attempts > 1 and s > 0:
                configs += [code._replace(keep_heard=True) for code in codes]
    return configs


def own_configs(
    code: GradientCode, max_attempts: int, order: str, *, keep_heard: bool = False
) -> list[CodeConfig]:
    """The caller's code with every number of attempts; the arguments are those of `code_configs`.

    Its clients stay where they are, or are placed at random: no law says which order is better.
    """
    place: Placement = RANDOM if order == RANDOM else tuple(range(code.num_clients))
    return [
        CodeConfig(CUSTOM, int(code.num_stragglers), attempts, False, place, keeps)
        for attempts in range(1, max_attempts + 1)
        for keeps in (False, True)
        if not keeps or (keep_heard and attempts > 1)
    ]


def for_every_attempt(code: GradientCode, attempts: int) -> GradientCode:
    """One code, as if every attempt had its own."""
    shape = (attempts, code.num_clients, code.num_clients)
    return dataclasses.replace(
        code,
        matrix=np.broadcast_to(code.matrix, shape),
        field_matrix=np.broadcast_to(code.field_matrix, shape),
    )


def code_in_shared_field(key: Key, clients: int, config: CodeConfig) -> GradientCode:
    """The code with coefficients for every attempt, over the one field of all families."""
    modulus, s = largest_prime_one_mod(clients), config.stragglers
    code = make_code(config.family, clients, s, key=key, num_draws=1)
    field = np.asarray(code.field_matrix)
    if config.family == "cyclic" and 0 < s < clients - 1:
        generator = host_generator(key)
        draws = range(config.attempts if config.redraw_code else 1)
        field = np.array([cyclic_residues(generator, clients, s, modulus) for _ in draws])
    shape = (config.attempts, clients, clients)
    return dataclasses.replace(
        code,
        matrix=np.broadcast_to(code.matrix, shape),
        field_matrix=np.broadcast_to(field.astype(np.uint32), shape),
        family=CUSTOM,  # no family has a program of its own
        modulus=modulus,
    )
