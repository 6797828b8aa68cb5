"""The `jaxcogc` command: its verbs, and how every mistake becomes one line."""

import gc
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import jaxcogc
from jaxcogc.cli.bound.command import bound
from jaxcogc.cli.bound.options import BoundOptions
from jaxcogc.cli.design.command import design
from jaxcogc.cli.design.options import DesignOptions
from jaxcogc.cli.doctor import DoctorOptions, doctor
from jaxcogc.cli.network.command import network
from jaxcogc.cli.network.options import NetworkVerbOptions
from jaxcogc.cli.outage.command import outage
from jaxcogc.cli.outage.options import OutageOptions
from jaxcogc.cli.schemes.command import schemes
from jaxcogc.cli.schemes.options import SchemesOptions
from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.studies.collect import collect
from jaxcogc.cli.studies.merge import merge
from jaxcogc.cli.studies.options import (
    CollectOptions,
    MergeOptions,
    PlotOptions,
    ReplayOptions,
    ReportOptions,
    ShowOptions,
)
from jaxcogc.cli.studies.plot import plot
from jaxcogc.cli.studies.replay import replay
from jaxcogc.cli.studies.report import report
from jaxcogc.cli.studies.show import show
from jaxcogc.cli.train.command import train
from jaxcogc.cli.train.config_file import complete
from jaxcogc.cli.train.options import TrainVerbOptions
from jaxcogc.cli.verbs import Verb
from jaxcogc.runtime.cores import one_device_per_core
from jaxcogc.runtime.program_cache import keep_programs
from jaxcogc.runtime.standard_streams import (
    OutputLost,
    forget_standard_output,
    own_standard_streams,
)

# Click's own errors (unknown options, missing values): new versions of typer bundle click, old ones
# import it, and both export this one class of the family.
_CLICK_ERROR: type[Exception] = typer.BadParameter.__mro__[2]

VERBS = (
    Verb(OutageOptions, outage),
    Verb(NetworkVerbOptions, network),
    Verb(DesignOptions, design),
    Verb(SchemesOptions, schemes),
    Verb(TrainVerbOptions, train, complete),
    Verb(BoundOptions, bound),
    Verb(CollectOptions, collect),
    Verb(ShowOptions, show),
    Verb(PlotOptions, plot),
    Verb(ReportOptions, report),
    Verb(ReplayOptions, replay),
    Verb(MergeOptions, merge),
    Verb(DoctorOptions, doctor),
)
"""In the order of `--help`."""

_OBJECTS_A_COLLECTION = 200_000
"""JAX and what it traces are a million objects, nearly all of which live until the end: looking
through them at every 700 new ones, as is the default, is a sixth of a short run."""

app = typer.Typer(
    name="jaxcogc",
    help="Gradient coding over unreliable links: how often is the global update recovered?",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _verb in VERBS:
    _verb.add_to(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"jaxcogc {jaxcogc.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    no_cache: Annotated[
        bool,
        typer.Option(
            "--no-cache", help="Keep no compiled programs in your cache folder for the next run."
        ),
    ] = False,
) -> None:
    if not no_cache:
        keep_programs()
    if context.invoked_subcommand is None:
        print(context.get_help())


def command() -> int:
    """The program `jaxcogc`: the command line in a process of its own, with all of its cores."""
    gc.set_threshold(_OBJECTS_A_COLLECTION, *gc.get_threshold()[1:])
    own_standard_streams()
    one_device_per_core()
    code = main()
    gc.freeze()  # or the end of the process looks through all of them once more
    try:
        sys.stdout.flush()
    except OutputLost as error:
        return _lost(error)
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 success; 1 something asked for could not be made; 2 a mistake of the user's; each told in one
    line on standard error; 128 + n interrupted by signal n. Any other exception is a bug of ours
    and keeps its traceback.
    """
    command = typer.main.get_command(app)
    try:
        result = command.main(
            None if arguments is None else list(arguments),
            prog_name="jaxcogc",
            standalone_mode=False,
        )
    except UserError as error:
        return _complain(str(error))
    except _CLICK_ERROR as error:
        return _complain(error.format_message())  # type: ignore[attr-defined]
    except OutputLost as error:
        return _lost(error)
    except (typer.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return 130
    return result if isinstance(result, int) else 0


def _lost(error: OutputLost) -> int:
    """Standard output is full, closed or gone: what it should carry is lost, all else is there."""
    forget_standard_output()
    print(f"error: standard output cannot be written: {error}", file=sys.stderr)
    return 1


def _complain(message: str) -> int:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return 2
