"""Counting on the device: one table of integers a tile, and the counts read off it on the host."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.outage.counts import BLOCK_TRIALS, OutcomeCounts
from jaxcogc.outage.outcomes import ByOutcome, classify
from jaxcogc.runtime.compute_once import in_branches, true_but_on_a_cpu
from jaxcogc.runtime.folds import fold

_NUM_EVENTS = 7


def empty_table(num_clients: int, num_strata: int = 0) -> jax.Array:
    """Nothing counted yet: int32 [3 clients + 7, clients + 1], or one such table a stratum."""
    strata = (num_strata,) if num_strata else ()
    return jnp.zeros((*strata, 3 * num_clients + _NUM_EVENTS, num_clients + 1), jnp.int32)


def empty_blocks(num_clients: int, num_blocks: int) -> tuple[jax.Array, jax.Array]:
    """Nothing counted yet of blocks kept apart: their tables, and the last one's flags, uint8."""
    table = empty_table(num_clients)
    tables = jnp.zeros((num_blocks, *table.shape), table.dtype)
    return tables, jnp.zeros(BLOCK_TRIALS, jnp.uint8)


def outcome_table(recovery: Recovery, counted: jax.Array, *, in_groups: bool = False) -> jax.Array:
    """Every count of a tile, split by |K|.

    Args:
      recovery: with a trailing trials axis, at most 2^14 trials.
      counted: bool [trials]; False for trials beyond the last.
      in_groups: of rows, a product each: on a GPU less work than to put them together first.

    Returns:
      int32 [3 clients + 7, clients + 1]. Column n: the trials with |K| = n. Rows: k in K; the same
      under a partial gc_plus average; under a partial row-space average (clients rows each); then
      all trials, gc, gc_plus full, gc_plus partial, row-space exact, row-space partial, and the
      sum of the ranks.
    """
    groups, num_recovered = _row_groups(recovery)
    clients = len(recovery.client_recovered)
    by_size = ((num_recovered == jnp.arange(clients + 1)[:, None]) & counted).astype(jnp.float32)

    def count(rows: jax.Array) -> jax.Array:
        # One product of 0/1 matrices; float32 holds its integers exactly, at most 2^14 x clients.
        return jnp.einsum("rt,nt->rn", rows.astype(jnp.float32), by_size, precision="highest")

    def count_all() -> jax.Array:
        parts = groups if in_groups else [jnp.concatenate(groups)]
        return jnp.concatenate([count(rows) for rows in parts])

    def count_events() -> jax.Array:  # of trials that recover nobody: no product for one column
        events = jnp.sum(jnp.where(counted, groups[-1].astype(jnp.int32), 0), axis=1)
        return jnp.pad(events[:, None].astype(jnp.float32), ((3 * clients, 0), (0, clients)))

    some = true_but_on_a_cpu(jnp.any(num_recovered > 0))
    table: jax.Array = lax.cond(some, count_all, count_events)
    return table.astype(jnp.int32)


def table_of_outcomes(recovery: Recovery, number: jax.Array) -> jax.Array:
    """As `outcome_table`, where so many trials, int32 [outcomes], had each of some outcomes.

    The sums must fit int32.
    """
    rows, num_recovered = _rows(recovery)
    sizes = jnp.arange(len(recovery.client_recovered) + 1)[:, None]
    by_size = jnp.where(num_recovered == sizes, number, 0)
    return jnp.sum(rows.astype(jnp.int32)[:, None] * by_size, axis=-1, dtype=jnp.int32)


def add_by_stratum(
    tables: jax.Array, recovery: Recovery, counted: jax.Array, stratum: jax.Array
) -> jax.Array:
    """Count each trial of a tile in the table of its stratum.

    Args:
      tables: int32 [strata, 3 clients + 7, clients + 1], what was counted before.
      recovery, counted: as in `outcome_table`.
      stratum: int32 [trials], below the number of strata.
    """
    # The dense product would do the work once a stratum; here a trial adds to one column alone.
    rows, num_recovered = _rows(recovery)
    strata, _, sizes = tables.shape
    columns = jnp.moveaxis(tables, 1, 2).reshape(strata * sizes, -1)
    place = stratum * sizes + num_recovered
    columns = columns.at[place].add((rows * counted).astype(jnp.int32).T)
    return jnp.moveaxis(columns.reshape(strata, sizes, -1), 2, 1)


