"""Seconds beside uses, in a run's table, summary and picture; clients that are late."""

import csv
import itertools
import json

import jax
import numpy as np
import pytest

from jaxcogc import Network, decoding_time, draw_links
from jaxcogc.cli.app import main
from jaxcogc.federated.aggregation.round_keys import round_keys
from jaxcogc.links.memory import LinkDynamics
from jaxcogc.runtime.random_words import fold_in
from tests.cli.program import assert_one_line

RUN = ["train", "--rounds", "3", "--seeds", "2", "--local-steps", "1", "--model", "softmax"]
RUN += ["--clients", "4", "--stragglers", "2", "--evaluate-every", "1", "--quiet"]
RUN += [
    "--scheme",
    "gc",
    "--scheme",
    "retransmission",
    "--on-failure",
    "repeat",
    "--max-repeats",
    "1",
]
LATE = ["train", "--rounds", "600", "--seeds", "1", "--local-steps", "1", "--model", "softmax"]
LATE += ["--clients", "4", "--stragglers", "1", "--evaluate-every", "600", "--batch-size", "1"]
LATE += ["--uplink-erasure", "0", "--peer-erasure", "0", "--attempts", "1", "--quiet"]
LATE += ["--scheme", "intermittent", "--scheme", "ideal", "--scheme", "gc"]
LATE += ["--compute-seconds", "1", "--compute-rate", "2", "--deadline", "1.5"]


def runs_of(folder):
    """By scheme and seed, the rows of the table."""
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    found = {}
    for row in rows:
        found.setdefault((row["scheme"], int(row["seed"])), []).append(row)
    return found


def each_of(run):
    """Seconds of each round."""
    return np.diff([float(row["seconds"]) for row in run], prepend=0.0)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("timed") / "shared"
    seconds = {"compute": 2.0, "peer": 0.25, "uplink": 0.125}
    options = [text for name, t in seconds.items() for text in (f"--{name}-seconds", str(t))]
    assert main([*RUN, *options, "--out", str(folder)]) == 0
    return folder


@pytest.mark.slow
def test_seconds_add_up_use_by_use(shared):
    runs = runs_of(shared)
    assert sum(map(len, runs.values())) == 12
    summary = json.loads((shared / "summary.json").read_text())["schemes"]
    for (scheme, _), run in runs.items():
        total = 0.0
        for row in run:
            total += 2.0 + 0.25 * int(row["peer_uses"]) + 0.125 * int(row["uplink_uses"])
            assert float(row["seconds"]) == pytest.approx(total, rel=1e-8)
        means = [float(runs[scheme, seed][-1]["seconds"]) / 3 for seed in (0, 1)]
        assert summary[scheme]["seconds"] == pytest.approx(np.mean(means), rel=1e-8)
    assert (shared / "accuracy.png").is_file()
    assert "uplink_seconds = 0.125" in (shared / "config.toml").read_text()


@pytest.mark.slow
def test_uplinks_alone_and_nothing_asked(tmp_path):
    assert main([*RUN, "--uplink-seconds", "3", "--out", str(tmp_path / "a")]) == 0
    first = next(csv.DictReader((tmp_path / "a" / "metrics.csv").read_text().splitlines()))
    assert float(first["seconds"]) == 3 * int(first["uplink_uses"])
    assert main([*RUN, "--out", str(tmp_path / "b")]) == 0
    for name in ("metrics.csv", "config.toml", "summary.json"):
        text = (tmp_path / "b" / name).read_text()
        assert "seconds" not in text.replace("elapsed_seconds", "").replace("compile_seconds", "")


@pytest.mark.slow
def test_messages_at_once_take_slots(shared, tmp_path):
    """Attempts of the code that were made; the largest number of tries, redrawn link by link."""
    options = ["--peer-seconds", "0.25", "--uplink-seconds", "0.125", "--channel", "parallel"]
    options += ["--compute-seconds", "2"]
    out = tmp_path / "p"
    assert main([*RUN, *options, "--rounds", "2", "--out", str(out)]) == 0
    assert main(["train", "--resume", "--out", str(out), "--rounds", "3", "--quiet"]) == 0
    assert 'channel = "parallel"' in (out / "config.toml").read_text()
    runs, others = runs_of(out), runs_of(shared)
    network = Network.homogeneous(4, uplink_erasure=0.4, peer_erasure=0.25)
    for (scheme, seed), run in runs.items():
        assert [r["uplink_uses"] for r in run] == [r["uplink_uses"] for r in others[scheme, seed]]
        for number, (row, spent) in enumerate(zip(run, each_of(run), strict=True)):
            uses = int(row["uplink_uses"])
            if scheme == "gc":
                assert spent == pytest.approx(2.0 + uses / 4 * 0.375)
                continue
            # A round of retransmission is repeated only while nobody is heard.
            key = round_keys(jax.random.key(seed), np.uint32(number)).links
            heard = np.asarray(draw_links(fold_in(key, 0), network, 2).uplink_delivered)
            assert heard.any(), "a repeat: choose another seed"
            tries = np.where(heard.any(0), heard.argmax(0) + 1, 2)
            assert (tries.sum(), 2.0 + 0.125 * tries.max()) == (uses, pytest.approx(spent))


