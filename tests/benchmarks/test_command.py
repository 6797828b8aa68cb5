"""The command line of the benchmarks, and the picture drawn from result files."""

import json

import pytest

from benchmarks.command import main
from benchmarks.plot import draw
from benchmarks.report import console


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["decode", "--shape", "10,7"], "10,7"),
        (["decode", "--shape", "10,12,1"], "10,12,1"),
        (["decode", "--repeats", "0"], "--repeats"),
        (["decode", "--json", "/no/such/folder/x.json"], "--json"),
        (["guess"], "guess"),
        ([], "BENCHMARK"),
        (["plot", "--results", "/no/such/folder"], "decode.json"),
    ],
)
def test_mistakes_are_one_line(arguments, named, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("error: ")
    assert named in error


@pytest.mark.slow
def test_json_alone_on_standard_output(capsys):
    assert main(["pipeline", "--quick", "--shape", "5,3,2", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["benchmark"] == "pipeline"
    assert "trials/s" in err


def test_names_in_brackets_are_printed(capsys):
    console(None).print("pip install 'jaxcogc[bench]'")
    assert "jaxcogc[bench]" in capsys.readouterr().out


def results(folder, backend="cpu"):
    """Result files with made-up rates, only for drawing."""
    base = {
        "machine": {"cpu": "Some CPU", "cores": 2},
        "device": "cpu",
        "backend": backend,
        "versions": {"jax": "1.2.3"},
        "date": "2030-01-02T03:04:05+00:00",
    }
    names = ["jaxcogc", "numba, x", "jit(vmap(y", "np.linalg.pinv, batched"]
    shape = {"clients": 10, "stragglers": 7, "attempts": 2}
    programs = {name: {"rate": 1e6 / (i + 1)} for i, name in enumerate(names)}
    cases = [{"shape": shape, "programs": programs}] * 2
    run = {"trials": 10**4, "trials_per_second": 1e6, "peak_memory_bytes": 5e8}
    contents = {
        "decode": {"cases": cases},
        "pipeline": {"cases": [{"shape": shape, "programs": {"jaxcogc": {"rate": 1e6}}}]},
        "scaling": {"trials": [run, run | {"trials": 10**5}]},
    }
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps({"benchmark": name} | base | content))


def test_plot_is_drawn_from_result_files(tmp_path):
    results(tmp_path)
    for suffix in (".png", ".svg"):
        draw(tmp_path, tmp_path / f"picture{suffix}")
        assert (tmp_path / f"picture{suffix}").stat().st_size > 10_000
    first = (tmp_path / "picture.png").read_bytes()
    draw(tmp_path, tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == first


def test_plot_without_the_other_files(tmp_path):
    results(tmp_path)
    for name in ("pipeline", "scaling"):
        (tmp_path / f"{name}.json").unlink()
    draw(tmp_path, tmp_path / "picture.png")


@pytest.mark.parametrize("content", ["{", "[]", '{"benchmark": "pipeline"}', ""])
def test_plot_of_a_foreign_file(tmp_path, content):
    (tmp_path / "decode.json").write_text(content)
    with pytest.raises(ValueError, match=r"decode\.json is not a result"):
        draw(tmp_path, tmp_path / "picture.png")
