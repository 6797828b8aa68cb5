"""One round of one run: train the clients, add what the scheme makes of it, step, evaluate."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.typing import DTypeLike

from jaxcogc._types import Array, Key, PyTree
from jaxcogc.federated.aggregation.client_states import mean_model, mixed, recalled, refreshed
from jaxcogc.federated.aggregation.link_history import run_start
from jaxcogc.federated.aggregation.round_keys import RoundKeys, round_keys
from jaxcogc.federated.aggregation.rules import RULES
from jaxcogc.federated.aggregation.schemes import SchemeDraw, draw_schemes
from jaxcogc.federated.rounds.experiment import (
    Inputs,
    RoundMetrics,
    RoundSettings,
    StateAndMetrics,
    Task,
    TrainState,
)
from jaxcogc.federated.rounds.local_steps import draw_samples, local_update
from jaxcogc.federated.rounds.masked import (
    MaskErrors,
    aggregate_masked,
    field_rows,
    mask_errors,
)
from jaxcogc.federated.rounds.payload import aggregate_payloads, row_weights, weighted_sum
from jaxcogc.runtime.random_words import fold_in

_MASKS = 1
"""Folded into a key that decides nothing a mask depends on."""
AtRound = Callable[[Array, Array], SchemeDraw]
"""``at_round(index, finite)``: a run's part of a round; index counts in the block."""
RoundStep = Callable[[TrainState, Array, RoundKeys, Array], StateAndMetrics]
"""``step(state, index, keys, evaluated)``."""


def decide_round(
    settings: RoundSettings,
    inputs: Inputs,
    dtype: DTypeLike,
    seed_key: Key,
    number: Array,
    *,
    alive: Array | None,
) -> SchemeDraw:
    """Draw the links of one round and decide what every scheme makes of them: [schemes, ..].

    Args:
      settings: schemes, policy and aggregation count.
      inputs: network, code and scale count, of one seed.
      dtype: of the coefficients.
      seed_key: of the seed.
      number: of the round, uint32.
      alive: bool [clients], who takes part; None: everybody.
    """
    policy, names = settings.policy, settings.built_in or ("ideal",)
    keys = round_keys(seed_key, number)
    start = run_start(
        seed_key,
        number,
        inputs.channel,
        num_attempts=policy.num_attempts,
        reciprocal=settings.reciprocal,
    )
    drawn = draw_schemes(
        keys,
        names,
        inputs.channel,
        inputs.code,
        policy,
        reciprocal=settings.reciprocal,
        scale=inputs.scale,
        alive=alive,
        start=start,
        dtype=dtype,
    )
    if settings.aggregation == "payload" and inputs.code is not None:
        over_field = settings.masks == "field" and any(RULES[name].masked for name in names)
        drawn = drawn._replace(
            rows=row_weights(names, drawn, inputs.code, policy, over_field=over_field),
            field_rows=field_rows(names, drawn, inputs.code) if over_field else None,
        )
    return drawn


class RunKind(NamedTuple):
    """What a run's scheme is; bool scalars, as all schemes share one program.

    Attributes:
      coded: its payloads are encoded and decoded.
      own_models: every client has a model of its own.
      masked: its clients share updates behind masks.
    """

    coded: Array
    own_models: Array
    masked: Array


def round_step(
    task: Task, settings: RoundSettings, inputs: Inputs, at_round: AtRound, kind: RunKind
) -> RoundStep:
    """One round of one run: train, check, aggregate, step, evaluate."""
    data = inputs.data
    update = local_update(
        task.loss_fn,
        task.local_optimizer,
        local_steps=settings.local_steps,
        proximal=settings.proximal,
    )
    clients = jnp.arange(data.num_samples.shape[0], dtype=jnp.int32)
    gossips = any(settings.remembers("models"))
    server = _server_round(task, settings, inputs, kind)

    def step(state: TrainState, index: Array, keys: RoundKeys, evaluated: Array) -> StateAndMetrics:
        samples = draw_samples(keys.batches, data, settings.local_steps, settings.batch_size)
        start = _starts(kind, state) if gossips else state.params
        axes = (0 if gossips else None, None, 0, None if samples is None else 0, None)
        deltas, losses = jax.vmap(update, axes)(start, data, clients, samples, keys.loss)
        finite = _finite(deltas)
        deltas = jax.tree.map(lambda x: jnp.where(_like(finite, x), x, 0), deltas)
        drawn = at_round(index, finite)
        one = drawn.coefficients
        state, errors = server(_Sent(keys, drawn, start, deltas, finite), state)

        def evaluate(params: PyTree) -> PyTree:
            found = task.evaluate(params, inputs.test)
            return jax.tree.map(lambda x: x.astype(losses.dtype), found)

        unknown = jnp.full((), jnp.nan, losses.dtype)
        names = jax.eval_shape(evaluate, state.params)
        test = lax.cond(
            evaluated, evaluate, lambda _: jax.tree.map(lambda _: unknown, names), state.params
        )
        metrics = RoundMetrics(
            test=test,
            train_loss=jnp.mean(losses, where=finite),
            hold=one.hold,
            exact=one.exact,
            num_recovered=one.num_recovered,
            num_revealed=one.num_revealed,
            coefficient_sum=jnp.sum(one.weights),
            peer_uses=one.peer_uses,
            uplink_uses=one.uplink_uses,
            slots=one.slots,
            num_dimensions=one.num_dimensions,
            largest_share=one.largest_share,
            mask_error=errors.measured,
            mask_error_predicted=errors.predicted,
            finite=finite,
        )
        return state, metrics

    return step


