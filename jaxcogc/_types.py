"""The words for array dimensions, and the array aliases that signatures use.

A public signature, and its docstring, names every dimension with one of these words, as in
`Float64[Array, "rows clients"]`. One word has one length throughout a call (the tests check that;
a word with `_` before it may have any length):

| word      | length                                                                     |
|-----------|----------------------------------------------------------------------------|
| clients   | M, the clients; in a [clients, clients] matrix the first index receives    |
| attempts  | A, how often sharing, encoding and upload are repeated for the same updates |
| rows      | attempts x clients, attempt-major: row a * M + m is client m in attempt a  |
| trials    | independent realizations of all links                                      |
| params    | numbers in one flattened update                                            |
| rounds    | training rounds                                                            |
| seeds     | independent repetitions of a training run                                  |
| schemes   | aggregation schemes that are compared                                      |
| points    | settings of a sweep                                                        |
| samples   | labelled examples of a data set, or of a part of it                        |
| sets      | sets of rows that a code is looked at by                                   |
| chosen    | rows in such a set                                                         |

Booleans say *delivered*, probabilities are *erasure* probabilities, counts are `num_*`.
"""

from typing import Any

import jax
import jaxtyping
import numpy as np
import numpy.typing as npt

Array = jax.Array
"""An array on a device (or a tracer of one)."""

ArrayLike = jax.typing.ArrayLike
"""What JAX accepts as an array: a device array, a NumPy array or a number."""

AnyArray = jax.Array | np.ndarray
"""An array on a device or on the host."""

Key = jaxtyping.Key[jax.Array, ""] | jaxtyping.UInt32[jax.Array, "_words"]
"""One random key: typed, as `jax.random.key(seed)` makes it, or the words of an old one."""

Numbers = npt.ArrayLike | jax.Array | tuple[Any, ...]
"""Anything that NumPy turns into an array: lists of numbers, and tuples (which `ArrayLike` has not
where types are checked at run time)."""

HostFloats = npt.NDArray[np.float64]
"""Double-precision numbers that stay on the host."""

HostInts = npt.NDArray[np.int64]
"""Counts on the host."""

PyTree = Any
"""Arrays in any nesting that `jax.tree` understands."""
