"""`real`: decoding with real numbers; the weights alone, and whole payloads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console

from benchmarks.cases import SHAPES, Shape, make_code, make_links
from benchmarks.decode import work_of
from benchmarks.measure import Program, first_runs, in_turn
from benchmarks.payloads import measure_payloads
from benchmarks.report import environment, rate_table, rates_and_ratios
from jaxcogc import GradientCode, Links, gc_plus_weights, gc_weights, recover
from jaxcogc.runtime import compiler_options

CUT = 1e-9
"""Singular values below this share of the largest are cut, by both programs."""

ERASURES = (0.1, 0.4)
"""Of all links: where the standard decoder mostly succeeds, and where hardly a row is complete."""

_DECODERS = ("gc_weights", "gc_plus_weights")


_jit = partial(jax.jit, compiler_options=compiler_options(jax.default_backend()))
_recover_many = _jit(jax.vmap(recover, (None, None, 0)))


def received_rows(matrix: Any, links: Links, complete: bool, xp: Any) -> Any:
    """Received matrices [..., rows, clients], of the complete rows alone if wanted."""
    heard = links.uplink_delivered
    if complete:
        heard = heard & xp.all(links.peer_delivered | (matrix == 0), axis=-1)
    rows = xp.where(heard[..., None] & links.peer_delivered, matrix, 0.0)
    return rows.reshape(*rows.shape[:-3], -1, rows.shape[-1])


@_jit
def _pinv_of_complete(matrix, links):
    """1^T C^+ of every trial."""
    pinv = jax.vmap(lambda rows: jnp.linalg.pinv(rows, rtol=CUT))
    return jnp.sum(pinv(received_rows(matrix, links, True, jnp)), axis=-2)


@_jit
def _pinv_of_all(matrix, links):
    """R^+ of every trial."""
    pinv = jax.vmap(lambda rows: jnp.linalg.pinv(rows, rtol=CUT))
    return pinv(received_rows(matrix, links, False, jnp))


_OURS: dict[str, Callable[..., Any]] = {
    "gc_weights": _jit(jax.vmap(gc_weights, (None, 0))),
    "gc_plus_weights": _jit(jax.vmap(gc_plus_weights, (None, 0))),
}
_THEIRS: dict[str, Callable[..., Any]] = {
    "gc_weights": _pinv_of_complete,
    "gc_plus_weights": _pinv_of_all,
}


def make_programs(decoder: str, code: GradientCode, links: Links, work: int) -> list[Program]:
    """Ours and ``jit(vmap(pinv))`` in float64, on the same links."""
    ours = _OURS[decoder]
    theirs = _THEIRS[decoder]

    def run_ours():
        return jax.block_until_ready(ours(code, links))

    def run_theirs():
        with jax.enable_x64(True):
            return jax.block_until_ready(theirs(jnp.asarray(code.matrix), links))

    return [Program(decoder, run_ours, work), Program("jit(vmap(pinv))", run_theirs, work)]


def gc_error(code: GradientCode, links: Links, weights: Any) -> np.ndarray:
    """How far w C is from the closest to 1 that the complete rows can form.

    The rest 1 - w C of a least-squares fit is orthogonal to every row: the largest inner product of
    rest and row, over their largest possible value.
    """
    rows = received_rows(code.matrix, links, True, np)
    rest = 1 - np.einsum("tr,trk->tk", np.asarray(weights), rows)
    size = np.linalg.norm(rows, axis=-1).max(axis=-1) * np.sqrt(code.num_clients)
    inner = np.abs(np.einsum("tk,trk->tr", rest, rows)).max(axis=-1)
    return (inner / np.where(size == 0, 1, size))[size > 0]


def gc_plus_error(code: GradientCode, links: Links, weights: Any) -> np.ndarray:
    """Largest distance of W_k R from e_k over the clients k that can be recovered (exactly
    decided), in trials where there are some."""
    recovered = np.asarray(_recover_many(jax.random.key(2), code, links).client_recovered)
    rows = received_rows(code.matrix, links, False, np)
    rest = np.asarray(weights) @ rows - np.eye(code.num_clients)
    distance = np.where(recovered, np.linalg.norm(rest, axis=-1), 0.0).max(axis=-1)
    return distance[recovered.any(axis=-1)]


_ERRORS = {"gc_weights": gc_error, "gc_plus_weights": gc_plus_error}


def summary(errors: np.ndarray) -> dict[str, float] | None:
    """Median, 99 % quantile and largest; None without any."""
    if not errors.size:
        return None
    median, high, largest = np.quantile(errors, [0.5, 0.99, 1.0])
    return {"median": float(median), "99 %": float(high), "largest": float(largest)}


def measure_weights(
    shape: Shape, erasure: float, quick: bool, repeats: int, console: Console
) -> dict[str, Any]:
    """Weights alone, at one shape and erasure, on one device: errors first, then times."""
    work = work_of(shape, quick).batched
    code, links = make_code(shape), make_links(shape, work, erasure=erasure)
    on_device = jax.device_put(links)
    result: dict[str, Any] = {"shape": shape._asdict(), "erasure": erasure, "decoders": {}}
    for decoder in _DECODERS:
        programs = make_programs(decoder, code, on_device, work)
        first = first_runs(programs)
        errors = {
            name: summary(_ERRORS[decoder](code, links, weights))
            for name, (_, weights) in first.items()
        }
        title = f"real, {decoder}, (M, s, A) = {tuple(shape)}, all erasures {erasure}"
        console.print(f"\n{title}: errors of the weights on {work} trials")
        for name, error in errors.items():
            text = "nothing to recover" if error is None else describe(error)
            console.print(f"  {name}: {text}", soft_wrap=True)
        timings = in_turn(programs, repeats, {name: s for name, (s, _) in first.items()})
        console.print(rate_table(title, "trials", list(timings.values()), decoder))
        result["decoders"][decoder] = {"errors": errors, **rates_and_ratios(timings, decoder)}
    return result


def describe(error: dict[str, float]) -> str:
    """An error summary in words.

    >>> describe({"median": 1e-16, "largest": 2e-14})
    'median 1.0e-16, largest 2.0e-14'
    """
    return ", ".join(f"{name} {value:.1e}" for name, value in error.items())


def run(
    quick: bool, console: Console, shapes: Sequence[Shape] = SHAPES, repeats: int = 7
) -> dict[str, Any]:
    """Weights at all shapes, payloads at the first; returns what goes into the result file."""
    before = environment()
    weights = [
        measure_weights(shape, erasure, quick, repeats, console)
        for shape in shapes
        for erasure in ERASURES
    ]
    payloads = measure_payloads(shapes[0], quick, console)
    return {"benchmark": "real", "quick": quick, **before, "weights": weights, **payloads}
