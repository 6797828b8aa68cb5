"""Writes known blocks into a store, and says after each commit how many are safe.

`python -m tests.study.crash_writer PATH CRASHES SEED` forks a writer so many times and kills it
with SIGKILL at a random moment; after each crash it checks that no block it was told of is missing
and that none is wrong, and prints one JSON object at the end. No JAX here: a crash costs
milliseconds.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

from jaxcogc.study.store.block_rows import NewBlock
from jaxcogc.study.store.store import open_store
from tests.study.fake import scripted_counts

POINTS = [f"{n:016x}" for n in range(4)]
BATCH = 3


def failures(point: str, block: int) -> int:
    """Known counts."""
    return (int(point, 16) * 1009 + block * 17) % 997


def write_forever(path: Path, told: int) -> None:
    """Batches of blocks of all points, resumed where the store ends; each commit is told."""
    with open_store(path, make=True) as store:
        session = f"{os.getpid()}"
        while True:
            for point in POINTS:
                first = len(store.prefix(point)["trials"])
                blocks = [
                    NewBlock(point, n, scripted_counts(failures(point, n)), 0.0)
                    for n in range(first, first + BATCH)
                ]
                store.add_blocks(session, blocks)
                os.write(told, f"{point} {first + BATCH}\n".encode())


def check(path: Path, promised: dict[str, int]) -> int:
    """All promised blocks are there, whatever is there is right; the number of blocks."""
    with open_store(path) as store:
        num_blocks = store.num_blocks()
        for point, promise in promised.items():
            columns = store.prefix(point)
            length = len(columns["trials"])
            assert length >= promise, f"{point}: {length} blocks of {promise} promised"
            assert length == num_blocks[point]
            known = [failures(point, n) for n in range(length)]
            assert (columns["trials"] - columns["gc"]).tolist() == known
            total = store.total(point, length)
            assert total.num_recovered[0] == np.sum(known)
        return sum(num_blocks.values())


def crash(path: Path, promised: dict[str, int], commits: int, seconds: float) -> None:
    """One writer, killed some time after so many commits."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            write_forever(path, writer)
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as stream:
        lines = [stream.readline() for _ in range(commits)]
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        for line in [*lines, *stream]:
            point, number = line.split()
            promised[point] = int(number)
    assert os.WIFSIGNALED(status), "the writer ended by itself"


def main(arguments: list[str]) -> None:
    path, crashes, chance = Path(arguments[0]), int(arguments[1]), random.Random(int(arguments[2]))
    promised: dict[str, int] = {}
    grown = []
    for n in range(crashes):
        # The first ones while the store is being made, the others in or between two commits.
        commits, seconds = (0, chance.uniform(0.0, 0.02)) if n < 4 else (chance.randrange(12), 0.0)
        crash(path, promised, commits, seconds + chance.uniform(0.0, 0.01))
        grown.append(check(path, promised) if path.exists() else 0)
    print(json.dumps({"blocks": grown, "files": sorted(p.name for p in path.parent.iterdir())}))


if __name__ == "__main__":
    main(sys.argv[1:])
