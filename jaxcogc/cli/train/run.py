"""The work of `jaxcogc train`: compile, train block by block, keep, report."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jaxcogc import figures
from jaxcogc.cli.shared.console import new_console, told_interrupts
from jaxcogc.cli.shared.errors import UserError, one_line
from jaxcogc.cli.shared.outputs import Measured, write_file, write_json, write_picture
from jaxcogc.cli.shared.printed_tables import new_table, print_table
from jaxcogc.cli.shared.progress import CountDisplay
from jaxcogc.cli.train.request import TrainRequest
from jaxcogc.cli.train.scheme_notes import (
    inverse_probabilities,
    leak_fields,
    leak_text,
    unbiased_text,
)
from jaxcogc.federated.data.partitions import Partition
from jaxcogc.names import hyphened
from jaxcogc.number_text import level_text, probability_text
from jaxcogc.runs.live_run import LiveRun, run_rounds
from jaxcogc.runs.run_files import RunFiles
from jaxcogc.runs.run_folder import held_folder
from jaxcogc.runtime.signals import Interruption
from jaxcogc.training.compiled import compile_training
from jaxcogc.training.summary import (
    DIVERGED_LOSS,
    INTERVAL_LEVEL,
    SchemeSummary,
    summarize,
)
from jaxcogc.training.trained import NonFiniteUpdate, Trained

_RUN_FAILED = 1
_EXPENDABLE = ("peer\nuses", "clients\nin it", "exact", "test\nloss", "uplink\nuses")
_NOTHING_DONE = "interrupted before a round was done"


def run(request: TrainRequest) -> int:
    """Do the run and return the exit code: 0, 1 when it had to stop, 130 (143) interrupted."""
    console = new_console()
    display = CountDisplay(console, request.plan.rounds, quiet=request.asked.quiet, unit="rounds")
    interrupts = told_interrupts(console, display.say, "rounds in flight")
    with interrupts as interruption, ExitStack() as stack:
        files = None
        if request.out is not None:
            resume = request.asked.resume
            held = held_folder(request.out, request.files, resume=resume, warn=display.say)
            with _blamed():
                stack.enter_context(held)
                files = stack.enter_context(RunFiles(request.plan, request.out))
            _draw_partition(request)
        with display:
            with interruption.ending_at_once(_NOTHING_DONE):
                display.compiling()
                compiled = compile_training(request.plan)
            display.counting(compiled.compile_seconds, compiled.device)
            trained = compiled.start()
            if request.asked.resume and files is not None:
                trained = _restore(files, trained, display)
            display.advance(trained.round_index)
            start, began = trained.round_index, time.perf_counter()
            failure = None
            if trained.round_index < request.plan.rounds and not interruption.requested:
                rounds = run_rounds(request.plan, compiled, trained, files, interruption.shield)
                with _blamed():
                    for live in rounds:
                        trained, failure = live.trained, _told(live, display)
                        if interruption.requested:
                            break
            seconds = time.perf_counter() - began
        if failure is not None:
            return _stop(request, trained, failure)
        if trained.round_index == 0:
            print(_NOTHING_DONE, file=sys.stderr)
            return interruption.exit_code
        if files is not None:
            with interruption.shield, _blamed():
                files.keep(trained)
        measured = Measured(
            device=compiled.device,
            elapsed_seconds=time.perf_counter() - request.started,
            compile_seconds=compiled.compile_seconds,
            per_second=(trained.round_index - start) / max(seconds, 1e-9),
            interrupted=trained.round_index < request.plan.rounds,
        )
        fine = _report(request, trained, measured, interruption, console)
        return interruption.exit_code or (0 if fine else _RUN_FAILED)


@contextmanager
def _blamed() -> Iterator[None]:
    """What is wrong with the folder of the run is told of --out."""
    try:
        yield
    except ValueError as error:
        raise UserError(f"--out {error}") from error
    except OSError as error:
        raise UserError(f"--out: cannot write: {one_line(error)}") from error


def _told(live: LiveRun, display: CountDisplay) -> NonFiniteUpdate | None:
    """Tell of a block; the update that ends the run, if there is one."""
    found, done = live.non_finite, live.trained.round_index
    if found is not None and live.plan.settings.drop_non_finite:
        number = int((~live.trained.metrics.finite[:, :, live.first : done]).sum())
        display.say(
            f"{number} updates that are not finite were dropped in rounds {live.first} to "
            f"{done - 1}; the first: client {found.client} in round {found.round}, scheme "
            f"{found.scheme}, seed {found.seed}"
        )
        found = None
    display.advance(done - live.first, _live_text(live))
    return found


def _live_text(live: LiveRun) -> str:
    """Loss and accuracy of every scheme, the last that are known."""
    parts = []
    for scheme, last in live.latest().items():
        accuracy = last.get("test_accuracy")
        told = "" if accuracy is None else f" {accuracy:.1%}"
        parts.append(f"{hyphened(scheme)} {last['train_loss']:.3g}{told}")
    return f"loss, accuracy: {', '.join(parts)}"


def _restore(files: RunFiles, first: Trained, display: CountDisplay) -> Trained:
    """Where the run stood, as if it had been planned with as many rounds as now."""
    found = files.restore(first)
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
    trained = trained or first
    display.say(f"going on after {trained.round_index} rounds")
    return trained


def _picture_path(request: TrainRequest, name: str) -> Path:
    """Of a picture in the run's folder."""
    assert request.out is not None
    return request.out / f"{name}.{request.asked.format or 'png'}"


