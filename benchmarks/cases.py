"""What is measured: shapes, codes, networks and links, the same for every program."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np

from jaxcogc import GradientCode, Links, Network, cyclic_code

ERASURE = 0.4
"""Every link, uplinks and links between clients."""


class Shape(NamedTuple):
    """Size of a stack of received rows.

    Attributes:
      clients: M.
      stragglers: s.
      attempts: A.
    """

    clients: int
    stragglers: int
    attempts: int


SHAPES = (Shape(10, 7, 2), Shape(16, 5, 2), Shape(32, 8, 2), Shape(64, 16, 1))


def parse_shape(text: str) -> Shape:
    """A shape as a user writes it.

    >>> parse_shape("10,7,2")
    Shape(clients=10, stragglers=7, attempts=2)
    """
    try:
        clients, stragglers, attempts = (int(number) for number in text.split(","))
    except ValueError:
        raise ValueError(
            f"shape = {text!r}: allowed is clients,stragglers,attempts, such as 10,7,2"
        ) from None
    if not (1 <= clients <= 256 and 0 <= stragglers < clients and 1 <= attempts <= 8):
        raise ValueError(
            f"shape = {text!r}: allowed are 1..256 clients, stragglers below that and 1..8 attempts"
        )
    return Shape(clients, stragglers, attempts)


def make_code(shape: Shape) -> GradientCode:
    """The cyclic code of a shape."""
    return cyclic_code(jax.random.key(0), shape.clients, shape.stragglers)


def make_network(shape: Shape, erasure: float = ERASURE) -> Network:
    """All links alike."""
    return Network.homogeneous(shape.clients, uplink_erasure=erasure, peer_erasure=erasure)


def make_links(shape: Shape, num_trials: int, seed: int = 0, erasure: float = ERASURE) -> Links:
    """Links of many trials on the host: bool, with a leading trials axis."""
    clients, attempts = shape.clients, shape.attempts
    generator = np.random.default_rng(seed)
    uplink = np.empty((num_trials, attempts, clients), bool)
    peer = np.empty((num_trials, attempts, clients, clients), bool)
    for start in range(0, num_trials, 4096):
        part = slice(start, min(start + 4096, num_trials))
        for array in (uplink, peer):
            array[part] = generator.random(array[part].shape, np.float32) >= erasure
    peer |= np.eye(clients, dtype=bool)
    return Links(uplink, peer)
