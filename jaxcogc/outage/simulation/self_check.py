"""Does the engine count right on this machine? Controls, speed, determinism.

``python -m jaxcogc.outage.simulation.self_check`` prints the digest of known blocks as JSON: what
the same program counts in another process, on other devices.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
from scipy import stats

import jaxcogc
from jaxcogc.coding.codes import cyclic_code
from jaxcogc.links.network import Network
from jaxcogc.outage.counts import BLOCK_TRIALS, OutcomeCounts
from jaxcogc.outage.laws.gc_outage import gc_outage_probability
from jaxcogc.outage.simulation.block_words import run_words
from jaxcogc.outage.simulation.blocks import BlockSimulation, compile_blocks
from jaxcogc.outage.simulation.program_inputs import prepare_run
from jaxcogc.runtime.devices import describe_devices
from jaxcogc.runtime.random_words import seed_key

_CLIENTS, _STRAGGLERS, _ATTEMPTS = 4, 2, 2
_SPEED_SECONDS = 2.0
_VIRTUAL_DEVICES = 4
_FALSE_ALARM = 1e-9
_CODE = cyclic_code(seed_key(1), _CLIENTS, _STRAGGLERS)


class Check(NamedTuple):
    """One line of the result; `ok` is None where nothing can be wrong."""

    name: str
    ok: bool | None
    detail: str


def run_checks() -> Iterator[Check]:
    """All checks, one after the other; the whole takes well under a minute."""
    yield from _versions()
    started = time.perf_counter()
    simulation = compile_blocks(_network(0.3), _CODE, num_attempts=_ATTEMPTS)
    seconds = time.perf_counter() - started
    yield Check("compilation", None, f"{_CLIENTS} clients, {_ATTEMPTS} attempts: {seconds:.1f} s")
    yield _certain(simulation, 0.0)
    yield _certain(simulation, 1.0)
    yield _closed_form(simulation)
    yield _speed(simulation)
    yield _determinism(simulation)


def _network(erasure: float) -> Network:
    return Network.homogeneous(_CLIENTS, uplink_erasure=erasure, peer_erasure=erasure)


def _count(simulation: BlockSimulation, erasure: float, num_blocks: int) -> list[OutcomeCounts]:
    run = prepare_run(run_words(seed_key(2)), _network(erasure), _CODE)
    counts: list[OutcomeCounts] = []
    while len(counts) < num_blocks:
        num = min(simulation.most_blocks, num_blocks - len(counts))
        counts += simulation.start(run, len(counts), num)().counts
    return counts


def _versions() -> Iterator[Check]:
    yield Check("device", None, f"{describe_devices(jax.devices())} ({jax.default_backend()})")
    names = ("jax", "jaxlib", "numpy", "scipy")
    told = [f"{name} {importlib.metadata.version(name)}" for name in names]
    told += [f"python {platform.python_version()}", f"sqlite {sqlite3.sqlite_version}"]
    yield Check("versions", None, f"jaxcogc {jaxcogc.__version__}, " + ", ".join(told))


def _certain(simulation: BlockSimulation, erasure: float) -> Check:
    """Links that never (or always) lose everything leave no doubt about a single count."""
    (counts,) = _count(simulation, erasure, 1)
    expected = BLOCK_TRIALS if erasure == 0 else 0
    found = (counts.gc, counts.gc_plus_full, counts.row_space_exact)
    rank = (_CLIENTS - _STRAGGLERS) * expected
    ok = found == (expected,) * 3 and counts.rank_sum == rank
    words = "everything" if erasure == 0 else "nothing"
    return Check(f"erasure {erasure:g}", ok, f"{words} recovered in {BLOCK_TRIALS:,} trials")


def _closed_form(simulation: BlockSimulation) -> Check:
    counts = _count(simulation, 0.3, 16)
    trials = sum(part.trials for part in counts)
    outages = trials - sum(part.gc for part in counts)
    law = float(gc_outage_probability(_network(0.3), _STRAGGLERS, _ATTEMPTS))
    ok = stats.binomtest(outages, trials, law).pvalue > _FALSE_ALARM
    detail = f"gc_outage {outages / trials:.5f} in {trials:,} trials, closed form {law:.5f}"
    return Check("closed form", bool(ok), detail)


def _speed(simulation: BlockSimulation) -> Check:
    run = prepare_run(run_words(seed_key(2)), _network(0.3), _CODE)
    started, blocks = time.perf_counter(), 0
    while time.perf_counter() - started < _SPEED_SECONDS:
        simulation.start(run, blocks, simulation.most_blocks)()
        blocks += simulation.most_blocks
    speed = blocks * BLOCK_TRIALS / (time.perf_counter() - started)
    return Check("speed", None, f"{speed:,.0f} trials/s")


def digest(simulation: BlockSimulation) -> str:
    """A hash of all counts of five blocks."""
    sha = hashlib.sha256()
    for counts in _count(simulation, 0.3, 5):
        for field in counts:
            sha.update(np.asarray(field, "<i8").tobytes())
    return sha.hexdigest()[:16]


def _determinism(simulation: BlockSimulation) -> Check:
    """The same counts from several virtual devices of the processor, in another process."""
    changed = {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(_VIRTUAL_DEVICES)}
    inherited = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    run = subprocess.run(
        [sys.executable, "-m", "jaxcogc.outage.simulation.self_check"],
        capture_output=True,
        text=True,
        check=False,
        env={**inherited, **changed},
    )
    if run.returncode != 0:
        reason = (run.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return Check("determinism", False, f"the other process failed: {reason}")
    there = json.loads(run.stdout.splitlines()[-1])
    ok = there == {"devices": _VIRTUAL_DEVICES, "digest": digest(simulation)}
    where = f"{_VIRTUAL_DEVICES} virtual devices"
    return Check("determinism", ok, f"{'equal' if ok else 'DIFFERENT'} counts on {where}")


def main() -> None:
    """Print the digest that this process gets."""
    simulation = compile_blocks(_network(0.3), _CODE, num_attempts=_ATTEMPTS)
    print(json.dumps({"devices": jax.device_count(), "digest": digest(simulation)}))


if __name__ == "__main__":
    main()
