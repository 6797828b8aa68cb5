"""Who holds which samples: partitions of a training set among clients, none of them empty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, Integer

from jaxcogc._types import HostFloats, HostInts
from jaxcogc.links.checks import (
    check_choice,
    check_count,
    check_elements,
    check_unmasked,
    number_array,
)
from jaxcogc.names import PARTITIONS


class Partition(NamedTuple):
    """The samples of every client, as rows of equal length.

    Attributes:
      indices: int32 [clients, capacity], capacity the size of the largest client. Row k begins
        with the samples of client k and repeats them in order to fill the row.
      num_samples: int32 [clients], at least 1 each: how many of a row count.

    Of several seeds, as `make_partitions` makes them, both have a leading seeds axis.
    """

    indices: Int32[np.ndarray, "*seeds clients _capacity"]
    num_samples: Int32[np.ndarray, "*seeds clients"]


def make_partition(
    seed: int,
    labels: Integer[np.ndarray, "samples"],
    num_clients: int,
    *,
    kind: str = "iid",
    alpha: float = 0.5,
    classes_per_client: int = 2,
) -> Partition:
    """Divide samples among clients.

    * "iid": at random, sizes equal to within one.
    * "dirichlet": of every class, client k gets the share q_k with q ~ Dirichlet(alpha, .., alpha);
      small alpha separates the classes. A client left with nothing gets a sample of the largest.
    * "shards": every client holds `classes_per_client` classes, every class is cut into as many
      equal shards as clients hold it, and all classes are held equally often to within one. With
      num_clients x classes_per_client < classes, some classes stay unused.
    * "size-skew": at random, sizes proportional to Dirichlet(alpha, .., alpha), at least 1.

    Args:
      seed: of all random choices, at least 0.
      labels: integers [samples].
      num_clients: M, at most the number of samples.
      kind: one of the four.
      alpha: positive and finite; used by "dirichlet" and "size-skew".
      classes_per_client: at least 1, at most the number of different labels; used by "shards".

    Returns:
      A Partition, in which no sample has two clients.

    Raises:
      ValueError: an argument outside what is allowed (labels: whole numbers, none of them NaN
        or masked), more shards than samples.

    >>> part = make_partition(0, np.array([0, 0, 0, 1, 1, 1]), 3, kind="shards",
    ...                       classes_per_client=1)
    >>> int(part.num_samples.sum()), part.indices.shape
    (6, (3, 3))
    """
    labels = _whole_labels(labels)
    clients = check_count("num_clients", num_clients)
    rng = np.random.default_rng(check_count("seed", seed, low=0))
    if labels.ndim != 1 or len(labels) < clients:
        raise ValueError(
            f"num_clients = {clients}: allowed is at most one client a sample, labels has shape "
            f"{labels.shape}"
        )
    if kind in ("dirichlet", "size-skew") and not (0 < alpha < math.inf):
        raise ValueError(f"alpha = {alpha}: allowed is a positive, finite number")
    rows = _rows(rng, labels, clients, kind, alpha, classes_per_client)
    num_samples = np.array([len(row) for row in rows], np.int32)
    capacity = int(num_samples.max())
    return Partition(
        np.stack([np.resize(row, capacity) for row in rows]).astype(np.int32), num_samples
    )


def make_partitions(
    seeds: Sequence[int],
    labels: Integer[np.ndarray, "samples"],
    num_clients: int,
    *,
    kind: str = "iid",
    alpha: float = 0.5,
    classes_per_client: int = 2,
) -> Partition:
    """A partition for every seed, the same as `make_partition` makes of that seed.

    Args:
      seeds: at least one.
      labels, num_clients, kind, alpha, classes_per_client: as `make_partition` takes them.

    Returns:
      A Partition with a leading seeds axis; its capacity is the largest of all.

    Raises:
      ValueError: as `make_partition`.

    >>> part = make_partitions([3, 5], np.array([0, 0, 0, 1, 1, 1]), 2)
    >>> part.indices.shape, part.num_samples.tolist()
    ((2, 2, 3), [[3, 3], [3, 3]])
    """
    parts = [
        make_partition(
            seed,
            labels,
            num_clients,
            kind=kind,
            alpha=alpha,
            classes_per_client=classes_per_client,
        )
        for seed in seeds
    ]
    capacity = max(part.indices.shape[1] for part in parts)
    rows = [[np.resize(row[:n], capacity) for row, n in zip(*p, strict=True)] for p in parts]
    return Partition(np.array(rows, np.int32), np.stack([part.num_samples for part in parts]))


def _whole_labels(labels: np.ndarray) -> np.ndarray:
    check_unmasked("labels", labels)
    labels = np.asarray(labels)
    if labels.dtype.kind not in "biu":
        values = number_array("labels", labels)
        whole = np.isfinite(values) & (values == np.floor(values))
        check_elements("labels", values, whole, "a whole number")
    return labels


def _rows(
    rng: np.random.Generator,
    labels: np.ndarray,
    clients: int,
    kind: str,
    alpha: float,
    classes_per_client: int,
) -> Sequence[np.ndarray]:
    check_choice("partition", kind, PARTITIONS)
    if kind == "iid":
        return np.array_split(rng.permutation(len(labels)), clients)
    if kind == "dirichlet":
        return _dirichlet(rng, labels, clients, alpha)
    if kind == "shards":
        return _shards(rng, labels, clients, classes_per_client)
    shares = rng.dirichlet(np.full(clients, alpha))
    sizes = 1 + _whole_parts(shares, len(labels) - clients)
    return np.split(rng.permutation(len(labels)), np.cumsum(sizes)[:-1])


def _dirichlet(
    rng: np.random.Generator, labels: np.ndarray, clients: int, alpha: float
) -> list[np.ndarray]:
    rows: list[list[int]] = [[] for _ in range(clients)]
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        sizes = _whole_parts(rng.dirichlet(np.full(clients, alpha)), len(members))
        for row, part in zip(rows, np.split(members, np.cumsum(sizes)[:-1]), strict=True):
            row.extend(part.tolist())
    for row in rows:
        if not row:
            row.append(max(rows, key=len).pop())
    return [np.array(row) for row in rows]


def _shards(
    rng: np.random.Generator, labels: np.ndarray, clients: int, classes_per_client: int
) -> list[np.ndarray]:
    classes = np.unique(labels)
    each = check_count("classes_per_client", classes_per_client, high=len(classes))
    if clients * each > len(labels):
        raise ValueError(
            f"classes_per_client = {each}: {clients} clients x {each} are {clients * each} shards, "
            f"more than the {len(labels)} samples"
        )
    holders: list[list[int]] = [[] for _ in classes]
    for client in rng.permutation(clients):
        # The classes held least often, ties at random: distinct, and balanced to within one.
        times_held = np.array([float(len(held)) for held in holders])
        order = np.lexsort((rng.random(len(classes)), times_held))
        for index in order[:each]:
            holders[index].append(int(client))
    rows: list[list[int]] = [[] for _ in range(clients)]
    for label, held in zip(classes, holders, strict=True):
        members = rng.permutation(np.flatnonzero(labels == label))
        if len(members) < len(held):
            raise ValueError(
                f"classes_per_client = {each}: class {label} has {len(members)} samples for "
                f"{len(held)} shards"
            )
        for client, part in zip(held, np.array_split(members, max(1, len(held))), strict=False):
            rows[client].extend(part.tolist())
    return [np.array(row) for row in rows]


def _whole_parts(shares: HostFloats, total: int) -> HostInts:
    """Integers that add to `total`, each within one of its share (largest remainders)."""
    exact = shares / shares.sum() * total
    parts: HostInts = np.floor(exact).astype(np.int64)
    largest = np.argsort(parts - exact, kind="stable")[: total - int(parts.sum())]
    parts[largest] += 1
    return parts
