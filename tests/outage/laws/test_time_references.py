"""Links with memory and blocked clients against values of independent programs."""

import json

import jax
import pytest

from jaxcogc.coding.codes import cyclic_code
from jaxcogc.links.memory import LinkDynamics, link_chains
from jaxcogc.links.network import Network
from jaxcogc.outage.laws.closed_form import closed_form, successive_rounds
from tests.places import SHARED


def laws_by_name(network, code, settings) -> dict:
    """All laws, by the names that the reference values have."""
    alone = closed_form(network, code, **settings)
    keep = closed_form(network, code, keep_heard=True, **settings)
    redrawn = closed_form(network, code, redraw_code=True, **settings)
    rounds = successive_rounds(network, code, **settings)
    return {
        "gc_outage_one_code": alone.gc_outage,
        "gc_outage_keep": keep.gc_outage,
        "gc_outage_redrawn_code": redrawn.gc_outage,
        "gc_outage_in_two_consecutive_rounds": rounds.both_fail,
        "mean_hold_run_rounds": rounds.mean_hold_run,
        "failure_correlation_lag_1": rounds.failure_correlation,
    }


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="no reference values here")
def test_values_of_independent_programs() -> None:
    cases = json.loads((SHARED / "reference" / "extensions.json").read_text())["cases"]
    seen = 0
    for case in cases:
        expected = case.get("expected", {})
        if case["topic"] not in "AF" or "stragglers" not in case or "peer_erasure" not in case:
            continue
        network = Network(case["uplink_erasure"], case["peer_erasure"])
        code = cyclic_code(jax.random.key(3), case["clients"], case["stragglers"])
        dynamics = LinkDynamics(
            memory=case.get("memory_between_attempts", 0.0),
            round_memory=case.get("memory_between_rounds", 0.0),
            good_erasure=case.get("erasure_in_good_state", 0.0),
            bad_erasure=case.get("erasure_in_bad_state", 1.0),
            block_probability=case.get("block_probability", 0.0),
        )
        settings = {"num_attempts": case.get("attempts", 1), "dynamics": dynamics}
        values = laws_by_name(network, code, settings)
        for name in values.keys() & expected.keys():
            assert values[name] == pytest.approx(expected[name], rel=1e-10, abs=1e-10), name
            seen += 1
        for keep, name in ((True, "keep"), (False, "forget")):
            missed = []
            for place, decoded in enumerate(expected.get(f"decoded_within_attempts_{name}", [])):
                law = closed_form(network, code, num_attempts=place + 1, keep_heard=keep)
                assert 1 - law.gc_outage == pytest.approx(decoded, abs=1e-12)
                missed.append(float(law.gc_outage))
                seen += 1
            if keep and (mean := expected.get("mean_attempts_until_decoded_keep")):
                rest = mean - 1 - sum(missed)  # of attempts beyond those: the mean adds up them all
                assert -1e-10 < rest < missed[-1]
                seen += 1
    assert seen > 42


def test_chains_of_reference_links() -> None:
    """Mean burst 5 of a link that is erased in .05 and .85 of the two states."""
    network = Network([0.25], [[0.0]])
    dynamics = LinkDynamics(burst_length=5.0, good_erasure=0.05, bad_erasure=0.85)
    chains = link_chains(network, dynamics)
    assert chains.bad[0, 0] == pytest.approx(0.25)
    assert chains.memory[0, 0] == pytest.approx(0.7333333333333334)
