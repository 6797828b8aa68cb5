"""Should clients keep what they heard in earlier attempts? Where it helps, and where it hurts.

    python examples/keeping.py [FOLDER]

Keeping never hurts standard decoding, whose law is exact. But rows of later attempts then resemble
earlier ones, and row-space decoding may have less to work with. Prints the table of the
documentation and leaves it in FOLDER (default: results).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
from points import leave_results, write_csv

from jaxcogc import LinkDynamics, Network, closed_form, cyclic_code, simulate_outcomes

NUM_TRIALS = 200_000


class Case(NamedTuple):
    """Clients, stragglers, attempts; erasures of uplinks and between clients; memory."""

    clients: int
    stragglers: int
    attempts: int
    uplink: float
    peer: float
    redraw_code: bool = False
    memory: float = 0.0


CASES = (
    Case(10, 7, 2, 0.4, 0.25),
    Case(10, 7, 2, 0.4, 0.25, memory=0.6),
    Case(10, 7, 2, 0.4, 0.25, redraw_code=True),
    Case(10, 7, 3, 0.4, 0.25),
    Case(10, 3, 2, 0.4, 0.25),
    Case(10, 3, 2, 0.4, 0.25, redraw_code=True),
    Case(10, 3, 2, 0.4, 0.05),
    Case(16, 5, 2, 0.35, 0.15),
    Case(16, 5, 2, 0.35, 0.15, redraw_code=True),
)


def outages(case: Case, keep_heard: bool) -> tuple[float, float]:
    """No exact average: standard decoding by its law (or trials), row-space decoding by trials."""
    network = Network.homogeneous(case.clients, uplink_erasure=case.uplink, peer_erasure=case.peer)
    code = cyclic_code(jax.random.key(0), case.clients, case.stragglers)
    dynamics = LinkDynamics(memory=case.memory) if case.memory else None
    found = simulate_outcomes(
        jax.random.key(1),
        network,
        code,
        num_trials=NUM_TRIALS,
        num_attempts=case.attempts,
        redraw_code=case.redraw_code,
        dynamics=dynamics,
        keep_heard=keep_heard,
    )
    law = closed_form(
        network,
        code,
        num_attempts=case.attempts,
        redraw_code=case.redraw_code,
        dynamics=dynamics,
        keep_heard=keep_heard,
    ).gc_outage
    gc = float(found.gc_outage) if law is None else float(law)
    return gc, 1.0 - float(found.row_space_exact)


def rows() -> Iterator[dict[str, object]]:
    """One for each case, printed as a line of the table."""
    print("| M, s, A | erasures | | gc forgets | gc keeps | row space forgets | row space keeps |")
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        (gc, row_space), (gc_kept, row_space_kept) = (outages(case, kept) for kept in (False, True))
        note = "redrawn" if case.redraw_code else f"memory {case.memory:g}" if case.memory else ""
        sizes = f"{case.clients}, {case.stragglers}, {case.attempts}"
        numbers = f"{gc:.3f} | {gc_kept:.3f} | {row_space:.3f} | {row_space_kept:.3f}"
        print(f"| {sizes} | {case.uplink:g}, {case.peer:g} | {note} | {numbers} |", flush=True)
        yield {
            **case._asdict(),
            "gc_outage": gc,
            "gc_outage_kept": gc_kept,
            "row_space_outage": row_space,
            "row_space_outage_kept": row_space_kept,
        }


def keeping(folder: Path) -> list[tuple[Path, str]]:
    """The table; returns the file and what it shows."""
    table = folder / "keeping.csv"
    write_csv(table, rows())
    return [(table, "where keeping what was heard helps, and where it hurts")]


if __name__ == "__main__":
    leave_results(keeping)
