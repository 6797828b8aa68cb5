"""Text of a user is drawn as it is; a user's settings of Matplotlib take no result with them."""

import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from jaxcogc import Network
from jaxcogc.cli.app import main
from jaxcogc.figures import figure_bytes, new_figure
from jaxcogc.figures.studies.curve_layout import layout_of
from jaxcogc.figures.studies.report_figures import curve_figures, heat_map
from jaxcogc.figures.studies.study_curves import plot_study
from jaxcogc.study import collect
from jaxcogc.study.results.result_table import read_table
from jaxcogc.study.specification.study_file import parse_study
from jaxcogc.study.store.store import open_store
from tests.cli.program import run_program
from tests.places import EXAMPLES
from tests.study.fake import FakeEngine

NAMES = ["$x^2$", r"\frac{", "$", r"a\$b", "$$", "a_1", "<b>x<!--", "50%{y}", "\N{SNOWMAN} \u4e2d"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names")
    files = []
    for place, name in enumerate(NAMES):
        network = Network.homogeneous(4, uplink_erasure=0.05 * (1 + place), peer_erasure=0.1)
        network.to_json(folder / f"{name}.json")
        files.append(f"{name}.json")
    text = f"[network]\nfiles = {json.dumps(files)}\n[code]\nstragglers = [1, 2]\n[stop]\n"
    text += "max_trials = 1\n[study]\nname = 'costs $5_{, or $6^'\n"
    study = parse_study(text, folder=folder)
    collect(study, folder / "s.db", engine=FakeEngine(lambda point, block: 50))
    return folder / "s.db"


def texts_of(figure: mpl.figure.Figure) -> set[str]:
    """What is drawn, as Matplotlib reads it."""
    FigureCanvasAgg(figure).draw()
    found = figure.findobj(mpl.text.Text)
    return {text._preprocess_math(text.get_text())[0] for text in found if text.get_text()}


@pytest.mark.filterwarnings("ignore:Glyph")
def test_names_and_titles_are_drawn_as_they_are(store: Path) -> None:
    with open_store(store) as opened:
        table = read_table(opened)
    shown = [str(name) for name in table.values("network")]
    assert shown == NAMES
    for axes in ({"x": "stragglers"}, {"x": "network"}, {"x": "stragglers", "panels": "network"}):
        figure = plot_study(table, layout_of(table, **axes), title="$x_1$ and $y")
        drawn = texts_of(figure)
        assert "$x_1$ and $y" in drawn
        for name in shown:
            assert {name, f"network {name}"} & drawn


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_pictures_of_such_names_are_whole(store: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"p{suffix}"
    arguments = ["--x", "stragglers", "--out", str(target)]
    assert main(["plot", "--store", str(store), *arguments]) == 0
    if suffix == ".svg":
        ElementTree.parse(target)


def test_the_report_has_no_places_to_fill_in_and_no_tags_in_names(store: Path) -> None:
    with open_store(store) as opened:
        table = read_table(opened)
    charts = [*curve_figures(table, "gc_plus_none"), heat_map(table, "gc_plus_none")]
    text = json.dumps([chart.figure.to_plotly_json() for chart in charts], default=list)
    assert "50%&#123;y}" in text
    assert "50%{y}" not in text.replace('"legendgroup": "network 50%{y}"', "")
    assert "&lt;b&gt;x" in text
    assert "<b>x" not in text.replace('"legendgroup": "network <b>x<!--"', "")
    assert main(["report", "--store", str(store), "--out", str(store.with_suffix(".html"))]) == 0


SETTINGS = {
    "text.usetex": True,
    "text.parse_math": False,
    "axes.formatter.use_mathtext": True,
    "svg.fonttype": "none",
    "savefig.bbox": "tight",
    "figure.autolayout": True,
    "font.family": ["no such font"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_a_user_stop_no_picture(name: str) -> None:
    with mpl.rc_context({name: SETTINGS[name]}):
        with new_figure("a_title", "100 %", height=3.0) as figure:
            axes = figure.subplots()
            axes.set(yscale="log", ylim=(1e-3, 1))
        assert len(figure_bytes(figure, ".svg")) > 1000
        FigureCanvasAgg(figure).draw()
        labels = [label for label in axes.get_yticklabels() if label.get_text()]
        assert all(label.get_parse_math() and not label.get_usetex() for label in labels)


OUTAGE = ["outage", "--clients", "3", "--stragglers", "1", "--trials", "100", "--quiet"]


@pytest.mark.slow
def test_a_backend_that_is_not_there_takes_no_number_with_it(tmp_path: Path) -> None:
    target, picture = tmp_path / "o.json", tmp_path / "o.png"
    arguments = ["--json", str(target), "--plot", str(picture)]
    run = run_program(*OUTAGE, *arguments, MPLBACKEND="nonsense")
    assert json.loads(target.read_text())["trials"] == 100
    assert run.returncode == 1
    assert run.stderr.startswith("error: --plot: cannot be drawn: ")
    assert run.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_report_needs_no_matplotlib(store: Path, tmp_path: Path) -> None:
    target = str(tmp_path / "r.html")
    run = run_program("report", "--store", str(store), "--out", target, MPLBACKEND="nonsense")
    assert (run.returncode, run.stderr) == (0, "")
    run = run_program("plot", "--store", str(store), "--out", target[:-4] + "png", MPLBACKEND="no")
    assert run.returncode == 1
    assert run.stderr.startswith("error: --out: cannot be drawn: ")
    assert run.stderr.count("\n") == 1


def test_an_example_leaves_its_table_where_the_picture_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import points

    def make(folder: Path) -> list[tuple[Path, str]]:
        points.write_csv(folder / "t.csv", [{"a": 1}])

        def draw() -> None:
            raise RuntimeError("no\nLaTeX")

        points.leave_picture(folder / "t.png", draw)
        return [(folder / "t.png", "a picture"), (folder / "t.csv", "a table")]

    monkeypatch.setattr(sys, "argv", ["x", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        points.leave_results(make)
    assert ended.value.code == 1
    out, err = capsys.readouterr()
    assert err == f"{tmp_path / 't.png'}: cannot be drawn: no LaTeX\n"
    assert out == f"{tmp_path / 't.csv'}: a table\n"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_every_example_draws_by_that_way(path: Path) -> None:
    text = path.read_text()
    assert "write_figure" not in text or path.stem == "points"
    if "write_csv(" in text and "leave_picture(" in text:
        assert path.stem == "points" or text.index("write_csv(") < text.index("leave_picture(")
