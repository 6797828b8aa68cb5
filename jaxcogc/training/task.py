"""A plan as the compiled rounds take it: what is learnt, and on which arrays."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcogc._types import AnyArray, Array, Key, PyTree
from jaxcogc.federated.aggregation.channel import Foreknowledge, channel
from jaxcogc.federated.models import Model, make_model
from jaxcogc.federated.rounds.experiment import Inputs, Task
from jaxcogc.federated.rounds.local_steps import Batch, ClientData
from jaxcogc.runtime.random_words import seed_key
from jaxcogc.training.foreknowledge import gather_foreknowledge
from jaxcogc.training.losses import check_of_sample
from jaxcogc.training.plan import TrainingPlan

_MOMENTUM = 0.9
_EVALUATED_AT_ONCE = 250


class EvaluationChunks(NamedTuple):
    """Test data in parts of one length.

    Attributes:
      inputs: [chunks, chunk, ..].
      labels: int32 [chunks, chunk].
      counted: float32 [chunks, chunk], 1; 0 for the padding at the end.
    """

    inputs: AnyArray
    labels: AnyArray
    counted: AnyArray


def plan_inputs(plan: TrainingPlan) -> Inputs:
    """The arrays of a plan."""
    data, part = plan.dataset, plan.partition
    examples = (data.train_inputs, data.train_labels)
    clients = ClientData(examples, jnp.asarray(part.indices), jnp.asarray(part.num_samples))
    scale = None
    if plan.target == "data-size":
        sizes = np.asarray(part.num_samples, np.float64)
        scale = sizes / sizes.mean(axis=-1, keepdims=True)
    test = _in_chunks(data.test_inputs, data.test_labels)
    network = channel(plan.network, plan.dynamics, known_of_plan(plan))
    return Inputs(clients, test, network, plan.code, scale)


def known_of_plan(plan: TrainingPlan) -> Foreknowledge:
    """What the plan's schemes must know of its network, found where the plan does not tell."""
    if plan.known is not None:
        return plan.known
    settings = plan.settings
    return gather_foreknowledge(
        seed_key(0),
        plan.network,
        settings.built_in,
        plan.code,
        dynamics=plan.dynamics,
        **settings.policy.options(),
    )


def _in_chunks(inputs: np.ndarray, labels: np.ndarray) -> EvaluationChunks:
    size = min(_EVALUATED_AT_ONCE, len(labels))
    chunks = -(-len(labels) // size)
    places = np.arange(chunks * size)
    chosen = np.minimum(places, len(labels) - 1).reshape(chunks, size)
    counted = (places < len(labels)).astype(np.float32).reshape(chunks, size)
    return EvaluationChunks(inputs[chosen], labels[chosen], counted)


def plan_task(plan: TrainingPlan) -> Task:
    """The task of a plan.

    Raises:
      ValueError: a loss or a metric that is not a scalar.
    """
    model, _ = plan_model(plan), fractions(plan)
    measured = {**plan.metrics, "loss": plan.loss}

    def loss_fn(params: PyTree, batch: Batch, key: Key) -> Array:
        inputs, targets = batch.examples
        losses = jax.vmap(plan.loss)(model.apply(params, inputs), jnp.asarray(targets))
        return jnp.sum(losses * batch.weights) / jnp.sum(batch.weights)

    def evaluate(params: PyTree, test: EvaluationChunks) -> dict[str, Array]:
        def part(chunk: EvaluationChunks) -> dict[str, Array]:
            outputs, targets = model.apply(params, chunk.inputs), jnp.asarray(chunk.labels)
            found = {name: jax.vmap(f)(outputs, targets) for name, f in measured.items()}
            return {name: jnp.sum(x * chunk.counted) for name, x in found.items()}

        sums = jax.lax.map(part, test)
        number = jnp.sum(test.counted)
        return {name: jnp.sum(x) / number for name, x in sums.items()}

    local = plan.local_optimizer or optax.sgd(plan.learning_rate)
    return Task(model.init, loss_fn, evaluate, local, _server(plan))


def plan_model(plan: TrainingPlan) -> Model:
    """The model of a plan."""
    if isinstance(plan.model, Model):
        return plan.model
    return make_model(plan.model, plan.dataset.train_inputs.shape[1:], plan.dataset.num_classes)


def fractions(plan: TrainingPlan) -> frozenset[str]:
    """The metrics that are true or false of a sample: their means are fractions.

    Raises:
      ValueError: a loss or a metric that is not a scalar.
    """
    model, data = plan_model(plan), plan.dataset
    examples = model, data.train_inputs, data.train_labels
    if not jnp.issubdtype(check_of_sample("loss", plan.loss, *examples), jnp.floating):
        raise ValueError("loss gives no floating number for one sample: allowed is such a scalar")
    kinds = {
        name: check_of_sample(f"metric {name!r}", function, *examples)
        for name, function in plan.metrics.items()
    }
    return frozenset(name for name, kind in kinds.items() if kind == jnp.bool_)


def _server(plan: TrainingPlan) -> optax.GradientTransformation:
    rate = plan.server_learning_rate
    if not isinstance(plan.server_optimizer, str):
        return plan.server_optimizer
    if plan.server_optimizer == "momentum":
        return optax.sgd(rate, momentum=_MOMENTUM)
    return optax.adam(rate) if plan.server_optimizer == "adam" else optax.sgd(rate)
