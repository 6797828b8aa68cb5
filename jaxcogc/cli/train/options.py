"""`jaxcogc train`: its options."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from jaxcogc.allowed import (
    MAX_CLIENTS,
    MAX_SEED,
    NOT_NEGATIVE,
    POSITIVE,
    SEED,
    Allowed,
    choice,
    either,
    whole,
)
from jaxcogc.cli.shared.code_options import CodeOptions, check_redraw
from jaxcogc.cli.shared.errors import UserError, rejected
from jaxcogc.cli.shared.files import File
from jaxcogc.cli.shared.link_options import LinkOptions
from jaxcogc.cli.shared.options import Headings, option, output, switch
from jaxcogc.cli.shared.picture_options import AxesOptions
from jaxcogc.names import (
    AGGREGATIONS,
    BASIC_SCHEMES,
    CHANNELS,
    DATASETS,
    DEFAULT_SCHEMES,
    FAILURE_POLICIES,
    MASKS,
    MODELS,
    NON_FINITE_POLICIES,
    NORMALISATIONS,
    PARTITIONS,
    PLACEMENTS,
    REFUSED_SCHEMES,
    RELAY_OBJECTIVES,
    SCHEMES,
    SERVER_OPTIMIZERS,
    hyphened,
    underscored,
)

ALL = "all"
_MAX_ROUNDS = 10**6
_RATES = ", ".join(f"{name} {rate:g}" for name, rate in SERVER_OPTIMIZERS.items())


def _named(help: str, choices: Any, default: str) -> Any:
    """An option whose value is one of a few words, which its help lists."""
    return option("NAME", f"{help}: {', '.join(choices)}.", choice(tuple(choices)), default)


def _scheme() -> Allowed[str]:
    """A scheme as the command line spells it; a file may spell it as Python does."""
    typed = choice((*map(hyphened, SCHEMES), ALL), keep=underscored)

    def convert(value: Any) -> str | None:
        if isinstance(value, str) and underscored(value) in REFUSED_SCHEMES:
            return underscored(value)  # for `checked`, which knows the reason
        return typed.convert(hyphened(value) if value in SCHEMES else value)

    return dataclasses.replace(typed, convert=convert)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _TrainingOptions(LinkOptions, CodeOptions):
    """Data, model, schemes and steps."""

    headings: ClassVar[Headings] = (
        ("dataset", "Data and model"),
        ("scheme", "Schemes"),
        ("rounds", "Rounds and steps"),
    )
    dataset: str = _named("Data set", DATASETS, "digits")
    data_dir: str | None = option(
        "DIR", "The data set's own files; without it they are fetched.", file=File(folder=True)
    )
    partition: str = _named("Who holds which samples", PARTITIONS, "dirichlet")
    alpha: float = option("A", "Of dirichlet and size-skew; small is unequal.", POSITIVE, 0.5)
    classes_per_client: int = option("K", "Of shards.", whole(1, 10**6), 2)
    model: str = _named("Model", MODELS, "mlp")
    scheme: tuple[str, ...] = option(
        "NAME",
        f"Again for each: {', '.join(map(hyphened, SCHEMES))}, {ALL} (the first "
        f"{len(BASIC_SCHEMES)}).",
        _scheme(),
        DEFAULT_SCHEMES,
        shown=", ".join(map(hyphened, DEFAULT_SCHEMES)),
        repeated=True,
    )
    rounds: int = option("N", "Training rounds.", whole(1, _MAX_ROUNDS), 100)
    local_steps: int = option("I", "SGD steps of a client in a round.", whole(1, 10**5), 5)
    batch_size: int | str = option(
        "N|all", "Samples a local step; all of the client's.", either(ALL, whole(1, 10**6)), 32
    )
    learning_rate: float = option("R", "Of the clients.", POSITIVE, 0.1)
    server_optimizer: str = _named("What the server does with an average", SERVER_OPTIMIZERS, "sgd")
    server_learning_rate: float | None = option("R", "Of the server.", POSITIVE, shown=_RATES)
    proximal: float = option(
        "MU", "FedProx: pull towards the round's start.", NOT_NEGATIVE, 0.0, shown="0"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainOptions(_TrainingOptions, AxesOptions):
    """What can be asked."""

    verb_name = "train"
    headings: ClassVar[Headings] = (
        ("retransmissions", "Rounds that fail, partial averages"),
        ("relay_objective", "Schemes that relay or mask"),
        ("aggregation", "How it is computed"),
        ("seeds", "Seeds and tests"),
        ("compute_seconds", "Seconds"),
        ("deterministic", "How it is computed"),
        ("out", "Results and resuming"),
    )
    retransmissions: int = option(
        "N", "Tries of a client at most, under retransmission.", whole(1, 1000), 2
    )
    on_failure: str = _named("When nothing is recovered", FAILURE_POLICIES, "hold")
    max_repeats: int | None = option(
        "N", "With repeat: at most so often.", whole(1, 1000), shown="3"
    )
    partial_normalisation: str = _named(
        "Divide partial averages by |K| or M", NORMALISATIONS, "recovered"
    )
    placement: str = _named("Of the clients on the ring, random every round", PLACEMENTS, "fixed")
    min_recovered: int = option(
        "N", "Hold a partial average over fewer clients.", whole(1, MAX_CLIENTS), 1
    )
    relay_objective: str = _named("Of colrel's weights, least variance", RELAY_OBJECTIVES, "total")
    relay_window: int | None = option(
        "W",
        "Of colrel: relays pass on the W clients behind them on the ring.",
        whole(0, MAX_CLIENTS - 1),
        shown="all",
    )
    mask_ratio: float = option(
        "R", "Of secure schemes: a mask's deviation over that of the updates.", NOT_NEGATIVE, 10.0
    )
    masks: str = _named("Of secure schemes: of that size, or over the code's field", MASKS, "real")
    masked_partials: bool = switch("secure-row-space: averages over some clients, masks and all.")
    aggregation: str = _named(
        "By coefficients, or by real coded vectors", AGGREGATIONS, "coefficients"
    )
    on_nan: str = _named("When an update is not finite", NON_FINITE_POLICIES, "stop")
    seeds: int = option("N", "Runs of every scheme: with the seeds S .. S+N-1.", whole(1, 10**4), 4)
    seed: int = option("S", "The first seed: of partition, start, links, batches.", SEED, 0)
    evaluate_every: int = option("E", "Rounds from one test to the next.", whole(1, _MAX_ROUNDS), 5)
    compute_seconds: float | None = option(
        "T", "Of the clients' steps, a round: metrics get seconds.", NOT_NEGATIVE
    )
    compute_rate: float | None = option(
        "R", "Of an exponential time that they take more, each client its own.", POSITIVE
    )
    peer_seconds: float | None = option("T", "Of a message between clients.", NOT_NEGATIVE)
    uplink_seconds: float | None = option("T", "Of a message to the server.", NOT_NEGATIVE)
    channel: str = _named("Messages of a kind at once, or one after another", CHANNELS, "shared")
    deadline: float | None = option(
        "T", "Clients with later steps send nothing in that round, to nobody.", POSITIVE
    )
    deterministic: bool = switch("Slower; bit for bit whatever runs together.")
    out: str | None = option(
        "DIR", "Tables, pictures, checkpoints; new or empty.", file=File(folder=True)
    )
    resume: bool = switch("Go on with the run in --out.")
    config: str | None = option(
        "FILE.toml", "Options from a run's config.toml.", file=File(reads=True)
    )
    json: str | None = output("FILE|-", "The numbers (- : standard output).")
    quiet: bool = switch("No progress, no table.")

    def all_seeds(self) -> tuple[int, ...]:
        """The seeds of the runs."""
        return tuple(range(self.seed, self.seed + self.seeds))


def checked(options: TrainOptions) -> TrainOptions:
    """The options with the schemes and repeats that they mean.

    Raises:
      UserError: it names the option, its value and what is allowed.
    """
    check_redraw(options)
    if options.seed + options.seeds - 1 > MAX_SEED:
        raise rejected("--seeds", options.seeds, f"seeds up to {MAX_SEED:,}")
    _check_seconds(options)
    schemes = BASIC_SCHEMES if ALL in options.scheme else options.scheme
    for number, name in enumerate(schemes):
        if name in REFUSED_SCHEMES:
            reason = hyphened(REFUSED_SCHEMES[name])
            raise UserError(f"--scheme {hyphened(name)}: {reason}")
        if name in schemes[:number]:
            raise rejected("--scheme", hyphened(name), "each scheme once")
    repeats = options.max_repeats
    if options.on_failure == "hold" and repeats is not None:
        raise rejected("--max-repeats", repeats, "nothing without --on-failure repeat")
    if options.on_failure == "repeat" and repeats is None:
        repeats = 3
    return dataclasses.replace(options, scheme=schemes, max_repeats=repeats)


def _check_seconds(options: TrainOptions) -> None:
    """Raise UserError where what is said of time does not go together."""
    names = ("compute_seconds", "compute_rate", "peer_seconds", "uplink_seconds")
    if options.differs("channel") and all(getattr(options, name) is None for name in names):
        raise UserError(f"--channel {options.channel}: allowed beside --uplink-seconds")
    if options.deadline is None:
        return
    if options.compute_rate is None:
        raise UserError(
            f"--deadline {options.deadline:g} without --compute-rate: allowed is a deadline for "
            "times that differ"
        )
    least = options.compute_seconds or 0.0
    if options.deadline <= least:
        raise rejected("--deadline", options.deadline, f"more than --compute-seconds {least:g}")
    if options.block_memory is not None:
        raise UserError("--block-memory beside --deadline: allowed is one of the two")
    if "replicated_gc" in options.scheme or ALL in options.scheme:
        raise UserError(
            "--scheme replicated-gc with --deadline: its clients do more work, so others would be "
            "late; allowed is one of the two"
        )
