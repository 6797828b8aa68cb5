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

from jaxcogc.federated.experiment import Inputs, RoundMetrics, RoundSettings, Task, TrainState
from jaxcogc.federated.keys import RoundKeys, initial_key, round_keys
from jaxcogc.federated.local import draw_samples, local_update
from jaxcogc.federated.payload import SENT_CODED, aggregate_payloads, row_weights, weighted_sum
from jaxcogc.federated.schemes import Coefficients, check_names, draw_schemes
from jaxcogc.links.sampling import Links
from jaxcogc.runtime.devices import AXIS, device_mesh

__all__ = ["initial_state", "seed_words", "training_program"]

_IMPL = "threefry2x32"


class _Stream(NamedTuple):
    """What one run needs of the links of a round."""

    coefficients: Coefficients
    links: Links
    rows: Any  # float64 [rows], payload path only


def seed_words(seeds: Sequence[int]) -> jax.Array:
    """The keys of seeds as arrays: uint32 [seeds, 2]."""
    keys = [jax.random.key_data(jax.random.key(seed, impl=_IMPL)) for seed in seeds]
    return jnp.stack(keys)


def initial_state(task: Task, settings: RoundSettings, words: jax.Array) -> TrainState:
    """The start of all runs: one draw of parameters a seed, the same under every scheme.

    Args:
      task: what is learnt.
      settings: whose schemes count.
      words: uint32 [seeds, 2], as `seed_words` makes them.
    """

    def one(seed: jax.Array) -> TrainState:
        params = task.init(initial_key(jax.random.wrap_key_data(seed, impl=_IMPL)))
        state = TrainState(params, task.server_optimizer.init(params))
        copies = len(settings.schemes)
        return jax.tree.map(lambda x: jnp.broadcast_to(x, (copies, *jnp.shape(x))), state)

    return jax.jit(lambda words: lax.map(one, words))(words)


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

        def one_seed(state: Any, seed: jax.Array, drawn: Any) -> Any:
            return _seed_block(task, settings, inputs, span, state, seed, drawn)

        def alone(both: Any) -> Any:
            state, seed = both
            drawn = _draw_block(settings, inputs, span, dtype, seed[None])
            return one_seed(state, seed, jax.tree.map(lambda x: x[0], drawn))

        if settings.deterministic:
            return lax.map(alone, (state, words))
        return jax.vmap(one_seed)(state, words, _draw_block(settings, inputs, span, dtype, words))

    if devices is not None and len(devices) > 1:
        split, whole = PartitionSpec(AXIS), PartitionSpec()
        run = jax.shard_map(
            run,
            mesh=device_mesh(devices),
            in_specs=(split, whole, split, whole, whole, whole),
            out_specs=split,
            check_vma=False,
        )
    return jax.jit(run, donate_argnums=0)


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
    seeds, block = words.shape[0], settings.block_rounds
    numbers = span[0] + jnp.arange(block, dtype=jnp.int32)

    def one(seed: jax.Array, number: jax.Array) -> Any:
        key = jax.random.wrap_key_data(seed, impl=_IMPL)
        return _draw(settings, inputs, dtype, round_keys(key, number.astype(jnp.uint32)), None)

    # One axis of trials: every level of vmap would trace the decision once more.
    drawn = jax.vmap(one)(jnp.repeat(words, block, axis=0), jnp.tile(numbers, seeds))
    streams, places = jax.tree.map(lambda x: x.reshape(seeds, block, *x.shape[1:]), drawn)
    return jax.tree.map(lambda x: jnp.moveaxis(x, 2, 1), streams), places


def _seed_block(
    task: Task,
    settings: RoundSettings,
    inputs: Inputs,
    span: Any,
    state: Any,
    seed: Any,
    drawn: Any,
) -> Any:
    """All schemes of one seed; ``drawn`` as `_draw_block` gives it, for this seed."""
    seed_key = jax.random.wrap_key_data(seed, impl=_IMPL)
    dtype = jax.tree.leaves(state.params)[0].dtype

    streams, places = (None, None) if drawn is None else drawn

    def one_scheme(state: TrainState, number: jax.Array, stream: Any) -> Any:
        def at_round(index: jax.Array, keys: RoundKeys, alive: Any) -> Any:
            if stream is None:
                found, where = _draw(settings, inputs, dtype, keys, alive)
                return jax.tree.map(lambda x: x[number], found), where
            return jax.tree.map(lambda x: x[index], (stream, places))

        coded = jnp.array([name in SENT_CODED for name in settings.schemes])[number]
        step = _round_step(task, settings, inputs, at_round, coded)
        return _loop(settings, seed_key, span, step, state)

    schemes = jnp.arange(len(settings.schemes), dtype=jnp.int32)
    if settings.deterministic:
        return lax.map(lambda x: one_scheme(*x), (state, schemes, streams))
    return jax.vmap(one_scheme)(state, schemes, streams)


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
    settings: RoundSettings, seed_key: jax.Array, span: Any, step: Any, state: TrainState
) -> tuple[TrainState, RoundMetrics]:
    """The loop over rounds; its length is an input, so that one program serves every block."""
    first, num_active, num_rounds = span

    def advance(index: jax.Array, carry: Any) -> Any:
        state, table = carry
        number = first + index
        evaluated = ((number + 1) % settings.evaluate_every == 0) | (number + 1 == num_rounds)
        state, row = step(state, index, round_keys(seed_key, number.astype(jnp.uint32)), evaluated)
        return state, jax.tree.map(lambda rows, x: rows.at[index].set(x), table, row)

    shapes = jax.eval_shape(step, state, first, round_keys(seed_key, np.uint32(0)), first > 0)[1]
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
