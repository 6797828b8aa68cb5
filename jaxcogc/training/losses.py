"""What is learnt: losses and metrics of one sample, whose means over samples count."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Bool, Float, Int

from jaxcogc._types import AnyArray, Array, PyTree
from jaxcogc.federated.models import Model
from jaxcogc.runtime.random_words import seed_key

OfSample = Callable[[Array, Array], Array]
"""``f(output, target)`` of one sample: a scalar. A mean over a batch serves as well."""


def cross_entropy(output: Float[Array, "_classes"], target: Int[AnyArray, ""]) -> Float[Array, ""]:
    """The loss of classification.

    Args:
      output: logits [classes].
      target: a label, an integer.
    """
    wanted = jax.nn.one_hot(target, output.shape[-1], dtype=output.dtype)
    loss: Array = optax.losses.softmax_cross_entropy(output, wanted)  # no gather, no scatter
    return loss


def is_right(output: Float[Array, "_classes"], target: Int[AnyArray, ""]) -> Bool[Array, ""]:
    """Whether the largest logit is the label's: its mean is the accuracy.

    Args:
      output: logits [classes].
      target: a label, an integer.
    """
    return jnp.argmax(output, axis=-1) == target


def check_of_sample(
    name: str, function: OfSample, model: Model, inputs: AnyArray, targets: AnyArray
) -> jnp.dtype:
    """The dtype of a loss or metric.

    Args:
      name: of the argument, for the message.
      function: of one sample.
      model: whose outputs it takes.
      inputs, targets: of some samples; only their shapes count.

    Raises:
      ValueError: it is not a scalar (its shape), or it cannot be computed.
    """

    def one(params: PyTree) -> Array:
        return function(model.apply(params, inputs[:1])[0], jnp.asarray(targets[:1])[0])

    params = jax.eval_shape(model.init, seed_key(0))
    found = jax.tree.leaves(jax.eval_shape(one, params))
    if len(found) != 1 or found[0].shape != ():
        told = f"shape {found[0].shape}" if len(found) == 1 else f"{len(found)} values"
        raise ValueError(f"{name} gives {told} for one sample: allowed is a scalar")
    dtype: jnp.dtype = found[0].dtype
    return dtype
