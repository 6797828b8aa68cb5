"""The plan of a comparison: what is trained, on which links, under which schemes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import optax

from jaxcogc.allowed import MAX_SEED
from jaxcogc.coding.codes import GradientCode
from jaxcogc.federated.aggregation.channel import Foreknowledge
from jaxcogc.federated.data.datasets import Dataset
from jaxcogc.federated.data.partitions import Partition
from jaxcogc.federated.models import Model
from jaxcogc.federated.privacy.masks import check_field_masks
from jaxcogc.federated.rounds.experiment import RoundSettings
from jaxcogc.links.checks import check_choice, check_count, check_same_clients, check_unmasked
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.names import TARGETS
from jaxcogc.outage.laws.waiting_times import MessageSeconds
from jaxcogc.training.losses import OfSample, cross_entropy, is_right


class RoundSeconds(NamedTuple):
    """What a round takes.

    Attributes:
      messages: what steps and messages take.
      compute_rate: a client's steps take an exponential time of this rate more, drawn anew in every
        round; None: they do not.
      deadline: the server waits so long for the clients' steps; who is late sends nothing in that
        round, to nobody. None: it waits for all of them.

    Source: docs/mathematics/time.md, "Time".
    """

    messages: MessageSeconds
    compute_rate: float | None = None
    deadline: float | None = None

    @property
    def late_probability(self) -> float:
        """That a client is late.

        >>> RoundSeconds(MessageSeconds(1.0), compute_rate=2.0, deadline=2.0).late_probability
        0.1353352832366127
        """
        if self.compute_rate is None or self.deadline is None:
            return 0.0
        return math.exp(-self.compute_rate * max(self.deadline - self.messages.compute, 0.0))


@dataclass(frozen=True, eq=False)
class TrainingPlan:
    """All that a comparison of schemes is made of.

    Attributes:
      dataset: inputs and labels, or targets of any shape.
      partition: who holds which training samples: under all seeds, or, with a leading seeds axis
        (`make_partitions`), under each.
      model: of `jaxcogc.names.MODELS`, or one's own.
      network, code: the links, and the gradient code (redrawn or the same in every attempt; None
        when no scheme needs one).
      settings: schemes, and how a round goes.
      rounds: how many.
      seeds: of the runs, each once; every seed is trained under every scheme.
      learning_rate: of the clients' SGD.
      local_optimizer: of the clients, in place of SGD.
      server_optimizer: of `jaxcogc.names.SERVER_OPTIMIZERS`, with its server_learning_rate; or
        one's own.
      loss: of one sample, ``loss(output, target)``, a scalar; its mean is what is made small.
      metrics: of one sample, by name, likewise; their means over the test data are kept.
      target: "equal" aims at the average over clients, "data-size" at that over samples.
      dynamics: how links remember, and which clients are blocked: one chain over all rounds of a
        run. None: independent attempts.
      known: what schemes must know of the network; None: it is found when the plan is compiled.
      seconds: what steps and messages take; None: nobody asked. Clients that miss a deadline are
        to be blocked by the dynamics, with the probability that `RoundSeconds` gives.

    Raises:
      ValueError: a value outside what is allowed, seeds that are equal (their runs would be one,
        and an interval over them of no width), data with masked entries, masks over the field of a
        code that has none, a code of other clients than the network's.
    """

    dataset: Dataset
    partition: Partition
    model: str | Model
    network: Network
    code: GradientCode | None
    settings: RoundSettings
    rounds: int
    seeds: tuple[int, ...]
    learning_rate: float = 0.1
    server_optimizer: str | optax.GradientTransformation = "sgd"
    server_learning_rate: float = 1.0
    local_optimizer: optax.GradientTransformation | None = None
    loss: OfSample = cross_entropy
    metrics: Mapping[str, OfSample] = field(default_factory=lambda: {"accuracy": is_right})
    target: str = "equal"
    dynamics: LinkDynamics | None = None
    known: Foreknowledge | None = None
    seconds: RoundSeconds | None = None

    def __post_init__(self) -> None:
        if self.settings.own and self.dynamics is not None:
            raise ValueError(
                f"schemes of one's own ({', '.join(self.settings.own)}) with dynamics: allowed is "
                "None, as they are handed the network alone"
            )
        if self.settings.masks == "field" and any(self.settings.masked):
            check_field_masks(self.code)
        if self.code is not None:
            check_same_clients(self.code.num_clients, self.network.num_clients)
        check_choice("target", self.target, TARGETS)
        for seed in self.seeds:
            check_count("seed", seed, low=0, high=MAX_SEED)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds = {self.seeds}: allowed are seeds, each once")
        for name in self.metrics:
            if name == "loss" or not name or set(name) & set(',\n\r"'):
                raise ValueError(
                    f"metric {name!r}: allowed is a name other than 'loss', without commas, quotes "
                    "and line ends"
                )
        for name, values in self.dataset._asdict().items():
            check_unmasked(name, values)
        shape = np.shape(self.partition.num_samples)
        if len(shape) == 2 and shape[0] != len(self.seeds):
            raise ValueError(
                f"partition of {shape[0]} seeds: allowed is one for each of the {len(self.seeds)} "
                "seeds, or one for all"
            )
