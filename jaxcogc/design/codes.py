"""The codes a design may use.

One compiled program a number of attempts serves all families, stragglers and orders: every code is
taken over one prime field (that of the cyclic MDS codes), with coefficients of its own for every
attempt, and the standard decoder is decided by the rows themselves rather than by counting them.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from jaxcogc._types import Key
from jaxcogc.coding import codes
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.conditioning import host_generator
from jaxcogc.coding.constructions import cyclic_residues
from jaxcogc.coding.host_field import largest_prime_one_mod
from jaxcogc.design.random_order import RANDOM, Placement
from jaxcogc.design.ring_order import best_order
from jaxcogc.links.network import Network

__all__ = ["CodeConfig", "code_configs", "field_code", "named_code", "ring_kind"]


class CodeConfig(NamedTuple):
    """A code and how it is used.

    Attributes:
        family: "cyclic", "cyclic-mds", "fractional-repetition" or "uncoded".
        stragglers: s.
        attempts: A.
        redraw_code: another code in every attempt.
        order: place i of the ring holds client order[i]; or "random", anew in every round.
    """

    family: str
    stragglers: int
    attempts: int
    redraw_code: bool
    order: Placement


def code_configs(network: Network, max_attempts: int, order: str) -> list[CodeConfig]:
    """All codes of a network's size: every family, number of stragglers and of attempts.

    A code that another family has too is there once: s = 0 as uncoded, s = M - 1 as cyclic.

    Args:
        network: the network, in the clients' own order.
        max_attempts: attempts 1 .. max_attempts.
        order: "fixed" keeps the clients' own order; "random" has another one in every round;
            "optimised" looks for one with few outages.
    """
    clients = network.num_clients
    own = tuple(range(clients))
    cyclic = [("cyclic", s) for s in range(1, clients)]
    blocks = [("fractional-repetition", s) for s in range(1, clients - 1) if clients % (s + 1) == 0]
    mds = [("cyclic-mds", s) for s in range(1, clients - 1) if (clients - s) % 2 == 1]
    configs = []
    for attempts in range(1, max_attempts + 1):
        found: dict[tuple[str, int], tuple[int, ...]] = {}
        for family, s in [("uncoded", 0), *cyclic, *blocks, *mds]:
            kind = ring_kind(family)
            if order == "optimised" and (kind, s) not in found:
                starts = tuple(v for (k, t), v in found.items() if k == kind and t == s - 1)
                search = best_order(network, s, attempts, kind=kind, starts=starts)
                found[kind, s] = search.order
            place: Placement = RANDOM if order == RANDOM else found.get((kind, s), own)
            configs.append(CodeConfig(family, s, attempts, False, place))
            if family == "cyclic" and attempts > 1 and s < clients - 1:
                configs.append(CodeConfig(family, s, attempts, True, place))
    return configs


def ring_kind(family: str) -> str:
    """How a family uses the ring: "cyclic", or "blocks" of neighbours."""
    return "blocks" if family == "fractional-repetition" else "cyclic"


def named_code(key: Key, clients: int, config: CodeConfig) -> GradientCode:
    """The code of one attempt, of its own family: what the closed form asks for."""
    if config.family == "cyclic":
        return codes.cyclic_code(key, clients, config.stragglers, num_draws=1)
    if config.family == "cyclic-mds":
        return codes.cyclic_mds_code(clients, config.stragglers)
    if config.family == "fractional-repetition":
        return codes.fractional_repetition_code(clients, config.stragglers)
    return codes.uncoded(clients)


def field_code(key: Key, clients: int, config: CodeConfig) -> GradientCode:
    """The code with coefficients for every attempt, over the one field of all families.

    Args:
        key: of the coefficients.
        clients: M.
        config: the code; its order does not matter.
    """
    code = named_code(key, clients, config)
    modulus, s = largest_prime_one_mod(clients), config.stragglers
    generator = host_generator(key)
    fields: list[np.ndarray] = []
    for attempt in range(config.attempts):
        if attempt and not config.redraw_code:
            fields.append(fields[0])
        elif config.family == "cyclic" and 0 < s < clients - 1:
            fields.append(cyclic_residues(generator, clients, s, modulus))
        else:
            fields.append(code.field_matrix)
    return dataclasses.replace(
        code,
        matrix=np.broadcast_to(code.matrix, (config.attempts, clients, clients)),
        field_matrix=np.array(fields, np.uint32),
        family="custom",  # no family has a program of its own
        modulus=modulus,
    )
