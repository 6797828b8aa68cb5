"""What a training experiment consists of: the task, its settings, its arrays, where it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import optax
from jaxtyping import Float, Int32

from jaxcogc._types import AnyArray, Array, Key, PyTree
from jaxcogc.coding.codes import GradientCode
from jaxcogc.federated.aggregation.channel import Channel
from jaxcogc.federated.aggregation.link_evidence import LinkPolicy
from jaxcogc.federated.aggregation.one_scheme import Scheme, check_own
from jaxcogc.federated.aggregation.rules import RULES, SchemeRule, check_scheme_names
from jaxcogc.federated.rounds.local_steps import ClientData, LossFn
from jaxcogc.links.checks import check_choice, check_count
from jaxcogc.names import AGGREGATIONS, MASKS


class Task(NamedTuple):
    """What is learnt; static.

    Attributes:
      init: ``init(key)`` gives the parameters of one run.
      loss_fn: see `LossFn`.
      evaluate: ``evaluate(params, test)`` gives floating scalars by name: the loss, and metrics.
      local_optimizer: of the clients, begun anew every round.
      server_optimizer: takes the negative of what a scheme adds as its gradient.
    """

    init: Callable[[Key], PyTree]
    loss_fn: LossFn
    evaluate: Callable[[PyTree, PyTree], Mapping[str, Array]]
    local_optimizer: optax.GradientTransformation
    server_optimizer: optax.GradientTransformation


@dataclass(frozen=True)
class RoundSettings:
    """How a round goes; static.

    Attributes:
      schemes: of `jaxcogc.names.SCHEMES` or in ``own``; each is an entry of the schemes axis.
      policy: how the links are used.
      reciprocal: T_mk = T_km.
      local_steps: I.
      batch_size: samples a local step, with replacement; None: all samples of the client.
      proximal: mu of FedProx.
      aggregation: "coefficients", or "payload": encode, erase and decode the vectors.
      drop_non_finite: a client whose update is not finite is silent in that round; links are then
        decided inside the loop over rounds.
      evaluate_every: rounds from one evaluation to the next.
      block_rounds: rounds of one call of the program, at most.
      own: schemes of one's own, by the name that results give them; their draws see the network on
        the host, and know nothing of non-finite updates.
      mask_ratio: of schemes with masks under "payload": deviation of a client's mask over the root
        mean square of a round's updates.
      masks: "real", Gaussian ones of that ratio; or "field", uniform over the field of the code,
        for updates that are rounded to integers.
      deterministic: a map over runs in place of vmap: bit for bit the same whatever runs together.

    Raises:
      ValueError: a value outside what is allowed.
    """

    schemes: tuple[str, ...]
    policy: LinkPolicy = field(default_factory=LinkPolicy)
    reciprocal: bool = False
    local_steps: int = 1
    batch_size: int | None = None
    proximal: float = 0.0
    aggregation: str = "coefficients"
    drop_non_finite: bool = False
    evaluate_every: int = 1
    block_rounds: int = 64
    deterministic: bool = False
    mask_ratio: float = 10.0
    masks: str = "real"
    own: Mapping[str, Scheme] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.schemes or len(set(self.schemes)) < len(self.schemes):
            raise ValueError(f"schemes = {self.schemes}: allowed are names, each once")
        if not 0 <= self.mask_ratio < float("inf"):
            raise ValueError(f"mask_ratio = {self.mask_ratio}: allowed is a number of at least 0")
        check_choice("masks", self.masks, MASKS)
        if self.policy.masked_partials and (self.masks, self.aggregation) != ("real", "payload"):
            raise ValueError(
                f"masked_partials with masks = {self.masks!r} and aggregation = "
                f'{self.aggregation!r}: allowed are "real" and "payload", as what masks leave in '
                "an average over some clients has to be added, and over the field is all there is"
            )
        check_own(self.own, self.schemes)
        check_scheme_names(self.built_in)
        if self.own and self.drop_non_finite:
            raise ValueError(
                f"schemes of one's own ({', '.join(self.own)}) with drop_non_finite: allowed is "
                "one of the two"
            )
        for name in ("local_steps", "evaluate_every", "block_rounds"):
            check_count(name, getattr(self, name))
        if self.batch_size is not None:
            check_count("batch_size", self.batch_size)
        if not 0 <= self.proximal < float("inf"):
            raise ValueError(f"proximal = {self.proximal}: allowed is a number of at least 0")
        check_choice("aggregation", self.aggregation, AGGREGATIONS)

    @property
    def built_in(self) -> tuple[str, ...]:
        """The schemes that are not one's own."""
        return tuple(name for name in self.schemes if name not in self.own)

    @property
    def rules(self) -> tuple[SchemeRule | None, ...]:
        """Of each scheme; None of one's own."""
        return tuple(None if name in self.own else RULES[name] for name in self.schemes)

    @property
    def masked(self) -> tuple[bool, ...]:
        """Of each scheme, whether clients wear masks."""
        return tuple(rule is not None and rule.masked for rule in self.rules)

    def remembers(self, *kinds: str) -> tuple[bool, ...]:
        """Of each scheme, whether it keeps something of that kind of each client."""
        return tuple(rule is not None and rule.remembers in kinds for rule in self.rules)


