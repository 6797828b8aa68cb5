"""Where random numbers come from: what a seed means, and the words behind a key.

Threefry-2x32 with 20 rounds is JAX's own generator, but JAX wraps it in loops that its CPU backend
does not fuse; here a word is a pure function of (key, counter), in plain elementwise operations, so
that any word can be skipped or rebuilt alone.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc._types import AnyArray, Array, Key

Words = tuple[AnyArray, AnyArray]
"""Two uint32 arrays, of a key or of a counter."""

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


def seed_keys(seed: int) -> tuple[Key, Key]:
    """The keys that a seed stands for: of the cyclic code, and of the trials.

    `simulate_outcomes(trial_key, network, cyclic_code(code_key, ...), ...)` counts what the command
    line counts.

    Args:
      seed: in 0 .. 2^32 - 1.
    """
    code_key, trial_key = jax.random.split(jax.random.key(seed))
    return code_key, trial_key


def host_generator(key: Key) -> np.random.PCG64:
    """A NumPy bit generator seeded with 128 bits of a concrete typed key, in either mode of JAX.

    Raises:
      ValueError: not a scalar typed key, or a traced one.
    """
    if isinstance(key, jax.core.Tracer):
        raise ValueError("key is traced: allowed is a concrete key, as codes are built on the host")
    typed = isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    if not typed or key.shape != ():
        raise ValueError(f"key = {key!r}: allowed is one typed key, as of jax.random.key(seed)")
    with jax.ensure_compile_time_eval():
        words = np.asarray(jax.random.bits(key, (4,), np.uint32))
    return np.random.PCG64(np.random.SeedSequence([int(word) for word in words]))


def key_words(key: Key) -> Words:
    """Two uint32 words that stand for a typed key of any implementation.

    Args:
      key: one typed key, as made by ``jax.random.key``.

    Returns:
      Two uint32 scalars.
    """
    words = jax.random.bits(key, (2,), jnp.uint32)
    return words[0], words[1]


def threefry(key: Words, counter: Words) -> tuple[Array, Array]:
    """The Threefry-2x32-20 block function.

    Args:
      key: two uint32 scalars.
      counter: two uint32 arrays of shapes that broadcast against each other.

    Returns:
      Two uint32 arrays of the broadcast shape: independent uniform words of that counter.

    Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
    """
    schedule = (key[0], key[1], key[0] ^ key[1] ^ _PARITY)
    x = jnp.asarray(counter[0]) + schedule[0]
    y = jnp.asarray(counter[1]) + schedule[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x = x + y
            y = (y << np.uint32(rotation)) | (y >> np.uint32(32 - rotation))
            y = y ^ x
        x = x + schedule[(group + 1) % 3]
        y = y + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return x, y
