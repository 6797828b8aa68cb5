"""Chi-square checks of the drawn links; rate of false failures and wrong samplers in `checks`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.coding.exact.gram import gram_terms
from jaxcogc.links.draws import draw_links, streams
from jaxcogc.links.network import Network
from jaxcogc.links.packed_draws import by_offset, draw_rows
from jaxcogc.links.thresholds import LinkKind, LinkLaw, link_thresholds
from tests.checks import chi_square_p_value, surprises

CLIENTS, ATTEMPTS, TRIALS = 4, 2, 2**16


def network(reciprocal=False, factor=1.0):
    source = np.random.default_rng(1)
    peer = source.uniform(0.05, 0.9, (CLIENTS, CLIENTS)) * (1 - np.eye(CLIENTS))
    peer = np.tril(peer) + np.tril(peer).T if reciprocal else peer
    uplink = np.array([0.3, 0.6, 0.05, 0.9])
    return Network(uplink * factor, peer * factor, reciprocal)


def erasures(network):
    """Asked probabilities, [links]; both directions of a reciprocal pair are one link."""
    clients = network.num_clients
    own = np.eye(clients, dtype=bool)
    matrix = np.where(own, network.uplink_erasure[:, None], network.peer_erasure)
    used = np.tril(np.ones_like(own)) if network.reciprocal else np.ones_like(own)
    return matrix[used], used


def standardised(delivered, network):
    """Drawn links as numbers of mean 0 and variance 1, [trials, attempts, links]."""
    p, used = erasures(network)
    return (p - 1 + delivered[:, :, used]) / np.sqrt(p * (1 - p))


def link_p_values(delivered, network):
    """Every link's rate, independence of links, of attempts and of neighbouring trials.

    Args:
      delivered: bool [trials, attempts, clients, clients], the uplinks on the diagonal.
    """
    x = standardised(delivered, network)
    trials, attempts, links = x.shape
    assert trials >= 10_000, "too few trials for normal approximations"
    flat = x.reshape(trials, attempts * links)
    scale = np.sqrt(trials)
    p_values = {"rates": chi_square_p_value((flat.sum(axis=0) / scale) ** 2)}
    for a in range(attempts):
        p_values[f"rates, attempt {a}"] = chi_square_p_value((x[:, a].sum(axis=0) / scale) ** 2)
    products = flat.T @ flat / scale
    upper = np.triu_indices(attempts * links, 1)  # pairs of links and of attempts
    p_values["pairs"] = chi_square_p_value(products[upper] ** 2)
    if attempts == 2:
        same_link = np.diagonal(products[:links, links:])
        p_values["the same link in two attempts"] = chi_square_p_value(same_link**2)
    for lag in (1, 2):
        products = flat[lag:].T @ flat[:-lag] / np.sqrt(trials - lag)
        p_values[f"trials {lag} apart"] = chi_square_p_value(products**2)
    # Everything of one trial at once: the parity of all its links.
    parity = np.prod(1 - 2 * delivered[:, :, erasures(network)[1]], axis=(1, 2))
    mean = np.prod(2 * erasures(network)[0] - 1) ** attempts
    parity_scale = np.sqrt(trials * (1 - mean**2))
    p_values["parity"] = chi_square_p_value([((parity - mean).sum() / parity_scale) ** 2])
    return p_values


def one_by_one(network, seed=0):
    """Trials from keys of their own."""

    @jax.jit
    def draw(keys):
        return jax.vmap(lambda key: draw_links(key, network, ATTEMPTS))(keys)

    links = draw(jax.random.split(jax.random.key(seed), TRIALS))
    own = np.eye(CLIENTS, dtype=bool)
    return np.where(own, np.asarray(links.uplink_delivered)[..., None], links.peer_delivered)


def by_the_block(network, seed=0):
    """Trials from counters under one key; the uplinks and the peers from a draw each, in which
    the others never fail, so that every link is seen."""

    @jax.jit
    def draw(key, thresholds):
        code = jnp.ones((ATTEMPTS, CLIENTS, CLIENTS), jnp.uint32)
        pairs = gram_terms(code, 2**31 - 1).pairs
        trials = jnp.arange(TRIALS, dtype=jnp.uint32)
        law, kind = by_offset(LinkLaw(thresholds), ATTEMPTS), LinkKind(network.reciprocal)
        return draw_rows(streams(key), law, trials, pairs, ATTEMPTS, kind)[0]

    key, own = jax.random.key(seed), np.eye(CLIENTS, dtype=bool)
    peers, uplinks = (
        np.asarray(draw(key, type(words)(*(np.where(certain, 0, word) for word in words))))
        for words in [link_thresholds(network)]
        for certain in (own, ~own)
    )
    offsets = (np.arange(CLIENTS) - np.arange(CLIENTS)[:, None]) % CLIENTS
    rows = np.where(own[..., None], uplinks[:, :, None], peers[:, :, None])
    return np.moveaxis((rows >> offsets[..., None] & 1).astype(bool), -1, 0)


DRAWS = {"one by one": one_by_one, "by the block": by_the_block}


@pytest.mark.slow
@pytest.mark.parametrize("reciprocal", [False, True])
@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_links_are_independent_and_as_likely_as_asked(draw, reciprocal):
    asked = network(reciprocal)
    delivered = draw(asked)
    assert delivered.shape == (TRIALS, ATTEMPTS, CLIENTS, CLIENTS)
    assert not surprises(link_p_values(delivered, asked))


@pytest.mark.slow
def test_biased_samplers_are_rejected():
    """The very check of the test above, on samplers that are wrong in one way each."""
    right = one_by_one(network())
    one_percent_off = one_by_one(network(factor=1.01))
    assert "rates" in surprises(link_p_values(one_percent_off, network()))
    fair = one_by_one(network(True))
    assert "pairs" not in surprises(link_p_values(fair, network(True)))
    assert "pairs" in surprises(link_p_values(fair, network()))  # reciprocal where it must not be
    repeated = right.copy()
    repeated[:, 1] = repeated[:, 0]
    assert "the same link in two attempts" in surprises(link_p_values(repeated, network()))
    stuck = right.copy()
    again = np.random.default_rng(0).uniform(size=TRIALS - 1) < 0.05  # 5 % repeat the last trial
    stuck[1:][again] = right[:-1][again]
    assert "trials 1 apart" in surprises(link_p_values(stuck, network()))
    too_regular = right[np.argsort(right[:, 0, 0, 0], kind="stable")]
    assert surprises(link_p_values(too_regular, network()))


def test_too_few_trials_are_refused():
    with pytest.raises(AssertionError, match="too few"):
        link_p_values(one_by_one(network())[:1000], network())
