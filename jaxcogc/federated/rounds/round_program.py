"""Rounds of training over bad links: every seed and scheme in one compiled program.

The coefficients of a block of rounds do not depend on the model, so they are drawn and decided
first, all rounds, seeds and schemes together; then a loop over the rounds trains, aggregates and
evaluates. Schemes and seeds are leading axes. Memory beyond the data grows with
seeds x schemes x (clients + local optimizer + server optimizer) x parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec
from jax.stages import Lowered
from jax.typing import DTypeLike

from jaxcogc._types import Array, Key, PyTree
from jaxcogc.federated.aggregation.round_keys import round_keys
from jaxcogc.federated.aggregation.schemes import SchemeDraw, check_names
from jaxcogc.federated.rounds.experiment import (
    Inputs,
    RoundSettings,
    RoundSpan,
    StateAndMetrics,
    Task,
    TrainState,
)
from jaxcogc.federated.rounds.one_round import RoundStep, RunKind, decide_round, round_step
from jaxcogc.federated.rounds.own_schemes import with_own_schemes
from jaxcogc.federated.rounds.run_axes import Run, of_seed, over_runs, runs_at_once
from jaxcogc.links.network import Network
from jaxcogc.runtime.devices import AXIS, compiler_options, device_mesh
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import data_key

_CPU_OPTIONS: dict[str, str | bool] = {"xla_backend_optimization_level": "1"}
"""LLVM's first level compiles a third faster than its third, and makes no slower rounds."""


@runtime_checkable
class TrainingProgram(Protocol):
    """The jitted program that trains all runs for a block of rounds.

    ``words`` are uint32 [seeds, 2], the seeds' keys; ``state`` is given up to the program. Metrics
    beyond the rounds of ``span`` are 0.
    """

    def __call__(
        self, state: TrainState, inputs: Inputs, words: Array, span: RoundSpan
    ) -> StateAndMetrics:
        """Train."""

    def lower(self, state: TrainState, inputs: Inputs, words: Array, span: RoundSpan) -> Lowered:
        """Trace, and do not compile yet."""


@under_plain_settings
def training_program(
    task: Task,
    settings: RoundSettings,
    *,
    devices: Sequence[jax.Device] | None = None,
    network: Network | None = None,
) -> TrainingProgram:
    """The program that trains all runs for a block of rounds.

    Args:
      task: what is learnt.
      settings: how.
      devices: the seeds are divided among them, so their number divides that of the seeds; None:
        the default device.
      network: what schemes of one's own draw from, on the host; the program is one for it then.
    """

    def run(state: TrainState, inputs: Inputs, words: Array, span: RoundSpan) -> StateAndMetrics:
        check_names(settings.built_in, inputs.code, inputs.channel.arrival_weight.shape[-1])
        own, state = state.own, state._replace(own=None)
        chex.assert_shape(words, (None, 2))
        chex.assert_tree_shape_prefix(state, (len(words), len(settings.schemes)))
        held = inputs.data.num_samples
        chex.assert_equal_shape_prefix([inputs.data.indices, held], held.ndim)
        dtype = jax.tree.leaves(state.params)[0].dtype
        drawn = None  # where links must wait for the updates
        if not settings.drop_non_finite:
            drawn = _draw_block(settings, inputs, span, dtype, words)
        if settings.own and network is not None:
            drawn, own = with_own_schemes(settings, network, span, words, drawn, own)
        at_once = 1 if settings.deterministic else runs_at_once(state.params, inputs, platform)
        one = partial(_one_run, task, settings, inputs, span, words)
        state, metrics = over_runs(one, state, drawn, at_once)
        return state._replace(own=own), metrics

    def sharded(
        state: TrainState, inputs: Inputs, words: Array, span: RoundSpan
    ) -> StateAndMetrics:
        spec: Callable[..., PartitionSpec] = PartitionSpec  # which has no types of its own
        split, whole = spec(AXIS), spec()
        own = split if inputs.data.num_samples.ndim == 2 else whole
        specs = jax.tree.map(lambda _: whole, inputs)
        data = specs.data._replace(indices=own, num_samples=own)
        return jax.shard_map(
            run,
            mesh=device_mesh(devices or ()),
            in_specs=(split, specs._replace(data=data, scale=own), split, whole),
            out_specs=split,
            check_vma=False,
        )(state, inputs, words, span)

    platform = devices[0].platform if devices else jax.default_backend()
    program: TrainingProgram = jax.jit(
        sharded if devices is not None and len(devices) > 1 else run,
        donate_argnums=0,
        compiler_options=compiler_options(platform) | (_CPU_OPTIONS if platform == "cpu" else {}),
    )
    return program


