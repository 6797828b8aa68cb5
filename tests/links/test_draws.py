"""Who heard whom: the realised probabilities, the numbering of the words, ties, and symmetry."""

import itertools
from fractions import Fraction
from functools import partial

import jax
import numpy as np
import pytest

from jaxcogc.coding.exact.gram import gram_terms
from jaxcogc.links.draws import draw_links, streams
from jaxcogc.links.network import Network
from jaxcogc.links.packed_draws import by_offset, draw_rows
from jaxcogc.links.thresholds import LinkKind, LinkLaw, LinkThresholds, link_thresholds
from tests.links.words import delivered, uniform_words, unpack
from tests.quick import quick_jit

ONES = 2**32 - 1
EXACT = Fraction(1, 2**64)  # how far a realised probability may be off


@partial(quick_jit, static_argnums=(3, 4))
def _draw(seeds, uplink, peer, num_attempts, reciprocal):
    def one(seed, uplink, peer):
        return draw_links(jax.random.key(seed), Network(uplink, peer, reciprocal), num_attempts)

    return jax.vmap(one)(seeds, uplink, peer)


def draw(networks, seeds, num_attempts=1):
    """Trials, a network and a seed each: bool [trials, attempts, clients, clients].

    The uplinks stand on the diagonal. The networks are traced, in 64-bit mode so that they keep
    their probabilities: one program serves all of a size.
    """
    uplink = np.stack([network.uplink_erasure for network in networks])
    peer = np.stack([network.peer_erasure for network in networks])
    with jax.enable_x64(True):
        seeds = np.asarray(seeds, np.uint32)
        return delivered(_draw(seeds, uplink, peer, num_attempts, networks[0].reciprocal))


@partial(quick_jit, static_argnums=(4, 5))
def _rows(key, thresholds, trials, code, num_attempts, reciprocal):
    pairs = gram_terms(code, 2**31 - 1).pairs
    law = by_offset(LinkLaw(thresholds), num_attempts)
    kind = LinkKind(reciprocal=reciprocal)
    return draw_rows(streams(key), law, trials, pairs, num_attempts, kind)


def all_rows(key, network, trials, num_attempts=1, code=None):
    """`draw_rows` of given trials, for a code that needs all links unless one is given."""
    clients = network.num_clients
    code = np.ones((num_attempts, clients, clients), np.uint32) if code is None else code
    trials = np.asarray(trials, np.uint32)
    return _rows(key, link_thresholds(network), trials, code, num_attempts, network.reciprocal)


def some_network(clients, reciprocal=False, seed=0, scale=1.0):
    source = np.random.default_rng(seed)
    peer = source.uniform(0.05, 0.95, (clients, clients)) * (1 - np.eye(clients))
    peer = np.tril(peer) + np.tril(peer).T if reciprocal else peer
    return Network(source.uniform(0.05, 0.95, clients) * scale, peer * scale, reciprocal)


# --- the realised probability -----------------------------------------------------------------


def realised(high, low):
    """Probability that two uniform words make an erasure: below the threshold, by either word."""
    second = Fraction(1) if int(low) == ONES else Fraction(int(low), 2**32)
    return Fraction(int(high), 2**32) + second / 2**32


def wrong_probabilities(sampler, probabilities):
    """Those that a sampler (probability -> realised probability) does not hit."""
    return [p for p in probabilities if abs(sampler(p) - Fraction(p)) > EXACT]


def ours(p):
    thresholds = link_thresholds(Network.homogeneous(2, uplink_erasure=p, peer_erasure=p))
    assert all(word.dtype == np.uint32 for word in thresholds)
    assert len({word.tobytes() for word in np.transpose(thresholds).reshape(-1, 2)}) == 1
    return realised(thresholds.high[0, 0], thresholds.low[0, 1])


HARD = [0.0, 1.0, 1e-8, 2.0**-40, 1e-12, 2.0**-63, 1e-19, 1 - 2.0**-53, 0.5, 1 / 3, 0.25]


