"""Two signals: the first is a request, the second ends the process wherever it is."""

import os
import signal
import subprocess
import sys
import threading
import time

from jaxcogc.runtime.signals import graceful_interrupts
from tests.cli.program import environment

# Native code that neither looks at signals nor returns for a long time, as a compilation does.
BUSY = """
import hashlib
from jaxcogc.runtime.signals import graceful_interrupts
with graceful_interrupts(lambda: print("first", flush=True), lambda: print("second", flush=True)):
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
"""


def test_first_signal_is_a_request() -> None:
    before = signal.getsignal(signal.SIGINT)
    heard = threading.Event()
    with graceful_interrupts(heard.set) as interruption:
        assert not interruption.requested
        assert interruption.exit_code == 0
        os.kill(os.getpid(), signal.SIGINT)
        assert heard.wait(timeout=10)
        assert interruption.requested
        assert interruption.exit_code == 130
    assert signal.getsignal(signal.SIGINT) is before


def test_nothing_is_caught_afterwards() -> None:
    # Shells let what they start in the background ignore the signal; Python keeps it so.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupted = False
    try:
        with graceful_interrupts():
            pass
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        signal.signal(signal.SIGINT, before)
    assert interrupted


def test_outside_of_the_main_thread() -> None:
    seen = []

    def work() -> None:
        with graceful_interrupts() as interruption:
            seen.append(interruption.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


def test_second_signal_ends_native_code() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "first\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "second\n"
        assert process.wait(timeout=10) == 143


def test_shield_holds_the_second_signal_back() -> None:
    code = """
import os, signal, time
from jaxcogc.runtime.signals import graceful_interrupts
with graceful_interrupts() as interruption:
    with interruption.shield:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)
        print("written", flush=True)
    time.sleep(30)
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        env=environment(),
    )
    assert (run.stdout, run.returncode) == ("written\n", 130)
