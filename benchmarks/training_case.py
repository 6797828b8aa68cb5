"""What is trained: digits on ten clients, and everything that every program starts from."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcogc import Network, cyclic_code, load_dataset, make_model, make_partition
from jaxcogc.federated import (
    ClientData,
    Inputs,
    LinkPolicy,
    RoundKeys,
    RoundSettings,
    Task,
    channel,
    draw_samples,
    draw_schemes,
    round_keys,
)

LEARNING_RATE = 0.1
SCHEMES = ("ideal", "intermittent", "retransmission", "gc", "gc_plus", "row_space")


class Size(NamedTuple):
    """How much is trained.

    Attributes:
      clients: M.
      hidden: width of the one hidden layer; 64 inputs, 10 classes.
      local_steps: I.
      batch_size: samples of a local step.
      rounds: of one run.
      stragglers: of the cyclic code; 2 attempts.
    """

    clients: int = 10
    hidden: int = 32
    local_steps: int = 5
    batch_size: int = 32
    rounds: int = 100
    stragglers: int = 7


class Case(NamedTuple):
    """A task with its arrays.

    Attributes:
      size: of it.
      task, inputs: as the library takes them.
      network: its links.
    """

    size: Size
    task: Task
    inputs: Inputs
    network: Network


def make_case(size: Size) -> Case:
    """Digits, divided unevenly, over links that lose two messages of five."""
    dataset = load_dataset("digits")
    part = make_partition(0, dataset.train_labels, size.clients, kind="dirichlet", alpha=0.5)
    model = make_model("mlp", dataset.train_inputs.shape[1:], 10, num_hidden=size.hidden)

    def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy(logits, jax.nn.one_hot(labels, 10))

    def loss_fn(params: Any, batch: Any, key: Any) -> jax.Array:
        inputs, labels = batch.examples
        losses = cross_entropy(model.apply(params, inputs), labels)
        return (losses * batch.weights).sum() / batch.weights.sum()

    def evaluate(params: Any, test: Any) -> dict[str, jax.Array]:
        logits = model.apply(params, test[0])
        losses = cross_entropy(logits, test[1])
        right = logits.argmax(axis=-1) == test[1]
        return {"accuracy": right.mean(), "loss": losses.mean()}

    network = Network.homogeneous(size.clients, uplink_erasure=0.4, peer_erasure=0.25)
    train = (dataset.train_inputs, dataset.train_labels)
    inputs = Inputs(
        ClientData(jax.device_put(train), jnp.asarray(part.indices), jnp.asarray(part.num_samples)),
        jax.device_put((dataset.test_inputs, dataset.test_labels)),
        channel(network),
        cyclic_code(jax.random.key(0), size.clients, size.stragglers),
    )
    task = Task(model.init, loss_fn, evaluate, optax.sgd(LEARNING_RATE), optax.sgd(1.0))
    return Case(size, task, inputs, network)


def settings(size: Size, schemes: tuple[str, ...]) -> RoundSettings:
    """One block of rounds, evaluated at its end."""
    return RoundSettings(
        schemes=schemes,
        policy=LinkPolicy(num_attempts=2),
        local_steps=size.local_steps,
        batch_size=size.batch_size,
        evaluate_every=size.rounds,
        block_rounds=size.rounds,
    )


class Script(NamedTuple):
    """The random part of one run, drawn before the clock starts, for programs without links.

    Attributes:
      samples: int32 [rounds, clients, steps, batch], rows of the training data.
      weights: float32 [rounds, clients], what the server adds updates with.
    """

    samples: np.ndarray
    weights: np.ndarray


def make_script(case: Case, scheme: str, seed: int = 0) -> Script:
    """The same samples and coefficients that our program draws inside."""
    size, data = case.size, case.inputs.data
    policy = settings(size, (scheme,)).policy

    def one(number: jax.Array) -> tuple[jax.Array | None, jax.Array]:
        keys: RoundKeys = round_keys(jax.random.key(seed, impl="threefry2x32"), number)
        drawn = draw_schemes(keys, (scheme,), case.inputs.channel, case.inputs.code, policy)
        samples = draw_samples(keys.batches, data, size.local_steps, size.batch_size)
        return samples, drawn.coefficients.weights[0]

    numbers = jnp.arange(size.rounds, dtype=jnp.uint32)
    own, weights = jax.jit(jax.vmap(one))(numbers)
    indices = np.asarray(data.indices)
    clients = np.arange(size.clients)[None, :, None, None]
    return Script(indices[clients, np.asarray(own)], np.asarray(weights))