def test_realised_probabilities_are_the_asked_ones():
    drawn = np.random.default_rng(0)
    ordinary = [*drawn.uniform(0, 1, 200), *10.0 ** drawn.uniform(-25, 0, 200)]
    assert wrong_probabilities(ours, [*HARD, *ordinary]) == []
    assert ours(0.0) == 0
    assert ours(1.0) == 1
    assert ours(1 - 2.0**-53) < 1


def test_samplers_on_a_coarse_grid_are_rejected():
    float32_draw = lambda p: Fraction(int(np.ceil(np.float32(p) * 2**23)), 2**23)  # noqa: E731
    one_word = lambda p: Fraction(int(p * 2**32), 2**32)  # noqa: E731
    percent_off = lambda p: Fraction(p) * Fraction(101, 100)  # noqa: E731
    no_certainty = lambda p: min(ours(p), 1 - EXACT * 2)  # noqa: E731
    assert float32_draw(1e-8) > 11 * Fraction(1e-8)
    assert {1e-8, 2.0**-40, 1 / 3} <= set(wrong_probabilities(float32_draw, HARD))
    assert {1e-8, 2.0**-40, 1 - 2.0**-53} <= set(wrong_probabilities(one_word, HARD))
    assert {1e-8, 2.0**-40, 0.5} <= set(wrong_probabilities(percent_off, HARD))
    assert wrong_probabilities(no_certainty, HARD) == [1.0]


def test_thresholds_by_receiver_and_sender():
    network = some_network(3)
    high, low = link_thresholds(network)
    for m in range(3):
        for k in range(3):
            p = network.uplink_erasure[m] if m == k else network.peer_erasure[m, k]
            assert abs(realised(high[m, k], low[m, k]) - Fraction(float(p))) <= EXACT


