"""The oracle of the tests: Python integers only, nothing of the package.

Decisions are eliminations over GF(2^61 - 1), of another field, another code and another
algorithm (row echelon forms, no null vector) than the package uses; probabilities are summed
over all link patterns. Slow and obvious on purpose.
"""

from __future__ import annotations

import itertools
import json
import math
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import pytest

from tests.places import SHARED

PRIME = 2**61 - 1

SCALARS = [f"gc_plus_{kind}" for kind in ("full", "partial", "none")]
SCALARS += [f"row_space_{kind}" for kind in ("exact", "partial", "none")]
SCALARS += ["gc_recovered", "all_individuals", "mean_rank"]
ARRAYS = ["num_recovered_pmf", "client_recovered", "gc_plus_weight", "row_space_weight"]

Matrix = Sequence[Sequence[int]]
State = tuple[frozenset[int] | None, ...]  # per client: who is in the row that arrived, or None


class ReferenceRecovery(NamedTuple):
    """What one stack of received rows gives, as ``jaxcogc.coding.recovery.Recovery`` names it."""

    gc: bool
    sum_recovered: bool
    client_recovered: tuple[bool, ...]
    rank: int
    num_complete_rows: int


class RowSpace:
    """A row space, held as a reduced echelon form that grows row by row."""

    def __init__(self, rows: Iterable[Sequence[int]] = (), prime: int = PRIME) -> None:
        self.prime = prime
        self.rows: dict[int, list[int]] = {}  # by pivot column
        for row in rows:
            self.add(row)

    def reduce(self, row: Sequence[int]) -> list[int]:
        """What is left of a row when the space is taken off."""
        rest = [int(entry) % self.prime for entry in row]
        for pivot, known in self.rows.items():
            if factor := rest[pivot]:
                rest = [(a - factor * b) % self.prime for a, b in zip(rest, known, strict=True)]
        return rest

    def add(self, row: Sequence[int]) -> None:
        rest = self.reduce(row)
        pivot = next((column for column, entry in enumerate(rest) if entry), None)
        if pivot is None:
            return
        inverse = pow(rest[pivot], -1, self.prime)
        new = [entry * inverse % self.prime for entry in rest]
        for column, known in self.rows.items():
            factor = known[pivot]
            self.rows[column] = [
                (a - factor * b) % self.prime for a, b in zip(known, new, strict=True)
            ]
        self.rows[pivot] = new

    def __contains__(self, row: object) -> bool:
        assert isinstance(row, Sequence)
        return not any(self.reduce(row))

    @property
    def rank(self) -> int:
        return len(self.rows)


def unit(num_clients: int, k: int) -> list[int]:
    return [int(column == k) for column in range(num_clients)]


def cyclic_matrix(num_clients: int, num_stragglers: int, seed: int = 0) -> list[list[int]]:
    """A cyclic code over GF(2^61 - 1): random H with H 1 = 0, rows in its null space."""
    source = random.Random(f"cyclic {num_clients} {num_stragglers} {seed}")
    checks = [
        [source.randrange(PRIME) for _ in range(num_clients - 1)] for _ in range(num_stragglers)
    ]
    checks = [[*row, -sum(row) % PRIME] for row in checks]
    matrix = []
    for m in range(num_clients):
        support = [(m + offset) % num_clients for offset in range(num_stragglers + 1)]
        # H restricted to the support has the null space of one row: read it off the echelon form.
        space = RowSpace([[row[k] for k in reversed(support)] for row in checks])
        assert sorted(space.rows) == list(range(num_stragglers)), "a singular draw of H"
        row = [0] * num_clients
        row[m] = 1
        for column, known in space.rows.items():
            row[support[num_stragglers - column]] = -known[num_stragglers] % PRIME
        matrix.append(row)
    return matrix


