"""The door for users: the page's code, the verb's own numbers, resume, and what is refused."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from flax import nnx

from jaxcogc import Network, Partition, Scheme, cyclic_code, load_dataset, train
from jaxcogc.cli.app import main
from jaxcogc.federated import coefficients_of, draw_round_links
from tests.places import PROJECT

NETWORK = Network.homogeneous(3, uplink_erasure=0.4, peer_erasure=0.2)
POINTS = np.random.default_rng(0).normal(size=(3, 8, 2))
HELD = [(x, x.sum(axis=1)) for x in POINTS]


def patient_draw(key, waited, network):
    """With a state: how long each client was not heard."""
    heard = draw_round_links(key, network).uplink_delivered[0]
    weights = jnp.where(heard, waited, 0) / network.num_clients
    return coefficients_of(weights, uplink_uses=3), jnp.where(heard, 1, waited + 1)


PATIENT = ("patient", Scheme(lambda: jnp.ones(3, jnp.int32), patient_draw))
LINE = {"local_steps": 1, "batch_size": None, "evaluate_every": 2, "seeds": (0, 3)}
LINE |= {"loss": lambda output, target: (output[0] - target) ** 2}


def line(data=HELD, **options):
    return train(
        lambda rngs: nnx.Linear(2, 1, rngs=rngs),
        data,
        NETWORK,
        ("ideal", PATIENT),
        **LINE | options,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return line(num_rounds=9, out=tmp_path_factory.mktemp("own") / "run")


@pytest.mark.slow
def test_the_page_runs(tmp_path, monkeypatch) -> None:
    page = (PROJECT / "docs" / "guide" / "own_model.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 40
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec(compile(code, "own_model.md", "exec"), found)
    assert set(found["result"].summary) == {"ideal", "loudest", "gc_plus"}
    assert (tmp_path / "run" / "accuracy.png").is_file()


class Twin(nnx.Module):
    """What `--model softmax` is, written by a user."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.output = nnx.Linear(64, 10, rngs=rngs)

    def __call__(self, inputs):
        return self.output(inputs.reshape(len(inputs), -1))


@pytest.mark.slow
def test_same_numbers_as_the_verb(tmp_path) -> None:
    verb = (
        "train --model softmax --clients 3 --uplink-erasure .4 --peer-erasure .2 --quiet --seed 2"
    )
    verb += (
        " --stragglers 1 --rounds 4 --seeds 2 --local-steps 1 --batch-size 8 --scheme intermittent"
    )
    assert main([*verb.split(), "--out", str(tmp_path / "verb")]) == 0
    result = train(
        Twin,
        load_dataset("digits"),
        NETWORK,
        ("intermittent",),
        partition="dirichlet",
        num_rounds=4,
        seeds=(2, 3),
        local_steps=1,
        batch_size=8,
        out=tmp_path / "own",
    )
    ours, theirs = ((tmp_path / name / "metrics.csv").read_bytes() for name in ("own", "verb"))
    assert ours == theirs
    accuracy = result.summary["intermittent"].test["accuracy"].mean
    assert result.metrics.groupby("seed").test_accuracy.last().mean() == pytest.approx(accuracy)


@pytest.mark.slow
def test_gradient_descent_by_hand() -> None:
    """Regression under "ideal": the mean of the clients' steps, in NumPy."""
    models = []

    def watch(live):
        models.append(jax.tree.map(lambda x: x[1, 0], live.trained.state.params))

    line(num_rounds=2, callback=watch)
    first, second = (model["kernel"][:, 0] for model in models)
    steps = []
    for x, y in HELD:
        error = x @ first + models[0]["bias"][0] - y
        steps.append(2 * (x * error[:, None]).mean(axis=0))
    np.testing.assert_allclose(second, first - 0.1 * np.mean(steps, axis=0), rtol=1e-5)


@pytest.mark.slow
def test_an_own_scheme_is_kept_resumed_and_drawn(whole, tmp_path) -> None:
    told = []
    line(num_rounds=9, out=tmp_path / "run", callback=lambda live: told.append(live) or True)
    assert told[0].trained.round_index < 9
    assert {"train_loss"} <= set(told[0].latest()["patient"])
    result = line(num_rounds=9, out=tmp_path / "run", resume=True)
    for name in ("metrics.csv", "summary.json", "accuracy.png"):
        assert (tmp_path / "run" / name).read_bytes() == (whole.folder / name).read_bytes(), name
    ends = result.trained.state, whole.trained.state
    jax.tree.map(np.testing.assert_array_equal, *ends)
    table = pd.read_csv(whole.folder / "metrics.csv")
    assert [*table["round"]] == [n for n in range(9) for _ in range(4)]
    assert {"test_loss", "train_loss"} <= {*table.columns}
    assert "test_accuracy" not in table.columns
    assert whole.summary["patient"].diverged == ()
    title = whole.figure().get_suptitle()
    assert title == "Test loss: 3 clients, uplinks that lose 40 %, others 20 %"


