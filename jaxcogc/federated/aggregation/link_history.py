"""Where the links of a training run stand when a round begins."""

from __future__ import annotations

from jaxcogc._types import Array, Key
from jaxcogc.federated.aggregation.channel import Channel
from jaxcogc.federated.aggregation.round_keys import round_keys
from jaxcogc.links.draws import Streams, streams
from jaxcogc.links.round_chains import RoundStart, round_start
from jaxcogc.runtime.random_words import fold_in


def run_start(
    seed_key: Key, number: Array, inputs: Channel, *, num_attempts: int, reciprocal: bool
) -> RoundStart | None:
    """The states in the first attempt of a round, in the one chain of a run; None without memory.

    The chain passes through the attempts of every round. Repeats of a round, and tries beyond its
    attempts, go on from there and are forgotten: which schemes make them changes no later round.

    Args:
      seed_key: of the run.
      number: of the round, uint32 from 0.
      inputs: the network.
      num_attempts, reciprocal: of the run.
    """
    law = inputs.law
    if law.step is None and law.blocked is None:
        return None

    def words_of(place: Array) -> Streams:
        return streams(fold_in(round_keys(seed_key, place).links, 0))

    return round_start(
        words_of,
        number,
        law,
        inputs.steps,
        num_attempts=num_attempts,
        kind=law.kind(reciprocal=reciprocal),
    )
