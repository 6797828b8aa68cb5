"""What one stack of attempts lets the server recover, decided exactly.

`recover` is written for one trial; under `jax.vmap` its batching rule hands the whole batch to the
kernel at once, batch axis last and in tiles that fit a cache.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, Int32

from jaxcogc._types import Array, ArrayLike, Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.exact.bit_rows import pack_offsets, pack_rows
from jaxcogc.coding.exact.gram import GramTerms, gram_terms
from jaxcogc.coding.exact.null_vector import null_vector
from jaxcogc.coding.exact.prime_field import add, random_elements
from jaxcogc.coding.exact.ring_walk import RingTerms, ring_null_vector, ring_terms, walks_around
from jaxcogc.coding.exact.trial_batches import batched_decision
from jaxcogc.links.draws import Links
from jaxcogc.runtime.compute_once import in_branches

_COUNTED_FAMILIES = ("cyclic", "uncoded")


class Recovery(NamedTuple):
    """What one trial recovers. Under a batch every field has the batch's axes too.

    Attributes:
      gc: bool; 1 in row(complete rows): the standard decoder has the exact average.
      sum_recovered: bool; 1 in row(R): the row-space decoder has the exact average.
      client_recovered: bool [clients]; e_k in row(R), the set K.
      rank: int32; rank of the received matrix of all attempts.
      num_complete_rows: int32; complete rows that arrived. With one code for all attempts a
        client's row counts once, however often it arrives.
    """

    gc: Bool[Array, ""]
    sum_recovered: Bool[Array, ""]
    client_recovered: Bool[Array, "clients"]
    rank: Int32[Array, ""]
    num_complete_rows: Int32[Array, ""]


class PreparedCode(NamedTuple):
    """A code as the kernel wants it; arrays only, so that one program serves many codes.

    Attributes:
      gram: terms of the weighted Gram matrices.
      support: uint32 [words, attempts, clients]; bit per offset, set on the support of a row.
      num_stragglers: int32 scalar.
      ring: for the walk around the ring; None where it never pays.
    """

    gram: GramTerms
    support: Array
    num_stragglers: Array
    ring: RingTerms | None


class DecisionRule(NamedTuple):
    """The static half of a code: what the compiled program is specialised to.

    Attributes:
      modulus: the prime.
      counted: `gc` follows from the number of complete rows (one cyclic code for all attempts).
      redrawn: every attempt has a code of its own.
      kernel: "xla", or "pallas" for a GPU and at most 16 clients.
    """

    modulus: int
    counted: bool
    redrawn: bool
    kernel: str = "xla"


def decision_rule(code: GradientCode, kernel: str = "xla") -> DecisionRule:
    """How `gc` is decided for a code: by counting complete rows, or by a second null vector."""
    counted = code.family in _COUNTED_FAMILIES and not code.redrawn
    return DecisionRule(code.modulus, counted, code.redrawn, kernel)


def recover(key: Key, code: GradientCode, links: Links) -> Recovery:
    """Decide exactly what one trial recovers.

    Args:
      key: one typed key; it feeds the random null vector and changes nothing else but the chance
        of a misjudgement: about (2 clients + 1) / 2^31 for the cyclic and uncoded families and
        twice that for the others, 1e-8 and 2e-8 at 10 clients, under 1e-7 up to 53 clients for
        every family (`coding.exact.null_vector` says why).
      code: the code; leading attempts axis when it is redrawn.
      links: of one trial; attempts as in ``code`` when it is redrawn.

    Returns:
      Recovery of one trial. ``jax.vmap(recover, (None, None, 0))`` over Links is the fast path.

    Raises:
      ValueError: shapes of code and links do not fit.

    Source: maths.md, section 4, "One null vector decides everything".

    >>> import jax
    >>> from jaxcogc import Network, cyclic_code, draw_links, recover
    >>> network = Network.homogeneous(4, uplink_erasure=0.0, peer_erasure=0.0)
    >>> links = draw_links(jax.random.key(0), network)
    >>> recovery = recover(jax.random.key(1), cyclic_code(jax.random.key(2), 4, 2), links)
    >>> bool(recovery.gc), int(recovery.rank), int(recovery.client_recovered.sum())
    (True, 2, 0)
    """
    coefficients = jnp.asarray(code.field_matrix)
    attempts, clients = links.uplink_delivered.shape
    if links.peer_delivered.shape != (attempts, clients, clients) or clients != code.num_clients:
        raise ValueError(
            f"links of shapes {links.uplink_delivered.shape} and {links.peer_delivered.shape}: must"
            f" be (attempts, {code.num_clients}) and (attempts, {code.num_clients},"
            f" {code.num_clients})"
        )
    if code.redrawn and coefficients.shape[0] != attempts:
        raise ValueError(
            f"code redrawn for {coefficients.shape[0]} attempts, links have {attempts}"
        )
    random = random_elements(jax.random.bits(key, (clients,), jnp.uint32), code.modulus)
    coefficients = jnp.broadcast_to(coefficients, (attempts, clients, clients))
    prepared = prepare_code(coefficients, code.num_stragglers, code.modulus)
    return _decision(decision_rule(code))(prepared, random, Links(*map(jnp.asarray, links)))


def prepare_code(coefficients: Array, num_stragglers: ArrayLike, modulus: int) -> PreparedCode:
    """Terms and support of a code; once, outside any loop over trials.

    Args:
      coefficients: uint32 [attempts, clients, clients], the code over GF(modulus).
      num_stragglers: int32 scalar.
      modulus: the prime.
    """
    attempts, clients, _ = coefficients.shape
    return PreparedCode(
        gram_terms(coefficients, modulus),
        pack_offsets((coefficients != 0).reshape(1, -1), attempts, clients)[..., 0],
        jnp.asarray(num_stragglers, jnp.int32),
        ring_terms(coefficients[0], modulus) if walks_around(attempts, clients) else None,
    )


def recover_rows(rule: DecisionRule, code: PreparedCode, random: Array, rows: Array) -> Recovery:
    """Decide a whole tile of trials at once; the batch axis is last everywhere.

    Args:
      rule: the static half of the code.
      code: the prepared code.
      random: uint32 [clients, trials] field elements.
      rows: uint32 [words, attempts, clients, trials] packed rows, zero where erased.

    Returns:
      Recovery with a trailing trials axis.
    """
    clients, trials = random.shape
    support = code.support[..., None]
    complete = jnp.all((rows & support) == support, axis=0) & ((rows[0] & 1) != 0)
    distinct = complete if rule.redrawn else jnp.any(complete, axis=0, keepdims=True)
    num_complete_rows = jnp.sum(distinct, axis=(0, 1), dtype=jnp.int32)
    if not rule.counted:  # the complete rows are one more batch of stacks
        complete_rows = jnp.where(complete, support, np.uint32(0))
        rows = jnp.concatenate([rows, complete_rows], axis=-1)
        random = jnp.concatenate([random, random], axis=-1)
    vector, rank = _null_vector(rule, code, rows, random)
    total = vector[0]
    for element in vector[1:]:
        total = add(total, element, rule.modulus)
    sum_recovered = total == 0
    if rule.counted:
        gc = num_complete_rows >= clients - code.num_stragglers
    else:
        gc = sum_recovered[trials:]
    return Recovery(
        gc, sum_recovered[:trials], vector[:, :trials] == 0, rank[:trials], num_complete_rows
    )


def _null_vector(
    rule: DecisionRule, code: PreparedCode, rows: Array, random: Array
) -> tuple[Array, Array]:
    """By the way that the kernel and the code ask for."""
    if rule.kernel != "xla":  # imported where it is used: Pallas takes a second to load
        from jaxcogc.coding.exact import pallas_kernel

        return pallas_kernel.null_vector(rows, code.gram, random, rule.modulus)

    def by_gram(rows: Array, random: Array) -> tuple[Array, Array]:
        return null_vector(rows, code.gram, random, rule.modulus)

    def by_ring(ring: RingTerms, rows: Array, random: Array) -> tuple[Array, Array]:
        return ring_null_vector(rows, ring, random, rule.modulus)

    if code.ring is None:
        return by_gram(rows, random)
    found: tuple[Array, Array] = lax.cond(
        code.ring.usable, partial(by_ring, code.ring), by_gram, rows, random
    )
    return found


def tile_size(num_clients: int) -> int:
    """Trials that one call of the kernel takes at once on this machine's default backend.

    On a CPU the elimination state of a tile stays near the L2 cache; on an accelerator a tile fills
    the chip. Results do not depend on it.
    """
    if jax.default_backend() != "cpu":
        return 2**14
    return int(np.clip(2 ** int(np.log2(2**14 / num_clients)), 128, 2048))


@cache
def _decision(rule: DecisionRule) -> Callable[[PreparedCode, Array, Links], Recovery]:
    """`recover` behind its arrays, with the batching rule that calls the kernel in tiles."""

    def one(code: PreparedCode, random: Array, links: Links) -> Recovery:
        rows = pack_rows(links.uplink_delivered[None], links.peer_delivered[None])
        found = recover_rows(rule, code, random[:, None], rows)
        return Recovery(*(x[..., 0] for x in found))

    return batched_decision(one, partial(_in_tiles, rule))


def _in_tiles(rule: DecisionRule, code: PreparedCode, random: Array, links: Links) -> Recovery:
    """Cut the trials into tiles and run them one after another; trials first on all arrays.

    Where the trials are no whole number of tiles the last tile begins early, and is turned round
    until the trials that no other tile has stand first.
    """
    trials = len(random)
    tile = min(trials, tile_size(random.shape[1]))
    once = in_branches(random[0, 0] <= np.uint32(rule.modulus))
    peers = links.peer_delivered.reshape(trials, -1)

    def decide(number: Array) -> Recovery:
        start = jnp.minimum(number * tile, trials - tile)
        part = partial(lax.dynamic_slice_in_dim, start_index=start, slice_size=tile)
        rows = pack_rows(part(links.uplink_delivered), part(peers), once)
        found = recover_rows(rule, code, jnp.moveaxis(part(random), 0, -1), rows)
        turned = (jnp.roll(x, start - number * tile, axis=-1) for x in found)
        return Recovery(*(jnp.moveaxis(x, -1, 0) for x in turned))

    found = lax.map(decide, jnp.arange(-(-trials // tile)))
    return Recovery(*(x.reshape(-1, *x.shape[2:])[:trials] for x in found))
