"""Schemes of one's own in the joint program: drawn round by round, as they may have a state."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array, PyTree
from jaxcogc.federated.aggregation.coefficients import Coefficients
from jaxcogc.federated.aggregation.one_scheme import Scheme
from jaxcogc.federated.aggregation.round_keys import round_key
from jaxcogc.federated.aggregation.schemes import SchemeDraw
from jaxcogc.federated.rounds.experiment import RoundSettings, RoundSpan
from jaxcogc.links.network import Network
from jaxcogc.runtime.random_words import data_key, seed_key


class WithOwn(NamedTuple):
    """What a block's links decide for all schemes, and the states of one's own ones after it.

    Attributes:
      drawn: [seeds, schemes, rounds, ..].
      states: by name, [seeds, ..].
    """

    drawn: SchemeDraw
    states: PyTree


def with_own_schemes(
    settings: RoundSettings,
    network: Network,
    span: RoundSpan,
    words: Array,
    built_in: SchemeDraw | None,
    states: PyTree,
) -> WithOwn:
    """Put the draws of one's own schemes in their places among the others.

    Args:
      settings: whose ``schemes`` are the order.
      network: on the host.
      span: of the block.
      words: uint32 [seeds, 2], the seeds' keys.
      built_in: [seeds, schemes, rounds, ..] of the others, of "ideal" where there are none.
      states: by name, [seeds, ..].

    Raises:
      ValueError: coefficients of another shape than a round has.
    """
    assert built_in is not None  # they do not go with updates that are dropped
    others, after = settings.built_in, dict(states)
    place = [others.index(name) if name in others else 0 for name in settings.schemes]
    drawn: SchemeDraw = jax.tree.map(lambda x: x[:, np.array(place)], built_in)
    if drawn.states is not None:
        mine = np.array([name in settings.own for name in settings.schemes])
        nothing = jax.tree.map(
            lambda x: jnp.where(mine.reshape(-1, *(1,) * (x.ndim - 2)), 0, x).astype(x.dtype),
            drawn.states,
        )
        drawn = drawn._replace(states=nothing)
    for number, name in enumerate(settings.schemes):
        if name in settings.own:
            _check(name, settings.own[name], network)
            found, after[name] = _draw(
                settings, settings.own[name], network, span, words, after[name]
            )
            drawn = drawn._replace(
                coefficients=jax.tree.map(
                    lambda all_, x, n=number: all_.at[:, n].set(x.astype(all_.dtype)),
                    drawn.coefficients,
                    found,
                )
            )
    return WithOwn(drawn, after)


def _draw(
    settings: RoundSettings,
    scheme: Scheme,
    network: Network,
    span: RoundSpan,
    words: Array,
    states: PyTree,
) -> tuple[Coefficients, PyTree]:
    """Coefficients [seeds, rounds] of one scheme; rounds that are not active leave its state."""

    def one(seed: Array, state: PyTree) -> tuple[PyTree, Coefficients]:
        def step(state: PyTree, index: Array) -> tuple[PyTree, Coefficients]:
            key = round_key(data_key(seed), (span.first + index).astype(jnp.uint32))
            found, new = scheme.draw(key, state, network)
            kept = jax.tree.map(lambda x, y: jnp.where(index < span.num_active, x, y), new, state)
            return kept, found

        return lax.scan(step, state, jnp.arange(settings.block_rounds, dtype=jnp.int32))

    after, found = jax.vmap(one)(words, states)
    return found, after


def _check(name: str, scheme: Scheme, network: Network) -> None:
    clients = network.num_clients
    found, _ = jax.eval_shape(lambda key: scheme.draw(key, scheme.init(), network), seed_key(0))
    if not isinstance(found, Coefficients):
        raise ValueError(
            f"own scheme {name!r} draws {type(found).__name__}: allowed is Coefficients"
        )
    shapes = {field: x.shape for field, x in found._asdict().items()}
    for field, shape in shapes.items():
        allowed = (clients,) if field == "weights" else ()
        if shape != allowed:
            raise ValueError(
                f"own scheme {name!r}: {field} has shape {shape}: allowed is {allowed}"
            )
