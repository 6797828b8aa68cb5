"""A single scheme as a pair of pure functions, `init` and `draw`, in the manner of Optax."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Unpack

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxcogc._types import AnyArray, Key, PyTree
from jaxcogc.coding.codes import GradientCode
from jaxcogc.federated.aggregation.channel import Foreknowledge, channel
from jaxcogc.federated.aggregation.coefficients import Coefficients
from jaxcogc.federated.aggregation.link_evidence import LinkPolicy, PolicyOptions
from jaxcogc.federated.aggregation.round_keys import RoundKeys
from jaxcogc.federated.aggregation.schemes import check_names, draw_schemes, known_of
from jaxcogc.links.draws import Links, draw_links
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.names import SCHEMES
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import fold_in, split


class Scheme(NamedTuple):
    """A distribution over coefficient vectors [clients].

    Attributes:
      init: ``init() -> state``, a pytree of arrays; built-in schemes have none, an empty tuple.
      draw: ``draw(key, state, network) -> (Coefficients, state)`` for one round, from its key. What
        training remembers of clients is no part of it.
    """

    init: Callable[[], PyTree]
    draw: Callable[[Key, PyTree, Network], tuple[Coefficients, PyTree]]


def check_own(own: Mapping[str, Scheme], names: Sequence[str]) -> None:
    """Raise a ValueError unless schemes of one's own have names of their own, and are used."""
    for name, scheme in own.items():
        if name in SCHEMES or not name or set(name) & set(',\n\r"'):
            raise ValueError(
                f"own scheme {name!r}: allowed is a name that no other scheme has, without commas, "
                "quotes and line ends"
            )
        if name not in names:
            raise ValueError(f"own scheme {name!r} is not among schemes = {tuple(names)}")
        if not isinstance(scheme, Scheme):
            raise ValueError(f"own scheme {name!r} is {scheme!r}: allowed is Scheme(init, draw)")


@under_plain_settings
def draw_round_links(key: Key, network: Network, num_attempts: int = 1) -> Links:
    """The links that built-in schemes see in a round, for a scheme of one's own.

    Args:
      key: of the round, as a scheme's ``draw`` gets it.
      network: the links, independent from attempt to attempt.
      num_attempts: attempts to draw; the first ones are the same whatever their number.
    """
    keys = RoundKeys(*split(key, len(RoundKeys._fields)))
    return draw_links(fold_in(keys.links, 0), network, num_attempts)


@under_plain_settings
def make_scheme(
    name: str,
    code: GradientCode | None = None,
    *,
    target_weights: Float[AnyArray, "clients"] | None = None,
    dtype: DTypeLike = jnp.float32,
    dynamics: LinkDynamics | None = None,
    known: Foreknowledge | None = None,
    **policy: Unpack[PolicyOptions],
) -> Scheme:
    """A scheme by its name.

    Args:
      name: one of `jaxcogc.names.SCHEMES`: "ideal", "intermittent" (average of who arrived),
        "intermittent_blind" (divided by M), "inverse_probability", "retransmission",
        "replicated_gc", "gc" (standard decoding), "gc_plus", "row_space", "least_squares",
        "colrel" (collaborative relaying), "gc_plus_unbiased", "row_space_unbiased".
      code: the gradient code of "replicated_gc" and of all from "gc" on but "colrel"; redrawn
        for num_attempts or the same in every attempt.
      target_weights: [clients], a, numbers that sum to 1; None: 1/M each. Clients share
        M a_k Delta_k.
      dtype: of the coefficients.
      dynamics: of the links; every draw is a round that begins in stationarity.
      known: what "colrel" and the schemes "_unbiased" must know of the network; None: the weights
        of relays are found when a draw is traced, for a network on the host.
      policy: fields of `LinkPolicy`: num_attempts, num_tries, partial_normalisation, placement,
        max_repeats, peer_cost, keep_heard, min_recovered.

    Returns:
      Scheme, made for vmap over keys; schemes drawn with one key see the same links.

    Raises:
      ValueError: an unknown name, a missing code, a value that is not allowed.

    Source: docs/mathematics/rounds.md, "Decoders";
    docs/mathematics/schemes.md, "Schemes without a code".

    >>> import jax
    >>> from jaxcogc import Network, make_scheme
    >>> network = Network.homogeneous(4, uplink_erasure=0.0, peer_erasure=0.0)
    >>> scheme = make_scheme("intermittent")
    >>> coefficients, _ = scheme.draw(jax.random.key(0), scheme.init(), network)
    >>> coefficients.weights.tolist(), bool(coefficients.exact)
    ([0.25, 0.25, 0.25, 0.25], True)
    """
    check_names((name,), code)
    return _scheme_of(name, code, LinkPolicy(**policy), target_weights, dtype, dynamics, known)


def _scheme_of(
    name: str,
    code: GradientCode | None,
    link_policy: LinkPolicy,
    target_weights: AnyArray | None,
    dtype: DTypeLike,
    dynamics: LinkDynamics | None,
    known: Foreknowledge | None,
) -> Scheme:
    def draw(key: Key, state: PyTree, network: Network) -> tuple[Coefficients, PyTree]:
        keys = RoundKeys(*split(key, len(RoundKeys._fields)))
        scale = None if target_weights is None else jnp.asarray(target_weights, dtype)
        drawn = draw_schemes(
            keys,
            (name,),
            channel(network, dynamics, known_of((name,), network, known)),
            code,
            link_policy,
            reciprocal=network.reciprocal,
            scale=None if scale is None else scale * network.num_clients,
            dtype=dtype,
        )
        return jax.tree.map(lambda x: x[0], drawn.coefficients), state

    return Scheme(lambda: (), draw)
