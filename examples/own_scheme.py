"""A scheme of one's own beside built-in ones, in the same compiled program.

    python examples/own_scheme.py

A scheme is a pair of pure functions: `init` gives its state, `draw` the coefficients of one round
from the round's key. This one makes up for silence: a client that was not heard for n rounds counts
n + 1 times when it is. Over time every client counts alike, and no erasure probability is needed.
"""

import dataclasses

import digits_over_bad_links as digits
import jax
import jax.numpy as jnp

from jaxcogc import Network, Scheme, cyclic_code
from jaxcogc.federated import coefficients_of, draw_round_links
from jaxcogc.training import compile_training, summarize

MOST = 10  # a client that was silent for long must not upset everything
NUM_ROUNDS = 100


def making_up(num_clients: int) -> Scheme:
    """Coefficients (rounds since client k was heard) / M for those heard."""

    def init():
        return jnp.ones(num_clients, jnp.int32)

    def draw(key, waited, network: Network):
        links = draw_round_links(key, network)  # those that all other schemes see
        heard = links.uplink_delivered[0]
        weights = jnp.where(heard, jnp.minimum(waited, MOST) / num_clients, 0.0)
        coefficients = coefficients_of(
            weights, uplink_uses=num_clients, num_revealed=jnp.sum(heard)
        )
        return coefficients, jnp.where(heard, 1, waited + 1)

    return Scheme(init, draw)


def main() -> None:
    """Compare it with three others on digits, one a client, uplinks from good to bad."""
    network = digits.bad_links()
    clients = network.num_clients
    code = cyclic_code(jax.random.key(0), clients, digits.NUM_STRAGGLERS)
    plan = digits.training_plan(network, code, classes_per_client=1)
    schemes = ("ideal", "intermittent", "inverse_probability", "making_up")
    own = {"making_up": making_up(clients)}
    settings = dataclasses.replace(plan.settings, schemes=schemes, own=own)
    plan = dataclasses.replace(plan, settings=settings, rounds=NUM_ROUNDS)
    compiled = compile_training(plan)
    trained = compiled.start()
    for later in compiled.blocks(trained):
        trained = later
    for name, row in summarize(plan, trained).items():
        print(f"{name:20} test accuracy {row.test['accuracy'].mean:.3f}")


if __name__ == "__main__":
    main()
