"""Rounds of training over bad links: every seed and scheme in one compiled program.

The coefficients of a block of rounds do not depend on the model, so they are drawn and decided
first, all rounds, seeds and schemes together; then a loop over the rounds trains, aggregates and
evaluates. Schemes and seeds are leading axes. Memory beyond the data grows with
seeds x schemes x (clients + local optimizer + server optimizer) x parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec

from jaxcogc.federated.aggregation.coefficients import Coefficients
from jaxcogc.federated.aggregation.payload import aggregate_payloads, row_weights, weighted_sum
from jaxcogc.federated.aggregation.round_keys import RoundKeys, round_keys
from jaxcogc.federated.aggregation.rules import RULES
from jaxcogc.federated.aggregation.schemes import check_names, draw_schemes
from jaxcogc.federated.rounds.experiment import (
    Inputs,
    RoundMetrics,
    RoundSettings,
    Task,
    TrainState,
)
from jaxcogc.federated.rounds.local_steps import ClientData, draw_samples, local_update
from jaxcogc.federated.rounds.run_axes import Run, of_seed, over_runs, runs_at_once, seed_key
from jaxcogc.links.draws import Links
from jaxcogc.runtime.devices import AXIS, compiler_options, device_mesh

__all__ = ["training_program"]

_CPU_OPTIONS: dict[str, str | bool] = {"xla_backend_optimization_level": "1"}
"""LLVM's first level compiles a third faster than its third, and makes no slower rounds."""


class _Stream(NamedTuple):
    """What one run needs of the links of a round."""

    coefficients: Coefficients
    links: Links
    rows: Any  # float64 [rows], payload path only


def training_program(
    task: Task, settings: RoundSettings, *, devices: Sequence[Any] | None = None
) -> Any:
    """The program that trains all runs for a block of rounds.

    Args:
      task: what is learnt.
      settings: how.
      devices: the seeds are divided among them, so their number divides that of the seeds; None:
        the default device.

    Returns:
      A jitted ``run(state, inputs, words, first_round, num_active, num_rounds) -> (TrainState,
      RoundMetrics)``: rounds first_round .. first_round + num_active - 1 (int32 scalars, num_active
      at most block_rounds) of num_rounds in all, whose last is always evaluated. Metrics beyond
      num_active are 0. ``state`` is given up to the program.
    """

    def run(state, inputs, words, first_round, num_active, num_rounds):
        check_names(settings.schemes, inputs.code)
        span = (first_round, num_active, num_rounds)
        dtype = jax.tree.leaves(state.params)[0].dtype
        streams, places = _draw_block(settings, inputs, span, dtype, words) or (None, None)

        def one(run: Run) -> tuple[TrainState, RoundMetrics]:
            own = None if places is None else places[run.seed]
            return _one_run(task, settings, inputs, span, words, run, own)

        at_once = 1 if settings.deterministic else runs_at_once(state.params, inputs, platform)
        return over_runs(one, state, streams, at_once)

    def sharded(state, inputs, *rest):
        split, whole = PartitionSpec(AXIS), PartitionSpec()
        owned = split if inputs.data.num_samples.ndim == 2 else whole
        data = ClientData(whole, owned, owned)
        specs = Inputs(data, whole, whole, whole, owned)
        return jax.shard_map(
            run,
            mesh=device_mesh(devices or ()),
            in_specs=(split, specs, split, whole, whole, whole),
            out_specs=split,
            check_vma=False,
        )(state, inputs, *rest)

    platform = devices[0].platform if devices else jax.default_backend()
    return jax.jit(
        sharded if devices is not None and len(devices) > 1 else run,
        donate_argnums=0,
        compiler_options=compiler_options(platform) | (_CPU_OPTIONS if platform == "cpu" else {}),
    )


