"""The random words of a run: one recipe for whoever draws them or draws them again.

A run is known by two words, `run_words` of its key. From these and the number of a block of 2^14
trials comes the block's key, and from that

* the links of its trials: a link's words depend on (the run's words, block, trial in its block,
  attempt, receiver, sender) and on nothing else, so that points of a study share their words and
  any trial can be rebuilt by itself;
* field elements that the trials' null vectors start from: they change nothing but which trials are
  misjudged, each by a chance of its own.

Nothing depends on erasure probabilities, the code, the tile, the device or the process.

Where links are drawn on the host (weighted trials, clients placed anew in every trial) trials come
in batches, each with a generator of its own.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc._types import AnyArray, Array, Key
from jaxcogc.coding.codes import GradientCode, redraw
from jaxcogc.coding.exact.bit_rows import links_from_offsets
from jaxcogc.coding.exact.free_elements import FreeElements, elements_of, free_elements
from jaxcogc.links.draws import Links, draw_trial, streams
from jaxcogc.links.packed_draws import Needed, OffsetLaw, by_offset, draw_offsets, draw_rows
from jaxcogc.links.thresholds import LinkKind, LinkLaw
from jaxcogc.runtime.random_words import (
    data_key,
    fold_in,
    fused_key,
    host_generator,
    key_data,
    random_bits,
    split,
    threefry,
)

__all__ = [
    "HostWords",
    "block_key",
    "host_words",
    "redrawn_code",
    "run_words",
    "tile_links",
    "tile_rows",
    "trial_keys",
    "trial_links",
    "trial_vectors",
    "vector_words",
]

_CODE_KEY = 0xC0DE


def run_words(key: Key) -> np.ndarray:
    """The two words, uint32 [2], that stand for a run's key; fetching them waits for the device."""
    return np.asarray(random_bits(key, (2,)))


def redrawn_code(key: Key, code: GradientCode, num_attempts: int) -> GradientCode:
    """The code of every attempt of a run that redraws it; ``key`` is the run's."""
    return redraw(fold_in(key, _CODE_KEY), code, num_attempts)


def block_key(words: AnyArray, block: AnyArray) -> Key:
    """The key of a block, from the words of its run and its number, int32."""
    return fold_in(data_key(words), block)


def trial_vectors(key: Key, num_clients: int, trials: Array, modulus: int) -> Array:
    """What the null vectors of some trials of a block start from, as `free_elements` says."""
    return free_elements(_vector_key(key), num_clients, trials, modulus)


def vector_words(key: Key, num_clients: int, modulus: int) -> FreeElements:
    """What `trial_vectors` draws for all trials of a block."""
    return elements_of(_vector_key(key), num_clients, modulus)


def _vector_key(key: Key) -> Key:
    return fold_in(key, 1)


def tile_rows(
    key: Key,
    law: OffsetLaw,
    trials: Array,
    pairs: Needed,
    *,
    num_attempts: int,
    kind: LinkKind,
) -> Array:
    """The links of some trials of a block, as packed rows.

    Args:
      key: the block's.
      law: of the links, by offset.
      trials: uint32 [trials], their numbers in the block.
      pairs: the offsets that the code needs.
      num_attempts, kind: of the run.

    Returns:
      As `links.packed_draws.draw_rows` says: uint32 [words, attempts, clients, trials].
    """
    return draw_rows(streams(key), law, trials, pairs, num_attempts, kind)


def tile_links(
    key: Key, law: LinkLaw, trials: Array, *, num_attempts: int, kind: LinkKind
) -> Links:
    """The links of some trials of a block, all of them, needed or not; trials last.

    The arguments are those of `tile_rows`.
    """
    if law.blocked is not None:  # rows do not tell a client that is blocked from a lost uplink
        one = partial(draw_trial, key, law, num_attempts, kind=kind)
        return jax.vmap(lambda trial: one(trial=trial), out_axes=-1)(trials)
    number = -(-law.num_clients // 2)
    all_pairs = Needed(jnp.arange(number, dtype=jnp.int32), jnp.int32(number))
    offsets = draw_offsets(
        streams(key), by_offset(law, num_attempts), trials, all_pairs, num_attempts, kind
    )
    return Links(*links_from_offsets(offsets))


def trial_links(
    key: Key,
    law: LinkLaw,
    trial: int | Array,
    *,
    num_attempts: int,
    kind: LinkKind,
) -> Links:
    """The links of one trial of a block, all of them, needed or not.

    Args:
      key: the block's.
      law: of the links.
      trial: its number in the block.
      num_attempts, kind: of the run.
    """
    return draw_trial(key, law, num_attempts, kind=kind, trial=trial)


def trial_keys(key: Key, trials: Array) -> Key:
    """The keys of trials whose links a caller draws, from their block's and their numbers in it."""
    words = key_data(fold_in(key, 4))
    return fused_key(threefry((words[0], words[1]), (np.zeros((), np.uint32), trials)))


class HostWords(NamedTuple):
    """What a batch of trials draws from whose links are drawn on the host.

    Attributes:
      generator: of the links.
      decision_key: of the null vectors that decide the trials.
    """

    generator: np.random.Generator
    decision_key: Key


def host_words(key: Key, batch: int) -> HostWords:
    """Of a batch, from the key of all of them and its number."""
    draw_key, decision_key = split(fold_in(key, batch))
    return HostWords(np.random.Generator(host_generator(draw_key)), decision_key)
