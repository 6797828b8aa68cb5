"""The work of `jaxcogc bound`: probabilities, then arithmetic, then a table."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from jaxcogc.cli.bound.options import UNBIASED
from jaxcogc.cli.bound.request import BoundRequest
from jaxcogc.cli.shared.console import all_or_nothing, new_console
from jaxcogc.cli.shared.errors import blame
from jaxcogc.cli.shared.outputs import write_json
from jaxcogc.cli.shared.printed_tables import new_table, print_table
from jaxcogc.federated.aggregation.relaying import colrel_variance, colrel_weights
from jaxcogc.federated.convergence.bound import (
    Condition,
    ConvergenceBound,
    LocalSteps,
    check_conditions,
    convergence_bound,
    rounds_for_target,
)
from jaxcogc.federated.convergence.learning_rate import best_learning_rate
from jaxcogc.federated.convergence.partial_averages import (
    draw_rounds,
    partial_law,
    safe_rho,
    simulated_rho,
    uniform_rho,
)
from jaxcogc.names import hyphened
from jaxcogc.number_text import interval_text, level_text, probability_text
from jaxcogc.outage.intervals import Estimate, clopper_pearson
from jaxcogc.outage.laws.closed_form import closed_form
from jaxcogc.runtime.random_words import seed_keys

_TABLE_WIDTH = 100
_TERMS = {
    "descent": "from the start, falls with the rounds",
    "drift": "several local steps",
    "noise": "stochastic gradients",
    "partial": "averages over some clients",
}


class _Rounds(NamedTuple):
    """What is known of the rounds: the chance of holding, the spread of partial averages."""

    hold: Estimate
    rho: float
    trials: int | None


def run(request: BoundRequest) -> int:
    """Answer and return the exit code 0.

    Raises:
      UserError: no bound exists for what was asked.
    """
    started = time.perf_counter()
    console = new_console(_TABLE_WIDTH)
    with all_or_nothing(console, "the simulation of rounds"):
        rounds = _rounds(request, console)
    settings: dict[str, Any] = {
        "num_clients": request.network.num_clients,
        "hold_probability": float(rounds.hold),
        "rho": rounds.rho,
        "unbiased": request.asked.scheme in UNBIASED,
    }
    with blame(f"--scheme {hyphened(request.asked.scheme)}"):  # rounds that always fail
        steps = _steps(request, settings) if request.best else request.steps
    rate = "best" if request.best else f"{steps.learning_rate:g}"
    with blame(f"--learning-rate {rate}"):
        result = convergence_bound(
            request.losses, steps, num_rounds=request.asked.rounds, **settings
        )
    needed = None
    if request.asked.target is not None:
        needed = rounds_for_target(request.asked.target, request.losses, steps, **settings)
    conditions = check_conditions(
        request.losses, steps, rho=rounds.rho, unbiased=settings["unbiased"]
    )
    if not request.asked.quiet:
        print_table(console, _table(request, rounds, steps, result, needed), "from")
    if request.asked.json is not None:
        fields = _fields(request, rounds, steps, result, conditions)
        fields["rounds_for_target"] = needed
        fields["elapsed_seconds"] = time.perf_counter() - started
        write_json(request.asked.json, fields, request.asked)
    return 0


def _rounds(request: BoundRequest, console: Console) -> _Rounds:
    """The closed form where there is one, a simulation elsewhere."""
    if request.asked.scheme in UNBIASED:
        return _Rounds(Estimate.exact(0.0), _unbiased_rho(request), None)
    settings: dict[str, Any] = {
        "num_attempts": request.asked.attempts,
        "redraw_code": request.asked.redraw_code,
    }
    if (
        request.asked.scheme == "gc" and request.asked.placement == "fixed"
    ):  # the law is of given places
        known = closed_form(request.network, request.code, **settings).gc_outage
        if known is not None:
            outage = float(known)
            return _Rounds(Estimate(outage, outage, outage, method="exact", level=1.0), 0.0, None)
    if not request.asked.quiet:
        console.print(f"simulating {request.asked.trials:,} rounds", highlight=False)
    drawn = draw_rounds(
        seed_keys(request.asked.seed)[1],
        request.network,
        request.code,
        schemes=(request.asked.scheme,),
        num_trials=request.asked.trials,
        placement=request.asked.placement,
        **settings,
    )[request.asked.scheme]
    law = partial_law(drawn)
    held = round(law.held * request.asked.trials)
    hold = clopper_pearson(held, request.asked.trials, request.asked.level)
    if request.asked.scheme == "gc" or held == request.asked.trials:
        return _Rounds(hold, 0.0, request.asked.trials)
    rho = {
        "uniform": lambda: uniform_rho(law),
        "safe": lambda: safe_rho(law),
        "simulated": lambda: simulated_rho(drawn),
    }[request.asked.rho]()
    return _Rounds(hold, rho, request.asked.trials)


def _unbiased_rho(request: BoundRequest) -> float:
    """The largest eigenvalue of Cov(M x coefficients), over M; relays send in every attempt."""
    relays = request.asked.scheme == "colrel"
    window = None if relays else 0
    weights = colrel_weights(request.network, window=window)
    variance = colrel_variance(request.network, weights, window=window)
    attempts = request.asked.attempts if relays else 1
    return variance.largest_eigenvalue / (request.network.num_clients * attempts)


def _steps(request: BoundRequest, settings: dict[str, Any]) -> LocalSteps:
    goal: dict[str, Any] = {"num_rounds": request.asked.rounds}
    if request.asked.target is not None:
        goal = {"target": request.asked.target}
    rate = best_learning_rate(request.losses, request.steps, **goal, **settings)
    return request.steps._replace(learning_rate=rate)


def _table(
    request: BoundRequest,
    rounds: _Rounds,
    steps: LocalSteps,
    result: ConvergenceBound,
    needed: int | None,
) -> Table:
    scheme = hyphened(request.asked.scheme)
    how = "closed form"
    if rounds.trials is not None:
        interval = interval_text(rounds.hold.low, rounds.hold.high)
        level = level_text(request.asked.level)
        how = f"{level} interval {interval}, {rounds.trials:,} rounds"
    caption = f"{request.asked.rounds:,} rounds of {steps.num_local_steps} local steps; "
    if request.asked.scheme in UNBIASED:
        caption += "rounds without an arrival are in rho"
    else:
        caption += f"a round is held with probability {probability_text(rounds.hold)} ({how})"
    if scheme != "gc":
        form = "exact" if request.asked.scheme in UNBIASED else request.asked.rho
        caption += f"; rho {rounds.rho:.4g} ({form})"
    caption += f"; learning rate {steps.learning_rate:.4g}" + (" (best)" if request.best else "")
    title = f"{request.network.num_clients} clients · {request.source} · {scheme}"
    table = new_table(title, caption)
    table.add_column("bound on the mean of ||grad F||²", no_wrap=True)
    table.add_column("", justify="right", style="bold", no_wrap=True)
    table.add_column("from", style="dim")
    for name, meaning in _TERMS.items():
        table.add_row(name, f"{getattr(result, name):.4g}", meaning)
    table.add_section()
    table.add_row("all together", f"{result.value:.4g}", f"of which {result.floor:.4g} stays")
    if request.asked.target is not None:
        text = "never" if needed is None else f"{needed:,}"
        table.add_row(f"rounds for {request.asked.target:g}", text, "held rounds included")
    return table


def _fields(
    request: BoundRequest,
    rounds: _Rounds,
    steps: LocalSteps,
    result: ConvergenceBound,
    conditions: tuple[Condition, ...],
) -> dict[str, Any]:
    hold = rounds.hold
    return {
        "clients": request.network.num_clients,
        "stragglers": int(request.code.num_stragglers),
        "code": request.code.family,
        **request.asked.plain("attempts", "redraw_code", "scheme", "placement", "seed"),
        "trials": rounds.trials,
        "hold_probability": hold.to_dict(),
        "level": hold.level,
        "interval": hold.method,
        "rho": rounds.rho,
        "rho_form": None if request.asked.scheme in ("gc", *UNBIASED) else request.asked.rho,
        **request.losses._asdict(),
        **steps._asdict(),
        "rounds": request.asked.rounds,
        "target": request.asked.target,
        "terms": result._asdict(),
        "floor": result.floor,
        "bound": result.value,
        "conditions": [condition._asdict() for condition in conditions],
    }