def _draw_block(
    settings: RoundSettings, inputs: Inputs, span: Any, dtype: Any, words: jax.Array
) -> Any:
    """A block of rounds of every seed and scheme, drawn and decided at once.

    Returns:
      _Stream [seeds, schemes, rounds, ..] and places [seeds, rounds, clients]; None where links
      must wait for the updates.
    """
    if settings.drop_non_finite:
        return None
    block = settings.block_rounds
    numbers = span[0] + jnp.arange(block, dtype=jnp.int32)

    def one(seed: jax.Array, number: jax.Array) -> Any:
        key = seed_key(words[seed])
        keys = round_keys(key, number.astype(jnp.uint32))
        return _draw(settings, of_seed(inputs, seed), dtype, keys, None)

    def several(seeds: jax.Array) -> Any:
        # One axis of trials: every level of vmap would trace the decision once more.
        drawn = jax.vmap(one)(jnp.repeat(seeds, block), jnp.tile(numbers, len(seeds)))
        return jax.tree.map(lambda x: x.reshape(-1, block, *x.shape[1:]), drawn)

    seeds = jnp.arange(words.shape[0], dtype=jnp.int32)
    if settings.deterministic:
        drawn = lax.map(lambda seed: jax.tree.map(lambda x: x[0], several(seed[None])), seeds)
    else:
        drawn = several(seeds)
    streams, places = drawn
    return jax.tree.map(lambda x: jnp.moveaxis(x, 2, 1), streams), places


def _one_run(
    task: Task,
    settings: RoundSettings,
    inputs: Inputs,
    span: Any,
    words: jax.Array,
    run: Run,
    places: Any,
) -> tuple[TrainState, RoundMetrics]:
    """One seed under one scheme, for a block of rounds; ``places`` [rounds, clients] or None."""
    inputs = of_seed(inputs, run.seed)
    key = seed_key(words[run.seed])
    dtype = jax.tree.leaves(run.state.params)[0].dtype

    def at_round(index: jax.Array, keys: RoundKeys, alive: Any) -> Any:
        if run.stream is None:
            found, where = _draw(settings, inputs, dtype, keys, alive)
            return jax.tree.map(lambda x: x[run.scheme], found), where
        return jax.tree.map(lambda x: x[index], (run.stream, places))

    coded = jnp.array([RULES[name].coded for name in settings.schemes])[run.scheme]
    step = _round_step(task, settings, inputs, at_round, coded)
    return _loop(settings, key, span, step, run.state)


def _draw(
    settings: RoundSettings, inputs: Inputs, dtype: Any, keys: RoundKeys, alive: Any
) -> tuple[_Stream, jax.Array]:
    """One round of every scheme."""
    policy = settings.policy
    drawn = draw_schemes(
        keys,
        settings.schemes,
        inputs.channel,
        inputs.code,
        policy,
        reciprocal=settings.reciprocal,
        scale=inputs.scale,
        alive=alive,
        dtype=dtype,
    )
    rows = None
    if settings.aggregation == "payload" and inputs.code is not None:
        rows = row_weights(settings.schemes, drawn, inputs.code, policy.partial_normalisation)
    return _Stream(drawn.coefficients, drawn.links, rows), drawn.places


def _loop(
    settings: RoundSettings, key: jax.Array, span: Any, step: Any, state: TrainState
) -> tuple[TrainState, RoundMetrics]:
    """The loop over rounds; its length is an input, so that one program serves every block."""
    first, num_active, num_rounds = span

    def advance(index: jax.Array, carry: Any) -> Any:
        state, table = carry
        number = first + index
        evaluated = ((number + 1) % settings.evaluate_every == 0) | (number + 1 == num_rounds)
        state, row = step(state, index, round_keys(key, number.astype(jnp.uint32)), evaluated)
        return state, jax.tree.map(lambda rows, x: rows.at[index].set(x), table, row)

    shapes = jax.eval_shape(step, state, first, round_keys(key, np.uint32(0)), first > 0)[1]
    empty = jax.tree.map(lambda x: jnp.zeros((settings.block_rounds, *x.shape), x.dtype), shapes)
    return lax.fori_loop(0, num_active, advance, (state, empty))


