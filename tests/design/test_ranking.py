"""Costs of sending without a code, and the order of candidates."""

import jax
import pytest

from jaxcogc.design.candidates import uncoded_candidates
from jaxcogc.design.code_outage import Setting
from jaxcogc.design.ranking import ranked
from jaxcogc.design.rounds import Accuracy
from jaxcogc.design.search import design
from jaxcogc.links.network import Network
from jaxcogc.outage.intervals import Estimate


def of(network):
    return Setting.from_key(jax.random.key(70), network, 0.95)


def test_costs_of_sending_without_a_code():
    network = Network([0.0, 0.5], [[0, 0], [0, 0]])
    found = {(c.scheme, c.attempts): c for c in uncoded_candidates(of(network), 0.2, 8, Accuracy())}
    twice = found["retransmission", 2]
    assert twice.outage == pytest.approx(0.25)
    assert twice.uplink_uses == pytest.approx(1 + 1.5)
    assert twice.revealed == pytest.approx(1.75)
    assert found["intermittent", 2].uplink_uses == 4
    assert found["intermittent", 2].rounds is None  # unequal uplinks: a biased average
    alike = Network.homogeneous(3, uplink_erasure=0.1, peer_erasure=0.0)
    rounds = {
        (c.scheme, c.attempts): c.rounds for c in uncoded_candidates(of(alike), 0.5, 8, Accuracy())
    }
    assert rounds["intermittent", 1] is not None
    assert rounds["retransmission", 1] is not None


@pytest.mark.slow
def test_ties_and_what_an_interval_does_not_decide():
    base = design(
        Network.homogeneous(3, uplink_erasure=0.3, peer_erasure=0.2), target=0.5, max_attempts=1
    ).candidates[0]

    def candidate(low, best, high, uses):
        outage = Estimate(low, best, high, method="clopper-pearson", level=0.95)
        return base._replace(outage=outage, uplink_uses=float(uses), scheme=f"{best}")

    first, second, unsure, worse = ranked(
        [
            candidate(0.2, 0.3, 0.4, 3),
            candidate(0.09, 0.1, 0.11, 3),
            candidate(0.02, 0.05, 0.08, 4),
            candidate(0.01, 0.045, 0.09, 4),
        ],
        0.1,
        "uplink",
    )
    assert [c.reaches for c in (first, second, unsure, worse)] == [True, True, None, False]
    assert (first.scheme, second.scheme) == ("0.045", "0.05")
    assert second.tie
    assert not unsure.tie
