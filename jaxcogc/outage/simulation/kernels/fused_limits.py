"""Where the fused kernels serve: the sizes, codes, links and devices."""

from __future__ import annotations

import jax

from jaxcogc.coding.codes import GradientCode
from jaxcogc.links.thresholds import LinkKind
from jaxcogc.outage.simulation.kernels.reach import code_reach
from jaxcogc.outage.simulation.program_inputs import Shape

_MOST_CLIENTS = 12
"""Whose whole Gram matrix fits the registers of a thread."""
_WORD = 32
"""Bits of a word: rows of all attempts, or attempts of all offsets of a row."""
_MOST_AROUND = 64
_FARTHEST = 16
"""Of codes that are eliminated around the ring: the window fits the registers then."""
_FIELDS = range(2**30, 2**31)


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
    return None if fits_registers(shape) else _why_not_around(shape, code)


def fits_registers(shape: Shape) -> bool:
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
