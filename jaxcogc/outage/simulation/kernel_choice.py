"""Which kernel computes the trials of a program, and whether the fused one counts right here."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import jax
import numpy as np

from jaxcogc.coding.codes import GradientCode
from jaxcogc.links.checks import check_choice
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.names import KERNELS
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.simulation.block_words import redrawn_code, run_words
from jaxcogc.outage.simulation.program import compiled_program
from jaxcogc.outage.simulation.program_inputs import Inputs, Shape, prepare_run
from jaxcogc.outage.simulation.tying_law import tying_law
from jaxcogc.runtime.random_words import seed_key

_LOG = logging.getLogger(__name__)

_MOST_CLIENTS = 12
_MOST_ROWS = 32
_FIELDS = range(2**30, 2**31)

_verdicts: dict[Shape, str | None] = {}


def with_kernel(shape: Shape, kernel: str, num_trials: int | None = None) -> Shape:
    """The shape of a program by another kernel.

    Args:
      shape: of a program by XLA.
      kernel: "auto", "xla" or "fused".
      num_trials: that will be asked for, where that is known: few go by loops, by XLA.

    Raises:
      ValueError: no such kernel, or "fused" where it does not serve.
    """
    check_choice("kernel", kernel, KERNELS)
    by_loops = kernel != "fused" and shape.rule.kernel == "xla"
    if by_loops and num_trials is not None and num_trials <= _few_trials(shape):
        return by_kernel(shape, "loops")
    if kernel == "xla":
        return shape
    reason = why_not_fused(shape)
    if reason is None:
        return by_kernel(shape, "fused")
    if kernel == "fused":
        raise ValueError(f"kernel = 'fused': allowed here is 'auto' or 'xla': it {reason}")
    return shape


def _few_trials(shape: Shape) -> int:
    """Up to so many trials the faster program costs more to compile than it saves."""
    if shape.devices[0].platform != "cpu":
        return 2**17
    return min(2**20, 2**27 // shape.clients**2)


def by_kernel(shape: Shape, kernel: str) -> Shape:
    """The same trials, by a kernel of `DecisionRule`, whether it serves them or not."""
    return shape._replace(rule=shape.rule._replace(kernel=kernel))


def why_not_fused(shape: Shape) -> str | None:
    """Why the fused kernel is not for a shape and its devices; None where it is."""
    return _why_not_here(shape) or why_not_served(shape)


def _why_not_here(shape: Shape) -> str | None:
    platform = shape.devices[0].platform
    if platform != "gpu":
        return f"needs a GPU, this is a {platform}"
    if jax.process_count() > 1:
        return "serves the GPUs of one process"
    return None


def why_not_served(shape: Shape) -> str | None:
    """Why the fused kernel does not serve trials of a shape; None where it does."""
    rows = shape.clients * shape.attempts
    if shape.clients > _MOST_CLIENTS:
        return f"serves up to {_MOST_CLIENTS} clients, not {shape.clients}"
    if rows > _MOST_ROWS:
        return f"serves up to {_MOST_ROWS} rows of all attempts, not {rows}"
    if shape.rule.kernel == "float64" or shape.rule.modulus not in _FIELDS:
        return "serves codes over a field of 2^30 to 2^31 elements"
    return "does not sort trials into strata" if shape.strata else None


def compile_or_fall_back(shape: Shape, code: GradientCode) -> jax.stages.Compiled:
    """The program of a shape; by XLA where its own kernel does not compile, or counts wrong.

    Args:
      shape: of the program.
      code: any of the shape's, to compare by.
    """
    if shape.rule.kernel != "fused":
        return compiled_program(shape)
    if shape not in _verdicts:
        _verdicts[shape] = why_rejected(shape, code)
        if _verdicts[shape] is not None:
            _LOG.warning("kernel fused %s, using xla", _verdicts[shape])
    return compiled_program(shape if _verdicts[shape] is None else by_kernel(shape, "xla"))


def why_rejected(shape: Shape, code: GradientCode) -> str | None:
    """What is wrong with the fused kernel on these devices; None where it counts right.

    Each device counts a block by it and by the ordinary program (that compiles soon), once with
    usual links and once with thresholds that are words of the block, where first words tie.
    """
    try:
        fused, ordinary = compiled_program(shape), compiled_program(by_kernel(shape, "loops"))
        for inputs in _trial_inputs(shape, code):
            found, expected = (jax.tree.map(np.asarray, p(inputs)) for p in (fused, ordinary))
            if not jax.tree.all(jax.tree.map(np.array_equal, found, expected)):
                return "counts otherwise than the ordinary program here"
    except Exception as error:  # whatever a kernel compiler or a driver may raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return f"does not compile here ({reason})"
    return None


def _trial_inputs(shape: Shape, code: GradientCode) -> Iterator[Inputs]:
    key = seed_key(0)
    if shape.rule.redrawn and not code.redrawn:
        code = redrawn_code(key, code, shape.attempts)
    kind = shape.links
    network = Network.homogeneous(
        shape.clients, uplink_erasure=0.4, peer_erasure=0.25, reciprocal=kind.reciprocal
    )
    states = {"good_erasure": 0.1, "bad_erasure": 0.8} if kind.soft else {}
    dynamics = LinkDynamics(memory=0.5, block_probability=0.1, **states)
    run = prepare_run(run_words(key), network, code, dynamics=dynamics, kind=kind)
    zero, one = np.int32(0), np.int32(1)
    blocks = np.int32(len(shape.devices))
    yield Inputs(run, zero, one, blocks, zero)
    tying = run._replace(law=tying_law(run, shape.clients, shape.attempts, kind))
    yield Inputs(tying, zero, one, np.int32(blocks - 1), np.int32(BLOCK_TRIALS - 99))