def _rows(recovery: Recovery) -> tuple[jax.Array, jax.Array]:
    """What a trial adds to its column: [3 clients + 7, trials], and the column: |K|."""
    groups, num_recovered = _row_groups(recovery)
    return jnp.concatenate(groups), num_recovered


def _row_groups(recovery: Recovery) -> tuple[list[jax.Array], jax.Array]:
    """The same in groups of rows: of clients, three times, and of events."""
    members = recovery.client_recovered
    # Every row and column looks at them: compilers would add the clients up for each.
    once = in_branches(recovery.rank[0] >= 0)
    num_recovered = once(_count_members, members)
    happened = classify(recovery, clients_axis=0, num_recovered=num_recovered).by_name()
    happened, num_recovered = lax.optimization_barrier((happened, num_recovered))
    events = [
        jnp.ones_like(recovery.gc),
        recovery.gc,
        happened["gc_plus_full"],
        happened["gc_plus_partial"],
        happened["row_space_exact"],
        happened["row_space_partial"],
        recovery.rank,
    ]
    groups = [
        members,
        members & happened["gc_plus_partial"],
        members & happened["row_space_partial"],
        jnp.stack([event.astype(jnp.float32) for event in events]),
    ]
    return groups, num_recovered


def _count_members(members: jax.Array) -> jax.Array:
    """Recovered clients, int32 [trials], from bool [clients, trials]."""

    def on_a_cpu(members: jax.Array) -> jax.Array:
        return fold(jnp.add, members.astype(jnp.int32))

    def elsewhere(members: jax.Array) -> jax.Array:
        return jnp.sum(members, axis=0, dtype=jnp.int32)

    number: jax.Array = lax.platform_dependent(members, cpu=on_a_cpu, default=elsewhere)
    return number


def outcome_flags(recovery: Recovery, counted: jax.Array) -> jax.Array:
    """What happened in each trial of a tile: uint8 [trials], one bit for each outcome.

    0 where a trial does not count: kernels leave out what they need not decide.
    """
    happened = classify(recovery, clients_axis=0).by_name().values()
    bits = ((bit & counted).astype(jnp.uint8) << n for n, bit in enumerate(happened))
    return sum(bits, jnp.uint8(0))


def outcomes_from_flags(flags: np.ndarray) -> ByOutcome[np.ndarray]:
    """What `outcome_flags` says of each trial: bool arrays of the shape of ``flags``.

    >>> outcomes_from_flags(np.uint8([0b1, 0b10])).gc_outage
    array([ True, False])
    """
    return ByOutcome(*(flags >> n & 1 == 1 for n in range(8)))


def counts_from_table(table: np.ndarray, clients: int) -> OutcomeCounts:
    """The counts in a table (or a sum of tables), as Python and int64 integers."""
    members, gc_plus, row_space = table[: 3 * clients].reshape(3, clients, clients + 1)
    trials, gc, full, gc_plus_partial, exact, row_space_partial, rank = table[3 * clients :]
    return OutcomeCounts(
        trials=int(trials.sum()),
        gc=int(gc.sum()),
        gc_plus_full=int(full.sum()),
        gc_plus_partial=int(gc_plus_partial.sum()),
        row_space_exact=int(exact.sum()),
        row_space_partial=int(row_space_partial.sum()),
        all_individuals=int(trials[clients]),
        rank_sum=int(rank.sum()),
        num_recovered=trials.astype(np.int64),
        client_recovered=members.sum(axis=1, dtype=np.int64),
        gc_plus_partial_recovered=gc_plus.astype(np.int64),
        row_space_partial_recovered=row_space.astype(np.int64),
    )
