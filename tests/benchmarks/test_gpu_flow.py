"""The plan for GPUs that are not there: rounds, branches, bytes and products of small programs."""

import ast
import doctest
import importlib

import numpy as np
import pytest

from benchmarks.cases import Shape
from benchmarks.gpu.compiling import CompiledProgram
from benchmarks.gpu.costs import KERNEL_SECONDS, LAUNCH_SECONDS, WAIT_SECONDS, Prices
from benchmarks.gpu.flow import Rules, flow_of, paired
from benchmarks.gpu.hlo import Module
from benchmarks.gpu.kernel_loops import Loop, ring_loops, rounds_of
from benchmarks.gpu.machine_code import Code, Kernel, matrix_format
from benchmarks.gpu.plan import case_of
from benchmarks.gpu.programs import Planned
from benchmarks.gpu.rounds import decoder_rules, largest_of, simulation_rules, training_rules
from benchmarks.gpu.targets import TARGETS
from benchmarks.gpu.thunks import read_thunks, started
from benchmarks.training_case import Size
from tests.source_tree import SOURCES, FunctionDef, tree_of

H100 = TARGETS["h100"]
UNBUFFERED = """000: kKernel
001: kWhile
condition:
    002: kKernel
  body:
    003: kConditional
      branch_0:
        004: kKernel
      branch_1:
    005: kCommandBuffer
        006: kKernel
        007: kCopy
"""
PROGRAM = """HloModule jit_run, is_scheduled=true

FunctionNames
1 "run"
2 "run.<locals>.body"

FileLocations
1 {file_name_id=1 function_name_id=1 line=1}
2 {file_name_id=1 function_name_id=2 line=2}

StackFrames
1 {file_location_id=1 parent_frame_id=1}
2 {file_location_id=2 parent_frame_id=2}

%product (p0: f32[4,8], p1: f32[100,8,2], p2: s32[]) -> f32[4,2] {
  %p0 = f32[4,8]{1,0} parameter(0)
  %p1 = f32[100,8,2]{2,1,0} parameter(1)
  %p2 = s32[] parameter(2)
  %zero = s32[] constant(0)
  %one = f32[1,8,2]{2,1,0} dynamic-slice(%p1, %p2, %zero, %zero), dynamic_slice_sizes={1,8,2}
  %flat = f32[8,2]{1,0} bitcast(%one)
  ROOT %dot = f32[4,2]{1,0} dot(%p0, %flat), lhs_contracting_dims={1}, rhs_contracting_dims={0}
}

%put (p0: f32[50,4,2], p1: f32[4,2], p2: s32[]) -> f32[50,4,2] {
  %p0.1 = f32[50,4,2]{2,1,0} parameter(0)
  %p1.1 = f32[4,2]{1,0} parameter(1)
  %p2.1 = s32[] parameter(2)
  %row = f32[1,4,2]{2,1,0} bitcast(%p1.1)
  ROOT %new = f32[50,4,2]{2,1,0} dynamic-update-slice(%p0.1, %row, %p2.1, %p2.1, %p2.1)
}

%yes (a: f32[4,2]) -> f32[4,2] {
  %a = f32[4,2]{1,0} parameter(0)
  ROOT %other = f32[4,2]{1,0} copy(%a)
}

%no (b: f32[4,2]) -> f32[4,2] {
  ROOT %b = f32[4,2]{1,0} parameter(0)
}

%less (c: (s32[], f32[4,2])) -> pred[] {
  %c = (s32[], f32[4,2]{1,0}) parameter(0)
  ROOT %compare = pred[] fusion(%c), kind=kLoop, calls=%nothing
}

%body (d: (s32[], f32[4,2])) -> (s32[], f32[4,2]) {
  %d = (s32[], /*index=1*/f32[4,2]{1,0}) parameter(0)
  %x = f32[4,2]{1,0} get-tuple-element(%d), index=1
  %choice = f32[4,2]{1,0} conditional(%flag, %x, %x), true_computation=%yes, \
false_computation=%no, metadata={op_name="run" stack_frame_id=2}
  %dots = f32[4,2]{1,0} fusion(%x, %many, %i), kind=kCustom, calls=%product
  ROOT %copied = (s32[], f32[4,2]{1,0}) copy(%dots)
}

ENTRY %main (e: f32[4,8]) -> f32[50,4,2] {
  %e = f32[50,4,2]{2,1,0} parameter(0)
  %kept = f32[50,4,2]{2,1,0} fusion(%e, %row, %i), kind=kLoop, calls=%put
  ROOT %loop = (s32[], f32[4,2]{1,0}) while(%t), condition=%less, body=%body, \
metadata={stack_frame_id=1}
}
""".replace("\\\n", "")


@pytest.mark.parametrize("name", ["hlo", "machine_code", "plan", "rounds", "tables", "thunks"])
def test_examples_in_docstrings(name):
    found = doctest.testmod(importlib.import_module(f"benchmarks.gpu.{name}"))
    assert found.attempted
    assert found.failed == 0


