"""The report: whole, offline, safe against any name, equal to the result, and working in a real browser."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from helpers.quick import quick, walks
from plotly.offline import get_plotlyjs

import forecast as fc
from forecast import report
from forecast.report.html.explorer import explorer_data
from forecast.report.html.page import render, write_report

HOSTILE = "</script><b>x"
NAMES = [HOSTILE, "a\"'&amp;<!--", "$data ${run} {{x}} \\u003c", "%{y} <a href='javascript:x'>"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Lazy(fc.Naive):
    """A model that fails from some training length on, and warns before."""

    def _fit(self, panel, horizon):
        import warnings

        if len(panel) > 100:
            raise ValueError("too much to <i>learn</i>")
        warnings.warn("this is <u>slow</u>", stacklevel=1)
        super()._fit(panel, horizon)


class Page(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and its visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements, self.text, self.inside = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if self.inside and tag == self.inside[-1]:
            self.inside.pop()

    def handle_data(self, data):
        if not self.inside:
            self.text.append(data)

    def count(self, tag):
        return sum(name == tag for name, _ in self.elements)

    @property
    def visible(self):
        return " ".join("".join(self.text).split())


def run(prices=None, models=None, cv=None, **more):
    prices = walks(220) if prices is None else prices
    models = {"drift": fc.Drift(), "weekly": fc.SeasonalNaive(5)} if models is None else models
    return fc.backtest(models, prices, cv or fc.WalkForward(3, 12), **more)


def own_text(page):
    """The page without plotly's source."""
    plotly = get_plotlyjs()
    assert page.count(plotly) == 1
    return page.replace(plotly, "")


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


@pytest.fixture(scope="module")
def result():
    return run(refit=4)


@pytest.fixture(scope="module")
def page(result):
    return own_text(render(result))


@pytest.fixture(scope="module")
def hostile():
    """Every name that the page prints is hostile: data source, series, models."""
    prices = walks(160, series=4).set_axis(NAMES, axis=1)
    prices.attrs["source"] = HOSTILE
    return run(prices, {HOSTILE: fc.Drift(), NAMES[2]: fc.Naive(), "<img src=x onerror=alert(1)>": fc.Drift()})


def test_the_verdict_comes_first(result, page):
    seen = Page(page).visible
    sentence = result.verdict().sentence
    assert seen.index(sentence) < seen.index("Leaderboard")
    assert page.index('class="verdict') < page.index("<h2>")
    for row in result.verdict().table.itertuples():
        assert row.finding in seen


def test_networks_are_judged_against_arima_as_well(result):
    def renamed(name, kind):
        return result.spec["models"][name] | {"class": kind}

    models = result.spec["models"] | {"drift": renamed("drift", "ARIMA"), "weekly": renamed("weekly", "Recurrent")}
    seen = Page(own_text(render(dataclasses.replace(result, spec=result.spec | {"models": models})))).visible
    assert result.verdict().sentence in seen
    assert result.verdict("drift", ["weekly"]).sentence in seen
    assert "beats drift" not in Page(own_text(render(result))).visible


def test_the_leaderboard_holds_the_numbers_of_the_result(result, page):
    table = re.search(r'<table id="leaderboard">(.*?)</table>', page, re.DOTALL)[1]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]
    board = result.leaderboard()
    assert [re.search(r'data-value="([^"]*)"', row)[1] for row in rows] == list(board.index)
    for row, (_, expected) in zip(rows, board.iterrows(), strict=True):
        values = [float(v) if v else math.nan for v in re.findall(r'<td class="n" data-value="([^"]*)"', row)]
        np.testing.assert_array_equal(values, expected.to_numpy(dtype=float))
    titles = re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", table)
    assert "|".join(titles) == "Model|Skill|MASE|RMSE|MAE|In 80% band|Direction|Wins|Fit s|Forecast s|Failed"
    shown = re.findall(r">([^<>]+)</td>", rows[0])
    assert shown[0].replace("−", "-") == f"{board['skill'].iloc[0]:+.2%}"
    assert shown[1] == f"{board['mase'].iloc[0]:.3f}"


