"""Data sets: images, their labels and a fixed split into a training and a test part."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32

from jaxcogc.federated.data.image_files import Images, read_cifar10_folder, read_idx_folder
from jaxcogc.links.checks import check_choice
from jaxcogc.names import DATASETS

NUM_CLASSES = 10
"""Of each of the data sets."""


class Dataset(NamedTuple):
    """Labelled images, in host memory.

    Attributes:
        name: as `load_dataset` was given it.
        train_inputs: float32 [samples, height, width, channels] in [0, 1].
        train_labels: int32 [samples], in 0 .. num_classes - 1.
        test_inputs: float32 [samples, height, width, channels], likewise.
        test_labels: int32 [samples].
        num_classes: number of labels.
    """

    name: str
    train_inputs: Float32[np.ndarray, "samples ..."]
    train_labels: Int32[np.ndarray, "samples"]
    test_inputs: Float32[np.ndarray, "_tests ..."]
    test_labels: Int32[np.ndarray, "_tests"]
    num_classes: int


class _Source(NamedTuple):
    """Where a data set that does not come with scikit-learn is found."""

    openml_name: str
    openml_version: int
    num_train: int
    """Rows of the OpenML table that come first and train; the rest tests."""
    image_shape: tuple[int, int, int]
    channels_first: bool
    read_folder: Callable[[Path], Images]


_SOURCES = {
    "mnist": _Source("mnist_784", 1, 60_000, (28, 28, 1), False, read_idx_folder),
    "fashion-mnist": _Source("Fashion-MNIST", 1, 60_000, (28, 28, 1), False, read_idx_folder),
    "cifar10": _Source("CIFAR_10", 1, 50_000, (32, 32, 3), True, read_cifar10_folder),
}


def load_dataset(name: str, data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """A data set by its name.

    Args:
        name: "digits" (1797 images of 8 x 8, comes with scikit-learn: no network needed), "mnist",
            "fashion-mnist" or "cifar10".
        data_dir: a folder with the data set's own files: IDX files, gzipped or not, for the two
            MNISTs; the binary version for CIFAR-10 (no pickles are read). None fetches from OpenML
            into scikit-learn's cache, once.

    Returns:
        A Dataset: inputs float32 [samples, height, width, channels], labels int32 [samples]. The
        split of digits (1437 | 360, equal shares of every class) is ours and fixed.

    Raises:
        ValueError: an unknown name; a file that is truncated, too long or of another kind (which,
            expected and found size).
        FileNotFoundError: a file is missing (which).
        OSError: the fetch failed.

    >>> data = load_dataset("digits")
    >>> data.train_inputs.shape, data.train_labels.dtype, data.num_classes
    ((1437, 8, 8, 1), dtype('int32'), 10)
    """
    check_choice("dataset", name, DATASETS)
    if name == "digits":
        return _digits()
    if data_dir is None:
        return _fetch(name)
    folder = Path(data_dir)
    if not folder.is_dir():
        raise FileNotFoundError(f"data_dir = {str(folder)!r}: allowed is an existing folder")
    return _dataset(name, _SOURCES[name].read_folder(folder))


def _digits() -> Dataset:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    inputs = bunch.images[..., None] * (255 / 16)
    train, test, train_labels, test_labels = train_test_split(
        inputs, bunch.target, test_size=360, random_state=0, stratify=bunch.target
    )
    return _dataset("digits", Images(train, train_labels, test, test_labels))


def _fetch(name: str) -> Dataset:
    from sklearn.datasets import fetch_openml

    source = _SOURCES[name]
    try:
        table = fetch_openml(
            source.openml_name, version=source.openml_version, as_frame=False, parser="auto"
        )
    except OSError as error:  # no network, a proxy, a server's refusal
        reason = " ".join(str(error).split())
        raise OSError(
            f"dataset = {name!r} could not be fetched from OpenML ({reason}): "
            "give the folder of its files as data_dir"
        ) from error
    height, width, channels = source.image_shape
    data = np.asarray(table.data)
    if data.ndim != 2 or data.shape[1] != height * width * channels:
        raise ValueError(
            f"dataset = {name!r}: OpenML's table has shape {data.shape}, expected "
            f"(samples, {height * width * channels})"
        )
    if source.channels_first:
        images = data.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
    else:
        images = data.reshape(-1, height, width, channels)
    labels = np.asarray(table.target).astype(np.int32)  # strings of digits
    n = source.num_train
    return _dataset(name, Images(images[:n], labels[:n], images[n:], labels[n:]))


def _dataset(name: str, images: Images) -> Dataset:
    """Grey levels to [0, 1], and the last checks."""
    for part, inputs, labels in (
        ("training", images.train_inputs, images.train_labels),
        ("test", images.test_inputs, images.test_labels),
    ):
        if len(inputs) == 0 or len(inputs) != len(labels):
            raise ValueError(
                f"dataset = {name!r}: {len(inputs)} {part} images with {len(labels)} labels: "
                "expected as many labels as images, and some"
            )
        if labels.min() < 0 or labels.max() >= NUM_CLASSES:
            raise ValueError(
                f"dataset = {name!r}: {part} labels from {labels.min()} to {labels.max()}: "
                f"expected 0 to {NUM_CLASSES - 1}"
            )
    return Dataset(
        name,
        _unit_range(images.train_inputs),
        images.train_labels.astype(np.int32),
        _unit_range(images.test_inputs),
        images.test_labels.astype(np.int32),
        NUM_CLASSES,
    )


def _unit_range(images: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(images, np.float32) / np.float32(255)
