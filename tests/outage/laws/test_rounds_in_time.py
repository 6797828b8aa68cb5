"""Laws of links with memory, blocked clients and clients that keep what they heard."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.coding.codes import cyclic_code, fractional_repetition_code, uncoded
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.outage.laws import rows_in_time
from jaxcogc.outage.laws.closed_form import closed_form, successive_rounds
from jaxcogc.outage.laws.rounds_in_time import Round, row_links
from jaxcogc.outage.laws.rows_in_time import steps_of

KEY = jax.random.key(3)
HARD = LinkDynamics(memory=0.6, round_memory=0.9)
SOFT = LinkDynamics(memory=0.5, round_memory=0.7, good_erasure=0.05, bad_erasure=0.95)


def some_network(clients: int, seed: int = 0) -> Network:
    source = np.random.default_rng(seed)
    peer = source.uniform(0.1, 0.9, (clients, clients)) * (1 - np.eye(clients))
    return Network(source.uniform(0.1, 0.9, clients), peer)


def patterns_of_a_link(mean: float, dynamics: LinkDynamics, between: list[float]) -> dict:
    """P(delivered, ..) of every pattern over attempts, state by state; `between`: correlations."""
    good, bad = dynamics.good_erasure, dynamics.bad_erasure
    stationary = np.array([1 - (mean - good) / (bad - good), (mean - good) / (bad - good)])
    erased = np.array([good, bad])
    law = {}
    for pattern in itertools.product((False, True), repeat=len(between) + 1):
        state = stationary
        for step, delivered in enumerate(pattern):
            if step:
                keep = between[step - 1]
                state = state @ (keep * np.eye(2) + (1 - keep) * np.outer(np.ones(2), stationary))
            state = state * (1 - erased if delivered else erased)
        law[pattern] = state.sum()
    return law


def rows_by_patterns(
    network: Network, stragglers: int, dynamics: LinkDynamics, between: list[float], *, keep=False
) -> list[dict]:
    """For each client the law of "a complete row arrives" over the attempts."""
    clients, rows = network.num_clients, []
    for m in range(clients):
        means = [network.uplink_erasure[m]]
        means += [network.peer_erasure[m, (m + i) % clients] for i in range(1, stragglers + 1)]
        laws = [patterns_of_a_link(mean, dynamics, between) for mean in means]
        row: dict = {}
        for chosen in itertools.product(*(law.items() for law in laws)):
            chance = np.prod([p for _, p in chosen])
            uplink, *peers = (np.array(pattern) for pattern, _ in chosen)
            if keep:
                peers = [np.logical_or.accumulate(peer) for peer in peers]
            complete = tuple(np.logical_and.reduce([uplink, *peers]).tolist())
            row[complete] = row.get(complete, 0.0) + chance
        rows.append(row)
    return rows


def number_law(chances: list[float]) -> np.ndarray:
    law = np.array([1.0])
    for chance in chances:
        law = np.convolve(law, [1 - chance, chance])
    return law


def outage_by_patterns(network, stragglers, dynamics, attempts, **options) -> float:
    between = [dynamics.memory] * (attempts - 1)
    rows = rows_by_patterns(network, stragglers, dynamics, between, **options)
    some = [sum(p for complete, p in row.items() if any(complete)) for row in rows]
    return number_law(some)[: network.num_clients - stragglers].sum()


@pytest.mark.slow
@pytest.mark.parametrize("dynamics", [HARD, SOFT], ids=["hard", "soft"])
@pytest.mark.parametrize(("clients", "stragglers", "attempts"), [(3, 1, 3), (4, 2, 2)])
def test_every_pattern_of_every_link(clients, stragglers, attempts, dynamics) -> None:
    network, code = some_network(clients, attempts), cyclic_code(KEY, clients, stragglers)
    expected = outage_by_patterns(network, stragglers, dynamics, attempts)
    law = closed_form(network, code, num_attempts=attempts, dynamics=dynamics)
    assert law.gc_outage == pytest.approx(expected, abs=1e-14)
    other = LinkDynamics(
        memory=0.4, good_erasure=dynamics.good_erasure, bad_erasure=dynamics.bad_erasure
    )
    assert abs(outage_by_patterns(network, stragglers, other, attempts) - expected) > 1e-4
    kept = closed_form(network, code, num_attempts=attempts, dynamics=dynamics, keep_heard=True)
    expected = outage_by_patterns(network, stragglers, dynamics, attempts, keep=True)
    assert kept.gc_outage == pytest.approx(expected, abs=1e-14)
    assert kept.gc_outage < law.gc_outage


@pytest.mark.slow
@pytest.mark.parametrize("dynamics", [HARD, SOFT], ids=["hard", "soft"])
def test_three_ways_to_the_same_row(dynamics) -> None:
    """By joint states, by renewal, by sets of attempts."""
    network, steps = some_network(5, 8), steps_of(3, gap=2)
    with jax.enable_x64(True):
        links = row_links(network, dynamics, Round(5, "cyclic", 3, 3, dynamics.hard))
        signs = jnp.array([(-1.0) ** bin(number).count("1") for number in range(2**6)])
        ways = [
            rows_in_time._by_states(links, links.delivers, steps),
            signs @ rows_in_time.together(links, links.delivers, steps),
        ]
        if dynamics.hard:
            ways.append(rows_in_time._by_renewal(links, steps))
        for way in ways[1:]:
            np.testing.assert_allclose(way, ways[0], rtol=0, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("dynamics", [HARD, SOFT], ids=["hard", "soft"])
def test_two_rounds(dynamics) -> None:
    network, clients, stragglers = some_network(3, 4), 3, 1
    for gap in (1, 2):
        over = [dynamics.memory] * 1
        between = dynamics.round_memory**gap * dynamics.memory ** (gap - 1)
        rows = rows_by_patterns(network, stragglers, dynamics, [*over, between, *over])
        law = np.zeros((clients + 1, clients + 1))
        law[0, 0] = 1.0
        for row in rows:
            new = np.zeros_like(law)
            for complete, chance in row.items():
                first, second = any(complete[:2]), any(complete[2:])
                shifted = np.roll(np.roll(law, first, 0), second, 1)
                new += chance * shifted
            law = new
        few = clients - stragglers
        both = law[:few, :few].sum()
        outage = law[:few].sum()
        found = successive_rounds(
            network, cyclic_code(KEY, 3, 1), num_attempts=2, dynamics=dynamics, gap=gap
        )
        assert found.both_fail == pytest.approx(both, abs=1e-14)
        correlation = (both - outage**2) / (outage * (1 - outage))
        assert found.failure_correlation == pytest.approx(correlation, abs=1e-12)
        if gap == 1:
            assert found.mean_hold_run == pytest.approx(outage / (outage - both), rel=1e-12)


@pytest.mark.slow
def test_without_memory_the_laws_of_independent_links_hold() -> None:
    network = some_network(6, 1)
    for code in (cyclic_code(KEY, 6, 3), uncoded(6), fractional_repetition_code(6, 2)):
        plain = closed_form(network, code, num_attempts=2).gc_outage
        same = closed_form(network, code, num_attempts=2, dynamics=LinkDynamics()).gc_outage
        assert same == pytest.approx(plain, abs=1e-14)
        fading = closed_form(network, code, num_attempts=3, dynamics=LinkDynamics(memory=1.0))
        once = closed_form(network, code).gc_outage
        assert fading.gc_outage == pytest.approx(once, abs=1e-14)
        alone = closed_form(network, code, dynamics=LinkDynamics(memory=0.7)).gc_outage
        assert alone == pytest.approx(once, abs=1e-14)
        found = successive_rounds(network, code, dynamics=LinkDynamics(), num_attempts=2)
        assert found.failure_correlation == pytest.approx(0.0, abs=1e-12)
        assert found.mean_hold_run == pytest.approx(1 / (1 - plain), rel=1e-12)
    network = some_network(4, 1)
    code = cyclic_code(KEY, 4, 1)
    for plain, same in zip(
        closed_form(network, code, num_attempts=3),
        closed_form(network, code, num_attempts=3, dynamics=LinkDynamics()),
        strict=True,
    ):
        np.testing.assert_allclose(same, plain, rtol=0, atol=1e-14)


def test_memory_eats_the_gain_of_a_second_attempt() -> None:
    network = Network.homogeneous(10, uplink_erasure=0.4, peer_erasure=0.25)
    code = cyclic_code(KEY, 10, 7)
    laws = [
        closed_form(network, code, num_attempts=2, dynamics=LinkDynamics(memory=memory)).gc_outage
        for memory in (0, 0.3, 0.6, 0.9, 1)
    ]
    np.testing.assert_allclose(laws, [0.8103, 0.8326, 0.8738, 0.9369, 0.9598], atol=5e-5)


@pytest.mark.slow
def test_all_blocked_sets_one_by_one() -> None:
    for clients, stragglers in ((1, 0), (4, 0), (5, 2), (6, 4), (4, 3)):
        network = some_network(clients, stragglers)
        blocked = np.random.default_rng(5).uniform(0, 0.5, clients)
        expected = 0.0
        own = np.arange(clients)
        rows = (own[:, None] + np.arange(stragglers + 1)) % clients
        kappa = 1 - network.uplink_erasure
        for i in range(1, stragglers + 1):
            kappa = kappa * (1 - network.peer_erasure[own, (own + i) % clients])
        for who in itertools.product((False, True), repeat=clients):
            chance = np.prod(np.where(who, blocked, 1 - blocked))
            free = ~np.array(who)[rows].any(axis=1)
            expected += chance * number_law(kappa * free)[: clients - stragglers].sum()
        dynamics = LinkDynamics(block_probability=blocked)
        code = cyclic_code(KEY, clients, stragglers) if stragglers else uncoded(clients)
        law = closed_form(network, code, dynamics=dynamics)
        assert law.gc_outage == pytest.approx(expected, abs=1e-14)
        assert law.gc_outage >= 1 - np.prod(1 - blocked)
        assert law.client_recovered is None
    certain = LinkDynamics(block_probability=[0, 1, 0, 0])
    network = Network.homogeneous(4, uplink_erasure=0.0, peer_erasure=0.0)
    for code in (cyclic_code(KEY, 4, 2), fractional_repetition_code(4, 1), uncoded(4)):
        assert closed_form(network, code, dynamics=certain).gc_outage == 1.0


@pytest.mark.slow
def test_slopes_are_finite_differences() -> None:
    code, step = cyclic_code(KEY, 4, 2), 1e-6

    def outage(uplink, peer, memory):
        dynamics = LinkDynamics(memory=memory, block_probability=0.1)
        network = Network.homogeneous(4, uplink_erasure=uplink, peer_erasure=peer)
        return closed_form(network, code, num_attempts=2, dynamics=dynamics).gc_outage

    with jax.enable_x64(True):
        slopes = jax.grad(outage, argnums=(0, 1, 2))(0.3, 0.2, 0.5)
    at = np.array([0.3, 0.2, 0.5])
    for place, slope in enumerate(slopes):
        move = step * (np.arange(3) == place)
        expected = (outage(*(at + move)) - outage(*(at - move))) / (2 * step)
        assert slope == pytest.approx(expected, rel=1e-6)


def test_where_no_law_is_known() -> None:
    network, code = some_network(6, 1), cyclic_code(KEY, 6, 2)
    assert closed_form(network, code, num_attempts=2, redraw_code=True, keep_heard=True)[0] is None
    assert closed_form(network, code, num_attempts=3, redraw_code=True, dynamics=HARD)[0] is None
    blocked = LinkDynamics(block_probability=0.1)
    assert successive_rounds(network, code, dynamics=blocked) == (None, None, None)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"memory": 0.5, "burst_length": 2}, "allowed is one of them"),
        ({"memory": 1.5}, "memory = 1.5"),
        ({"memory": [0.1, 0.2]}, "memory has shape"),
        ({"burst_length": 0.5}, "burst_length = 0.5"),
        ({"good_erasure": 0.5, "bad_erasure": 0.4}, "good_erasure = 0.5"),
        ({"block_probability": [0.1, 1.2]}, r"block_probability\[1\] = 1.2"),
        ({"block_memory": -0.1}, "block_memory = -0.1"),
    ],
)
def test_wrong_dynamics_are_named(options, words) -> None:
    with pytest.raises(ValueError, match=words):
        LinkDynamics(**options)


def test_dynamics_that_do_not_fit_a_network_are_named() -> None:
    network, code = Network.homogeneous(3, uplink_erasure=0.5, peer_erasure=0.2), uncoded(3)
    with pytest.raises(ValueError, match=r"burst_length .* at least 2 attempts"):
        closed_form(network, code, dynamics=LinkDynamics(burst_length=1.5))
    with pytest.raises(ValueError, match=r"uplink_erasure\[0\] = 0.5: .* \[0, 0.4\]"):
        closed_form(network, code, dynamics=LinkDynamics(bad_erasure=0.4))
    with pytest.raises(ValueError, match=r"block_probability has shape \(2,\)"):
        closed_form(network, code, dynamics=LinkDynamics(block_probability=[0.1, 0.2]))
    still = Network.homogeneous(3, uplink_erasure=0.0, peer_erasure=1.0)
    assert closed_form(still, code, dynamics=LinkDynamics(burst_length=1)).gc_outage == 0.0
