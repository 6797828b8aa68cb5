"""Models: pairs of pure functions over plain dictionaries of arrays.

The only file that knows Flax. A module is split once; what leaves this file is its parameters (the
`nnx.Param` part) as nested dictionaries, which any JAX transform and any Optax optimizer takes.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import NamedTuple

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
    """A family of functions from inputs to outputs: logits, or whatever a loss takes.

    Attributes:
      init: `init(key)` gives random parameters: nested dictionaries of float32 arrays, or another
        pytree.
      apply: `apply(params, inputs)` with inputs [samples, ...] gives logits [samples, classes],
        or other outputs [samples, ...].
    """

    init: Callable[[Key], PyTree]
    apply: Callable[[PyTree, AnyArray], Array]


AnyModel = Model | nnx.Module | Callable[..., nnx.Module]
"""A pair of pure functions, a Flax NNX module, or what makes one."""


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

    >>> import jax
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


def as_model(model: AnyModel) -> Model:
    """A model of one's own as a pair of pure functions.

    Args:
      model: a Model; a Flax NNX module, whose parameters are the start under every seed; or what
        makes one of `nnx.Rngs` (its class, a function), as ``rngs`` where it has an argument of
        that name: then every seed draws its own start.

    Returns:
      A Model, whose `init` gives nested dictionaries of the module's parameters.

    Raises:
      ValueError: something else; a module whose state is more than parameters, such as batch
        statistics or the random state of dropout (names the part).

    >>> import jax
    >>> pair = as_model(lambda rngs: nnx.Linear(3, 2, rngs=rngs))
    >>> pair.apply(pair.init(jax.random.key(0)), jnp.ones((5, 3))).shape
    (5, 2)
    >>> as_model(lambda rngs: nnx.BatchNorm(3, rngs=rngs))
    Traceback (most recent call last):
    ValueError: model: its part mean is BatchStat: allowed is a module whose state is Param alone
    """
    if isinstance(model, Model):
        return model
    if isinstance(model, nnx.Module):
        module = model
        return _pure(lambda rngs: module)
    if not callable(model):
        raise ValueError(
            f"model = {model!r}: allowed is a Model, a Flax NNX module, or what makes one of rngs"
        )
    make = model
    if "rngs" in inspect.signature(make).parameters:
        return _pure(lambda rngs: make(rngs=rngs))
    return _pure(make)


def _check_stateless(rest: PyTree) -> None:
    """Raise a ValueError that names the first part of a state that is no parameter."""
    for path, variable in nnx.to_flat_state(rest):
        part, kind = ".".join(map(str, path)), type(variable).__name__
        if isinstance(variable, nnx.Variable):
            raise ValueError(
                f"model: its part {part} is {kind}: allowed is a module whose state is Param alone"
            )


def _pure(build: Callable[[nnx.Rngs], nnx.Module]) -> Model:
    """Split off everything but the parameters, once."""
    module = nnx.eval_shape(lambda: build(nnx.Rngs(0)))
    if not isinstance(module, nnx.Module):
        raise ValueError(f"model makes {type(module).__name__}: allowed is a Flax NNX module")
    graph, _, rest = nnx.split(module, nnx.Param, ...)  # type: ignore[misc]
    _check_stateless(rest)

    @plain_settings()
    def init(key: Key) -> PyTree:
        return nnx.to_pure_dict(nnx.state(build(nnx.Rngs(key)), nnx.Param))

    def apply(params: PyTree, inputs: AnyArray) -> Array:
        logits: Array = nnx.merge(graph, nnx.State(params), rest)(jnp.asarray(inputs))
        return logits

    return Model(init, apply)
