"""Models: pairs of pure functions over plain dictionaries of arrays.

The only file that knows Flax. A module is split once; what leaves this file is its parameters (the
`nnx.Param` part) as nested dictionaries, which any JAX transform and any Optax optimizer takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxcogc._types import AnyArray, Array, Key, PyTree
from jaxcogc.links.checks import check_choice, check_count
from jaxcogc.names import MODELS
from jaxcogc.runtime.jax_settings import plain_settings

_FILTERS = (16, 32)
_STRIDES = (2, 2)
_SMALLEST_IMAGE = 4


class Model(NamedTuple):
    """A family of functions from inputs to logits.

    Attributes:
        init: `init(key)` gives random parameters: nested dictionaries of float32 arrays.
        apply: `apply(params, inputs)` with inputs [samples, ...] gives logits [samples, classes].
    """

    init: Callable[[Key], PyTree]
    apply: Callable[[PyTree, AnyArray], Array]


def make_model(
    name: str, input_shape: tuple[int, ...], num_classes: int, *, num_hidden: int = 32
) -> Model:
    """A model by its name.

    Args:
        name: "softmax" (multinomial logistic regression), "mlp" (one hidden layer with ReLU) or
            "cnn" (two 3 x 3 convolutions of stride 2 with 16 and 32 filters and ReLU, then a linear
            layer).
        input_shape: of one sample; (height, width, channels) with at least 4 x 4 for "cnn",
            anything for the others, which flatten it.
        num_classes: at least 2.
        num_hidden: width of the hidden layer of "mlp".

    Returns:
        A Model; every array of its parameters is float32.

    Raises:
        ValueError: an unknown name, a shape or a number that is not allowed.

    >>> model = make_model("mlp", (8, 8, 1), 10)
    >>> params = model.init(jax.random.key(0))
    >>> jax.tree.map(lambda x: x.shape, params["hidden"])
    {'bias': (32,), 'kernel': (64, 32)}
    >>> model.apply(params, jax.numpy.zeros((5, 8, 8, 1))).shape
    (5, 10)
    """
    classes = check_count("num_classes", num_classes, low=2)
    hidden = check_count("num_hidden", num_hidden)
    shape = tuple(check_count("input_shape", length) for length in input_shape)
    check_choice("model", name, MODELS)
    if name == "softmax":
        return _pure(lambda rngs: _Softmax(math.prod(shape), classes, rngs))
    if name == "mlp":
        return _pure(lambda rngs: _Mlp(math.prod(shape), hidden, classes, rngs))
    if len(shape) != 3 or min(shape[:2]) < _SMALLEST_IMAGE:
        raise ValueError(
            f"input_shape = {shape}: allowed for a cnn is (height, width, channels) with "
            f"height and width of at least {_SMALLEST_IMAGE}"
        )
    return _pure(lambda rngs: _Cnn(shape, classes, rngs))


class _Softmax(nnx.Module):
    def __init__(self, size: int, classes: int, rngs: nnx.Rngs) -> None:
        self.output = nnx.Linear(size, classes, rngs=rngs)

    def __call__(self, inputs: Array) -> Array:
        return self.output(inputs.reshape(len(inputs), -1))


class _Mlp(nnx.Module):
    def __init__(self, size: int, hidden: int, classes: int, rngs: nnx.Rngs) -> None:
        self.hidden = nnx.Linear(size, hidden, rngs=rngs)
        self.output = nnx.Linear(hidden, classes, rngs=rngs)

    def __call__(self, inputs: Array) -> Array:
        return self.output(nnx.relu(self.hidden(inputs.reshape(len(inputs), -1))))


class _Cnn(nnx.Module):
    def __init__(self, shape: tuple[int, ...], classes: int, rngs: nnx.Rngs) -> None:
        first, second = _FILTERS
        self.first = nnx.Conv(shape[2], first, (3, 3), strides=_STRIDES, rngs=rngs)
        self.second = nnx.Conv(first, second, (3, 3), strides=_STRIDES, rngs=rngs)
        pixels = math.ceil(shape[0] / 4) * math.ceil(shape[1] / 4)
        self.output = nnx.Linear(pixels * second, classes, rngs=rngs)

    def __call__(self, inputs: Array) -> Array:
        hidden = nnx.relu(self.second(nnx.relu(self.first(inputs))))
        return self.output(hidden.reshape(len(inputs), -1))


def _pure(build: Callable[[nnx.Rngs], nnx.Module]) -> Model:
    """Split off everything but the parameters, once."""
    module = nnx.eval_shape(lambda: build(nnx.Rngs(0)))
    graph, _, rest = nnx.split(module, nnx.Param, ...)  # type: ignore[misc]
    if jax.tree.leaves(rest):
        raise TypeError("a model whose state is more than parameters cannot be a pure function")

    @plain_settings()
    def init(key: Key) -> PyTree:
        return nnx.to_pure_dict(nnx.state(build(nnx.Rngs(key)), nnx.Param))

    def apply(params: PyTree, inputs: AnyArray) -> Array:
        logits: Array = nnx.merge(graph, nnx.State(params), rest)(jnp.asarray(inputs))
        return logits

    return Model(init, apply)