def decide(
    matrices: Sequence[Matrix], states: Sequence[State], prime: int = PRIME
) -> ReferenceRecovery:
    """Decide one stack: code and received rows of every attempt."""
    num_clients = len(matrices[0])
    received, complete, distinct = [], [], set()
    for attempt, (matrix, state) in enumerate(zip(matrices, states, strict=True)):
        for m, senders in enumerate(state):
            if senders is None:
                continue
            row = [entry if k in senders else 0 for k, entry in enumerate(matrix[m])]
            received.append(row)
            if row == list(matrix[m]):
                complete.append(row)
                distinct.add(m if matrices[0] is matrix else (attempt, m))
    space = RowSpace(received, prime)
    ones = [1] * num_clients
    return ReferenceRecovery(
        gc=ones in RowSpace(complete, prime),
        sum_recovered=ones in space,
        client_recovered=tuple(unit(num_clients, k) in space for k in range(num_clients)),
        rank=space.rank,
        num_complete_rows=len(distinct),
    )


def decide_links(
    matrices: Sequence[Matrix], uplink_delivered: Any, peer_delivered: Any, prime: int = PRIME
) -> ReferenceRecovery:
    """Decide from delivered links, [attempts, clients] and [attempts, clients, clients]."""
    states = []
    for matrix, uplinks, peers in zip(matrices, uplink_delivered, peer_delivered, strict=True):
        clients = range(len(matrix))
        states.append(
            tuple(
                frozenset(k for k in clients if matrix[m][k] % prime and peers[m][k])
                if uplinks[m]
                else None
                for m in clients
            )
        )
    return decide(matrices, states, prime)


def state_probabilities(
    matrix: Matrix, uplink_erasure: Any, peer_erasure: Any, reciprocal: bool = False
) -> dict[State, float]:
    """The law of what arrives in one attempt, summed over all link patterns."""
    clients = range(len(matrix))
    links = [("uplink", m, m) for m in clients]
    links += [
        ("peer", m, k)
        for m in clients
        for k in clients
        if m != k and (matrix[m][k] or (reciprocal and matrix[k][m])) and not (reciprocal and k > m)
    ]
    terms: dict[State, list[float]] = defaultdict(list)
    for pattern in itertools.product((True, False), repeat=len(links)):
        delivered = dict(zip(links, pattern, strict=True))
        probability = 1.0
        for (kind, m, k), works in delivered.items():
            erasure = float(uplink_erasure[m] if kind == "uplink" else peer_erasure[m][k])
            probability *= 1.0 - erasure if works else erasure
        state = []
        for m in clients:
            heard = {m}
            for k in clients:
                sender = (max(m, k), min(m, k)) if reciprocal else (m, k)
                if k != m and matrix[m][k] and delivered[("peer", *sender)]:
                    heard.add(k)
            state.append(frozenset(heard) if delivered[("uplink", m, m)] else None)
        terms[tuple(state)].append(probability)
    return {state: math.fsum(summands) for state, summands in terms.items()}


def enumerate_reference(
    matrices: Sequence[Matrix],
    uplink_erasure: Any,
    peer_erasure: Any,
    reciprocal: bool = False,
    prime: int = PRIME,
) -> dict[str, Any]:
    """Every number of ``outcomes.json`` for a small network: one matrix an attempt."""
    num_clients = len(matrices[0])
    laws = [
        state_probabilities(matrix, uplink_erasure, peer_erasure, reciprocal) for matrix in matrices
    ]
    terms: dict[tuple[str, int], list[float]] = defaultdict(list)
    for stack in itertools.product(*(law.items() for law in laws)):
        probability = math.prod(weight for _, weight in stack)
        if probability == 0.0:
            continue
        outcome = decide(matrices, [state for state, _ in stack], prime)
        size = sum(outcome.client_recovered)
        terms["gc_recovered", 0].append(probability * outcome.gc)
        terms["all_individuals", 0].append(probability * (size == num_clients))
        terms["mean_rank", 0].append(probability * outcome.rank)
        terms["num_recovered_pmf", size].append(probability)
        exactness = {
            "gc_plus": ("full", outcome.gc or size == num_clients),
            "row_space": ("exact", outcome.sum_recovered),
        }
        for decoder, (word, exact) in exactness.items():
            terms[f"{decoder}_{word if exact else 'partial' if size else 'none'}", 0].append(
                probability
            )
        for k, recovered in enumerate(outcome.client_recovered):
            terms["client_recovered", k].append(probability * recovered)
            for decoder, (_, exact) in exactness.items():
                weight = 1.0 / num_clients if exact else recovered / size if size else 0.0
                terms[f"{decoder}_weight", k].append(probability * weight)
    result: dict[str, Any] = {name: math.fsum(terms[name, 0]) for name in SCALARS}
    for name in ARRAYS:
        length = num_clients + (name == "num_recovered_pmf")
        result[name] = [math.fsum(terms[name, index]) for index in range(length)]
    return result


