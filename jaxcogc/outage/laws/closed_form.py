"""All that is known exactly, without a trial, about a code on a network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Float

from jaxcogc._types import AnyArray, Array
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.host_field import is_prime
from jaxcogc.links.checks import check_count
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.names import CUSTOM, RANDOM_FAMILIES, ring_kind
from jaxcogc.outage.laws.differentiable import CompiledLaw, Probability, evaluated, number
from jaxcogc.outage.laws.gc_outage import (
    classes_outage_probability,
    fractional_repetition_outage_probability,
    gc_outage_probability,
)
from jaxcogc.outage.laws.one_straggler import one_straggler_law, row_states, stacked
from jaxcogc.outage.laws.rounds_in_time import (
    BothFail,
    GcOutage,
    OneStraggler,
    RedrawnGcOutage,
    Round,
    round_of,
)
from jaxcogc.outage.laws.standard_decoding import needs_both_directions
from jaxcogc.runtime.jax_settings import under_plain_settings


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

    @property
    def gc_plus_outage(self) -> Probability | None:
        """GC+ has no exact average."""
        return None if self.gc_plus_full is None else 1 - self.gc_plus_full

    @property
    def row_space_outage(self) -> Probability | None:
        """Row-space decoding has no exact average."""
        return None if self.row_space_exact is None else 1 - self.row_space_exact


@under_plain_settings
def closed_form(
    network: Network,
    code: GradientCode,
    *,
    num_attempts: int = 1,
    redraw_code: bool = False,
    dynamics: LinkDynamics | None = None,
    keep_heard: bool = False,
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
      dynamics: how links remember, and which clients are blocked; None: independent attempts. A
        round begins in stationarity.
      keep_heard: clients keep what they heard in earlier attempts; standard decoding alone.

    Returns:
      ClosedForm of NumPy float64 numbers and [clients] (relative error below 1e-12 for
      ``gc_outage``, absolute below 1e-14 for the others), whether or not 64-bit mode is on. Of a
      traced network: tracers, differentiable by its probabilities.

    Raises:
      ValueError: ``num_attempts`` is below 1, a code of no random family is to be redrawn, or
        ``dynamics`` that do not fit the network (`LinkDynamics`).

    Source: docs/mathematics/outage.md, "Outage of standard decoding" and the laws after it.

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
    if not _rows_are_independent(network, code):
        return ClosedForm(None)
    if dynamics is not None or keep_heard:
        dynamics = dynamics or LinkDynamics()
        shape = _round(network, code, attempts, dynamics, keep_heard=keep_heard)
        return _in_time(network, code, dynamics, shape, redrawn=redrawn)
    return _independent(network, code, attempts, redrawn=redrawn)


def _rows_are_independent(network: Network, code: GradientCode) -> bool:
    """Whether standard decoding is a matter of rows that arrive independently of each other."""
    clients, stragglers = code.num_clients, int(code.num_stragglers)
    kind = ring_kind(code.family, stragglers)
    tied = network.reciprocal and needs_both_directions(kind, clients, stragglers)
    return rows_can_be_counted(code.family, clients, stragglers) and not tied


def _independent(
    network: Network, code: GradientCode, attempts: int, *, redrawn: bool
) -> ClosedForm:
    """Of links that are independent from attempt to attempt."""
    clients, stragglers = code.num_clients, int(code.num_stragglers)
    if redrawn:
        # Attempts that fail may suffice together, unless they are too few for that.
        apart = attempts * (clients - stragglers - 1) < clients
        return ClosedForm(gc_outage_probability(network, stragglers) ** attempts if apart else None)
    outage = _OUTAGES[ring_kind(code.family, stragglers)](network, stragglers, attempts)
    if code.family != "cyclic" or stragglers != 1:
        return ClosedForm(outage)
    return _all_decoders(outage, evaluated(_OneStraggler(attempts), network))


@dataclass(frozen=True)
class _OneStraggler(CompiledLaw):
    """The laws for independent links, one after another; a function of the network."""

    num_attempts: int

    def __call__(self, network: Network) -> Array:
        uplink, peer = jnp.asarray(network.uplink_erasure), jnp.asarray(network.peer_erasure)
        return stacked(one_straggler_law(row_states(uplink, peer, self.num_attempts)))


def _all_decoders(outage: Probability | None, laws: AnyArray) -> ClosedForm:
    full, none, all_individuals = laws[0], laws[1], laws[2]
    return ClosedForm(outage, full, none, full, all_individuals, laws[3:])


_OUTAGES = {
    "cyclic": gc_outage_probability,
    "blocks": fractional_repetition_outage_probability,
    "classes": classes_outage_probability,
}


def rows_can_be_counted(family: str, num_clients: int, num_stragglers: int) -> bool:
    """Whether standard decoding fails exactly where the law of a family says so.

    Of a cyclic MDS code of a composite number of clients fewer rows may suffice: the cyclic law is
    an upper bound (docs/mathematics/outage.md). Nothing is known of a code of one's own.

    >>> rows_can_be_counted("cyclic-mds", 5, 2), rows_can_be_counted("cyclic-mds", 6, 3)
    (True, False)
    """
    if family == "cyclic-mds":
        return num_stragglers in (0, 1, num_clients - 1) or is_prime(num_clients)
    return family != CUSTOM


def _round(
    network: Network,
    code: GradientCode,
    attempts: int,
    dynamics: LinkDynamics,
    *,
    keep_heard: bool = False,
) -> Round:
    stragglers = int(code.num_stragglers)
    return round_of(
        network,
        ring_kind(code.family, stragglers),
        stragglers,
        num_attempts=attempts,
        dynamics=dynamics,
        keep_heard=keep_heard,
    )


def _in_time(
    network: Network, code: GradientCode, dynamics: LinkDynamics, shape: Round, *, redrawn: bool
) -> ClosedForm:
    if redrawn:
        redrawn_law = RedrawnGcOutage(shape)
        if not redrawn_law.known:
            return ClosedForm(None)
        return ClosedForm(number(evaluated(redrawn_law, network, dynamics)))
    outage = number(evaluated(GcOutage(shape), network, dynamics)) if shape.known else None
    forgotten = not (shape.keep_heard or shape.may_be_blocked)
    if code.family != "cyclic" or shape.num_stragglers != 1 or not forgotten:
        return ClosedForm(outage)
    return _all_decoders(outage, evaluated(OneStraggler(shape), network, dynamics))


class SuccessiveRounds(NamedTuple):
    """How failures of standard decoding hang together; None where no exact law is known.

    Attributes:
      both_fail: probability that two rounds fail that are ``gap`` apart.
      mean_hold_run: mean number of failed rounds in a row; infinite where none ever succeeds.
      failure_correlation: of the failures of two rounds that are ``gap`` apart; NaN where no round
        fails, or all do.
    """

    both_fail: float | None
    mean_hold_run: float | None
    failure_correlation: float | None


@under_plain_settings
def successive_rounds(
    network: Network,
    code: GradientCode,
    *,
    num_attempts: int = 1,
    dynamics: LinkDynamics,
    gap: int = 1,
) -> SuccessiveRounds:
    """Failures of standard decoding in two rounds of one run whose links remember.

    Args:
      network: the links' mean erasure probabilities, [clients] and [clients, clients], on the host.
      code: the code of all rounds.
      num_attempts: attempts of each round.
      dynamics: how links remember. With blocked clients no exact law is known.
      gap: how many rounds later the second one is.

    Raises:
      ValueError: a count below 1, or ``dynamics`` that do not fit the network.

    Source: docs/mathematics/outage.md, "Links with memory, blocked clients".

    >>> import jax
    >>> from jaxcogc import LinkDynamics, cyclic_code
    >>> network = Network.homogeneous(10, uplink_erasure=0.4, peer_erasure=0.25)
    >>> found = successive_rounds(network, cyclic_code(jax.random.key(0), 10, 7), num_attempts=2,
    ...                           dynamics=LinkDynamics(memory=0.6, round_memory=0.9))
    >>> print(f"{found.both_fail:.6f} {found.mean_hold_run:.4f} {found.failure_correlation:.6f}")
    0.799014 11.6860 0.322003
    """
    check_count("num_attempts", num_attempts)
    check_count("gap", gap)
    shape = _round(network, code, num_attempts, dynamics)
    known = _rows_are_independent(network, code) and BothFail(shape, gap).known
    if code.redrawn or not known:
        return SuccessiveRounds(None, None, None)
    outage, both = map(float, evaluated(BothFail(shape, gap), network, dynamics))
    next_fails = float(evaluated(BothFail(shape, 1), network, dynamics)[1])
    spread = outage * (1.0 - outage)
    return SuccessiveRounds(
        both,
        outage / (outage - next_fails) if outage > next_fails else math.inf,
        (both - outage**2) / spread if spread else math.nan,
    )
