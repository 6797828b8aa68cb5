"""What a person reads tells apart what the identity tells apart; no axis depends on its order."""

import io
import itertools
import json

import numpy as np
import pandas
import pytest

from jaxcogc.cli.app import main
from jaxcogc.figures.studies.curve_layout import layout_of, panels_of
from jaxcogc.figures.studies.report_figures import heat_map
from jaxcogc.links.network import Network
from jaxcogc.number_text import value_text
from jaxcogc.study import collect
from jaxcogc.study.results.best_stragglers import best_stragglers
from jaxcogc.study.results.result_table import read_table
from jaxcogc.study.specification.study_file import parse_study
from jaxcogc.study.store.merging import merge_stores
from jaxcogc.study.store.store import open_store
from tests.study.fake import FakeEngine

FILES = "[network]\nfiles = {}\n[code]\nstragglers = {}\n[stop]\nmax_trials = 1\n"


def engine():
    return FakeEngine(lambda point, block: 100 * point.stragglers + 30)


def write(path, erasure, **more):
    path.parent.mkdir(exist_ok=True)
    Network.homogeneous(4, uplink_erasure=erasure, peer_erasure=0.1, **more).to_json(path)


def count(folder, store, names, stragglers=(1, 2)):
    study = parse_study(FILES.format(json.dumps(names), list(stragglers)), folder=folder)
    collect(study, store, engine=engine())
    return [point.labels["network"] for point in study.points]


def table_of(store):
    with open_store(store) as opened:
        return read_table(opened)


def networks(store):
    return [str(value) for value in table_of(store).values("network")]


def assert_apart(table, curves):
    """One place for each point in the pictures, and one best number of stragglers a network."""
    (panel,) = panels_of(table, layout_of(table, x="stragglers"))
    assert len(panel.curves) == curves
    for curve in panel.curves:
        places = [mark.x for mark in curve.marks]
        assert len(set(places)) == len(places)
    assert len(best_stragglers(table)) == curves
    cells = {tuple(row[name] for name in table.axes) for row in table.rows}
    assert len(cells) == len(table.rows)


def test_files_of_one_name_are_called_by_their_folders(tmp_path):
    write(tmp_path / "day1" / "links.json", 0.1)
    write(tmp_path / "day2" / "links.json", 0.2)
    told = count(tmp_path, tmp_path / "s.db", ["day1/links.json", "day2/links.json"])
    assert set(told) == {"day1/links", "day2/links"}
    assert networks(tmp_path / "s.db") == ["day1/links", "day2/links"]
    assert_apart(table_of(tmp_path / "s.db"), 2)
    assert len(table_of(tmp_path / "s.db").where("network=DAY2/links").results) == 2


@pytest.mark.parametrize("stragglers", [((1, 2), (1, 2)), ((1,), (2, 3))], ids=["same", "other"])
@pytest.mark.parametrize("merged", [False, True])
def test_two_studies_of_their_own_folders_in_one_store(tmp_path, stragglers, merged):
    stores = [tmp_path / "1.db", tmp_path / ("2.db" if merged else "1.db")]
    for day, store, values in zip(("day1", "day2"), stores, stragglers, strict=True):
        write(tmp_path / day / "links.json", int(day[-1]) / 10)
        assert set(count(tmp_path / day, store, ["links.json"], values)) == {"links"}
    if merged:
        merge_stores([stores[1]], stores[0])
    assert set(networks(stores[0])) == {"day1/links", "day2/links"}
    assert_apart(table_of(stores[0]), 2)


def test_a_file_measured_again_is_told_by_what_it_holds(tmp_path):
    for erasure in (0.1, 0.2):
        write(tmp_path / "links.json", erasure)
        count(tmp_path, tmp_path / "s.db", ["links.json"])
    found = networks(tmp_path / "s.db")
    assert len(set(found)) == 2
    assert all(name.startswith("links#") and len(name) == 10 for name in found)
    assert_apart(table_of(tmp_path / "s.db"), 2)
    write(tmp_path / "links.json", 0.1)  # as it was: the same network, under the same name
    count(tmp_path, tmp_path / "s.db", ["links.json"], [3])
    assert networks(tmp_path / "s.db") == found


