"""Every subcommand's parts, at sizes that take seconds. Nothing about speed is asserted."""

import doctest
import importlib
import io
from functools import partial
from itertools import groupby

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from benchmarks import (
    ceilings,
    decode,
    links,
    measure,
    own,
    payloads,
    pinv_programs,
    pipeline,
    real,
    scaling,
)
from benchmarks.cases import Shape, make_code, make_links, make_network
from benchmarks.decisions import agreement
from benchmarks.measure import Program, first_runs, in_turn
from benchmarks.report import environment
from jaxcogc import compile_simulation
from jaxcogc.outage.counts import BLOCK_TRIALS, OutcomeCounts

SMALL = Shape(5, 3, 2)


@pytest.fixture
def console(monkeypatch):
    """And no waiting for steady figures, which no test looks at."""
    monkeypatch.setattr(measure, "_WINDOW_SECONDS", 0.0)
    monkeypatch.setattr(measure, "_PAUSE_SECONDS", 0.0)
    return Console(width=110, file=io.StringIO())


@pytest.mark.parametrize(
    "name",
    ["cases", "ceilings", "decisions", "measure", "payloads", "real", "report", "scaling"],
)
def test_examples_in_docstrings(name):
    assert doctest.testmod(importlib.import_module(f"benchmarks.{name}")).failed == 0


@pytest.mark.slow
def test_every_decoder_of_the_comparison_says_the_same():
    code, links = make_code(SMALL), make_links(SMALL, 300)
    ours = decode.recover_all(code, links)
    for program in (
        pinv_programs.numpy_loop,
        pinv_programs.numpy_batched,
        pinv_programs.jax_vmapped,
    ):
        assert agreement(ours, program(code, links)) == dict.fromkeys(
            ("sum_recovered", "client_recovered", "rank", "gc", "everything"), 1.0
        )


@pytest.mark.slow
def test_agreement_counts_stacks_not_entries():
    code, links = make_code(SMALL), make_links(SMALL, 4)
    ours = decode.recover_all(code, links)
    wrong = np.array(ours.client_recovered)
    wrong[1] = ~wrong[1]
    found = agreement(ours, ours._replace(client_recovered=wrong, rank=np.asarray(ours.rank) + 1))
    assert (found["client_recovered"], found["rank"]) == (0.75, 0.0)
    assert (found["gc"], found["everything"]) == (1.0, 0.0)


@pytest.mark.slow
def test_decode(console):
    result = decode.run(True, console, shapes=[SMALL], repeats=2)
    (case,) = result["cases"]
    assert case["agreement"][decode.VMAPPED]["everything"] == 1.0
    assert set(case["ours_over"]) == set(case["programs"]) - {decode.OURS}
    assert {len(program["seconds"]) for program in case["programs"].values()} == {2}
    assert ("ceilings" in case) == (jax.default_backend() != "cpu")


def test_decode_refuses_to_time_a_wrong_program(console, monkeypatch):
    numba_kernels = pytest.importorskip("benchmarks.numba_kernels", exc_type=ImportError)
    right = numba_kernels.decode

    def wrong(*arguments):
        found = right(*arguments)
        return found._replace(rank=found.rank + 1)

    monkeypatch.setattr(numba_kernels, "decode", wrong)
    with pytest.raises(decode.AnswersDiffer, match="differ"):
        decode.measure_shape(SMALL, True, 1, console)


@pytest.mark.slow
def test_pipeline(console):
    result = pipeline.run(True, console, shapes=[SMALL], repeats=1)
    (case,) = result["cases"]
    assert max(case["standard_errors_apart"].values()) < pipeline.SIGMAS
    assert case["programs"][pipeline.OURS]["work"] == 2**14


def test_deviations_notice_a_difference():
    counts = OutcomeCounts.zero(3)._replace(trials=1000, gc=500, client_recovered=np.full(3, 10))
    assert max(pipeline.deviations(counts, counts).values()) == 0
    other = counts._replace(client_recovered=np.array([10, 10, 90]))
    assert pipeline.deviations(counts, other)["client_recovered"] > pipeline.SIGMAS
    one_event = counts._replace(client_recovered=np.array([10, 10, 11]))
    assert max(pipeline.deviations(counts, one_event).values()) < 1


@pytest.mark.slow
def test_real_weights(console):
    result = real.measure_weights(SMALL, 0.4, True, 1, console)
    for decoder in ("gc_weights", "gc_plus_weights"):
        for error in result["decoders"][decoder]["errors"].values():
            assert error["largest"] < 1e-9


@pytest.mark.slow
def test_real_errors_notice_wrong_weights():
    code, links = make_code(SMALL), make_links(SMALL, 128)
    inverses = np.linalg.pinv(real.received_rows(code.matrix, links, False, np), rcond=1e-9)
    assert real.gc_plus_error(code, links, inverses).max() < 1e-9
    assert real.gc_plus_error(code, links, 1.01 * inverses).max() > 1e-3
    inverses = np.linalg.pinv(real.received_rows(code.matrix, links, True, np), rcond=1e-9)
    assert real.gc_error(code, links, inverses.sum(axis=-2)).max() < 1e-9
    assert real.gc_error(code, links, 1.01 * inverses.sum(axis=-2)).max() > 1e-4


