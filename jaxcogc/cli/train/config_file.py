"""The file that says what a training run was: `config.toml`, its options and their values."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxcogc.cli.shared.errors import UserError, blame, rejected
from jaxcogc.cli.shared.options import check_written
from jaxcogc.cli.shared.picture_options import PICTURE_NAMES
from jaxcogc.cli.train.options import TrainVerbOptions
from jaxcogc.runs.run_folder import CONFIG_NAME, COPIED

CHECKSUMS = ("network_sha256", "code_sha256", "inputs_sha256", "labels_sha256")
"""Kept beside the options: a resumed run must have the same."""
MAY_DIFFER = ("rounds", "network", "code_file", "data_dir")
"""In a resumed run: nothing done so far depends on how many rounds are to come, and files are the
same where their checksums are, wherever they lie."""
NOT_KEPT = ("out", "resume", "config", "json", "quiet", *PICTURE_NAMES)
"""Options that change no number."""


def kept(options: TrainVerbOptions) -> dict[str, Any]:
    """What a run was, by the names of the options: those that have a value and change numbers."""
    names = [name for name in options.options() if name not in NOT_KEPT]
    if options.code_file is not None:
        names.remove("code")
    values = options.plain(*names)
    return {name: value for name, value in values.items() if value is not None}


def config_text(config: Mapping[str, Any]) -> str:
    """The file's text.

    >>> print(config_text({"rounds": 20, "scheme": ("gc",), "alpha": 0.5}), end="")
    # jaxcogc train --config THIS_FILE --out NEW_FOLDER
    rounds = 20
    scheme = ["gc"]
    alpha = 0.5
    """
    lines = ["# jaxcogc train --config THIS_FILE --out NEW_FOLDER"]
    # Numbers, booleans, lists and strings are written alike in JSON and TOML, but for the escapes
    # of rare characters: DEL, and those that JSON writes as two halves.
    lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in config.items()]
    lines = [line.replace("\x7f", "\\u007f") for line in lines]
    return "\n".join(lines) + "\n"


def read_config(flag: str, path: Path) -> dict[str, Any]:
    """The checked values of a config file, and its checksums, by name.

    Raises:
      UserError: no such file or no valid one, a key that is no option, a value that is not allowed.
    """
    with blame(f"{flag} {path}"):
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    options = TrainVerbOptions.options()
    for name in found:
        if name not in CHECKSUMS and (name not in options or name in NOT_KEPT):
            raise UserError(f"{flag} {path}: {name!r} is no option of jaxcogc train")
    return {
        name: value
        if name in CHECKSUMS
        else check_written(TrainVerbOptions, name, value, f"{flag} {path}")
        for name, value in found.items()
    }


def complete(typed: Mapping[str, Any]) -> dict[str, Any]:
    """The values of options that were not typed, where a config file gives them.

    Raises:
      UserError: as in `read_config`, and where --resume finds no run.
    """
    if typed["config"] is not None:
        flag, path = "--config", Path(typed["config"])
    elif typed["resume"] and typed["out"] is not None:
        flag, path = "--resume", Path(typed["out"]) / CONFIG_NAME
        if not os.path.isfile(path):  # False also where a folder may not be entered
            raise rejected("--out", typed["out"], f"with --resume a folder with {CONFIG_NAME}")
    else:
        return {}
    given = {name for name, text in typed.items() if text not in (None, False, [])}
    found = read_config(flag, path)
    for name in COPIED:
        if name in found and (path.parent / found[name]).is_file():
            found[name] = str(path.parent / found[name])  # the copy that a run keeps
    return {
        name: value
        for name, value in found.items()
        if name not in CHECKSUMS and not _replaced(name, given)
    }


def _replaced(name: str, given: set[str]) -> bool:
    """Whether another way to give the network was typed."""
    homogeneous = {"uplink_erasure", "peer_erasure"}
    if name == "network":
        return bool(homogeneous & given)
    return name in homogeneous and "network" in given


def check_same(path: Path, config: Mapping[str, Any]) -> None:
    """Raise a UserError that names the keys in which a file and a configuration differ."""
    there = read_config("--resume", path)
    # What has a default is in every file: a key that is missing was no option yet.
    unknown = [
        key for key in config if key not in there and not TrainVerbOptions.may_be_left_open(key)
    ]
    if unknown:
        raise UserError(
            f"--resume: {path} was written by a version without {', '.join(unknown)}, whose "
            "checkpoints differ: allowed is that version, or a new --out"
        )
    keys = [*config, *(key for key in there if key not in config)]
    different = [
        f"{key} ({_shown(there, key)} there, {_shown(config, key)} now)"
        for key in keys
        if key not in MAY_DIFFER and there.get(key) != config.get(key)
    ]
    if different:
        raise UserError(f"--resume: another configuration than {path}: {', '.join(different)}")


def _shown(config: Mapping[str, Any], key: str) -> str:
    if key not in config:
        return "nothing"
    text = json.dumps(config[key])
    return text if len(text) <= 40 else text[:13] + '..."'
