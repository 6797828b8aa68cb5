"""Which kernel computes the trials of a program, and for codes of which reach."""

from __future__ import annotations

from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.exact.panel_loops import MOST_UNROLLED
from jaxcogc.links.checks import check_choice
from jaxcogc.names import KERNELS
from jaxcogc.outage.simulation.kernels.fused_limits import fits_registers, why_not_fused
from jaxcogc.outage.simulation.kernels.reach import (
    code_reach,
    has_room,
    holds_itself,
    keep_room,
    num_terms,
    walks,
)
from jaxcogc.outage.simulation.program_inputs import Shape

_FEWEST_FOR_A_REACH = 24
_MOST_TERMS = 256
"""Clients and terms of a Gram matrix: otherwise a program for any reach compiles as soon."""


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


def _knows_walk(shape: Shape, code: GradientCode) -> bool:
    """Whether a program within reach walks around the ring: that compiles as soon as loops."""
    reach = code_reach(code.field_matrix)
    serves = walks(shape, reach) and holds_itself(code.field_matrix)
    return shape.on_a_cpu and serves and has_room(shape, reach)


def within_reach(shape: Shape, code: GradientCode, num_trials: int | None = None) -> Shape:
    """The shape of a program by XLA that serves codes which reach as far as this one, on a CPU.

    There what is known when the program is compiled is left out of it. Others stay as they are:
    other kernels, few clients, what follows where a process asks for many reaches, and where it
    compiles for long, unless ``num_trials`` make up for that.
    """
    if shape.rule.kernel != "xla" or not shape.on_a_cpu:
        return shape
    if shape.clients < _FEWEST_FOR_A_REACH or not holds_itself(code.field_matrix):
        return shape
    reach = code_reach(code.field_matrix)
    pays = shape.clients <= MOST_UNROLLED or (num_trials or 0) > 2**24
    small = walks(shape, reach) or (pays and num_terms(shape, reach) <= _MOST_TERMS)
    if not small or not has_room(shape, reach):
        return shape
    keep_room(shape, reach)
    in_order = walks(shape, reach) and not _few(shape, num_trials)
    return shape._replace(reach=reach, in_order=in_order)


def as_fused(shape: Shape, code: GradientCode) -> Shape:
    """The shape of a program by the fused kernel, for codes that reach as far as this one."""
    reach = 0 if fits_registers(shape) else code_reach(code.field_matrix)
    return by_kernel(shape, "fused")._replace(reach=reach)


def by_kernel(shape: Shape, kernel: str) -> Shape:
    """The same trials, by a kernel of `DecisionRule`, whether it serves them or not."""
    return shape._replace(rule=shape.rule._replace(kernel=kernel))


def by_xla(shape: Shape) -> Shape:
    """The same trials, by XLA's program for codes of any reach."""
    return _for_many_clients(by_kernel(shape, "xla")._replace(reach=0, in_order=False))


def _for_many_clients(shape: Shape) -> Shape:
    """The shape of a program by XLA; by loops for many clients on a CPU and any reach."""
    many = shape.on_a_cpu and shape.clients > MOST_UNROLLED and not shape.reach
    return by_kernel(shape, "loops") if many and shape.rule.kernel == "xla" else shape
