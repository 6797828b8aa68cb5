"""The field elements that null vectors start from: a vector for each trial."""

from __future__ import annotations

import jax.numpy as jnp

from jaxcogc._types import Array, Key
from jaxcogc.coding.exact.prime_field import add, multiply, random_elements
from jaxcogc.runtime.random_words import key_words, random_bits, threefry


def free_elements(key: Key, num_clients: int, trials: Array, modulus: int) -> Array:
    """Random field elements of some trials.

    Trial t has a + w_t b, with a and b of the key and one word w_t of its own. A combination of the
    elements with any fixed coefficients, not all zero, vanishes in one trial of ``modulus``, by a
    chance of that trial alone: misjudgements do not come in whole batches.

    Args:
      key: of all the trials.
      num_clients: clients.
      trials: uint32 [trials], their numbers.
      modulus: of the field.

    Returns:
      uint32 [clients, trials].
    """
    start, slope = random_elements(random_bits(key, (2, num_clients, 1)), modulus)
    words, _ = threefry(key_words(key), (trials, jnp.zeros_like(trials)))
    return add(start, multiply(slope, random_elements(words, modulus), modulus), modulus)
