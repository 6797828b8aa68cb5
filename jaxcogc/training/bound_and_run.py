"""A convergence bound beside the training run that it speaks about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float64

from jaxcogc._types import Array, HostFloats, PyTree
from jaxcogc.federated.convergence.bound import LocalSteps, LossConstants, convergence_bound
from jaxcogc.federated.convergence.loss_constants import (
    SampleLoss,
    estimate_constants,
    largest_constants,
    squared_gradient_norm,
)
from jaxcogc.federated.convergence.partial_averages import DrawnRounds, partial_law, safe_rho
from jaxcogc.federated.rounds.local_steps import Batch
from jaxcogc.runtime.jax_settings import plain_settings
from jaxcogc.runtime.random_words import seed_key
from jaxcogc.training.compiled import compile_task
from jaxcogc.training.losses import cross_entropy
from jaxcogc.training.plan import TrainingPlan
from jaxcogc.training.task import plan_inputs, plan_task


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

    measured: Float64[np.ndarray, "seeds rounds"]
    bound: Float64[np.ndarray, "rounds"]
    floor: float
    hold: float
    rho: float
    constants: LossConstants


class _Measured(NamedTuple):
    """||grad F||^2 before every round [seeds, schemes, rounds]; parameters of the first seed at the
    start, and at the end under every scheme.
    """

    squares: HostFloats
    first: PyTree
    last: PyTree


@plain_settings()
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
    own = plan.local_optimizer is not None or not isinstance(plan.server_optimizer, str)
    if own or plan.loss is not cross_entropy:
        raise ValueError("loss or optimizers of one's own: allowed are cross entropy and SGD")
    if plan.dynamics is not None:
        raise ValueError("dynamics in the plan: allowed is None, as the bound needs rounds apart")
    if plan.settings.evaluate_every != 1:
        raise ValueError(f"evaluate_every = {plan.settings.evaluate_every}: allowed is 1")
    loss, samples = _sample_loss(plan), _samples(plan)
    measured = _train(plan, loss)

    def constants_at(params: PyTree) -> LossConstants:
        size = plan.settings.batch_size
        sizes = plan.partition.num_samples
        found = estimate_constants(seed_key(0), loss, params, samples, sizes, batch_size=size or 1)
        return found if size else found._replace(gradient_variance=0.0)

    begin = constants_at(measured.first)
    result = {}
    for number, scheme in enumerate(plan.settings.schemes):
        end = constants_at(jax.tree.map(lambda x, n=number: x[n], measured.last))
        constants = largest_constants([begin, end])
        result[scheme] = _beside(plan, drawn[scheme], measured.squares[:, number], constants)
    return result


def _train(plan: TrainingPlan, loss: SampleLoss) -> _Measured:
    """Train, with ||grad F||^2 in the place of the test."""
    samples, sizes = _samples(plan), jnp.asarray(plan.partition.num_samples)

    def norm(params: PyTree, data: PyTree) -> dict[str, Array]:
        return {"squared_norm": squared_gradient_norm(loss, params, data, sizes)}

    task = plan_task(plan)._replace(evaluate=norm)
    compiled = compile_task(plan, task, plan_inputs(plan)._replace(test=samples))
    trained = compiled.start()
    starts = jax.tree.map(lambda x: x[:, 0], trained.state.params)
    at_start = jax.jit(lambda params: lax.map(lambda one: norm(one, samples), params))(starts)
    for later in compiled.blocks(trained):
        trained = later
    before = np.broadcast_to(
        np.asarray(at_start["squared_norm"])[:, None, None],
        (len(plan.seeds), len(plan.settings.schemes), 1),
    )
    # Metrics tell of the model after a round; the bound speaks of it before.
    after = trained.metrics.test["squared_norm"][..., :-1]
    return _Measured(
        squares=np.concatenate([before, after], axis=-1).astype(np.float64),
        first=jax.tree.map(lambda x: x[0], starts),
        last=jax.tree.map(lambda x: x[0], trained.state.params),
    )


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


def _sample_loss(plan: TrainingPlan) -> SampleLoss:
    """The plan's loss of one sample."""
    task = plan_task(plan)

    def loss(params: PyTree, sample: PyTree) -> Array:
        one = jax.tree.map(lambda x: jnp.asarray(x)[None], sample)
        return task.loss_fn(params, Batch(one, jnp.ones(1, jnp.float32)), seed_key(0))

    return loss
