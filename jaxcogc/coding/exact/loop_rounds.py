"""How often the loops of the exact decision run, for whoever counts what a program does."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp

from jaxcogc.coding.exact.gram import gram_terms
from jaxcogc.coding.exact.ring.constraints import ROWS
from jaxcogc.coding.exact.ring.terms import (
    BLOCK,
    GROUP,
    most_trajectories,
    offset_lengths,
    ring_terms,
    walks_around,
)
from jaxcogc.coding.gradient_code import GradientCode
from jaxcogc.runtime.jax_settings import under_plain_settings


class LoopRounds(NamedTuple):
    """Rounds of the loops that decide a tile of trials; they depend on the code, not on the links.

    Attributes:
      offset_pairs: pairs of neighbouring offsets around the ring that the code's rows use; so
        many rounds has the draw of the links.
      offset_groups: groups of offsets that all diagonals of the Gram matrix add up.
    """

    offset_pairs: int
    offset_groups: int


class RingRounds(NamedTuple):
    """Rounds of the loops where a walk around the ring decides a tile of trials.

    Attributes:
      offset_pairs: as of `LoopRounds`.
      constraints: clients that are passed last, whose rows are constraints.
      walked_blocks: steps of one walk.
      constraint_blocks: steps of one look at the constraints.
      updated_chunks: of constraints, by all pairs of them that are taken out.
      groups: of trajectories that walk together, one walk a group: where no trial of the tile has
        all of its constraints, and where one has, which depends on the links.
      most_groups: that there is room for.
      lengths: numbers of offsets that the steps have branches for.
      length: which of them is taken.
    """

    offset_pairs: int
    constraints: int
    walked_blocks: int
    constraint_blocks: int
    updated_chunks: int
    groups: tuple[int, int]
    most_groups: int
    lengths: int
    length: int


@under_plain_settings
def loop_rounds(code: GradientCode, *, num_attempts: int = 1) -> LoopRounds | None:
    """Rounds of the loops inside the exact decision.

    Args:
      code: one code, used in all attempts.
      num_attempts: attempts.

    Returns:
      None where the program has a walk around the ring, see `ring_rounds`.
    """
    if walks_around(num_attempts, code.num_clients):
        return None
    matrix = code.field_matrix
    terms = gram_terms(jnp.broadcast_to(matrix, (num_attempts, *matrix.shape)), code.modulus)
    assert terms.used is not None, "only a program that is told the reach does not look"
    return LoopRounds(int(terms.pairs.num_needed), int(terms.used.groups.num_needed.sum()))


@under_plain_settings
def ring_rounds(code: GradientCode) -> RingRounds | None:
    """Rounds of the loops of a walk around the ring, which serves one attempt of many clients.

    Args:
      code: one code.

    Returns:
      None where no walk decides.

    >>> import jax
    >>> from jaxcogc import cyclic_code
    >>> ring_rounds(cyclic_code(jax.random.key(0), 64, 16)).groups
    (2, 3)
    """
    matrix, clients = jnp.asarray(code.field_matrix), code.num_clients
    if code.redrawn or not walks_around(1, clients):
        return None
    terms = ring_terms(matrix, code.modulus)
    if not terms.usable:
        return None
    cut, most, padded = int(terms.cut), most_trajectories(clients), clients + -clients % BLOCK
    lengths = offset_lengths(most)
    all_can_constrain = padded == clients  # no rows of nobody among them
    return RingRounds(
        int(gram_terms(matrix[None], code.modulus).pairs.num_needed),
        cut,
        (padded - cut) // BLOCK,
        cut // BLOCK,
        sum(max(0, -(-cut // ROWS) - (p + 2) // ROWS) for p in range(0, cut, 2)),
        ((cut - 1) // GROUP + 1, (cut - 1 + all_can_constrain) // GROUP + 1),
        most // GROUP,
        len(lengths),
        (max(int(terms.reach), 1) - 1) // lengths[0],
    )
