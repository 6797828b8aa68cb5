"""Mean and covariance of coefficients by loops over all patterns of links, in NumPy."""

import itertools
import sys
from types import SimpleNamespace

import numpy as np

from tests.places import EXAMPLES

sys.path.append(str(EXAMPLES))
from round_by_hand import combine, received_rows
from schemes_by_hand import coefficients


def moments(chance, weights):
    """Mean and covariance of rows that have these probabilities."""
    mean = chance @ weights
    spread = weights - mean
    return mean, spread.T @ (chance[:, None] * spread)


def coefficients_by_hand(name, links, told, stragglers):
    """Of every scheme that has any."""
    clients, whole = links.clients, np.full(links.clients, 1 / links.clients)
    if name == "ideal":
        return whole
    if name == "replicated_gc":
        return whole * (links.uplink[0].sum() >= clients - stragglers)
    if name == "retransmission":  # what is an attempt for others is one more try
        heard = links.uplink.any(axis=0)
        return heard / max(1, heard.sum())
    if name == "least_squares":
        return coefficients("projected_memory", links, None)[0]
    if name in ("gc", "secure_gc", "secure_row_space"):
        rows = [row for row, full in received_rows(links) if full or name == "secure_row_space"]
        return whole * combine(rows, np.ones(clients))[1]
    return coefficients(name, links, told)[0]


def moments_by_hand(network, names, code, told, attempts=1):
    """By name: mean and covariance of the coefficients of rounds by hand."""
    clients = network.num_clients
    lost = np.array(network.peer_erasure)
    np.fill_diagonal(lost, 0.0)
    lost = np.tile(np.vstack([network.uplink_erasure, lost]), (attempts, 1, 1))
    free = np.argwhere((lost > 0) & (lost < 1))
    chances, rows = [], {name: [] for name in names}
    fields = {"clients": clients, "num_attempts": attempts, "places": np.arange(clients)}
    fields |= {"matrix": np.tile(code.matrix, (attempts, 1, 1)), "loss": network.uplink_erasure}
    for bits in itertools.product([True, False], repeat=len(free)):
        delivered = lost < 1
        delivered[tuple(free.T)] = bits
        chances.append(np.prod(np.where(delivered, 1 - lost, lost)))
        links = SimpleNamespace(uplink=delivered[:, 0], peer=delivered[:, 1:], **fields)
        for name in names:
            found = coefficients_by_hand(name, links, told.get(name), int(code.num_stragglers))
            rows[name].append(found)
    return {name: moments(np.array(chances), np.array(found)) for name, found in rows.items()}


def assert_moments(every, names, by_hand):
    """Those of enumerated rounds are those by hand, and no scheme but one is without variance."""
    for name, (mean, covariance) in by_hand.items():
        weights = every.coefficients.weights[:, names.index(name)].astype(float)
        found = moments(every.probability, weights)
        np.testing.assert_allclose(found[0], mean, atol=1e-7, err_msg=name)
        np.testing.assert_allclose(found[1], covariance, atol=1e-7, err_msg=name)
        assert np.trace(covariance) > 0.01 or name == "ideal"
