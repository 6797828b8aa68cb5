"""What `--help` says: whole sentences of every verb, options under headings, none left out."""

import pytest

from jaxcogc.cli.app import VERBS, main
from jaxcogc.cli.verbs import Verb


def _help(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments, "--help"]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_every_verb_has_a_whole_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    text = _help(capsys)
    for verb in VERBS:
        assert f" {verb.work.__name__} {verb.sentence} " in text + " "
        assert verb.sentence[-1] in ".?"
    assert "..." not in text.replace("[ARGS]...", "")


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: str(verb.work.__name__))
def test_options_stand_under_headings(verb: Verb, capsys: pytest.CaptureFixture[str]) -> None:
    text, options = _help(capsys, verb.work.__name__), verb.record.options()
    place = text.index("[OPTIONS]")
    for heading, names in verb.record.groups().items():
        place = text.index(f" {heading}: ", place)
        assert len(names) <= 13, heading
        for name in names:
            place = text.index(f" {options[name].flag} ", place)
    assert sorted(name for names in verb.record.groups().values() for name in names) == sorted(
        options
    )


def test_a_default_that_is_nothing_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("show", "plot"):
        assert "--filter CONDITION Such as attempts=2; repeatable. --" in _help(capsys, name)
    for verb in VERBS:
        for told in verb.record.options().values():
            assert told.shown not in ("", "()", "[]", "None"), told.flag


def test_train_is_in_groups() -> None:
    (train,) = (verb.record for verb in VERBS if verb.work.__name__ == "train")
    assert list(train.groups()) == [
        "Network",
        "Code and attempts",
        "Links that remember, blocked clients",
        "Data and model",
        "Schemes",
        "Rounds and steps",
        "Rounds that fail, partial averages",
        "Schemes that relay or mask",
        "How it is computed",
        "Seeds and tests",
        "Seconds",
        "Results and resuming",
        "Pictures",
    ]