def test_every_column_is_explained(page):
    table = re.search(r'<table id="leaderboard">(.*?)</table>', page, re.DOTALL)[1]
    explained = ", ".join(re.findall(r"<dt>(.*?)</dt>", page)).split(", ")
    for title in re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", table)[1:]:
        assert title in explained


def test_pictures_have_words_and_numbers_behind_them(result, page):
    pictures = [attributes for tag, attributes in Page(page).elements if tag == "svg"]
    assert len(pictures) == 8  # four, each for a wide and for a narrow window
    assert all(p["role"] == "img" and len(p["aria-label"]) > 40 for p in pictures)
    seen = Page(page).visible
    for row in fc.plots.error_by_step(result).itertuples():
        assert f"{row.skill:+.2%}".replace("-", "−") in seen
        assert f"{row.skill_low:+.1%} to {row.skill_high:+.1%}".replace("-", "−") in seen
    for value in fc.plots.skill_through_time(result).iloc[-1]:
        assert f"{value:+.2%}".replace("-", "−") in seen
    assert page.count("<details>") == 5


def test_the_models_that_may_be_the_best_are_named(result):
    f = result.forecasts.copy()
    wild = f["model"] == "weekly"
    f.loc[wild, "y_hat"] = f.loc[wild, "y_hat"] * 1.5
    wilder = dataclasses.replace(result, forecasts=f)
    assert wilder.confidence_set()["in_set"].sum() == 2
    assert "2 of 3 models may be the best. Excluded: weekly." in Page(own_text(render(wilder))).visible
    assert "All 2 models may be the best" in Page(own_text(render(run(models={"drift": fc.Drift()})))).visible


def test_training_curves_are_drawn_where_networks_were_trained(page):
    assert "No network was trained in this run." in Page(page).visible
    text = own_text(render(run(models={"lstm": quick("lstm")}, refit=6)))
    assert "No network was trained" not in Page(text).visible
    assert Page(text).count("svg") == 10


def test_nothing_is_loaded_from_anywhere(page, hostile):
    for text in (page, own_text(render(hostile))):
        assert not re.findall(r"https?:", text)
        assert not re.findall(r"\bimport\b\s*[(\"']|@import|\bfetch\(|XMLHttpRequest|sendBeacon|WebSocket", text)
        assert all(target.startswith("#") for target in re.findall(r"url\(['\"]?([^)'\"]*)", text))
        for _, attributes in Page(text).elements:
            for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
                assert attributes.get(name, "#").startswith(("#", "data:,"))
        assert "default-src 'none'" in text  # and the browser is told so


def test_hostile_names_stay_names(hostile, page):
    text = own_text(render(hostile))
    parsed, harmless = Page(text), Page(page)
    assert parsed.count("script") == harmless.count("script")
    assert not parsed.count("b") - harmless.count("b")
    assert not parsed.count("img")
    assert not parsed.count("a")
    assert not parsed.count("u")
    for name in [*NAMES, "<img src=x onerror=alert(1)>"]:
        assert " ".join(name.split()) in parsed.visible
    data = data_of(text)
    assert data["series"] == NAMES
    assert [model["name"] for model in data["models"]] == list(hostile.spec["models"])


