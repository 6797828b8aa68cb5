"""Which kernel computes the trials of a program, and whether the fused one counts right here."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxcogc._types import AnyArray
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.exact.panel_loops import MOST_UNROLLED
from jaxcogc.coding.exact.ring.terms import walk_serves, walks_around
from jaxcogc.links.checks import check_choice
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.links.thresholds import LinkKind
from jaxcogc.names import KERNELS
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.simulation.block_words import redrawn_code, run_words
from jaxcogc.outage.simulation.program import Program, compiled_program
from jaxcogc.outage.simulation.program_inputs import Inputs, Shape, prepare_run
from jaxcogc.outage.simulation.tying_law import tying_law
from jaxcogc.runtime.random_words import seed_key

_LOG = logging.getLogger(__name__)

_MOST_CLIENTS = 12
"""Whose whole Gram matrix fits the registers of a thread."""
_WORD = 32
"""Bits of a word: rows of all attempts, or attempts of all offsets of a row."""
_MOST_AROUND = 64
_FARTHEST = 16
"""Of codes that are eliminated around the ring: the window fits the registers then."""
_MOST_TERMS = 256
_FEWEST_FOR_A_REACH = 24
"""Terms of a Gram matrix, and clients: otherwise a program for any reach compiles as soon."""
_MOST_REACHES = 2
"""That have programs of their own in a process: all others share one, for any reach."""
_FIELDS = range(2**30, 2**31)

_verdicts: dict[Shape, str | None] = {}
_reaches: dict[Shape, set[int]] = {}


def with_kernel(
    shape: Shape, code: GradientCode, kernel: str, num_trials: int | None = None
) -> Shape:
    """The shape of a program by another kernel, or by XLA as `within_reach` says.

    Args:
      shape: of a program by XLA.
      code: that will be simulated.
      kernel: "auto", "xla" or "fused".
      num_trials: that will be asked for, where that is known: few go by loops.

    Raises:
      ValueError: no such kernel, or "fused" where it does not serve.
    """
    check_choice("kernel", kernel, KERNELS)
    ordinary = shape.rule.kernel == "xla" and kernel != "fused"
    if ordinary and _few(shape, num_trials) and not _knows_walk(shape, code):
        return by_kernel(shape, "loops")
    if kernel != "xla":
        reason = why_not_fused(shape, code)
        if reason is None:
            return as_fused(shape, code)
        if kernel == "fused":
            raise ValueError(f"kernel = 'fused': allowed here is 'auto' or 'xla': it {reason}")
    return _for_many_clients(within_reach(shape, code, num_trials))


def _few(shape: Shape, num_trials: int | None) -> bool:
    """Whether a program that runs faster than loops costs more to compile than it saves."""
    return num_trials is not None and num_trials <= (2**22 if shape.on_a_cpu else 2**17)


def _for_many_clients(shape: Shape) -> Shape:
    """The shape of a program by XLA; by loops for many clients on a CPU and any reach."""
    many = shape.on_a_cpu and shape.clients > MOST_UNROLLED and not shape.reach
    return by_kernel(shape, "loops") if many and shape.rule.kernel == "xla" else shape


def by_kernel(shape: Shape, kernel: str) -> Shape:
    """The same trials, by a kernel of `DecisionRule`, whether it serves them or not."""
    return shape._replace(rule=shape.rule._replace(kernel=kernel))


def as_fused(shape: Shape, code: GradientCode) -> Shape:
    """The shape of a program by the fused kernel, for codes that reach as far as this one."""
    reach = 0 if _fits_registers(shape) else code_reach(code.field_matrix)
    return by_kernel(shape, "fused")._replace(reach=reach)


def within_reach(shape: Shape, code: GradientCode, num_trials: int | None = None) -> Shape:
    """The shape of a program by XLA that serves codes which reach as far as this one, on a CPU.

    There what is known when the program is compiled is left out of it. Others stay as they are:
    other kernels, few clients, what follows where a process asks for many reaches, and where it
    compiles for long, unless ``num_trials`` make up for that.
    """
    if shape.rule.kernel != "xla" or not shape.on_a_cpu:
        return shape
    if shape.clients < _FEWEST_FOR_A_REACH or not _holds_itself(code.field_matrix):
        return shape
    reach = code_reach(code.field_matrix)
    pays = shape.clients <= MOST_UNROLLED or (num_trials or 0) > 2**24
    small = _walks(shape, reach) or (pays and _num_terms(shape, reach) <= _MOST_TERMS)
    if not small or not _has_room(shape, reach):
        return shape
    _reaches.setdefault(shape, set()).add(reach)
    in_order = _walks(shape, reach) and not _few(shape, num_trials)
    return shape._replace(reach=reach, in_order=in_order)


def _knows_walk(shape: Shape, code: GradientCode) -> bool:
    """Whether a program within reach walks around the ring: that compiles as soon as loops."""
    reach = code_reach(code.field_matrix)
    serves = _walks(shape, reach) and _holds_itself(code.field_matrix)
    return shape.on_a_cpu and serves and _has_room(shape, reach)


def _has_room(shape: Shape, reach: int) -> bool:
    """Whether a reach may have a program of its own in this process, or has it."""
    reaches = _reaches.get(shape, set())
    return reach in reaches or len(reaches) < _MOST_REACHES


def _walks(shape: Shape, reach: int) -> bool:
    """Whether a walk around the ring alone decides, where every row holds its own client."""
    return walks_around(shape.attempts, shape.clients) and walk_serves(shape.clients, reach)


def _num_terms(shape: Shape, reach: int) -> int:
    """Of a Gram matrix whose rows reach so far: each stands in the code of the program."""
    clients, attempts = shape.clients, shape.attempts
    diagonals = range(min(reach, clients // 2) + 1)
    meet = sum((o + d) % clients <= reach for d in diagonals for o in range(reach + 1))
    return meet * attempts


def serves(shape: Shape, code: GradientCode) -> bool:
    """Whether the program of a shape runs a code of its family and size itself."""
    if not shape.reach:
        return True
    holds = shape.rule.kernel == "fused" or _holds_itself(code.field_matrix)
    return holds and code_reach(code.field_matrix) <= shape.reach


def _holds_itself(coefficients: AnyArray) -> bool:
    """Whether every row holds the client that sends it."""
    return bool(np.all(np.diagonal(np.asarray(coefficients), axis1=-2, axis2=-1)))


def code_reach(coefficients: AnyArray) -> int:
    """How far around the ring the rows of a code reach: its largest offset, but at least 1.

    Args:
      coefficients: [.., clients, clients], concrete.

    >>> code_reach(np.eye(4) + np.eye(4, k=2) + np.eye(4, k=-2))
    2
    """
    matrices = np.asarray(coefficients)
    held: AnyArray = np.any(matrices.reshape(-1, *matrices.shape[-2:]), axis=0)
    receiver, sender = np.nonzero(held)
    return int(((sender - receiver) % len(held)).max(initial=1))


def why_not_fused(shape: Shape, code: GradientCode) -> str | None:
    """Why the fused kernel is not for a shape, a code and its devices; None where it is."""
    return _why_not_here(shape) or why_not_served(shape, code)


def _why_not_here(shape: Shape) -> str | None:
    platform = shape.devices[0].platform
    if platform != "gpu":
        return f"needs a GPU, this is a {platform}"
    if jax.process_count() > 1:
        return "serves the GPUs of one process"
    return None


def why_not_served(shape: Shape, code: GradientCode) -> str | None:
    """Why the fused kernel does not serve trials of a shape; None where it does."""
    if shape.rule.kernel == "float64" or shape.rule.modulus not in _FIELDS:
        return "serves codes over a field of 2^30 to 2^31 elements"
    if shape.strata:
        return "does not sort trials into strata"
    return None if _fits_registers(shape) else _why_not_around(shape, code)


def _fits_registers(shape: Shape) -> bool:
    """Whether the whole Gram matrix fits; else codes are eliminated around the ring."""
    return shape.clients <= _MOST_CLIENTS and shape.clients * shape.attempts <= _WORD


def _why_not_around(shape: Shape, code: GradientCode) -> str | None:
    if shape.clients > _MOST_AROUND:
        return f"serves up to {_MOST_AROUND} clients, not {shape.clients}"
    reach = code_reach(code.field_matrix)
    room = f"serves, beyond {_MOST_CLIENTS} clients or {_WORD} rows of all attempts, "
    if shape.links != LinkKind():
        return f"{room}independent links of two directions"
    room += "codes that reach "
    if reach > _FARTHEST:
        return f"{room}up to {_FARTHEST} clients onwards, not {reach}"
    attempts = _WORD // (2 * (reach // 2 + 1))
    if shape.attempts > attempts:
        return f"{room}{reach} clients onwards in up to {attempts} attempts, not {shape.attempts}"
    return None


def compile_or_fall_back(shape: Shape, code: GradientCode) -> Program:
    """The program of a shape; by XLA where its own kernel does not compile, or counts wrong.

    Args:
      shape: of the program.
      code: any of the shape's, to compare by.
    """
    fused = shape.rule.kernel == "fused"
    program = _compile_fused(shape, code) if fused else compiled_program(shape)
    return partial(_run_within_reach, program, shape, code) if shape.reach else program


def _compile_fused(shape: Shape, code: GradientCode) -> jax.stages.Compiled:
    if shape not in _verdicts:
        _verdicts[shape] = why_rejected(shape, code)
        if _verdicts[shape] is not None:
            _LOG.warning("kernel fused %s, using xla", _verdicts[shape])
    return compiled_program(shape if _verdicts[shape] is None else _by_xla(shape))


def _run_within_reach(program: Program, shape: Shape, code: GradientCode, inputs: Inputs) -> Any:
    """Run a program that serves codes up to a reach; another one for a code that reaches further.

    One program by XLA serves all codes of a size, and so must this: the first run of a code that
    reaches further waits for a compiler.
    """
    given = dataclasses.replace(code, field_matrix=inputs.run.field_matrix)
    if serves(shape, given):
        return program(inputs)
    if shape.rule.kernel != "fused" or why_not_served(shape, given):
        return compiled_program(_by_xla(shape))(inputs)
    further = shape._replace(reach=code_reach(given.field_matrix))
    return _compile_fused(further, given)(inputs)


def _by_xla(shape: Shape) -> Shape:
    return _for_many_clients(by_kernel(shape, "xla")._replace(reach=0, in_order=False))


def why_rejected(shape: Shape, code: GradientCode) -> str | None:
    """What is wrong with the fused kernel on these devices; None where it counts right.

    A block for each device is counted by it and by the ordinary program (that compiles soon), with
    usual links, with links so good that often just enough rows of an attempt are complete, and with
    thresholds that are words of the first device's block, where first words tie.
    """
    try:
        fused = compiled_program(shape)
        ordinary = compiled_program(by_kernel(shape, "loops")._replace(reach=0))
        for inputs in trial_inputs(shape, code):
            found, expected = (jax.tree.map(np.asarray, p(inputs)) for p in (fused, ordinary))
            if not jax.tree.all(jax.tree.map(np.array_equal, found, expected)):
                return "counts otherwise than the ordinary program here"
    except Exception as error:  # whatever a kernel compiler or a driver may raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return f"does not compile here ({reason})"
    return None


def trial_inputs(shape: Shape, code: GradientCode) -> Iterator[Inputs]:
    """What the fused kernel is compared by, as `why_rejected` says."""
    key = seed_key(0)
    if shape.rule.redrawn and not code.redrawn:
        code = redrawn_code(key, code, shape.attempts)
    kind, words = shape.links, run_words(key)
    zero, one = np.int32(0), np.int32(1)
    blocks = np.int32(len(shape.devices))
    reach = code_reach(code.field_matrix)
    enough = 1 - reach / shape.clients  # of a cyclic code's rows, if they are complete
    good = 0.25 / shape.clients, 1 - enough ** (1 / reach)
    for uplink, peer in ((0.4, 0.25), good):
        network = Network.homogeneous(
            shape.clients, uplink_erasure=uplink, peer_erasure=peer, reciprocal=kind.reciprocal
        )
        least = min(uplink, peer) / 4
        states = {"good_erasure": least, "bad_erasure": 0.8} if kind.soft else {}
        dynamics = LinkDynamics(memory=0.5, block_probability=peer / 3, **states)
        run = prepare_run(words, network, code, dynamics=dynamics, kind=kind)
        yield Inputs(run, zero, one, blocks, zero)
    tying = run._replace(law=tying_law(run, shape.clients, shape.attempts, kind))
    yield Inputs(tying, zero, one, np.int32(blocks - 1), np.int32(BLOCK_TRIALS - 99))
