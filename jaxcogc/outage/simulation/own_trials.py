"""Trials with a link model, or with outcomes, of the caller's own; counted block by block.

Both are pure functions that JAX can trace, of one trial; `simulate_outcomes` takes them. A run uses
one device then. Rounds in which no uplink works, once in two, and a question of one's own:

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
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array, Key, PyTree
from jaxcogc.coding.exact.bit_rows import pack_rows
from jaxcogc.coding.exact.decision import Recovery, prepare_code, recover_rows
from jaxcogc.links.draws import Links
from jaxcogc.outage.counts import BLOCK_TRIALS, OutcomeCounts
from jaxcogc.outage.simulation.block_words import block_key, trial_key, trial_links, trial_vectors
from jaxcogc.outage.simulation.count_table import counts_from_table, empty_table, outcome_table
from jaxcogc.outage.simulation.program_inputs import Run, Shape
from jaxcogc.runtime.devices import compiler_options
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
    """Draw, decide and count; on one device.

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
    program = jax.jit(_program(shape, draw, tuple(outcomes.values())))
    options = compiler_options(shape.devices[0].platform)
    first = np.int32(0)
    compiled = program.lower(run, first, first).compile(compiler_options=options)
    total, own = OutcomeCounts.zero(shape.clients), [0] * len(outcomes)
    for block in range(-(-num_trials // BLOCK_TRIALS)):
        counted = min(BLOCK_TRIALS, num_trials - block * BLOCK_TRIALS)
        table, numbers = compiled(run, np.int32(block), np.int32(counted))
        total = total + counts_from_table(np.asarray(table), shape.clients)
        own = [before + int(n) for before, n in zip(own, np.asarray(numbers), strict=True)]
    return OwnCounts(total, dict(zip(outcomes, own, strict=True)))


def _program(
    shape: Shape, draw: DrawLinks | None, outcomes: tuple[Outcome, ...]
) -> Callable[[Run, Array, Array], tuple[Array, Array]]:
    """(run, block, trials that count) -> the table of counts, and those of the own outcomes."""
    tile = shape.tile

    def one_trial(run: Run, key: Key, block: Array, place: Array) -> Links:
        if draw is None:
            return trial_links(key, run.law, place, num_attempts=shape.attempts, kind=shape.links)
        number = block * BLOCK_TRIALS + place.astype(jnp.int32)
        links = draw(trial_key(key, place), number)
        # A client always hears itself, whatever the model says.
        return Links(links[0], links[1] | jnp.eye(shape.clients, dtype=bool))

    def count_block(run: Run, block: Array, num_counted: Array) -> tuple[Array, Array]:
        size = (shape.attempts, shape.clients, shape.clients)
        coefficients = jnp.broadcast_to(jnp.asarray(run.field_matrix), size)
        code = prepare_code(coefficients, run.num_stragglers, shape.rule.modulus)
        key = block_key(run.words, block)

        def count_tile(index: Array, found: tuple[Array, Array]) -> tuple[Array, Array]:
            places = index * tile + jnp.arange(tile)
            trials = places.astype(jnp.uint32)
            links = jax.vmap(lambda place: one_trial(run, key, block, place))(trials)
            rows = pack_rows(links.uplink_delivered, links.peer_delivered)
            random = trial_vectors(key, shape.clients, trials, shape.rule.modulus)
            recovery = recover_rows(shape.rule, code, random, rows)
            counted = places < num_counted
            first = Recovery(*(jnp.moveaxis(field, -1, 0) for field in recovery))
            own = [
                jnp.sum(jax.vmap(outcome)(first, links) & counted, dtype=jnp.int32)
                for outcome in outcomes
            ]
            table, numbers = found
            numbers += jnp.stack(own) if own else 0
            return table + outcome_table(recovery, counted), numbers

        nothing = empty_table(shape.clients), jnp.zeros(len(outcomes), jnp.int32)
        num_tiles = -(-num_counted // tile)
        table, numbers = lax.fori_loop(0, num_tiles, count_tile, nothing)
        return table, numbers

    return count_block


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
    return Links(uplinks, jax.ShapeDtypeStruct((*size, shape.clients), np.bool_))  # type: ignore