@pytest.mark.slow
def test_late_clients_send_to_nobody_and_nobody_waits_for_them(tmp_path):
    """Over links that deliver everything, who is missing is late, round by round."""
    assert main([*LATE, "--out", str(tmp_path / "late")]) == 0
    runs = {scheme: run for (scheme, _), run in runs_of(tmp_path / "late").items()}
    in_time = np.array([int(row["num_recovered"]) for row in runs["intermittent"]])
    late = np.exp(-2 * 0.5)
    error = 5 * np.sqrt(late * (1 - late) / 2400)
    assert abs((4 - in_time).mean() / 4 - late) < error
    # `ideal` waits for the last one: beyond the deadline just where somebody is late.
    last, spent = each_of(runs["ideal"]), each_of(runs["intermittent"])
    np.testing.assert_array_equal(last > 1.5, in_time < 4)
    np.testing.assert_allclose(spent, np.minimum(last, 1.5), atol=2e-5)
    law = decoding_time([2.0] * 4, num_stragglers=0, shift=1.0)
    assert abs(last.mean() - law.mean) < 5 * last.std() / 600**0.5
    for seconds in (1.2, 1.5, 2.5):
        by = float(law.probability_by(seconds))
        assert abs((last <= seconds).mean() - by) < 5 * np.sqrt(by * (1 - by) / 600)
    # A late client's row is missing, and so are those that need its update: (4, 1), 3 rows decode.
    exact = np.array([int(row["exact"]) for row in runs["gc"]])
    np.testing.assert_array_equal(exact, in_time == 4)


@pytest.mark.slow
def test_the_late_are_the_blocked(tmp_path):
    """The same run as with the probability that a client is late."""
    arguments = [*LATE[: LATE.index("--compute-seconds")], "--rounds", "20"]
    blocked = ["--block-probability", repr(float(np.exp(-1.0)))]
    for name, more in (("a", LATE[LATE.index("--compute-seconds") :]), ("b", blocked)):
        assert main([*arguments, *more, "--out", str(tmp_path / name)]) == 0
    one, other = (runs_of(tmp_path / name) for name in "ab")
    for run, plain in zip(one.values(), other.values(), strict=True):
        for row, same in zip(run, plain, strict=True):
            assert {k: x for k, x in row.items() if k != "seconds"} == same


WRONG = [
    *(
        (f"--{name}={value}", [f"--{name}", value])
        for name, value in itertools.product(
            ["compute-seconds", "peer-seconds", "uplink-seconds", "compute-rate", "deadline"],
            ["-1", "nan", "soon"],
        )
    ),
    ("--channel both --uplink-seconds 1", ["--channel", "parallel, shared"]),
    ("--channel parallel", ["--channel parallel", "beside --uplink-seconds"]),
    ("--compute-rate 0", ["--compute-rate", "above 0"]),
    ("--deadline 2", ["--deadline 2", "without --compute-rate"]),
    ("--deadline 2 --compute-rate 1 --compute-seconds 2", ["--deadline", "--compute-seconds 2"]),
    ("--deadline 2 --compute-rate 1 --block-probability .1", ["--deadline", "blocked clients"]),
    ("--deadline 2 --compute-rate 1 --block-memory .1", ["--block-memory beside --deadline"]),
    ("--deadline 2 --compute-rate 1 --scheme replicated-gc", ["replicated-gc with --deadline"]),
]


@pytest.mark.parametrize(("arguments", "parts"), WRONG)
def test_wrong_seconds(capsys, arguments, parts):
    assert main([*RUN, *arguments.split()]) == 2
    assert_one_line(capsys, parts)


def test_blocks_of_links_that_remember_keep_their_memory():
    """What a deadline adds to dynamics that are there already."""
    from jaxcogc.cli.train.request import _with_late_clients
    from jaxcogc.outage.laws.waiting_times import MessageSeconds
    from jaxcogc.training import RoundSeconds

    seconds = RoundSeconds(MessageSeconds(1.0), compute_rate=2.0, deadline=2.0)
    found = _with_late_clients(LinkDynamics(memory=0.4), seconds)
    assert (found.memory, found.block_memory) == (0.4, 0.0)
    assert found.block_probability == pytest.approx(np.exp(-2.0))
    assert _with_late_clients(None, seconds._replace(deadline=None)) is None
