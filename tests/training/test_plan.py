"""Plans, tables and summaries of training, on numbers made up here: nothing is compiled."""

import dataclasses
import io

import jax
import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from jaxcogc import Network, load_dataset, make_partition
from jaxcogc.federated.data.partitions import make_partitions
from jaxcogc.federated.rounds.experiment import RoundMetrics, RoundSettings, TrainState
from jaxcogc.figures.style import figure_bytes
from jaxcogc.figures.training import accuracy_figure
from jaxcogc.training.leaks import MASK_ERRORS
from jaxcogc.training.metrics_table import metrics_csv, metrics_table
from jaxcogc.training.plan import TrainingPlan
from jaxcogc.training.summary import (
    SeedInterval,
    seed_interval,
    summarize,
)
from jaxcogc.training.task import plan_inputs
from jaxcogc.training.trained import NonFiniteUpdate, Trained, first_non_finite

SEEDS, SCHEMES, ROUNDS, CLIENTS = (4, 5, 6), ("ideal", "gc"), 6, 3


@pytest.fixture(scope="module")
def plan():
    dataset = load_dataset("digits")
    return TrainingPlan(
        dataset=dataset,
        partition=make_partition(0, dataset.train_labels, CLIENTS, kind="size-skew"),
        model="softmax",
        network=Network.homogeneous(CLIENTS, uplink_erasure=0.1, peer_erasure=0.1),
        code=None,
        settings=RoundSettings(SCHEMES),
        rounds=ROUNDS,
        seeds=SEEDS,
        learning_rate=0.1,
    )


@pytest.fixture(scope="module")
def trained():
    random = np.random.default_rng(0)
    shape = (len(SEEDS), len(SCHEMES), ROUNDS)
    accuracy = random.uniform(size=shape).astype(np.float32)
    accuracy[:, :, [0, 2, 3, 5]] = np.nan
    counts = [random.integers(0, 9, shape, dtype=np.int32) for _ in range(6)]
    flags = [random.uniform(size=shape) < 0.5 for _ in range(2)]
    losses = [x.astype(np.float32) for x in (accuracy * 2, random.uniform(size=shape))]
    metrics = RoundMetrics(
        {"accuracy": accuracy, "loss": losses[0]},
        losses[1],
        *flags,
        *counts[:2],
        random.uniform(size=shape).astype(np.float32),
        *counts[2:],
        random.uniform(size=shape).astype(np.float32),
        *(np.full(shape, np.nan, np.float32) for _ in range(2)),
        np.ones((*shape, CLIENTS), bool),
    )
    return Trained(TrainState(None, None), 5, metrics)


def test_table_holds_every_number_to_the_last_bit(plan, trained):
    table = pd.read_csv(io.StringIO(metrics_csv(plan, trained)))
    measured = {f"test_{name}": x for name, x in trained.metrics.test.items()}
    measured |= {name: x for name, x in trained.metrics._asdict().items() if name != "test"}
    names = [name for name in measured if name not in ("slots", "finite", *MASK_ERRORS)]
    assert [*table.columns] == ["scheme", "seed", "round", *names]
    pd.testing.assert_frame_equal(metrics_table(plan, trained), table, check_dtype=False)
    parts = [metrics_csv(plan, trained, *ends) for ends in ((0, 2), (2, 2), (2, 3), (3, None))]
    assert "".join(parts) == metrics_csv(plan, trained)  # a file that grows is the whole one
    assert len(table) == len(SEEDS) * len(SCHEMES) * 5
    for s, scheme in enumerate(SCHEMES):
        for n, seed in enumerate(SEEDS):
            rows = table[(table.scheme == scheme) & (table.seed == seed)]
            assert rows["round"].tolist() == list(range(5))
            for name in names:
                expected = measured[name][n, s, :5]
                found = rows[name].to_numpy().astype(expected.dtype)
                np.testing.assert_array_equal(found, expected)


def test_summary_is_what_pandas_says(plan, trained):
    table = pd.read_csv(io.StringIO(metrics_csv(plan, trained)))
    summary = summarize(plan, trained)
    for scheme, rows in table.groupby("scheme"):
        found = summary[scheme]
        last = rows[rows["round"] == 4].test_accuracy  # the last that was evaluated
        assert found.test["accuracy"].mean == pytest.approx(last.mean())
        half = stats.t.ppf(0.975, 2) * last.sem() / (last.mean() * (1 - last.mean()))
        high = special.expit(special.logit(last.mean()) + half)
        assert found.test["accuracy"].high == pytest.approx(high)
        half = stats.t.ppf(0.975, 2) * rows[rows["round"] == 4].test_loss.sem()
        low = rows[rows["round"] == 4].test_loss.mean() - half
        assert found.test["loss"].low == pytest.approx(low)
        means = rows.groupby("scheme").mean(numeric_only=True).iloc[0]
        names = {"hold_fraction": "hold", "exact_fraction": "exact"}
        names |= {"mean_num_recovered": "num_recovered"}
        names |= {name: name for name in ("uplink_uses", "peer_uses")}
        for name, column in names.items():
            assert getattr(found, name) == pytest.approx(means[column])
    assert seed_interval([np.nan, 1.0]) == SeedInterval(None, None, None)


