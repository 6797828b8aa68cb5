"""The report: its structure always, its behaviour in a browser where there is one."""

import base64
import csv
import dataclasses
import io
import itertools
import re
import time
import warnings

import pytest

from jaxcogc.cli.app import main
from jaxcogc.figures.studies.report_figures import curve_figures, heat_map
from jaxcogc.figures.studies.report_page import report_page
from jaxcogc.study.collection.collect import collect
from jaxcogc.study.results.best_stragglers import best_stragglers
from jaxcogc.study.results.result_table import read_table
from jaxcogc.study.specification.study_file import parse_study
from jaxcogc.study.store.store import open_store
from tests.figures import browser
from tests.study.fake import FakeEngine, small_study


def script(point, block):
    """More failures with worse uplinks, none at all with a straggler and the best uplink."""
    place = round(20 * point.labels["uplink_erasure"])
    return 0 if point.stragglers and place == 1 else 40 * place * (2 - point.stragglers) + block


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "study.db"
    study = small_study("max_trials = 50_000\n[study]\nname = 'A <b>bold</b> name'", uplinks=4)
    collect(study, path, engine=FakeEngine(script))
    return path


@pytest.fixture(scope="module")
def page(store):
    return report_page(store)


def test_the_page_has_all_its_parts(page):
    for words in (
        "A &lt;b&gt;bold&lt;/b&gt; name",
        "8 points, 524,288 trials",
        "8 by max-trials",
        "<h2>GC+: nothing recovered</h2>",
        "this is gc_plus_none",
        "<h2>GC+: nothing recovered, over the grid</h2>",
        "Best stragglers",
        "clopper-pearson",
        "95 % intervals",
        "jaxcogc collect study.toml --store study.db",
        "uplink_erasure = [0.05, 0.10, 0.15, 0.20]",
    ):
        assert words in page, words
    assert "<b>bold" not in page
    assert page.count("<tr>") == 1 + 1 + 1 + 4 + 8 + 1  # headers; best; points; sessions


def test_nothing_is_loaded_from_elsewhere(page):
    tags = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.findall(r"(?:src|href)\s*=\s*[\"'](?!data:)", tags)
    assert not re.findall(r"<script[^>]+src=", page)


def test_the_best_stragglers_are_known(store):
    with open_store(store) as opened:
        best = best_stragglers(read_table(opened))
    assert [found.setting["uplink_erasure"] for found in best] == [0.05, 0.1, 0.15, 0.2]
    assert {found.result.point.stragglers for found in best} == {1}
    assert all(found.apart for found in best)


def test_a_single_point_is_apart_from_no_other(tmp_path):
    """Two studies in one store: one has one number of stragglers alone."""
    study = small_study("max_trials = 1", uplinks=1)
    for points in (study.points[:1], parse_study(OTHER).points):
        part = dataclasses.replace(study, points=points)
        collect(part, tmp_path / "s.db", engine=FakeEngine(lambda point, block: 50))
    (best,) = re.findall("<table id='best'>.*?</table>", report_page(tmp_path / "s.db"))
    assert re.findall("<td>(yes|no|no other)</td></tr>", best) == ["no other", "no other"]


OTHER = """
[network]
clients = 4
uplink_erasure = 0.5
peer_erasure = 0.1
[code]
stragglers = 1
[stop]
max_trials = 1
"""


def test_parts_for_every_reader(page):
    """Words of every chart, labels, header cells, fixed parameters, the numbers as a file."""
    assert '<meta name="viewport" content="width=device-width' in page
    assert "prefers-color-scheme: dark" in page
    assert page.count("<figure aria-label=") == page.count("This chart in words") == 2
    words = re.findall("<ul>(.*?)</ul>", page)
    assert [text.count("<li>") for text in words] == [2, 2]  # curves; least and largest
    assert "s = 0: 0.00" in words[0]
    assert "<label for='filter'>" in page
    assert page.count("<th scope='row'>") == 4 + 8 + 1
    (fixed,) = re.findall("<dl id='fixed'>(.*?)</dl>", page)
    assert "<dt>number of clients M</dt><dd>4</dd>" in fixed
    assert "<dt>erasure probability between clients</dt><dd>0.1</dd>" in fixed
    assert "uplinks" not in fixed
    (data,) = re.findall("download='study.csv' href='data:text/csv;base64,(.*?)'", page)
    lines = list(csv.DictReader(io.StringIO(base64.b64decode(data).decode())))
    assert [float(line["uplink_erasure"]) for line in lines[::2]] == [0.05, 0.1, 0.15, 0.2]
    assert float(lines[0]["gc_plus_none"]) > 0


def test_curves_differ_beyond_their_colour(store):
    with open_store(store) as opened:
        table = read_table(opened)
    (chart,) = curve_figures(table, "gc_plus_none")
    named = [trace for trace in chart.figure.data if trace.name]
    assert len(named) == 2
    for look in ("marker.symbol", "line.dash", "line.color"):
        assert len({trace[look] for trace in named}) == 2


def test_sixteen_curves_have_symbols_of_their_own(tmp_path):
    uplinks = ", ".join(f"{0.1 * n:.1f}" for n in range(1, 9))
    text = f"[network]\nclients = 8\nuplink_erasure = [{uplinks}]\npeer_erasure = 0.1\n"
    text += "[code]\nstragglers = [0, 1, 2, 3, 4, 5, 6, 7]\n[protocol]\nattempts = [1, 2]\n"
    study = parse_study(text + "[stop]\nmax_trials = 1\noutcome = 'gc_plus_none'")
    collect(study, tmp_path / "s.db", engine=FakeEngine(lambda point, block: 50))
    with open_store(tmp_path / "s.db") as opened:
        (chart,) = curve_figures(read_table(opened), "gc_plus_none")
    named = [trace for trace in chart.figure.data if trace.name]
    assert len(named) == len({trace.marker.symbol for trace in named}) == 16


