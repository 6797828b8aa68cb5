"""Where random numbers come from: what a seed means, and the words behind a key.

Every word is Threefry-2x32 with 20 rounds of (key, counter). The functions that have a namesake in
`jax.random` give what that gives by default, but whatever generator or order of counters a user has
chosen for JAX (`jax_default_prng_impl`, `jax_threefry_partitionable`): the package uses no other.

JAX wraps its Threefry in loops that its CPU backend does not fuse; `threefry` is plain elementwise
operations, for many words at once.
"""

from __future__ import annotations

import operator
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.random import define_prng_impl, threefry_2x32
from jax.typing import DTypeLike

from jaxcogc._types import AnyArray, Array, ArrayLike, Key

Words = tuple[AnyArray, AnyArray]
"""Two uint32 arrays, of a key or of a counter."""

_IMPLEMENTATION = "threefry2x32"
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
KEY_PARITY = np.uint32(0x1BD11BDA)
MOST_ON_HOST = 4096
"""Words of a known key that are made on the host: more cost it milliseconds."""
_WORDS_AT_ONCE = 64
"""Of one key, in a step of a loop on a CPU; 25 to 100 are as fast."""
_FEWEST_LOOPED = 8
"""Words of one key that are made in a loop on a CPU."""


def seed_key(seed: int) -> Key:
    """The key of a seed in 0 .. 2^32 - 1."""
    return data_key(np.array([0, operator.index(seed)], np.uint32))


def seed_keys(seed: int) -> tuple[Key, Key]:
    """The keys that a seed stands for: of the cyclic code, and of the trials.

    `simulate_outcomes(trial_key, network, cyclic_code(code_key, ...), ...)` counts what the command
    line counts.

    Args:
      seed: in 0 .. 2^32 - 1.
    """
    code_key, trial_key = split(seed_key(seed))
    return code_key, trial_key


def host_generator(key: Key) -> np.random.PCG64:
    """A NumPy bit generator seeded with 128 bits of a concrete key, in either mode of JAX.

    Raises:
      ValueError: not one key, or a traced one.
    """
    if isinstance(key, jax.core.Tracer):
        raise ValueError("key is traced: allowed is a concrete key, as codes are built on the host")
    if not _is_key(key) or key_data(key).ndim != 1:
        raise ValueError(f"key = {key!r}: allowed is one key, as of jax.random.key(seed)")
    with jax.ensure_compile_time_eval():
        words = np.asarray(random_bits(key, (4,)))
    return np.random.PCG64(np.random.SeedSequence([int(word) for word in words]))


def _is_key(key: object) -> bool:
    if not isinstance(key, jax.Array | np.ndarray):
        return False
    raw = key.dtype == np.uint32 and key.ndim > 0 and key.shape[-1] in (2, 4)
    return raw or jnp.issubdtype(key.dtype, jax.dtypes.prng_key)


def key_data(key: Key) -> Array:
    """The two words of a key, or of each of an array of keys: uint32 [.., 2].

    Args:
      key: typed, or raw words as of ``jax.random.PRNGKey``; of any implementation. Those of JAX's
        other generators hold the words of the same seed's Threefry key, twice.
    """
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    data: Array = jax.random.key_data(key) if typed else jnp.asarray(key)
    return data[..., :2]


def data_key(words: AnyArray) -> Key:
    """The key of two words: the reverse of `key_data`."""
    key: Key = jax.random.wrap_key_data(jnp.asarray(words), impl=_IMPLEMENTATION)
    return key


def key_words(key: Key) -> Words:
    """Two random words of a key, uint32 scalars, as a key of `threefry`."""
    words = random_bits(key, (2,))
    return words[0], words[1]


def split(key: Key, number: int = 2) -> Array:
    """So many new keys of one: [number]. As `jax.random.split`."""
    return data_key(_stack(_blocks(key, number)))


def fold_in(key: Key, data: ArrayLike) -> Key:
    """A new key of one key and a whole number, uint32. As `jax.random.fold_in`."""
    number = np.uint32(data) if isinstance(data, int) else data
    asarray = np.asarray if isinstance(number, np.generic) else jnp.asarray
    counter = asarray(number).astype(np.uint32)[None]
    return data_key(_stack(_words_of(key, counter))[0])


def random_bits(key: Key, shape: tuple[int, ...]) -> Array:
    """Random words, uint32 of that shape, fewer than 2^32. As `jax.random.bits`."""
    first, second = _blocks(key, int(np.prod(shape)))
    return jnp.asarray((first ^ second).reshape(shape))


def fused_key(words: Words) -> Key:
    """A key for whoever draws by `jax.random`: the numbers of JAX's Threefry, several times faster.

    Args:
      words: of the key, two uint32 of one shape, of which the array of keys is.
    """
    key: Key = jax.random.wrap_key_data(jnp.stack(words, axis=-1), impl=_fused_implementation())
    return key


