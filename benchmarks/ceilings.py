"""How fast could this program be? Bytes over bandwidth, and integer operations over their rate.

Both rates are measured on the device, with JAX. What a program does is read off its trace: one
operation per element of every arithmetic step, and as bytes the operands and results of its stages
(`lax.cond`, Pallas calls), which are what passes through memory when everything in between is fused
perfectly. So both ceilings are lower bounds on the time, and a distance from them is an upper bound
on what is left to gain without another algorithm.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from rich.console import Console

from benchmarks.report import short

_ARITHMETIC = {"add", "sub", "mul", "neg", "rem", "div", "min", "max", "select_n", "abs", "sign"}
_ARITHMETIC |= {"and", "or", "xor", "not", "population_count", "clz", "eq", "ne", "lt", "le"}
_ARITHMETIC |= {"gt", "ge", "shift_left", "shift_right_logical", "shift_right_arithmetic"}
_CHAIN = 256


class Cost(NamedTuple):
    """What a program does.

    Attributes:
      operations: element-wise arithmetic operations.
      bytes_moved: through the memory of the device.
    """

    operations: float
    bytes_moved: float


class Rates(NamedTuple):
    """What a device can do, measured.

    Attributes:
      bandwidth: bytes read or written per second.
      operations: 32-bit integer operations per second; a multiply-add is two.
    """

    bandwidth: float
    operations: float


def measure_rates(num_words: int = 2**26, repeats: int = 10) -> Rates:
    """Bandwidth of a copy and rate of multiply-adds on the default device.

    Args:
      num_words: uint32 numbers of the array that is copied; far more than fits a cache.
      repeats: runs of each, of which the fastest counts.
    """
    words = jnp.arange(num_words, dtype=jnp.uint32)
    fewer = words[: max(1, num_words // 16)]
    factor, summand = jnp.uint32(1664525), jnp.uint32(1013904223)
    copy = _fastest(_add, (words, summand), repeats)
    chain = _fastest(_multiply_add, (fewer, factor, summand), repeats)
    return Rates(2 * words.nbytes / copy, 2 * _CHAIN * fewer.size / chain)


@jax.jit
def _add(words, summand):
    return words + summand


@jax.jit
def _multiply_add(words, factor, summand):
    for _ in range(_CHAIN):
        words = words * factor + summand
    return words


def _fastest(function: Callable[..., Any], arguments: tuple[Any, ...], repeats: int) -> float:
    jax.block_until_ready(function(*arguments))
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def cost_of(traced: Any, while_trips: Sequence[float]) -> Cost:
    """Operations and bytes of a traced program.

    Args:
      traced: what ``jax.make_jaxpr`` returns.
      while_trips: rounds of every `while` loop by depth of nesting; the last serves deeper ones.

    >>> traced = jax.make_jaxpr(lambda x: x * x + 1)(jnp.zeros(8, jnp.uint32))
    >>> cost_of(traced, [1])
    Cost(operations=16.0, bytes_moved=64.0)
    """
    jaxpr = traced.jaxpr
    inside = _walk(jaxpr, list(while_trips))
    ends = _bytes([*jaxpr.invars, *jaxpr.outvars])
    return Cost(inside.operations, inside.bytes_moved + ends)


def _walk(jaxpr: Any, trips: list[float]) -> Cost:
    operations = bytes_moved = 0.0
    for equation in jaxpr.eqns:
        cost = _equation(equation, trips)
        operations += cost.operations
        bytes_moved += cost.bytes_moved
    return Cost(operations, bytes_moved)


def _equation(equation: Any, trips: list[float]) -> Cost:
    name, parameters = equation.primitive.name, equation.params
    if name in _ARITHMETIC:
        return Cost(float(sum(_size(v) for v in equation.outvars)), 0.0)
    if name.startswith(("reduce_", "cum")):
        return Cost(float(sum(_size(v) for v in equation.invars)), 0.0)
    ends = _bytes([*equation.invars, *equation.outvars])
    if name == "cond":
        return _branches([branch.jaxpr for branch in parameters["branches"]], trips, ends)
    if name == "pallas_call":
        inside = _walk(parameters["jaxpr"], trips)
        return Cost(inside.operations * math.prod(parameters["grid_mapping"].grid), ends)
    if name == "while":
        inside = _walk(parameters["body_jaxpr"].jaxpr, trips[1:] or trips)
        times = trips[0]
    else:
        parts = [_walk(inner, trips) for inner in _inner(parameters)]
        inside = Cost(sum(p.operations for p in parts), sum(p.bytes_moved for p in parts))
        times = parameters["length"] if name == "scan" else 1
    return Cost(times * inside.operations, times * inside.bytes_moved)


def _branches(branches: list[Any], trips: list[float], ends: int) -> Cost:
    """The dearest branch; but one that may leave everything as it is is taken to do so."""
    if any(
        b.outvars and not b.eqns and set(map(id, b.outvars)) <= set(map(id, b.invars))
        for b in branches
    ):
        return Cost(0.0, 0.0)
    inside = max((_walk(branch, trips) for branch in branches), key=lambda cost: cost.operations)
    return Cost(inside.operations, inside.bytes_moved + ends)


def _inner(parameters: dict[str, Any]) -> Iterator[Any]:
    for value in parameters.values():
        value = getattr(value, "jaxpr", value)
        if hasattr(value, "eqns"):
            yield value


def _size(variable: Any) -> int:
    return math.prod(getattr(variable.aval, "shape", ()))


def _bytes(variables: list[Any]) -> int:
    total = 0
    for variable in variables:
        dtype = getattr(variable.aval, "dtype", None)
        total += _size(variable) * (getattr(dtype, "itemsize", 0) if dtype is not None else 0)
    return total


def ceilings_of(
    cost: Cost, num_trials: int, rate: float, rates: Rates, console: Console | None = None
) -> dict[str, float]:
    """The two ceilings of a program and how much of each it reaches.

    Args:
      cost: of a call.
      num_trials: trials in that call.
      rate: trials per second that were measured.
      rates: of the device.
      console: to print on.

    Returns:
      For the result file: rates in trials per second, shares in [0, 1] but for errors of measuring.

    >>> ceilings_of(Cost(2e3, 1e4), 1, 10.0, Rates(1e6, 1e6))["bandwidth_share"]
    0.1
    """
    found: dict[str, float] = {}
    pairs = (
        ("bandwidth", "bytes", cost.bytes_moved, rates.bandwidth),
        ("arithmetic", "integer operations", cost.operations, rates.operations),
    )
    for name, unit, amount, measured in pairs:
        ceiling = measured / (amount / num_trials)
        found |= {
            f"{name}_per_second": measured,
            f"{name}_per_trial": amount / num_trials,
            f"{name}_ceiling": ceiling,
            f"{name}_share": rate / ceiling,
        }
        if console is not None:
            console.print(
                f"  ceiling of {name}: {short(ceiling)} trials/s ({short(amount / num_trials)} "
                f"{unit} a trial, {short(measured)} {unit}/s measured); reached "
                f"{rate / ceiling:.1%}"
            )
    return found
