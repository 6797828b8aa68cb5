"""How the links of a point hang together in time: the values of a study, as plain text."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jaxcogc.names import stated_twice
from jaxcogc.study.specification.point import LinkTime, Value
from jaxcogc.study.specification.sections import NetworkSection

if TYPE_CHECKING:
    from jaxcogc.links.network import Network

AXES = ("memory", "burst_length", "good_erasure", "bad_erasure", "block_probability")
"""Keys of `[network]`. What happens between rounds changes no outage: a trial is one round."""


@dataclasses.dataclass(frozen=True)
class TimeSetting:
    """One combination of the values on the axes that a study has.

    Attributes:
      time: what changes the numbers.
      labels: the values by axis.
    """

    time: LinkTime
    labels: dict[str, Value]


def time_settings(
    section: NetworkSection, network: Network, in_file: Mapping[str, Any]
) -> Iterator[TimeSetting]:
    """Every combination of the values of a section for one network.

    Args:
      section: `[network]`.
      network: whose links they are.
      in_file: what the network's own file says of time.

    Raises:
      ValueError: a key of the section beside the same one of the file, or values that do not fit.
    """
    given = {name: getattr(section, name) for name in AXES if getattr(section, name) is not None}
    twice = stated_twice(given, in_file)
    if twice is not None:
        name, key = twice
        raise ValueError(f"network.{name} beside {key} of a network file: allowed is one")
    for values in itertools.product(*given.values()):
        labels = dict(zip(given, values, strict=True))
        yield TimeSetting(_checked(network, {**in_file, **labels}), labels)


def _checked(network: Network, fields: dict[str, Any]) -> LinkTime:
    if not fields:
        return LinkTime()
    from jaxcogc.links.memory import fitting_dynamics

    words = ", ".join(
        f"network.{name} = {json.dumps(value)[:40]}" for name, value in fields.items()
    )
    try:
        fitting_dynamics(network, fields)
    except ValueError as error:
        raise ValueError(f"{words}: {error}") from None
    return LinkTime.of(fields)
