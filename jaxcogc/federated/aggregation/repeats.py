"""What the messages of a round and of its repeats cost, and what they show the server."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxcogc._types import Array, Key
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.recovery import recover
from jaxcogc.federated.aggregation.coefficients import Coefficients
from jaxcogc.federated.aggregation.link_evidence import LinkPolicy, RoundLinks
from jaxcogc.federated.aggregation.rules import SchemeRule
from jaxcogc.links.draws import Links


def peer_uses(
    rule: SchemeRule, code: GradientCode | None, policy: LinkPolicy, silent: Array | None
) -> Array:
    """Messages between clients in one repeat: M s unicasts an attempt, or M broadcasts.

    Args:
      rule: of the scheme.
      code: the gradient code, or the weights of relays where the scheme relays.
      policy: num_attempts and peer_cost count.
      silent: bool [clients], in the order of the code: they send none. None: all send.
    """
    if code is None or not (rule.sharing == "links" or rule.relays):
        return jnp.zeros((), jnp.int32)
    support = jnp.asarray(code.field_matrix) != 0
    needed = support & ~jnp.eye(code.num_clients, dtype=bool)
    if silent is not None:
        needed &= ~silent
    if policy.peer_cost == "broadcast":
        needed = jnp.any(needed, axis=-2)
    uses = jnp.sum(needed, dtype=jnp.int32)
    return uses if code.redrawn else uses * policy.num_attempts


def _own_links(rule: SchemeRule, links: RoundLinks) -> Links:
    """Links [repeats, ..] that a scheme uses: those of coded sums for schemes without a code."""
    return links.shared[rule.sharing or "links"]


def links_that_count(rules: Sequence[SchemeRule], links: RoundLinks, made: Array) -> Links:
    """Links [schemes, attempts, ..] of the last repeat that each scheme made."""
    last = jnp.sum(made, axis=1) - 1
    chosen = [
        jax.tree.map(lambda x, n=number: x[last[n]], _own_links(rule, links))
        for number, rule in enumerate(rules)
    ]
    stacked: Links = jax.tree.map(lambda *x: jnp.stack(x), *chosen)
    return stacked


def reveal(
    key: Key,
    rules: Sequence[SchemeRule],
    links: RoundLinks,
    code: GradientCode,
    coefficients: Coefficients,
    made: Array,
) -> Coefficients:
    """Count whose update could be read from all repeats together, for the coded schemes."""
    coded = [number for number, rule in enumerate(rules) if rule.coded]
    open_ = jnp.array([not rules[number].masked for number in coded])
    repeats, attempts, clients = links.shared["links"].uplink_delivered.shape

    def stack(number: int) -> Links:
        which = _own_links(rules[number], links)
        uplink = which.uplink_delivered & made[number][:, None, None]
        rows = repeats * attempts
        return Links(
            uplink.reshape(rows, clients), which.peer_delivered.reshape(rows, clients, clients)
        )

    stacks = jax.tree.map(lambda *x: jnp.stack(x), *[stack(number) for number in coded])
    if code.redrawn:  # a repeat sends with the codes of the round
        code = code.repeated(repeats)
    found = jax.vmap(recover, (None, None, 0))(key, code, stacks)
    counted = jnp.sum(found.client_recovered, axis=-1, dtype=jnp.int32) * open_
    seen = (found.rank - found.sum_recovered).astype(jnp.int32)
    dimensions = coefficients.num_dimensions.at[jnp.array(coded)].set(seen)
    revealed = coefficients.num_revealed.at[jnp.array(coded)].set(counted)
    masked = jnp.array([rule.masked for rule in rules]) & (dimensions > 0)
    most = jnp.asarray(1 - 1 / clients, coefficients.largest_share.dtype)  # of any stack of rows
    share = jnp.where(masked, most, coefficients.largest_share)
    return coefficients._replace(
        num_revealed=revealed, num_dimensions=dimensions, largest_share=share
    )