def _draw_block(
    settings: RoundSettings, inputs: Inputs, span: RoundSpan, dtype: DTypeLike, words: Array
) -> SchemeDraw:
    """SchemeDraw [seeds, schemes, rounds, ..] of a block of rounds, all drawn at once."""
    block = settings.block_rounds
    numbers = span.first + jnp.arange(block, dtype=jnp.int32)

    def one(seed: Array, number: Array) -> SchemeDraw:
        key, of_one = data_key(words[seed]), of_seed(inputs, seed)
        return decide_round(settings, of_one, dtype, key, number.astype(jnp.uint32), alive=None)

    def several(seeds: Array) -> PyTree:
        # One axis of trials: every level of vmap would trace the decision once more.
        drawn = jax.vmap(one)(jnp.repeat(seeds, block), jnp.tile(numbers, len(seeds)))
        return jax.tree.map(lambda x: x.reshape(-1, block, *x.shape[1:]), drawn)

    seeds = jnp.arange(words.shape[0], dtype=jnp.int32)
    if settings.deterministic:
        drawn = lax.map(lambda seed: jax.tree.map(lambda x: x[0], several(seed[None])), seeds)
    else:
        drawn = several(seeds)
    by_scheme: SchemeDraw = jax.tree.map(lambda x: jnp.moveaxis(x, 2, 1), drawn)
    return by_scheme


def _one_run(
    task: Task, settings: RoundSettings, inputs: Inputs, span: RoundSpan, words: Array, run: Run
) -> StateAndMetrics:
    """One seed under one scheme, for a block of rounds."""
    inputs = of_seed(inputs, run.seed)
    dtype = jax.tree.leaves(run.state.params)[0].dtype
    key = data_key(words[run.seed])

    def at_round(index: Array, alive: Array) -> SchemeDraw:
        decided, place = run.drawn, index
        if decided is None:
            number = (span.first + index).astype(jnp.uint32)
            decided, place = (
                decide_round(settings, inputs, dtype, key, number, alive=alive),
                run.scheme,
            )
        own: SchemeDraw = jax.tree.map(lambda x: x[place], decided)
        return own

    coded = [rule is not None and rule.coded for rule in settings.rules]
    kinds = (coded, settings.remembers("models"), settings.masked)
    kind = RunKind(*(jnp.array(x)[run.scheme] for x in kinds))
    step = round_step(task, settings, inputs, at_round, kind)
    return _loop(settings, key, span, step, run.state)


def _loop(
    settings: RoundSettings, key: Key, span: RoundSpan, step: RoundStep, state: TrainState
) -> StateAndMetrics:
    """The loop over rounds; its length is an input, so that one program serves every block."""

    def advance(index: Array, carry: StateAndMetrics) -> StateAndMetrics:
        state, table = carry
        number = span.first + index
        evaluated = ((number + 1) % settings.evaluate_every == 0) | (number + 1 == span.num_rounds)
        state, row = step(state, index, round_keys(key, number.astype(jnp.uint32)), evaluated)
        return state, jax.tree.map(lambda rows, x: rows.at[index].set(x), table, row)

    keys = round_keys(key, np.uint32(0))
    _, row = jax.eval_shape(step, state, span.first, keys, span.first > 0)
    table = jax.tree.map(lambda x: jnp.zeros((settings.block_rounds, *x.shape), x.dtype), row)
    after: StateAndMetrics = lax.fori_loop(0, span.num_active, advance, (state, table))
    return after
