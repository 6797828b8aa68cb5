"""Which kernel a program gets, what is refused in one line, and what happens where it fails."""

from typing import NamedTuple

import jax
import numpy as np
import pytest

from jaxcogc import Network, compile_simulation, cyclic_code
from jaxcogc.cli.app import main
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.outage import trace_block
from jaxcogc.outage.simulation.count_table import counts_from_table
from jaxcogc.outage.simulation.kernels import checked_programs
from jaxcogc.outage.simulation.kernels.checked_programs import compile_or_fall_back, trial_inputs
from jaxcogc.outage.simulation.kernels.choice import by_kernel
from jaxcogc.outage.simulation.kernels.choice import with_kernel as choose
from jaxcogc.outage.simulation.program import compiled_program
from jaxcogc.outage.simulation.program_inputs import Inputs, prepare_run, run_shape
from jaxcogc.runtime import compiler_options
from tests.cli.program import assert_one_line


class Device(NamedTuple):
    """As far as the choice looks."""

    platform: str


GPU = Device("gpu")


def code_of(clients=4, stragglers=1):
    return cyclic_code(jax.random.key(0), clients, stragglers)


def shape_of(clients=4, attempts=2, dynamics=None, device=GPU, **how):
    network = Network.homogeneous(clients, uplink_erasure=0.4, peer_erasure=0.3)
    code = code_of(clients)
    return run_shape(
        network,
        code,
        num_attempts=attempts,
        redraw_code=False,
        dynamics=dynamics,
        devices=[device],
        **how,
    )


def with_kernel(shape, kernel, num_trials=None, stragglers=1):
    return choose(shape, code_of(shape.clients, stragglers), kernel, num_trials)


def test_a_gpu_gets_the_fused_kernel_where_it_serves():
    assert with_kernel(shape_of(), "auto").rule.kernel == "fused"
    assert with_kernel(shape_of(), "xla").rule.kernel == "xla"
    assert with_kernel(shape_of(), "auto", 2**17).rule.kernel == "loops"
    assert with_kernel(shape_of(), "fused", 1).rule.kernel == "fused"
    assert with_kernel(shape_of(device=jax.devices()[0]), "auto").rule.kernel == "xla"


def test_few_trials_go_by_the_program_that_compiles_quickly():
    def kernel(num_trials, **how):
        return with_kernel(shape_of(**how), "xla", num_trials).rule.kernel

    assert (kernel(2**17), kernel(2**17 + 1), kernel(None)) == ("loops", "xla", "xla")
    cpu = jax.devices("cpu")[0]
    for clients in (10, 16, 17, 32):
        found = [kernel(most, device=cpu, clients=clients) for most in (2**22, 2**22 + 1, None)]
        assert found == ["loops", "xla", "xla"], clients


def test_many_clients_go_by_loops_on_a_cpu():
    cpu = jax.devices("cpu")[0]
    for clients, kernel in ((32, "xla"), (33, "loops"), (128, "loops")):
        on_cpu, on_gpu = shape_of(device=cpu, clients=clients), shape_of(clients=clients)
        assert with_kernel(on_cpu, "xla").rule.kernel == kernel
        assert with_kernel(on_gpu, "xla").rule.kernel == "xla"
    real = shape_of(device=cpu, clients=64)
    decided_in_floats = real._replace(rule=real.rule._replace(kernel="float64"))
    assert with_kernel(decided_in_floats, "xla").rule.kernel == "float64"


def test_loops_are_compiled_quickly_on_a_cpu_and_the_rest_as_ever():
    shape = shape_of(device=jax.devices("cpu")[0])
    loops = with_kernel(shape, "auto", 1)
    plain = compiler_options("cpu")
    assert shape.compiler_options == plain
    assert plain.items() < loops.compiler_options.items()
    assert loops.compiler_options["xla_backend_optimization_level"] == "1"
    wide = shape_of(device=jax.devices("cpu")[0], clients=17)
    assert with_kernel(wide, "auto", 1).compiler_options == plain
    on_gpu = [each.compiler_options for each in (shape_of(), with_kernel(shape_of(), "auto", 1))]
    assert on_gpu == [compiler_options("gpu")] * 2


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (shape_of(clients=65, attempts=1), "up to 64 clients, not 65"),
        (shape_of(clients=13, attempts=17), "reach 1 clients onwards in up to 16 attempts, not 17"),
        (shape_of(clients=13, dynamics=LinkDynamics(memory=0.5)), "independent links"),
        (shape_of(device=jax.devices()[0]), "needs a GPU, this is a cpu"),
        (shape_of()._replace(strata=3), "strata"),
    ],
)
def test_what_it_does_not_serve(shape, reason):
    assert with_kernel(shape, "auto").rule.kernel == "xla"
    with pytest.raises(ValueError, match=reason):
        with_kernel(shape, "fused")


def test_codes_that_reach_too_far():
    shape = shape_of(clients=20, attempts=1)
    assert with_kernel(shape, "fused", stragglers=16).reach == 16
    with pytest.raises(ValueError, match="reach up to 16 clients onwards, not 17"):
        with_kernel(shape, "fused", stragglers=17)


