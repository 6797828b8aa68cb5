"""Trials with a link model, or with outcomes, of the caller's own; counted block by block.

Both are pure functions that JAX can trace, of one trial; `simulate_outcomes` takes them. The key
that a link model gets draws what `jax.random` draws by default, only faster. Rounds in which no
uplink works, once in two, and a question of one's own:

>>> from jaxcogc import Links, Network, cyclic_code, simulate_outcomes
>>> network = Network.homogeneous(4, uplink_erasure=0.2, peer_erasure=0.1)
>>> code = cyclic_code(jax.random.key(0), 4, 1)
>>> def storm(key, trial):
...     calm = jax.random.bernoulli(key, 0.5)
...     return Links(jnp.full((1, 4), calm), jnp.ones((1, 4, 4), bool))
>>> def half(recovery, links):
...     return links.uplink_delivered.sum() >= 2
>>> outcomes = simulate_outcomes(jax.random.key(1), network, code, num_trials=10_000,
...                              links=storm, outcomes={"half of them": half})
>>> 0.48 < outcomes.custom["half of them"] < 0.52
True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec

from jaxcogc._types import Array, Key, PyTree
from jaxcogc.coding.exact.bit_rows import offsets_from_links
from jaxcogc.coding.exact.decision import PreparedCode, Recovery, recover_rows
from jaxcogc.links.draws import Links
from jaxcogc.links.packed_draws import blank_erased, by_offset
from jaxcogc.outage.counts import BLOCK_TRIALS, OutcomeCounts
from jaxcogc.outage.simulation.block_words import (
    block_key,
    tile_links,
    tile_rows,
    trial_keys,
    trial_vectors,
)
from jaxcogc.outage.simulation.count_table import counts_from_table, empty_table, outcome_table
from jaxcogc.outage.simulation.decided_tiles import prepared, shared_out
from jaxcogc.outage.simulation.program import blank_inputs
from jaxcogc.outage.simulation.program_inputs import Run, Shape
from jaxcogc.runtime.compute_once import in_branches
from jaxcogc.runtime.devices import device_mesh
from jaxcogc.runtime.random_words import seed_key

DrawLinks: TypeAlias = Callable[[Key, Array], Links]
"""Of a trial's own key and its number in the run, int32: its links, bool [attempts, clients] and
[attempts, clients, clients]."""

Outcome: TypeAlias = Callable[[Recovery, Links], Array]
"""Whether it happened in a trial: a bool scalar."""

_MOST_TRIALS = 2**31 - 1
"""Trials of a run are numbered by an int32."""


class OwnTrials(NamedTuple):
    """What is the caller's own.

    Attributes:
      draw: the links of a trial; None: the built-in ones, from the same words.
      outcomes: by name.
    """

    draw: DrawLinks | None
    outcomes: Mapping[str, Outcome]


class OwnCounts(NamedTuple):
    """What a run counted: the built-in outcomes, and the caller's own by name."""

    counts: OutcomeCounts
    own: dict[str, int]


