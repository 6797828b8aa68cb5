"""Data of one's own: arrays with a partition, or what each client holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np

from jaxcogc._types import AnyArray
from jaxcogc.federated.data.datasets import Dataset
from jaxcogc.federated.data.partitions import Partition, make_partitions

Examples = tuple[AnyArray, AnyArray]
"""Inputs [samples, ..] and targets [samples, ..]: labels, or other numbers."""
Data = Dataset | Examples | Sequence[Examples]
"""A data set, arrays of all clients together, or arrays of every client."""


class HeldData(NamedTuple):
    """Data, and who holds which samples of it.

    Attributes:
      dataset: of all clients together.
      partition: of its training samples.
    """

    dataset: Dataset
    partition: Partition


def held_data(
    data: Data,
    num_clients: int,
    seeds: Sequence[int],
    *,
    test: Examples | None,
    partition: Partition | str,
    alpha: float,
    classes_per_client: int,
) -> HeldData:
    """Data in the form that training takes: float32 and int32, on the host.

    Args:
      data: a data set, ``(inputs, targets)``, or a pair of them for every client.
      num_clients: M.
      seeds: of the runs; each has a partition of its own, where one is to be made.
      test: ``(inputs, targets)``; None: those of the data set, or the training samples again.
      partition: who holds what, or how to divide: of `jaxcogc.names.PARTITIONS`. Of data that
        comes for each client: left at "iid".
      alpha, classes_per_client: as `make_partition` takes them.

    Raises:
      ValueError: another number of clients than M, inputs without as many targets, a partition
        beside data for each client, or one by labels where targets are none.
    """
    if isinstance(data, Dataset):
        train: Examples = (data.train_inputs, data.train_labels)
        test = test or (data.test_inputs, data.test_labels)
        dataset = _dataset(data.name, train, test, data.num_classes)
    elif len(data) == 2 and all(hasattr(part, "shape") for part in data):
        inputs, targets = data
        dataset = _dataset("own", (np.asarray(inputs), np.asarray(targets)), test)
    else:
        if partition != "iid":
            raise ValueError("partition beside data for each client: allowed is one of the two")
        each = cast("Sequence[Examples]", data)
        pairs = [_checked(f"data of client {k}", pair) for k, pair in enumerate(each)]
        if len(pairs) != num_clients:
            raise ValueError(
                f"data for {len(pairs)} clients: allowed is (inputs, targets) for each of the "
                f"{num_clients} of the network, or for all together"
            )
        inputs, targets = (np.concatenate([pair[part] for pair in pairs]) for part in (0, 1))
        dataset = _dataset("own", (inputs, targets), test)
        return HeldData(dataset, _in_order([len(pair[0]) for pair in pairs]))
    if isinstance(partition, Partition):
        return HeldData(dataset, partition)
    labels = _labels(dataset, partition)
    made = make_partitions(
        seeds,
        labels,
        num_clients,
        kind=partition,
        alpha=alpha,
        classes_per_client=classes_per_client,
    )
    return HeldData(dataset, made)


def _labels(dataset: Dataset, partition: str) -> np.ndarray:
    """What a partition looks at."""
    labels, samples = dataset.train_labels, len(dataset.train_inputs)
    if partition in ("iid", "size-skew"):  # which look at no label
        labels = np.zeros(samples, np.int32)
    elif labels.ndim != 1 or labels.dtype.kind not in "biu":
        raise ValueError(
            f"partition = {partition!r} of targets that are no labels: allowed are 'iid' and "
            "'size-skew', a Partition, or data for each client"
        )
    return labels


def _in_order(sizes: Sequence[int]) -> Partition:
    """The first samples are of the first client, and so on."""
    ends = np.cumsum(sizes)
    rows = [np.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    indices = np.stack([np.resize(row, max(sizes)) for row in rows])
    return Partition(indices.astype(np.int32), np.array(sizes, np.int32))


def _dataset(
    name: str, train: Examples, test: Examples | None, num_classes: int | None = None
) -> Dataset:
    inputs, targets = _checked("data", train)
    test_inputs, test_targets = (inputs, targets) if test is None else _checked("test", test)
    for what, one, other in (
        ("inputs", inputs, test_inputs),
        ("targets", targets, test_targets),
    ):
        if one.shape[1:] != other.shape[1:]:
            raise ValueError(
                f"test {what} of shape {other.shape}: allowed is (samples, *{one.shape[1:]}), as "
                "those of data"
            )
    if num_classes is None:
        are_labels = targets.ndim == 1 and targets.dtype.kind in "iu"
        num_classes = int(targets.max()) + 1 if are_labels else 0
    return Dataset(name, inputs, targets, test_inputs, test_targets, num_classes)


def _checked(name: str, pair: Examples) -> tuple[np.ndarray, np.ndarray]:
    """The arrays in 32 bits, as the models have them whatever JAX's mode is."""
    if len(pair) != 2:
        raise ValueError(f"{name} has {len(pair)} parts: allowed is (inputs, targets)")
    for part in pair:
        if np.ma.is_masked(part):
            raise ValueError(f"{name} has masked entries: allowed are arrays without any")
    inputs, targets = (_narrow(np.asarray(part)) for part in pair)
    if inputs.ndim == 0 or inputs.shape[:1] != targets.shape[:1] or len(inputs) == 0:
        raise ValueError(
            f"{name}: inputs of shape {inputs.shape}, targets of shape {targets.shape}: allowed is "
            "the same number of samples, and some"
        )
    return inputs, targets


def _narrow(values: np.ndarray) -> np.ndarray:
    if values.dtype == np.float64:
        return values.astype(np.float32)
    return values.astype(np.int32) if values.dtype == np.int64 else values
