"""Counter-based random words: Threefry-2x32 with 20 rounds, as plain elementwise operations.

JAX's own generator is the same function, but wraps it in loops that its CPU backend does not fuse;
here a word is a pure function of (key, counter), so that any word can be skipped or rebuilt alone.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


def key_words(key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Two uint32 words that stand for a typed key of any implementation.

    Args:
      key: one typed key, as made by ``jax.random.key``.

    Returns:
      Two uint32 scalars.
    """
    words = jax.random.bits(key, (2,), jnp.uint32)
    return words[0], words[1]


def threefry(
    key: tuple[jax.Array, jax.Array], counter: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """The Threefry-2x32-20 block function.

    Args:
      key: two uint32 scalars.
      counter: two uint32 arrays of shapes that broadcast against each other.

    Returns:
      Two uint32 arrays of the broadcast shape: independent uniform words of that counter.

    Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
    """
    schedule = (key[0], key[1], key[0] ^ key[1] ^ _PARITY)
    x = counter[0] + schedule[0]
    y = counter[1] + schedule[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x = x + y
            y = (y << np.uint32(rotation)) | (y >> np.uint32(32 - rotation))
            y = y ^ x
        x = x + schedule[(group + 1) % 3]
        y = y + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return x, y
