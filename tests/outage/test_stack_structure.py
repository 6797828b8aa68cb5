"""The structure of the received matrix against enumeration and plain facts."""

import jax
import numpy as np
import pytest

from jaxcogc.coding.codes import cyclic_code, uncoded
from jaxcogc.links.network import Network
from jaxcogc.outage.enumeration import enumerate_outcomes
from jaxcogc.outage.stack_structure import structure, structure_by_attempts
from tests.checks import binomial_p_value, surprises
from tests.outage.test_agreement import random_network

KEY = jax.random.key(80)
TRIALS = 20_000


@pytest.fixture(scope="module")
def network():
    return random_network(3, 7)


@pytest.mark.slow
def test_against_enumeration_for_every_number_of_attempts(network):
    code = cyclic_code(KEY, 3, 1)
    found = structure_by_attempts(KEY, network, code, num_trials=TRIALS, attempts=(1, 2))
    for number, result in zip((1, 2), found, strict=True):
        exact = enumerate_outcomes(network, code, num_attempts=number)
        p_values = {
            "full": binomial_p_value(
                round(result.full_rank * TRIALS), TRIALS, float(exact.all_individuals)
            )
        }
        for name in ("num_recovered_pmf", "client_recovered"):
            for k, (ours, theirs) in enumerate(
                zip(getattr(result, name), getattr(exact, name), strict=True)
            ):
                p_values[f"{name}{k}"] = binomial_p_value(
                    round(ours * TRIALS), TRIALS, float(theirs)
                )
        gc = round(result.complete_pmf[2:].sum() * TRIALS)  # M - s = 2 complete rows suffice
        p_values["gc"] = binomial_p_value(gc, TRIALS, 1.0 - exact.gc_outage)
        assert not surprises(p_values), p_values
        assert result.rank_pmf @ np.arange(4) == pytest.approx(exact.mean_rank, abs=0.03)
        for pmf in (result.rank_pmf, result.complete_pmf, result.num_recovered_pmf):
            assert pmf.sum() == pytest.approx(1.0)
        # The test can fail: the other number of attempts is rejected.
        wrong = enumerate_outcomes(network, code, num_attempts=3 - number)
        events = round(result.full_rank * TRIALS)
        assert surprises({"full": binomial_p_value(events, TRIALS, float(wrong.all_individuals))})
    # The rounds are the same: a second attempt can only add.
    assert found[1].full_rank > found[0].full_rank
    assert np.all(found[1].client_recovered >= found[0].client_recovered)


@pytest.mark.slow
def test_redrawing_adds_rank(network):
    """Complete rows of one code span M - s dimensions at most, those of two codes more."""
    perfect = Network.homogeneous(3, uplink_erasure=0.0, peer_erasure=0.0)
    code = cyclic_code(KEY, 3, 1)
    settings = {"num_trials": 50, "attempts": (1, 2)}
    once = structure_by_attempts(KEY, perfect, code, **settings)
    redrawn = structure_by_attempts(KEY, perfect, code, redraw_code=True, **settings)
    assert [r.rank_pmf.argmax() for r in once] == [2, 2]
    assert [r.rank_pmf.argmax() for r in redrawn] == [2, 3]
    assert [r.complete_pmf.argmax() for r in redrawn] == [3, 6]
    assert [float(r.full_rank) for r in once] == [0.0, 0.0]
    assert [float(r.full_rank) for r in redrawn] == [0.0, 1.0]


def test_wrong_arguments_are_named(network):
    code = cyclic_code(KEY, 3, 1)
    with pytest.raises(ValueError, match="num_trials = 0"):
        structure(KEY, network, code, num_trials=0)
    with pytest.raises(ValueError, match="num_attempts = 0"):
        structure(KEY, network, code, num_trials=1, num_attempts=0)
    with pytest.raises(ValueError, match="uncoded"):
        structure(KEY, network, uncoded(3), num_trials=1, num_attempts=2, redraw_code=True)
