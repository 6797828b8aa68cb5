"""Programs by XLA that know how far rows of their codes reach: which do, and what they count."""

import dataclasses
from functools import reduce
from operator import add
from typing import NamedTuple

import jax
import numpy as np
import pytest

from jaxcogc.coding.codes import cyclic_code
from jaxcogc.links.network import Network
from jaxcogc.outage.simulation.kernels import checked_programs, reach
from jaxcogc.outage.simulation.kernels.checked_programs import compile_or_fall_back
from jaxcogc.outage.simulation.kernels.choice import by_kernel, by_xla, with_kernel, within_reach
from jaxcogc.outage.simulation.monte_carlo import compile_simulation
from jaxcogc.outage.simulation.program_inputs import Inputs, prepare_run, run_shape


class Gpu(NamedTuple):
    """As far as the choice looks."""

    platform: str


def code_of(clients, stragglers):
    return cyclic_code(jax.random.key(0), clients, stragglers)


def network_of(clients):
    return Network.homogeneous(clients, uplink_erasure=0.1, peer_erasure=0.05)


def cpu_shape(clients=24, attempts=1):
    return run_shape(
        network_of(clients),
        code_of(clients, 1),
        num_attempts=attempts,
        redraw_code=False,
        devices=jax.devices("cpu")[:1],
    )


def test_a_program_of_a_cpu_knows_how_far_its_code_reaches(monkeypatch):
    monkeypatch.setattr(reach, "_reaches", {})

    def reach_of(stragglers, shape=None, **changes):
        code = dataclasses.replace(code_of(24, stragglers), **changes)
        return within_reach(cpu_shape() if shape is None else shape, code).reach

    lonely = np.array(code_of(24, 3).field_matrix)
    lonely[5, 5] = 0  # a row without the client that sends it
    assert reach_of(3, field_matrix=lonely) == 0
    assert [reach_of(s) for s in (3, 8, 3, 5, 1, 8)] == [3, 8, 3, 0, 0, 8], "two, and one for all"
    assert reach_of(9, cpu_shape(attempts=2)) == 9
    assert reach_of(20, cpu_shape(attempts=2)) == 0, "too many terms to write each down"
    for kernel in ("loops", "fused", "float64"):
        assert reach_of(3, by_kernel(cpu_shape(), kernel)) == 0
    assert reach_of(3, cpu_shape()._replace(devices=(Gpu("gpu"),))) == 0
    few = cpu_shape(clients=23)
    assert within_reach(few, code_of(23, 3)) == few


def test_few_trials_go_by_loops_but_where_a_walk_knows_its_reach(monkeypatch):
    """That compiles as soon: unless it were the program for any reach."""
    monkeypatch.setattr(reach, "_reaches", {})
    shape = cpu_shape()

    def kernel(stragglers, shape=shape):
        return with_kernel(shape, code_of(shape.clients, stragglers), "xla", 1).rule.kernel

    assert [kernel(3), kernel(16)] == ["xla", "loops"]
    assert kernel(3, cpu_shape(attempts=2)) == "loops"
    within_reach(shape, code_of(24, 4))
    assert [kernel(s) for s in (3, 4, 5)] == ["xla", "xla", "loops"]


def test_walks_of_many_trials_are_decided_in_order(monkeypatch):
    """Few would wait longer for the compiler than they gain; two attempts do not walk."""
    monkeypatch.setattr(reach, "_reaches", {})
    one, two, code = cpu_shape(), cpu_shape(attempts=2), code_of(24, 3)
    asked = [with_kernel(one, code, "xla", number) for number in (2**22, 2**22 + 1, None)]
    assert [(shape.reach, shape.in_order) for shape in asked] == [(3, False), (3, True), (3, True)]
    assert with_kernel(two, code, "xla")[-2:] == (3, False)
    further = by_xla(asked[-1])
    assert (further.reach, further.in_order) == (0, False)


def test_many_clients_walk_or_go_by_loops(monkeypatch):
    monkeypatch.setattr(reach, "_reaches", {})
    one, two = (cpu_shape(clients=40, attempts=attempts) for attempts in (1, 2))
    chosen = [
        with_kernel(shape, code_of(40, stragglers), "auto")
        for shape, stragglers in ((one, 3), (one, 30), (two, 3))
    ]
    assert [(x.rule.kernel, x.reach) for x in chosen] == [("xla", 3), ("loops", 0), ("loops", 0)]
    long = [with_kernel(two, code_of(40, 3), "auto", most) for most in (2**24, 2**24 + 1)]
    assert [(x.rule.kernel, x.reach) for x in long] == [("loops", 0), ("xla", 3)]
    further = with_kernel(two, code_of(40, 20), "auto", 2**40)
    assert (further.rule.kernel, further.reach) == ("loops", 0), "faster, too"


def test_a_program_that_knows_a_reach_serves_codes_that_reach_further(monkeypatch):
    ran = []

    def compile_some(shape):
        return lambda inputs: ran.append((shape.rule.kernel, shape.reach))

    monkeypatch.setattr(checked_programs, "compiled_program", compile_some)
    shape = cpu_shape()._replace(reach=3)
    program = compile_or_fall_back(shape, code_of(24, 3))
    run = prepare_run(np.zeros(2, np.uint32), network_of(24), code_of(24, 3))
    lonely = np.array(run.field_matrix)
    lonely[5, 5] = 0
    matrices = [code_of(24, s).field_matrix for s in (1, 3, 4)]
    for matrix in (*matrices, lonely):
        program(Inputs(run._replace(field_matrix=matrix), *np.zeros(4, np.int32)))
    assert ran == [("xla", 3), ("xla", 3), ("xla", 0), ("xla", 0)]
    ran.clear()
    walk = cpu_shape(clients=40)._replace(reach=3)
    further = prepare_run(np.zeros(2, np.uint32), network_of(40), code_of(40, 4))
    compile_or_fall_back(walk, code_of(40, 3))(Inputs(further, *np.zeros(4, np.int32)))
    assert ran == [("loops", 0)]


@pytest.mark.slow
@pytest.mark.parametrize("attempts", [1, 2])  # by the walk, and by general elimination
def test_counts_are_those_of_the_program_of_loops(attempts, monkeypatch):
    """Also of codes that reach less far than the program knows, or further."""
    monkeypatch.setattr(reach, "_reaches", {})
    network = network_of(24)
    how = {"num_attempts": attempts, "devices": jax.devices()[:1]}
    knowing = compile_simulation(network, code_of(24, 3), **how)
    assert set().union(*reach._reaches.values()) == {3}
    loops = compile_simulation(network, code_of(24, 3), **how, num_trials=1)
    for stragglers in (3, 1, 4):
        run = jax.random.key(stragglers), network, code_of(24, stragglers), 3000
        found, expected = (reduce(add, each.counts(*run)) for each in (knowing, loops))
        assert str(found) == str(expected)
        assert 0 < expected.gc < 3000
        assert expected.rank_sum < 3000 * 24