def test_the_explorer_holds_the_forecasts(result, page):
    data = data_of(page)
    f = result.forecasts
    assert data["series"] == ["S0", "S1", "S2"]
    assert data["band"] == ["0.1", "0.9"]
    assert [model["name"] for model in data["models"]] == ["naive", "drift", "weekly"]
    assert data["models"][data["first"]]["name"] == next(n for n in result.leaderboard().index if n != "naive")
    cutoffs = sorted(f["cutoff"].unique())
    assert [data["time"][at] for at in data["at"]] == [f"{c:%Y-%m-%d}" for c in cutoffs]
    rng = np.random.default_rng(0)
    for i in rng.choice(len(f), 60, replace=False):
        row = f.iloc[i]
        s, k = data["series"].index(row["unique_id"]), cutoffs.index(row["cutoff"])
        path = data["paths"][[m["name"] for m in data["models"]].index(row["model"])][s]
        at = k * data["horizon"] + row["step"] - 1
        when = data["at"][k] + int(row["step"])
        assert data["time"][when] == f"{row['ds']:%Y-%m-%d}"
        stored = [
            path["y"][at],
            path["low"][at],
            path["high"][at],
            data["truth"][s][when],
            data["truth"][s][data["at"][k]],
        ]
        np.testing.assert_allclose(stored, row[["y_hat", "q0.1", "q0.9", "y", "y0"]].astype(float), rtol=6e-6)


def test_undated_rows_are_numbers():
    prices = walks(120).to_numpy()
    text, note = explorer_data(run(prices, cv=fc.WalkForward(3, 5, step_size=7)))
    data = json.loads(text)
    assert not data["dated"]
    assert [data["time"][at] for at in data["at"]] == [88, 95, 102, 109, 116]
    assert "the truth is joined by straight lines" in note


def test_a_series_that_lists_late_or_does_not_trade_has_gaps():
    prices = walks(160, late=True)
    prices.iloc[-12, 0] = np.nan
    result = run(prices, cv=fc.WalkForward(3, 12))
    data = json.loads(explorer_data(result)[0])
    rows = result.forecasts[(result.forecasts["model"] == "naive") & (result.forecasts["unique_id"] == "S0")]
    assert sum(y is not None for y in data["paths"][0][0]["y"]) == len(rows)
    assert None in data["truth"][0]


def test_a_big_run_is_thinned_and_says_so(result, monkeypatch):
    per_cutoff = 3 * 3 * 3
    monkeypatch.setattr(sys.modules["forecast.report.html.explorer"], "MAX_ROWS", 5 * per_cutoff + 1)
    page = own_text(render(result))
    assert "only the newest 5 of 12 cutoffs" in Page(page).visible
    data = data_of(page)
    assert data["time"][data["at"][-1]] == f"{result.forecasts['cutoff'].max():%Y-%m-%d}"
    assert len(data["at"]) == 5
    monkeypatch.setattr(sys.modules["forecast.report.html.explorer"], "MAX_ROWS", per_cutoff - 1)
    text, note = explorer_data(result)
    assert "newest 1 of 12" in note
    assert "Of 3 series, it shows only the first 2" in note
    assert len(json.loads(text)["series"]) == len(json.loads(text)["truth"]) == 2


def test_what_was_run_is_told(result, page):
    seen = Page(page).visible
    data = result.spec["data"]
    for said in (data["source"], "220 rows", data["first"], data["last"], data["sha256"], "S0, S1, S2", "none inside"):
        assert said in seen
    assert "12 cutoffs, 3 rows apart, each with a forecast of the next 3 rows" in seen
    assert "every 4th cutoff, on all rows" in seen
    assert "SeasonalNaive(levels=(0.1, 0.5, 0.9), log='auto', m=5)" in seen
    assert "no series was left out, and nothing is odd about the prices." in seen
    for name, number in result.spec["versions"].items():
        assert f"{name} {number}" in seen
    walk = Page(own_text(render(run(cv=fc.WalkForward(2, 4, step_size=1, train_size=90, embargo=3))))).visible
    assert "4 cutoffs, 1 row apart, each with a forecast of the next 2 rows." in walk
    assert "at every cutoff, on the newest 90 rows up to it but for the newest 3 (embargo)" in walk


