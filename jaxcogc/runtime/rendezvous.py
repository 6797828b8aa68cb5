"""The processes of a run meet before JAX joins them: JAX waits without a word, and then aborts.

Process 0 listens on the coordinator's port until every other process has called; then it sends all
of them on and leaves the port to JAX. No JAX here.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

WAIT_SECONDS = 300.0
"""How long the first process waits for the last one."""
_FIRST_WORD, _NEXT_WORD = 3.0, 30.0
_GO = "all are here"

Say = Callable[[str], None]


class NotAllCame(RuntimeError):
    """Who is missing, or does not belong here; one line."""


class _Patience:
    """Words about what is waited for, rarely, until the time is over."""

    def __init__(self, seconds: float, say: Say) -> None:
        self._started, self._seconds, self._say = time.monotonic(), seconds, say
        self._next_word = _FIRST_WORD

    def wait(self, what: str) -> None:
        waited = time.monotonic() - self._started
        if waited > self._seconds:
            raise NotAllCame(f"{what}: none came within {self._seconds:g} seconds")
        if waited > self._next_word:
            self._say(what)
            self._next_word = waited + _NEXT_WORD


def meet(
    coordinator: str,
    num_processes: int,
    process_id: int,
    *,
    say: Say = lambda text: None,
    seconds: float = WAIT_SECONDS,
) -> None:
    """Return in every process once all are there.

    Args:
      coordinator: "HOST:PORT" of process 0.
      num_processes, process_id: as in `processes.join_processes`.
      say: told every now and then who is waited for.
      seconds: how long.

    Raises:
      NotAllCame: not all came in time, or one came twice or with other numbers.
      OSError: the address is nobody's, or taken.
    """
    host, _, port = coordinator.rpartition(":")
    patience, address = _Patience(seconds, say), (host.strip("[]"), int(port))
    if process_id == 0:
        _gather(address, num_processes, patience)
    else:
        _call(address, f"{process_id} of {num_processes}", patience)


def _gather(address: tuple[str, int], num_processes: int, patience: _Patience) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(_listener(address[1]))
        listener.settimeout(0.2)
        callers: dict[str, socket.socket] = {}
        expected = {f"{i} of {num_processes}" for i in range(1, num_processes)}
        try:
            while missing := expected - callers.keys():
                patience.wait(f"waiting for {len(missing)} of {num_processes} processes")
                with suppress(TimeoutError):
                    caller = stack.enter_context(listener.accept()[0])
                    caller.settimeout(1.0)
                    with suppress(OSError):  # no process of ours: it says nothing, or is gone
                        _admit(_read(caller), caller, expected, callers)
            answer = _GO
        except NotAllCame as error:
            answer = str(error)
            raise
        finally:
            for caller in callers.values():
                with suppress(OSError):
                    caller.sendall(f"{answer}\n".encode())
            for caller in callers.values():
                with suppress(OSError):  # who closes last keeps no part of the port
                    caller.recv(1)


def _listener(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _admit(
    name: str, caller: socket.socket, expected: set[str], callers: dict[str, socket.socket]
) -> None:
    _, of, number = name.partition(" of ")
    if of and number.isdecimal() and (name in callers or name not in expected):
        problem = "came twice" if name in callers else f"came, here there are {len(expected) + 1}"
        callers[name + " again"] = caller  # it is told too
        raise NotAllCame(f"process {name} {problem}")
    if name in expected:
        callers[name] = caller


def _call(address: tuple[str, int], name: str, patience: _Patience) -> None:
    while True:
        patience.wait(f"waiting for process 0 at {address[0]}:{address[1]}")
        try:
            with socket.create_connection(address, timeout=1.0) as line:
                line.sendall(f"{name}\n".encode())
                answer = ""
                while not answer:
                    patience.wait("waiting for the other processes")
                    with suppress(TimeoutError):
                        answer = _read(line)
        except socket.gaierror as error:
            raise NotAllCame(f"{address[0]}: {error.strerror}") from error
        except OSError:  # nobody there yet, or gone again
            time.sleep(0.2)
            continue
        if answer != _GO:
            raise NotAllCame(answer)
        return


def _read(line: socket.socket) -> str:
    """One line of text; ConnectionError where there is none."""
    text = line.recv(256).decode(errors="replace")
    if not text:
        raise ConnectionResetError
    return text.strip()
