"""Registers, spills and machine instructions of compiled kernels, and what bounds them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.gpu.targets import Target

_SCHEDULERS, _LANES = 4, 32
_FMA = ("IMAD", "FFMA", "FMUL", "FADD", "HFMA2")
_MEMORY = ("LDG", "STG", "LDS", "STS", "LDL", "STL", "LDC", "RED", "ATOM", "ATOMG", "SHFL", "LD")
_DOUBLE = ("DFMA", "DADD", "DMUL", "DSETP", "DMNMX")
_FORMATS = ("TF32", "BF16", "F16", "E4M3", "E5M2", "F32")
_CONTROL = (
    "BRA", "EXIT", "NOP", "BAR", "WARPSYNC", "BSYNC", "BSSY", "S2R", "S2UR", "CS2R", "DEPBAR",
    "VOTE", "CALL", "RET", "REDUX",
)  # fmt: skip


class Kernel(NamedTuple):
    """A kernel as the assembler made it.

    Attributes:
      name: of it.
      registers: of a thread.
      spilled_bytes: stores and loads.
      instructions: in its code, each once.
      code: the instructions with their operands, in order, and where labels stand.
    """

    name: str
    registers: int
    spilled_bytes: int
    instructions: int
    code: Code


class Code(NamedTuple):
    """Instructions (name, operands) and the place of every label."""

    instructions: list[tuple[str, str]]
    labels: dict[str, int]

    def loops(self) -> list[tuple[int, int]]:
        """First and last instruction of every loop, in order."""
        found = []
        for place, (name, operands) in enumerate(self.instructions):
            label = re.search(r"`\((\.L_x_\w+)\)", operands)
            if name.startswith("BRA") and label and self.labels[label[1]] < place:
                found.append((self.labels[label[1]], place))
        return sorted(found)

    def stores(self, first: int, last: int) -> int:
        """Instructions of a loop that write to the device's memory."""
        return sum(name.startswith("STG") for name, _ in self.instructions[first : last + 1])


def tool(name: str) -> str | None:
    """The path of `ptxas` or `nvdisasm`: from its wheel, or of the machine."""
    wheels = Path(sysconfig.get_path("purelib"), "nvidia")
    found = next(iter(sorted(wheels.glob(f"*/bin/{name}"))), None)
    return str(found) if found else shutil.which(name)


def assemble(files: Sequence[Path]) -> list[Kernel]:
    """The kernels of PTX files, assembled and taken apart again; none without the tools.

    All at once, since the disassembler takes half a second to start; one by one where the assembler
    refuses that, as of files that name something alike.
    """
    assembler, disassembler = tool("ptxas"), tool("nvdisasm")
    target = re.search(r"^\.target (\w+)", files[0].read_text(), re.M) if files else None
    if assembler is None or disassembler is None or target is None:
        return []
    binary = files[0].with_suffix(".cubin")
    try:
        log = _run([assembler, "-v", f"-arch={target[1]}", *map(str, files), "-o", str(binary)])
    except subprocess.CalledProcessError:
        if len(files) == 1:
            raise
        return [kernel for file in files for kernel in assemble([file])]
    return _kernels(log.stderr, _run([disassembler, "-c", str(binary)]).stdout)


def _kernels(log: str, listing: str) -> list[Kernel]:
    """From what the assembler tells and the disassembler lists."""
    codes = {part.split(":")[0]: _code(part) for part in listing.split("\n.text.")[1:]}
    found = []
    for part in log.split("Compiling entry function '")[1:]:
        name = part.split("'")[0]
        registers = sum(map(int, re.findall(r"Used (\d+) registers", part)))
        spilled = sum(map(int, re.findall(r"(\d+) bytes spill", part)))
        code = codes[name]
        found.append(Kernel(name, registers, spilled, len(code.instructions), code))
    return found


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True)


def _code(text: str) -> Code:
    instructions: list[tuple[str, str]] = []
    labels: dict[str, int] = {}
    pattern = re.compile(
        r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:\{\s*)?(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)(.*);"
    )
    for line in text.splitlines():
        label = re.match(r"^(\.L_x_\w+):", line)
        if label:
            labels[label[1]] = len(instructions)
        found = pattern.match(line)
        if found:
            instructions.append((found[1], found[2]))
    return Code(instructions, labels)


def matrix_format(code: Code) -> str | None:
    """Of the numbers that tensor cores multiply, as the machine code calls it; None without them.

    >>> matrix_format(Code([("HMMA.1688.F32.TF32", ""), ("EXIT", "")], {}))
    'TF32'
    """
    for name, _ in code.instructions:
        first, *parts = name.split(".")
        if first in ("HMMA", "HGMMA", "WGMMA", "DMMA", "IMMA", "QGMMA"):
            return next((part for part in reversed(parts) if part in _FORMATS), first)
    return None


class Work(NamedTuple):
    """What a warp does.

    Attributes:
      instructions: that it issues.
      cycles: of a scheduler, by the busiest of its pipes.
      pipe: which that is.
    """

    instructions: float
    cycles: float
    pipe: str


def work_of(code: Code, trips: Sequence[float]) -> Work:
    """What a warp does when the loops of its code, in order, go round so many times."""
    weights = [1.0] * len(code.instructions)
    for times, (first, last) in zip(trips, code.loops(), strict=True):
        for place in range(first, last + 1):
            weights[place] *= times
    pipes: dict[str, float] = defaultdict(float)
    for (name, _), weight in zip(code.instructions, weights, strict=True):
        pipes["issue"] += weight
        base = name.split(".")[0]
        if name.startswith(("IMAD.WIDE", "IMAD.HI")):
            pipes["multiply"] += 4 * weight
        elif base in _FMA:
            pipes["multiply"] += 2 * weight
        elif base in _MEMORY:
            pipes["memory"] += 4 * weight
        elif base in _DOUBLE:
            pipes["double precision"] += 4 * weight
        elif base in ("POPC", "MUFU", "I2F", "F2I", "BREV", "FLO"):
            pipes["special"] += 8 * weight
        elif not base.startswith("U") and base not in (*_CONTROL, "R2UR"):
            pipes["logic"] += 2 * weight
    pipe, cycles = max(pipes.items(), key=lambda item: item[1])
    return Work(pipes["issue"], cycles, pipe)


def warps_per_second(target: Target, cycles: float) -> float:
    """Of the whole GPU, all of its schedulers busy."""
    return target.multiprocessors * _SCHEDULERS * target.clock_ghz * 1e9 / cycles


def lanes(warps: float) -> float:
    """Threads in so many warps."""
    return _LANES * warps
