"""The gradient code that a verb is asked about, for a given number of clients."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from jaxcogc.allowed import ATTEMPTS, CLIENTS, Allowed, NotAllowed, choice, whole
from jaxcogc.cli.shared.errors import UserError, blame, rejected
from jaxcogc.cli.shared.files import File
from jaxcogc.cli.shared.network_options import NetworkOptions
from jaxcogc.cli.shared.options import Headings, option, switch
from jaxcogc.names import FAMILIES, RANDOM_FAMILIES

if TYPE_CHECKING:
    from jaxcogc.coding.codes import GradientCode

_STRAGGLERS = 7
N = TypeVar("N", bound=NetworkOptions)


def _as_text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


STRAGGLERS = Allowed("a whole number, such as 3", _as_text)
"""As text: what is allowed depends on the number of clients, which is not known yet."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodeOptions(NetworkOptions):
    """The options of a network and a code."""

    headings: ClassVar[Headings] = (("code", "Code and attempts"),)
    code: str = option("NAME", ", ".join(FAMILIES) + ".", choice(FAMILIES), "cyclic", echoed=True)
    stragglers: str | None = option(
        "S", "Stragglers tolerated.", STRAGGLERS, shown=str(_STRAGGLERS)
    )
    code_file: str | None = option(
        "FILE",
        "Its matrix (.json, .csv, .npy) instead of --code; S is then promised, 0 nothing.",
        file=File(reads=True, again=True),
    )
    attempts: int = option(
        "A", "How often updates are shared and sent up.", ATTEMPTS, 2, echoed=True
    )
    redraw_code: bool = switch("Another cyclic code in every attempt.", echoed=True)


def check_redraw(options: CodeOptions) -> None:
    """Raise UserError where a code was to be drawn anew that is not random."""
    if options.code_file is not None:
        for name, given in (
            ("code", "code" in options.given),
            ("redraw_code", options.redraw_code),
        ):
            if given:
                raise UserError(f"{options.flag(name)} with --code-file: allowed is one of the two")
    if options.redraw_code and options.code not in RANDOM_FAMILIES:
        allowed = f"allowed is --code {', '.join(RANDOM_FAMILIES)} only"
        raise UserError(f"--redraw-code with --code {options.code}: {allowed}")


def read_stragglers(options: CodeOptions, num_clients: int) -> tuple[int, ...]:
    """One number of stragglers or several after commas, each in 0 .. num_clients - 1.

    Raises:
      UserError: it names the option, its value and what is allowed.
    """
    text, most = options.stragglers, num_clients - 1
    if options.code == "uncoded":
        if text is not None and text.strip() != "0":
            raise rejected("--stragglers", text, "0 (or nothing) with --code uncoded")
        return (0,)
    if text is None and options.code_file is not None:
        return (0,)
    if text is None and num_clients <= _STRAGGLERS:
        raise UserError(
            f"--stragglers = {_STRAGGLERS} (the default) for {num_clients} clients: "
            f"allowed are whole numbers from 0 to {most} (clients - 1)"
        )
    text = str(_STRAGGLERS) if text is None else text
    try:
        values = tuple(whole(0, most).read(part.strip()) for part in text.split(","))
    except NotAllowed:
        allowed = f"whole numbers from 0 to {most} (clients - 1), such as 3 or 3,5,7"
        raise rejected("--stragglers", text, allowed) from None
    if len(set(values)) < len(values):
        raise rejected("--stragglers", text, "each number once")
    return values


def sized_by_file(options: N, code_file: str | None) -> N:
    """The options with the number of clients of a code's file, where nothing else tells it."""
    if code_file is None or options.network is not None or options.clients is not None:
        return options
    from jaxcogc.links.matrix_file import read_matrix

    with blame("--code-file"):
        clients = len(read_matrix(code_file))
    return dataclasses.replace(options, clients=CLIENTS.check(clients))


def read_code(options: CodeOptions, num_clients: int, seed: int) -> GradientCode:
    """The code of a verb that takes one number of stragglers.

    Raises:
      UserError: it names the options, their values and what is allowed.
    """
    stragglers = read_stragglers(options, num_clients)
    if len(stragglers) > 1:
        raise rejected("--stragglers", options.stragglers, "one number")
    return read_codes(options, num_clients, seed)[0]


def read_codes(options: CodeOptions, num_clients: int, seed: int) -> tuple[GradientCode, ...]:
    """The code of each number of stragglers.

    Raises:
      UserError: it names the options, their values and what is allowed.
    """
    stragglers = read_stragglers(options, num_clients)
    path = options.code_file
    if path is None:
        return tuple(build_code(options.code, num_clients, s, seed) for s in stragglers)
    if len(stragglers) > 1:
        raise rejected("--stragglers", options.stragglers, "one number with --code-file")
    return (read_own_code(path, num_clients, stragglers[0]),)


def redrawn(options: CodeOptions, code: GradientCode, seed: int) -> GradientCode:
    """Another code of the family for every attempt, where that is asked for."""
    if not options.redraw_code:
        return code
    from jaxcogc.coding.codes import redraw
    from jaxcogc.runtime.random_words import fold_in, seed_keys

    return redraw(fold_in(seed_keys(seed)[0], 1), code, options.attempts)


def read_own_code(path: str, num_clients: int, num_stragglers: int = 0) -> GradientCode:
    """The code of a file; UserError where there is none for so many clients."""
    from jaxcogc.coding.gradient_code import GradientCode

    with blame("--code-file"):
        code = GradientCode.from_file(path, num_stragglers)
    if code.num_clients != num_clients:
        here = f"{path} ({code.num_clients} clients)"
        raise rejected("--code-file", here, f"a matrix of {num_clients} clients, as of the network")
    return code


def code_words(options: CodeOptions) -> str:
    """The code in words, for titles."""
    return f"{Path(options.code_file).name if options.code_file else options.code} code"


def build_code(family: str, num_clients: int, num_stragglers: int, seed: int) -> GradientCode:
    """The code of a family; UserError names the options when there is none of that size."""
    from jaxcogc.coding.codes import make_code
    from jaxcogc.runtime.random_words import seed_keys

    with blame(f"--code {family} --stragglers {num_stragglers}"):
        return make_code(family, num_clients, num_stragglers, key=seed_keys(seed)[0])
