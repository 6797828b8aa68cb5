"""`jaxcogc train`: what do lost and partial averages do to learning?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from jaxcogc.cli.shared.options import (
    Attempts,
    Clients,
    Code,
    Json,
    NetworkFile,
    PeerErasure,
    Quiet,
    Reciprocal,
    RedrawCode,
    Stragglers,
    Text,
    UplinkErasure,
    choice,
    option,
)
from jaxcogc.cli.train.config_file import with_config
from jaxcogc.cli.train.options import (
    AGGREGATIONS,
    DATASETS,
    DEFAULT_SCHEMES,
    MODELS,
    NORMALISATIONS,
    ON_FAILURE,
    ON_NAN,
    PARTITIONS,
    PLACEMENTS,
    SCHEMES,
    SERVER_OPTIMIZERS,
    TrainOptions,
)
from jaxcogc.cli.train.request import read_request

Dataset = Annotated[str, choice("--dataset", DATASETS, "Data set")]
DataDir = Annotated[
    Text, option("--data-dir", "DIR", "The data set's own files; without it they are fetched.")
]
PartitionName = Annotated[str, choice("--partition", PARTITIONS, "Who holds which samples")]
Alpha = Annotated[str, option("--alpha", "A", "Of dirichlet and size-skew; small is unequal.")]
ClassesPerClient = Annotated[str, option("--classes-per-client", "K", "Of shards.")]
ModelName = Annotated[str, choice("--model", MODELS, "Model")]
SchemeNames = Annotated[
    list[str] | None,
    option(
        "--scheme",
        "NAME",
        f"Again for each: {', '.join(SCHEMES)}, all.",
        ", ".join(DEFAULT_SCHEMES),
    ),
]
Rounds = Annotated[str, option("--rounds", "N", "Training rounds.")]
LocalSteps = Annotated[str, option("--local-steps", "I", "SGD steps of a client in a round.")]
BatchSize = Annotated[
    str, option("--batch-size", "N|all", "Samples a local step; all of the client's.")
]
LearningRate = Annotated[str, option("--learning-rate", "R", "Of the clients.")]
ServerOptimizer = Annotated[
    str, choice("--server-optimizer", SERVER_OPTIMIZERS, "What the server does with an average")
]
ServerLearningRate = Annotated[
    Text, option("--server-learning-rate", "R", "Of the server.", "sgd 1, momentum 0.3, adam 0.01")
]
Proximal = Annotated[str, option("--proximal", "MU", "FedProx: pull towards the round's start.")]
Retransmissions = Annotated[
    str, option("--retransmissions", "N", "Tries of a client at most, under retransmission.")
]
OnFailure = Annotated[str, choice("--on-failure", ON_FAILURE, "When nothing is recovered")]
MaxRepeats = Annotated[Text, option("--max-repeats", "N", "With repeat: at most so often.", "3")]
PartialNormalisation = Annotated[
    str, choice("--partial-normalisation", NORMALISATIONS, "Divide partial averages by |K| or M")
]
Placement = Annotated[
    str, choice("--placement", PLACEMENTS, "Of the clients on the ring, random every round")
]
Aggregation = Annotated[
    str, choice("--aggregation", AGGREGATIONS, "By coefficients, or by real coded vectors")
]
OnNan = Annotated[str, choice("--on-nan", ON_NAN, "When an update is not finite")]
Seeds = Annotated[str, option("--seeds", "N", "Runs of every scheme: with the seeds S .. S+N-1.")]
Seed = Annotated[str, option("--seed", "S", "The first seed: of partition, start, links, batches.")]
EvaluateEvery = Annotated[str, option("--evaluate-every", "E", "Rounds from one test to the next.")]
Deterministic = Annotated[
    bool, option("--deterministic", None, "Slower; bit for bit whatever runs together.")
]
Out = Annotated[Text, option("--out", "DIR", "Tables, pictures, checkpoints; new or empty.")]
Resume = Annotated[bool, option("--resume", None, "Go on with the run in --out.")]
Config = Annotated[Text, option("--config", "FILE.toml", "Options from a run's config.toml.")]


def train(
    context: typer.Context,
    dataset: Dataset = "digits",
    data_dir: DataDir = None,
    partition: PartitionName = "dirichlet",
    alpha: Alpha = "0.5",
    classes_per_client: ClassesPerClient = "2",
    model: ModelName = "mlp",
    scheme: SchemeNames = None,
    rounds: Rounds = "100",
    local_steps: LocalSteps = "5",
    batch_size: BatchSize = "32",
    learning_rate: LearningRate = "0.1",
    server_optimizer: ServerOptimizer = "sgd",
    server_learning_rate: ServerLearningRate = None,
    proximal: Proximal = "0",
    clients: Clients = None,
    uplink_erasure: UplinkErasure = None,
    peer_erasure: PeerErasure = None,
    network: NetworkFile = None,
    reciprocal: Reciprocal = False,
    code: Code = "cyclic",
    stragglers: Stragglers = None,
    attempts: Attempts = "2",
    redraw_code: RedrawCode = False,
    retransmissions: Retransmissions = "2",
    on_failure: OnFailure = "hold",
    max_repeats: MaxRepeats = None,
    partial_normalisation: PartialNormalisation = "recovered",
    placement: Placement = "fixed",
    aggregation: Aggregation = "coefficients",
    on_nan: OnNan = "stop",
    seeds: Seeds = "4",
    seed: Seed = "0",
    evaluate_every: EvaluateEvery = "5",
    deterministic: Deterministic = False,
    out: Out = None,
    resume: Resume = False,
    config: Config = None,
    json: Json = None,
    quiet: Quiet = False,
) -> int:
    """What do lost and partial averages do to learning?

    Trains every scheme with every seed in one compiled program, over links that lose messages. All
    schemes of a seed see the same links and the same batches. --out keeps metrics.csv,
    summary.json, accuracy.png, partition.png, config.toml, and the checkpoints that --resume goes
    on from. Ctrl-C finishes the block of rounds in flight and saves it (exit code 130).
    """
    given = _completed(context, locals())
    request = read_request(TrainOptions(**given), tuple(given))
    from jaxcogc.cli.train.run import run  # JAX, Optax, Flax: only now, past most mistakes

    return run(request)


def _completed(context: typer.Context, given: dict[str, Any]) -> dict[str, Any]:
    """The options, completed by a config file where one is named."""
    given = {name: value for name, value in given.items() if name != "context"}
    sources = {name: context.get_parameter_source(name) for name in given}
    typed = {name for name, source in sources.items() if source and source.name != "DEFAULT"}
    return with_config(given, typed)