def test_failures_warnings_and_absences_are_listed():
    prices = walks(130, series=2)
    prices["late"] = prices["S0"].where(np.arange(130) >= 127)
    result = run(prices, {"lazy": Lazy(), "drift": fc.Drift()}, fc.WalkForward(3, 10), on_error="record")
    text = own_text(render(result))
    seen = Page(text).visible
    failed = result.fits[result.fits["error"] != ""]
    assert 0 < len(failed) < 10
    assert f"Failed fits: {len(failed)} of {len(result.fits)}" in seen
    assert seen.count("ValueError: too much to <i>learn</i>") == len(failed)
    assert f"Warnings: {10 - len(failed)}" in seen
    assert "this is <u>slow</u>" in seen
    assert "Series that took no part" in seen
    assert "late" in result.skipped["unique_id"].tolist()


def test_what_is_odd_about_the_prices_is_listed():
    prices = walks(130, series=2)
    prices.iloc[20:40, 0] = prices.iloc[20, 0]
    seen = Page(own_text(render(run(prices, {"drift": fc.Drift()}, fc.WalkForward(3, 5))))).visible
    assert "What is odd about the prices" in seen
    assert "20 equal values in a row" in seen


def test_a_model_that_always_fails_leaves_a_report():
    class Never(Lazy):
        def _fit(self, panel, horizon):
            raise ValueError("never")

    result = run(models={"drift": fc.Drift(), "never": Never()}, on_error="record", refit=6)
    seen = Page(own_text(render(result))).visible
    assert "Failed fits: 2" in seen
    assert "never" in seen


@pytest.mark.parametrize(
    "how",
    [
        {"prices": pd.DataFrame({"y": np.full(120, 7.0)})},
        {"models": {"naive": fc.Naive()}},
        {"cv": fc.WalkForward(1, 1)},
        {"prices": walks(120).to_numpy()[:, 0], "models": {"drift": fc.Drift(levels=(0.5,))}},
    ],
    ids=["constant", "naive alone", "one forecast", "one series"],
)
def test_the_smallest_runs_have_a_report(how):
    result = run(**how)
    assert result.verdict().sentence in Page(own_text(render(result))).visible


def test_the_same_result_gives_the_same_page(result, tmp_path):
    result.save(tmp_path / "run")
    assert render(result) == render(fc.BacktestResult.load(tmp_path / "run"))


