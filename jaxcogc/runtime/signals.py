"""Ctrl-C that finishes what is in flight: the first asks, the second ends at once.

Python runs a signal handler only between two bytecodes of the main thread, and the main thread may
sit in a compilation for many seconds. So the signal's number also goes into a socket
(`signal.set_wakeup_fd`: the C handler writes it straight away) which a small thread reads: a second
signal ends the process even then.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
"""Ctrl-C, a kill, a terminal that hangs up, and what batch systems send before the time is over."""


class Interruption:
    """Whether somebody asked the run to stop; look at it between two pieces of work.

    `shield` is a lock: while it is held a second signal waits, so that a file under way is
    finished. `nothing_to_finish` is a text: while it is not empty the first signal ends the process
    with this line, as the second does.
    """

    def __init__(self) -> None:
        self.signal_number = 0
        self.shield = threading.Lock()
        self.nothing_to_finish = ""

    def end_at_once(self, text: str) -> None:
        """From now on the first signal ends the process with this line; where empty, no more."""
        self.nothing_to_finish = "" if self.requested else text

    @contextmanager
    def ending_at_once(self, text: str) -> Iterator[None]:
        """A block, such as a compilation, whose loss costs nothing; signals end it with a line."""
        self.end_at_once(text)
        try:
            yield
        finally:
            self.end_at_once("")

    @property
    def requested(self) -> bool:
        """True after the first signal."""
        return self.signal_number != 0

    @property
    def exit_code(self) -> int:
        """What a shell expects: 128 + the signal's number (130 after SIGINT); 0 without one."""
        return 128 + self.signal_number if self.requested else 0


@contextmanager
def graceful_interrupts(
    on_first: Callable[[], None] = lambda: None, on_second: Callable[[], None] = lambda: None
) -> Iterator[Interruption]:
    """Catch `SIGNALS` within the block; yields the `Interruption` to look at.

    `on_first` and `on_second` are called from another thread, for a word to the user. Outside of
    the main thread, where Python allows no handlers, nothing is caught.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    watcher = threading.Thread(
        target=_watch, args=(reader, interruption, on_first, on_second), daemon=True
    )
    watcher.start()
    previous_fd = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    # One that is ignored is meant to be (nohup does it), but for SIGINT, which shells ignore for
    # whatever they start in the background.
    ignored = {n for n in SIGNALS if signal.getsignal(n) == signal.SIG_IGN} - {signal.SIGINT}
    caught = [number for number in SIGNALS if number not in ignored]
    previous = {number: signal.signal(number, _ignore) for number in caught}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(previous_fd)
        writer.close()  # the watcher reads the end of the stream and returns
        watcher.join(timeout=1)
        reader.close()


def _ignore(number: int, frame: FrameType | None) -> None:
    """Take the place of Python's own handler, which would raise KeyboardInterrupt anywhere."""


def _watch(
    reader: socket.socket,
    interruption: Interruption,
    on_first: Callable[[], None],
    on_second: Callable[[], None],
) -> None:
    with suppress(OSError):
        while received := reader.recv(1):
            number = received[0]
            if number not in SIGNALS:
                continue
            last_words = interruption.nothing_to_finish
            if not interruption.requested and not last_words:
                interruption.signal_number = number
                on_first()
            else:
                with interruption.shield:
                    on_second()
                    if last_words:
                        with suppress(OSError):
                            print(last_words, file=sys.stderr, flush=True)
                    os._exit(128 + number)
