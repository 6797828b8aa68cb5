"""Sensitivities against finite differences, repairs against the closed form."""

from types import SimpleNamespace

import numpy as np
import pytest

from jaxcogc.design.configurations import CodeConfig
from jaxcogc.design.link_sensitivity import (
    in_own_order,
    sensitivity,
    sensitivity_of,
    weakest_links,
)
from jaxcogc.figures.link_maps import plot_sensitivity
from jaxcogc.figures.style import figure_bytes, plain
from jaxcogc.links.network import Network
from jaxcogc.outage.laws.gc_outage import (
    fractional_repetition_outage_probability,
    log_gc_outage_probability,
)
from tests.outage.test_agreement import random_network


def log_law(network, s, attempts, kind):
    if kind == "cyclic":
        return float(log_gc_outage_probability(network, s, attempts))
    return float(np.log(fractional_repetition_outage_probability(network, s, attempts)))


def changed(network, receiver, sender, value):
    uplink, peer = network.uplink_erasure.copy(), network.peer_erasure.copy()
    if receiver is None:
        uplink[sender] = value
    else:
        peer[receiver, sender] = value
    return Network(uplink, peer)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "s"), [("cyclic", 2), ("blocks", 1)])
def test_slopes_are_finite_differences(kind, s):
    network = random_network(4, 3)
    found = sensitivity(network, s, 2, kind=kind)
    assert np.log(found.outage) == pytest.approx(log_law(network, s, 2, kind))
    step = 1e-5
    for link in [(None, 0), (None, 3), (0, 1), (1, 2), (2, 3), (3, 0), (0, 3)]:
        receiver, sender = link
        slope = found.uplink[sender] if receiver is None else found.peer[link]
        value = network.uplink_erasure[sender] if receiver is None else network.peer_erasure[link]
        up, down = (changed(network, *link, value + sign * step) for sign in (1, -1))
        difference = (log_law(up, s, 2, kind) - log_law(down, s, 2, kind)) / (2 * step)
        assert slope == pytest.approx(difference, rel=1e-6, abs=1e-9)
        repaired = found.repaired_uplink[sender] if receiver is None else found.repaired_peer[link]
        expected = log_law(changed(network, *link, 0.0), s, 2, kind)
        assert np.log(repaired) == pytest.approx(expected, abs=1e-9)


@pytest.mark.slow
def test_weakest_link_first_and_by_own_numbers():
    network = random_network(4, 5)
    found = sensitivity(network, 1, 2)
    links = weakest_links(network, found)
    assert len(links) == 8  # four uplinks, four links that a row needs
    assert [link.repaired for link in links] == sorted(link.repaired for link in links)
    order = (2, 0, 3, 1)
    moved = in_own_order(sensitivity(network.permuted(order), 1, 2), order)
    # Client order[i + 1] is heard by client order[i]: those are the links that count.
    assert {(m, k) for m, k in np.argwhere(moved.peer).tolist()} == {(2, 0), (0, 3), (3, 1), (1, 2)}
    for link in weakest_links(network, moved):
        perfect = changed(network, link.receiver, link.sender, 0.0)
        law = float(np.exp(log_gc_outage_probability(perfect.permuted(order), 1, 2)))
        assert link.repaired == pytest.approx(law, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("clients", "stragglers", "bound"), [(6, 3, True), (5, 2, False)])
def test_a_law_that_is_only_a_bound_says_so(clients, stragglers, bound):
    own = tuple(range(clients))
    config = CodeConfig("cyclic-mds", stragglers, 2, False, own)
    candidate = SimpleNamespace(code=config.family, **config._asdict())
    found = sensitivity_of(random_network(clients, 3), candidate)
    assert ("upper bound" in found.law) == bound


def test_heat_map():
    found = sensitivity(random_network(4, 6), 2, 2)
    names = ["roof", "hall", "a$b", "x$y"]
    figure = plot_sensitivity(found, title="t", caption="c", names=names)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["server", *map(plain, names)]
    figure_bytes(figure, ".png")
    figure = plot_sensitivity(found, title="t", caption="c")
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == [*"0123"]
    assert figure_bytes(figure, ".png").startswith(b"\x89PNG")


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="reciprocal"):
        sensitivity(random_network(4, 0, reciprocal=True), 2)
    with pytest.raises(ValueError, match="kind = 'x'"):
        sensitivity(random_network(4, 0), 1, kind="x")
