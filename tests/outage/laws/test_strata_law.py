"""The joint law of incomplete and complete rows."""

import itertools
import json

import jax
import numpy as np
import pytest

from jaxcogc import LinkDynamics, Network, gc_outage_probability, strata_law
from jaxcogc.coding.codes import cyclic_code
from jaxcogc.outage.laws.closed_form import closed_form
from tests.outage.laws.test_rounds_in_time import patterns_of_a_link, some_network
from tests.places import SHARED


def by_patterns(
    network: Network, stragglers: int, attempts: int, dynamics: LinkDynamics
) -> np.ndarray:
    """All patterns of all links of a row, client by client."""
    clients = network.num_clients
    law = np.zeros((attempts * clients + 1, clients + 1))
    law[0, 0] = 1.0
    between = [dynamics.memory] * (attempts - 1)
    for m in range(clients):
        means = [network.uplink_erasure[m]]
        means += [network.peer_erasure[m, (m + i) % clients] for i in range(1, stragglers + 1)]
        links = [patterns_of_a_link(mean, dynamics, between) for mean in means]
        after = np.zeros_like(law)
        for chosen in itertools.product(*(link.items() for link in links)):
            chance = np.prod([p for _, p in chosen])
            heard, *peers = (np.array(pattern) for pattern, _ in chosen)
            covered = np.logical_and.reduce([np.ones(attempts, bool), *peers])
            i, there = int((heard & ~covered).sum()), int((heard & covered).any())
            for (j, n), p in np.ndenumerate(law):
                if p:
                    after[j + i, n + there] += p * chance
        law = after
    return law


@pytest.mark.skipif(not SHARED.exists(), reason="the reference values lie beside the project")
def test_the_law_of_an_independent_program() -> None:
    cases = json.loads((SHARED / "reference" / "extensions.json").read_text())["cases"]
    cases = [case for case in cases if case["topic"] == "G"]
    assert len(cases) == 2
    for case in cases:
        network = Network(case["uplink_erasure"], case["peer_erasure"])
        law = strata_law(network, case["stragglers"], case["attempts"])
        expected = np.array(case["expected"]["law_i_N"])
        np.testing.assert_allclose(law, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("clients", "stragglers", "attempts"), [(1, 0, 2), (3, 0, 2), (3, 2, 2), (4, 1, 1), (3, 1, 3)]
)
@pytest.mark.parametrize(
    "dynamics",
    [
        LinkDynamics(),
        LinkDynamics(memory=0.6),
        LinkDynamics(memory=1.0),
        LinkDynamics(memory=0.5, good_erasure=0.05, bad_erasure=0.95),
    ],
)
def test_the_law_is_that_of_all_patterns(
    clients: int, stragglers: int, attempts: int, dynamics: LinkDynamics
) -> None:
    network = some_network(clients, seed=clients + attempts)
    law = strata_law(network, stragglers, attempts, dynamics=dynamics)
    expected = by_patterns(network, stragglers, attempts, dynamics)
    np.testing.assert_allclose(law, expected, rtol=1e-11, atol=1e-14)


@pytest.mark.slow
def test_its_margins_are_known() -> None:
    network = Network.homogeneous(10, uplink_erasure=0.4, peer_erasure=0.25)
    law = strata_law(network, 7, 2)
    assert law.shape == (21, 11)
    assert law.sum() == pytest.approx(1.0, abs=1e-14)
    assert law[:, :3].sum() == pytest.approx(float(gc_outage_probability(network, 7, 2)), rel=1e-12)
    received = law @ np.ones(11) @ np.arange(21)
    assert received == pytest.approx(2 * 10 * 0.6 * (1 - 0.75**7), rel=1e-12)
    memory = LinkDynamics(memory=0.6)
    law = strata_law(network, 7, 2, dynamics=memory)
    code = cyclic_code(jax.random.key(0), 10, 7)
    outage = closed_form(network, code, num_attempts=2, dynamics=memory).gc_outage
    assert law[:, :3].sum() == pytest.approx(float(outage), rel=1e-12)
    assert law @ np.ones(11) @ np.arange(21) == pytest.approx(received, rel=1e-12)


def test_no_memory_is_the_law_of_independent_attempts() -> None:
    network = some_network(4)
    law = strata_law(network, 2, 3)
    for dynamics in (LinkDynamics(), LinkDynamics(good_erasure=0.05, bad_erasure=0.95)):
        np.testing.assert_array_equal(strata_law(network, 2, 3, dynamics=dynamics), law)
    once = strata_law(network, 2, dynamics=LinkDynamics(memory=0.9))
    np.testing.assert_array_equal(once, strata_law(network, 2))


def test_reciprocal_links_change_nothing_where_rows_are_independent() -> None:
    alike = {"uplink_erasure": 0.4, "peer_erasure": 0.25}
    tied = Network.homogeneous(5, **alike, reciprocal=True)
    law = strata_law(Network.homogeneous(5, **alike), 2, 2)
    np.testing.assert_array_equal(strata_law(tied, 2, 2), law)
    with pytest.raises(ValueError, match=r"reciprocal = True with num_stragglers = 3 of 5 clients"):
        strata_law(tied, 3, 2)


@pytest.mark.parametrize(
    ("dynamics", "line"),
    [
        (LinkDynamics(block_probability=0.1), "block_probability = 0.1 of client 0: allowed is 0"),
        (LinkDynamics(block_probability=[0, 0, 0.2]), "block_probability = 0.2 of client 2"),
        (LinkDynamics(good_erasure=0.6), r"uplink_erasure\[0\] = 0.5: allowed is a mean"),
    ],
)
def test_where_there_is_no_law(dynamics: LinkDynamics, line: str) -> None:
    network = Network.homogeneous(3, uplink_erasure=0.5, peer_erasure=0.5)
    with pytest.raises(ValueError, match=line):
        strata_law(network, 1, 2, dynamics=dynamics)


def test_wrong_counts_are_named() -> None:
    network = Network.homogeneous(3, uplink_erasure=0.5, peer_erasure=0.5)
    with pytest.raises(ValueError, match=r"num_stragglers = 3: allowed is an integer in 0\.\.2"):
        strata_law(network, 3)
    with pytest.raises(ValueError, match="num_attempts = 0: allowed is an integer of at least 1"):
        strata_law(network, 1, 0)
    with pytest.raises(ValueError, match="num_attempts = 9: allowed with memory is at most 8"):
        strata_law(network, 1, 9, dynamics=LinkDynamics(memory=0.5))
