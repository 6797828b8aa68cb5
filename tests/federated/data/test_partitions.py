"""Partitions: every sample once, no client empty, the skew that was asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxcogc.federated.data.partitions import make_partition, make_partitions
from jaxcogc.figures.partition import class_counts, partition_figure
from jaxcogc.figures.style import figure_bytes
from jaxcogc.names import PARTITIONS

LABELS = np.random.default_rng(0).integers(0, 10, 1000)


def rows(partition) -> list[np.ndarray]:
    pairs = zip(partition.indices, partition.num_samples, strict=True)
    return [row[:size] for row, size in pairs]


@given(
    seed=st.integers(0, 99),
    clients=st.integers(1, 30),
    kind=st.sampled_from(PARTITIONS),
    alpha=st.sampled_from([1e-6, 0.01, 0.5, 10.0, 1e9]),
    classes=st.integers(1, 4),
    samples=st.integers(200, 400),
)
def test_every_sample_once_and_no_client_empty(seed, clients, kind, alpha, classes, samples):
    labels = np.arange(samples) % 4
    part = make_partition(seed, labels, clients, kind=kind, alpha=alpha, classes_per_client=classes)
    assert part.indices.dtype == part.num_samples.dtype == np.int32
    assert part.indices.shape == (clients, part.num_samples.max())
    assert part.num_samples.min() >= 1
    held = np.concatenate(rows(part))
    assert len(set(held.tolist())) == len(held)
    unused = 0 if kind != "shards" else max(0, 4 - clients * classes)
    assert len(set(labels[held])) == 4 - unused
    if not unused:
        assert sorted(held) == list(range(samples))
    for row, size in zip(part.indices, part.num_samples, strict=True):
        np.testing.assert_array_equal(row, row[np.arange(len(row)) % size])  # own samples repeated


def test_sizes_and_classes() -> None:
    iid = make_partition(0, LABELS, 7)
    assert set(iid.num_samples) == {142, 143}
    assert class_counts(iid, LABELS, 10).min() >= 5
    shards = make_partition(0, LABELS, 15, kind="shards", classes_per_client=2)
    counts = class_counts(shards, LABELS, 10)
    assert set((counts > 0).sum(axis=1)) == {2}
    assert set((counts > 0).sum(axis=0)) == {3}  # 15 x 2 / 10
    skew = make_partition(0, LABELS, 10, kind="size-skew", alpha=0.3)
    assert skew.num_samples.max() > 3 * np.median(skew.num_samples)


def test_alpha_separates_the_classes() -> None:
    """Largest class share a client, averaged: near 1 for small alpha, near 1/10 for large."""
    shares = []
    for alpha in (0.01, 1.0, 1e4):
        part = make_partition(3, LABELS, 10, kind="dirichlet", alpha=alpha)
        counts = class_counts(part, LABELS, 10)
        shares.append((counts.max(axis=1) / counts.sum(axis=1)).mean())
    assert shares[0] > 0.8
    assert 0.2 < shares[1] < 0.6
    assert shares[2] < 0.15


def test_same_seed_same_partition() -> None:
    for kind in PARTITIONS:
        one, two, other = (make_partition(s, LABELS, 6, kind=kind) for s in (1, 1, 2))
        np.testing.assert_array_equal(one.indices, two.indices)
        assert one.indices.shape != other.indices.shape or (one.indices != other.indices).any()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"kind": "dirichlet", "alpha": 0.0}, r"alpha = 0.0: allowed is a positive"),
        ({"kind": "dirichlet", "alpha": float("nan")}, r"alpha = nan"),
        ({"kind": "size-skew", "alpha": -1.0}, r"alpha = -1.0"),
        ({"kind": "dirichlet", "alpha": float("inf")}, r"alpha = inf"),
        ({"kind": "shards", "classes_per_client": 11}, r"classes_per_client = 11: .*1\.\.10"),
        ({"kind": "shards", "classes_per_client": 0}, r"classes_per_client = 0"),
        ({"kind": "shard"}, r"'shard': allowed are iid.*did you mean 'shards'\?"),
        ({"num_clients": 1001}, r"num_clients = 1001: allowed is at most one client a sample"),
        ({"num_clients": 0}, r"num_clients = 0"),
        ({"seed": -1}, r"seed = -1"),
        (
            {"kind": "shards", "num_clients": 600},
            r"600 clients x 2 are 1200 shards, more than the 1000 samples",
        ),
    ],
)
def test_bad_input(wrong, named) -> None:
    arguments = {"seed": 0, "labels": LABELS, "num_clients": 10} | wrong
    with pytest.raises(ValueError, match=named):
        make_partition(**arguments)


def test_a_class_too_small_for_its_shards() -> None:
    labels = np.array([0] * 20 + [1])
    with pytest.raises(ValueError, match="class 1 has 1 samples for 2 shards"):
        make_partition(0, labels, 4, kind="shards", classes_per_client=1)


def test_picture_holds_the_counts() -> None:
    part = make_partition(0, LABELS, 5, kind="dirichlet", alpha=0.3)
    counts = class_counts(part, LABELS, 10)
    assert counts.sum() == 1000
    figure = partition_figure(part, LABELS, 10)
    bars = np.array([bar.get_height() for bar in figure.axes[0].patches]).reshape(10, 5)
    np.testing.assert_array_equal(bars.T, counts)
    assert f"{part.num_samples.min()} to {part.num_samples.max()} a client" in (
        figure._supxlabel.get_text()
    )
    assert len(figure_bytes(figure, ".png")) > 1000


@pytest.mark.parametrize("kind", ["iid", "dirichlet", "shards", "size-skew"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.5, "masked"])
def test_labels_that_are_none_do_not_vanish(kind, bad):
    labels = np.ma.masked_array(np.arange(12.0) % 3)
    labels[4] = np.ma.masked if bad == "masked" else bad
    labels = labels if bad == "masked" else labels.data
    for make in (
        make_partition,
        lambda seed, *rest, **more: make_partitions([seed], *rest, **more),
    ):
        with pytest.raises(ValueError, match="labels"):
            make(0, labels, 3, kind=kind)
