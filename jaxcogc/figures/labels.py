"""What stands beside axes and curves: words for people, not the names of columns."""

from __future__ import annotations

from jaxcogc.names import EVENTS
from jaxcogc.number_text import value_text

_AXES = {
    "clients": "number of clients M",
    "uplink_erasure": "erasure probability of uplinks",
    "peer_erasure": "erasure probability between clients",
    "snr_at_reference": "mean SNR at the reference distance",
    "rate": "rate (bit/s/Hz)",
    "memory": "memory of the links λ",
    "burst_length": "mean length of a burst (attempts)",
    "good_erasure": "erasure probability in the good state",
    "bad_erasure": "erasure probability in the bad state",
    "block_probability": "probability that a client is blocked",
    "code": "family of codes",
    "stragglers": "stragglers s",
    "attempts": "attempts A",
    "redraw_code": "code drawn anew in each attempt",
    "keep_heard": "clients keep what they heard",
}


def axis_label(name: str) -> str:
    """What an axis of a grid is called beside a picture.

    >>> axis_label("stragglers"), axis_label("path_loss_exponent")
    ('stragglers s', 'path loss exponent')
    """
    return _AXES.get(name, name.replace("_", " "))


def setting_label(name: str, value: object) -> str:
    """A value on an axis, in little room.

    >>> setting_label("stragglers", 3), setting_label("uplink_erasure", 0.1)
    ('s = 3', 'uplink erasure 0.1')
    >>> setting_label("redraw_code", True), setting_label("attempts", 1)
    ('redraw code: true', '1 attempt')
    """
    if name == "stragglers":
        return f"s = {value_text(value)}"
    if name == "attempts":
        return f"{value} attempt{'' if value == 1 else 's'}"
    gap = ": " if isinstance(value, bool) else " "
    return f"{name.replace('_', ' ')}{gap}{value_text(value)}"


def outcome_label(name: str) -> str:
    """An outcome in words.

    >>> outcome_label("gc_plus_none")
    'GC+: nothing recovered'
    """
    return EVENTS.get(name, name)
