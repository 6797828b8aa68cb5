"""Many rounds of some schemes, drawn and decided by one program."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc.federated.aggregation.channel import channel
from jaxcogc.federated.aggregation.link_evidence import LinkPolicy
from jaxcogc.federated.aggregation.round_keys import round_keys
from jaxcogc.federated.aggregation.schemes import draw_schemes
from jaxcogc.names import BASIC_SCHEMES

NUM_ROUNDS = 20_000


KEY = jax.random.key(5)


@cache
def program(names, policy, reciprocal):
    """Coefficients of rounds 0, 1, ..; compiled once for all networks and codes of a size."""

    @partial(jax.jit, static_argnums=2)
    def draw(inputs, code, num_rounds):
        def one(number):
            keys = round_keys(KEY, number)
            return draw_schemes(keys, names, inputs, code, policy, reciprocal=reciprocal)

        return jax.vmap(one)(jnp.arange(num_rounds, dtype=jnp.uint32)).coefficients

    return draw


def draw_many(names, network, code, num_rounds=NUM_ROUNDS, **settings):
    """Coefficients [rounds, schemes] of many rounds."""
    draw = program(names, LinkPolicy(**settings), network.reciprocal)
    return jax.tree.map(np.asarray, draw(channel(network), code, num_rounds))


def of(name, coefficients, names=BASIC_SCHEMES):
    return jax.tree.map(lambda x: x[:, names.index(name)], coefficients)