def test_charts_speak_of_outcomes_in_words(store):
    with open_store(store) as opened:
        table = read_table(opened)
    (curves,) = curve_figures(table, "gc_plus_none")
    assert curves.figure.layout.yaxis.title.text == "P(GC+: nothing recovered)"
    heat = heat_map(table, "gc_plus_none")
    assert heat is not None
    (cells,) = heat.figure.data
    assert cells.colorbar.title.text == "log10 P(GC+: nothing recovered)"
    assert cells.hovertemplate.startswith("uplink erasure %{x}, stragglers %{y}")


def test_the_csv_is_that_of_show(store, page, capsys):
    (data,) = re.findall("href='data:text/csv;base64,(.*?)'", page)
    assert main(["show", "--store", str(store), "--csv", "-"]) == 0
    shown = capsys.readouterr().out
    assert base64.b64decode(data).decode() == shown
    assert {line["reciprocal"] for line in csv.DictReader(io.StringIO(shown))} == {"false"}


def test_in_a_browser(page, tmp_path):
    if browser.programs() is None:
        assert not browser.REQUIRED, "JAXCOGC_BROWSER=required, but no chromium and chromedriver"
        warnings.warn("the browser test did not run: no chromium and driver on PATH", stacklevel=1)
        return
    file = tmp_path / "report.html"
    file.write_text(page)
    with browser.opened(file, tmp_path / "profile") as driver:
        plots = driver.find_elements("css selector", ".js-plotly-plot")
        assert len(plots) == 2
        curve = "return document.querySelector('.js-plotly-plot').data.map(t => t.visible ?? true)"
        before = driver.execute_script(curve)
        assert all(shown is True for shown in before)
        driver.find_elements("css selector", ".legend .legendtoggle")[0].click()
        hidden = wait_for(lambda: driver.execute_script(curve), lambda now: now != before)
        groups = driver.execute_script(
            "return document.querySelector('.js-plotly-plot').data.map(t => t.legendgroup)"
        )
        expected = ["legendonly" if group == groups[0] else True for group in groups]
        assert hidden == expected  # the curve and its band, and nothing else
        visible = "return document.querySelectorAll('#points tbody tr:not([hidden])').length"
        assert driver.execute_script(visible) == 8
        field = driver.find_element("id", "filter")
        field.send_keys("0.15")
        assert driver.execute_script(visible) == 2
        assert driver.find_element("id", "shown").text == "2 of 8 points"
        field.send_keys(" nonsense")
        assert driver.execute_script(visible) == 0
        assert [line for line in driver.get_log("browser") if line["level"] != "INFO"] == []
        check_sorting(driver, field)
        for width in (1400, 420):
            check_size(driver, width)
        check_theme(driver)
        assert [line for line in driver.get_log("browser") if line["level"] != "INFO"] == []
        # The check of the log can fail.
        driver.execute_script("setTimeout(() => undefinedFunction())")
        log = wait_for(lambda: driver.get_log("browser"), bool)
        assert "undefinedFunction" in str(log)


def check_sorting(driver, field):
    """A click on a header cell sorts, another one turns the order round."""
    field.clear()
    field.send_keys(" ")
    first = "return document.querySelector('#points tbody tr').cells[1].textContent"
    column = driver.find_elements("css selector", "#points th button")[1]
    assert column.text == "uplink_erasure"
    column.click()
    assert driver.execute_script(first) == "0.05"
    column.click()
    assert driver.execute_script(first) == "0.2"
    head = "return document.querySelectorAll('#points th')[1].getAttribute('aria-sort')"
    assert driver.execute_script(head) == "descending"


def check_size(driver, width):
    """Nothing is wider than the page but tables, which scroll; no button sends anything."""
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    wide = "return document.documentElement.scrollWidth"
    assert wait_for(lambda: driver.execute_script(wide), lambda now: now <= width) <= width
    plots = "return [...document.querySelectorAll('.main-svg')].map(x => x.clientWidth)"
    fits = wait_for(lambda: driver.execute_script(plots), lambda all_: max(all_) <= width)
    assert 0 < max(fits) <= width
    parts = "return [...document.querySelectorAll('figure .js-plotly-plot, figure details')]"
    bounds = driver.execute_script(f"{parts}.map(x => x.getBoundingClientRect().toJSON())")
    assert all(x["bottom"] <= y["top"] for x, y in itertools.pairwise(bounds))
    titles = "return [...document.querySelectorAll('.modebar-btn')].map(x => x.dataset.title)"
    buttons = driver.execute_script(titles)
    assert buttons
    assert not [title for title in buttons if re.search("share|cloud|send|edit", title, re.I)]


def check_theme(driver):
    """The page and its charts are dark where the reader wants that."""
    ink = "return getComputedStyle(document.querySelector('.xtitle')).fill"
    paper = "return getComputedStyle(document.body).backgroundColor"
    found = {}
    for scheme in ("light", "dark"):
        feature = [{"name": "prefers-color-scheme", "value": scheme}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})
        bright = scheme == "dark"
        good = lambda colour, bright=bright: (brightness(colour) > 128) == bright  # noqa: E731
        found[scheme] = wait_for(lambda: driver.execute_script(ink), good)
        assert good(found[scheme])
        assert (brightness(driver.execute_script(paper)) > 128) != bright
    assert found["light"] != found["dark"]


def brightness(colour):
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


def wait_for(look, enough):
    """What `look` finds once that is enough, within ten seconds."""
    found = look()
    for _ in range(100):
        if enough(found):
            break
        time.sleep(0.1)
        found = look()
    return found