@pytest.mark.slow
def test_payloads():
    found = {
        dtype: payloads.measure_length(Shape(5, 3, 1), 50, dtype, True)
        for dtype in (np.float32, np.float64)
    }
    for dtype, bound in ((np.float32, 1e-3), (np.float64, 1e-11)):
        assert found[dtype]["dtype"] == np.dtype(dtype).name
        assert min(found[dtype]["rates"].values()) > 0
        assert set(found[dtype]["relative_errors"]) == {"gc", "gc_plus", "row_space"}
        for errors in found[dtype]["relative_errors"].values():
            assert errors["trials"] > 0
            assert 0 <= errors["median"] <= errors["largest"] < bound


@pytest.mark.slow
def test_scaling_worker_counts_do_not_depend_on_devices():
    results = scaling.against_devices([1, 2], 2**15, 1, SMALL)
    assert [result["devices"] for result in results] == [1, 2]
    assert all(result["peak_memory_bytes"] > 10**7 for result in results)


def test_a_simulation_tells_what_compiling_it_took(monkeypatch):
    simulation = compile_simulation(make_network(SMALL), make_code(SMALL))
    slow = simulation._replace(compile_seconds=7.0)
    monkeypatch.setattr(pipeline, "compile_simulation", lambda *_, **__: slow)
    program = pipeline.our_program("ours", SMALL, 2**14)
    assert program.compile_seconds == 7.0
    assert program.run().trials == 2**14


def test_scaling_reports_a_failing_worker():
    with pytest.raises(RuntimeError, match="measuring process"):
        scaling.run_worker(Shape(0, 0, 1), 10, 1)


def test_programs_take_turns_and_compilation_is_apart():
    calls = []
    programs = [Program(name, lambda name=name: calls.append(name), 10, 5.0) for name in "ab"]
    first = {name: seconds for name, (seconds, _) in first_runs(programs).items()}
    timings = in_turn(programs, 3, first)
    assert [name for name, _ in groupby(calls)] == list("ab" * 4)  # each as often as fills its turn
    assert timings["a"].compile_seconds == pytest.approx(5.0, abs=0.1)
    assert len(timings["b"].seconds) == 3


def test_environment_names_no_host():
    import getpass
    import platform

    found = environment()
    assert found["machine"]["cores"] >= 1
    for private in (platform.node(), str(jax.__file__).rsplit("/", 3)[0]):
        assert private not in str(found)
    assert f"/{getpass.getuser()}" not in str(found)


def test_environment_tells_instruction_sets_apart(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=AVX2")
    machine = environment()["machine"]
    assert machine["vectors"] in ("AVX-512", "AVX2", None)
    assert machine["xla_cpu_max_isa"] == "AVX2"
    monkeypatch.delenv("XLA_FLAGS")
    assert environment()["machine"]["xla_cpu_max_isa"] is None


def test_ceilings_count_loops_branches_and_nothing_else():
    words = jnp.zeros(8, jnp.uint32)

    def body(_, x):
        return x * x + 1

    scanned = jax.make_jaxpr(lambda x: jax.lax.fori_loop(0, 5, body, x))(words)
    looped = jax.make_jaxpr(lambda x, n: jax.lax.fori_loop(0, n, body, x))(words, 3)
    assert ceilings.cost_of(scanned, [1]).operations == pytest.approx(5 * 16, abs=10)
    assert ceilings.cost_of(looped, [7]).operations == pytest.approx(7 * 16, abs=20)

    def branch(x, idle):
        return jax.lax.cond(x[0] == 0, lambda x: x * x, idle, x)

    rare = jax.make_jaxpr(lambda x: branch(x, lambda x: x))(words)
    stage = jax.make_jaxpr(lambda x: branch(x, jnp.zeros_like))(words)
    assert ceilings.cost_of(rare, [1]).operations < 8
    assert ceilings.cost_of(stage, [1]).operations >= 8
    assert ceilings.cost_of(stage, [1]).bytes_moved >= 4 * 32


@pytest.mark.slow
def test_ceilings_of_our_programs():
    rates = ceilings.measure_rates(2**16, 2)
    assert min(rates) > 0
    cost = decode.decode_cost(SMALL, 256)
    console = Console(width=110, record=True)
    found = ceilings.ceilings_of(cost, 256, 1e5, rates, console)
    assert found["arithmetic_share"] == pytest.approx(1e5 / found["arithmetic_ceiling"])
    assert "ceiling of bandwidth" in console.export_text()
    # The pipeline does all that and draws the links as well.
    per_trial = pipeline.pipeline_cost(SMALL).operations / BLOCK_TRIALS
    assert per_trial > cost.operations / 256
    fused = pipeline.pipeline_cost(SMALL, "fused")
    assert fused.bytes_moved < pipeline.pipeline_cost(SMALL).bytes_moved


@pytest.mark.slow
def test_links_in_time_are_measured_against_independent_ones(console, monkeypatch):
    """Every kind's estimate is compared with its law before anything is timed."""
    few = partial(links.compile_simulation, num_trials=2**14)  # a program that compiles soon
    monkeypatch.setattr(links, "compile_simulation", few)
    (case,) = links.run(True, console, shapes=[SMALL], repeats=1)["cases"]
    assert set(case["programs"]) == set(links.KINDS)
    assert set(case["ours_over"]) == set(links.KINDS) - {links.INDEPENDENT}
    assert all(value < 5 for value in case["standard_errors_apart"].values())


@pytest.mark.slow
def test_own_links_and_outcomes_are_measured_against_built_in_ones(console):
    (case,) = own.run(True, console, shapes=[SMALL], repeats=1)["cases"]
    assert set(case["ours_over"]) == {own.STRATIFIED, own.LINKS, own.OUTCOME, own.BOTH}
    assert all(value < 5 for value in case["standard_errors_apart"].values())
    assert case["plain_trials_worth"]["gc_plus_full"] > 1
