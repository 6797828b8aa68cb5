"""Models against their formulas in NumPy, and as plain functions under JAX's transforms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.federated.models import make_model
from jaxcogc.names import MODELS

SHAPE = (8, 8, 1)
INPUTS = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype(np.float32)


@pytest.fixture(scope="module", params=MODELS)
def made(request):
    model = make_model(request.param, SHAPE, 10)
    return request.param, model, model.init(jax.random.key(0))


def convolve(images, kernel, bias):
    """3 x 3, stride 2, zeros around, written as loops."""
    size = images.shape[1] // 2
    padded = np.pad(images, ((0, 0), (0, 1), (0, 1), (0, 0)))
    out = np.empty((len(images), size, size, kernel.shape[3]))
    for i in range(size):
        for j in range(size):
            patch = padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
            out[:, i, j] = np.einsum("nhwc,hwcf->nf", patch, kernel) + bias
    return out


def by_hand(name, params, x):
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    if name == "mlp":
        x = np.maximum(x.reshape(3, -1) @ p["hidden"]["kernel"] + p["hidden"]["bias"], 0)
    if name == "cnn":
        for layer in ("first", "second"):
            x = np.maximum(convolve(x, p[layer]["kernel"], p[layer]["bias"]), 0)
    return x.reshape(3, -1) @ p["output"]["kernel"] + p["output"]["bias"]


@pytest.mark.slow
def test_logits_equal_the_formula(made) -> None:
    name, model, params = made
    params = jax.tree.map(lambda leaf: leaf + 0.01, params)  # biases start at zero
    logits = model.apply(params, INPUTS)
    np.testing.assert_allclose(logits, by_hand(name, params, INPUTS), rtol=1e-4, atol=1e-5)
    assert logits.dtype == jnp.float32


@pytest.mark.slow
def test_parameters_are_plain_float32_arrays_of_the_key(made) -> None:
    _, model, params = made
    assert type(params) is dict
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    again, other = model.init(jax.random.key(0)), model.init(jax.random.key(1))
    equal = jax.tree.map(lambda a, b: bool((a == b).all()), params, again)
    assert all(jax.tree.leaves(equal))
    assert (params["output"]["kernel"] != other["output"]["kernel"]).any()


@pytest.mark.slow
def test_transforms_and_precision(made) -> None:
    """vmap over clients and jit; float64 parameters compute in float64."""
    _, model, params = made
    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), params)
    logits = jax.jit(jax.vmap(model.apply, (0, None)))(stacked, INPUTS)
    np.testing.assert_allclose(logits[0], model.apply(params, INPUTS), rtol=1e-4, atol=1e-5)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), params)
        assert model.apply(wide, INPUTS.astype(np.float64)).dtype == jnp.float64


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("mpl", SHAPE, 10), r"'mpl': allowed are softmax, mlp, cnn \(did you mean 'mlp'\?\)"),
        (("cnn", (64,), 10), r"input_shape = \(64,\): allowed for a cnn"),
        (("cnn", (3, 8, 1), 10), r"at least 4"),
        (("mlp", (0,), 10), r"input_shape = 0"),
        (("mlp", SHAPE, 1), r"num_classes = 1"),
    ],
)
def test_bad_input(arguments, named) -> None:
    with pytest.raises(ValueError, match=named):
        make_model(*arguments)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["softmax", "mlp", "cnn"])
def test_initial_parameters_are_those_of_the_key(name: str) -> None:
    """Whatever order of random words a user has set, or generator for bare seeds."""
    model = make_model(name, (8, 8, 1), 3)
    key = jax.random.key(3, impl="threefry2x32")
    expected = model.init(key)
    with jax.threefry_partitionable(False), jax.default_prng_impl("rbg"):
        found = jax.jit(model.init)(key)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), found, expected)
