"""Tables of the design verb."""

from collections import Counter
from collections.abc import Sequence

from rich.table import Table

from jaxcogc.cli.design.request import DesignRequest
from jaxcogc.cli.shared.link_options import time_text
from jaxcogc.cli.shared.printed_tables import new_table
from jaxcogc.design.candidates import Candidate
from jaxcogc.design.link_sensitivity import WeakLink
from jaxcogc.design.ring_order import RANDOM
from jaxcogc.design.search import Design
from jaxcogc.names import CUSTOM, hyphened
from jaxcogc.number_text import level_text, probability_text
from jaxcogc.outage.laws.closed_form import rows_can_be_counted

EXPENDABLE = ("read", "client\nuses", "ring", "rounds", "±", "A", "s", "code")
"""Columns that a narrow terminal does without, the first one first."""
_MOST_LINES, _MOST_OF_A_SCHEME = 18, 6


def design_table(request: DesignRequest, result: Design) -> Table:
    """The choice, what is as good, the runners-up and the rest of the Pareto front."""
    in_time = time_text(request.dynamics, keep_heard=False)
    title = " · ".join([f"{request.network.num_clients} clients", request.source, *in_time, ""])
    title += f"target {request.asked.target:g} · least {_goal(request.asked.objective)}"
    caption = f"{level_text(request.asked.level)} intervals (half their width: ±) where simulated; "
    caption += f"{request.asked.trials:,} trials a finalist; seed {request.asked.seed}\n"
    caption += "→ chosen, = as good within the intervals, P Pareto front"
    if any(candidate.flagged for candidate in result.candidates):
        caption += ", ! too few effective trials: only the bound is known"
    caption += "\nuses: messages of a round; rounds: by the bound, until the accuracy is reached"
    caption += "\nread: clients whose own update the server could compute"
    table = new_table(title, caption)
    for name in ("", "scheme", "code", "ring"):
        table.add_column(name, no_wrap=True)
    numbers = ["s", "A", "outage", "±", "client\nuses", "uplink\nuses", "rounds", "read"]
    numbers += ["seconds"] * request.asked.tell_seconds()
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    shown: list[Candidate] = []
    by_scheme: Counter[str] = Counter()
    for index, candidate in enumerate(result.candidates):
        interesting = index < _MOST_LINES // 2 or candidate.tie or candidate.pareto
        if interesting and by_scheme[candidate.scheme] < _MOST_OF_A_SCHEME:
            by_scheme[candidate.scheme] += 1
            shown.append(candidate)
    for candidate in shown[:_MOST_LINES]:
        table.add_row(*_cells(candidate, candidate is result.chosen))
    return table


def _goal(objective: str) -> str:
    return {
        "uplink": "uplink uses",
        "total": "uses",
        "privacy": "read by the server",
        "seconds": "seconds an exact round",
    }[objective]


def _cells(candidate: Candidate, is_chosen: bool) -> list[str]:
    marks = "→" if is_chosen else "=" if candidate.tie else ""
    marks += "P" if candidate.pareto else ""
    outage = candidate.outage
    width = "exact"
    if candidate.trials is not None:
        half = (outage.high - outage.low) / 2
        # Hardly an event was seen: the upper end is all that is known.
        known = half < outage.best and not candidate.flagged
        width = f"{half / outage.best:.0%}" if known else f"≤ {outage.high:.0e}"
        width = f"! {width}" if candidate.flagged else width
    code = {None: "–", "fractional-repetition": "frac. repetition"}.get(
        candidate.code, candidate.code or ""
    )
    code += " redrawn" if candidate.redraw_code else ""
    code += " kept" if candidate.keep_heard else ""
    ring = "–"
    if candidate.order == RANDOM:
        ring = "random"
    elif candidate.order is not None:
        ring = "given" if candidate.order == tuple(range(len(candidate.order))) else "best"
    return [
        marks,
        hyphened(candidate.scheme),
        code,
        ring,
        "–" if candidate.code in (None, CUSTOM) else str(candidate.stragglers),
        str(candidate.attempts),
        probability_text(outage),
        width,
        f"{candidate.peer_uses:g}",
        f"{candidate.uplink_uses:.4g}",
        "–" if candidate.rounds is None else f"{candidate.rounds:,}",
        f"{candidate.revealed:.3g}",
        *([] if candidate.seconds is None else [f"{candidate.seconds:.4g}"]),
    ]


def summary(request: DesignRequest, result: Design) -> str:
    """The answer in words."""
    chosen = result.chosen
    name = hyphened(chosen.scheme)
    if chosen.code is not None:
        name += f" with the {_code_words(request, chosen)}"
        name += ", redrawn" if chosen.redraw_code else ""
        name += ", clients keep what they heard" if chosen.keep_heard else ""
    tries = "tries" if chosen.code is None else "attempts"
    name += (
        f", {chosen.attempts} {tries if chosen.attempts > 1 else tries[:-1].replace('trie', 'try')}"
    )
    outage = probability_text(chosen.outage)
    if result.reached:
        text = f"Chosen: {name}: outage {outage}."
    elif result.reached is None:
        text = (
            f"Best found: {name}: outage {outage}; its interval does not decide about the target."
        )
    else:
        text = f"Best found: {name}: outage {outage}; nothing reaches {request.asked.target:g}."
    if chosen.order is not None and result.given_order is not None:
        ring = " ".join(request.client_names[int(client)] for client in chosen.order)
        given = probability_text(result.given_order.outage)
        text += f"\nRing: {ring}; in the given order its outage is {given}."
    if chosen.order == RANDOM:
        text += "\nRing: every client at another place in every round."
    return text + _about_orders(request, result)


def _code_words(request: DesignRequest, chosen: Candidate) -> str:
    if chosen.code == CUSTOM:
        return f"code of {request.asked.code_file}"
    return f"{chosen.code} code, s = {chosen.stragglers}"


def _about_orders(request: DesignRequest, result: Design) -> str:
    """A line where orders were chosen by a law that is only a bound for the code."""
    clients = request.network.num_clients
    codes = ((c.code, c.stragglers) for c in result.candidates if c.code not in (None, CUSTOM))
    if request.asked.order != "optimised" or all(
        rows_can_be_counted(code, clients, s) for code, s in codes
    ):
        return ""
    return (
        f"\nOrders for cyclic-mds codes minimise the cyclic law, an upper bound: of {clients} "
        "clients, a composite number, no law of their own is known."
    )


def link_table(links: Sequence[WeakLink], outage: float, law: str, names: Sequence[str]) -> Table:
    """The links whose repair leaves the fewest outages; clients by their names."""
    caption = f"law: {law}; outage {probability_text(outage)}"
    table = new_table("Which link to repair first", caption)
    for name in ("from", "to"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("erasure", "d log P / d p", "outage if repaired", "removed"):
        table.add_column(name, justify="right", no_wrap=True)
    for link in links:
        table.add_row(
            names[link.sender],
            "server" if link.receiver is None else names[link.receiver],
            f"{link.erasure:g}",
            f"{link.slope:.4g}",
            probability_text(link.repaired),
            f"{1 - link.repaired / outage:.1%}" if outage else "–",
        )
    return table
