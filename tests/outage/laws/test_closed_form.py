"""The laws of all decoders for one cyclic code with s = 1."""

import itertools
import json

import jax
import numpy as np
import pytest

from jaxcogc.coding.codes import cyclic_code, cyclic_mds_code, fractional_repetition_code, uncoded
from jaxcogc.links.network import Network
from jaxcogc.outage.enumeration import enumerate_outcomes
from jaxcogc.outage.laws.closed_form import ClosedForm, closed_form
from jaxcogc.outage.laws.gc_outage import gc_outage_probability
from tests.places import SHARED

KEY = jax.random.key(3)
BESIDE_GC = ("gc_plus_full", "gc_plus_none", "row_space_exact", "all_individuals")


def some_network(clients: int, seed: int = 0, *, reciprocal: bool = False) -> Network:
    source = np.random.default_rng(seed)
    peer = source.uniform(0.05, 0.9, (clients, clients)) * (1 - np.eye(clients))
    peer = np.tril(peer) + np.tril(peer).T if reciprocal else peer
    return Network(source.uniform(0.05, 0.9, clients), peer, reciprocal)


def by_row_states(network: Network, attempts: int, *, ring: bool = True) -> dict[str, object]:
    """Every combination of the clients' four row states, its components looked at one by one.

    ``ring = False`` forgets that the ring is closed, which is wrong.
    """
    clients = network.num_clients
    p = network.uplink_erasure
    kappa = (1 - p) * (
        1 - network.peer_erasure[np.arange(clients), (np.arange(clients) + 1) % clients]
    )
    nothing = p**attempts
    loop = (1 - kappa) ** attempts - nothing
    edge = (p + kappa) ** attempts - nothing
    chances = np.array([nothing, loop, edge, 1 - nothing - loop - edge])
    found = dict.fromkeys(BESIDE_GC, 0.0)
    recovered = np.zeros(clients)
    for states in itertools.product(range(4), repeat=clients):
        chance = np.prod(chances[states, np.arange(clients)])
        loops = [m for m in range(clients) if states[m] in (1, 3)]
        edges = [m for m in range(clients) if states[m] in (2, 3)]
        component = list(range(clients))
        for m in edges:
            if not ring and m == clients - 1:
                continue
            old, new = component[m], component[(m + 1) % clients]
            component = [new if c == old else c for c in component]
        known = {component[m] for m in loops}
        individuals = [m for m in range(clients) if component[m] in known]
        # The average needs every component known, or all clients in one tied by edges.
        whole = len(set(component)) == 1 and len(edges) >= clients - 1
        full = len(individuals) == clients or whole
        found["gc_plus_full"] += chance * full
        found["gc_plus_none"] += chance * (not full and not individuals)
        found["all_individuals"] += chance * (len(individuals) == clients)
        recovered[individuals] += chance
    found["row_space_exact"] = found["gc_plus_full"]
    return {**found, "client_recovered": recovered}


def differences(law: ClosedForm, expected: dict[str, object]) -> float:
    """The largest difference of all probabilities."""
    names = (*BESIDE_GC, "client_recovered")
    return max(np.abs(np.asarray(getattr(law, n)) - np.asarray(expected[n])).max() for n in names)


@pytest.mark.slow
@pytest.mark.parametrize(("clients", "attempts"), [(2, 1), (3, 2), (5, 1), (6, 3)])
def test_all_row_states_one_by_one(clients: int, attempts: int) -> None:
    network, code = some_network(clients, clients), cyclic_code(KEY, clients, 1)
    law = closed_form(network, code, num_attempts=attempts)
    assert differences(law, by_row_states(network, attempts)) < 1e-14
    assert law.gc_outage == gc_outage_probability(network, 1, attempts)
    if clients > 3:
        assert differences(law, by_row_states(network, attempts, ring=False)) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(("clients", "attempts"), [(2, 2), (4, 1), (3, 2)])
def test_all_patterns_of_links(clients: int, attempts: int) -> None:
    network, code = some_network(clients, 9), cyclic_code(KEY, clients, 1)
    law = closed_form(network, code, num_attempts=attempts)
    found = enumerate_outcomes(network, code, num_attempts=attempts)
    expected = {name: getattr(found, name).best for name in BESIDE_GC}
    expected["client_recovered"] = found.client_recovered
    assert differences(law, expected) < 1e-7  # as exact as the decisions of the enumeration


