"""The gradient code that a verb was asked for, for a given number of clients."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from jaxcogc.cli.shared.errors import UserError, blame, rejected
from jaxcogc.cli.shared.network_request import NetworkOptions
from jaxcogc.cli.shared.values import given, parse_stragglers
from jaxcogc.study.specification.seeds import seeded_code

if TYPE_CHECKING:
    from jaxcogc.coding.codes import GradientCode


@dataclasses.dataclass(frozen=True)
class CodeOptions(NetworkOptions):
    """The options of a network and a code, as typed."""

    code: str
    stragglers: str | None
    attempts: str
    redraw_code: bool


def check_redraw(options: CodeOptions) -> None:
    """Raise UserError where a code was to be drawn anew that is not random."""
    if options.redraw_code and options.code != "cyclic":
        raise UserError(f"--redraw-code with --code {options.code}: allowed is --code cyclic only")


def read_stragglers(options: CodeOptions, num_clients: int) -> tuple[int, ...]:
    """One number of stragglers or several; 0 of an uncoded scheme.

    Errors: UserError that names the option, its value and what is allowed.
    """
    if options.code == "uncoded":
        if options.stragglers is not None and options.stragglers.strip() != "0":
            raise rejected("--stragglers", options.stragglers, "0 (or nothing) with --code uncoded")
        return (0,)
    if options.stragglers is None and num_clients <= 7:
        raise UserError(
            f"--stragglers = 7 (the default) for {num_clients} clients: "
            f"allowed are whole numbers from 0 to {num_clients - 1} (clients - 1)"
        )
    return parse_stragglers("--stragglers", given(options.stragglers, "7"), num_clients)


def read_code(options: CodeOptions, num_clients: int, seed: int) -> GradientCode:
    """The code of a verb that takes one number of stragglers.

    Errors: UserError that names the options, their values and what is allowed.
    """
    stragglers = read_stragglers(options, num_clients)
    if len(stragglers) > 1:
        raise rejected("--stragglers", options.stragglers, "one number")
    return build_code(options.code, num_clients, stragglers[0], seed)


def build_code(family: str, num_clients: int, num_stragglers: int, seed: int) -> GradientCode:
    """The code of a family; UserError names the options when there is none of that size."""
    with blame(f"--code {family} --stragglers {num_stragglers}"):
        return seeded_code(family, num_clients, num_stragglers, seed)
