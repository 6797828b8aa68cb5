"""The random words against published vectors and against JAX's own generator."""

import re

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.runtime import random_words
from jaxcogc.runtime.random_words import key_words, threefry
from tests.places import PROJECT

# Counter, key and result: known-answer vectors of the Random123 library, threefry2x32, 20 rounds.
KNOWN_ANSWERS = [
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


def words(*values):
    return tuple(jnp.asarray(value, jnp.uint32) for value in values)


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_known_answers(wrap, counter, key, expected):
    found = wrap(threefry)(words(*key), words(*counter))
    assert tuple(int(word) for word in found) == expected
    assert all(word.dtype == jnp.uint32 for word in found)


def test_equals_the_generator_of_jax():
    source = np.random.default_rng(0)
    for key in source.integers(0, 2**32, (5, 2), dtype=np.uint32):
        counter = source.integers(0, 2**32, (2, 1000), dtype=np.uint32)
        ours = threefry(words(*key), words(*counter))
        theirs = jax.extend.random.threefry2x32_p.bind(*words(*key), *words(*counter))
        np.testing.assert_array_equal(np.stack(ours), np.stack(theirs))
        flat = jax.extend.random.threefry_2x32(jnp.asarray(key), jnp.asarray(counter.ravel()))
        np.testing.assert_array_equal(np.concatenate(ours), flat)


def test_counters_broadcast():
    key = words(1, 2)
    rows, columns = words(np.arange(3)[:, None], np.arange(5))
    x, y = threefry(key, (rows, columns))
    assert x.shape == y.shape == (3, 5)
    for i in range(3):
        for j in range(5):
            assert (int(x[i, j]), int(y[i, j])) == tuple(map(int, threefry(key, words(i, j))))


def test_different_counters_give_different_words():
    """The block function of one key is a bijection of 64-bit blocks."""
    numbers = np.arange(2**16, dtype=np.uint32)
    x, y = (np.asarray(w, np.uint64) for w in threefry(words(3, 4), words(numbers, 0)))
    assert len(np.unique(x << np.uint64(32) | y)) == len(numbers)


@pytest.mark.slow
@pytest.mark.parametrize("make_key", [jax.random.key, jax.random.PRNGKey], ids=["typed", "raw"])
@pytest.mark.parametrize("implementation", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_a_seed_has_the_same_two_words_whatever_the_key_is_made_by(implementation, make_key):
    keys = [make_key(seed, impl=implementation) for seed in range(20)]
    found = [tuple(map(int, key_words(key))) for key in keys]
    assert len(set(found)) == 20
    reference = jax.random.key(0, impl="threefry2x32")
    with jax.threefry_partitionable(True):
        assert found[0] == tuple(map(int, jax.random.bits(reference, (2,), jnp.uint32)))
    first, second = jax.jit(key_words)(keys[1])
    assert (int(first), int(second)) == found[1]
    assert first.dtype == second.dtype == jnp.uint32


def everything_of_a_key(key):
    """What each function with a namesake in jax.random gives for a key, as arrays."""
    return [
        random_words.key_data(random_words.split(key, 3)),
        random_words.key_data(random_words.fold_in(key, np.int32(9))),
        random_words.key_data(random_words.fold_in(key, 2**32 - 1)),
        random_words.random_bits(key, (3, 5)),
        random_words.permutation(key, jnp.arange(300)),
        random_words.normal(key, (4, 3), jnp.float32),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("partitionable", [False, True])
@pytest.mark.parametrize("implementation", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_no_setting_changes_the_words(implementation, partitionable, wide):
    key = jax.random.key(7, impl="threefry2x32")
    with jax.threefry_partitionable(True):
        expected = [
            jax.random.key_data(jax.random.split(key, 3)),
            jax.random.key_data(jax.random.fold_in(key, 9)),
            jax.random.key_data(jax.random.fold_in(key, np.uint32(2**32 - 1))),
            jax.random.bits(key, (3, 5), jnp.uint32),
            jax.random.permutation(key, jnp.arange(300)),
            jax.random.normal(key, (4, 3), jnp.float32),
        ]
    with (
        jax.default_prng_impl(implementation),
        jax.threefry_partitionable(partitionable),
        jax.enable_x64(wide),
    ):
        traced = jax.jit(lambda key: everything_of_a_key(key))  # not of another setting
        own = jax.random.key(7)
        for found in (everything_of_a_key(own), everything_of_a_key(key), traced(own), traced(key)):
            for ours, theirs in zip(found, expected, strict=True):
                np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 - 1])
def test_words_made_on_the_host_are_those_of_a_program(seed):
    key = random_words.seed_key(seed)
    with jax.enable_x64(True):
        theirs = jax.random.key(seed, impl="threefry2x32")
    np.testing.assert_array_equal(random_words.key_data(key), jax.random.key_data(theirs))

    def drawn(key):
        few, many = (
            random_words.random_bits(key, (number,))
            for number in (random_words.MOST_ON_HOST, random_words.MOST_ON_HOST + 1)
        )
        folded = random_words.fold_in(key, np.int32(-5))
        keys = [random_words.key_data(each) for each in (random_words.split(key, 5), folded)]
        return few, many, *keys

    for here, there in zip(drawn(key), jax.jit(drawn)(key), strict=True):
        assert isinstance(here, jax.Array)
        np.testing.assert_array_equal(here, there)


def test_many_words_are_no_constant_of_a_program():
    def drawn(key):
        return random_words.random_bits(key, (10**5,))

    text = str(jax.jit(drawn).lower(random_words.seed_key(0)).as_text())
    assert len(text) < 10**5


@pytest.mark.parametrize("data", [np.int64(-1), np.uint32(2**32 - 1), np.array(7), 5])
def test_numbers_that_are_folded_in(data):
    key = random_words.seed_key(3)
    expected = jax.random.fold_in(key, np.asarray(data).astype(np.uint32))
    for found in (
        random_words.fold_in(key, data),
        random_words.fold_in(np.array([0, 3], "u4"), data),
    ):
        np.testing.assert_array_equal(random_words.key_data(found), jax.random.key_data(expected))


@pytest.mark.parametrize("seed", [0.5, -1, 2**32])
def test_what_is_no_seed(seed):
    with pytest.raises((TypeError, OverflowError)):
        random_words.seed_key(seed)


@pytest.mark.parametrize(("platform", "loops"), [("cpu", True), ("cuda", False)])
def test_only_a_cpu_draws_in_a_loop(platform, loops):
    def drawn(words):
        return jax.random.uniform(random_words.fused_key((words[0], words[1])), (20,))

    words = jax.ShapeDtypeStruct((2,), np.uint32)
    lowered = jax.jit(drawn).trace(words).lower(lowering_platforms=(platform,))
    assert ("stablehlo.while" in lowered.as_text()) == loops


def test_keys_under_vmap():
    keys = random_words.split(random_words.seed_key(1), 4)
    folded = jax.vmap(random_words.fold_in, (None, 0))(keys[0], jnp.arange(3))
    again = [random_words.fold_in(keys[0], number) for number in range(3)]
    np.testing.assert_array_equal(
        random_words.key_data(folded), [random_words.key_data(key) for key in again]
    )
    pairs = jax.vmap(random_words.split)(keys)
    np.testing.assert_array_equal(
        random_words.key_data(pairs[2]), random_words.key_data(random_words.split(keys[2]))
    )


@pytest.mark.slow
def test_no_other_words_are_used():
    """What `jax.random` draws depends on a user's settings; docstrings may speak of its keys."""
    calls = re.compile(r"jax\.random\.(?!key\(|PRNGKey)\w+\(|jax\.random\.key\(")
    for path in (PROJECT / "jaxcogc").rglob("*.py"):
        code = re.sub(r'""".*?"""', "", path.read_text(), flags=re.DOTALL)
        code = "\n".join(line for line in code.splitlines() if "allowed" not in line)
        if path.name != "random_words.py":
            assert not calls.search(code), path
