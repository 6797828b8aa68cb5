"""GradientCode: the coefficients of a code, over the reals and over a prime field."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.tree_util import GetAttrKey
from jaxtyping import Float64, Int32, UInt32

from jaxcogc._types import AnyArray, Array, Numbers
from jaxcogc.coding.field_of_reals import field_of_reals
from jaxcogc.coding.host_field import MERSENNE_31
from jaxcogc.coding.verification import verify_code
from jaxcogc.links.checks import check_count, check_elements, number_array, read_only
from jaxcogc.links.matrix_file import read_matrix
from jaxcogc.names import CUSTOM

__all__ = ["IN_FLOATS", "GradientCode", "build_code"]

IN_FLOATS = 0
"""In place of a prime: the field of a code that none of prime order has is that of the reals."""


@dataclass(frozen=True, eq=False)
class GradientCode:
    """Coefficients of a code; row m is the coded sum of client m, column k the update of client k.

    A registered pytree: the arrays are leaves, so that one compiled program serves many codes;
    `family` and `modulus` are static. JAX sees `matrix` as uint32 pairs and gets it back bit for
    bit: a code that is an argument of a function under `jax.jit` keeps its 64-bit coefficients
    whether or not the caller works in 64-bit mode. Use the constructors; this one checks nothing.

    Attributes:
      matrix: float64 [clients, clients], or [attempts, clients, clients] when redrawn; read-only
        NumPy on the host, a float64 tracer inside a trace.
      field_matrix: uint32, the same shape and zeros: the code over GF(modulus).
      num_stragglers: int32 scalar, s: any M - s complete rows decode the sum. A leaf, not static.
      family: one of `names.FAMILIES`, or "custom".
      modulus: the prime of the field; `IN_FLOATS` where no field has the code's dependencies:
        ``field_matrix`` is 1 on its support then, and trials are decided in float64.
    """

    matrix: Float64[AnyArray, "clients clients"] | Float64[AnyArray, "_attempts clients clients"]
    field_matrix: (
        UInt32[AnyArray, "clients clients"] | UInt32[AnyArray, "_attempts clients clients"]
    )
    num_stragglers: np.int32 | Int32[Array, ""]
    family: str
    modulus: int = MERSENNE_31

    def __repr__(self) -> str:
        redrawn = ", redrawn in every attempt" if self.redrawn else ""
        return (
            f"GradientCode({self.family}, {self.num_clients} clients, s = {self.num_stragglers}"
            f"{redrawn})"
        )

    @property
    def num_clients(self) -> int:
        """M, the number of clients."""
        return int(self.field_matrix.shape[-1])

    @property
    def redrawn(self) -> bool:
        """Whether every attempt has a code of its own."""
        return len(self.field_matrix.shape) == 3

    @classmethod
    def from_matrix(cls, matrix: Numbers, num_stragglers: int = 0) -> GradientCode:
        """A code of your own.

        Integers, and the nearest float64 of a fraction p/q of small denominator, are exact over the
        field. Of other numbers dependencies may hold only up to rounding: the code over the field
        is one that agrees with float64 about hundreds of random received matrices (their rank, the
        sum, every client). Where none is found trials are decided in float64, which is slower and
        no proof (docs/mathematics/null_vector.md, "Own codes").

        Args:
          matrix: real numbers [clients, clients]; all rows together must span the all-one vector.
          num_stragglers: s, such that any M - s rows span the all-one vector (checked; 0 promises
            nothing).

        Raises:
          ValueError: not a square matrix of finite numbers, or one that does not keep the promise.

        >>> code = GradientCode.from_matrix([[0.5, 1, 0], [0, 1, -1], [0.5, 0, 1]], 1)
        >>> code.field_matrix[:2]
        array([[1073741824,          1,          0],
               [         0,          1, 2147483646]], dtype=uint32)
        >>> GradientCode.from_matrix([[1, -1], [-1, 1]])
        Traceback (most recent call last):
        ValueError: rows [0, 1] of the matrix do not span the all-one vector: ...
        """
        values = number_array("matrix", matrix, num_axes=2)
        if values.shape[0] != values.shape[1] or values.shape[0] < 1:
            raise ValueError(f"matrix has shape {values.shape}: allowed is (clients, clients)")
        check_elements("matrix", values, np.isfinite(values), "a finite number")
        check_count("num_stragglers", num_stragglers, low=0, high=len(values) - 1)
        field = field_of_reals(values)
        if field is None:
            return build_code(values, values != 0, num_stragglers, CUSTOM, IN_FLOATS)
        return build_code(values, field.matrix, num_stragglers, CUSTOM, field.modulus)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], num_stragglers: int = 0) -> GradientCode:
        """A code of your own from a matrix file, JSON, CSV or NPY; see `from_matrix`.

        Raises:
          ValueError: the file cannot be read, or is no matrix of a code; the line names the file.
        """
        matrix = read_matrix(path)
        try:
            return cls.from_matrix(matrix, num_stragglers)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from None

    @property
    def words(self) -> AnyArray:
        """The bits of ``matrix`` as uint32 [..., 2], traced or on the host."""
        words: AnyArray = _children(self)[0]
        return words

    @property
    def reals(self) -> AnyArray | None:
        """`words` where trials are decided in float64; None where over a field."""
        return self.words if self.modulus == IN_FLOATS else None

    def repeated(self, times: int) -> GradientCode:
        """A redrawn code whose attempts are sent so many times over; traced or on the host."""
        words, field_matrix, num_stragglers = _children(self)
        tiled = [jnp.concatenate([jnp.asarray(x)] * times) for x in (words, field_matrix)]
        return _unflatten((self.family, self.modulus), (*tiled, num_stragglers))

    def __getattr__(self, name: str) -> Any:
        if name == "matrix" and "_words" in self.__dict__:
            return _from_words(self.__dict__["_words"])
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GradientCode):
            return NotImplemented
        mine, theirs = self._identity(), other._identity()
        return self is other if mine is None or theirs is None else mine == theirs

    def __hash__(self) -> int:
        identity = self._identity()
        return id(self) if identity is None else hash(identity)

    def _identity(self) -> tuple[Any, ...] | None:
        """What two equal codes share; None for one that is not on the host."""
        leaves = (self.matrix, self.field_matrix, self.num_stragglers)
        if not all(isinstance(leaf, np.ndarray | np.generic) for leaf in leaves):
            return None
        arrays = (np.asarray(leaf) for leaf in leaves)
        return (self.family, self.modulus, *((array.shape, array.tobytes()) for array in arrays))


def build_code(
    matrix: np.ndarray, field_matrix: np.ndarray, num_stragglers: int, family: str, modulus: int
) -> GradientCode:
    """Put a code together from what a construction returns, and verify its promise.

    Raises:
      ValueError: the promise of the family is not kept (see `verify_code`).
    """
    matrix, field_matrix = read_only(matrix, np.float64), read_only(field_matrix, np.uint32)
    verify_code(matrix, field_matrix, num_stragglers=num_stragglers, family=family, modulus=modulus)
    return GradientCode(matrix, field_matrix, np.int32(num_stragglers), family, modulus)


def _to_words(matrix: AnyArray) -> AnyArray:
    """The bits of float64 numbers as uint32 [..., 2]; they pass 32-bit traces unharmed."""
    if isinstance(matrix, np.ndarray):
        return np.ascontiguousarray(matrix, np.float64).view(np.uint32).reshape(*matrix.shape, 2)
    with jax.enable_x64(True):
        return lax.bitcast_convert_type(jnp.asarray(matrix, jnp.float64), jnp.uint32)


def _from_words(words: Any) -> Any:
    """The reverse: a float64 tracer of a tracer, NumPy of a concrete array."""
    if isinstance(words, jax.core.Tracer):
        with jax.enable_x64(True):
            return lax.bitcast_convert_type(words, jnp.float64)
    if isinstance(words, np.ndarray | jax.Array) and words.dtype == np.uint32:
        return np.ascontiguousarray(words).view(np.float64)[..., 0]
    return words  # an axis number, a placeholder


def _children(code: GradientCode) -> tuple[Any, Any, Any]:
    words = code.__dict__.get("_words")
    words = _to_words(code.matrix) if words is None else words
    return words, code.field_matrix, code.num_stragglers


def _flatten(code: GradientCode) -> tuple[tuple[Any, Any, Any], tuple[str, int]]:
    return _children(code), (code.family, code.modulus)


def _flatten_with_keys(code: GradientCode) -> tuple[Any, tuple[str, int]]:
    names = ("matrix", "field_matrix", "num_stragglers")
    children = zip(names, _children(code), strict=True)
    return tuple((GetAttrKey(n), child) for n, child in children), (code.family, code.modulus)


def _unflatten(static: tuple[str, int], children: Any) -> GradientCode:
    code = object.__new__(GradientCode)
    words, field_matrix, num_stragglers = children
    code.__dict__.update(_words=words, field_matrix=field_matrix, num_stragglers=num_stragglers)
    code.__dict__.update(family=static[0], modulus=static[1])
    return code


jax.tree_util.register_pytree_with_keys(GradientCode, _flatten_with_keys, _unflatten, _flatten)
