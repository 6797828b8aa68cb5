"""What `jaxcogc train` was asked for, checked before anything is compiled or written."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxcogc.cli.shared.code_options import read_code, redrawn, sized_by_file
from jaxcogc.cli.shared.errors import UserError, blame, one_line, rejected
from jaxcogc.cli.shared.link_options import read_dynamics, time_text
from jaxcogc.cli.shared.network_options import NamedNetwork, read_network
from jaxcogc.cli.shared.scheme_options import ALL, check_schemes, no_relays
from jaxcogc.cli.train.config_file import check_same, config_text, kept, read_config
from jaxcogc.cli.train.options import TrainVerbOptions, checked
from jaxcogc.names import DYNAMICS
from jaxcogc.runs.run_folder import (
    CHECKPOINTS,
    CONFIG_NAME,
    COPIED,
    is_new,
    rounds_kept,
)
from jaxcogc.runtime.atomic_files import file_mode
from jaxcogc.runtime.random_words import seed_keys

if TYPE_CHECKING:
    from jaxcogc.coding.codes import GradientCode
    from jaxcogc.federated.aggregation.channel import Foreknowledge
    from jaxcogc.federated.data.datasets import Dataset
    from jaxcogc.federated.data.partitions import Partition
    from jaxcogc.links.memory import LinkDynamics
    from jaxcogc.links.network import Network
    from jaxcogc.training.plan import RoundSeconds, TrainingPlan

CODE_SEED = 0
"""One cyclic code for all seeds: which of its links fail decides what a round recovers, and not
the code's random numbers."""


@dataclasses.dataclass(frozen=True)
class TrainRequest:
    """A run that can start: every output can be written.

    Attributes:
      asked: what was asked for.
      plan: what is trained.
      title: of the table and the pictures.
      out: the folder of the run.
      files: what the folder holds from its first moment on, by path below it.
      started: `time.perf_counter()` when the verb began.
    """

    asked: TrainVerbOptions
    plan: TrainingPlan
    title: str
    out: Path | None
    files: dict[str, bytes]
    started: float


def read_request(options: TrainVerbOptions) -> TrainRequest:
    """Check what goes together, cheap mistakes first, and build all that is trained.

    Raises:
      UserError: it names the option, its value and what is allowed.
    """
    started = time.perf_counter()
    options = checked(options)
    out = _read_out(options)
    options = sized_by_file(options, options.code_file)
    network, source, _ = named = read_network(options)
    seconds = _read_seconds(options)
    dynamics = _with_late_clients(read_dynamics(options, network), seconds)
    code = read_code(options, network.num_clients, CODE_SEED)
    options = _resolved(options, named, code)
    code = redrawn(options, code, CODE_SEED)
    check_schemes(options, options.scheme, code)
    if "colrel" in options.scheme:
        reason = no_relays(options, network, dynamics)
        if reason is not None:
            raise UserError(f"--scheme colrel: {reason}")
    known = _read_known(options, network, code, dynamics)
    dataset, partition = _read_data(options, network.num_clients)
    config = kept(options)
    files = _copies(options, config)
    if options.code_file is not None:
        config["code_sha256"] = hashlib.sha256(code.matrix.tobytes()).hexdigest()
    for name, content in (
        ("network", network.to_json().encode()),
        ("inputs", dataset.train_inputs.tobytes()),
        ("labels", dataset.train_labels.tobytes()),
    ):
        config[f"{name}_sha256"] = hashlib.sha256(content).hexdigest()
    if options.resume and out is not None:
        check_same(out / CONFIG_NAME, config)
        _check_rounds(out, options.rounds)
    files[CONFIG_NAME] = config_text(config).encode()
    parts = [f"{options.dataset}, {options.partition} among {network.num_clients} clients"]
    parts += [options.model, source, *time_text(dynamics, keep_heard=options.keep_heard)]
    return TrainRequest(
        asked=options,
        plan=dataclasses.replace(
            _plan(options, network, code, dataset, partition),
            dynamics=dynamics,
            known=known,
            seconds=seconds,
        ),
        title=" · ".join(parts),
        out=out,
        files=files,
        started=started,
    )


def _read_out(options: TrainVerbOptions) -> Path | None:
    if options.out is None:
        if options.resume:
            raise UserError("--resume without --out: allowed with --out DIR of the run to resume")
        return None
    out = Path(options.out)
    try:
        if file_mode(out) is not None and not out.is_dir():
            raise rejected("--out", options.out, "a folder")
        if options.resume and not (out / CONFIG_NAME).is_file():
            raise rejected("--out", options.out, f"with --resume a folder with {CONFIG_NAME}")
        if not options.resume and not is_new(out):
            allowed = "a new or empty folder (--resume goes on with a run)"
            raise rejected("--out", options.out, allowed)
    except OSError as error:  # one on the way may not be entered, too long a name, ..
        raise rejected("--out", options.out, f"a folder to work in ({one_line(error)})") from error
    return out


