"""How often the loops of the exact decision run, for whoever counts what a program does."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp

from jaxcogc.coding.exact.gram import gram_terms
from jaxcogc.coding.exact.ring_walk import walks_around
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


@under_plain_settings
def loop_rounds(code: GradientCode, *, num_attempts: int = 1) -> LoopRounds | None:
    """Rounds of the loops inside the exact decision.

    Args:
      code: one code, used in all attempts.
      num_attempts: attempts.

    Returns:
      None where a walk around the ring decides: its rounds depend on the links.
    """
    if walks_around(num_attempts, code.num_clients):
        return None
    matrix = code.field_matrix
    terms = gram_terms(jnp.broadcast_to(matrix, (num_attempts, *matrix.shape)), code.modulus)
    return LoopRounds(int(terms.pairs.num_needed), int(terms.groups.num_needed.sum()))
