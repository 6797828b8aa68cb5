"""Matrix files: JSON, CSV and NPY, and what is wrong with them in one line."""

import io
import json

import numpy as np
import pytest

from jaxcogc import GradientCode
from jaxcogc.links.matrix_file import read_matrix

MATRIX = np.array([[1.0, 0.1 + 0.2], [-3e-7, 2.0]])


def npy(array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", json.dumps(MATRIX.tolist()).encode()),
        ("a.csv", "\n\n".join(",".join(map(repr, row)) for row in MATRIX.tolist()).encode()),
        ("a.CSV", ("\ufeff" + "1, 0.30000000000000004\r\n-3e-7,2\r\n").encode()),
        ("a.npy", npy(MATRIX)),
        ("b.npy", npy(np.asfortranarray(MATRIX))),
    ],
)
def test_every_digit_comes_back(tmp_path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    np.testing.assert_array_equal(read_matrix(path), MATRIX)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", b"1", [".json, .csv, .npy"]),
        ("a.json", b"[[1, 2", ["not valid JSON", "line 1"]),
        ("a.json", b'{"a": 1}', ["list of rows"]),
        ("a.json", b"[1, 2]", ["list of rows"]),
        ("a.json", b"[]", ["shape (0, 0)"]),
        ("a.json", b"[[]]", ["shape (1, 0)"]),
        ("a.json", b"[[1, 2], [3]]", ["row 2 has 1 numbers", "2, as in the first"]),
        ("a.json", b'[[1, "x"]]', ["row 1, number 2 is string"]),
        ("a.json", b"[[true]]", ["row 1, number 1 is true"]),
        ("a.json", b"[[1e999]]", ["matrix[0, 0] = inf", "finite"]),
        ("a.json", b"[[NaN]]", ["matrix[0, 0] = nan", "finite"]),
        ("a.json", b"[" * 100_000, ["nested too deeply"]),
        ("a.json", b"[[1" + b"0" * 400 + b"]]", ["real numbers"]),
        ("a.csv", b"1,x\n2,3", ["row 1, number 2 is 'x'"]),
        ("a.csv", b"1,2\n3", ["row 2 has 1 numbers"]),
        ("a.csv", b"1,2\n3,", ["row 2, number 2 is ''"]),
        ("a.csv", b"", ["shape (0, 0)"]),
        ("a.csv", b"\xff\xfe", ["not a CSV file"]),
        ("a.csv", b"1,2\n3,nan", ["matrix[1, 1] = nan"]),
        ("a.csv", b"1,2\n3,4\n5,6", ["shape (3, 2)", "(clients, clients)"]),
        ("a.npy", b"", ["no NPY file"]),
        ("a.npy", b"\x93NUMPY", ["no NPY file"]),
        ("a.npy", npy(np.eye(3))[:100], ["no NPY file"]),
        ("a.npy", npy(np.array([[1, {}]], object)), ["no NPY file", "bject"]),
        ("a.npy", npy(np.eye(2) * 1j), ["real numbers"]),
        ("a.npy", npy(np.array([["a"]])), ["real numbers"]),
        ("a.npy", npy(np.ones(3)), ["shape (3,)", "2 axes"]),
        ("a.npy", npy(np.ones((2, 3))), ["shape (2, 3)", "(clients, clients)"]),
        ("a.npy", npy(np.array(1.0)), ["shape ()"]),
        ("a.npy", npy(np.zeros((1, 5000))), ["shape (1, 5000)", "4096"]),
        ("a.npy", npy([[1, np.inf], [0, 1]]), ["matrix[0, 1] = inf"]),
    ],
)
def test_wrong_files_are_named_in_one_line(tmp_path, name, content, words) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError) as error:
        GradientCode.from_file(path)
    line = str(error.value)
    assert "\n" not in line
    assert len(line) < 400
    for word in [name, *words]:
        assert word in line, line


def test_a_file_that_is_not_there(tmp_path) -> None:
    for ending in ("json", "csv", "npy"):
        with pytest.raises(ValueError, match="cannot be read: No such file"):
            read_matrix(tmp_path / f"a.{ending}")
