"""A network as a compiled program takes it, and what schemes must know of it beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxcogc._types import AnyArray, Array, HostFloats, Numbers
from jaxcogc.coding.codes import GradientCode
from jaxcogc.federated.aggregation.relaying import relay_code
from jaxcogc.links.checks import check_elements, number_array
from jaxcogc.links.memory import LinkDynamics, blocked_clients
from jaxcogc.links.network import Network
from jaxcogc.links.thresholds import LinkLaw, RoundSteps, link_kind, link_law, round_steps
from jaxcogc.runtime.jax_settings import under_plain_settings


class Foreknowledge(NamedTuple):
    """What some schemes must know of a network before the first round; float64 on the host.

    Attributes:
      relay_weights: [clients, clients], alpha of `colrel`, as `colrel_weights` makes them.
      recovery_probability: [clients] by decoder, "gc_plus" or "row_space": how often the client is
        in the aggregate; of the schemes without bias.
    """

    relay_weights: Float[AnyArray, "clients clients"] | None = None
    recovery_probability: Mapping[str, Float[AnyArray, "clients"]] | None = None


_NOTHING_KNOWN = Foreknowledge()


class Channel(NamedTuple):
    """A network as a compiled program takes it: inputs, so that one program serves all networks.

    Attributes:
      law: of the links.
      arrival_weight: floating [clients], 1 / (M P(m is heard)); 0 for one that never is.
      steps: of the links from round to round.
      relays: the weights of relays as a code; None where no scheme asks.
      fair_weights: floating [clients] by decoder, 1 / (M P(client is recovered)).
    """

    law: LinkLaw
    arrival_weight: Float[AnyArray, "clients"]
    steps: RoundSteps = RoundSteps()
    relays: GradientCode | None = None
    fair_weights: Mapping[str, Float[AnyArray, "clients"]] | None = None


@under_plain_settings
def channel(
    network: Network,
    dynamics: LinkDynamics | None = None,
    known: Foreknowledge = _NOTHING_KNOWN,
) -> Channel:
    """The inputs that stand for a network; of one on the host, exact in either mode of JAX.

    Args:
      network: the mean erasure probabilities.
      dynamics: how links remember, and which clients are blocked; None: independent attempts.
      known: what some schemes must know of it beforehand.

    Raises:
      ValueError: something known of another number of clients.
    """
    delivered = 1.0 - network.uplink_erasure
    if dynamics is not None:
        delivered = delivered * (1.0 - blocked_clients(network, dynamics))
    xp = jnp if isinstance(delivered, Array) else np
    heard = xp.where(delivered > 0, delivered, 1.0)
    weight = xp.where(delivered > 0, 1.0 / (network.num_clients * heard), 0.0)
    kind = link_kind(network, dynamics)
    law, steps = link_law(network, dynamics, kind), round_steps(network, dynamics, kind)
    relays, fair = None, None
    if known.relay_weights is not None:
        relays = relay_code(known.relay_weights, network.num_clients)
    if known.recovery_probability is not None:
        fair = {
            name: inverse_weights(f"recovery_probability of {name}", values, network.num_clients)
            for name, values in known.recovery_probability.items()
        }
    return Channel(law, weight, steps, relays, fair)


def inverse_weights(name: str, probabilities: Numbers, num_clients: int) -> HostFloats:
    """1 / (M probability) of every client, 0 where it is 0: [clients].

    Raises:
      ValueError: not so many numbers, or one outside [0, 1].
    """
    values = number_array(name, probabilities, num_axes=1)
    if values.shape != (num_clients,):
        raise ValueError(f"{name} has shape {values.shape}: allowed is ({num_clients},)")
    check_elements(name, values, (values >= 0) & (values <= 1), "a probability in [0, 1]")
    found = np.zeros(num_clients)
    np.divide(1.0, num_clients * values, out=found, where=values > 0)
    return found