def count_own_trials(
    shape: Shape,
    run: Run,
    num_trials: int,
    own_trials: OwnTrials,
) -> OwnCounts:
    """Draw, decide and count, on all devices of the shape.

    Args:
      shape: of the built-in program.
      run: what all blocks share.
      num_trials: trials.
      own_trials: how their links are drawn, and what is asked of them.

    Raises:
      ValueError: too many trials, links of wrong shapes, an outcome that is no boolean scalar.
    """
    draw, outcomes = own_trials
    if num_trials > _MOST_TRIALS:
        raise ValueError(
            f"num_trials = {num_trials}: allowed with links or outcomes of one's own is at most "
            f"{_MOST_TRIALS}"
        )
    if draw is not None:
        _check_links(shape, draw)
    for name, outcome in outcomes.items():
        _check_outcome(shape, name, outcome)
    program = _compiled(shape, draw, tuple(outcomes.values()))
    devices = len(shape.devices)
    total, own = OutcomeCounts.zero(shape.clients), [0] * len(outcomes)
    for first in range(0, num_trials, devices * BLOCK_TRIALS):
        table, numbers = program(run, np.int32(first // BLOCK_TRIALS), np.int32(num_trials - first))
        total = total + counts_from_table(np.asarray(table), shape.clients)
        own = [before + int(n) for before, n in zip(own, np.asarray(numbers), strict=True)]
    return OwnCounts(total, dict(zip(outcomes, own, strict=True)))


@lru_cache(maxsize=16)
def _compiled(
    shape: Shape, draw: DrawLinks | None, outcomes: tuple[Outcome, ...]
) -> jax.stages.Compiled:
    """(run, first block, trials that are left) -> the counts of one block of each device.

    Kept for the same functions, as `jax.jit` does.
    """
    mesh = device_mesh(shape.devices)
    program = jax.shard_map(
        partial(_count_blocks, shape, draw, outcomes, mesh.axis_names[0]),
        mesh=mesh,
        in_specs=PartitionSpec(),
        out_specs=PartitionSpec(),
        check_vma=False,
    )
    number = np.int32(0)
    return (
        jax.jit(program)
        .lower(blank_inputs(shape).run, number, number)
        .compile(compiler_options=shape.compiler_options)
    )


def _count_blocks(
    shape: Shape,
    draw: DrawLinks | None,
    outcomes: tuple[Outcome, ...],
    axis: str,
    run: Run,
    first: Array,
    num_left: Array,
) -> tuple[Array, Array]:
    """The table of counts and those of the own outcomes, summed over the devices."""
    code = prepared(shape, run)
    num_counted = jnp.minimum(num_left, lax.axis_size(axis) * BLOCK_TRIALS)
    start, number = shared_out(-(-num_counted // shape.tile), axis)

    def count_tile(index: Array, found: tuple[Array, Array]) -> tuple[Array, Array]:
        places = (start + index) * shape.tile + jnp.arange(shape.tile, dtype=jnp.int32)
        block = first + places[0] // BLOCK_TRIALS
        key = block_key(run.words, block)
        trials = (places % BLOCK_TRIALS).astype(jnp.uint32)
        drawn = _draw_tile(shape, draw, run, code, key, block, trials)
        random = trial_vectors(key, shape.clients, trials, shape.rule.modulus)
        recovery = recover_rows(shape.rule, code, random, drawn.rows)
        counted = places < num_counted
        happened = [jax.vmap(outcome, -1)(recovery, drawn.links) for outcome in outcomes]
        own = [jnp.sum(each & counted, dtype=jnp.int32) for each in happened]
        table, numbers = found
        numbers += jnp.stack(own) if own else 0
        return table + outcome_table(recovery, counted), numbers

    nothing = empty_table(shape.clients), jnp.zeros(len(outcomes), jnp.int32)
    found = lax.fori_loop(0, number, count_tile, nothing)
    summed: tuple[Array, Array] = lax.psum(found, axis)
    return summed


class _Drawn(NamedTuple):
    """The links of a tile, trials last: one by one, and as packed rows."""

    links: Links
    rows: Array


def _draw_tile(
    shape: Shape,
    draw: DrawLinks | None,
    run: Run,
    code: PreparedCode,
    key: Key,
    block: Array,
    trials: Array,
) -> _Drawn:
    how: dict[str, Any] = {"num_attempts": shape.attempts, "kind": shape.links}
    once = in_branches(trials[0] < np.uint32(BLOCK_TRIALS))
    if draw is None:
        # Rows are drawn as ever; the links again, where an outcome looks at them.
        links = once(lambda trials: tile_links(key, run.law, trials, **how), trials)
        law = by_offset(run.law, shape.attempts)
        return _Drawn(links, tile_rows(key, law, trials, code.gram.pairs, **how))

    def as_the_caller_says(trials: Array) -> Links:
        numbers = block * BLOCK_TRIALS + trials.astype(jnp.int32)
        drawn = jax.vmap(draw, out_axes=-1)(trial_keys(key, trials), numbers)
        uplinks, peers = map(jnp.asarray, drawn)
        # A client always hears itself, whatever the model says.
        return Links(uplinks, peers | jnp.eye(shape.clients, dtype=bool)[..., None])

    last = once(as_the_caller_says, trials)
    return _Drawn(last, once(lambda *links: blank_erased(offsets_from_links(*links)), *last))


def _check_links(shape: Shape, draw: DrawLinks) -> None:
    found: PyTree = jax.eval_shape(draw, seed_key(0), jax.ShapeDtypeStruct((), np.int32))
    leaves = found if isinstance(found, tuple) and len(found) == 2 else ()
    told = [f"{leaf.dtype}{list(leaf.shape)}" for leaf in jax.tree.leaves(found)]
    asked = [f"{leaf.dtype}{list(leaf.shape)}" for leaf in _links_like(shape)]
    if told != asked or not leaves:
        raise ValueError(
            f"links returns {', '.join(told) or type(found).__name__}: allowed is Links of "
            f"{', '.join(asked)} for {shape.attempts} attempts of {shape.clients} clients"
        )


def _check_outcome(shape: Shape, name: str, outcome: Outcome) -> None:
    flag = jax.ShapeDtypeStruct((), np.bool_)
    whole = jax.ShapeDtypeStruct((), np.int32)
    members = jax.ShapeDtypeStruct((shape.clients,), np.bool_)
    recovery = Recovery(flag, flag, members, whole, whole)  # type: ignore[arg-type]
    found: PyTree = jax.eval_shape(outcome, recovery, _links_like(shape))
    is_flag = isinstance(found, jax.ShapeDtypeStruct) and found.shape == ()
    if not is_flag or found.dtype != np.bool_:
        told = [f"{leaf.dtype}{list(leaf.shape)}" for leaf in jax.tree.leaves(found)]
        raise ValueError(
            f"outcomes[{name!r}] returns {', '.join(told) or type(found).__name__}: allowed is a "
            "boolean scalar"
        )


def _links_like(shape: Shape) -> Links:
    size = (shape.attempts, shape.clients)
    uplinks = jax.ShapeDtypeStruct(size, np.bool_)
    return Links(uplinks, jax.ShapeDtypeStruct((*size, shape.clients), np.bool_))  # type: ignore[arg-type]
