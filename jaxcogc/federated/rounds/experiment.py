"""What a training experiment consists of: the task, its settings, its arrays, where it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax

from jaxcogc._types import Key, PyTree
from jaxcogc.coding.codes import GradientCode
from jaxcogc.federated.aggregation.link_evidence import Channel, LinkPolicy
from jaxcogc.federated.rounds.local_steps import ClientData, LossFn
from jaxcogc.links.checks import check_count

__all__ = ["Inputs", "RoundMetrics", "RoundSettings", "Task", "TrainState"]


class Task(NamedTuple):
    """What is learnt; static.

    Attributes:
      init: ``init(key)`` gives the parameters of one run.
      loss_fn: see `LossFn`.
      evaluate: ``evaluate(params, test) -> (accuracy, loss)``, floating scalars.
      local_optimizer, server_optimizer: optax.GradientTransformation.
    """

    init: Callable[[Key], PyTree]
    loss_fn: LossFn
    evaluate: Callable[[PyTree, PyTree], tuple[jax.Array, jax.Array]]
    local_optimizer: Any
    server_optimizer: Any


@dataclass(frozen=True)
class RoundSettings:
    """How a round goes; static.

    Attributes:
      schemes: names, of `SCHEMES`; each is an entry of the schemes axis.
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

    def __post_init__(self) -> None:
        if not self.schemes or len(set(self.schemes)) < len(self.schemes):
            raise ValueError(f"schemes = {self.schemes}: allowed are names, each once")
        for name in ("local_steps", "evaluate_every", "block_rounds"):
            check_count(name, getattr(self, name))
        if self.batch_size is not None:
            check_count("batch_size", self.batch_size)
        if not 0 <= self.proximal < float("inf"):
            raise ValueError(f"proximal = {self.proximal}: allowed is a number of at least 0")
        if self.aggregation not in ("coefficients", "payload"):
            raise ValueError(
                f"aggregation = {self.aggregation!r}: allowed are 'coefficients' and 'payload'"
            )


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
    scale: Any = None


class TrainState(NamedTuple):
    """Where all runs stand: pytrees with leading axes [seeds, schemes]."""

    params: PyTree
    server_state: PyTree


class RoundMetrics(NamedTuple):
    """What is known of every round; [seeds, schemes, rounds] when the program returns it.

    Attributes:
      test_accuracy, test_loss: floating; NaN where not evaluated.
      train_loss: floating, mean over clients and local steps.
      hold, exact: bool.
      num_recovered, num_revealed, peer_uses, uplink_uses: int32, see Coefficients.
      coefficient_sum: floating, sum_k c_k.
      finite: bool [.., clients], whose update was finite.
    """

    test_accuracy: jax.Array
    test_loss: jax.Array
    train_loss: jax.Array
    hold: jax.Array
    exact: jax.Array
    num_recovered: jax.Array
    num_revealed: jax.Array
    coefficient_sum: jax.Array
    peer_uses: jax.Array
    uplink_uses: jax.Array
    finite: jax.Array
