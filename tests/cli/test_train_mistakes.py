"""What `jaxcogc train` refuses in one line."""

import pytest

from jaxcogc.cli.app import main
from tests.cli.program import assert_one_line
from tests.places import PROJECT

MISTAKES = [
    ("--scheme gcplus", ["--scheme", "gcplus", "did you mean 'gc-plus'?"]),
    ("--scheme gc --scheme gc", ["--scheme", "gc", "once"]),
    ("--model mpl", ["--model", "did you mean 'mlp'?"]),
    ("--dataset digit", ["--dataset", "did you mean 'digits'?"]),
    ("--dataset mnist --data-dir no/such", ["--dataset mnist", "no/such", "existing folder"]),
    ("--alpha 0", ["--alpha", "0", "above 0"]),
    ("--partition shards --classes-per-client 99", ["--partition shards", "99", "1..10"]),
    ("--clients 5 --network examples/networks/hall-12.json", ["--clients", "5", "12"]),
    ("--resume", ["--resume", "--out DIR"]),
    ("--resume --out no/such", ["--out", "no/such", "config.toml"]),
    ("--out README.md", ["--out", "README.md", "a folder"]),
    ("--config no-such.toml", ["--config", "no-such.toml"]),
    ("--max-repeats 2", ["--max-repeats", "2", "--on-failure repeat"]),
    ("--on-failure repeat --max-repeats x", ["--max-repeats", "x", "whole"]),
    ("--batch-size 0", ["--batch-size", "0", "from 1"]),
    ("--proximal -1", ["--proximal", "-1", "at least 0"]),
    ("--learning-rate 0", ["--learning-rate", "0", "above 0"]),
    ("--seeds 0", ["--seeds", "0", "from 1"]),
    ("--seed 4294967295 --seeds 2", ["--seeds", "2", "4,294,967,295"]),
    ("--stragglers 3,5", ["--stragglers", "3,5", "one number"]),
    ("--code uncoded --redraw-code", ["--redraw-code", "uncoded", "cyclic"]),
    ("--json no/such/folder/x.json", ["--json", "existing folder"]),
    ("--mask-ratio 3", ["--mask-ratio", "3", "secure"]),
    ("--masks field", ["--masks", "field", "nothing without a secure scheme"]),
    ("--scheme secure-gc --masks field --mask-ratio 3", ["--mask-ratio", "with --masks field"]),
    ("--masked-partials --scheme secure-gc", ["--masked-partials", "--scheme secure-row-space"]),
    ("--masked-partials --scheme secure-row-space", ["--masked-partials", "--aggregation payload"]),
    ("--scheme secure-gc --mask-ratio -1", ["--mask-ratio", "-1", "at least 0"]),
    ("--scheme secure-least-squares", ["secure-least-squares", "keeps masks", "secure-row-space"]),
    ("--scheme gc+memory", ["--scheme gc+memory", "gc-plus+memory"]),
    ("--min-recovered 0", ["--min-recovered", "0", "from 1"]),
    ("--clients 8 --min-recovered 9", ["--min-recovered", "9", "at most 8"]),
    ("--relay-window 2", ["--relay-window", "2", "--scheme colrel"]),
    ("--relay-objective trace", ["--relay-objective", "trace", "--scheme colrel"]),
    ("--scheme colrel --relay-window 10", ["--relay-window", "10", "at most 9"]),
    ("--scheme colrel --keep-heard", ["--scheme colrel", "--keep-heard"]),
    ("--scheme colrel --block-probability .1", ["--scheme colrel", "blocked"]),
    ("--scheme colrel --uplink-erasure 1", ["--scheme colrel", "client 0", "no relay"]),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_mistakes_are_one_line(
    text: str, words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    assert main(["train", *text.split()]) == 2
    assert_one_line(capsys, words)
