"""Processes that meet, and what is said where one is missing, comes twice or does not belong."""

import socket
import threading
import time
from collections.abc import Callable

import pytest

from jaxcogc.runtime import rendezvous
from jaxcogc.runtime.rendezvous import NotAllCame, meet
from tests.cli.program import free_address

Outcome = str | None


def started(*arguments: object, **options: object) -> Callable[[], Outcome]:
    """`meet` in a thread; call the result for the error it ended with, None without one."""
    ended: list[Outcome] = []

    def run() -> None:
        try:
            meet(*arguments, **options)  # type: ignore[arg-type]
            ended.append(None)
        except NotAllCame as error:
            ended.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> Outcome:
        thread.join(timeout=20)
        return ended[0]

    return result


def test_all_come_in_any_order_and_leave_the_port() -> None:
    address = free_address()
    later = [started(address, 3, i, seconds=10) for i in (2, 1)]
    time.sleep(0.3)
    stranger = None
    first = started(address, 3, 0, seconds=10)
    host, port = address.split(":")
    for _ in range(20):
        try:
            stranger = socket.create_connection((host, int(port)), timeout=1)
            stranger.close()
            break
        except OSError:
            time.sleep(0.05)
    assert [first(), *(each() for each in later)] == [None] * 3
    with socket.create_server((host, int(port))):
        pass


@pytest.mark.slow
def test_whoever_waits_says_for_whom_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "_FIRST_WORD", 0.2)
    monkeypatch.setattr(rendezvous, "_NEXT_WORD", 0.2)
    address, words = free_address(), list[str]()
    first = started(address, 3, 0, seconds=4, say=words.append)
    second = started(address, 3, 1, seconds=20)
    error = "waiting for 1 of 3 processes: none came within 4 seconds"
    assert first() == error
    assert second() == error  # it is told at once
    assert words[-1] == "waiting for 1 of 3 processes"
    assert set(words[:-1]) <= {f"waiting for {n} of 3 processes" for n in (1, 2)}  # a busy machine


def test_process_0_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "_FIRST_WORD", 0.2)
    address, words = free_address(), list[str]()
    alone = started(address, 2, 1, seconds=1.0, say=words.append)
    assert alone() == f"waiting for process 0 at {address}: none came within 1 seconds"
    assert words == [f"waiting for process 0 at {address}"]


@pytest.mark.parametrize(
    ("callers", "error"),
    [
        ([(3, 1), (3, 1)], "process 1 of 3 came twice"),
        ([(2, 1)], "process 1 of 2 came, here there are 3"),
    ],
    ids=["twice", "other number"],
)
def test_processes_that_do_not_fit(callers: list[tuple[int, int]], error: str) -> None:
    address = free_address()
    first = started(address, 3, 0, seconds=10)
    others = [started(address, *caller, seconds=10) for caller in callers]
    assert [first(), *(other() for other in others)] == [error] * (1 + len(callers))


def test_a_host_that_nobody_knows() -> None:
    assert "no-such-host.invalid" in str(started("no-such-host.invalid:1", 2, 1, seconds=5)())


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("", 0)) as taken, pytest.raises(OSError, match="in use"):
        meet(f"localhost:{taken.getsockname()[1]}", 2, 0, seconds=1)
