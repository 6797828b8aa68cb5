"""How uneven partial averages are, against sums over all subsets and a graph's components."""

from itertools import product

import jax
import numpy as np
import pytest

from jaxcogc import GradientCode, Network, cyclic_code, draw_links, uncoded
from jaxcogc.federated.convergence.partial_averages import (
    DrawnRounds,
    PartialLaw,
    check_theorem_applies,
    draw_rounds,
    mean_coefficients,
    partial_law,
    safe_rho,
    simulated_rho,
    uniform_rho,
)
from tests.federated.ring import average_of, draw_ring, place_at_random, ring_rounds

CODE = cyclic_code(jax.random.key(0), 4, 1)
DECODED = ("gc", "gc_plus", "row_space")
EQUAL = Network.homogeneous(4, uplink_erasure=0.3, peer_erasure=0.3)


@pytest.fixture(scope="module")
def drawn() -> dict[str, DrawnRounds]:
    return draw_rounds(jax.random.key(3), EQUAL, CODE, schemes=DECODED, num_trials=5000)


@pytest.mark.slow
def test_drawn_rounds_equal_the_graph(drawn) -> None:
    """The same links, trial by trial."""
    _, _, link_key = jax.random.split(jax.random.key(3), 3)
    batch_key = jax.random.fold_in(link_key, 0)

    def links_of(number):
        keys = jax.random.split(jax.random.fold_in(batch_key, number), 5)
        return draw_links(jax.random.fold_in(keys[0], 0), EQUAL, 1)

    links = jax.jit(jax.vmap(links_of))(np.arange(4096, dtype=np.uint32))
    index = np.arange(4)
    heard = np.asarray(links.peer_delivered)[:, 0, index, (index + 1) % 4]
    expected = ring_rounds(np.asarray(links.uplink_delivered)[:, 0], heard)
    found = drawn["gc_plus"]
    np.testing.assert_array_equal(found.exact[:4096], expected.exact)
    np.testing.assert_array_equal(found.hold[:4096], expected.hold)
    np.testing.assert_allclose(found.weights[:4096], expected.weights, atol=1e-7)
    assert len(found.exact) == 5000


@pytest.mark.slow
def test_schemes_of_the_same_links(drawn) -> None:
    """Standard decoding is never partial; row-space decoding is exact whenever GC+ is."""
    gc, plus, row_space = (drawn[name] for name in DECODED)
    assert (plus.exact >= gc.exact).all()
    assert (row_space.exact >= plus.exact).all()
    np.testing.assert_array_equal(row_space.hold, plus.hold)
    law = partial_law(gc)
    assert law.partial_pmf.sum() == 0
    assert law.exact + law.held == pytest.approx(1)
    assert uniform_rho(law) == safe_rho(law) == simulated_rho(gc) == 0


@pytest.mark.slow
def test_law_adds_to_one(drawn) -> None:
    law = partial_law(drawn["gc_plus"])
    assert law.exact + law.partial_pmf.sum() + law.held == pytest.approx(1)
    assert law.partial_pmf[0] == law.partial_pmf[4] == 0


def all_subsets(num_clients: int, erasure: float) -> tuple[PartialLaw, np.ndarray]:
    """Uncoded: everybody's update arrives or not. The law, and E[u u^T | not held]."""
    law = PartialLaw(0.0, np.zeros(num_clients + 1), 0.0)
    second = np.zeros((num_clients, num_clients))
    exact = held = 0.0
    for arrived in product([False, True], repeat=num_clients):
        n = sum(arrived)
        probability = (1 - erasure) ** n * erasure ** (num_clients - n)
        if n == 0:
            held += probability
        elif n == num_clients:
            exact += probability
        else:
            law.partial_pmf[n] += probability
            u = np.array(arrived) / n - 1 / num_clients
            second += probability * np.outer(u, u)
    return law._replace(exact=exact, held=held), second / (1 - held)


def test_uniform_rho_is_the_largest_eigenvalue_over_all_subsets() -> None:
    law, second = all_subsets(5, 0.4)
    rho = 5 * np.linalg.eigvalsh(second)[-1]
    assert uniform_rho(law) == pytest.approx(rho, rel=1e-12)
    assert safe_rho(law) >= rho