def _flow(rules, text=UNBUFFERED, program=PROGRAM):
    return flow_of(read_thunks(text), Prices(H100, Module(program), {}), rules)


def test_loops_and_branches_outside_of_command_buffers_make_the_host_wait():
    assert started(read_thunks(UNBUFFERED)) == (4, 2, 5)
    # 1 + 10 rounds of 2 or 3 launches, 2 waits and 3 or 4 kernels, as the branch has one or none
    taken, never = ({"run.body": branches} for branches in ((0.0, 1.0), (1.0, 0.0)))
    total = _flow(Rules({"run": 10}, taken)).total
    assert (total.launches, total.host_waits, total.kernels) == (31, 20, 41)
    seconds = 31 * LAUNCH_SECONDS + 20 * WAIT_SECONDS + 41 * KERNEL_SECONDS[0]
    assert total.fast == pytest.approx(seconds)
    assert total.slow == pytest.approx(seconds + 41 * (KERNEL_SECONDS[1] - KERNEL_SECONDS[0]), 1e-3)
    total = _flow(Rules({"run": 10}, never)).total
    assert (total.launches, total.host_waits, total.kernels) == (21, 20, 31)


def test_the_dearest_branch_counts_where_none_is_named():
    assert _flow(Rules({"run": 10})).total.kernels == 41


def test_a_loop_that_nobody_knows_is_named():
    flow = _flow(Rules({"walk": 10}))
    assert flow.unknown == ["the rounds of the loop in run"]


def test_rounds_that_xla_found_are_taken_before_all_others():
    found = 'body=%body, backend_config={"known_trip_count":{"n":"7"}},'
    flow = _flow(Rules({"run": 10}), program=PROGRAM.replace("body=%body,", found))
    assert not flow.unknown
    (outside, inside) = flow.parts
    assert (outside.where, outside.rounds, outside.cost.kernels) == ((), 1, 1)
    assert (inside.where, inside.rounds, inside.cost.kernels) == (("run",), 7, 28)


def test_of_a_slice_only_what_is_taken_or_replaced_counts():
    module = Module(PROGRAM)
    (kept, _), (_, dots, _) = module.starting("main"), module.starting("body")
    assert module.moved("main", kept) == 4 * (4 * 2 + 1) + 4 * 4 * 2  # the row, a place; the row
    assert module.moved("body", dots) == 4 * (4 * 8 + 8 * 2 + 1) + 4 * 4 * 2
    assert module.multiplied(dots) == 2 * 4 * 8 * 2
    assert _flow(Rules({"run": 10})).total.flops == 10 * 128


def test_a_part_of_a_tuple_as_newer_versions_of_jax_write_it():
    """Without an instruction of its own: the second part of %d is %d#1."""
    took = "  %x = f32[4,2]{1,0} get-tuple-element(%d), index=1\n"
    assert took in PROGRAM
    module, before = Module(PROGRAM.replace(took, "").replace("%x", "%d#1")), Module(PROGRAM)
    taken = module.computations["body"]["d#1"]
    assert (taken.shape, taken.operands) == ("f32[4,2]{1,0}", ["d"])
    for name in ("main", "body"):
        for new, old in zip(module.starting(name), before.starting(name), strict=True):
            assert new.name == old.name
    copied = module.starting("body")[0]._replace(operands=["d#1"])
    assert module.moved("body", copied) == 2 * 4 * 4 * 2


def test_copies_before_a_sort_belong_to_no_instruction():
    thunks = read_thunks("000: kCopy\n001: kKernel\n002: kCopy\n003: kKernel\n004: kWhile\n")
    module = Module(PROGRAM)
    copy = module.starting("yes")[0]
    sort, loop = module.starting("main")
    found = [x and x.name for x in paired(thunks, [copy, sort, sort, loop])]
    assert found == ["other", "kept", None, "kept", "loop"]
    # Loops that do not meet: better nothing than what belongs to something else.
    assert list(paired(thunks, [copy, loop, sort, sort])) == [None] * 5


def test_a_kernel_takes_as_long_as_its_slowest_part():
    thunk = read_thunks("0: kKernel [source] work grid: [132, 40, 1] threads: [128, 1, 1]")[0]
    code = Code([("IADD3", "")] * 900 + [("EXIT", "")], {})
    prices = Prices(H100, Module(PROGRAM), {"work": Kernel("work", 8, 0, 901, code)})
    cost = prices.of(thunk, "", None)
    assert cost.arithmetic == pytest.approx(40 * 1800 / 1.755e9)  # 40 warps a scheduler
    assert cost.slow == pytest.approx(40 * 1800 / 1.755e9 / 0.6 + KERNEL_SECONDS[1])
    few = prices.of(thunk._replace(threads=32), "", None)
    assert (few.arithmetic, few.starting) == (0, KERNEL_SECONDS[0])
    assert few.slow == pytest.approx(901 * 4 / 1.755e9 + KERNEL_SECONDS[1])


