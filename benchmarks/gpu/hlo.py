"""The program as XLA optimised it: instructions, what their kernels read, write and multiply."""

from __future__ import annotations

import re
from functools import cached_property
from math import prod
from typing import NamedTuple

_BYTES = {"pred": 1, "token": 0, "s4": 1, "u4": 1} | {
    f"{kind}{bits}": bits // 8 for kind in ("s", "u", "f", "bf", "c") for bits in (8, 16, 32, 64)
}
_NO_KERNEL = (
    "parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "partition-id",
    "replica-id", "opt-barrier", "copy-done", "add-dependency", "domain",
)  # fmt: skip
_CALLED = re.compile(
    r"(calls|to_apply|body|condition|true_computation|false_computation)=%([^\s,)}]+)"
)
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_SLICES = ("dynamic-slice", "slice", "gather")
_UPDATES = ("dynamic-update-slice", "scatter")


class Instruction(NamedTuple):
    """An instruction.

    Attributes:
      name: without the percent sign.
      opcode: of it.
      shape: of the result, as XLA writes it.
      operands: the names.
      rest: the attributes, as XLA writes them.
    """

    name: str
    opcode: str
    shape: str
    operands: list[str]
    rest: str

    @property
    def starts_something(self) -> bool:
        """Whether the device or the host has something to do for it."""
        return self.opcode not in _NO_KERNEL

    @property
    def known_rounds(self) -> int | None:
        """Rounds of a loop, where XLA found them."""
        found = re.search(r'"known_trip_count":\{"n":"(\d+)"', self.rest)
        return int(found[1]) if found else None

    @property
    def called(self) -> dict[str, str]:
        """Computations that it calls, but for branches."""
        return dict(_CALLED.findall(self.rest))

    @property
    def branches(self) -> list[str]:
        """The branches of a condition, in XLA's order: of two by a flag the true one first."""
        several = _BRANCHES.search(self.rest)
        if several:
            return [name.strip().lstrip("%") for name in several[1].split(",")]
        return [self.called[f"{flag}_computation"] for flag in ("true", "false")]

    def weights(self, of_branches: tuple[float, ...]) -> list[float]:
        """Weights of the branches in XLA's order, from those in the order of the source."""
        by_flag = not _BRANCHES.search(self.rest)
        return list(reversed(of_branches)) if by_flag else list(of_branches)


def size_of(shape: str) -> int:
    """Bytes of a result.

    >>> size_of("(f32[96,10]{1,0}, pred[])")
    3841
    """
    arrays = re.findall(r"\b([a-z]+\d*)(?:e\w+)?\[([\d,]*)\]", shape)
    return sum(_BYTES.get(kind, 4) * prod(_lengths(lengths)) for kind, lengths in arrays)


def _lengths(text: str, pattern: str = "(.*)") -> list[int]:
    """The numbers between commas in what the pattern finds first; none where it finds nothing."""
    found = re.search(pattern, text)
    return [int(number) for number in found[1].split(",") if number] if found else []