@dataclass
class ReferenceCase:
    """A setting and where its expected outcomes come from; a cyclic code throughout."""

    clients: int
    stragglers: int
    attempts: int
    redraw_code: bool
    uplink_erasure: list[float]
    peer_erasure: list[list[float]]
    method: str = "enumeration"  # or "monte_carlo"
    trials: int | None = None
    stored: dict[str, Any] | None = field(default=None, repr=False)

    @cached_property
    def expected(self) -> dict[str, Any]:
        """The outcomes by name; enumerated here, at test time, when none are stored."""
        if self.stored is not None:
            return self.stored
        same = cyclic_matrix(self.clients, self.stragglers)
        matrices = [
            cyclic_matrix(self.clients, self.stragglers, seed) if self.redraw_code else same
            for seed in range(self.attempts)
        ]
        return enumerate_reference(matrices, self.uplink_erasure, self.peer_erasure)


def reference_cases(method: str | None = None) -> list[Any]:
    """Cases as ``pytest.param``, of one method or all; their ids say which set ran.

    The shared reference file when it lies beside the project, else small networks whose
    outcomes are enumerated above when a test asks for them (no "monte_carlo" ones then).
    """
    path = SHARED / "reference" / "outcomes.json"
    if path.is_file():
        origin, cases = "shared", [_stored_case(entry) for entry in json.loads(path.read_text())]
    else:
        origin, cases = "enumerated", list(_small_cases())
    params = []
    used: dict[str, int] = defaultdict(int)
    for case in cases:
        if method not in (None, case.method):
            continue
        name = f"{origin}-M{case.clients}-s{case.stragglers}-A{case.attempts}"
        name += "-redrawn" * case.redraw_code
        used[name] += 1
        params.append(pytest.param(case, id=name if used[name] == 1 else f"{name}-{used[name]}"))
    return params


def _stored_case(entry: dict[str, Any]) -> ReferenceCase:
    settings = ["clients", "stragglers", "attempts", "redraw_code", "uplink_erasure"]
    settings += ["peer_erasure", "method"]
    return ReferenceCase(
        **{name: entry[name] for name in settings}, trials=entry.get("trials"), stored=entry
    )


def _small_cases() -> Iterator[ReferenceCase]:
    shapes = [(3, 1, 1), (3, 1, 2), (4, 2, 1), (3, 2, 2), (4, 0, 2), (4, 1, 1)]
    cases = [(*shape, False) for shape in shapes] + [(3, 1, 2, True)]
    for clients, stragglers, attempts, redraw_code in cases:
        source = random.Random(f"network {clients} {stragglers} {attempts}")
        uplinks = [round(source.uniform(0.05, 0.7), 3) for _ in range(clients)]
        peers = [
            [0.0 if k == m else round(source.uniform(0.05, 0.7), 3) for k in range(clients)]
            for m in range(clients)
        ]
        yield ReferenceCase(clients, stragglers, attempts, redraw_code, uplinks, peers)
