"""Local training of one client, and the batches that it sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Float, Int32

from jaxcogc._types import AnyArray, Array, Key, PyTree
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import fold_in, key_words, threefry


class Batch(NamedTuple):
    """Samples of one client in one local step.

    Attributes:
      examples: pytree [batch, ..], rows of the training data.
      weights: floating [batch], 1; 0 for padding. A loss is the weighted mean over samples.
    """

    examples: PyTree
    weights: Float[AnyArray, "_batch"]


class ClientData(NamedTuple):
    """The training data of all clients, on the device once.

    Attributes:
      examples: pytree [samples, ..], of all clients together.
      indices: int32 [clients, capacity], whose samples are whose; rows padded with any index.
      num_samples: int32 [clients], how many of a row count; at least 1. A training program also
        takes both with a leading seeds axis: every seed has a partition of its own.
    """

    examples: PyTree
    indices: Int32[AnyArray, "*seeds clients _capacity"]
    num_samples: Int32[AnyArray, "*seeds clients"]


LossFn = Callable[[PyTree, Batch, Key], Array]
"""``loss_fn(params, batch, key)``: a floating scalar."""
LocalUpdate = Callable[[PyTree, ClientData, Array, Array | None, Key], tuple[PyTree, Array]]
"""``update(params, data, client, samples, key) -> (delta, loss)``, see `local_update`."""


@under_plain_settings
def draw_samples(
    key: Key, data: ClientData, local_steps: int, batch_size: int | None
) -> Int32[Array, "clients _steps _batch"] | None:
    """Which of its samples every client uses in every local step of a round.

    Args:
      key: of the round's batches.
      data: whose num_samples count.
      local_steps: I.
      batch_size: samples a step, drawn with replacement; None: all of the client's, no draw.

    Returns:
      int32 [clients, steps, batch], numbers in 0 .. num_samples - 1, each as likely as the others
      to within 2^-32; None where all are used.
    """
    if batch_size is None:
        return None
    clients = data.num_samples.shape[0]
    number = clients * local_steps * batch_size
    # Not jax.random: its loop over the rounds of Threefry costs a CPU as much as the training.
    counter = jnp.arange(-(-number // 2), dtype=jnp.uint32)
    words = jnp.concatenate(threefry(key_words(key), (counter, jnp.zeros_like(counter))))
    words = words[:number].reshape(clients, local_steps, batch_size)
    with jax.enable_x64(True):
        sizes = data.num_samples.astype(jnp.uint64)[:, None, None]
        return (words.astype(jnp.uint64) * sizes >> np.uint64(32)).astype(jnp.int32)


def take_batch(data: ClientData, client: Array, samples: Array | None, dtype: DTypeLike) -> Batch:
    """The batch of one client in one step.

    Args:
      data: of all clients.
      client: int32 scalar.
      samples: int32 [batch], a row of what `draw_samples` gives; None: all samples, padded.
      dtype: of the weights.
    """
    own = data.indices[client]
    if samples is None:
        counted = jnp.arange(own.shape[0], dtype=jnp.int32) < data.num_samples[client]
        weights = counted.astype(dtype)
    else:
        own, weights = own[samples], jnp.ones(samples.shape, dtype)
    return Batch(jax.tree.map(lambda x: x[own], data.examples), weights)


def local_update(
    loss_fn: LossFn,
    optimizer: optax.GradientTransformation,
    *,
    local_steps: int,
    proximal: float = 0.0,
) -> LocalUpdate:
    """Local training: I steps of an Optax optimizer from the server's parameters.

    Args:
      loss_fn: as `LossFn`.
      optimizer: begun anew every round.
      local_steps: I, at least 1.
      proximal: mu of FedProx: every step adds mu / 2 ||params - start||^2 to the loss.

    Returns:
      ``update(params, data, client, samples, key) -> (delta, loss)``: a pytree as ``params``, the
      difference that training makes, and the mean loss over the steps. Made for vmap over client
      and the leading axis of ``samples``.
    """

    def update(
        params: PyTree,
        data: ClientData,
        client: Array,
        samples: Array | None,
        key: Key,
    ) -> tuple[PyTree, Array]:
        dtype = jax.tree.leaves(params)[0].dtype
        key = fold_in(key, client)

        def step(
            carry: tuple[PyTree, optax.OptState], number: Array
        ) -> tuple[tuple[PyTree, optax.OptState], Array]:
            here, state = carry
            chosen = None if samples is None else samples[number]
            batch = take_batch(data, client, chosen, dtype)
            step_key = fold_in(key, number)
            loss, gradient = jax.value_and_grad(loss_fn)(here, batch, step_key)
            if proximal:
                gradient = jax.tree.map(
                    lambda g, x, start: g + proximal * (x - start), gradient, here, params
                )
            change, state = optimizer.update(gradient, state, here)
            return (jax.tree.map(jnp.add, here, change), state), loss

        steps = jnp.arange(local_steps, dtype=jnp.int32)
        (trained, _), losses = lax.scan(step, (params, optimizer.init(params)), steps)
        return jax.tree.map(jnp.subtract, trained, params), jnp.mean(losses)

    return update