class Module:
    """A module in the text that XLA dumps."""

    def __init__(self, text: str) -> None:
        """Args: text, of the module after all optimizations."""
        self._text = text
        self.computations: dict[str, dict[str, Instruction]] = {}
        self.entry = ""
        current: dict[str, Instruction] = {}
        for line in text.splitlines():
            opened = re.match(r"^(ENTRY )?%([^\s(]+) \(.*\{\s*$", line)
            if opened:
                current = self.computations.setdefault(opened[2], {})
                self.entry = opened[2] if opened[1] else self.entry
            elif line.startswith("  ") and " = " in line:
                read = _read(line)
                current |= _taken(read.operands, current)
                current[read.name] = read

    @cached_property
    def _functions(self) -> dict[int, str]:
        """The function behind every frame of the source that instructions name."""

        def table(name: str) -> dict[int, str]:
            found = re.search(rf"^{name}\n((?:\d+ .*\n)*)", self._text, re.M)
            rows = (line.split(" ", 1) for line in (found[1] if found else "").splitlines())
            return {int(number): row for number, row in rows}

        names, places, frames = map(table, ("FunctionNames", "FileLocations", "StackFrames"))
        functions = {}
        for frame, row in frames.items():
            place = re.search(r"file_location_id=(\d+)", row)
            name = re.search(
                r"function_name_id=(\d+)", places.get(int(place[1]), "") if place else ""
            )
            functions[frame] = names.get(int(name[1]), "").strip('"') if name else ""
        return functions

    def function(self, instruction: Instruction) -> str:
        """The function of the source that an instruction comes from, without those around it."""
        frame = re.search(r"stack_frame_id=(\d+)", instruction.rest)
        whole = self._functions.get(int(frame[1]), "") if frame else ""
        return ".".join(whole.split(".<locals>.")[-2:]) if whole else "a place unknown"

    def starting(self, computation: str) -> list[Instruction]:
        """The instructions of a computation that start something, in the order of its schedule."""
        found = []
        for instruction in self.computations.get(computation, {}).values():
            if instruction.opcode == "call":
                found += self.starting(instruction.called["to_apply"])
            elif instruction.starts_something:
                found.append(instruction)
        return found

    def moved(self, computation: str, instruction: Instruction) -> int:
        """Bytes that the kernel of an instruction reads and writes; of slices only what they take
        or replace."""
        around = self.computations[computation]
        inside = self.computations.get(instruction.called.get("calls", ""))
        if inside is None:
            read = sum(size_of(around[name].shape) for name in instruction.operands)
            return read + size_of(instruction.shape)
        parameters = [x for x in inside.values() if x.opcode == "parameter"]
        read = sum(min(size_of(p.shape), _read_of(p.name, inside)) for p in parameters)
        return read + _written(list(inside.values())[-1], inside)

    def multiplied(self, instruction: Instruction) -> int:
        """Floating-point operations of the matrix products of an instruction's kernel."""
        inside = self.computations.get(instruction.called.get("calls", ""), {})
        total = 0
        for part in inside.values():
            if part.opcode == "dot":
                left = _lengths(inside[part.operands[0]].shape, r"\[([\d,]*)\]")
                axes = _lengths(part.rest, r"lhs_contracting_dims=\{([\d,]*)\}")
                inner = [left[axis] for axis in axes]
                total += 2 * prod([*inner, *_lengths(part.shape, r"\[([\d,]*)\]")])
            elif part.opcode in ("fusion", "call"):
                total += self.multiplied(part)
        return total


def _read_of(name: str, inside: dict[str, Instruction]) -> int:
    """Bytes of an operand that a kernel reads, at most."""
    total = 0
    for user in inside.values():
        if name not in user.operands:
            continue
        first = user.operands[0] == name
        if user.opcode in _SLICES and first:
            total += size_of(user.shape)
        elif user.opcode in _UPDATES and first:
            continue  # it is changed where it lies
        elif user.opcode == "bitcast":
            total += _read_of(user.name, inside)
        else:
            return size_of(inside[name].shape)
    return total


def _written(root: Instruction, inside: dict[str, Instruction]) -> int:
    if root.opcode == "tuple":
        return sum(_written(inside[name], inside) for name in root.operands)
    if root.opcode == "bitcast":
        return _written(inside[root.operands[0]], inside)
    if root.opcode in _UPDATES:
        return size_of(inside[root.operands[-1 if root.opcode == "scatter" else 1]].shape)
    return size_of(root.shape)


def _read(line: str) -> Instruction:
    """An instruction from its line."""
    name, _, text = re.sub(r"/\*.*?\*/", "", line).strip().removeprefix("ROOT ").partition(" = ")
    end = _closing(text, 0) + 1 if text.startswith("(") else text.index(" ")
    shape, text = text[:end], text[end:].strip()
    opened = text.index("(")
    closed = _closing(text, opened)
    operands = re.findall(r"%([^\s,()]+)", text[opened:closed])
    return Instruction(name.lstrip("%"), text[:opened], shape, operands, text[closed + 1 :])


def _taken(operands: list[str], around: dict[str, Instruction]) -> dict[str, Instruction]:
    """The instructions that take parts of tuples, where XLA writes "t#1" for the second of t."""
    found = {}
    for name in operands:
        whole, mark, place = name.partition("#")
        if mark:
            shape = _parts(around[whole].shape)[int(place)]
            found[name] = Instruction(name, "get-tuple-element", shape, [whole], "")
    return found


def _parts(shape: str) -> list[str]:
    """The shapes in that of a tuple.

    >>> _parts("(s32[], (f32[4,4]{1,0}, pred[]), f32[9]{0})")
    ['s32[]', '(f32[4,4]{1,0}, pred[])', 'f32[9]{0}']
    """
    parts, depth = [""], 0
    for letter in shape[1:-1]:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _closing(text: str, start: int) -> int:
    """Where the parenthesis that opens at a place is closed."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place
    return len(text) - 1
