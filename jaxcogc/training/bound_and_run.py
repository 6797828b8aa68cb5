"""A convergence bound beside the training run that it speaks about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array, HostFloats, PyTree
from jaxcogc.federated.convergence.bound import LocalSteps, LossConstants, convergence_bound
from jaxcogc.federated.convergence.loss_constants import (
    estimate_constants,
    largest_constants,
    squared_gradient_norm,
)
from jaxcogc.federated.convergence.partial_averages import DrawnRounds, partial_law, safe_rho
from jaxcogc.federated.rounds.local_steps import Batch
from jaxcogc.federated.rounds.round_program import training_program
from jaxcogc.federated.rounds.run_axes import initial_state, seed_words
from jaxcogc.training.plan import TrainingPlan, plan_inputs, plan_task

__all__ = ["BoundBeside", "bound_beside_training"]


class BoundBeside(NamedTuple):
    """What was promised and what was measured, of one scheme.

    Attributes:
        measured: float64 [seeds, rounds]; entry r is the mean of ||grad F||^2 over the first r + 1
            rounds.
        bound: float64 [rounds], on the expectation of the same.
        floor: what stays of the bound after infinitely many rounds.
        hold: probability of a held round.
        rho: spread of partial averages, the safe form.
        constants: of the losses, the largest along the run.
    """

    measured: HostFloats
    bound: HostFloats
    floor: float
    hold: float
    rho: float
    constants: LossConstants


def bound_beside_training(
    plan: TrainingPlan, drawn: Mapping[str, DrawnRounds]
) -> dict[str, BoundBeside]:
    """Train a plan, measure ||grad F||^2 in every round, and evaluate the bound for it.

    The constants are the largest of those at the start and at the end of every run of the first
    seed: estimates, so the bound is a guide and no promise.

    Args:
        plan: with the server's plain SGD, evaluated every round; links all alike, unless every
            scheme is exact or held.
        drawn: many rounds of every scheme of the plan, from `draw_rounds`.

    Returns:
        BoundBeside of [seeds, rounds] by scheme.

    Raises:
        ValueError: the plan's steps meet no bound (which condition fails).
    """
    if np.ndim(plan.partition.num_samples) != 1:
        raise ValueError("partition with a seeds axis: allowed is one partition for all seeds")
    if plan.settings.evaluate_every != 1:
        raise ValueError(f"evaluate_every = {plan.settings.evaluate_every}: allowed is 1")
    loss, samples = _sample_loss(plan), _samples(plan)
    squares, first, last = _train(plan, loss, samples)

    def constants_at(params: PyTree) -> LossConstants:
        size = plan.settings.batch_size
        sizes = plan.partition.num_samples
        found = estimate_constants(
            jax.random.key(0), loss, params, samples, sizes, batch_size=size or 1
        )
        return found if size else found._replace(gradient_variance=0.0)

    begin = constants_at(first)
    result = {}
    for number, scheme in enumerate(plan.settings.schemes):
        end = constants_at(jax.tree.map(lambda x, n=number: x[n], last))
        constants = largest_constants([begin, end])
        result[scheme] = _beside(plan, drawn[scheme], squares[:, number], constants)
    return result


def _train(plan: TrainingPlan, loss: Any, samples: PyTree) -> tuple[HostFloats, PyTree, PyTree]:
    """||grad F||^2 before every round [seeds, schemes, rounds]; first seed: start, and ends."""
    sizes = jnp.asarray(plan.partition.num_samples)

    def norm(params: PyTree, data: PyTree) -> Array:
        return squared_gradient_norm(loss, params, data, sizes)

    task = plan_task(plan)._replace(evaluate=lambda *given: (norm(*given), norm(*given)))
    settings, words = plan.settings, seed_words(plan.seeds)
    state = initial_state(task, settings, words)
    inputs = jax.tree.map(jnp.asarray, plan_inputs(plan)._replace(test=samples))
    starts = jax.tree.map(lambda x: np.asarray(x)[:, 0], state.params)
    at_start = jax.jit(lambda params: lax.map(lambda one: norm(one, inputs.test), params))(starts)
    at_start = np.asarray(at_start, np.float64)[:, None, None]
    program = training_program(task, settings)
    norms = [np.repeat(at_start, len(settings.schemes), axis=1)]
    for begin in range(0, plan.rounds, settings.block_rounds):
        active = min(settings.block_rounds, plan.rounds - begin)
        spans = (np.int32(begin), np.int32(active), np.int32(plan.rounds))
        state, metrics = program(state, inputs, words, *spans)
        norms.append(np.asarray(metrics.test_loss, np.float64)[..., :active])
    # Metrics tell of the model after a round; the bound speaks of it before.
    squares = np.concatenate(norms, axis=-1)[..., :-1]
    last = jax.tree.map(lambda x: np.asarray(x)[0], state.params)
    return squares, jax.tree.map(lambda x: x[0], starts), last


def _beside(
    plan: TrainingPlan, drawn: DrawnRounds, squares: HostFloats, constants: LossConstants
) -> BoundBeside:
    rounds = np.arange(1, plan.rounds + 1)
    law = partial_law(drawn)
    rho = safe_rho(law)
    whole = convergence_bound(
        constants,
        LocalSteps(plan.learning_rate, plan.server_learning_rate, plan.settings.local_steps),
        num_clients=plan.network.num_clients,
        num_rounds=1,
        hold_probability=law.held,
        rho=rho,
    )
    return BoundBeside(
        measured=squares.cumsum(axis=-1) / rounds,
        bound=whole.descent / rounds + whole.floor,
        floor=whole.floor,
        hold=law.held,
        rho=rho,
        constants=constants,
    )


def _samples(plan: TrainingPlan) -> PyTree:
    """Inputs and labels [clients, capacity, ..]."""
    data, indices = plan.dataset, plan.partition.indices
    return data.train_inputs[indices], data.train_labels[indices]


def _sample_loss(plan: TrainingPlan) -> Any:
    """The plan's loss of one sample."""
    task = plan_task(plan)

    def loss(params: PyTree, sample: Any) -> Array:
        one = jax.tree.map(lambda x: jnp.asarray(x)[None], sample)
        return task.loss_fn(params, Batch(one, jnp.ones(1, jnp.float32)), jax.random.key(0))

    return loss
