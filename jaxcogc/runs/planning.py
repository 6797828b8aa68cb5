"""From what a user has to a plan of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack, cast

import optax

from jaxcogc.coding.codes import GradientCode
from jaxcogc.federated.aggregation.link_evidence import LinkPolicy, PolicyOptions
from jaxcogc.federated.aggregation.one_scheme import Scheme
from jaxcogc.federated.data.partitions import Partition
from jaxcogc.federated.models import AnyModel, as_model
from jaxcogc.federated.rounds.experiment import RoundSettings
from jaxcogc.links.checks import check_choice, check_count
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network import Network
from jaxcogc.names import NON_FINITE_POLICIES, SERVER_OPTIMIZERS
from jaxcogc.runs.examples import Data, Examples, held_data
from jaxcogc.training.losses import OfSample, cross_entropy, is_right
from jaxcogc.training.plan import TrainingPlan

NamedScheme = str | Scheme | tuple[str, Scheme]
"""One of `jaxcogc.names.SCHEMES`; one of one's own, alone ("own") or with its name."""


class _RoundOptions(TypedDict, total=False):
    """Fields of `RoundSettings` that go through as they are given."""

    local_steps: int
    batch_size: int | None
    proximal: float
    aggregation: str
    mask_ratio: float
    masks: str
    evaluate_every: int
    deterministic: bool


class TrainOptions(PolicyOptions, _RoundOptions, total=False):
    """What may be said of training; beside these, the fields of `LinkPolicy`.

    Attributes:
      num_rounds: 100.
      seeds: of the runs, each once; (0,).
      test: ``(inputs, targets)``; None: the data set's, or the training samples again.
      partition: a Partition, or of `jaxcogc.names.PARTITIONS`; "iid".
      alpha, classes_per_client: of it, as `make_partition` takes them.
      loss: ``loss(output, target)`` of one sample; cross entropy.
      metrics: likewise, by name; accuracy beside cross entropy, else none.
      local_optimizer: of the clients: Optax, or the learning rate of SGD; 0.1.
      server_optimizer: Optax, or of `jaxcogc.names.SERVER_OPTIMIZERS`; "sgd".
      server_learning_rate: of one by name.
      code: the gradient code of coded schemes.
      dynamics: how links remember.
      target: "equal" or "data-size".
      local_steps: 5.
      batch_size: samples a local step, None: all of the client's; 32.
      proximal, aggregation, mask_ratio, masks, evaluate_every, deterministic: as in
        `RoundSettings`; tested every 5 rounds.
      on_nan: "stop" the run at an update that is not finite, or "drop" it.
    """

    num_rounds: int
    seeds: Sequence[int]
    test: Examples | None
    partition: Partition | str
    alpha: float
    classes_per_client: int
    loss: OfSample
    metrics: Mapping[str, OfSample]
    local_optimizer: optax.GradientTransformation | float
    server_optimizer: optax.GradientTransformation | str
    server_learning_rate: float | None
    code: GradientCode | None
    dynamics: LinkDynamics | None
    target: str
    on_nan: str


_DEFAULTS: TrainOptions = {
    "num_rounds": 100,
    "seeds": (0,),
    "test": None,
    "partition": "iid",
    "alpha": 0.5,
    "classes_per_client": 2,
    "loss": cross_entropy,
    "local_optimizer": 0.1,
    "server_optimizer": "sgd",
    "server_learning_rate": None,
    "code": None,
    "dynamics": None,
    "target": "equal",
    "on_nan": "stop",
    "local_steps": 5,
    "batch_size": 32,
    "evaluate_every": 5,
}
"""Beside those of `RoundSettings` and `LinkPolicy`."""


def plan_training(
    model: AnyModel | str,
    data: Data,
    network: Network,
    schemes: Sequence[NamedScheme],
    **options: Unpack[TrainOptions],
) -> TrainingPlan:
    """What `train` would do, to look at or to change before `run_plan` does it.

    Args:
      model: of `jaxcogc.names.MODELS`, or as `as_model` takes it.
      data: a Dataset, ``(inputs, targets)`` of all clients [samples, ..], or a pair of them for
        each client.
      network: the links.
      schemes: which are compared.
      options: see `TrainOptions`.

    Raises:
      ValueError: something that is not allowed, named with its value.
      TypeError: an option of another name.
    """
    given = _with_defaults(options)
    held = held_data(
        data,
        network.num_clients,
        given["seeds"],
        test=given["test"],
        partition=given["partition"],
        alpha=given["alpha"],
        classes_per_client=given["classes_per_client"],
    )
    classifies = given["loss"] is cross_entropy
    local, server = given["local_optimizer"], given["server_optimizer"]
    rate = given["server_learning_rate"]
    if isinstance(server, str):
        check_choice("server_optimizer", server, tuple(SERVER_OPTIMIZERS))
        rate = SERVER_OPTIMIZERS[server] if rate is None else rate
    return TrainingPlan(
        dataset=held.dataset,
        partition=held.partition,
        model=model if isinstance(model, str) else as_model(model),
        network=network,
        code=given["code"],
        settings=_settings(schemes, network, given),
        rounds=check_count("num_rounds", given["num_rounds"]),
        seeds=tuple(given["seeds"]),
        learning_rate=local if isinstance(local, int | float) else 0.0,
        local_optimizer=None if isinstance(local, int | float) else local,
        server_optimizer=server,
        server_learning_rate=1.0 if rate is None else rate,
        loss=given["loss"],
        metrics=dict(given.get("metrics", {"accuracy": is_right} if classifies else {})),
        target=given["target"],
        dynamics=given["dynamics"],
    )


def _with_defaults(options: TrainOptions) -> TrainOptions:
    allowed = TrainOptions.__annotations__
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise TypeError(f"{', '.join(unknown)}: allowed are {', '.join(sorted(allowed))}")
    return cast("TrainOptions", {**_DEFAULTS, **options})


def _settings(
    schemes: Sequence[NamedScheme], network: Network, given: TrainOptions
) -> RoundSettings:
    check_choice("on_nan", given["on_nan"], NON_FINITE_POLICIES)
    named = _named(schemes)
    return RoundSettings(
        tuple(named),
        policy=LinkPolicy(**cast("PolicyOptions", _chosen(given, PolicyOptions))),
        reciprocal=network.reciprocal,
        **cast("_RoundOptions", _chosen(given, _RoundOptions)),
        drop_non_finite=given["on_nan"] == "drop",
        own={name: scheme for name, scheme in named.items() if scheme is not None},
    )


def _chosen(given: TrainOptions, record: type[Any]) -> dict[str, object]:
    """Those of a record."""
    return {name: value for name, value in given.items() if name in record.__annotations__}


def _named(schemes: Sequence[NamedScheme]) -> dict[str, Scheme | None]:
    """Schemes by name; None of the built-in ones."""
    if isinstance(schemes, str | Scheme):
        schemes = (schemes,)
    named: dict[str, Scheme | None] = {}
    for entry in schemes:
        if isinstance(entry, str):
            name, scheme = entry, None
        else:
            name, scheme = ("own", entry) if isinstance(entry, Scheme) else entry
        if name in named:
            raise ValueError(f"scheme {name!r} is there twice: allowed is each name once")
        named[name] = scheme
    return named