@pytest.mark.slow
def test_differences_are_taken_seed_by_seed() -> None:
    result = line(num_rounds=6, seeds=(0, 1, 2))
    last = result.metrics.dropna().groupby(["scheme", "seed"]).test_loss.last()
    by_seed = (last["patient"] - last["ideal"]).to_numpy(np.float64)
    found = result.difference("patient", "ideal")
    assert found.mean == pytest.approx(by_seed.mean(), rel=1e-6)
    half = 4.302653 * by_seed.std(ddof=1) / 3**0.5  # Student-t, two degrees of freedom
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=1e-5)
    assert found == result.difference("patient", "ideal", "loss")
    assert result.difference("ideal", "ideal") == type(found)(0.0)
    for names, told in (
        (("idael", "ideal"), r"scheme = 'idael': allowed are ideal, patient \(did you mean"),
        (("ideal", "gc"), "other = 'gc'"),
        (("ideal", "ideal", "accuracy"), "metric = 'accuracy': allowed are loss"),
    ):
        with pytest.raises(ValueError, match=told):
            result.difference(*names)


@pytest.mark.slow
def test_nothing_is_told_of_rounds_after_an_update_that_is_not_finite() -> None:
    """The metrics end before it, and so does the rest."""
    ended = line(num_rounds=40, local_optimizer=1e6).non_finite
    assert ended is not None
    assert 0 < ended.round < 40
    whole, short = (line(num_rounds=number, evaluate_every=1) for number in (6, 3))
    cut = dataclasses.replace(whole, non_finite=ended._replace(round=3))
    assert cut.summary == short.summary != whole.summary
    assert cut.difference("patient", "ideal") == short.difference("patient", "ideal")
    assert len(cut.metrics) == len(short.metrics)
    assert cut.figure().texts[-1].get_text() == short.figure().texts[-1].get_text()
    with pytest.raises(ValueError, match=r"no parameters: .* not finite in round 3 of"):
        cut.params("ideal", 0)
    first = dataclasses.replace(whole, non_finite=ended._replace(round=0))
    with pytest.raises(ValueError, match="no round is left: the update of client"):
        assert first.summary


@pytest.mark.slow
def test_the_table_grows_and_a_torn_end_is_mended(whole, tmp_path) -> None:
    sizes, folder = [], tmp_path / "run"

    def watch(live):
        sizes.append((folder / "metrics.csv").read_bytes())
        return len(sizes) == 3

    line(num_rounds=9, out=folder, callback=watch)
    whole_text = (whole.folder / "metrics.csv").read_bytes()
    assert all(whole_text.startswith(text) for text in sizes)
    assert len(sizes[0]) < len(sizes[1]) < len(sizes[2])
    with (folder / "metrics.csv").open("ab") as stream:
        stream.write(b"ideal,0,5,")
    line(num_rounds=9, out=folder, resume=True)
    assert (folder / "metrics.csv").read_bytes() == whole_text


@pytest.mark.slow
def test_another_run_is_not_gone_on_with(whole) -> None:
    with pytest.raises(ValueError, match="another model, loss, data or options"):
        line(num_rounds=9, out=whole.folder, resume=True, local_steps=2)
    with pytest.raises(ValueError, match=r"new or empty.* resume=True"):
        line(num_rounds=9, out=whole.folder)
    with pytest.raises(ValueError, match="resume without out"):
        line(num_rounds=9, resume=True)


class Dropping(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.line, self.drop = nnx.Linear(2, 1, rngs=rngs), nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, inputs):
        return self.drop(self.line(inputs))


class Normed(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.norm = nnx.BatchNorm(2, rngs=rngs)

    def __call__(self, inputs):
        return self.norm(inputs)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model": Dropping}, r"its part drop\.rngs.* is Rng"),
        ({"model": Normed}, r"its part norm\.(mean|var) is BatchStat"),
        ({"model": 3}, "model = 3"),
        ({"loss": lambda output, target: output - jnp.ones(3)}, r"loss gives shape \(3,\)"),
        ({"loss": lambda output, target: jnp.argmax(output)}, "loss gives no floating"),
        ({"metrics": {"a": lambda output, target: output}}, r"metric 'a' gives shape \(1,\)"),
        ({"metrics": {"loss": lambda output, target: target}}, "other than 'loss'"),
        ({"data": HELD[:2]}, "data for 2 clients"),
        ({"data": [(x, y[1:]) for x, y in HELD]}, "data of client 0"),
        ({"data": (POINTS[0], POINTS[0, :, 0]), "partition": "shards"}, "no labels"),
        ({"partition": Partition(np.zeros((3, 1), np.int32), np.ones(3, np.int32))}, "one of the"),
        ({"schemes": ("ideal", "ideal")}, "twice"),
        ({"schemes": ("gc",)}, "code = None"),
        ({"schemes": ("gc-plus",)}, r"scheme 'gc-plus': allowed is 'gc_plus' \(hyphens"),
        ({"schemes": ("gcplus",)}, r"scheme 'gcplus': allowed are .* mean 'gc_plus'"),
        ({"schemes": ("secure-gc-plus",)}, "an average over some clients keeps their masks"),
        ({"code": cyclic_code(jax.random.key(0), 4, 1)}, "the code has 4 clients, the network 3"),
        ({"num_rounds": 0}, "num_rounds"),
        ({"server_optimizer": "sgdd"}, "did you mean 'sgd'"),
    ],
)
def test_what_is_refused(change, told) -> None:
    asked = {"model": lambda rngs: nnx.Linear(2, 1, rngs=rngs), "data": HELD} | LINE
    asked |= {"schemes": ("ideal",), "network": NETWORK} | change
    with pytest.raises(ValueError, match=told):
        train(**asked)


def test_an_option_of_another_name_is_refused() -> None:
    with pytest.raises(TypeError, match="learning_rat"):
        line(learning_rat=0.1)
