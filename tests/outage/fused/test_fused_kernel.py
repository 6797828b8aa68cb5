"""The kernel for GPUs, interpreted on the CPU: trial by trial what the ordinary program gives."""

import jax
import numpy as np
import pytest

from jaxcogc.coding.codes import (
    all_ones_ring_code,
    cyclic_code,
    cyclic_mds_code,
    fractional_repetition_code,
    uncoded,
)
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.outage.fused import elimination, link_draws, machine_blocks
from jaxcogc.outage.simulation.kernels import checked_programs
from jaxcogc.outage.simulation.kernels.checked_programs import why_rejected
from jaxcogc.outage.simulation.kernels.tying_law import tying_law
from jaxcogc.outage.simulation.program import compiled_program
from tests.outage.fused.trial_by_trial import (
    ATTEMPTS,
    CLIENTS,
    CYCLIC,
    TWO,
    compare,
    equal,
    programs,
    run_of,
    shape_of,
)


def unequal(clients):
    """Links of many probabilities, some of them certain."""
    random = np.random.default_rng(clients)
    peers = random.choice([0.0, 1.0, 0.05, 0.5, 0.3], (clients, clients))
    np.fill_diagonal(peers, 0)
    return Network(random.choice([0.0, 0.3, 0.6], clients), peers)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "network"),
    [
        (CYCLIC, equal(0.4, 0.25)),
        (cyclic_code(jax.random.key(1), CLIENTS, 3), unequal(CLIENTS)),
        (cyclic_code(jax.random.key(2), CLIENTS, 1), equal(0.5, 0.1)),
        (uncoded(CLIENTS), equal(0.3, 0.3)),
    ],
    ids=["cyclic", "unequal-links", "one-straggler", "uncoded"],
)
def test_codes_whose_complete_rows_are_counted(code, network):
    shape = shape_of(CYCLIC)
    found = compare(shape, run_of(shape, code, network), 5)
    assert len(np.unique(found.rank)) > 3, "the trials do not exercise different ranks"
    assert 0 < found.gc.mean() < 1


@pytest.mark.slow
@pytest.mark.parametrize(("uplink", "peer"), [(0.0, 0.0), (1.0, 0.3), (0.0, 1.0)])
def test_certain_links(uplink, peer):
    shape = shape_of(CYCLIC)
    found = compare(shape, run_of(shape, CYCLIC, equal(uplink, peer)), 1)
    assert found.gc.mean() == (uplink == peer == 0)
    assert len(np.unique(found.rank)) == 1


@pytest.mark.slow
def test_first_words_that_tie_with_their_thresholds():
    """Every link's threshold is a word of a trial: first word, and second word, which is kept."""
    shape = shape_of(CYCLIC)
    run = run_of(shape, CYCLIC, equal(0.4, 0.25))
    run = run._replace(law=tying_law(run, CLIENTS, ATTEMPTS, shape.links))
    compare(shape, run, 0)
    low = run.law.start.low + np.uint32(1)  # the tie is lost now, by one in 2^64
    lost = run._replace(law=run.law._replace(start=run.law.start._replace(low=low)))
    compare(shape, lost, 0)
    fused, _, _ = programs(shape)
    changed = np.asarray(fused(run, np.int32(0))) != np.asarray(fused(lost, np.int32(0)))
    assert 0 < changed.sum() <= CLIENTS**2, "no trial was decided by a second word"


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [CYCLIC, fractional_repetition_code(CLIENTS, 1), all_ones_ring_code(CLIENTS, 1)],
    ids=["redrawn", "fractional-repetition", "all-ones-ring"],
)
def test_codes_that_need_a_second_null_vector(code):
    shape = shape_of(CYCLIC, redraw=True)  # its program takes any code of this field
    of_code = shape if code is CYCLIC else shape._replace(rule=shape.rule._replace(redrawn=False))
    run = run_of(of_code, code, equal(0.3, 0.2))
    matrix = np.broadcast_to(run.field_matrix, (ATTEMPTS, CLIENTS, CLIENTS))
    found = compare(shape, run._replace(field_matrix=np.ascontiguousarray(matrix)), 2)
    assert 0 < found.gc.mean() < found.sum_recovered.mean() < 1


@pytest.mark.slow
def test_another_field_and_an_odd_number_of_clients():
    code = cyclic_mds_code(3, 2)
    shape = shape_of(code, attempts=3)
    found = compare(shape, run_of(shape, code, equal(0.6, 0.4, 3)), 2)
    assert len(np.unique(found.rank)) > 2
    assert 0 < found.gc.mean() < found.sum_recovered.mean() < 1


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0, 2], ids=["summed", "kept-apart"])
def test_counts_of_whole_and_part_blocks(kept):
    """The comparison that a process makes before it trusts the kernel."""
    assert why_rejected(shape_of(TWO, 1)._replace(kept=kept), TWO) is None


MANY_TIES = {"dynamics": LinkDynamics(memory=0.6, block_probability=0.1)}
"""With four ties alone, those of two clients' independent links, a wrong word may be as good."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "name", "wrong", "how"),
    [
        (link_draws, "SECOND_WORDS", np.uint32(2**30), MANY_TIES),
        (
            elimination,
            "product_block",
            lambda modulus, pairs: machine_blocks.product_block(modulus - 2, pairs),
            {"attempts": 1},
        ),
    ],
    ids=["second-words", "modulus"],
)
def test_a_kernel_with_a_wrong_constant_is_rejected(module, name, wrong, how, monkeypatch):
    def compile_anew(shape):
        fused = shape.rule.kernel == "fused"
        return (compiled_program.__wrapped__ if fused else compiled_program)(shape)

    monkeypatch.setattr(checked_programs, "compiled_program", compile_anew)
    monkeypatch.setattr(module, name, wrong)
    reason = why_rejected(shape_of(TWO, **how), TWO)
    assert reason == "counts otherwise than the ordinary program here"
