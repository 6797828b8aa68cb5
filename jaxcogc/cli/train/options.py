"""`jaxcogc train`: its options."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from jaxcogc.allowed import (
    MAX_SEED,
    NOT_NEGATIVE,
    POSITIVE,
    SEED,
    either,
    whole,
)
from jaxcogc.cli.shared.code_options import CodeOptions, check_redraw
from jaxcogc.cli.shared.errors import UserError, rejected
from jaxcogc.cli.shared.files import File
from jaxcogc.cli.shared.link_options import LinkOptions
from jaxcogc.cli.shared.options import Headings, named, option, output, switch
from jaxcogc.cli.shared.picture_options import AxesOptions
from jaxcogc.cli.shared.scheme_options import ALL, SCHEME, SchemeOptions, check_names
from jaxcogc.cli.shared.step_options import SecondsOptions
from jaxcogc.names import (
    AGGREGATIONS,
    BASIC_SCHEMES,
    DATASETS,
    DEFAULT_SCHEMES,
    FAILURE_POLICIES,
    MODELS,
    NON_FINITE_POLICIES,
    NORMALISATIONS,
    PARTITIONS,
    SCHEMES,
    SERVER_OPTIMIZERS,
    hyphened,
)

if TYPE_CHECKING:
    from jaxcogc.federated.aggregation.link_evidence import LinkPolicy

_MAX_ROUNDS = 10**6
_RATES = ", ".join(f"{name} {rate:g}" for name, rate in SERVER_OPTIMIZERS.items())


@dataclasses.dataclass(frozen=True, kw_only=True)
class _TrainingOptions(LinkOptions, CodeOptions):
    """Data, model, schemes and steps."""

    headings: ClassVar[Headings] = (
        ("dataset", "Data and model"),
        ("scheme", "Schemes"),
        ("rounds", "Rounds and steps"),
    )
    dataset: str = named("Data set", DATASETS, "digits")
    data_dir: str | None = option(
        "DIR", "The data set's own files; without it they are fetched.", file=File(folder=True)
    )
    partition: str = named("Who holds which samples", PARTITIONS, "dirichlet")
    alpha: float = option("A", "Of dirichlet and size-skew; small is unequal.", POSITIVE, 0.5)
    classes_per_client: int = option("K", "Of shards.", whole(1, 10**6), 2)
    model: str = named("Model", MODELS, "mlp")
    scheme: tuple[str, ...] = option(
        "NAME",
        f"Again for each: {', '.join(map(hyphened, SCHEMES))}, {ALL} (the first "
        f"{len(BASIC_SCHEMES)}).",
        SCHEME,
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
    server_optimizer: str = named("What the server does with an average", SERVER_OPTIMIZERS, "sgd")
    server_learning_rate: float | None = option("R", "Of the server.", POSITIVE, shown=_RATES)
    proximal: float = option(
        "MU", "FedProx: pull towards the round's start.", NOT_NEGATIVE, 0.0, shown="0"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainVerbOptions(SecondsOptions, SchemeOptions, _TrainingOptions, AxesOptions):
    """What can be asked."""

    verb_name = "train"
    headings: ClassVar[Headings] = (
        ("retransmissions", "Rounds that fail, partial averages"),
        ("relay_objective", "Schemes that relay or mask"),
        ("aggregation", "How it is computed"),
        ("seeds", "Seeds and tests"),
        ("deterministic", "How it is computed"),
        ("out", "Results and resuming"),
    )
    together = (
        ("on_failure", "max_repeats", "partial_normalisation", "placement", "min_recovered"),
        ("uplink_seconds", "channel", "deadline"),
        ("compute_seconds", "compute_rate", "peer_seconds", "uplink_seconds"),
    )
    reworded: ClassVar = {"compute_seconds": "Of the clients' steps, a round: metrics get seconds."}
    on_failure: str = named("When nothing is recovered", FAILURE_POLICIES, "hold")
    max_repeats: int | None = option(
        "N", "With repeat: at most so often.", whole(1, 1000), shown="3"
    )
    partial_normalisation: str = named(
        "Divide partial averages by |K| or M", NORMALISATIONS, "recovered"
    )
    masked_partials: bool = switch("secure-row-space: averages over some clients, masks and all.")
    aggregation: str = named(
        "By coefficients, or by real coded vectors", AGGREGATIONS, "coefficients"
    )
    on_nan: str = named("When an update is not finite", NON_FINITE_POLICIES, "stop")
    seeds: int = option("N", "Runs of every scheme: with the seeds S .. S+N-1.", whole(1, 10**4), 4)
    seed: int = option("S", "The first seed: of partition, start, links, batches.", SEED, 0)
    evaluate_every: int = option("E", "Rounds from one test to the next.", whole(1, _MAX_ROUNDS), 5)
    compute_rate: float | None = option(
        "R", "Of an exponential time that they take more, each client its own.", POSITIVE
    )
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

    def policy(self) -> LinkPolicy:
        """See `SchemeOptions`; with what only training asks."""
        return dataclasses.replace(
            super().policy(),
            partial_normalisation=self.partial_normalisation,
            max_repeats=self.max_repeats or 0,
            masked_partials=self.masked_partials,
        )

    def tell_seconds(self) -> bool:
        """See `SecondsOptions`."""
        return super().tell_seconds() or self.compute_rate is not None


def checked(options: TrainVerbOptions) -> TrainVerbOptions:
    """The options with the schemes and repeats that they mean.

    Raises:
      UserError: it names the option, its value and what is allowed.
    """
    check_redraw(options)
    if options.seed + options.seeds - 1 > MAX_SEED:
        raise rejected("--seeds", options.seeds, f"seeds up to {MAX_SEED:,}")
    if ALL in options.scheme:
        options = dataclasses.replace(options, scheme=BASIC_SCHEMES)
    check_names(options.scheme)
    options.check_seconds()
    if options.deadline is not None:
        _check_deadline(options, options.deadline)
    if options.masked_partials:
        _check_masked_partials(options)
    repeats = options.max_repeats
    if options.on_failure == "hold" and repeats is not None:
        raise rejected("--max-repeats", repeats, "nothing without --on-failure repeat")
    if options.on_failure == "repeat" and repeats is None:
        repeats = 3
    return dataclasses.replace(options, max_repeats=repeats)


def _check_masked_partials(options: TrainVerbOptions) -> None:
    if "secure_row_space" not in options.scheme:
        raise UserError("--masked-partials: allowed with --scheme secure-row-space")
    if options.masks == "field" or options.aggregation != "payload":
        raise UserError(
            "--masked-partials: allowed with --masks real and --aggregation payload, as what masks "
            "leave in an average over some clients has to be added, and over the field is all "
            "there is"
        )


def _check_deadline(options: TrainVerbOptions, deadline: float) -> None:
    """Raise UserError where clients cannot be late, or not as a deadline has it."""
    if options.compute_rate is None:
        raise UserError(
            f"--deadline {deadline:g} without --compute-rate: allowed is a deadline for "
            "times that differ"
        )
    least = options.compute_seconds or 0.0
    if deadline <= least:
        raise rejected("--deadline", deadline, f"more than --compute-seconds {least:g}")
    if options.block_memory is not None:
        raise UserError("--block-memory beside --deadline: allowed is one of the two")
    if "replicated_gc" in options.scheme:
        raise UserError(
            "--scheme replicated-gc with --deadline: its clients do more work, so others would be "
            "late; allowed is one of the two"
        )