# --- which words belong to which link ---------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("clients", "reciprocal"),
    [(1, False), (2, True), *itertools.product((3, 10, 33), (False, True)), (40, False)],
)
def test_one_trial_and_many_use_the_words_of_the_format(clients, reciprocal):
    """`draw_links`, and trial 0 of `draw_rows`, against words rebuilt one by one."""
    network, key = some_network(clients, reciprocal, scale=0.8), jax.random.key(clients)
    high, _ = link_thresholds(network)
    first, _ = uniform_words(key, clients, 2, reciprocal=reciprocal)
    assert (first != high).all()  # no tie, so the first word decides
    expected = first >= high
    links = jax.jit(lambda key: draw_links(key, network, 2))(key)
    np.testing.assert_array_equal(delivered(links), expected)
    assert links.peer_delivered[:, np.arange(clients), np.arange(clients)].all()
    rows = all_rows(key, network, [0], 2)
    assert rows.shape == ((clients + 31) // 32, 2, clients, 1)
    uplinks = np.diagonal(expected, axis1=1, axis2=2)[..., None]
    np.testing.assert_array_equal(unpack(rows)[..., 0], expected & uplinks)


def compare_with_ties(draw):
    """Compare a draw (key, thresholds, trial) with 64-bit integers at thresholds around the words.

    Every first word ties with its threshold; the second is below, equal or above. Returns how
    many links differ from the exact comparison.
    """
    clients, attempts, wrong = 4, 2, 0
    for seed in range(4):
        key = jax.random.key(seed)
        first, second = uniform_words(key, clients, attempts)
        for attempt in range(attempts):
            value = first[attempt].astype(object) * 2**32 + second[attempt]
            for shift in (-(2**20), -1, 0, 1, 2**20):
                low = np.clip(second[attempt].astype(np.int64) + shift, 0, ONES)
                threshold = first[attempt].astype(object) * 2**32 + low
                words = LinkThresholds(first[attempt], low.astype(np.uint32))
                found = draw(key, words, attempts)[attempt]
                wrong += int((found != (value >= threshold)).sum())
    return wrong


def rows_with_thresholds(change=lambda words: words):
    """Uplinks certain in one draw and peers certain in the other, so that all bits are seen."""

    def draw_tied(key, words, attempts):
        clients = len(words.high)
        own = np.eye(clients, dtype=bool)
        code = np.ones((attempts, clients, clients), np.uint32)
        bits = []
        for certain in (own, ~own):
            seen = LinkThresholds(*(np.where(certain, 0, word) for word in change(words)))
            rows = _rows(key, seen, np.zeros(1, np.uint32), code, attempts, False)
            bits.append(unpack(rows)[..., 0])
        return np.where(own, bits[1], bits[0])

    return draw_tied


@pytest.mark.slow
def test_ties_are_decided_by_the_second_word():
    assert compare_with_ties(rows_with_thresholds()) == 0


@pytest.mark.slow
def test_ties_decided_in_another_way_are_rejected():
    never = rows_with_thresholds(lambda words: words._replace(low=np.zeros_like(words.low)))
    always = rows_with_thresholds(lambda words: words._replace(low=np.full_like(words.low, ONES)))
    assert compare_with_ties(never) > 0
    assert compare_with_ties(always) > 0


def test_ties_in_the_draw_of_one_trial():
    """Probabilities whose first word is the drawn one, second words just below and above."""
    for seed in range(8):
        words = uniform_words(jax.random.key(seed), 3, 1)
        first, second = (word[0].astype(object) for word in words)
        # A float64 number has 53 bits: of the second word, so many are left.
        grid = np.vectorize(lambda w: 2 ** max(0, int(w).bit_length() - 21))(first)
        below = second // grid * grid
        for low, expected in ((below, True), (below + grid, False)):
            exact = np.vectorize(lambda v: Fraction(int(v), 2**64))(first * 2**32 + low)
            p = exact.astype(float)
            assert (np.vectorize(Fraction)(p) == exact).all()
            uplink, peer = np.diagonal(p), p * (1 - np.eye(3))
            assert (draw([Network(uplink, peer)], [seed]) == expected).all()


@pytest.mark.slow
def test_any_part_of_the_trials_can_be_drawn_alone():
    network, key = some_network(5, scale=0.5), jax.random.key(7)
    whole = np.asarray(all_rows(key, network, np.arange(256), 2))
    for part in (np.arange(64), np.arange(192, 256), np.arange(256)[::-4]):
        np.testing.assert_array_equal(all_rows(key, network, part, 2), whole[..., part])
    assert len({whole[..., t].tobytes() for t in range(256)}) > 250
    three = np.asarray(all_rows(key, network, np.arange(256), 3))
    np.testing.assert_array_equal(whole, three[:, :2])
    # Skipped words change no others.
    for offsets in ([0], [0, 1], [0, 3], [0, 1, 2], [0, 4]):
        code = np.zeros((2, 5, 5), np.uint32)
        mask = 0
        for offset in offsets:
            code[:, np.arange(5), (np.arange(5) + offset) % 5] = 1
            mask |= 1 << offset
        some = np.asarray(all_rows(key, network, np.arange(256), 2, code))
        np.testing.assert_array_equal(some & mask, whole & mask)


@pytest.mark.parametrize("reciprocal", [False, True])
def test_links_are_monotone_in_every_probability(reciprocal):
    """Common random numbers: raising probabilities only ever erases more."""
    scales = [0.0, 0.2, 0.5, 0.500001, 1.0]
    networks = [some_network(7, reciprocal, 1, scale) for scale in scales]
    draws = [draw([network] * 50, range(50), 3) for network in networks]
    for less, more in itertools.pairwise(draws):
        assert (more <= less).all()
    assert draws[0].all()
    assert not draws[-1].all()
    assert (draws[-1][:, 0] != draws[-1][:, 1]).any()
    # Both directions of a pair are one draw exactly when they are meant to be.
    assert (draws[-1] == draws[-1].swapaxes(2, 3)).all() == reciprocal
    one = draw(networks[-1:] * 50, range(50))
    np.testing.assert_array_equal(one[:, 0], draws[-1][:, 0])


@pytest.mark.parametrize(("clients", "attempts"), [(1025, 1), (3, 0), (3, 4097), (3, 1.5)])
def test_sizes_without_room_for_their_words_are_refused(clients, attempts):
    network = Network.homogeneous(clients, uplink_erasure=0.1, peer_erasure=0.1)
    name = "num_clients" if clients > 1024 else "num_attempts"
    with pytest.raises(ValueError, match=rf"^{name} = .*must "):
        draw_links(jax.random.key(0), network, attempts)
