"""The blocks of assembler say what their plain operations say, and what they are meant to say."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.coding.host_field import MERSENNE_31, largest_prime_one_mod
from jaxcogc.outage.fused import machine_blocks
from jaxcogc.runtime.random_words import threefry
from tests.outage.fused import ptx

RANDOM = np.random.default_rng(1)
CORNERS = np.uint32([0, 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1])
FIELDS = [MERSENNE_31, largest_prime_one_mod(10)]


def words(number):
    """Vectors of words: all pairs of corners first, then random ones."""
    pairs = [np.repeat(CORNERS, len(CORNERS)), np.tile(CORNERS, len(CORNERS))]
    size = (number, len(pairs[0]))
    return [
        np.concatenate([pairs[n % 2], random])
        for n, random in enumerate(RANDOM.integers(0, 2**32, size, np.uint32))
    ]


def interpreted(block, operands):
    found = np.array(ptx.run_each(block.text, operands), np.uint64)
    return found & np.uint64(2**32 - 1), found >> np.uint64(32)


def test_threefry():
    x, y, first, second = words(4)
    schedule = [np.broadcast_to(k, x.shape) for k in machine_blocks.key_schedule(first, second)]
    block = machine_blocks.threefry_block()
    low, high = interpreted(block, [x, y, *schedule])
    expected = threefry((first, second), (x, y))
    np.testing.assert_array_equal(low, expected[0])
    np.testing.assert_array_equal(high, expected[1])
    plain = block.plain(*map(jnp.asarray, (x, y, *schedule)))
    np.testing.assert_array_equal(plain, expected)


def test_arrival():
    word, threshold = words(2)
    found = np.arange(len(word), dtype=np.uint32)
    block = machine_blocks.arrival_block()
    bits, near = interpreted(block, [word, ~threshold, found])
    np.testing.assert_array_equal(bits, 2 * found + (word > threshold))
    np.testing.assert_array_equal(near == 2**32 - 1, word == threshold)
    plain = block.plain(*map(jnp.asarray, (word, ~threshold, found)))
    np.testing.assert_array_equal(plain, [bits, near])


@pytest.mark.parametrize("modulus", FIELDS)
@pytest.mark.parametrize("pairs", [1, 2])
def test_sums_of_products(modulus, pairs):
    corners = np.uint32([0, 1, 2, modulus // 2, modulus - 1, modulus])
    factors = [
        np.concatenate([RANDOM.permutation(np.repeat(corners, 6)), [modulus], random])
        for random in RANDOM.integers(0, modulus, (2 * pairs, 60), np.uint32)
    ]
    block = machine_blocks.product_block(modulus, pairs)
    inverse = pow(2**32, -1, modulus)
    expected = [
        sum(int(a) * int(b) for a, b in zip(row[::2], row[1::2], strict=True)) * inverse % modulus
        for row in zip(*factors, strict=True)
    ]
    np.testing.assert_array_equal(interpreted(block, factors)[0], expected)
    np.testing.assert_array_equal(block.plain(*map(jnp.asarray, factors)), expected)
    wrong = block.text.replace(str(modulus), str(modulus - 2))
    assert ptx.run_each(wrong, factors) != expected, "the comparison cannot fail"
