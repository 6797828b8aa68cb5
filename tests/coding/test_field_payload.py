"""Payloads over a field: encoded, lost and decoded without rounding, against Python's integers."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc import Network, cyclic_code, cyclic_mds_code, draw_links, recover
from jaxcogc.coding.field_payload import field_weights, sum_over_field
from jaxcogc.links.draws import Links

KEY = jax.random.key(8)
NETWORK = Network.homogeneous(5, uplink_erasure=0.4, peer_erasure=0.3)
CODES = {"cyclic": cyclic_code(KEY, 5, 2), "cyclic-mds": cyclic_mds_code(5, 2)}


@pytest.mark.slow
@pytest.mark.parametrize("family", CODES)
def test_what_is_decoded_is_the_sum_wherever_it_can_be(family):
    """For the Mersenne prime, and for another one, whose products are Montgomery's."""
    code = CODES[family]
    q = code.modulus
    generator = np.random.default_rng(0)
    residues = generator.integers(0, q, (5, 30)).astype(np.uint32)
    whole = np.array([int(x) % q for x in residues.astype(object).sum(axis=0)])
    number = 64
    links = jax.vmap(lambda n: draw_links(jax.random.fold_in(KEY, n), NETWORK, 2))(
        jnp.arange(number)
    )
    found = jax.vmap(recover, (None, None, 0))(KEY, code, links)
    for complete, decodable in ((False, found.sum_recovered), (True, found.gc)):
        weights = jax.vmap(lambda x, c=complete: field_weights(code, x, complete=c))(links)
        np.testing.assert_array_equal(np.any(np.asarray(weights) != 0, axis=1), decodable)
        decode = jax.vmap(lambda one, w: sum_over_field(code, one, w, residues))
        sums = np.asarray(decode(links, weights))
        for good, total in zip(np.asarray(decodable), sums, strict=True):
            np.testing.assert_array_equal(total, whole if good else 0)
        assert 0 < np.sum(decodable) < number


def test_rows_behind_masks_over_a_field_tell_the_sum_alone():
    """All masks of a small field: the law of what is received depends on the sum at most."""
    q, clients = 5, 3
    masks = [z for z in itertools.product(range(q), repeat=clients) if sum(z) % q == 0]
    for rows in ([[1, 1, 0], [0, 1, 2]], [[1, 2, 0]], [[1, 0, 0], [0, 1, 1]]):
        laws: dict[int, set[tuple[tuple[int, ...], ...]]] = {}
        for updates in itertools.product(range(q), repeat=clients):
            worn = (np.array(updates) + masks) % q @ np.array(rows).T % q
            views = tuple(sorted(map(tuple, worn.tolist())))
            laws.setdefault(sum(updates) % q, set()).add(views)
        assert all(len(laws_of_sum) == 1 for laws_of_sum in laws.values())
        spans = any(
            np.array_equal(np.array(w) @ rows % q, np.ones(clients))
            for w in itertools.product(range(q), repeat=len(rows))
        )
        assert len({law for found in laws.values() for law in found}) == (q if spans else 1)


def test_links_of_another_size_are_refused():
    links = Links(jnp.ones((1, 4), bool), jnp.ones((1, 4, 4), bool))
    with pytest.raises(ValueError, match="as the code has 5 clients"):
        field_weights(CODES["cyclic"], links)
