"""`own`: link models and outcomes of one's own against the built-in ones; and stratified trials."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console

from benchmarks.cases import ERASURE, SHAPES, Shape, make_code, make_network
from benchmarks.decode import AnswersDiffer
from benchmarks.measure import Program, first_runs, in_turn
from benchmarks.pipeline import SIGMAS, trials_of
from benchmarks.report import rate_table, rates_and_ratios, result_of
from jaxcogc import LinkDynamics, Links, Network, Outcomes, Recovery, simulate_outcomes

MEMORY = 0.6
PEER_ERASURE = 0.25
"""Of the stratified trials' worth: links between clients lose less than uplinks."""
BUILT_IN, STRATIFIED = "built in", "stratified"
LINKS, OUTCOME, BOTH = "own links", "own outcome", "own links and outcome"


def own_links(shape: Shape) -> Callable[[Any, Any], Links]:
    """Hard two-state links, as a user would write them: a Markov chain of its transitions."""
    clients = shape.clients
    turns_bad = (1 - MEMORY) * ERASURE
    stays_bad = MEMORY + turns_bad

    def draw(key: Any, trial: Any) -> Links:
        numbers = jax.random.uniform(key, (shape.attempts, clients, clients))
        states = [numbers[0] < ERASURE]
        for number in numbers[1:]:
            states.append(number < jnp.where(states[-1], stays_bad, turns_bad))
        erased = jnp.stack(states)
        uplinks = ~jnp.diagonal(erased, axis1=1, axis2=2)
        return Links(uplinks, ~erased | jnp.eye(clients, dtype=bool))

    return draw


def own_outcome(shape: Shape) -> Callable[[Recovery, Links], Any]:
    """Standard decoding of a cyclic code, from the links alone."""
    clients, needed = shape.clients, shape.clients - shape.stragglers

    def decoded(recovery: Recovery, links: Links) -> Any:
        offset = (jnp.arange(clients) - jnp.arange(clients)[:, None]) % clients
        covered = (links.peer_delivered | (offset > shape.stragglers)).all(-1)
        return (covered & links.uplink_delivered).any(0).sum() >= needed

    return decoded


def make_run(shape: Shape, num_trials: int, kind: str) -> Callable[[], Outcomes]:
    """``run()`` with another seed at every call."""
    network, code, seeds = make_network(shape), make_code(shape), itertools.count()
    outcomes = {"decoded": own_outcome(shape)}
    options: dict[str, dict[str, Any]] = {
        BUILT_IN: {"dynamics": LinkDynamics(memory=MEMORY)},
        STRATIFIED: {"dynamics": LinkDynamics(memory=MEMORY), "estimator": "stratified"},
        LINKS: {"links": own_links(shape)},
        OUTCOME: {"dynamics": LinkDynamics(memory=MEMORY), "outcomes": outcomes},
        BOTH: {"links": own_links(shape), "outcomes": outcomes},
    }

    def run() -> Outcomes:
        return simulate_outcomes(
            jax.random.key(next(seeds)),
            network,
            code,
            num_trials=num_trials,
            num_attempts=shape.attempts,
            **options[kind],
        )

    return run


def apart(found: Outcomes, expected: Outcomes) -> float:
    """The most standard errors between estimates of two runs of as many trials."""
    trials, far = expected.trials or 1, 0.0
    pairs = [(getattr(found, name), value) for name, value in expected.by_name().items()]
    pairs += [(1 - value, expected.gc_outage) for value in found.custom.values()]
    for ours, theirs in pairs:
        both = (ours + theirs) / 2
        far = max(far, abs(ours - theirs) / max(2 * both * (1 - both) / trials, trials**-2) ** 0.5)
    return far


def worth_over_seeds(shape: Shape, quick: bool) -> dict[str, float | None]:
    """Plain variance over that of the stratified estimates of many seeds; known to about 10 %."""
    network = Network.homogeneous(shape.clients, uplink_erasure=ERASURE, peer_erasure=PEER_ERASURE)
    code, trials = make_code(shape), 2**14
    found = [
        simulate_outcomes(
            jax.random.key(seed),
            network,
            code,
            num_trials=trials,
            num_attempts=shape.attempts,
            estimator=STRATIFIED,
        ).by_name()
        for seed in range(8 if quick else 200)
    ]
    worth: dict[str, float | None] = {}
    for name in found[0]:
        values = np.array([float(one[name]) for one in found])
        p, variance = values.mean(), values.var(ddof=1)
        worth[name] = float(p * (1 - p) / trials / variance) if variance > 1e-24 else None
    return worth


def measure_shape(shape: Shape, quick: bool, repeats: int, console: Console) -> dict[str, Any]:
    """One shape: agreement first, then times; and what stratified trials are worth."""
    num_trials = 2 * trials_of(shape, quick, jax.default_backend())
    kinds = (BUILT_IN, STRATIFIED, LINKS, OUTCOME, BOTH)
    programs = [Program(kind, make_run(shape, num_trials, kind), num_trials) for kind in kinds]
    first = first_runs(programs)
    far = {kind: apart(found, first[BUILT_IN][1]) for kind, (_, found) in first.items()}
    if max(far.values()) > SIGMAS:
        raise AnswersDiffer(f"{tuple(shape)}: estimates differ: {far}")
    timings = in_turn(programs, repeats, {name: seconds for name, (seconds, _) in first.items()})
    title = f"own, (M, s, A) = {tuple(shape)}, all mean erasures {ERASURE}, memory {MEMORY}"
    console.print(rate_table(title, "trials", list(timings.values()), BUILT_IN))
    worth = worth_over_seeds(shape, quick)
    told = {name: "-" if value is None else f"{value:.1f}" for name, value in worth.items()}
    console.print(
        f"erasure {ERASURE}, between clients {PEER_ERASURE}, no memory: a stratified trial is "
        f"worth so many plain ones, by the variance over seeds: {told}"
    )
    return {
        "shape": shape._asdict(),
        "erasure": ERASURE,
        "memory": MEMORY,
        "plain_trials_worth": worth,
        "standard_errors_apart": far,
        **rates_and_ratios(timings, BUILT_IN),
    }


def run(
    quick: bool, console: Console, shapes: Sequence[Shape] = SHAPES, repeats: int = 7
) -> dict[str, Any]:
    """All shapes; returns what goes into the result file."""
    cases = (measure_shape(shape, quick, repeats, console) for shape in shapes)
    return result_of("own", quick, console, cases)
