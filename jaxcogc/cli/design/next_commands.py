"""What to run after a design: the chosen round in other verbs, and the network in its order."""

from __future__ import annotations

import shlex

from jaxcogc.cli.design.request import DesignRequest
from jaxcogc.cli.shared.network_options import client_order, time_in_file
from jaxcogc.design.candidates import Candidate
from jaxcogc.design.ring_order import RANDOM
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.links.network_file import NetworkFile, network_text
from jaxcogc.names import CODED_SCHEMES, CUSTOM, DYNAMICS, hyphened

__all__ = ["chosen_network", "next_commands"]


def chosen_network(request: DesignRequest, chosen: Candidate) -> str:
    """The text of a network file: the clients in the chosen order, with their names."""
    order = _order(request, chosen)
    network = request.network.permuted(order)
    in_time = time_in_file(request.asked.network)
    if isinstance(in_time.get("block_probability"), list):
        blocked = LinkDynamics(block_probability=in_time["block_probability"])
        places = client_order(request.asked, request.network.num_clients)
        placed = blocked.permuted(places).permuted(order)
        in_time["block_probability"] = placed.to_dict()["block_probability"]
    names = None if request.names is None else [request.names[i] for i in order]
    return network_text(NetworkFile.of(network, in_time, names))


def next_commands(request: DesignRequest, chosen: Candidate) -> list[str]:
    """Commands that find the same outage, and that train with the chosen round.

    None for clients that repeat themselves unasked, which no other verb does.
    """
    network = _network_words(request, chosen)
    if chosen.code is None:
        if chosen.scheme == "intermittent" and chosen.attempts > 1:
            return []
        if chosen.scheme == "colrel":
            attempts = ["--attempts", chosen.attempts]
            return [_command("train", *network, "--scheme", chosen.scheme, *attempts)]
        tries = [] if chosen.scheme == "intermittent" else ["--retransmissions", chosen.attempts]
        return [_command("train", *network, "--scheme", chosen.scheme, *tries)]
    if chosen.code == CUSTOM:
        code = ["--code-file", str(request.asked.code_file)]
    else:
        code = ["--code", chosen.code]
        code += [] if chosen.code == "uncoded" else ["--stragglers", str(chosen.stragglers)]
    code += ["--attempts", str(chosen.attempts)]
    code += ["--redraw-code"] * chosen.redraw_code + ["--keep-heard"] * chosen.keep_heard
    scheme = ["--scheme", hyphened(chosen.scheme)] if chosen.scheme in CODED_SCHEMES else []
    if chosen.order == RANDOM:
        return [_command("train", *network, *code, *scheme, "--placement", "random")]
    return [_command("outage", *network, *code), _command("train", *network, *code, *scheme)]


def _order(request: DesignRequest, chosen: Candidate) -> tuple[int, ...]:
    """The chosen order; the given one where there is none."""
    if chosen.order is None or chosen.order == RANDOM:
        return tuple(range(request.network.num_clients))
    return chosen.order


def _network_words(request: DesignRequest, chosen: Candidate) -> list[object]:
    asked, order = request.asked, _order(request, chosen)
    if asked.write_network is not None:
        words: list[object] = ["--network", asked.write_network]
    else:
        words = [
            part
            for name in ("clients", "uplink_erasure", "peer_erasure", "network")
            if (value := getattr(asked, name)) is not None
            for part in (asked.flag(name), value)
        ]
        words += ["--reciprocal"] * asked.reciprocal
        given = client_order(asked, request.network.num_clients)
        placed = tuple(given[i] for i in order)
        if placed != tuple(range(len(placed))):
            words += ["--client-order", ",".join(map(str, placed))]
    for name in DYNAMICS:
        if getattr(asked, name) is not None:
            words += [asked.flag(name), getattr(asked, name)]
    return words


def _command(verb: str, *words: object) -> str:
    parts = (f"{word:g}" if isinstance(word, float) else str(word) for word in words)
    return " ".join(["jaxcogc", verb, *map(shlex.quote, parts)])