def test_names_that_are_alike_in_a_table_only(tmp_path):
    """Characters that would need quotes, endings, and words for kinds of networks."""
    names = ["a,b.json", "a;b.json", "homogeneous.json", "c.json", "c.JSON"]
    for place, name in enumerate(names):
        write(tmp_path / name, place / 10)
    count(tmp_path, tmp_path / "s.db", names)
    grid = "clients = 4\nuplink_erasure = 0.1\npeer_erasure = 0.1"
    text = FILES.replace("files = {}", grid).format([1, 2])
    collect(parse_study(text), tmp_path / "s.db", engine=engine())
    found = networks(tmp_path / "s.db")
    # The grid's point is also that of a;b.json: one point, with the label of the last study.
    assert len(set(found)) == len(names)
    assert_apart(table_of(tmp_path / "s.db"), len(names))
    assert not any(c in name for name in found for c in ",;\"'")


def test_names_are_words_to_whoever_reads_the_csv(tmp_path, capsys):
    """No name ends a line, moves a cursor, or comes back as a number or as a missing value."""
    odd = ["a\rb", "a\tb", "a\x1b[31mb", "a\u2028b", "a\x85b", "a\x7fb"]
    names = [*odd, "NA", "None", "nan", "007", "7", "1e5", "true", "v1.2", "plain"]
    for place, name in enumerate(names):
        write(tmp_path / f"{name}.json", place / 20)
    count(tmp_path, tmp_path / "s.db", [f"{name}.json" for name in names], [1])
    found = networks(tmp_path / "s.db")
    assert len(set(found)) == len(names)
    assert all(name.isprintable() for name in found)
    assert found[-2:] == ["v1.2", "plain"]
    assert main(["show", "--store", str(tmp_path / "s.db"), "--csv", "-"]) == 0
    text = capsys.readouterr().out
    assert len(text.splitlines()) == len(names) + 1
    read = pandas.read_csv(io.StringIO(text))
    assert read["network"].tolist() == found
    assert len(read.groupby("network")) == len(names)
    # A probability of 0 is a number, not a missing one.
    assert read["gc_plus_none"].notna().all()


def test_other_positions_are_another_network(tmp_path):
    text = """
        [network]
        positions = {}
        server = [0, 0]
        snr_at_reference = [10.0, 100.0]
        path_loss_exponent = 3
        rate = 1.0
        [stop]
        max_trials = 1
    """
    for positions in ([[0, 1], [1, 0], [2, 2]], [[0, 1], [1, 0], [3, 2]]):
        collect(parse_study(text.format(positions)), tmp_path / "s.db", engine=engine())
        if positions[-1] == [2, 2]:
            assert networks(tmp_path / "s.db") == ["positions"]
    table = table_of(tmp_path / "s.db")
    assert len(table.values("network")) == 2
    (panel,) = panels_of(table, layout_of(table, x="snr_at_reference"))
    assert [len(curve.marks) for curve in panel.curves] == [2, 2]


def test_a_store_that_does_not_know_the_files_tells_them_apart_too(tmp_path):
    for day in ("day1", "day2"):
        write(tmp_path / day / "links.json", int(day[-1]) / 10)
        count(tmp_path / day, tmp_path / "s.db", ["links.json"])
    with open_store(tmp_path / "s.db") as opened:
        opened.rows("UPDATE points SET labels = json_remove(labels, '$.network_source')")
    assert len({name for name in networks(tmp_path / "s.db") if "links#" in name}) == 2
    assert_apart(table_of(tmp_path / "s.db"), 2)


def test_one_network_keeps_one_name_in_both_directions(tmp_path):
    """A link drawn once or twice is another axis, not another file."""
    for day in ("day1", "day2"):
        write(tmp_path / day / "links.json", int(day[-1]) / 10)
    text = FILES.format('["day1/links.json", "day2/links.json"]\nreciprocal = [false, true]', [1])
    labels = [point.labels for point in parse_study(text, folder=tmp_path).points]
    assert {(x["network"], x["reciprocal"]) for x in labels} == set(
        itertools.product(("day1/links", "day2/links"), (False, True))
    )


CLOSE = [0.1, 0.1000001, float(np.nextafter(0.1, 1))]


def test_numbers_that_round_to_the_same_are_told_apart(tmp_path):
    text = f"""
        [network]
        clients = 4
        uplink_erasure = {CLOSE}
        peer_erasure = 0.1
        [code]
        stragglers = [1, 2]
        [stop]
        max_trials = 1
    """
    collect(parse_study(text), tmp_path / "s.db", engine=engine())
    table = table_of(tmp_path / "s.db")
    assert_apart(table, 3)
    picture = heat_map(table, "gc_plus_none").figure
    assert {len(set(picture.data[0][axis])) for axis in "xy"} == {2, 3}
    assert len({value_text(value) for value in CLOSE}) == 3
    assert [float(value_text(value)) for value in CLOSE] == CLOSE


