"""`python -m benchmarks`: the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from benchmarks.cases import SHAPES, Shape, parse_shape
from benchmarks.gpu.targets import TARGETS

RESULTS = Path(__file__).parent / "results"
_HELP = {
    "decode": "sum, K, rank and gc of given stacks: pseudo-inverses, Numba and ours",
    "gpu": "compile for GPUs that are not there: what programs become, speed by prediction",
    "links": "links with memory, blocked clients, kept messages: what they cost the pipeline",
    "own": "link models and outcomes of one's own; what stratified trials are worth",
    "pipeline": "draw, decode and count: Numba and ours",
    "real": "encode and decode payloads with real numbers: rates and errors",
    "scaling": "time and memory against trials, clients and devices",
    "training": "rounds of training: one program against loops over clients, and over runs",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {' '.join(message.split())}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark; 0, or 1 when two programs disagree; a user's mistake exits with 2."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.benchmark == "plot":
        return _plot(parser, options)
    target: str | None = options.json
    if target not in (None, "-") and not Path(target).resolve().parent.is_dir():
        parser.error(f"--json {target}: allowed is a file in an existing folder, or -")
    if options.repeats < 1:
        parser.error(f"--repeats {options.repeats}: allowed is a whole number of at least 1")

    from benchmarks.decode import AnswersDiffer
    from benchmarks.gpu.compiling import NoCompiler
    from benchmarks.report import console, write_result

    out = console(target)
    try:
        result = _run(options, out)
    except AnswersDiffer as difference:
        print(f"error: {difference}", file=sys.stderr)
        return 1
    except NoCompiler as missing:
        parser.error(f"gpu --plan: {missing}")
    write_result(target, result)
    return 0


def _run(options: argparse.Namespace, out):
    """Import and run what was asked for: each needs other packages."""
    arguments = (options.quick, out)
    repeats = 2 if options.quick and options.repeats == _DEFAULT_REPEATS else options.repeats
    if options.benchmark == "gpu":
        from benchmarks.gpu import plan
        from benchmarks.report import write_result

        shapes = options.shape or SHAPES
        to_a_file = options.json not in (None, "-")
        keep = partial(write_result, options.json) if to_a_file else None
        return plan.run(*arguments, shapes=shapes, targets=options.target or (), keep=keep)
    if options.benchmark in _WITHOUT_SHAPES:
        from benchmarks import scaling, training

        alone = {"scaling": scaling, "training": training}[options.benchmark]
        return alone.run(*arguments, repeats=repeats)
    from benchmarks import decode, links, own, pipeline, real

    verbs = {"decode": decode, "links": links, "own": own, "pipeline": pipeline, "real": real}
    verb = verbs[options.benchmark]
    return verb.run(*arguments, shapes=options.shape or SHAPES, repeats=repeats)


_DEFAULT_REPEATS = 7
_WITHOUT_SHAPES = ("scaling", "training")


def _parser() -> _Parser:
    parser = _Parser(prog="python -m benchmarks", description="Speed, measured.")
    verbs = parser.add_subparsers(dest="benchmark", required=True, metavar="BENCHMARK")
    for name, text in _HELP.items():
        verb = verbs.add_parser(name, help=text, description=text)
        verb.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all?")
        verb.add_argument("--json", metavar="FILE", help="write the result here; - for stdout")
        verb.add_argument(
            "--repeats", type=int, default=_DEFAULT_REPEATS, help="runs of each program"
        )
        if name not in _WITHOUT_SHAPES:
            verb.add_argument(
                "--shape", type=_shape, action="append", metavar="M,S,A", help="only this; repeat"
            )
    gpu = verbs.choices["gpu"]
    gpu.add_argument("--plan", action="store_true", required=True, help="compile, run nothing")
    gpu.add_argument(
        "--target", choices=TARGETS, action="append", help="only this GPU; repeat for several"
    )
    plot = verbs.add_parser("plot", help="draw the picture of the README from the result files")
    plot.add_argument("--results", type=Path, default=RESULTS, help="folder of the result files")
    plot.add_argument("--output", type=Path, default=RESULTS / "benchmarks.png")
    return parser


def _shape(text: str) -> Shape:
    try:
        return parse_shape(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _plot(parser: _Parser, options: argparse.Namespace) -> int:
    from benchmarks.plot import draw

    try:
        draw(options.results, options.output)
    except (OSError, ValueError) as error:
        parser.error(f"plot: {error}")
    print(options.output)
    return 0
