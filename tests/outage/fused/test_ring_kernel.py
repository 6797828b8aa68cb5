"""The kernel for rings, interpreted on the CPU: trial by trial what the ordinary program gives."""

import jax
import numpy as np
import pytest

from jaxcogc.coding.codes import all_ones_ring_code, cyclic_code, cyclic_mds_code, uncoded
from jaxcogc.links.network import Network
from jaxcogc.outage.fused import ring_elimination, ring_inputs, ring_kernel
from jaxcogc.outage.simulation.kernels import checked_programs
from jaxcogc.outage.simulation.kernels.checked_programs import why_rejected
from jaxcogc.outage.simulation.kernels.reach import code_reach
from jaxcogc.outage.simulation.kernels.tying_law import tying_law
from jaxcogc.outage.simulation.program import compiled_program
from tests.outage.fused.trial_by_trial import around, compare, equal, programs, run_of


def cyclic(clients, stragglers, seed=0):
    return cyclic_code(jax.random.key(seed), clients, stragglers)


def unequal(clients):
    """Links of many probabilities, some of them certain."""
    random = np.random.default_rng(clients)
    peers = random.choice([0.0, 1.0, 0.05, 0.5, 0.3], (clients, clients))
    np.fill_diagonal(peers, 0)
    return Network(random.choice([0.0, 0.3, 0.6], clients), peers)


def check(code, network, attempts, block=5, **how):
    """Returns what the trials recover; they must exercise all that is decided."""
    shape = around(code, attempts, **how)
    found = compare(shape, run_of(shape, code, network), block)
    assert len(np.unique(found.rank)) > 3
    for event in (found.gc, found.sum_recovered, found.client_recovered):
        assert 0 < event.mean() < 1
    return found


SIX = cyclic(6, 2)  # window and border of two columns, two columns that touch neither


@pytest.mark.slow
@pytest.mark.parametrize("network", [equal(0.4, 0.25, 6), unequal(6)], ids=["equal", "unequal"])
def test_a_window_and_a_border(network):
    check(SIX, network, 2)


@pytest.mark.slow
@pytest.mark.parametrize("code", [cyclic(6, 1), uncoded(6)], ids=["fewer-stragglers", "uncoded"])
def test_codes_that_reach_less_far_than_the_kernel(code):
    check(code, equal(0.4, 0.25, 6), 2, reach=2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "attempts"),
    [(cyclic(5, 3), 2), (cyclic(4, 3), 3)],
    ids=["reach-around-half-the-ring", "reach-everybody"],
)
def test_rows_that_meet_on_both_sides_of_the_ring(code, attempts):
    check(code, equal(0.5, 0.3, code.num_clients), attempts)


@pytest.mark.slow
def test_more_clients_than_bits_of_a_word():
    found = check(cyclic(35, 1), equal(0.03, 0.01, 35), 1)
    assert 0 < found.client_recovered[33].mean() < 1


@pytest.mark.slow
def test_a_border_that_is_eliminated_in_groups(monkeypatch):
    monkeypatch.setattr(ring_inputs, "MOST_ENTRIES", 4)
    code = cyclic(7, 3)
    assert around(code).reach == 3
    check(code, equal(0.4, 0.2, 7), 1)


@pytest.mark.slow
@pytest.mark.parametrize("block", [0, 1])
def test_another_code_in_every_attempt(block):
    check(SIX, equal(0.4, 0.2, 6), 2, block, redraw=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "code", [all_ones_ring_code(6, 2), cyclic_mds_code(5, 2)], ids=["all-ones-ring", "cyclic-mds"]
)
def test_codes_that_need_a_second_null_vector(code):
    check(code, equal(0.4, 0.2, code.num_clients), 2)


@pytest.mark.slow
@pytest.mark.parametrize(("uplink", "peer"), [(0.0, 0.0), (1.0, 0.3), (0.0, 1.0)])
def test_certain_links(uplink, peer):
    shape = around(SIX)
    found = compare(shape, run_of(shape, SIX, equal(uplink, peer, 6)), 1)
    assert found.gc.mean() == (uplink == peer == 0)
    assert len(np.unique(found.rank)) == 1


@pytest.mark.slow
def test_first_words_that_tie_with_their_thresholds():
    """Every link's threshold is a word of a trial: first word, and second word, which is kept."""
    shape = around(SIX)
    run = run_of(shape, SIX, equal(0.4, 0.25, 6))
    run = run._replace(law=tying_law(run, 6, 2, shape.links))
    compare(shape, run, 0)
    low = run.law.start.low + np.uint32(1)  # the tie is lost now, by one in 2^64
    lost = run._replace(law=run.law._replace(start=run.law.start._replace(low=low)))
    compare(shape, lost, 0)
    fused, _, _ = programs(shape)
    changed = np.any(np.asarray(fused(run, np.int32(0))) != fused(lost, np.int32(0)), axis=0)
    assert 0 < changed.sum() <= 36, "no trial was decided by a second word"


FIVE = cyclic(5, 2)  # 15 links that tie: with few, a wrong second word may decide as the right one


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0, 2], ids=["summed", "kept-apart"])
def test_counts_of_whole_and_part_blocks(kept):
    """The comparison that a process makes before it trusts the kernel."""
    assert why_rejected(around(FIVE, 1)._replace(kept=kept), FIVE) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "name", "wrong"),
    [
        (ring_kernel, "SECOND_WORDS", np.uint32(2**30)),
        (ring_elimination, "negative", lambda field, x: x),
    ],
    ids=["second-words", "sign"],
)
def test_a_kernel_with_a_wrong_constant_is_rejected(module, name, wrong, monkeypatch):
    def compile_anew(shape):
        fused = shape.rule.kernel == "fused"
        return (compiled_program.__wrapped__ if fused else compiled_program)(shape)

    monkeypatch.setattr(checked_programs, "compiled_program", compile_anew)
    monkeypatch.setattr(module, name, wrong)
    reason = why_rejected(around(FIVE, 1), FIVE)
    assert reason == "counts otherwise than the ordinary program here"


def test_how_far_codes_reach():
    assert [code_reach(x.field_matrix) for x in (uncoded(5), SIX, cyclic(4, 3))] == [1, 2, 3]
    one_further = np.array(SIX.field_matrix)
    one_further[4, 1] = 1
    assert code_reach(np.stack([SIX.field_matrix, one_further])) == 3
