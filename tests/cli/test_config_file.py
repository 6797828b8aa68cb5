"""The file of a training run's options: what the command line refuses, it refuses too."""

import datetime
import typing
from pathlib import Path

import pytest

from jaxcogc.cli.app import main
from jaxcogc.cli.shared.errors import UserError
from jaxcogc.cli.train.config_file import NOT_KEPT, read_config
from jaxcogc.cli.train.options import TrainVerbOptions
from tests.cli.program import assert_one_line

LITERALS = {
    "true": bool,
    "3": int,
    "2.5": float,
    "nan": float,
    '"x"': str,
    "[3]": list,
    '["x"]': list,
    "{a = 1}": dict,
    "1979-05-27": datetime.date,
}
"""Values as TOML spells them, and what Python makes of them."""


def kinds_of(name: str) -> set[type]:
    """What an option's value may be, by the type of its field: a whole number is a number."""
    hint = typing.get_type_hints(TrainVerbOptions)[name]
    kinds = {typing.get_origin(kind) or kind for kind in typing.get_args(hint) or (hint,)}
    if TrainVerbOptions.options()[name].repeated:
        return {list}
    whole_too = float in kinds or name == "stragglers"  # read when the clients are known
    return kinds | ({int} if whole_too else set())


@pytest.mark.parametrize(
    "name", [name for name in TrainVerbOptions.options() if name not in NOT_KEPT]
)
def test_values_of_other_types_are_refused(name: str, tmp_path: Path) -> None:
    config, refused = tmp_path / "c.toml", 0
    for literal, kind in LITERALS.items():
        if kind in kinds_of(name):
            continue
        config.write_text(f"{name} = {literal}\n")
        with pytest.raises(UserError) as error:
            read_config("--config", config)
        line = str(error.value)
        assert line.startswith(f"--config {config}: {name} = "), line
        assert "allowed is" in line
        assert "\n" not in line
        refused += 1
    assert refused >= 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rounds = true", ["rounds = true", "whole number"]),
        ("rounds = [3]", ["rounds = [3]", "whole number"]),
        ("seeds = 2.5", ["seeds = 2.5", "whole number"]),
        ('reciprocal = "false"', ["reciprocal = 'false'", "true and false"]),
        ('deterministic = "no"', ["deterministic = 'no'", "true and false"]),
        ("masked_partials = 0", ["masked_partials = 0", "true and false"]),
        ('scheme = "gc"', ["scheme = 'gc'", "a list"]),
        ('scheme = ["gcplus"]', ["gcplus", "did you mean 'gc-plus'?"]),
        ('learning_rate = "0.1"', ["learning_rate = '0.1'", "above 0"]),
        ("learning_rate = inf", ["learning_rate = inf", "above 0"]),
        ("uplink_erasure = true", ["uplink_erasure = true", "probability"]),
        ("batch_size = true", ["batch_size = true", "whole number"]),
        ("on_nan = true", ["on_nan = true", "stop"]),
        ("model = 3", ["model = 3", "mlp"]),
        ("rounds = 3\nrounds = 4", ["Cannot overwrite a value", "line 2"]),
    ],
)
def test_the_verb_tells_it_in_one_line(
    text: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.toml"
    config.write_text(text + "\n")
    assert main(["train", "--config", str(config)]) == 2
    assert_one_line(capsys, ["--config", *words])
