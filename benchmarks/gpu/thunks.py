"""What XLA's program for a GPU starts: read from the list of thunks that it dumps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_LINE = re.compile(r"^( *)\d+: (k\w+)\s*(?:\[[^\]]*\])?\s*(.*)$")
_LABEL = re.compile(r"^( *)(condition|body|\w*branch\w*):\s*$")
_BLOCKS = re.compile(r"(\S+) grid: \[([\d, ]+)\] threads: \[([\d, ]+)\]")
_HOLD = ("kCommandBuffer", "kSequential")
_DECIDE = ("kWhile", "kConditional")
_NO_KERNEL = (*_HOLD, *_DECIDE, "kWaitForStreams", "kPartitionId", "kReplicaId")


class Thunk(NamedTuple):
    """Something that is started, or decides what is.

    Attributes:
      kind: XLA's name for it.
      kernel: that it starts; empty where it is none with code of its own.
      threads: of that kernel.
      parts: what it holds: of a loop its condition and its body, of a branch one each, else one
        without a name.
    """

    kind: str
    kernel: str
    threads: int
    parts: list[tuple[str, list[Thunk]]]

    @property
    def is_kernel(self) -> bool:
        """Whether the device runs a kernel for it: its own, a library's or a copy."""
        return self.kind not in _NO_KERNEL


def read_thunks(text: str) -> list[Thunk]:
    """The list, as a tree.

    Args:
      text: XLA's; what a loop or branch holds is indented below it.

    >>> loop = read_thunks('''000: kWhile
    ... condition:
    ...     001: kCustomKernel [source] compare grid: [2, 1, 1] threads: [32, 1, 1]
    ...   body:
    ...     002: kCopy''')[0]
    >>> [(name, len(thunks)) for name, thunks in loop.parts]
    [('condition', 1), ('body', 1)]
    >>> loop.parts[0][1][0].threads
    64
    """
    root = Thunk("kSequential", "", 0, [])
    open_ones = [(-1, root)]
    for line in text.splitlines():
        label, found = _LABEL.match(line), _LINE.match(line)
        if label:
            # XLA writes the condition's at the margin, the others two places behind their thunk.
            while label[2] != "condition" and open_ones[-1][0] > len(label[1]) - 2:
                open_ones.pop()
            open_ones[-1][1].parts.append((label[2], []))
        elif found:
            while open_ones[-1][0] >= len(found[1]):
                open_ones.pop()
            parts = open_ones[-1][1].parts
            if not parts:
                parts.append(("", []))
            blocks = _BLOCKS.search(found[3])
            threads = 1
            for number in re.findall(r"\d+", f"{blocks[2]} {blocks[3]}") if blocks else ():
                threads *= int(number)
            thunk = Thunk(found[2], blocks[1] if blocks else "", threads if blocks else 0, [])
            parts[-1][1].append(thunk)
            open_ones.append((len(found[1]), thunk))
    return [thunk for _, thunks in root.parts for thunk in thunks]


def spread(thunks: list[Thunk], buffered: bool = False) -> Iterator[tuple[Thunk, bool]]:
    """The thunks in order, and what command buffers hold behind them; and whether one holds it."""
    for thunk in thunks:
        if thunk.kind in _HOLD:
            inside = buffered or thunk.kind == "kCommandBuffer"
            if inside:
                yield thunk, buffered
            for _, held in thunk.parts:
                yield from spread(held, inside)
        else:
            yield thunk, buffered


class Started(NamedTuple):
    """What stands in a list of thunks, each once.

    Attributes:
      launches: what the host starts; a command buffer is one.
      host_waits: loops and branches outside of command buffers: for each of their rounds the host
        waits for the device.
      kernels: kernels and copies that the device runs.
    """

    launches: int
    host_waits: int
    kernels: int


def started(thunks: list[Thunk], buffered: bool = False) -> Started:
    """Count what a program starts, every loop and branch once.

    >>> started(read_thunks('''000: kCommandBuffer
    ...     001: kWhile
    ... condition:
    ...         002: kCustomKernel
    ...       body:
    ...         003: kCustomKernel'''))
    Started(launches=1, host_waits=0, kernels=2)
    """
    counts = [0, 0, 0]
    for thunk in thunks:
        decides = thunk.kind in _DECIDE
        own = (
            not buffered and not decides and thunk.kind != "kSequential",
            not buffered and decides,
            thunk.is_kernel,
        )
        inside = buffered or thunk.kind == "kCommandBuffer"
        below = [started(held, inside) for _, held in thunk.parts]
        counts = [sum(column) for column in zip(counts, own, *below, strict=True)]
    return Started(*counts)