@cache
def _fused_implementation() -> Any:
    """JAX's Threefry by `threefry`, so many words at once that the CPU's vectors are full.

    On a CPU larger arrays are made in a loop, which keeps them: XLA would fuse them with whatever
    is made of the words, compute them once for each use, and, where it then puts the trials in
    another place than last, one by one (measured: 1.2 to 8 times slower).
    """

    def blocks(key: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
        number = int(np.prod(shape))
        counters = jnp.arange(number, dtype=jnp.uint32)
        first, second = threefry((key[0], key[1]), (np.zeros((), np.uint32), counters))
        return first.reshape(shape), second.reshape(shape)

    def bits(key: Array, width: int, shape: tuple[int, ...]) -> Array:
        def straight(key: Array) -> Array:
            return _of_width(blocks(key, shape), width)

        if np.prod(shape) < _FEWEST_LOOPED:
            return straight(key)
        loop = partial(_looped_bits, width, shape)
        words: Array = lax.platform_dependent(key, cpu=loop, default=straight)
        return words

    def fold(key: Array, data: ArrayLike) -> Array:
        number = jnp.asarray(data).astype(jnp.uint32)
        return jnp.stack(threefry((key[0], key[1]), (np.zeros((), np.uint32), number)))

    return define_prng_impl(
        key_shape=(2,),
        seed=lambda seed: key_data(jax.random.key(seed, impl=_IMPLEMENTATION)),
        split=lambda key, shape: jnp.stack(blocks(key, shape), axis=-1),
        random_bits=bits,
        fold_in=fold,
        name="threefry2x32_fused",
        tag="fused",
    )


def _of_width(words: tuple[Array, Array], width: int) -> Array:
    """Random numbers of so many bits, one of each block of Threefry."""
    first, second = words
    if width == 64:
        return first.astype(jnp.uint64) << np.uint64(32) | second.astype(jnp.uint64)
    return (first ^ second).astype(f"uint{width}")


def _looped_bits(width: int, shape: tuple[int, ...], key: Array) -> Array:
    """Of the counters 0, 1, .., of that shape; so many in each step of a loop.

    Two steps at least: XLA takes a loop of one step for none.
    """
    number = int(np.prod(shape))
    steps = max(2, -(-number // _WORDS_AT_ONCE))
    counters = jnp.arange(steps * -(-number // steps), dtype=jnp.uint32).reshape(steps, -1)

    def some(counters: Array) -> Array:
        words = threefry((key[0], key[1]), (np.zeros((), np.uint32), counters))
        return _of_width(words, width)

    found: Array = lax.map(some, counters).reshape(-1)[:number].reshape(shape)
    return found


def permutation(key: Key, values: Array) -> Array:
    """Values [n], n at most 1 600, in random order. As `jax.random.permutation`.

    Sorted by random words: two of them are equal, and so keep their order, in one of 3 000 cases
    at that length.
    """
    shuffled: Array = lax.sort_key_val(random_bits(split(key)[1], values.shape), values)[1]
    return shuffled


def normal(key: Key, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """Standard normal numbers of single precision, given as that type. As `jax.random.normal`."""
    mantissa = random_bits(key, shape) >> np.uint32(9) | np.uint32(0x3F800000)
    unit = lax.bitcast_convert_type(mantissa, jnp.float32) - np.float32(1)  # in [0, 1)
    low = np.nextafter(np.float32(-1), np.float32(0))
    uniform = jnp.maximum(low, unit * (np.float32(1) - low) + low)
    return (np.float32(np.sqrt(2)) * lax.erf_inv(uniform)).astype(dtype)


def _blocks(key: Key, number: int) -> Words:
    """Of the counters 0 .. number - 1, two words each."""
    # Many are no constant of the program that draws them.
    arange = np.arange if number <= MOST_ON_HOST else jnp.arange
    return _words_of(key, arange(number, dtype=np.uint32))


def _words_of(key: Key, counters: AnyArray) -> Words:
    """Of a known key a few words are made on the host: nothing is compiled for them.

    Else by JAX's own function, which compiles faster than `threefry`.
    """
    data = key_data(key)
    if isinstance(counters, np.ndarray) and not isinstance(data, jax.core.Tracer):
        first, second = np.asarray(data)
        return _rounds((first, second), (np.zeros_like(counters), counters))
    number = len(counters)
    found = threefry_2x32(data, jnp.concatenate([jnp.zeros_like(counters), counters]))
    return found[:number], found[number:]


def _stack(words: Words) -> AnyArray:
    """As keys' data: uint32 [number, 2]."""
    on_host = all(isinstance(each, np.ndarray) for each in words)
    return np.stack(words, axis=-1) if on_host else jnp.stack(words, axis=-1)


def threefry(key: Words, counter: Words) -> tuple[Array, Array]:
    """The Threefry-2x32-20 block function.

    Args:
      key: two uint32 scalars.
      counter: two uint32 arrays of shapes that broadcast against each other.

    Returns:
      Two uint32 arrays of the broadcast shape: independent uniform words of that counter.

    Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
    """
    words: tuple[Array, Array] = _traced_once(key, counter)
    return words


def _rounds(key: Words, counter: Words) -> Words:
    """`threefry`; by NumPy, if all that is given is NumPy's."""
    schedule = (key[0], key[1], key[0] ^ key[1] ^ KEY_PARITY)
    x = counter[0] + schedule[0]
    y = counter[1] + schedule[1]
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            x = x + y
            y = (y << np.uint32(rotation)) | (y >> np.uint32(32 - rotation))
            y = y ^ x
        x = x + schedule[(group + 1) % 3]
        y = y + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return x, y


_traced_once = jax.jit(_rounds)  # its 119 operations, once for each kind of counters
