"""How often the loops of the project's programs go round, and which branches they take."""

from __future__ import annotations

from benchmarks.cases import ERASURE, Shape, make_code
from benchmarks.gpu.flow import Rules
from benchmarks.training_case import Size
from jaxcogc.coding import RingRounds, loop_rounds, ring_rounds

ASSUMPTIONS = (
    f"every link is erased with probability {ERASURE:g}, which decides the rounds of two kinds of"
    " loops only: around a ring, whether one trial of a tile has all of its constraints; in"
    " gc_weights, how many rows are complete in the trial that has most of them",
    "both words of a link tie in no tile; a branch of which nothing is known is the dearest one",
)
_BLOCK = 2**14
_PANEL = 16
"""Columns that one loop of the decoders serves; codes of more clients have several such loops."""


def simulation_rules(shape: Shape, tiles: float, tile: int, num_trials: int) -> Rules:
    """Of a program that draws, decides and counts.

    Args:
      shape: of the trials.
      tiles: rounds of the loop over them; of a kernel that draws and decides, its starts.
      tile: trials in each.
      num_trials: of a call.
    """
    of_tiles: dict[str, float] = {"decide_tiles": tiles}
    of_tiles |= {"count_fused": tiles, "count_fused_each": num_trials / _BLOCK}
    of_tiles |= {"count_around": tiles, "count_around_each": tiles}
    decision = _decision_rules(shape, tile)
    no_ties = {"_comparison.compare": (1.0, 0.0)}
    return Rules({**of_tiles, **decision.rounds}, {**no_ties, **decision.branches})


def recovery_rules(shape: Shape, num_trials: int) -> Rules:
    """Of `recover`, all trials in one tile."""
    return _decision_rules(shape, num_trials)


def _decision_rules(shape: Shape, tile: int) -> Rules:
    code = make_code(shape)
    ring = ring_rounds(code) if shape.attempts == 1 else None
    if ring is not None:
        return _ring_rules(ring, tile)
    rounds = loop_rounds(code, num_attempts=shape.attempts)
    if rounds is None:
        return Rules()
    diagonals = min(shape.stragglers, shape.clients // 2) + 1  # of a cyclic code's Gram matrix
    return Rules(
        {
            "draw_offsets": rounds.offset_pairs,
            "_used_diagonals": diagonals,
            "_used_diagonals.fill": rounds.offset_groups / diagonals,
        }
    )


def _ring_rules(ring: RingRounds, tile: int) -> Rules:
    every = 1 - (1 - (1 - ERASURE) ** ring.constraints) ** tile  # in some trial of a tile
    fewer, more = ring.groups
    groups = fewer + every * (more - fewer)
    ways = [0.0] * ring.most_groups
    ways[fewer - 1] += 1 - every
    ways[more - 1] += every
    return Rules(
        {
            "draw_offsets": ring.offset_pairs,
            "_all_constraints": groups,
            "walk": ring.walked_blocks,
            "put_gaps": ring.constraint_blocks,
            "_reduce": ring.constraints // 2,
            "_reduce.reduce_by": ring.updated_chunks / (ring.constraints // 2),
            "_solve": ring.constraints,
            "combined": groups,
        },
        {
            "null_vector_of": (0.0, 1.0),
            "_in_groups": tuple(ways),
            "_by_reach": tuple(float(n == ring.length) for n in range(ring.lengths)),
        },
    )


def decoder_rules(shape: Shape, num_trials: int) -> Rules:
    """Of the decoders with real weights, all trials in one tile."""
    rows = shape.clients * shape.attempts
    if shape.clients > _PANEL:
        return Rules()
    most = largest_of(num_trials, rows, (1 - ERASURE) ** (shape.stragglers + 1))
    return Rules({"factor": most}, {"_complete_ones_kernel": (0.0, 1.0)})


def largest_of(num_trials: int, rows: int, probability: float) -> float:
    """The mean of the largest of many binomial numbers.

    >>> largest_of(1, 4, 0.25), largest_of(10**6, 4, 0.5)
    (1.0, 4.0)
    """
    mean, weight, below = 0.0, (1 - probability) ** rows, 0.0
    for successes in range(rows):
        below += weight
        mean += 1 - min(below, 1.0) ** num_trials
        weight *= (rows - successes) / (successes + 1) * probability / (1 - probability)
    return round(mean, 6)


def training_rules(size: Size) -> Rules:
    """Of a block of rounds, evaluated at its end."""
    decision = _decision_rules(Shape(size.clients, size.stragglers, 2), _BLOCK)
    evaluated = 1 / size.rounds
    return Rules(
        {**decision.rounds, "_loop": size.rounds},
        {"round_step.step": (1 - evaluated, evaluated)},
    )