class _Sent(NamedTuple):
    """What the clients made of a round: updates that are finite, from where they started."""

    keys: RoundKeys
    drawn: SchemeDraw
    start: PyTree
    deltas: PyTree
    finite: Array


def _server_round(
    task: Task, settings: RoundSettings, inputs: Inputs, kind: RunKind
) -> Callable[[_Sent, TrainState], tuple[TrainState, MaskErrors]]:
    """From what the clients made of a round to where the run stands, and the errors of masks."""
    gossips = any(settings.remembers("models"))

    def serve(sent: _Sent, state: TrainState) -> tuple[TrainState, MaskErrors]:
        drawn, deltas = sent.drawn, sent.deltas
        shared = _as_shared(drawn, deltas)
        aggregate, errors = _aggregate(settings, inputs, kind, sent, shared)
        if drawn.states is not None:
            known = drawn.states._replace(refresh=drawn.states.refresh & sent.finite)
            aggregate = jax.tree.map(jnp.add, aggregate, recalled(known, state.clients))
            after = refreshed(known, shared, state.clients)
        moved = _server_step(task.server_optimizer, state, aggregate, drawn.coefficients.hold)
        if drawn.states is not None:
            moved = moved._replace(clients=after)
        if gossips:
            moved = _gossip(kind, drawn, state, moved, sent.start, deltas)
        return moved, errors

    return serve


def _finite(deltas: PyTree) -> Array:
    """Bool [clients]: every number of the client's update is finite."""
    checks = [
        jnp.all(jnp.isfinite(x.reshape(x.shape[0], -1)), axis=1) for x in jax.tree.leaves(deltas)
    ]
    return jnp.all(jnp.stack(checks), axis=0)


def _like(flags: Array, values: Array) -> Array:
    return flags.reshape(flags.shape + (1,) * (values.ndim - 1))


def _starts(kind: RunKind, state: TrainState) -> PyTree:
    """Where each client's local steps start, [clients, ..]: its own model, or the server's."""
    return jax.tree.map(
        lambda own, x: jnp.where(kind.own_models, own, x), state.clients, state.params
    )


def _gossip(
    kind: RunKind,
    drawn: SchemeDraw,
    before: TrainState,
    moved: TrainState,
    start: PyTree,
    deltas: PyTree,
) -> TrainState:
    """Where a run stands whose clients mix models; another run as it has moved."""
    assert drawn.states is not None
    models = jax.tree.map(jnp.add, start, deltas)
    models = mixed(drawn.coefficients.weights, drawn.states.refresh, models)
    own = TrainState(mean_model(models), before.server_state, models)
    after: TrainState = jax.tree.map(lambda x, y: jnp.where(kind.own_models, x, y), own, moved)
    return after


def _as_shared(drawn: SchemeDraw, deltas: PyTree) -> PyTree:
    """The updates as clients share them: scaled for target weights, or against bias."""
    if drawn.share_scale is None:
        return deltas
    scale = drawn.share_scale
    return jax.tree.map(lambda x: x * _like(scale, x).astype(x.dtype), deltas)


def _aggregate(
    settings: RoundSettings, inputs: Inputs, kind: RunKind, sent: _Sent, shared: PyTree
) -> tuple[PyTree, MaskErrors]:
    """What the server adds: sum_k c_k Delta_k, by the coefficients or by real payloads."""
    drawn, code = sent.drawn, inputs.code
    weights = lax.stop_gradient(drawn.coefficients.weights)
    linear = jax.tree.map(lambda x: weighted_sum(weights, x), sent.deltas)
    nothing = jnp.full((), jnp.nan, jax.tree.leaves(linear)[0].dtype)
    errors = MaskErrors(nothing, nothing)
    if drawn.rows is None or code is None:
        return linear, errors

    def choose(which: Array, one: PyTree, other: PyTree) -> PyTree:
        return jax.tree.map(lambda x, y: jnp.where(which, x, y), one, other)

    if not all(settings.masked):
        decoded = aggregate_payloads(code, drawn.links, drawn.places, drawn.rows, shared)
        linear = choose(kind.coded & ~kind.masked, decoded, linear)
    if any(settings.masked):
        key = fold_in(sent.keys.decoding, _MASKS)
        decoded = aggregate_masked(key, code, drawn, shared, settings.mask_ratio)
        found = mask_errors(code, drawn, shared, decoded, linear, settings.mask_ratio)
        errors = choose(kind.masked, found, errors)
        linear = choose(kind.masked, decoded, linear)
    return linear, errors


def _server_step(
    optimizer: optax.GradientTransformation, state: TrainState, aggregate: PyTree, hold: Array
) -> TrainState:
    """One step of the server's optimizer on the aggregate; held: nothing moves."""
    gradient = jax.tree.map(jnp.negative, aggregate)
    change, server_state = optimizer.update(gradient, state.server_state, state.params)
    moved = state._replace(
        params=jax.tree.map(jnp.add, state.params, change), server_state=server_state
    )
    after: TrainState = jax.tree.map(lambda new, old: jnp.where(hold, old, new), moved, state)
    return after