class Inputs(NamedTuple):
    """The arrays of an experiment, the same for all runs.

    Attributes:
      data: of the clients.
      test: pytree that ``evaluate`` takes.
      channel: the network.
      code: the gradient code; None when no scheme needs one.
      scale: floating [clients], M a_k for target weights a; None: equal weights. With a leading
        seeds axis where ``data`` has one.
    """

    data: ClientData
    test: PyTree
    channel: Channel
    code: GradientCode | None = None
    scale: Float[AnyArray, "*seeds clients"] | None = None


class RoundSpan(NamedTuple):
    """Which rounds one call of the program does; int32 scalars.

    Attributes:
      first: the number of the first one, from 0.
      num_active: how many, at most block_rounds.
      num_rounds: of the whole run, whose last round is always evaluated.
    """

    first: Int32[Array, ""] | np.int32
    num_active: Int32[Array, ""] | np.int32
    num_rounds: Int32[Array, ""] | np.int32

    @classmethod
    def of(cls, first: int, num_active: int, num_rounds: int) -> RoundSpan:
        """From Python's numbers, in the dtype that the program was compiled for."""
        return cls(np.int32(first), np.int32(num_active), np.int32(num_rounds))


class TrainState(NamedTuple):
    """Where all runs stand: pytrees with leading axes [seeds, schemes].

    Attributes:
      params: of the model; the mean over clients where every client has its own.
      server_state: of the server's optimizer.
      clients: [.., clients, ..], what is remembered of each client; None where no scheme asks, else
        for all schemes, 0 of those without memory.
      own: by name, the states [seeds, ..] of schemes of one's own; None without such.
    """

    params: PyTree
    server_state: PyTree
    clients: PyTree = None
    own: PyTree = None


class RoundMetrics(NamedTuple):
    """What is known of every round; [seeds, schemes, rounds] when the program returns it.

    Attributes:
      test: floating by name, the loss on the test data and other metrics; NaN where not evaluated.
      train_loss: floating, mean over clients and local steps.
      hold, exact: bool.
      num_recovered, num_revealed, peer_uses, uplink_uses, slots, num_dimensions: int32, see
        Coefficients.
      largest_share: floating, see Coefficients.
      coefficient_sum: floating, sum_k c_k.
      mask_error, mask_error_predicted: floating, what is decoded through masks less the average of
        updates, over their root mean square; NaN where no masks are worn, or the round is held.
      finite: bool [.., clients], whose update was finite.
    """

    test: Mapping[str, AnyArray]
    train_loss: AnyArray
    hold: AnyArray
    exact: AnyArray
    num_recovered: AnyArray
    num_revealed: AnyArray
    coefficient_sum: AnyArray
    peer_uses: AnyArray
    uplink_uses: AnyArray
    slots: AnyArray
    num_dimensions: AnyArray
    largest_share: AnyArray
    mask_error: AnyArray
    mask_error_predicted: AnyArray
    finite: AnyArray


StateAndMetrics = tuple[TrainState, RoundMetrics]
"""Where runs stand after some rounds, and what was seen in them."""
