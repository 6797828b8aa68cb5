"""Which blocks a process is about to count, told to all that work on the same store.

A claim spares others the same work, and nothing else depends on it: a block that is counted twice
is there once. So a claim may be wrong. It does not outlive its process by much: one of a process of
this host that is gone counts for nothing, and of another host none that has stood unchanged for
its lease, by the clock of whoever looks. No two clocks are compared.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from jaxcogc.study.store.store import Store, insert_rows

LEASE_SECONDS = 60.0
"""How long a claim of another host counts at least, without a sign of life."""
_CALLS_IN_A_LEASE = 10


class Stretch(NamedTuple):
    """Blocks first .. first + num - 1 of a point."""

    point: str
    first: int
    num: int


class _Claim(NamedTuple):
    """A row of the table of claims."""

    session: str
    point: str
    first: int
    num: int
    host: str
    pid: int
    lease: float


class Claims:
    """The claims of one session, and what it sees of those of others."""

    def __init__(
        self, store: Store, session: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._session, self._clock = store, session, clock
        self._host, self._pid, self._lease = platform.node(), os.getpid(), LEASE_SECONDS
        self._seen: dict[_Claim, float] = {}

    def take(self, point: str, first: int, most: int, limit: int) -> Stretch | None:
        """Claim the first blocks of a point that are neither stored nor claimed.

        Args:
          point: its identity.
          first: the first block to look at.
          most: how many at most.
          limit: the first block that is not needed.

        Returns:
          What is claimed now; None where another process has, or counts, all that is needed.
        """
        with self._lightly(), self._store.transaction() as connection:
            claims = self._standing()
            taken = [(c.first, c.first + c.num) for c in claims if c.point == point]
            query = "SELECT block FROM blocks WHERE point = ? AND block >= ? AND block < ?"
            found = connection.execute(query, (point, first, limit)).fetchall()
            taken += [(block, block + 1) for (block,) in found]
            start, end = _gap(sorted(taken), first, limit)
            num = min(most, end - start)
            if num < 1:
                return None
            row = _Claim(self._session, point, start, num, self._host, self._pid, self._lease)
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT OR REPLACE INTO claims VALUES ({marks})", row)
            return Stretch(point, start, num)

    def elsewhere(self) -> set[str]:
        """The points at which others are at work."""
        return {claim.point for claim in self._standing() if claim.session != self._session}

    def release(self, stretches: Iterable[Stretch]) -> None:
        """Give up claims: of blocks that are stored now, or will not be counted."""
        rows = [(self._session, stretch.point, stretch.first) for stretch in stretches]
        if rows:
            with self._lightly(), self._store.transaction() as connection:
                query = "DELETE FROM claims WHERE session = ? AND point = ? AND first = ?"
                connection.executemany(query, rows)

    def release_all(self) -> None:
        """Give up all claims of this session, and forget those that count no more."""
        with self._lightly(), self._store.transaction() as connection:
            others = [claim for claim in self._standing() if claim.session != self._session]
            connection.execute("DELETE FROM claims")
            insert_rows(connection, "claims", others)

    def took(self, seconds: float) -> None:
        """Remember how long counting a stretch took: claims then stand as long as that needs."""
        self._lease = max(self._lease, _CALLS_IN_A_LEASE * seconds)

    @contextmanager
    def _lightly(self) -> Iterator[None]:
        """A claim need not survive a power cut, so nobody waits until it is on the disk."""
        self._store.rows("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            self._store.rows("PRAGMA synchronous = FULL")

    def _standing(self) -> list[_Claim]:
        """All claims that still count; own ones do."""
        rows = self._store.rows("SELECT session, point, first, num, host, pid, lease FROM claims")
        now, claims = self._clock(), [_Claim(*row) for row in rows]
        self._seen = {claim: self._seen.get(claim, now) for claim in claims}
        return [c for c in claims if c.session == self._session or self._counts(c, now)]

    def _counts(self, claim: _Claim, now: float) -> bool:
        in_time = now - self._seen[claim] <= claim.lease
        return in_time and (claim.host != self._host or _is_running(claim.pid))


def _gap(taken: list[tuple[int, int]], first: int, limit: int) -> tuple[int, int]:
    """The first blocks below `limit` that no stretch holds, and where they end.

    >>> _gap([(0, 2), (2, 3), (7, 9)], 1, 20)
    (3, 7)
    """
    for start, end in taken:
        if start > first:
            return first, min(start, limit)
        first = max(first, end)
    return first, limit


def _is_running(pid: int) -> bool:
    """Whether this host has such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        pass
    return True
