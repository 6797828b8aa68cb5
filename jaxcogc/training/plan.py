"""Training runs on the host: a plan, its compiled program, and the run block by block."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcogc._types import PyTree
from jaxcogc.coding.codes import GradientCode
from jaxcogc.federated.aggregation.link_evidence import channel
from jaxcogc.federated.data.datasets import Dataset
from jaxcogc.federated.data.partitions import Partition
from jaxcogc.federated.models import Model, make_model
from jaxcogc.federated.rounds.experiment import (
    Inputs,
    RoundMetrics,
    RoundSettings,
    Task,
    TrainState,
)
from jaxcogc.federated.rounds.local_steps import Batch, ClientData
from jaxcogc.federated.rounds.round_program import training_program
from jaxcogc.federated.rounds.run_axes import initial_state, seed_words
from jaxcogc.links.network import Network
from jaxcogc.runtime.devices import describe_devices, devices_that_divide

__all__ = [
    "SERVER_OPTIMIZERS",
    "CompiledTraining",
    "NonFiniteUpdate",
    "Trained",
    "TrainingPlan",
    "compile_training",
    "first_non_finite",
]

SERVER_OPTIMIZERS = {"sgd": 1.0, "momentum": 0.3, "adam": 0.01}
"""Names, and the learning rate that each has by default."""
_MOMENTUM = 0.9
_EVALUATED_AT_ONCE = 250
_BLOCK_SECONDS = 2.0


@dataclass(frozen=True, eq=False)
class TrainingPlan:
    """All that a comparison of schemes is made of.

    Attributes:
      dataset: inputs and labels.
      partition: who holds which training samples: under all seeds, or, with a leading seeds axis
        (`make_partitions`), under each.
      model: a name that `make_model` takes.
      network, code: the links, and the gradient code (redrawn or the same in every attempt; None
        when no scheme needs one).
      settings: schemes, and how a round goes.
      rounds: how many.
      seeds: of the runs; every seed is trained under every scheme.
      learning_rate: of the clients' SGD.
      server_optimizer: of `SERVER_OPTIMIZERS`, with its server_learning_rate.
      target: "equal" aims at the average over clients, "data-size" at that over samples.
    """

    dataset: Dataset
    partition: Partition
    model: str
    network: Network
    code: GradientCode | None
    settings: RoundSettings
    rounds: int
    seeds: tuple[int, ...]
    learning_rate: float
    server_optimizer: str = "sgd"
    server_learning_rate: float = 1.0
    target: str = "equal"

    def __post_init__(self) -> None:
        if self.target not in ("equal", "data-size"):
            raise ValueError(f"target = {self.target!r}: allowed are 'equal' and 'data-size'")
        shape = np.shape(self.partition.num_samples)
        if len(shape) == 2 and shape[0] != len(self.seeds):
            raise ValueError(
                f"partition of {shape[0]} seeds: allowed is one for each of the {len(self.seeds)} "
                "seeds, or one for all"
            )


class Trained(NamedTuple):
    """Where a plan stands; on the host.

    Attributes:
      state: parameters and server optimizer, leading axes [seeds, schemes].
      round_index: rounds that are done.
      metrics: RoundMetrics [seeds, schemes, rounds] of the whole plan; 0 where not done yet.
    """

    state: TrainState
    round_index: int
    metrics: RoundMetrics


class CompiledTraining(NamedTuple):
    """The program of a plan.

    Attributes:
      compile_seconds: what tracing and compiling took.
      device: the devices it runs on, in words.
      start: ``start() -> Trained``, before the first round.
      blocks: ``blocks(trained) -> Iterator[Trained]``: goes on from anywhere, a few seconds of
        work at most each. Numbers do not depend on where blocks begin and end.
    """

    compile_seconds: float
    device: str
    start: Callable[[], Trained]
    blocks: Callable[[Trained], Iterator[Trained]]


class NonFiniteUpdate(NamedTuple):
    """The first update that was not finite."""

    round: int
    scheme: str
    seed: int
    client: int


def model_task(model: Model, learning_rate: float, server: Any) -> Task:
    """Classification by cross entropy, as the rounds take it."""

    def cross_entropy(params: PyTree, inputs: Any, labels: Any) -> Any:
        logits = model.apply(params, inputs)
        wanted = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
        return logits, optax.losses.softmax_cross_entropy(logits, wanted)  # no gather, no scatter

    def loss_fn(params: PyTree, batch: Batch, key: Any) -> Any:
        _, losses = cross_entropy(params, *batch.examples)
        return jnp.sum(losses * batch.weights) / jnp.sum(batch.weights)

    def evaluate(params: PyTree, test: Any) -> Any:
        def part(chunk: Any) -> Any:
            inputs, labels, counted = chunk
            logits, losses = cross_entropy(params, inputs, labels)
            right = (jnp.argmax(logits, axis=-1) == labels) * counted
            return jnp.sum(right), jnp.sum(losses * counted)

        right, losses = jax.lax.map(part, test)
        number = jnp.sum(test[2])
        return jnp.sum(right) / number, jnp.sum(losses) / number

    return Task(model.init, loss_fn, evaluate, optax.sgd(learning_rate), server)


def server_optimizer(name: str, learning_rate: float) -> Any:
    """An Optax optimizer for the server by its name."""
    if name == "momentum":
        return optax.sgd(learning_rate, momentum=_MOMENTUM)
    return optax.adam(learning_rate) if name == "adam" else optax.sgd(learning_rate)


def _in_chunks(inputs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Test data [chunks, chunk, ..] with weights 0 for padding."""
    size = min(_EVALUATED_AT_ONCE, len(labels))
    chunks = -(-len(labels) // size)
    places = np.arange(chunks * size)
    chosen = np.minimum(places, len(labels) - 1).reshape(chunks, size)
    counted = (places < len(labels)).astype(np.float32).reshape(chunks, size)
    return inputs[chosen], labels[chosen], counted


def plan_inputs(plan: TrainingPlan) -> Inputs:
    """The arrays of a plan."""
    data = plan.dataset
    examples = (data.train_inputs, data.train_labels)
    indices, num_samples = map(jnp.asarray, plan.partition)
    test = _in_chunks(data.test_inputs, data.test_labels)
    clients = ClientData(examples, indices, num_samples)
    sizes = np.asarray(plan.partition.num_samples, np.float64)
    scale = sizes / sizes.mean(axis=-1, keepdims=True) if plan.target == "data-size" else None
    return Inputs(clients, test, channel(plan.network), plan.code, scale)


def plan_task(plan: TrainingPlan) -> Task:
    """The task of a plan."""
    shape, classes = plan.dataset.train_inputs.shape[1:], plan.dataset.num_classes
    server = server_optimizer(plan.server_optimizer, plan.server_learning_rate)
    return model_task(make_model(plan.model, shape, classes), plan.learning_rate, server)


def compile_training(plan: TrainingPlan) -> CompiledTraining:
    """Compile the one program that trains all seeds under all schemes.

    The seeds are divided among as many of the devices as divide their number. Memory grows with
    seeds x schemes x (clients + 2) x parameters, 4 bytes each, with SGD everywhere.
    """
    started = time.perf_counter()
    task, settings = plan_task(plan), plan.settings
    devices = devices_that_divide(jax.devices(), len(plan.seeds))
    words = seed_words(plan.seeds)
    inputs = jax.tree.map(jnp.asarray, plan_inputs(plan))
    first = initial_state(task, settings, words)
    program = training_program(task, settings, devices=devices)
    number = jax.ShapeDtypeStruct((), jnp.int32)
    compiled = program.lower(first, inputs, words, number, number, number).compile()

    def run(state: TrainState, start: int, num_active: int) -> Any:
        numbers = (np.int32(start), np.int32(num_active), np.int32(plan.rounds))
        return compiled(state, inputs, words, *numbers)

    def start() -> Trained:
        state = jax.tree.map(np.asarray, initial_state(task, settings, words))
        shapes = jax.eval_shape(program, first, inputs, words, number, number, number)[1]
        empty = jax.tree.map(
            lambda x: np.zeros((*x.shape[:2], plan.rounds, *x.shape[3:]), x.dtype), shapes
        )
        return Trained(state, 0, empty)

    seconds = time.perf_counter() - started
    return CompiledTraining(
        seconds, describe_devices(devices), start, lambda at: _blocks(plan, run, at)
    )


def _blocks(plan: TrainingPlan, run: Any, trained: Trained) -> Iterator[Trained]:
    """Blocks of rounds that take about the same time; what is yielded shares no memory."""
    state = jax.tree.map(jnp.array, trained.state)
    done, metrics, size = trained.round_index, trained.metrics, 1
    while done < plan.rounds:
        started = time.perf_counter()
        size = min(size, plan.settings.block_rounds, plan.rounds - done)
        state, table = run(state, done, size)
        rows = jax.tree.map(np.asarray, table)
        metrics = jax.tree.map(np.copy, metrics)
        for whole, part in zip(metrics, rows, strict=True):
            whole[:, :, done : done + size] = part[:, :, :size]
        done += size
        yield Trained(jax.tree.map(np.array, state), done, metrics)
        if time.perf_counter() - started < _BLOCK_SECONDS / 2:
            size *= 2


def first_non_finite(plan: TrainingPlan, trained: Trained, since: int = 0) -> Any:
    """The first update that was not finite in the rounds from ``since`` on; None: all were.

    Returns:
      NonFiniteUpdate; its round counts from 0, as metrics do.
    """
    spoilt = ~trained.metrics.finite[:, :, since : trained.round_index]
    if not spoilt.any():
        return None
    number, scheme, seed, client = np.argwhere(np.transpose(spoilt, (2, 1, 0, 3)))[0]
    name = plan.settings.schemes[scheme]
    return NonFiniteUpdate(int(since + number), name, plan.seeds[seed], int(client))
