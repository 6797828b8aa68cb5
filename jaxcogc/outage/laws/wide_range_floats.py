"""Float64 numbers that carry a power of two each: products that neither under- nor overflow.

Sums and products of non-negative numbers keep a relative error of 2^-53 per operation whatever
their size. Everything here needs 64-bit mode: it is called inside local scopes only.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcogc._types import Array


class WideFloats(NamedTuple):
    """The numbers ``digits * 2**exponent``; any shape, float64 and int32 alike.

    Exponents are constants to differentiation: the derivative of a number is that of its digits, on
    the same scale. That keeps derivatives which are far larger than the number itself.
    """

    digits: Array
    exponent: Array


def to_wide(numbers: Array) -> WideFloats:
    """The numbers with digits in [1/2, 1), or 0; any shape, float64, also below 2^-1022.

    >>> with jax.enable_x64(True):
    ...     print(*to_wide(jnp.float64(12.0)))
    0.75 4
    """
    bits = jax.lax.bitcast_convert_type(jax.lax.stop_gradient(numbers), jnp.int64)
    # Arithmetic takes what is below 2^-1022 for 0; its bits are those of a whole number.
    below = (bits >> 52 == 0) & (bits != 0)
    digits = jnp.where(below, bits.astype(jnp.float64), numbers)
    return _normal(digits, jnp.where(below, -1074, 0).astype(jnp.int32))


def to_float64(numbers: WideFloats) -> Array:
    """The numbers as plain float64; 0 below 2^-1022.

    >>> with jax.enable_x64(True):
    ...     print(to_float64(WideFloats(jnp.float64(0.75), jnp.int32(4))))
    12.0
    """
    half = numbers.exponent // 2  # in two steps: 2^1024 itself is no float64
    return numbers.digits * _power_of_two(half) * _power_of_two(numbers.exponent - half)


def log_of(probability: WideFloats, complement: WideFloats) -> Array:
    """Natural logarithms of probabilities, of which the complements are known too.

    >>> with jax.enable_x64(True):
    ...     print(log_of(to_wide(jnp.float64(1.0)), to_wide(jnp.float64(2.0**-70))) == -2.0**-70)
    True
    """
    rest = to_float64(complement)
    likely = rest < 0.5  # then the complement has the digits of the logarithm
    near_one = jnp.log1p(-jnp.where(likely, rest, 0.0))
    small = jnp.log(probability.digits) + probability.exponent * math.log(2.0)
    return jnp.where(likely, near_one, small)


def multiply(left: WideFloats, right: WideFloats) -> WideFloats:
    """Products of two arrays of numbers of one shape (or broadcastable ones).

    >>> with jax.enable_x64(True):
    ...     tiny = to_wide(jnp.float64(2.0**-1000))
    ...     print(multiply(tiny, tiny).exponent)
    -1999
    """
    return _normal(left.digits * right.digits, left.exponent + right.exponent)


def add(left: WideFloats, right: WideFloats) -> WideFloats:
    """Sums of two arrays of non-negative numbers of one shape.

    >>> with jax.enable_x64(True):
    ...     print(to_float64(add(to_wide(jnp.float64(3.0)), to_wide(jnp.float64(0.0)))))
    3.0
    """
    left_is_zero, right_is_zero = left.digits == 0.0, right.digits == 0.0
    # A zero has no size of its own: its exponent counts only beside another zero.
    largest = jnp.where(
        left_is_zero == right_is_zero,
        jnp.maximum(left.exponent, right.exponent),
        jnp.where(left_is_zero, right.exponent, left.exponent),
    )
    left_part = left.digits * _power_of_two(left.exponent - largest)
    right_part = right.digits * _power_of_two(right.exponent - largest)
    return _normal(left_part + right_part, largest)


def total(numbers: WideFloats, included: Array | None = None) -> WideFloats:
    """Sums of non-negative numbers over the leading axis.

    Args:
      numbers: [terms, ...].
      included: bool, broadcastable to [terms, ...]: the terms to add; None means all.

    >>> with jax.enable_x64(True):
    ...     odd = jnp.array([True, False, True])
    ...     print(to_float64(total(to_wide(jnp.array([1.0, 2.0, 4.0])), odd)))
    5.0
    """
    digits, exponent = numbers
    if included is None:
        included = jnp.ones(digits.shape, bool)
    counted = included & (digits != 0.0)
    counted = jnp.where(jnp.any(counted, axis=0), counted, included)
    largest = jnp.max(exponent, axis=0, where=counted, initial=-(2**30))
    terms = jnp.where(included, digits, 0.0) * _power_of_two(exponent - largest)
    return _normal(jnp.sum(terms, axis=0), largest)


def _normal(digits: Array, exponent: Array) -> WideFloats:
    bits = jax.lax.bitcast_convert_type(jax.lax.stop_gradient(digits), jnp.int64)
    # The exponent field; a zero stays where it is.
    shift = jnp.where(digits == 0.0, 0, (bits >> 52 & 0x7FF) - 1022).astype(jnp.int32)
    return WideFloats(digits * _power_of_two(-shift), exponent + shift)


def _power_of_two(exponent: Array) -> Array:
    """2**exponent exactly, as float64: 0 below 2^-1022, 2^1023 above it (for zeros only)."""
    bits = (jnp.clip(exponent, -1022, 1023).astype(jnp.int64) + 1023) << 52
    power = jax.lax.bitcast_convert_type(bits, jnp.float64)
    return jnp.where(exponent < -1022, 0.0, power)
