"""What one stack of attempts lets the server recover, decided exactly.

`recover` is written for one trial; under `jax.vmap` its batching rule hands the whole batch to the
kernel at once, batch axis last and in tiles that fit a cache.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array, ArrayLike, Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.exact.bit_rows import pack_rows
from jaxcogc.coding.exact.decision import (
    DecisionRule,
    PreparedCode,
    Recovery,
    decision_rule,
    prepare_code,
    recover_rows,
)
from jaxcogc.coding.exact.panel_loops import MOST_UNROLLED
from jaxcogc.coding.exact.prime_field import random_elements
from jaxcogc.coding.exact.trial_batches import batched_decision
from jaxcogc.links.draws import Links
from jaxcogc.runtime.compute_once import in_branches
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import random_bits


@under_plain_settings
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
      Recovery of one trial. ``jax.vmap(recover, (None, None, 0))`` over Links is the fast path;
      on a CPU from 8193 trials a call on (4097 of more than 32 clients) by a program that runs
      faster and compiles longer. Trials that share a key are misjudged together; with keys of their
      own, axes (0, None, 0), one by one.

    Raises:
      ValueError: shapes of code and links do not fit.

    Source: docs/mathematics/null_vector.md, "One null vector decides everything".

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
    rule = decision_rule(code)
    reals = None if code.reals is None else jnp.asarray(code.reals)
    stragglers = code.num_stragglers
    prepared, random = _prepared(attempts, rule.modulus, key, coefficients, stragglers, reals)
    return _decision(rule)(prepared, random, Links(*map(jnp.asarray, links)))


def kernel_for(num_trials: int, num_clients: int) -> str:
    """Which kernel of `DecisionRule` serves so many trials a call, on the default backend.

    On a CPU few go by loops, as these compile soonest, and those of many clients, too, where no
    walk around the ring decides them: panel by panel they would compile for a minute. On a GPU
    none: loops start more kernels.
    """
    if jax.default_backend() != "cpu":
        return "xla"
    many_clients = num_clients > MOST_UNROLLED
    if num_trials <= (2**12 if many_clients else 2**13):
        return "loops"
    return "walk" if many_clients else "xla"


def tile_size(num_clients: int, num_attempts: int, platform: str | None = None) -> int:
    """Trials that one call of the kernel takes at once on a platform; None: the default backend.

    On a CPU the elimination state of a tile stays near the L2 cache; on an accelerator a tile fills
    the chip. From 32 attempts on it is smaller, so that the rows take no more memory.
    Results do not depend on it.
    """
    shrink = 1 << max(0, num_attempts.bit_length() - 5)
    if (platform or jax.default_backend()) != "cpu":
        return max(2**14 // shrink, 128)
    return max(int(np.clip(2 ** int(np.log2(2**14 / num_clients)), 128, 2048)) // shrink, 16)


@partial(jax.jit, static_argnums=(0, 1))  # one program, where nothing is compiled around it
def _prepared(
    attempts: int,
    modulus: int,
    key: Key,
    coefficients: Array,
    num_stragglers: ArrayLike,
    reals: Array | None,
) -> tuple[PreparedCode, Array]:
    """The code as the kernel wants it, and the random elements of a null vector."""
    clients = coefficients.shape[-1]
    random = random_elements(random_bits(key, (clients,)), modulus)
    coefficients = jnp.broadcast_to(coefficients, (attempts, clients, clients))
    if reals is not None:
        reals = jnp.broadcast_to(reals, (*coefficients.shape, 2))
    return prepare_code(coefficients, num_stragglers, modulus, reals=reals), random


@cache
def _decision(rule: DecisionRule) -> Callable[[PreparedCode, Array, Links], Recovery]:
    """`recover` behind its arrays, with the batching rule that calls the kernel in tiles."""

    def one(code: PreparedCode, random: Array, links: Links) -> Recovery:
        rows = pack_rows(links.uplink_delivered[None], links.peer_delivered[None])
        found = recover_rows(rule._replace(kernel="loops"), code, random[:, None], rows)
        return Recovery(*(x[..., 0] for x in found))

    return batched_decision(one, partial(_in_tiles, rule))


def _in_tiles(rule: DecisionRule, code: PreparedCode, random: Array, links: Links) -> Recovery:
    """Cut the trials into tiles and run them one after another; trials first on all arrays.

    Where the trials are no whole number of tiles the last tile begins early, and is turned round
    until the trials that no other tile has stand first.
    """
    trials = len(random)
    rule = rule._replace(kernel=kernel_for(*random.shape))
    tile = min(trials, tile_size(random.shape[1], links.uplink_delivered.shape[1]))
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