def test_simulated_rho_of_arrivals_is_the_uniform_one() -> None:
    arrived = np.random.default_rng(0).random((40_000, 5)) >= 0.4
    recovered = average_of(arrived.all(axis=1), arrived)
    law, _ = all_subsets(5, 0.4)
    assert simulated_rho(recovered) == pytest.approx(uniform_rho(law), rel=0.03)
    np.testing.assert_allclose(mean_coefficients(recovered), 0.2, atol=0.005)


@pytest.mark.parametrize(
    ("clients", "uplink", "peer", "ratio"),
    [(20, 0.1, 0.1, 3.0), (100, 0.005, 0.03, 15.6)],
)
def test_recovered_clients_cluster_on_the_ring(clients, uplink, peer, ratio) -> None:
    """A fixed cyclic code: rho far above the uniform formula, below the safe one; random places
    repair it.
    """
    recovered = draw_ring(0, clients, uplink, peer, 20_000)
    law = partial_law(recovered)
    rho = simulated_rho(recovered)
    assert rho / uniform_rho(law) == pytest.approx(ratio, rel=0.05)
    assert rho <= safe_rho(law)
    np.testing.assert_allclose(mean_coefficients(recovered) * clients, 1, atol=0.02)
    placed = place_at_random(0, recovered)
    assert partial_law(placed).partial_pmf.tolist() == law.partial_pmf.tolist()
    # Along one direction: the largest of 100 estimated eigenvalues is far above the true one.
    wave = np.sqrt(2 / clients) * np.cos(2 * np.pi * np.arange(clients) / clients)
    for rounds, expected in ((recovered, rho), (placed, uniform_rho(law))):
        along = rounds.weights[~rounds.hold] @ wave
        assert clients * (along**2).mean() == pytest.approx(expected, rel=0.25)


@pytest.mark.slow
def test_safe_rho_holds_for_a_decoded_code(drawn) -> None:
    plus = drawn["gc_plus"]
    law = partial_law(plus)
    assert uniform_rho(law) < simulated_rho(plus) <= safe_rho(law)


def test_where_the_theorem_does_not_apply() -> None:
    unequal = Network(np.array([0.1, 0.2, 0.1, 0.1]), EQUAL.peer_erasure)
    custom = GradientCode.from_matrix(np.eye(4))
    dead = Network.homogeneous(4, uplink_erasure=0.3, peer_erasure=1.0)
    check_theorem_applies(EQUAL, CODE, form="safe")
    check_theorem_applies(EQUAL, CODE, form="simulated")
    check_theorem_applies(EQUAL, CODE, form="uniform", placement="random")
    check_theorem_applies(EQUAL, custom, form="uniform", placement="random")
    check_theorem_applies(EQUAL, uncoded(4), form="uniform")
    check_theorem_applies(dead, CODE, form="uniform")
    check_theorem_applies(EQUAL, cyclic_code(jax.random.key(0), 4, 3), form="uniform")
    for network, code, form, named in (
        (unequal, CODE, "safe", "unequal links"),
        (EQUAL, CODE, "uniform", r"cluster on the ring; allowed are safe, simulated"),
        (EQUAL, custom, "simulated", "'custom' may favour clients"),
        (EQUAL, CODE, "exact", r"rho = 'exact': allowed are uniform, safe, simulated"),
    ):
        with pytest.raises(ValueError, match=named):
            check_theorem_applies(network, code, form=form)
    with pytest.raises(ValueError, match="unequal links"):
        check_theorem_applies(unequal, CODE, form="simulated", placement="random")
    with pytest.raises(ValueError, match="placement = 'ring'"):
        check_theorem_applies(EQUAL, CODE, form="safe", placement="ring")


def test_nothing_but_held_rounds() -> None:
    nothing = DrawnRounds(np.zeros((3, 4)), np.ones(3, bool), np.zeros(3, bool))
    with pytest.raises(ValueError, match="all 3 rounds were held"):
        mean_coefficients(nothing)
    with pytest.raises(ValueError, match="every round is held"):
        uniform_rho(partial_law(nothing))
    with pytest.raises(ValueError, match="scheme 'gcplus': allowed are ideal"):
        draw_rounds(jax.random.key(0), EQUAL, CODE, schemes=("gcplus",), num_trials=1)