def test_interval_of_a_fraction_stays_one():
    near, wide = [0.97, 1.0], seed_interval([0.97, 1.0], fraction=True)
    assert seed_interval(near).high > 1
    assert 0 < wide.low < wide.mean < wide.high <= 1
    for same in ([1.0, 1.0], [0.25, 0.25, 0.25], [0.5]):  # no interval of no width
        assert seed_interval(same, fraction=True) == SeedInterval(same[0], None, None)
        assert seed_interval(same) == SeedInterval(same[0], None, None)
    plain, narrow = (seed_interval([0.5, 0.5001], fraction=f) for f in (False, True))
    for end in ("low", "high"):  # the same where it is narrow
        assert getattr(narrow, end) == pytest.approx(getattr(plain, end), abs=1e-6)


def test_first_update_that_is_not_finite_is_named(plan, trained):
    assert first_non_finite(plan, trained) is None
    finite = trained.metrics.finite.copy()
    finite[2, 1, 3, 0] = finite[0, 1, 2, 1] = finite[1, 0, 2, 2] = False
    spoilt = trained._replace(metrics=trained.metrics._replace(finite=finite))
    assert first_non_finite(plan, spoilt) == NonFiniteUpdate(2, "ideal", 5, 2)
    assert first_non_finite(plan, spoilt, 3) == NonFiniteUpdate(3, "gc", 6, 0)
    assert first_non_finite(plan, spoilt, 4) is None


def test_target_weights_by_data_size(plan):
    assert plan_inputs(plan).scale is None
    sized = dataclasses.replace(plan, target="data-size")
    sizes = plan.partition.num_samples
    np.testing.assert_allclose(plan_inputs(sized).scale / CLIENTS, sizes / sizes.sum())
    two = make_partitions((0, 1), plan.dataset.train_labels, CLIENTS)
    with pytest.raises(ValueError, match="partition of 2 seeds"):
        dataclasses.replace(plan, partition=two)
    each = dataclasses.replace(sized, partition=two, seeds=(0, 1))
    np.testing.assert_allclose(plan_inputs(each).scale.sum(axis=1), CLIENTS)
    with pytest.raises(ValueError, match="allowed are equal, data-size"):
        dataclasses.replace(plan, target="samples")


def test_picture_of_several_seeds_and_of_one(plan, trained):
    many = accuracy_figure(plan, trained, title="t", caption="c")
    left, right = many.axes
    assert [line.get_label() for line in left.lines] == list(SCHEMES)
    np.testing.assert_array_equal(left.lines[0].get_xdata(), [2, 5])
    uses = trained.metrics.uplink_uses[:, 0].cumsum(axis=1).mean(axis=0)
    np.testing.assert_allclose(right.lines[0].get_xdata(), uses[[1, 4]])
    assert len(left.collections) == len(SCHEMES)
    one = dataclasses.replace(plan, seeds=(4,))
    metrics = jax.tree.map(lambda x: x[:1], trained.metrics)
    alone = accuracy_figure(one, trained._replace(metrics=metrics), title="t", caption="c")
    assert not alone.axes[0].collections
    assert figure_bytes(alone, ".png").startswith(b"\x89PNG")


def test_equal_seeds_and_masked_data_are_refused(plan):
    for seeds in ((4, 4), (4, 5, 4), ()):
        with pytest.raises(ValueError, match="each once"):
            dataclasses.replace(plan, seeds=seeds)
    for name in ("train_inputs", "train_labels", "test_labels"):
        values = np.ma.masked_array(getattr(plan.dataset, name))
        values[0] = np.ma.masked
        with pytest.raises(ValueError, match=f"{name} has masked entries"):
            dataclasses.replace(plan, dataset=plan.dataset._replace(**{name: values}))


@pytest.mark.parametrize("value", [1e29, np.inf, np.nan])
@pytest.mark.parametrize("name", ["test_loss", "train_loss"])
def test_runs_that_diverged_are_named(plan, trained, name, value):
    """And a loss that is no number is not replaced by the one before."""
    metrics = jax.tree.map(np.array, trained.metrics)
    (metrics.test["loss"] if name == "test_loss" else metrics.train_loss)[1, 0, 4] = value
    spoilt = trained._replace(metrics=metrics)
    summary = summarize(plan, spoilt)
    assert summary["ideal"].diverged == (5,)
    assert summary["gc"].diverged == ()
    if name == "test_loss" and not np.isfinite(value):
        assert summary["ideal"].test["loss"] == SeedInterval()
    table = pd.read_csv(io.StringIO(metrics_csv(plan, spoilt)), keep_default_na=False)
    row = table[(table.scheme == "ideal") & (table.seed == 5) & (table["round"] == 4)]
    assert str(row[name].iloc[0]) == f"{np.float32(value):.9g}"
