"""Studies on the host: grids of points that are collected, stored, shown.

>>> import jaxcogc.study
>>> jaxcogc.study.load  # doctest: +ELLIPSIS
<function load at ...>
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxcogc.study.collection.collect import collect as collect
    from jaxcogc.study.results.records import load as load

_HOME = {"collect": "collection.collect", "load": "results.records"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'jaxcogc.study' has no attribute {name!r}")
    return getattr(import_module(f"jaxcogc.study.{_HOME[name]}"), name)
