"""The compiled program of a shape, by its kernel only where that counts as the ordinary one."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxcogc.coding.codes import GradientCode
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.simulation.block_words import redrawn_code, run_words
from jaxcogc.outage.simulation.kernels.choice import by_kernel, by_xla
from jaxcogc.outage.simulation.kernels.fused_limits import why_not_served
from jaxcogc.outage.simulation.kernels.reach import code_reach, serves
from jaxcogc.outage.simulation.kernels.tying_law import tying_law
from jaxcogc.outage.simulation.program import Program, compiled_program
from jaxcogc.outage.simulation.program_inputs import Inputs, Shape, prepare_run
from jaxcogc.runtime.random_words import seed_key

_LOG = logging.getLogger(__name__)

_verdicts: dict[Shape, str | None] = {}


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
    return compiled_program(shape if _verdicts[shape] is None else by_xla(shape))


def _run_within_reach(program: Program, shape: Shape, code: GradientCode, inputs: Inputs) -> Any:
    """Run a program that serves codes up to a reach; another one for a code that reaches further.

    One program by XLA serves all codes of a size, and so must this: the first run of a code that
    reaches further waits for a compiler.
    """
    given = dataclasses.replace(code, field_matrix=inputs.run.field_matrix)
    if serves(shape, given):
        return program(inputs)
    if shape.rule.kernel != "fused" or why_not_served(shape, given):
        return compiled_program(by_xla(shape))(inputs)
    further = shape._replace(reach=code_reach(given.field_matrix))
    return _compile_fused(further, given)(inputs)


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