def _draw_partition(request: TrainRequest) -> None:
    """Who holds what, under the first seed; unless it is there from before."""
    plan, path = request.plan, _picture_path(request, "partition")
    if path.exists():
        return
    first = Partition(plan.partition.indices[0], plan.partition.num_samples[0])

    def draw(look: figures.Look) -> figures.Figure:
        labels, classes = plan.dataset.train_labels, plan.dataset.num_classes
        title = f"Who holds which samples under seed {plan.seeds[0]}"
        size = look.without_words()
        return figures.partition_figure(first, labels, classes, title=title, look=size)

    write_picture("--out", str(path), draw, request.asked)


def _stop(request: TrainRequest, trained: Trained, failure: NonFiniteUpdate) -> int:
    kept = ""
    if request.out is not None:
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
    measured: Measured,
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
    if measured.interrupted:
        caption += f"; interrupted, {plan.rounds} rounds were asked for"
    schemes = {name: row.fields() for name, row in summary.items()}
    fields = {"schemes": schemes, "rounds": trained.round_index, "seeds": len(plan.seeds)}
    fields |= measured.times("rounds") | inverse_probabilities(plan) | leak_fields(plan, trained)
    with interruption.shield:
        if request.asked.json is not None:
            write_json(request.asked.json, fields, request.asked)
        if request.out is not None:
            text = json.dumps(fields, indent=2, allow_nan=False) + "\n"
            write_file("--out", request.out / "summary.json", text.encode())
    if not request.asked.quiet:
        speed = f"{measured.per_second:.3g} rounds/s of all runs"
        table = _table(summary, request.title, f"{caption}; {speed}")
        print_table(console, table, *_EXPENDABLE)
    converged = _name_diverged(summary)
    if request.out is None:
        return converged

    def draw(look: figures.Look) -> figures.Figure:
        words = {"title": request.title, "caption": caption}
        return figures.accuracy_figure(plan, trained, **words, look=look)

    path = str(_picture_path(request, "accuracy"))
    with interruption.shield:
        return write_picture("--out", path, draw, request.asked) and converged


def _name_diverged(summary: dict[str, SchemeSummary]) -> bool:
    """One line for all runs that diverged; whether there are none."""
    found = [
        f"{hyphened(name)} (seed {', '.join(map(str, x.diverged))})"
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
            hyphened(name),
            _number(accuracy.mean),
            _interval(accuracy.low, accuracy.high),
            "diverged" if row.diverged else _number(row.test["loss"].mean),
            probability_text(row.hold_fraction),
            probability_text(row.exact_fraction),
            f"{row.mean_num_recovered:.2f}",
            f"{row.uplink_uses:.1f}",
            f"{row.peer_uses:.1f}",
            *([] if row.seconds is None else [f"{row.seconds:.4g}"]),
        )
    return table


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.4f} – {high:.4f}"  # as the mean beside


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