def test_the_file_is_whole_or_not_there(result, tmp_path, monkeypatch):
    place = tmp_path / "report.html"
    place.write_text("before")
    write_report(result, str(place))
    whole = place.read_text(encoding="utf-8")
    monkeypatch.setattr(report, "render", lambda result: whole)
    assert whole.startswith("<!doctype html>")
    assert whole.rstrip().endswith("</html>")
    assert place.stat().st_size < 8e6
    with monkeypatch.context() as patch:
        patch.setattr(report.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(ValueError, match="No space left on device"):
            write_report(result, place)
    assert place.read_text(encoding="utf-8") == whole
    for where in (tmp_path, tmp_path / "nowhere" / "report.html"):
        with pytest.raises(ValueError, match="cannot write to"):
            write_report(result, where)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    (tmp_path / "other").write_text("")
    assert place.stat().st_mode == (tmp_path / "other").stat().st_mode  # as readable as any new file


LOOKS = {
    "desktop": ["--window-size=1280,900"],
    "narrow": ["--window-size=500,900"],
    "dark": ["--window-size=1280,900", "--blink-settings=preferredColorScheme=0"],
}

#: A reader's clicks, after the page's own script: sort twice, zoom and go back, another cutoff, every model.
CLICKS = """<script>
  const seen = document.body.dataset, chart = document.getElementById("chart");
  const pick = (id, value) => {
    const input = document.getElementById(id);
    input.value = value;
    input.dispatchEvent(new Event("change"));
  };
  const button = document.querySelectorAll("#leaderboard th button")[1];
  const order = () => [...document.querySelectorAll("#leaderboard tbody td:nth-child(2)")]
    .map(cell => cell.dataset.value).join(" ");
  const range = () => chart._fullLayout.xaxis.range.map(end => +new Date(end)).join(" ");
  const mouse = (type, target, x, y) => target.dispatchEvent(new MouseEvent(type,
    { bubbles: true, cancelable: true, view: window, clientX: x, clientY: y, button: 0, buttons: 1 }));
  const wait = milliseconds => new Promise(done => setTimeout(done, milliseconds));
  (async () => {
    while (!seen.ready) await wait(20);
    button.click(); seen.first = order();
    button.click(); seen.second = order();
    chart.scrollIntoView(); await wait(50);
    seen.whole = range();
    const drag = chart.querySelector(".nsewdrag"), box = drag.getBoundingClientRect();
    const at = share => [box.x + share * box.width, box.y + box.height / 2];
    mouse("mousedown", drag, ...at(.5));
    for (const share of [.6, .75]) mouse("mousemove", document, ...at(share));
    mouse("mouseup", document, ...at(.75)); await wait(100);
    seen.zoomed = range();
    document.getElementById("earlier").click(); seen.said = document.getElementById("said").textContent;
    pick("model", "all"); pick("series", "1"); pick("cutoff", "all"); pick("step", "2"); await wait(100);
    seen.chosen = document.getElementById("said").textContent;
    seen.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    seen.paper = getComputedStyle(document.body).backgroundColor;
    const drawn = [...document.querySelectorAll(".picture svg")].filter(svg => svg.getBoundingClientRect().width);
    seen.pictures = drawn.length;
    seen.asked = performance.getEntriesByType("resource").map(entry => entry.name).join(" ");
    seen.done = true;
  })();
</script></body>"""


def browse(path, folder, *more):
    """Open a page in a real browser without a network: its document after the scripts ran, and the console's lines."""
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}", "--virtual-time-budget=8000", *more,
        "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium to open the page with")
@pytest.mark.parametrize("look", LOOKS)
def test_a_browser_draws_sorts_zooms_and_chooses_without_an_error(hostile, tmp_path, look):
    write_report(hostile, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    (tmp_path / "clicked.html").write_text(page.replace("</body>", CLICKS), encoding="utf-8")
    document, console = browse(tmp_path / "clicked.html", tmp_path / "profile", *LOOKS[look])
    assert not console
    assert "data-error" not in re.search(r"<html[^>]*>", document)[0]
    seen = dict(Page(document).elements)["body"]
    assert seen["data-done"] == "true"
    assert seen["data-asked"] == ""  # nothing was requested, from anywhere
    chart = document[document.index('id="chart"') :]
    assert 'class="main-svg"' in chart
    assert chart.count("js-line") >= 1 + len(hostile.spec["models"])
    assert "<b>x" not in chart[: chart.index("Are the intervals honest?")]
    skills = [float(value) for value in seen["data-first"].split()]
    assert skills == sorted(hostile.leaderboard()["skill"], reverse=True)
    assert seen["data-second"].split() == [repr(skill) for skill in sorted(skills)]
    (low, high), (left, right) = (map(float, seen[f"data-{name}"].split()) for name in ("whole", "zoomed"))
    assert (right - left) / (high - low) == pytest.approx(0.25, abs=0.05)
    cutoffs = sorted(hostile.forecasts["cutoff"].unique())
    assert f"said on {cutoffs[-2]:%Y-%m-%d}" in seen["data-said"]
    assert "2 steps ahead, all cutoffs" in seen["data-chosen"]
    assert all(name in seen["data-chosen"] for name in hostile.spec["models"])
    assert int(seen["data-overflow"]) <= 0  # tables scroll by themselves, the page does not
    assert seen["data-pictures"] == "4"  # those for this width, not the others
    assert seen["data-paper"] == ("rgb(21, 25, 30)" if look == "dark" else "rgb(255, 255, 255)")