@pytest.mark.parametrize(
    ("shape", "reach"),
    [
        (shape_of(clients=12), 0),
        (shape_of(clients=13), 1),
        (shape_of(clients=11, attempts=2), 0),
        (shape_of(clients=11, attempts=3), 1),
    ],
)
def test_what_does_not_fit_registers_is_eliminated_around_the_ring(shape, reach):
    assert with_kernel(shape, "fused").reach == reach


def test_a_program_for_rings_serves_codes_that_reach_further(monkeypatch):
    """One program of XLA serves any code of a size, and so must this."""
    ran = []

    def compile_some(shape):
        return lambda inputs: ran.append((shape.rule.kernel, shape.reach))

    monkeypatch.setattr(checked_programs, "compiled_program", compile_some)
    monkeypatch.setattr(checked_programs, "_verdicts", {})
    monkeypatch.setattr(checked_programs, "why_rejected", lambda *_: None)
    shape = with_kernel(shape_of(clients=24, attempts=1), "fused", stragglers=3)
    program = compile_or_fall_back(shape, code_of(24, 3))
    network = Network.homogeneous(24, uplink_erasure=0.4, peer_erasure=0.3)
    for stragglers in (2, 3, 5, 17):
        run = prepare_run(np.zeros(2, np.uint32), network, code_of(24, stragglers))
        program(Inputs(run, *np.zeros(4, np.int32)))
    assert ran == [("fused", 3), ("fused", 3), ("fused", 5), ("xla", 0)]


@pytest.mark.parametrize("reciprocal", [False, True])
@pytest.mark.parametrize("keep_heard", [False, True])
@pytest.mark.parametrize(
    "dynamics",
    [
        None,
        LinkDynamics(memory=0.5),
        LinkDynamics(memory=0.5, good_erasure=0.1, bad_erasure=0.9, block_probability=0.1),
    ],
    ids=["independent", "memory", "soft-and-blocked"],
)
def test_it_serves_links_of_every_kind(dynamics, keep_heard, reciprocal):
    shape = shape_of(dynamics=dynamics, keep_heard=keep_heard)
    shape = shape._replace(links=shape.links._replace(reciprocal=reciprocal))
    assert with_kernel(shape, "auto").rule.kernel == "fused"


@pytest.mark.slow
def test_the_comparison_sees_all_that_is_decided():
    """Long rows of one attempt are hardly ever complete with usual links."""
    shape = shape_of(clients=13, attempts=1, device=jax.devices()[0])
    ordinary = compiled_program(by_kernel(shape, "loops"))
    tables = [np.asarray(ordinary(inputs)) for inputs in trial_inputs(shape, code_of(13, 9))]
    usual, good, _ = (counts_from_table(table, 13) for table in tables)
    assert usual.gc < usual.trials / 500
    for events in (good.gc, good.row_space_exact, good.client_recovered[12]):
        assert 500 < events < good.trials - 500


def test_an_unknown_kernel():
    network = Network.homogeneous(3, uplink_erasure=0.4, peer_erasure=0.3)
    code = cyclic_code(jax.random.key(0), 3, 1)
    with pytest.raises(ValueError, match="kernel = 'pallas': allowed are auto, xla, fused"):
        compile_simulation(network, code, kernel="pallas")
    with pytest.raises(ValueError, match="kernel = 'pallas': allowed are xla, fused"):
        trace_block(network, code, kernel="pallas")


@pytest.mark.parametrize("estimator", ["counted", "stratified"])
def test_the_command_line_refuses_in_one_line(estimator, capsys):
    arguments = ["--kernel", "fused", "--estimator", estimator, "--clients", "4"]
    assert main(["outage", *arguments, "--stragglers", "1"]) == 2
    assert_one_line(capsys, ["--kernel = fused: allowed is auto or xla here", "needs a GPU"])


def test_a_kernel_that_fails_is_told_once_and_replaced(monkeypatch, caplog):
    shape = with_kernel(shape_of(), "fused")
    compiled = []
    monkeypatch.setattr(checked_programs, "compiled_program", compiled.append)
    monkeypatch.setattr(checked_programs, "_verdicts", {})
    monkeypatch.setattr(checked_programs, "why_rejected", lambda *_: "counts otherwise here")
    for _ in range(2):
        compile_or_fall_back(shape, cyclic_code(jax.random.key(0), 4, 1))
    assert [each.rule.kernel for each in compiled] == ["xla", "xla"]
    assert caplog.messages == ["kernel fused counts otherwise here, using xla"]


def test_a_compiler_that_refuses_is_a_reason(monkeypatch):
    def refuse(shape):
        raise RuntimeError("no room\nin registers")

    monkeypatch.setattr(checked_programs, "compiled_program", refuse)
    code = cyclic_code(jax.random.key(0), 4, 1)
    reason = checked_programs.why_rejected(with_kernel(shape_of(), "fused"), code)
    assert reason == "does not compile here (no room)"
