"""The options of `jaxcogc train`, and the values of those that can be checked by themselves."""

from __future__ import annotations

import dataclasses
from typing import Any

from jaxcogc.cli.shared.code_request import CodeOptions, check_redraw
from jaxcogc.cli.shared.errors import rejected
from jaxcogc.cli.shared.values import parse_choice, parse_count, parse_number
from jaxcogc.study.specification.seeds import CODES, MAX_SEED

# The names of libraries that take seconds to import; a test compares them.
DATASETS = ("digits", "mnist", "fashion-mnist", "cifar10")
PARTITIONS = ("iid", "dirichlet", "shards", "size-skew")
MODELS = ("softmax", "mlp", "cnn")
SERVER_OPTIMIZERS = ("sgd", "momentum", "adam")
SCHEMES = (
    "ideal",
    "intermittent",
    "intermittent-blind",
    "inverse-probability",
    "retransmission",
    "replicated-gc",
    "gc",
    "gc-plus",
    "row-space",
    "least-squares",
)
DEFAULT_SCHEMES = ("ideal", "intermittent", "gc", "gc-plus", "row-space")
ON_FAILURE = ("hold", "repeat")
NORMALISATIONS = ("recovered", "clients")
PLACEMENTS = ("fixed", "random")
AGGREGATIONS = ("coefficients", "payload")
ON_NAN = ("stop", "drop")
MAX_ROUNDS = 10**6
MAX_SEEDS = 10**4


@dataclasses.dataclass(frozen=True)
class TrainOptions(CodeOptions):
    """The options as typed; None where an option was not given and its absence matters."""

    dataset: str
    data_dir: str | None
    partition: str
    alpha: str
    classes_per_client: str
    model: str
    scheme: list[str] | None
    rounds: str
    local_steps: str
    batch_size: str
    learning_rate: str
    server_optimizer: str
    server_learning_rate: str | None
    proximal: str
    retransmissions: str
    on_failure: str
    max_repeats: str | None
    partial_normalisation: str
    placement: str
    aggregation: str
    on_nan: str
    seeds: str
    seed: str
    evaluate_every: str
    deterministic: bool
    out: str | None
    resume: bool
    config: str | None
    json: str | None
    quiet: bool


def read_values(options: TrainOptions) -> dict[str, Any]:
    """Every option that can be checked by itself, by name.

    Errors: UserError that names the option, its value and what is allowed.
    """
    choices = {
        "dataset": DATASETS,
        "partition": PARTITIONS,
        "model": MODELS,
        "server_optimizer": SERVER_OPTIMIZERS,
        "code": CODES,
        "on_failure": ON_FAILURE,
        "partial_normalisation": NORMALISATIONS,
        "placement": PLACEMENTS,
        "aggregation": AGGREGATIONS,
        "on_nan": ON_NAN,
    }
    counts = {
        "classes_per_client": 10**6,
        "rounds": MAX_ROUNDS,
        "local_steps": 10**5,
        "retransmissions": 1000,
        "seeds": MAX_SEEDS,
        "evaluate_every": MAX_ROUNDS,
    }
    values: dict[str, Any] = {
        name: parse_choice(_flag(name), getattr(options, name), allowed)
        for name, allowed in choices.items()
    }
    for name, high in counts.items():
        values[name] = parse_count(_flag(name), getattr(options, name), high=high)
    for name in ("alpha", "learning_rate"):
        values[name] = parse_number(_flag(name), getattr(options, name))
    values["proximal"] = parse_number("--proximal", options.proximal, zero=True)
    values["seed"] = parse_count("--seed", options.seed, low=0, high=MAX_SEED)
    if values["seed"] + values["seeds"] - 1 > MAX_SEED:
        raise rejected("--seeds", options.seeds, f"seeds up to {MAX_SEED:,}")
    values["scheme"] = _read_schemes(options.scheme)
    values["batch_size"] = _read_batch_size(options.batch_size)
    values["max_repeats"] = _read_repeats(options)
    values["server_learning_rate"] = _read_server_rate(options)
    values |= {name: getattr(options, name) for name in ("reciprocal", "redraw_code")}
    values["deterministic"] = options.deterministic
    check_redraw(options)
    return values


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _read_schemes(given: list[str] | None) -> list[str]:
    names = given or list(DEFAULT_SCHEMES)
    if "all" in names:
        return list(SCHEMES)
    for number, name in enumerate(names):
        parse_choice("--scheme", name, (*SCHEMES, "all"))
        if name in names[:number]:
            raise rejected("--scheme", name, "each scheme once")
    return names


def _read_batch_size(text: str) -> int | str:
    return text if text == "all" else parse_count("--batch-size", text, high=10**6)


def _read_repeats(options: TrainOptions) -> int | None:
    if options.on_failure == "hold":
        if options.max_repeats is not None:
            raise rejected(
                "--max-repeats", options.max_repeats, "nothing without --on-failure repeat"
            )
        return None
    return parse_count("--max-repeats", options.max_repeats or "3", high=1000)


def _read_server_rate(options: TrainOptions) -> float | None:
    """None: that of the optimizer, which the library knows."""
    if options.server_learning_rate is None:
        return None
    return parse_number("--server-learning-rate", options.server_learning_rate)
