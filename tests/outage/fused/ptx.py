"""An interpreter of the few PTX instructions that the fused kernel has blocks of."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

_WORD = 2**32 - 1
_CARRY = "carry"

_OPERATIONS: dict[str, Callable[..., int]] = {
    "add.u32": lambda a, b: (a + b) & _WORD,
    "sub.u32": lambda a, b: (a - b) & _WORD,
    "min.u32": min,
    "xor.b32": lambda a, b: a ^ b,
    "mul.lo.u32": lambda a, b: a * b & _WORD,
    "mul.hi.u32": lambda a, b: a * b >> 32,
    "mul.wide.u32": lambda a, b: a * b,
    "mad.wide.u32": lambda a, b, c: a * b + c,
    "shf.l.wrap.b32": lambda low, high, n: ((high << 32 | low) << (n & 31)) >> 32 & _WORD,
}


def run(text: str, operands: list[int]) -> int:
    """What a block leaves in $0, for operands $1, $2, ..; 64-bit registers must not overflow."""
    registers = {f"${n + 1}": value for n, value in enumerate(operands)}

    def read(name: str) -> int:
        return int(name) if name.isdigit() else registers[name]

    for line in filter(None, (part.strip() for part in text.split(";"))):
        operation, rest = line.split(None, 1)
        if operation == ".reg":
            continue
        target, *sources = re.findall(r"\{[^}]*\}|[$\w]+", rest)
        if operation == "mov.b64":
            _move(registers, target, sources[0])
        elif operation == "add.cc.u32":
            total = read(sources[0]) + read(sources[1])
            registers[target], registers[_CARRY] = total & _WORD, total >> 32
        elif operation == "addc.u32":
            total = read(sources[0]) + read(sources[1]) + registers[_CARRY]
            registers[target] = total & _WORD
        else:
            registers[target] = _OPERATIONS[operation](*map(read, sources))
        assert registers.get(target, 0) < 2**64
    return registers["$0"]


def _move(registers: dict[str, int], target: str, source: str) -> None:
    """Between a 64-bit register and a pair of words, the lower one first."""
    if target.startswith("{"):
        low, high = re.findall(r"[$\w]+", target)
        registers[low], registers[high] = registers[source] & _WORD, registers[source] >> 32
    else:
        low, high = re.findall(r"[$\w]+", source)
        registers[target] = registers[low] | registers[high] << 32


def run_each(text: str, operands: list[np.ndarray]) -> list[int]:
    """The same for vectors of operands."""
    return [run(text, [int(x) for x in values]) for values in zip(*operands, strict=True)]
