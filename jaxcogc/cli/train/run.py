"""The work of `jaxcogc train`: compile, train block by block, keep, report."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jaxcogc import figures
from jaxcogc.cli.shared.console import new_console, told_interrupts
from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.shared.outputs import write_file, write_json, write_picture
from jaxcogc.cli.shared.printed_tables import new_table, print_table
from jaxcogc.cli.shared.progress import CountDisplay
from jaxcogc.cli.train.request import TrainRequest
from jaxcogc.cli.train.run_folder import CHECKPOINTS, held_folder
from jaxcogc.cli.train.scheme_notes import (
    inverse_probabilities,
    leak_fields,
    leak_text,
    unbiased_text,
)
from jaxcogc.federated.data.partitions import Partition
from jaxcogc.number_text import level_text, probability_text
from jaxcogc.runtime.signals import Interruption
from jaxcogc.training.checkpoints import Checkpoints
from jaxcogc.training.compiled import CompiledTraining, compile_training
from jaxcogc.training.metrics_table import metrics_csv
from jaxcogc.training.plan import TrainingPlan
from jaxcogc.training.summary import (
    DIVERGED_LOSS,
    INTERVAL_LEVEL,
    SchemeSummary,
    summarize,
)
from jaxcogc.training.trained import NonFiniteUpdate, Trained, as_planned, first_non_finite

_RUN_FAILED = 1
_EXPENDABLE = ("peer\nuses", "clients\nin it", "exact", "test\nloss", "uplink\nuses")
_NOTHING_DONE = "interrupted before a round was done"
_WRITING_SHARE = 0.1
"""Of the time, at most, goes into rewriting metrics.csv while a run goes on."""


def run(request: TrainRequest) -> int:
    """Do the run and return the exit code: 0, 1 when it had to stop, 130 (143) interrupted."""
    console = new_console()
    display = CountDisplay(console, request.plan.rounds, quiet=request.asked.quiet, unit="rounds")
    interrupts = told_interrupts(console, display.say, "rounds in flight")
    with interrupts as interruption, ExitStack() as stack:
        checkpoints = None
        if request.out is not None:
            resume = request.asked.resume
            held = held_folder(request.out, request.files, resume=resume, warn=display.say)
            stack.enter_context(held)
            checkpoints = stack.enter_context(Checkpoints(request.out / CHECKPOINTS))
            _draw_partition(request.plan, request.out / "partition.png")
        with display:
            with interruption.ending_at_once(_NOTHING_DONE):
                display.compiling()
                compiled = compile_training(request.plan)
            display.counting(compiled.compile_seconds, compiled.device)
            trained = compiled.start()
            if request.asked.resume and checkpoints is not None:
                trained = _restore(request.plan, checkpoints, trained, display)
            display.advance(trained.round_index)
            start, began = trained.round_index, time.perf_counter()
            keeper = _Keeper(request, checkpoints, interruption)
            failure = None
            if trained.round_index < request.plan.rounds and not interruption.requested:
                blocks = _blocks(request, compiled, trained, interruption, display)
                for trained, failure in blocks:
                    if failure is None:
                        keeper.keep(trained)
            seconds = time.perf_counter() - began
        if failure is not None:
            return _stop(request, trained, failure)
        if trained.round_index == 0:
            print(_NOTHING_DONE, file=sys.stderr)
            return interruption.exit_code
        keeper.keep(trained, last=True)
        measured = {
            "elapsed_seconds": time.perf_counter() - request.started,
            "compile_seconds": compiled.compile_seconds,
            "rounds_per_second": (trained.round_index - start) / max(seconds, 1e-9),
        }
        fine = _report(request, trained, measured, interruption, console)
        return interruption.exit_code or (0 if fine else _RUN_FAILED)


def _blocks(
    request: TrainRequest,
    compiled: CompiledTraining,
    start: Trained,
    interruption: Interruption,
    display: CountDisplay,
) -> Iterator[tuple[Trained, NonFiniteUpdate | None]]:
    """Blocks of rounds until the end, an interruption, or an update that stops the run."""
    before = start.round_index
    for trained in compiled.blocks(start):
        found = first_non_finite(request.plan, trained, before)
        if found is not None and request.asked.on_nan == "drop":
            number = int((~trained.metrics.finite[:, :, before : trained.round_index]).sum())
            display.say(
                f"{number} updates that are not finite were dropped in rounds {before} to "
                f"{trained.round_index - 1}; the first: client {found.client} in round "
                f"{found.round}, scheme {found.scheme}, seed {found.seed}"
            )
            found = None
        yield trained, found
        display.advance(trained.round_index - before)
        before = trained.round_index
        if found is not None or interruption.requested:
            return


class _Keeper:
    """Keeps a run: a checkpoint after every block, the table as often as is cheap."""

    def __init__(
        self, request: TrainRequest, checkpoints: Checkpoints | None, interruption: Interruption
    ) -> None:
        self._request, self._checkpoints = request, checkpoints
        self._interruption = interruption
        self._next_table = 0.0

    def keep(self, trained: Trained, *, last: bool = False) -> None:
        """Keep where the run stands; nothing without a folder."""
        if self._request.out is None or self._checkpoints is None:
            return
        with self._interruption.shield:
            self._checkpoints.save(trained)
            began = time.perf_counter()
            if last or began >= self._next_table:
                _write_metrics(self._request, self._request.out, trained, trained.round_index)
                now = time.perf_counter()
                self._next_table = now + (now - began) / _WRITING_SHARE


def _write_metrics(request: TrainRequest, out: Path, trained: Trained, rounds: int) -> None:
    text = metrics_csv(request.plan, trained, num_rounds=rounds)
    write_file("--out", out / "metrics.csv", text.encode())


def _restore(
    plan: TrainingPlan, checkpoints: Checkpoints, first: Trained, display: CountDisplay
) -> Trained:
    """Where the run stood, as if it had been planned with as many rounds as now."""
    found = checkpoints.restore(first)
    trained = found.trained
    damaged = ", ".join(map(str, found.damaged))
    if trained is None and damaged:
        raise UserError(
            f"--resume: no checkpoint can be read (damaged: after {damaged} rounds): start anew "
            "with --config and another --out"
        )
    if damaged and trained is not None:
        print(
            f"warning: the checkpoint after {damaged} rounds is damaged and was removed: going on "
            f"from an older one, after {trained.round_index} rounds",
            file=sys.stderr,
        )
    trained = as_planned(plan, trained or first)
    display.say(f"going on after {trained.round_index} rounds")
    return trained


def _draw_partition(plan: TrainingPlan, path: Path) -> None:
    """Who holds what, under the first seed; unless it is there from before."""
    if path.exists():
        return
    first = Partition(plan.partition.indices[0], plan.partition.num_samples[0])
    draw = partial(
        figures.partition_figure,
        first,
        plan.dataset.train_labels,
        plan.dataset.num_classes,
        title=f"Who holds which samples under seed {plan.seeds[0]}",
    )
    write_picture("--out", str(path), draw)


def _stop(request: TrainRequest, trained: Trained, failure: NonFiniteUpdate) -> int:
    kept = ""
    if request.out is not None:
        _write_metrics(request, request.out, trained, failure.round)
        kept = f"; the rounds before it are in {request.out / 'metrics.csv'}"
    print(
        f"error: client {failure.client} made an update that is not finite in round "
        f"{failure.round} of scheme {failure.scheme}, seed {failure.seed}{kept} "
        "(a smaller --learning-rate may help; --on-nan drop leaves such clients out)",
        file=sys.stderr,
    )
    return _RUN_FAILED


def _report(
    request: TrainRequest,
    trained: Trained,
    measured: dict[str, float],
    interruption: Interruption,
    console: Console,
) -> bool:
    """Write and print what came out; whether all of it could be written, and nothing diverged."""
    plan = request.plan
    summary = summarize(plan, trained)
    seeds = f"{len(plan.seeds)} seeds" if len(plan.seeds) > 1 else "1 seed"
    interval = (
        f"{level_text(INTERVAL_LEVEL)} Student-t intervals over seeds (accuracy: of its logit)"
    )
    caption = f"{trained.round_index} rounds, {seeds}"
    several = "; none where all seeds agree"
    caption += unbiased_text(plan) + leak_text(plan, trained)
    caption += f"; {interval}{several}" if len(plan.seeds) > 1 else "; no interval from one seed"
    if trained.round_index < plan.rounds:
        caption += f"; interrupted, {plan.rounds} rounds were asked for"
    schemes = {name: row.fields() for name, row in summary.items()}
    fields = {"schemes": schemes, "rounds": trained.round_index, "seeds": len(plan.seeds)}
    fields |= measured | inverse_probabilities(plan) | leak_fields(plan, trained)
    with interruption.shield:
        if request.asked.json is not None:
            write_json(request.asked.json, fields, request.asked)
        if request.out is not None:
            text = json.dumps(fields, indent=2, allow_nan=False) + "\n"
            write_file("--out", request.out / "summary.json", text.encode())
    if not request.asked.quiet:
        speed = f"{measured['rounds_per_second']:.3g} rounds/s of all runs"
        table = _table(summary, request.title, f"{caption}; {speed}")
        print_table(console, table, *_EXPENDABLE)
    converged = _name_diverged(summary)
    if request.out is None:
        return converged
    draw = partial(figures.accuracy_figure, plan, trained, title=request.title, caption=caption)
    with interruption.shield:
        return write_picture("--out", str(request.out / "accuracy.png"), draw) and converged


def _name_diverged(summary: dict[str, SchemeSummary]) -> bool:
    """One line for all runs that diverged; whether there are none."""
    found = [
        f"{name} (seed {', '.join(map(str, x.diverged))})"
        for name, x in summary.items()
        if x.diverged
    ]
    if found:
        print(
            f"error: diverged: {', '.join(found)}: a loss that is not finite or above "
            f"{DIVERGED_LOSS:g} (a smaller --learning-rate may help)",
            file=sys.stderr,
        )
    return not found


def _table(summary: dict[str, SchemeSummary], title: str, caption: str) -> Table:
    """A line for each scheme."""
    table = new_table(title, caption)
    table.add_column("scheme", no_wrap=True)
    headers = ("test\naccuracy", "interval", "test\nloss", "rounds\nheld", "exact")
    timed = any(row.seconds is not None for row in summary.values())
    clock = ("seconds",) * timed
    for header in (*headers, "clients\nin it", "uplink\nuses", "peer\nuses", *clock):
        table.add_column(header, justify="right", no_wrap=True)
    for name, row in summary.items():
        accuracy = row.test["accuracy"]
        table.add_row(
            name,
            _number(accuracy.mean),
            "" if accuracy.low is None else f"{accuracy.low:.4f} – {accuracy.high:.4f}",
            "diverged" if row.diverged else _number(row.test["loss"].mean),
            probability_text(row.hold_fraction),
            probability_text(row.exact_fraction),
            f"{row.mean_num_recovered:.2f}",
            f"{row.uplink_uses:.1f}",
            f"{row.peer_uses:.1f}",
            *([] if row.seconds is None else [f"{row.seconds:.4g}"]),
        )
    return table


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