@pytest.mark.parametrize(
    ("loops", "reason"),
    [
        ([Loop(64, 0)], None),
        ([Loop(64, 0), Loop(8, 3)], None),  # the second was written out
        ([Loop(64, 0), Loop(9, 3)], "the rounds of the 1 loops in ring_trials"),
        ([Loop(64, 1)], "the rounds of the 1 loops in ring_trials"),
    ],
)
def test_a_kernel_that_draws_has_a_rate_where_the_rounds_of_its_loops_are_known(loops, reason):
    code = Code([("IADD3", ""), ("BRA", " `(.L_x_0)")], {".L_x_0": 0})
    kernel = Kernel("ring_trials", 99, 0, 2, code)
    text = "0: kKernel [] ring_trials grid: [6600000, 1, 1] threads: [32, 1, 1]"
    planned = Planned("ring", None, "trials", 6600000 * 32, Rules(), {"ring_trials": loops})
    compiled = CompiledProgram(1.0, 1, 1, read_thunks(text), Module(PROGRAM), [kernel])
    case = case_of(H100, planned, compiled, 1.0)
    assert case["no_rate_because"] == reason
    assert (case["predicted_rate"] is None) == (case["prediction"] is None) == (reason is not None)
    assert case["fused_kernel"]["registers"] == 99
    if reason is None:
        bound = case["fused_kernel"]["bound_trials_per_second"]
        assert bound == pytest.approx(32 * 528 * 1.755e9 / 128)
        assert 0.5 * bound < case["predicted_rate"]["low"] < case["predicted_rate"]["high"] < bound


def test_loops_of_the_kernel_for_rings_are_told_apart_by_what_they_store():
    """Stores of the loops that two versions of the compiler left, at (16, 5, 2) and (64, 16, 1)."""
    few = rounds_of(ring_loops(Shape(16, 5, 2)), [1, 0, 0, 1, 6, 6, 5, 0, 0, 0])
    assert few == [16, 3, 0, 16, 16, 11, 11, 11, 5, 11]
    many = rounds_of(ring_loops(Shape(64, 16, 1)), [1, 0, 0, 1, 17, 0, 17, 0, 8, 0, 8, 0, 17, 0, 0])
    assert many == [64, 9, 0, 64, 64, *[16, 48] * 3, 48, 16, 16, 48]
    assert rounds_of(ring_loops(Shape(64, 16, 1)), [1, 0, 0, 1, 17]) is None


def test_the_format_of_products_is_read_from_the_machine_code():
    assert matrix_format(Code([("MOV", ""), ("HGMMA.64x32x8.F32.TF32", "")], {})) == "TF32"
    assert matrix_format(Code([("HMMA.16816.F32.BF16", "")], {})) == "BF16"
    assert matrix_format(Code([("FFMA", "")], {})) is None


def test_the_largest_of_many_binomial_numbers_by_drawing_them():
    drawn = np.random.default_rng(0).binomial(20, 0.05, (4000, 200)).max(axis=1)
    assert largest_of(200, 20, 0.05) == pytest.approx(drawn.mean(), abs=0.05)


def test_rules_name_functions_that_are_there():
    """By the names that XLA's frames have: loops in a function inside of another by both."""
    shapes = (Shape(10, 7, 2), Shape(64, 16, 1))
    rules = [simulation_rules(shape, 4, 16, 64) for shape in shapes]
    rules += [decoder_rules(shapes[0], 64), training_rules(Size())]
    named = {name for one in rules for name in (*one.rounds, *one.branches)}
    there = {name for path in SOURCES for name in _nested(tree_of(path), ())}
    assert named <= there, named - there


def _nested(node, around):
    """The last two of the functions around every function of a file, with its own name."""
    for child in ast.iter_child_nodes(node):
        inside = (*around, child.name) if isinstance(child, FunctionDef) else around
        if isinstance(child, FunctionDef):
            yield ".".join(inside[-2:])
        yield from _nested(child, inside)


def test_the_walk_around_a_ring_has_known_rounds():
    rules = simulation_rules(Shape(64, 16, 1), 2, 2**14, 2**15)
    assert rules.rounds["walk"] * 4 + 16 == 64, "blocks of four clients, but for the constraints"
    # One trial in 3 540 has all 16 constraints: of 2^14 one practically always, of 16 seldom.
    assert rules.rounds["_all_constraints"] == pytest.approx(2.99, abs=0.005)
    few = simulation_rules(Shape(64, 16, 1), 2, 16, 32)
    assert few.rounds["_all_constraints"] == pytest.approx(2.0045, abs=0.0005)
    assert sum(few.branches["_in_groups"]) == pytest.approx(1)
