"""What `jaxcogc train` was asked for, checked before anything is compiled or written."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxcogc.cli.shared.code_request import read_code
from jaxcogc.cli.shared.errors import UserError, blame, rejected
from jaxcogc.cli.shared.network_request import read_network
from jaxcogc.cli.shared.outputs import check_target
from jaxcogc.cli.shared.values import parse_count
from jaxcogc.cli.train.config_file import CONFIG_NAME, NOT_KEPT, check_same
from jaxcogc.cli.train.options import TrainOptions, read_values
from jaxcogc.study.specification.seeds import seed_keys

if TYPE_CHECKING:
    from jaxcogc.coding.codes import GradientCode
    from jaxcogc.federated.data.datasets import Dataset
    from jaxcogc.federated.data.partitions import Partition
    from jaxcogc.links.network import Network
    from jaxcogc.training.plan import TrainingPlan

CODE_SEED = 0
"""One cyclic code for all seeds: which of its links fail decides what a round recovers, and not
the code's random numbers."""


@dataclasses.dataclass(frozen=True)
class TrainRequest:
    """A run that can start: every value is valid and every output can be written."""

    plan: TrainingPlan
    title: str
    drop: bool
    out: Path | None
    resume: bool
    config: dict[str, Any]
    """What `config.toml` says."""
    json: str | None
    quiet: bool
    started: float
    """`time.perf_counter()` when the verb began."""


def read_request(options: TrainOptions, names: tuple[str, ...]) -> TrainRequest:
    """Check the options, cheap ones first.

    Args:
        options: the options.
        names: the options in the order in which `config.toml` lists them.

    Errors: UserError that names the option, its value and what is allowed.
    """
    started = time.perf_counter()
    values = read_values(options)
    check_target("--json", options.json)
    out = _read_out(options)
    from jaxcogc.links.draws import MAX_ATTEMPTS  # JAX, from here on

    values["attempts"] = parse_count("--attempts", options.attempts, high=MAX_ATTEMPTS)
    network, source = read_network(options)
    code = read_code(options, network.num_clients, CODE_SEED)
    stragglers = int(code.num_stragglers)
    if options.redraw_code:
        code = _redraw(code, values["attempts"])
    dataset, partition = _read_data(options, values, network.num_clients)
    values |= {"clients": network.num_clients, "stragglers": stragglers}
    if options.network is not None:
        values |= {"network": str(Path(options.network).resolve())}
    else:
        values |= {
            "uplink_erasure": float(network.uplink_erasure[0]),
            "peer_erasure": float(network.peer_erasure.max()),
        }
    config = {
        name: values[name]
        for name in names
        if name not in NOT_KEPT and values.get(name) is not None
    }
    config["network_sha256"] = hashlib.sha256(network.to_json().encode()).hexdigest()
    config["labels_sha256"] = hashlib.sha256(dataset.train_labels.tobytes()).hexdigest()
    if options.resume and out is not None:
        check_same(out / CONFIG_NAME, config)
    return TrainRequest(
        plan=_plan(values, network, code, dataset, partition),
        title=f"{values['dataset']}, {values['partition']} among {network.num_clients} clients · "
        f"{values['model']} · {source}",
        drop=values["on_nan"] == "drop",
        out=out,
        resume=options.resume,
        config=config,
        json=options.json,
        quiet=options.quiet,
        started=started,
    )


def _read_out(options: TrainOptions) -> Path | None:
    if options.out is None:
        if options.resume:
            raise UserError("--resume without --out: allowed with --out DIR of the run to resume")
        return None
    out = Path(options.out)
    if out.exists() and not out.is_dir():
        raise rejected("--out", options.out, "a folder")
    if options.resume and not (out / CONFIG_NAME).is_file():
        raise rejected("--out", options.out, f"with --resume a folder with {CONFIG_NAME}")
    if not options.resume and out.is_dir() and any(out.iterdir()):
        raise rejected("--out", options.out, "a new or empty folder (--resume goes on with a run)")
    return out


def _redraw(code: GradientCode, num_attempts: int) -> GradientCode:
    """Another code of the family for every attempt."""
    import jax

    from jaxcogc.coding.codes import redraw

    return redraw(jax.random.fold_in(seed_keys(CODE_SEED)[0], 1), code, num_attempts)


def _read_data(
    options: TrainOptions, values: dict[str, Any], clients: int
) -> tuple[Dataset, Partition]:
    from jaxcogc.federated.data.datasets import load_dataset
    from jaxcogc.federated.data.partitions import make_partitions

    values["data_dir"] = None
    if options.data_dir is not None:
        values["data_dir"] = str(Path(options.data_dir).resolve())
    with blame(f"--dataset {values['dataset']}"):
        dataset = load_dataset(values["dataset"], values["data_dir"])
    with blame(f"--partition {values['partition']}"):
        partition = make_partitions(
            _seeds(values),
            dataset.train_labels,
            num_clients=clients,
            kind=values["partition"],
            alpha=values["alpha"],
            classes_per_client=values["classes_per_client"],
        )
    return dataset, partition


def _seeds(values: dict[str, Any]) -> tuple[int, ...]:
    return tuple(range(values["seed"], values["seed"] + values["seeds"]))


def _plan(
    values: dict[str, Any],
    network: Network,
    code: GradientCode,
    dataset: Dataset,
    partition: Partition,
) -> TrainingPlan:
    from jaxcogc.federated.aggregation.link_evidence import LinkPolicy
    from jaxcogc.federated.rounds.experiment import RoundSettings
    from jaxcogc.training.plan import SERVER_OPTIMIZERS as RATES
    from jaxcogc.training.plan import TrainingPlan

    rate = values["server_learning_rate"]
    settings = RoundSettings(
        tuple(name.replace("-", "_") for name in values["scheme"]),
        policy=LinkPolicy(
            num_attempts=values["attempts"],
            num_tries=values["retransmissions"],
            partial_normalisation=values["partial_normalisation"],
            placement=values["placement"],
            max_repeats=values["max_repeats"] or 0,
        ),
        reciprocal=network.reciprocal,
        local_steps=values["local_steps"],
        batch_size=None if values["batch_size"] == "all" else values["batch_size"],
        proximal=values["proximal"],
        aggregation=values["aggregation"],
        drop_non_finite=values["on_nan"] == "drop",
        evaluate_every=values["evaluate_every"],
        deterministic=values["deterministic"],
    )
    return TrainingPlan(
        dataset=dataset,
        partition=partition,
        model=values["model"],
        network=network,
        code=code,
        settings=settings,
        rounds=values["rounds"],
        seeds=_seeds(values),
        learning_rate=values["learning_rate"],
        server_optimizer=values["server_optimizer"],
        server_learning_rate=RATES[values["server_optimizer"]] if rate is None else rate,
    )
