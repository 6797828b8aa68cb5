"""Payloads of 1e3 to 1e6 numbers: encode, decode, and how close the result is to the truth."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from rich.console import Console
from rich.table import Table

from benchmarks.cases import Shape, make_code, make_links
from benchmarks.report import short
from jaxcogc.coding.codes import GradientCode
from jaxcogc.coding.decoding import gc_plus_weights, gc_weights
from jaxcogc.coding.encoding import encode
from jaxcogc.coding.recovery import Recovery, recover
from jaxcogc.links.sampling import Links

ERASURE = 0.1
"""Light enough for the standard decoder to succeed in most trials."""

NUM_TRIALS = 10_000
_MOST_NUMBERS = 2**28
"""Numbers that arrive in all trials of a measurement; long payloads get fewer trials."""
_MOST_ROUNDS = 5
_CHUNK_BYTES = 2**26
STAGES = ("encode", "gc", "gc_plus")


def trials_of(shape: Shape, length: int, quick: bool) -> int:
    """Trials of a measurement.

    >>> [trials_of(Shape(10, 7, 2), length, False) for length in (1000, 10_000, 1_000_000)]
    [10000, 1342, 13]
    """
    rows = shape.clients * shape.attempts
    return min(16 if quick else NUM_TRIALS, max(4, _MOST_NUMBERS // (rows * length)))


def make_stages(code: GradientCode, dtype: Any) -> dict[str, Callable[..., Any]]:
    """The three stages of a chunk of trials, compiled apart.

    ``encode(links, updates)`` gives the payloads [trials, rows, numbers]; ``gc(links, payloads)``
    the averages [trials, numbers]; ``gc_plus(links, payloads)`` single updates [trials, clients,
    numbers]. Weights are computed in float64 and applied in the dtype of the payload.
    """
    highest = lax.Precision.HIGHEST

    def gc(links, payload):
        weights = gc_weights(code, links).astype(dtype)
        return jnp.matmul(weights, payload, precision=highest) / code.num_clients

    def gc_plus(links, payload):
        return jnp.matmul(gc_plus_weights(code, links).astype(dtype), payload, precision=highest)

    return {
        "encode": jax.jit(jax.vmap(partial(encode, code), (0, None))),
        "gc": jax.jit(jax.vmap(gc)),
        "gc_plus": jax.jit(jax.vmap(gc_plus)),
    }


def one_round(
    stages: dict[str, Callable[..., Any]],
    updates: np.ndarray,
    links: Links,
    chunk: int,
    look: Callable[[slice, Any, Any], None] | None = None,
) -> dict[str, float]:
    """Seconds of every stage over all trials, a chunk at a time; ``look`` sees what was decoded."""
    seconds = dict.fromkeys(STAGES, 0.0)
    for start in range(0, len(links.uplink_delivered), chunk):
        part = slice(start, start + chunk)
        some = jax.device_put(jax.tree.map(lambda x, part=part: x[part], links))
        values: dict[str, Any] = {}
        for stage in STAGES:
            operand = updates if stage == "encode" else values["encode"]
            started = time.perf_counter()
            values[stage] = jax.block_until_ready(stages[stage](some, operand))
            seconds[stage] += time.perf_counter() - started
        if look is not None:
            look(part, values["gc"], values["gc_plus"])
    return seconds


def measure_length(
    shape: Shape, length: int, dtype: Any, quick: bool, repeats: int
) -> dict[str, Any]:
    """One payload length and dtype: errors from the first round, then times."""
    trials = trials_of(shape, length, quick)
    itemsize = np.dtype(dtype).itemsize
    rows = shape.clients * shape.attempts
    chunk = int(np.clip(_CHUNK_BYTES // (rows * length * itemsize), 1, min(trials, 1024)))
    trials -= trials % chunk  # one shape, one compilation
    code, links = make_code(shape), make_links(shape, trials, erasure=ERASURE)
    decided = jax.jit(jax.vmap(recover, (None, None, 0)))(jax.random.key(3), code, links)
    truth = np.random.default_rng(5).standard_normal((shape.clients, length)).astype(dtype)
    errors = Errors(truth, jax.tree.map(np.asarray, decided))
    scope = jax.enable_x64(True) if dtype == np.float64 else contextlib.nullcontext()
    with scope:
        stages = make_stages(code, dtype)
        updates = jax.device_put(truth)
        one_round(stages, updates, links, chunk, errors.look)
        rounds = range(min(repeats, _MOST_ROUNDS))
        seconds = [one_round(stages, updates, links, chunk) for _ in rounds]
    return {
        "numbers": length,
        "dtype": np.dtype(dtype).name,
        "trials": trials,
        "chunk": chunk,
        "rates": {
            stage: trials / float(np.median([r[stage] for r in seconds])) for stage in STAGES
        },
        "seconds": {stage: [r[stage] for r in seconds] for stage in STAGES},
        "relative_errors": errors.summaries(),
    }


class Errors:
    """Relative errors against the float64 truth, where it can be recovered (exactly decided)."""

    def __init__(self, truth: np.ndarray, decided: Recovery) -> None:
        self.updates = truth.astype(np.float64)
        self.average = self.updates.mean(axis=0)
        self.decided = decided
        self.found: dict[str, list[float]] = {"gc": [], "gc_plus": []}

    def look(self, part: slice, averages: Any, singles: Any) -> None:
        """Compare what one chunk of trials decoded."""
        norms = np.linalg.norm(self.updates, axis=1)
        numbers = range(*part.indices(len(self.decided.gc)))
        for trial, average, single in zip(numbers, averages, singles, strict=True):
            if self.decided.gc[trial]:
                gap = np.linalg.norm(np.asarray(average, np.float64) - self.average)
                self.found["gc"].append(float(gap / np.linalg.norm(self.average)))
            if (known := self.decided.client_recovered[trial]).any():
                gaps = np.linalg.norm(np.asarray(single, np.float64) - self.updates, axis=1)
                self.found["gc_plus"].append(float((gaps / norms)[known].max()))

    def summaries(self) -> dict[str, Any]:
        """Median, 99 % quantile, largest and number of trials by decoder."""
        result = {}
        for decoder, errors in self.found.items():
            values = np.quantile(errors, [0.5, 0.99, 1.0]) if errors else [None] * 3
            result[decoder] = {
                name: None if value is None else float(value)
                for name, value in zip(("median", "99 %", "largest"), values, strict=True)
            } | {"trials": len(errors)}
        return result


def measure_payloads(shape: Shape, quick: bool, repeats: int, console: Console) -> dict[str, Any]:
    """All payload lengths in both dtypes; prints one table."""
    lengths = (100, 1000) if quick else (10**3, 10**4, 10**5, 10**6)
    title = f"real, payloads, (M, s, A) = {tuple(shape)}, all erasures {ERASURE}"
    table = Table(title=title, title_justify="left")
    for head in (
        "numbers",
        "dtype",
        "trials",
        "encode/s",
        "gc/s",
        "gc_plus/s",
        "gc error",
        "gc_plus error",
    ):
        table.add_column(head, justify="right")
    results = []
    for length in lengths:
        for dtype in (np.float32, np.float64):
            result = measure_length(shape, length, dtype, quick, repeats)
            results.append(result)
            largest = [result["relative_errors"][decoder]["largest"] for decoder in STAGES[1:]]
            table.add_row(
                str(length),
                result["dtype"],
                str(result["trials"]),
                *(short(result["rates"][stage]) for stage in STAGES),
                *("none" if value is None else f"{value:.1e}" for value in largest),
            )
    console.print(table)
    console.print("rates in trials/s; the largest relative error of any trial that can be decoded")
    return {"payload_shape": shape._asdict(), "payload_erasure": ERASURE, "payloads": results}