def test_certain_links() -> None:
    code = cyclic_code(KEY, 5, 1)
    perfect = Network.homogeneous(5, uplink_erasure=0.0, peer_erasure=0.0)
    law = closed_form(perfect, code)
    assert (law.gc_outage, law.gc_plus_full, law.all_individuals) == (0.0, 1.0, 0.0)
    np.testing.assert_array_equal(law.client_recovered, 0.0)
    alone = Network.homogeneous(5, uplink_erasure=0.25, peer_erasure=1.0)
    law = closed_form(alone, code)
    np.testing.assert_allclose(law.client_recovered, 0.75, rtol=1e-15)
    assert law.gc_plus_full == pytest.approx(0.75**5, rel=1e-14)
    assert law.gc_plus_none == pytest.approx(0.25**5, rel=1e-14)
    silent = Network.homogeneous(5, uplink_erasure=1.0, peer_erasure=0.0)
    assert closed_form(silent, code).gc_plus_none == 1.0


@pytest.mark.slow
def test_reciprocity_does_not_matter_where_no_row_needs_both_directions() -> None:
    one_way = some_network(4, 1, reciprocal=True)
    both_ways = Network(one_way.uplink_erasure, one_way.peer_erasure)
    code = cyclic_code(KEY, 4, 1)
    ours = closed_form(one_way, code, num_attempts=2)
    theirs = closed_form(both_ways, code, num_attempts=2)
    assert all(np.array_equal(x, y) for x, y in zip(ours, theirs, strict=True))
    assert ours.gc_outage is not None
    pair = some_network(2, 1, reciprocal=True)
    assert closed_form(pair, cyclic_code(KEY, 2, 1)) == ClosedForm(None)
    assert closed_form(some_network(4, reciprocal=True), cyclic_code(KEY, 4, 2)).gc_outage is None
    five = some_network(5, 2, reciprocal=True)
    exact = enumerate_outcomes(five, cyclic_code(KEY, 5, 2)).gc_outage.best
    assert closed_form(five, cyclic_code(KEY, 5, 2)).gc_outage == pytest.approx(exact, abs=1e-7)


def test_other_codes_have_the_law_of_standard_decoding_alone() -> None:
    network = some_network(4)
    for code in (
        cyclic_code(KEY, 4, 2),
        cyclic_mds_code(4, 3),
        fractional_repetition_code(4, 1),
        uncoded(4),
    ):
        law = closed_form(network, code)
        assert law.gc_outage is not None
        assert law[1:] == (None,) * 5
    redrawn = closed_form(network, cyclic_code(KEY, 4, 1), num_attempts=1, redraw_code=True)
    assert redrawn[1:] == (None,) * 5


@pytest.mark.slow
def test_slopes_are_finite_differences() -> None:
    network, code = some_network(4, 5), cyclic_code(KEY, 4, 1)

    def full(network: Network) -> object:
        return closed_form(network, code, num_attempts=2).gc_plus_full

    slopes = jax.grad(full)(network)
    step = 1e-6
    for m in range(4):
        change = np.zeros(4)
        change[m] = step
        up = Network(network.uplink_erasure + change, network.peer_erasure)
        down = Network(network.uplink_erasure - change, network.peer_erasure)
        slope = (full(up) - full(down)) / (2 * step)
        assert slopes.uplink_erasure[m] == pytest.approx(slope, rel=1e-5)
        wide = np.zeros((4, 4))
        wide[m, (m + 1) % 4] = step
        up = Network(network.uplink_erasure, network.peer_erasure + wide)
        down = Network(network.uplink_erasure, network.peer_erasure - wide)
        slope = (full(up) - full(down)) / (2 * step)
        assert slopes.peer_erasure[m, (m + 1) % 4] == pytest.approx(slope, rel=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="no reference values here")
def test_values_of_independent_programs() -> None:
    cases = json.loads((SHARED / "reference" / "extensions.json").read_text())["cases"]
    cases = [case for case in cases if case["name"].startswith("cyclic code s=1")]
    assert len(cases) == 2
    for case in cases:
        clients = case["clients"]
        uplink = np.broadcast_to(case["uplink_erasure"], clients)
        peer = np.broadcast_to(case["peer_erasure"], (clients, clients)) * (1 - np.eye(clients))
        law = closed_form(
            Network(uplink, peer), cyclic_code(KEY, clients, 1), num_attempts=case["attempts"]
        )
        assert differences(law, case["expected"]) < 1e-13
        assert law.gc_outage == pytest.approx(1 - case["expected"]["gc_recovered"], abs=1e-13)
