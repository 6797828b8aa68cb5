"""The file that says what a training run was: `config.toml`, its options and their values."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxcogc.cli.shared.errors import UserError, blame, rejected

CONFIG_NAME = "config.toml"
CHECKSUMS = ("network_sha256", "labels_sha256")
"""Kept beside the options: a resumed run must have the same."""
NOT_KEPT = ("out", "resume", "config", "json", "quiet")
"""Options that change no number."""


def config_text(config: Mapping[str, Any]) -> str:
    """The file's text.

    >>> print(config_text({"rounds": 20, "scheme": ["gc"], "alpha": 0.5}), end="")
    # jaxcogc train --config THIS_FILE --out NEW_FOLDER
    rounds = 20
    scheme = ["gc"]
    alpha = 0.5
    """
    lines = ["# jaxcogc train --config THIS_FILE --out NEW_FOLDER"]
    # Numbers, booleans, lists and strings are written alike in JSON and TOML.
    lines += [f"{name} = {json.dumps(value)}" for name, value in config.items()]
    return "\n".join(lines) + "\n"


def read_config(field: str, path: Path) -> dict[str, Any]:
    """What a config file says, by the names of the options in Python.

    Errors: UserError, no such file or no valid one.
    """
    with blame(f"{field} {path}"):
        return tomllib.loads(path.read_text(encoding="utf-8"))


def with_config(given: dict[str, Any], explicit: set[str]) -> dict[str, Any]:
    """The options as typed, completed by a config file; what was typed counts more.

    Args:
      given: all options by name.
      explicit: those that were typed.

    Errors: UserError that names a key of the file which is no option.
    """
    if given["config"] is not None:
        field, path = "--config", Path(given["config"])
    elif given["resume"] and given["out"] is not None:
        field, path = "--resume", Path(given["out"]) / CONFIG_NAME
        if not path.is_file():
            raise rejected("--out", given["out"], f"with --resume a folder with {CONFIG_NAME}")
    else:
        return given
    completed = dict(given)
    for name, value in read_config(field, path).items():
        if name in CHECKSUMS:
            continue
        if name not in given or name in NOT_KEPT:
            raise UserError(f"{field} {path}: {name!r} is no option of jaxcogc train")
        if name not in explicit and not _replaced(name, explicit):
            completed[name] = _as_typed(name, value)
    return completed


def _replaced(name: str, explicit: set[str]) -> bool:
    """Whether another way to give the network was typed."""
    homogeneous = {"uplink_erasure", "peer_erasure"}
    if name == "network":
        return bool(homogeneous & explicit)
    return name in homogeneous and "network" in explicit


def _as_typed(name: str, value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, list):
        return [str(item) for item in value]
    return str(value)


def check_same(path: Path, config: Mapping[str, Any]) -> None:
    """Raise a UserError that names the keys in which a file and a configuration differ."""
    there = read_config("--resume", path)
    keys = [*config, *(key for key in there if key not in config)]
    different = [
        f"{key} ({_shown(there, key)} there, {_shown(config, key)} now)"
        for key in keys
        if there.get(key) != config.get(key)
    ]
    if different:
        raise UserError(f"--resume: another configuration than {path}: {', '.join(different)}")


def _shown(config: Mapping[str, Any], key: str) -> str:
    if key not in config:
        return "nothing"
    text = json.dumps(config[key])
    return text if len(text) <= 40 else text[:13] + '..."'