def test_a_filter_minds_letters_where_names_differ_in_them(tmp_path):
    for place, name in enumerate(("Hall", "hall", "other")):
        write(tmp_path / f"{name}.json", place / 10)
    count(tmp_path, tmp_path / "s.db", ["Hall.json", "hall.json", "other.json"])
    table = table_of(tmp_path / "s.db")
    for condition, found in (
        ("network=hall", ["hall"]),
        ("network=Hall", ["Hall"]),
        ("network=HALL", ["Hall", "hall"]),
        ("network!=Hall", ["hall", "other"]),
        ("network=OTHER", ["other"]),
    ):
        assert table.where(condition).values("network") == found


def test_what_is_compared_is_one_outcome(tmp_path):
    """Two studies in one store that watch different things: each has a best of its own."""
    text = """
        [network]
        clients = 4
        uplink_erasure = 0.1
        peer_erasure = 0.1
        [code]
        stragglers = {}
        [stop]
        max_trials = 1
        outcome = "{}"
    """
    for values, outcome in (([1, 2], "gc_plus_none"), ([3], "gc_plus_full")):
        collect(parse_study(text.format(values, outcome)), tmp_path / "s.db", engine=engine())
    found = {best.outcome: best for best in best_stragglers(table_of(tmp_path / "s.db"))}
    assert {name: best.result.point.stragglers for name, best in found.items()} == {
        "gc_plus_none": 1,
        "gc_plus_full": 1,
    }


def test_a_single_point_is_apart_from_nobody(tmp_path):
    write(tmp_path / "one.json", 0.1)
    write(tmp_path / "two.json", 0.2)
    count(tmp_path, tmp_path / "s.db", ["one.json"], [1])
    count(tmp_path, tmp_path / "s.db", ["two.json"], [1, 3])
    found = {
        best.setting["network"]: best.apart for best in best_stragglers(table_of(tmp_path / "s.db"))
    }
    assert found == {"one": None, "two": True}


NETWORKS = {
    "homogeneous": {
        "clients": [3, 4, 5],
        "uplink_erasure": [0.1, 0.2, 0.3],
        "peer_erasure": [0.0, 0.1],
        "reciprocal": [True, False],
    },
    "files": {"files": ["links.json", "both.json"], "reciprocal": [True, False]},
    "positions": {
        "snr_at_reference": [9.0, 99.0],
        "path_loss_exponent": [3, 2],
        "rate": [1.0, 2.0],
        "reciprocal": [True, False],
    },
}
PLACES = {"positions": [[0, 1], [1, 0], [2, 2], [3, 3]], "server": [0, 0]}
OTHERS = {
    "code": {"family": ["cyclic", "uncoded", "cyclic-mds"], "stragglers": [0, 1, 2]},
    "protocol": {"attempts": [1, 2], "redraw_code": [False, True]},
    "run": {"seed": [0, 1, 2]},
}
EVERY_AXIS = [
    *((kind, "network", axis) for kind, axes in NETWORKS.items() for axis in axes),
    *(("homogeneous", name, axis) for name, axes in OTHERS.items() for axis in axes),
]


@pytest.mark.parametrize(("kind", "section", "axis"), EVERY_AXIS)
def test_an_axis_depends_neither_on_its_order_nor_on_an_earlier_value(
    kind, section, axis, tmp_path
):
    write(tmp_path / "links.json", 0.1)
    write(tmp_path / "both.json", 0.2, reciprocal=True)
    axes = {"network": NETWORKS[kind], **OTHERS}
    values = axes[section][axis]

    def points(order):
        grid = {name: {key: found[0] for key, found in axes[name].items()} for name in axes}
        grid["network"] |= PLACES if kind == "positions" else {}
        grid[section][axis] = order
        lines = ["[stop]", "max_trials = 1"]
        for name, keys in grid.items():
            lines += [f"[{name}]", *(f"{key} = {json.dumps(keys[key])}" for key in keys)]
        found = parse_study("\n".join(lines), folder=tmp_path).points
        return {point.id: dict(point.labels) for point in found}

    every = points(values)
    assert len(every) == len(values)
    assert points(values[::-1]) == every
    assert points(values[1:] + values[:1]) == every
    alone = [points([value]) for value in values]
    assert {id: labels for found in alone for id, labels in found.items()} == every