def _copies(options: TrainVerbOptions, config: dict[str, Any]) -> dict[str, bytes]:
    """Files that are kept with the run, which does not depend on where they lie."""
    copies = {}
    for name, folder in COPIED.items():
        given = getattr(options, name)
        if given is not None:
            config[name] = f"{folder}/{Path(given).name}"
            with blame(options.flag(name)):
                copies[config[name]] = Path(given).read_bytes()
    return copies


def _read_seconds(options: TrainVerbOptions) -> RoundSeconds | None:
    messages = options.message_seconds()
    if messages is None:
        return None
    from jaxcogc.training.plan import RoundSeconds

    return RoundSeconds(messages, options.compute_rate, options.deadline)


def _with_late_clients(
    dynamics: LinkDynamics | None, seconds: RoundSeconds | None
) -> LinkDynamics | None:
    """Links of clients that are cut off for a round when they are late."""
    if seconds is None or seconds.deadline is None:
        return dynamics
    from jaxcogc.links.memory import LinkDynamics

    fields = {} if dynamics is None else {name: getattr(dynamics, name) for name in DYNAMICS}
    if dynamics is not None and np.any(dynamics.block_probability):
        raise UserError(
            "--deadline beside blocked clients: allowed is one of the two, a deadline blocks those "
            "that are late"
        )
    return LinkDynamics(**fields | {"block_probability": seconds.late_probability})


def _check_rounds(out: Path, rounds: int) -> None:
    """Raise UserError unless the rounds asked for are those of the run, or more than are done."""
    planned = read_config("--resume", out / CONFIG_NAME).get("rounds")
    done = max(rounds_kept(out / CHECKPOINTS), default=0)
    if rounds != planned and rounds <= done:
        raise rejected("--rounds", rounds, f"more than the {done} that are done in {out}")


def _resolved(
    options: TrainVerbOptions, named: NamedNetwork, code: GradientCode
) -> TrainVerbOptions:
    """The options with what they left open: sizes and probabilities, and paths from anywhere."""
    network = named.network
    if options.network is not None:
        path: str | None = str(Path(options.network).resolve())
        uplink = peer = None
    else:
        path, uplink = None, float(network.uplink_erasure[0])
        peer = float(network.peer_erasure.max())
    data = None if options.data_dir is None else str(Path(options.data_dir).resolve())
    return dataclasses.replace(
        options,
        clients=network.num_clients,
        stragglers=str(code.num_stragglers),
        network=path,
        code_file=None if options.code_file is None else str(Path(options.code_file).resolve()),
        uplink_erasure=uplink,
        peer_erasure=peer,
        data_dir=data,
    )


def _read_data(options: TrainVerbOptions, clients: int) -> tuple[Dataset, Partition]:
    from jaxcogc.federated.data.datasets import load_dataset
    from jaxcogc.federated.data.partitions import make_partitions

    with blame(f"--dataset {options.dataset}"):
        dataset = load_dataset(options.dataset, options.data_dir)
    with blame(f"--partition {options.partition}"):
        partition = make_partitions(
            options.all_seeds(),
            dataset.train_labels,
            num_clients=clients,
            kind=options.partition,
            alpha=options.alpha,
            classes_per_client=options.classes_per_client,
        )
    return dataset, partition


def _read_known(
    options: TrainVerbOptions, network: Network, code: GradientCode, dynamics: LinkDynamics | None
) -> Foreknowledge:
    """What schemes must know of the network."""
    from jaxcogc.training.foreknowledge import gather_foreknowledge

    return gather_foreknowledge(
        seed_keys(CODE_SEED)[1],
        network,
        options.scheme,
        code,
        relay_objective=options.relay_objective,
        relay_window=options.relay_window,
        dynamics=dynamics,
        **options.policy().options(),
    )


def _plan(
    options: TrainVerbOptions,
    network: Network,
    code: GradientCode,
    dataset: Dataset,
    partition: Partition,
) -> TrainingPlan:
    from jaxcogc.runs.planning import plan_training

    return plan_training(
        options.model,
        dataset,
        network,
        options.scheme,
        partition=partition,
        code=code,
        num_rounds=options.rounds,
        seeds=options.all_seeds(),
        local_optimizer=options.learning_rate,
        server_optimizer=options.server_optimizer,
        server_learning_rate=options.server_learning_rate,
        local_steps=options.local_steps,
        batch_size=None if options.batch_size == ALL else int(options.batch_size),
        proximal=options.proximal,
        aggregation=options.aggregation,
        mask_ratio=options.mask_ratio,
        masks=options.masks,
        on_nan=options.on_nan,
        evaluate_every=options.evaluate_every,
        deterministic=options.deterministic,
        **options.policy().options(),
    )