def _round_step(
    task: Task, settings: RoundSettings, inputs: Inputs, at_round: Any, coded: jax.Array
) -> Callable[..., tuple[TrainState, RoundMetrics]]:
    """One round of one run: train, check, aggregate, step, evaluate."""
    data = inputs.data
    update = local_update(
        task.loss_fn,
        task.local_optimizer,
        local_steps=settings.local_steps,
        proximal=settings.proximal,
    )
    clients = jnp.arange(data.num_samples.shape[0], dtype=jnp.int32)

    def step(state: TrainState, index: Any, keys: RoundKeys, evaluated: jax.Array) -> Any:
        samples = draw_samples(keys.batches, data, settings.local_steps, settings.batch_size)
        axes = (None, None, 0, None if samples is None else 0, None)
        deltas, losses = jax.vmap(update, axes)(state.params, data, clients, samples, keys.loss)
        finite = _finite(deltas)
        deltas = jax.tree.map(lambda x: jnp.where(_like(finite, x), x, 0), deltas)
        stream, places = at_round(index, keys, finite)
        one = stream.coefficients
        aggregate = _aggregate(settings, inputs, stream, places, coded, deltas)
        state = _server_step(task.server_optimizer, state, aggregate, one.hold)
        unknown = jnp.full((), jnp.nan, losses.dtype)
        accuracy, loss = lax.cond(
            evaluated,
            lambda params: jax.tree.map(
                lambda x: x.astype(losses.dtype), task.evaluate(params, inputs.test)
            ),
            lambda _: (unknown, unknown),
            state.params,
        )
        train_loss = jnp.mean(losses, where=finite)
        total = jnp.sum(one.weights)
        metrics = RoundMetrics(
            test_accuracy=accuracy,
            test_loss=loss,
            train_loss=train_loss,
            hold=one.hold,
            exact=one.exact,
            num_recovered=one.num_recovered,
            num_revealed=one.num_revealed,
            coefficient_sum=total,
            peer_uses=one.peer_uses,
            uplink_uses=one.uplink_uses,
            finite=finite,
        )
        return state, metrics

    return step


def _finite(deltas: Any) -> jax.Array:
    """Bool [clients]: every number of the client's update is finite."""
    checks = [
        jnp.all(jnp.isfinite(x.reshape(x.shape[0], -1)), axis=1) for x in jax.tree.leaves(deltas)
    ]
    return jnp.all(jnp.stack(checks), axis=0)


def _like(flags: jax.Array, values: jax.Array) -> jax.Array:
    return flags.reshape(flags.shape + (1,) * (values.ndim - 1))


def _aggregate(
    settings: RoundSettings,
    inputs: Inputs,
    stream: _Stream,
    places: jax.Array,
    coded: jax.Array,
    deltas: Any,
) -> Any:
    """What the server adds: sum_k c_k Delta_k, by the coefficients or by real payloads."""
    weights = lax.stop_gradient(stream.coefficients.weights)
    linear = jax.tree.map(lambda x: weighted_sum(weights, x), deltas)
    if stream.rows is None or inputs.code is None:
        return linear
    if inputs.scale is not None:
        scale = jnp.asarray(inputs.scale)
        deltas = jax.tree.map(lambda x: x * _like(scale, x).astype(x.dtype), deltas)
    decoded = aggregate_payloads(inputs.code, stream.links, places, stream.rows, deltas)
    return jax.tree.map(lambda one, other: jnp.where(coded, one, other), decoded, linear)


def _server_step(optimizer: Any, state: TrainState, aggregate: Any, hold: jax.Array) -> TrainState:
    """One step of the server's optimizer on the aggregate; held: nothing moves."""
    gradient = jax.tree.map(jnp.negative, aggregate)
    change, server_state = optimizer.update(gradient, state.server_state, state.params)
    moved = TrainState(jax.tree.map(jnp.add, state.params, change), server_state)
    return jax.tree.map(lambda new, old: jnp.where(hold, old, new), moved, state)
