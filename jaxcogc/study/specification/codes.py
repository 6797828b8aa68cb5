"""The codes of a study: families, or matrices of one's own; and for which points there is one."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

from jaxcogc.allowed import MAX_CLIENTS
from jaxcogc.names import CUSTOM, RANDOM_FAMILIES
from jaxcogc.study.specification.point import CodeText
from jaxcogc.study.specification.sections import CodeSection


class CodeChoice(NamedTuple):
    """A code of the grid.

    Attributes:
      key, name: of the study file, and what stands there.
      family: of the code.
      own: where it came from a file.
    """

    key: str
    name: str
    family: str
    own: CodeText | None = None


def codes_of(section: CodeSection, folder: Path) -> list[CodeChoice]:
    """What a section asks for.

    Raises:
      ValueError: families beside files, or a file that is no matrix of a code.
    """
    if section.file is None:
        families = section.family or ("cyclic",)
        return [CodeChoice("code.family", family, family) for family in families]
    if section.family is not None:
        raise ValueError("code.file beside code.family: allowed is one of the two")
    from jaxcogc.coding.gradient_code import GradientCode
    from jaxcogc.links.matrix_file import read_matrix

    found = []
    for index, name in enumerate(section.file):
        try:
            matrix = read_matrix(folder / name)
            if len(matrix) > MAX_CLIENTS:
                raise ValueError(f"allowed is at most {MAX_CLIENTS} clients")
            GradientCode.from_matrix(matrix)
        except ValueError as error:
            raise ValueError(f"code.file[{index}] = {name!r}: {error}") from None
        own = CodeText.of(matrix, os.path.abspath(folder / name))
        found.append(CodeChoice("code.file", name, CUSTOM, own))
    return found


@cache
def why_no_code(code: CodeChoice, num_clients: int, stragglers: int, redrawn: bool) -> str | None:
    """Why the constructors refuse; None where there is a code."""
    if redrawn and code.family not in RANDOM_FAMILIES:
        return f"redraw_code = true: allowed is the {', '.join(RANDOM_FAMILIES)} family"
    from jaxcogc.coding.codes import make_code
    from jaxcogc.coding.gradient_code import GradientCode
    from jaxcogc.runtime.random_words import seed_keys

    try:
        if code.own is None:  # only the cyclic code has random numbers, and it has every size
            make_code(code.family, num_clients, stragglers, key=seed_keys(0)[0])
            return None
        matrix = code.own.matrix()
        if len(matrix) != num_clients:
            return f"a matrix of {len(matrix)} clients: allowed is {num_clients}, of the network"
        GradientCode.from_matrix(matrix, stragglers)
    except ValueError as error:
        return str(error)
    return None
