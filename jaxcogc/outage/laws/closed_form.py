"""All that is known exactly, without a trial, about a code on a network."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxcogc._types import AnyArray, Array
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.host_field import is_prime
from jaxcogc.links.checks import check_count
from jaxcogc.links.network import Network
from jaxcogc.names import RANDOM_FAMILIES, ring_kind
from jaxcogc.outage.laws.gc_outage import (
    Probability,
    classes_outage_probability,
    fractional_repetition_outage_probability,
    gc_outage_probability,
)
from jaxcogc.outage.laws.one_straggler import OneStragglerLaw, one_straggler_law, row_states
from jaxcogc.outage.laws.standard_decoding import needs_both_directions
from jaxcogc.runtime.jax_settings import under_plain_settings

_ByLink: TypeAlias = tuple[Array, Array]  # by uplink and by peer


class ClosedForm(NamedTuple):
    """Probabilities of a round; None where no exact law is known.

    Attributes:
      gc_outage: standard decoding recovers nothing.
      gc_plus_full: GC+ has the exact average.
      gc_plus_none: GC+ recovers nothing.
      row_space_exact: row-space decoding has the exact average.
      all_individuals: every client's own update is known.
      client_recovered: a client's own update is known; float64 [clients].
    """

    gc_outage: Probability | None
    gc_plus_full: Probability | None = None
    gc_plus_none: Probability | None = None
    row_space_exact: Probability | None = None
    all_individuals: Probability | None = None
    client_recovered: Float[AnyArray, "clients"] | None = None


@under_plain_settings
def closed_form(
    network: Network, code: GradientCode, *, num_attempts: int = 1, redraw_code: bool = False
) -> ClosedForm:
    """The exact laws of a code on a network, where they are known.

    Standard decoding: cyclic codes, uncoded schemes, fractional repetition, cyclic MDS codes of a
    prime number of clients or with 1 or M - 1 stragglers; redrawn codes with A (M - s - 1) < M;
    reciprocal links where no row needs both directions of a pair (cyclic codes with 2 s < M). All
    decoders: one cyclic code with s = 1.

    Args:
      network: the links' erasure probabilities.
      code: any code; ``code.redrawn`` counts as ``redraw_code``.
      num_attempts: attempts, at least 1.
      redraw_code: another code in each attempt (cyclic codes only).

    Returns:
      ClosedForm of NumPy float64 numbers and [clients] (relative error below 1e-12 for
      ``gc_outage``, absolute below 1e-14 for the others), whether or not 64-bit mode is on. Of a
      traced network: tracers, differentiable by its probabilities.

    Raises:
      ValueError: ``num_attempts`` is below 1, or a code of no random family is to be redrawn.

    Source: docs/mathematics.md, "Exact laws of a code with one straggler".

    >>> import jax
    >>> from jaxcogc import cyclic_code
    >>> network = Network.homogeneous(4, uplink_erasure=0.2, peer_erasure=0.1)
    >>> law = closed_form(network, cyclic_code(jax.random.key(0), 4, 1), num_attempts=2)
    >>> print(f"{law.gc_outage:.6f} {law.row_space_exact:.6f} {law.client_recovered[0]:.6f}")
    0.033138 0.976533 0.478921
    """
    attempts = check_count("num_attempts", num_attempts)
    redrawn = redraw_code or code.redrawn
    if redrawn and code.family not in RANDOM_FAMILIES:
        raise ValueError(
            f"redraw_code = True with a {code.family} code: allowed for the random family, cyclic"
        )
    clients, stragglers = code.num_clients, int(code.num_stragglers)
    kind = ring_kind(code.family, stragglers)
    tied = network.reciprocal and needs_both_directions(kind, clients, stragglers)
    if tied or not rows_can_be_counted(code.family, clients, stragglers):
        return ClosedForm(None)
    if redrawn:
        # Attempts that fail may suffice together, unless they are too few for that.
        apart = attempts * (clients - stragglers - 1) < clients
        return ClosedForm(gc_outage_probability(network, stragglers) ** attempts if apart else None)
    outage = _OUTAGES[kind](network, stragglers, attempts)
    if code.family != "cyclic" or stragglers != 1:
        return ClosedForm(outage)
    law = _evaluate(network, attempts)
    return ClosedForm(
        outage, law.full, law.none, law.full, law.all_individuals, law.client_recovered
    )


_OUTAGES = {
    "cyclic": gc_outage_probability,
    "blocks": fractional_repetition_outage_probability,
    "classes": classes_outage_probability,
}


def rows_can_be_counted(family: str, num_clients: int, num_stragglers: int) -> bool:
    """Whether standard decoding fails exactly where the law of a family says so.

    Of a cyclic MDS code of a composite number of clients fewer rows may suffice: the cyclic law is
    an upper bound (docs/mathematics.md). Nothing is known of a code of one's own.

    >>> rows_can_be_counted("cyclic-mds", 5, 2), rows_can_be_counted("cyclic-mds", 6, 3)
    (True, False)
    """
    if family == "cyclic-mds":
        return num_stragglers in (0, 1, num_clients - 1) or is_prime(num_clients)
    return family != "custom"


def _evaluate(network: Network, attempts: int) -> OneStragglerLaw:
    """In a 64-bit scope of its own, whatever mode the caller is in."""
    leaves = (network.uplink_erasure, network.peer_erasure)
    with jax.enable_x64(True):
        values = _values(attempts, *(jnp.asarray(leaf, jnp.float64) for leaf in leaves))
        if not any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            full, none, all_individuals, *clients = np.asarray(values)
            return OneStragglerLaw(full, none, all_individuals, np.array(clients))
    # A caller's 32-bit trace must see one of its own types, or his next operation fails.
    values = values.astype(jax.dtypes.canonicalize_dtype(np.float64))
    return OneStragglerLaw(values[0], values[1], values[2], values[3:])


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _values(attempts: int, uplink: Array, peer: Array) -> Array:
    """The laws one after another: [3 + clients]."""
    with jax.enable_x64(True):
        stacked: Array = _stacked(uplink, peer, attempts)
        return stacked


@_values.defjvp
def _values_jvp(attempts: int, primals: _ByLink, tangents: _ByLink) -> tuple[Array, Array]:
    """Slopes are formed here, in the 64-bit scope; what is left for transposition are products."""
    with jax.enable_x64(True):
        slopes = _slopes(*primals, attempts)
        change = sum(
            jnp.sum(slope * tangent, axis=tuple(range(1, slope.ndim)))
            for slope, tangent in zip(slopes, tangents, strict=True)
        )
        return _values(attempts, *primals), jnp.asarray(change)


@partial(jax.jit, static_argnums=2)
def _stacked(uplink: Array, peer: Array, attempts: int) -> Array:
    law = one_straggler_law(row_states(uplink, peer, attempts))
    return jnp.concatenate([jnp.stack(law[:3]), law.client_recovered])


@partial(jax.jit, static_argnums=2)
def _slopes(uplink: Array, peer: Array, attempts: int) -> _ByLink:
    by_links: _ByLink = jax.jacrev(_stacked, argnums=(0, 1))(uplink, peer, attempts)
    return by_links
