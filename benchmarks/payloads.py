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
from jaxcogc import (
    GradientCode,
    Links,
    Recovery,
    encode,
    gc_plus_weights,
    gc_weights,
    recover,
    row_space_weights,
)

ERASURE = 0.1
"""Light enough for the standard decoder to succeed in most trials."""

NUM_TRIALS = 10_000
_MOST_NUMBERS = 2 * 10**10
"""Numbers that arrive in all trials of a measurement; the longest payloads get fewer trials."""
_MOST_CHECKED = 2 * 10**7
"""Numbers of an update in all trials whose errors are looked at."""
_CHUNK_BYTES = 2**23
"""Of what arrives in the trials that are computed at once. More leaves the caches, and large new
arrays get their memory page by page, which takes several times as long as the products."""

DECODERS = ("gc", "gc_plus", "row_space")
STAGES = ("encode", *DECODERS)

_recover_many = jax.jit(jax.vmap(recover, (None, None, 0)))

Stages = dict[str, Callable[[Links, Any, Any], Any]]


def trials_of(shape: Shape, length: int, quick: bool) -> int:
    """Trials of a measurement.

    >>> [trials_of(Shape(10, 7, 2), length, False) for length in (1000, 100_000, 1_000_000)]
    [10000, 10000, 1000]
    """
    rows = shape.clients * shape.attempts
    return min(16 if quick else NUM_TRIALS, max(4, _MOST_NUMBERS // (rows * length)))


def chunk_of(trials: int, trial_bytes: int) -> int:
    """Trials at once: as many as divide all of them and fit.

    >>> chunk_of(10_000, 80_000), chunk_of(1000, 10**9)
    (100, 1)
    """
    most = min(trials, max(1, _CHUNK_BYTES // trial_bytes))
    return max(n for n in range(1, most + 1) if trials % n == 0)


def make_stages(code: GradientCode, dtype: Any) -> Stages:
    """The stages of a chunk of trials, compiled apart.

    ``encode(links, updates, old)`` gives the payloads [trials, rows, numbers]; ``gc(links,
    payloads, old)`` and ``row_space`` the averages [trials, numbers]; ``gc_plus`` single updates
    [trials, clients, numbers]. Weights are computed in float64 and applied in the dtype of the
    payload. ``old`` is an earlier result whose memory the new one takes.
    """

    def decoded(weights: Callable[..., Any], share: float, links: Links, payload: Any) -> Any:
        product = partial(jnp.matmul, precision=lax.Precision.HIGHEST)
        return product(share * weights(code, links).astype(dtype), payload)

    functions = {
        "encode": jax.vmap(partial(encode, code), (0, None)),
        "gc": jax.vmap(partial(decoded, gc_weights, 1 / code.num_clients)),
        "gc_plus": jax.vmap(partial(decoded, gc_plus_weights, 1)),
        "row_space": jax.vmap(partial(decoded, row_space_weights, 1 / code.num_clients)),
    }

    def into(function: Callable[..., Any]) -> Any:
        def stage(links: Links, operand: Any, old: Any) -> Any:
            return function(links, operand)

        return jax.jit(stage, donate_argnums=2, keep_unused=True)

    return {name: into(function) for name, function in functions.items()}


def memory_of(shape: Shape, length: int, dtype: Any, chunk: int) -> dict[str, Any]:
    """First ``old`` of every stage."""
    rows, clients = shape.clients * shape.attempts, shape.clients
    shapes = {"encode": (rows, length), "gc_plus": (clients, length)}
    return {name: jnp.zeros((chunk, *shapes.get(name, (length,))), dtype) for name in STAGES}


def one_round(
    stages: Stages,
    updates: Any,
    links: Links,
    memory: dict[str, Any],
    look: Callable[[int, dict[str, Any]], None] | None = None,
) -> dict[str, float]:
    """Seconds of every stage over all trials, a chunk at a time; ``look`` sees what was decoded.

    ``memory`` holds the results of a chunk, at first those of ``memory_of``.
    """
    seconds = dict.fromkeys(STAGES, 0.0)
    chunk = len(memory["encode"])
    for start in range(0, len(links.uplink_delivered), chunk):
        some = jax.device_put(jax.tree.map(lambda x, s=start: x[s : s + chunk], links))
        jax.block_until_ready(some)
        for stage in STAGES:
            operand = updates if stage == "encode" else memory["encode"]
            started = time.perf_counter()
            memory[stage] = jax.block_until_ready(stages[stage](some, operand, memory[stage]))
            seconds[stage] += time.perf_counter() - started
        if look is not None:
            look(start, memory)
    return seconds


def measure_length(shape: Shape, length: int, dtype: Any, quick: bool) -> dict[str, Any]:
    """One payload length and dtype: errors of the first trials, then the time of all of them."""
    trials = trials_of(shape, length, quick)
    rows = shape.clients * shape.attempts
    chunk = chunk_of(trials, rows * length * np.dtype(dtype).itemsize)
    code, links = make_code(shape), make_links(shape, trials, erasure=ERASURE)
    checked = min(trials, max(1, min(1000, _MOST_CHECKED // length) // chunk) * chunk)
    first = jax.tree.map(lambda x: x[:checked], links)
    decided = _recover_many(jax.random.key(3), code, first)
    truth = np.random.default_rng(5).standard_normal((shape.clients, length)).astype(dtype)
    errors = Errors(truth, jax.tree.map(np.asarray, decided))
    scope = jax.enable_x64(True) if dtype == np.float64 else contextlib.nullcontext()
    with scope:
        stages = make_stages(code, dtype)
        updates, memory = jax.device_put(truth), memory_of(shape, length, dtype, chunk)
        one_round(stages, updates, first, memory, errors.look)
        seconds = one_round(stages, updates, links, memory)
    return {
        "numbers": length,
        "dtype": np.dtype(dtype).name,
        "trials": trials,
        "chunk": chunk,
        "rates": {stage: trials / seconds[stage] for stage in STAGES},
        "seconds": seconds,
        "relative_errors": errors.summaries(),
    }


class Errors:
    """Relative errors against the float64 truth, where it can be recovered (exactly decided)."""

    def __init__(self, truth: np.ndarray, decided: Recovery) -> None:
        self.updates = truth.astype(np.float64)
        self.norms = np.linalg.norm(self.updates, axis=1)
        self.average = self.updates.mean(axis=0)
        self.decided = decided
        self.found: dict[str, list[float]] = {decoder: [] for decoder in DECODERS}

    def look(self, start: int, decoded: dict[str, Any]) -> None:
        """Compare what one chunk of trials, from ``start`` on, decoded."""
        for decoder, recovered in (
            ("gc", self.decided.gc),
            ("row_space", self.decided.sum_recovered),
        ):
            for trial, average in enumerate(np.asarray(decoded[decoder]), start):
                if recovered[trial]:
                    gap = np.linalg.norm(average - self.average)
                    self.found[decoder].append(float(gap / np.linalg.norm(self.average)))
        for trial, single in enumerate(np.asarray(decoded["gc_plus"]), start):
            if (known := self.decided.client_recovered[trial]).any():
                gaps = np.linalg.norm(single - self.updates, axis=1)
                self.found["gc_plus"].append(float((gaps / self.norms)[known].max()))

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


def measure_payloads(shape: Shape, quick: bool, console: Console) -> dict[str, Any]:
    """All payload lengths in both dtypes; prints one table."""
    lengths = (100, 1000) if quick else (10**3, 10**4, 10**5, 10**6)
    title = f"real, payloads, (M, s, A) = {tuple(shape)}, all erasures {ERASURE}"
    table = Table(title=title, title_justify="left")
    heads = ("numbers", "dtype", "trials", *(f"{stage}/s" for stage in STAGES))
    for head in (*heads, *(f"{decoder} error" for decoder in DECODERS)):
        table.add_column(head, justify="right")
    results = []
    for length in lengths:
        for dtype in (np.float32, np.float64):
            result = measure_length(shape, length, dtype, quick)
            results.append(result)
            largest = [result["relative_errors"][decoder]["largest"] for decoder in DECODERS]
            table.add_row(
                str(length),
                result["dtype"],
                str(result["trials"]),
                *(short(result["rates"][stage]) for stage in STAGES),
                *("none" if value is None else f"{value:.1e}" for value in largest),
            )
    console.print(table)
    console.print(
        "rates in trials/s; the largest relative error of the first trials that can be decoded",
        soft_wrap=True,
    )
    return {"payload_shape": shape._asdict(), "payload_erasure": ERASURE, "payloads": results}
