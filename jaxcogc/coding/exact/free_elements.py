"""The field elements that null vectors start from: a vector for each trial."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp

from jaxcogc._types import Array, Key
from jaxcogc.coding.exact.prime_field import add, multiply, random_elements
from jaxcogc.runtime.random_words import Words, key_words, random_bits, threefry


class FreeElements(NamedTuple):
    """Where the field elements of all trials of a key come from.

    Attributes:
      start, slope: uint32 [clients, 1], field elements.
      key: two words, of the words of single trials.
    """

    start: Array
    slope: Array
    key: Words


def elements_of(key: Key, num_clients: int, modulus: int) -> FreeElements:
    """What `free_elements` draws for all of its trials."""
    start, slope = random_elements(random_bits(key, (2, num_clients, 1)), modulus)
    return FreeElements(start, slope, key_words(key))


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
    start, slope, word_key = elements_of(key, num_clients, modulus)
    words, _ = threefry(word_key, (trials, jnp.zeros_like(trials)))
    return add(start, multiply(slope, random_elements(words, modulus), modulus), modulus)
