"""The report: complete, offline, safe against any name, equal to the result, and working in a real browser."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
import math
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from helpers.quick import quick, walks
from plotly.offline import get_plotlyjs

import forecast as fc
from forecast import _io
from forecast.report import plots
from forecast.report.html import explorer, findings, notable
from forecast.report.html.explorer import explorer_data
from forecast.report.html.page import packed_plotly, render, write_report

HOSTILE = "</script><b>x"
NAMES = [HOSTILE, "a\"'&amp;<!--", "$data ${run} {{x}} \\u003c", "%{y} <a href='javascript:x'>"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Failing(fc.Naive):
    """A model that fails on more than 100 training rows, and warns on fewer."""

    def _fit(self, panel, horizon):
        import warnings

        if len(panel) > 100:
            raise ValueError("too many <i>rows</i>")
        warnings.warn("this is <u>slow</u>", stacklevel=1)
        super()._fit(panel, horizon)


class Page(HTMLParser):
    """A parsed page: its elements with their attributes, and its visible text."""

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


def without_plotly(page):
    """The page without plotly's source."""
    plotly = packed_plotly()
    assert page.count(plotly) == 1
    return page.replace(plotly, "")


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


@pytest.fixture(scope="module")
def result():
    return run(refit=4)


@pytest.fixture(scope="module")
def page(result):
    return without_plotly(render(result))


@pytest.fixture(scope="module")
def hostile():
    """A run whose data source, series and models have hostile names."""
    prices = walks(160, series=4).set_axis(NAMES, axis=1)
    prices.attrs["source"] = HOSTILE
    models = {HOSTILE: fc.Drift(), NAMES[2]: fc.Naive(), "<img src=x onerror=alert(1)>": fc.Drift()}
    return run(prices, models, predict_next=True)


@pytest.mark.slow
def test_the_verdict_is_first(result, page):
    text = Page(page).visible
    verdicts = result.verdicts()
    assert len(verdicts.sentences) == 2  # where it will be, and how far it may be off
    for shown in (*verdicts.sentences, *(verdict.note for verdict in verdicts)):
        assert text.index(shown) < text.index("All models on the same forecasts")
    assert page.index('class="verdict') < page.index("<h2 ")
    for row in (row for verdict in verdicts for row in verdict.table.itertuples()):
        assert row.finding in text


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["squared", "absolute", "pinball"])
def test_a_page_by_one_loss(result, loss):
    text = " ".join(Page(without_plotly(render(result, loss))).visible.split())
    name = {"squared": "squared error", "absolute": "absolute error", "pinball": "quantile loss"}[loss]
    assert result.verdict(loss=loss).sentence in text
    assert f"compares the {name} of each model with that of" in text
    assert ("How far may it be off" in text) == (loss == "pinball")


@pytest.mark.slow
def test_networks_are_compared_with_arima_too(result):
    def renamed(name, kind):
        return result.spec["models"][name] | {"class": kind}

    models = result.spec["models"] | {"drift": renamed("drift", "ARIMA"), "weekly": renamed("weekly", "Recurrent")}
    changed = dataclasses.replace(result, spec=result.spec | {"models": models})
    text = Page(without_plotly(render(changed))).visible
    assert changed.verdicts().on_networks in text
    assert changed.verdicts().on_networks.startswith("A network? ")
    assert "The networks against drift" in text
    plain = Page(without_plotly(render(result))).visible
    assert "A network?" not in plain
    assert "The networks against" not in plain


@pytest.mark.medium
def test_the_leaderboard_equals_that_of_the_result(result, page):
    table = re.search(r'<table id="leaderboard">(.*?)</table>', page, re.DOTALL)[1]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]
    board = result.leaderboard()
    assert [re.search(r'data-value="([^"]*)"', row)[1] for row in rows] == list(board.index)
    for row, (_, expected) in zip(rows, board.iterrows(), strict=True):
        values = [float(v) if v else math.nan for v in re.findall(r'<td class="n" data-value="([^"]*)"', row)]
        np.testing.assert_array_equal(values, expected.to_numpy(dtype=float))
    titles = re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", table)
    assert "|".join(titles) == "Model|Skill|Spread|MASE|RMSE|MAE|Coverage|Direction|Wins|Fit s|Forecast s|Failed"
    shown = re.findall(r">([^<>]+)</td>", rows[0])
    assert shown[0].replace("−", "-") == f"{board['skill'].iloc[0]:+.2%}"
    assert shown[2] == f"{board['mase'].iloc[0]:.3f}"


@pytest.mark.medium
def test_every_column_is_explained(page):
    table = re.search(r'<table id="leaderboard">(.*?)</table>', page, re.DOTALL)[1]
    explained = ", ".join(re.findall(r"<dt>(.*?)</dt>", page)).split(", ")
    for title in re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", table)[1:]:
        assert title in explained


@pytest.mark.medium
def test_figures_have_descriptions_and_tables(result, page):
    figures = [attributes for tag, attributes in Page(page).elements if tag == "svg"]
    assert len(figures) == 12  # six, each for a wide and for a narrow window
    assert all(p["role"] == "img" and len(p["aria-label"]) > 40 for p in figures)
    text = Page(page).visible
    for row in plots.error_by_step(result).itertuples():
        assert f"{row.skill:+.2%}".replace("-", "−") in text
        assert f"{row.skill_low:+.1%} to {row.skill_high:+.1%}".replace("-", "−") in text
    for value in plots.skill_through_time(result).iloc[-1]:
        assert f"{value:+.2%}".replace("-", "−") in text
    assert page.count("<details>") == 8


@pytest.mark.slow
def test_models_that_may_be_the_best(result):
    f = result.forecasts.copy()
    outlier = f["model"] == "weekly"
    f.loc[outlier, "y_hat"] = f.loc[outlier, "y_hat"] * 1.5
    changed = dataclasses.replace(result, forecasts=f)
    assert changed.confidence_set()["in_set"].sum() == 2
    assert "2 of 3 models may be the best. Excluded: weekly." in Page(without_plotly(render(changed))).visible
    assert "All 2 models may be the best" in Page(without_plotly(render(run(models={"drift": fc.Drift()})))).visible


@pytest.mark.medium
def test_contents_name_every_section(page):
    headings = dict(re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', page))
    assert dict(re.findall(r'<a href="#([^"]+)">(.*?)</a>', page)) == headings
    assert list(headings.values())[-1] == "What comes next"
    assert page.count("<h2") == len(headings)


@pytest.mark.medium
def test_a_model_with_intervals_that_are_too_wide_is_flagged():
    result = run(walks(400), cv=fc.WalkForward(3, 40), refit=40)
    f = result.forecasts.copy()
    wide = f["model"] == "drift"
    for name, sign in (("q0.1", -1), ("q0.9", 1)):
        f.loc[wide, name] += sign * 20 * f.loc[wide, "scale"]
    changed = dataclasses.replace(result, forecasts=f)
    table = re.search(r'<table id="leaderboard">(.*?)</table>', without_plotly(render(changed)), re.DOTALL)[1]
    flagged = [row for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL) if "flag" in row]
    assert len(flagged) == 1
    assert 'data-value="drift"' in flagged[0]
    assert "band too wide" in flagged[0]


def test_what_the_training_note_claims_is_true_of_the_run(result):
    def with_losses(*losses):
        details = json.dumps({"steps": [20], "loss": [list(losses)]})
        return dataclasses.replace(result, fits=result.fits.assign(details=details))

    assert findings.training_note(result) == ""
    assert "hardly falls, by 2.0% at most" in findings.training_note(with_losses(1.0, 0.98))
    assert "does not fall" in findings.training_note(with_losses(1.0, 1.01))
    falling = findings.training_note(with_losses(1.0, 0.6))
    assert "falls by 40%" in falling
    assert "hardly" not in falling


@pytest.mark.slow
def test_the_last_section_is_what_comes_next():
    result = run(refit=6, predict_next=True)
    text = without_plotly(render(result))
    section = Page(text[text.index('<h2 id="next">') : text.index("</main>")])
    assert section.count("svg") == 2 * 3  # a figure of each series
    assert f"up to {result.spec['data']['last']}, and forecasts the 3 rows that follow" in section.visible
    for row in result.next[result.next["step"].isin([1, 3])].itertuples():
        assert f"{row.y_hat:,.6g}".replace("-", "−") in section.visible
        assert f"{row.ds:%Y-%m-%d}" in section.visible
    assert "predict_next=True" in Page(without_plotly(render(run(refit=6)))).visible


@pytest.mark.slow
def test_training_curves_of_networks(page):
    assert "No network was trained in this run." in Page(page).visible
    text = without_plotly(render(run(models={"lstm": quick("lstm")}, refit=6)))
    assert "No network was trained" not in Page(text).visible
    assert Page(text).count("svg") == 14


@pytest.mark.slow
def test_nothing_is_loaded_from_elsewhere(page, hostile):
    for text in (page, without_plotly(render(hostile))):
        assert not re.findall(r"https?:", text)
        assert not re.findall(r"\bimport\b\s*[(\"']|@import|\bfetch\(|XMLHttpRequest|sendBeacon|WebSocket", text)
        assert all(target.startswith("#") for target in re.findall(r"url\(['\"]?([^)'\"]*)", text))
        for _, attributes in Page(text).elements:
            for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
                assert attributes.get(name, "#").startswith(("#", "data:,"))
        assert "default-src 'none'" in text  # enforced by the browser


@pytest.mark.slow
def test_hostile_names_are_escaped(hostile, page):
    text = without_plotly(render(hostile))
    parsed, harmless = Page(text), Page(page)
    assert parsed.count("script") == harmless.count("script")
    assert not parsed.count("b") - harmless.count("b")
    assert not parsed.count("img")
    assert parsed.count("a") == harmless.count("a")
    assert not parsed.count("u")
    for name in [*NAMES, "<img src=x onerror=alert(1)>"]:
        assert " ".join(name.split()) in parsed.visible
    data = data_of(text)
    assert data["series"] == NAMES
    assert [model["name"] for model in data["models"]] == list(hostile.spec["models"])


def test_the_explorer_contains_the_forecasts(result, page):
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
    assert "straight lines connect the others" in note


def test_missing_prices_are_gaps():
    prices = walks(160, late=True)
    prices.iloc[-12, 0] = np.nan
    result = run(prices, cv=fc.WalkForward(3, 12))
    data = json.loads(explorer_data(result)[0])
    rows = result.forecasts[(result.forecasts["model"] == "naive") & (result.forecasts["unique_id"] == "S0")]
    assert sum(y is not None for y in data["paths"][0][0]["y"]) == len(rows)
    assert None in data["truth"][0]


@pytest.mark.slow
def test_large_runs_are_limited_with_a_note(result, monkeypatch):
    per_cutoff = 3 * 3 * 3
    monkeypatch.setattr(explorer, "MAX_ROWS", 5 * per_cutoff + 1)
    page = without_plotly(render(result))
    assert "only the newest 5 of 12 cutoffs" in Page(page).visible
    data = data_of(page)
    assert data["time"][data["at"][-1]] == f"{result.forecasts['cutoff'].max():%Y-%m-%d}"
    assert len(data["at"]) == 5
    monkeypatch.setattr(explorer, "MAX_ROWS", per_cutoff - 1)
    text, note = explorer_data(result)
    assert "newest 1 of 12" in note
    assert "Of 3 series, only the first 2 are shown" in note
    assert len(json.loads(text)["series"]) == len(json.loads(text)["truth"]) == 2


@pytest.mark.medium
def test_of_many_series_the_notable_ones_are_shown_and_named(monkeypatch):
    result = run(walks(160, series=9), cv=fc.WalkForward(3, 12), refit=12)
    assert notable.notable_series(result) == ([f"S{i}" for i in range(9)], "")
    skill = result.by_series("naive").series.groupby("unique_id")["skill"].mean().sort_values()
    expected = sorted([*skill.index[:2], *skill.index[-3:]])
    which = "the 3 series of highest and the 2 of lowest mean skill, of 9"
    assert notable.notable_series(result, 5) == (expected, which)
    monkeypatch.setattr(explorer, "MAX_ROWS", len(result.forecasts) - 1)
    monkeypatch.setattr(notable.notable_series, "__defaults__", (5,))
    monkeypatch.setattr(findings, "MAX_SCORES", 5 * 3)
    page = without_plotly(render(result))
    text = Page(page).visible
    data = data_of(page)
    assert data["series"] == expected
    assert len(data["at"]) == 12  # fewer series, all cutoffs
    assert f"only these are shown: {which}" in text
    assert f"The table below lists {which}" in text
    scores = page[page.index(f"The scores of each model on {which}") :].split("</table>")[0]
    assert set(re.findall(r"<td>(S\d)</td>", scores)) == set(expected)
    assert scores.count("<tr>") == 1 + 5 * 3


@pytest.mark.slow
def test_the_run_is_described(result, page):
    text = Page(page).visible
    data = result.spec["data"]
    for fact in (data["source"], "220 rows", data["first"], data["last"], data["sha256"], "S0, S1, S2", "none inside"):
        assert fact in text
    assert "12 cutoffs, 3 rows apart, each with a forecast of the next 3 rows" in text
    assert "every 4th cutoff, on all rows" in text
    assert "SeasonalNaive(levels=(0.1, 0.5, 0.9), log='auto', m=5)" in text
    assert "no series was excluded, and the data show no anomalies." in text
    for name, number in result.spec["versions"].items():
        assert f"{name} {number}" in text
    walk = Page(without_plotly(render(run(cv=fc.WalkForward(2, 4, step_size=1, train_size=90, embargo=3))))).visible
    assert "4 cutoffs, 1 row apart, each with a forecast of the next 2 rows." in walk
    assert "at every cutoff, on the newest 90 rows up to it except the newest 3 (embargo)" in walk


@pytest.mark.slow
def test_failures_warnings_and_exclusions_are_listed():
    prices = walks(130, series=2)
    prices["late"] = prices["S0"].where(np.arange(130) >= 127)
    result = run(prices, {"failing": Failing(), "drift": fc.Drift()}, fc.WalkForward(3, 10), on_error="record")
    text = Page(without_plotly(render(result))).visible
    failed = result.fits[result.fits["error"] != ""]
    assert 0 < len(failed) < 10
    assert f"Failed fits: {len(failed)} of {len(result.fits)}" in text
    assert text.count("ValueError: too many <i>rows</i>") == len(failed)
    assert f"Warnings: {10 - len(failed)}" in text
    assert "this is <u>slow</u>" in text
    assert "Series excluded at some cutoffs" in text
    assert "late" in result.skipped["unique_id"].tolist()


@pytest.mark.slow
def test_anomalies_in_the_prices_are_listed():
    prices = walks(130, series=2)
    prices.iloc[20:40, 0] = prices.iloc[20, 0]
    text = Page(without_plotly(render(run(prices, {"drift": fc.Drift()}, fc.WalkForward(3, 5))))).visible
    assert "Anomalies in the data" in text
    assert "20 equal values in a row" in text


@pytest.mark.slow
def test_report_with_a_model_that_always_fails():
    class Never(Failing):
        def _fit(self, panel, horizon):
            raise ValueError("never")

    result = run(models={"drift": fc.Drift(), "never": Never()}, on_error="record", refit=6)
    text = Page(without_plotly(render(result))).visible
    assert "Failed fits: 2" in text
    assert "never" in text


@pytest.mark.slow
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
    assert result.verdict().sentence in Page(without_plotly(render(result))).visible


@pytest.mark.slow
def test_the_page_is_deterministic(result, tmp_path):
    result.save(tmp_path / "run")
    assert render(result) == render(fc.BacktestResult.load(tmp_path / "run"))


@pytest.mark.slow
def test_the_file_is_complete_or_not_written(result, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("before")
    write_report(result, str(path))
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert path.stat().st_size < 8e6
    with monkeypatch.context() as patch:
        patch.setattr(_io.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(ValueError, match="No space left on device"):
            write_report(result, path)
    assert path.read_text(encoding="utf-8") == page
    for invalid in (tmp_path, tmp_path / "nowhere" / "report.html"):
        with pytest.raises(ValueError, match="cannot write to"):
            write_report(result, invalid)
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
    (tmp_path / "other").write_text("")
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode  # as readable as any new file


LOOKS = {
    "desktop": ["--window-size=1280,900"],
    "narrow": ["--window-size=500,900"],
    "dark": ["--window-size=1280,900", "--blink-settings=preferredColorScheme=0"],
}

#: Clicks after the page's own script: sort twice, zoom, another cutoff, every model.
CLICKS = """<script>
  const found = document.body.dataset, chart = document.getElementById("chart");
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
    while (!found.ready) await wait(20);
    button.click(); found.first = order();
    button.click(); found.second = order();
    chart.scrollIntoView(); await wait(50);
    found.complete = range();
    const drag = chart.querySelector(".nsewdrag"), box = drag.getBoundingClientRect();
    const at = share => [box.x + share * box.width, box.y + box.height / 2];
    mouse("mousedown", drag, ...at(.5));
    for (const share of [.6, .75]) mouse("mousemove", document, ...at(share));
    mouse("mouseup", document, ...at(.75)); await wait(100);
    found.zoomed = range();
    document.getElementById("earlier").click(); found.caption = document.getElementById("caption").textContent;
    pick("model", "all"); pick("series", "1"); pick("cutoff", "all"); pick("step", "2"); await wait(100);
    found.chosen = document.getElementById("caption").textContent;
    pick("step", "0"); await wait(100);
    found.paths = document.getElementById("caption").textContent;
    found.gaps = chart.data.filter(trace => trace.mode === "lines" && trace.x.includes(null)).length;
    found.jump = document.querySelectorAll("nav a").length;
    found.hints = [...document.querySelectorAll(".scroll")].filter(box => box.scrollWidth > box.clientWidth + 1)
      .map(box => getComputedStyle(box.previousElementSibling).display).join(" ");
    const sections = [...document.querySelectorAll("h2")];
    found.last = sections[sections.length - 1].textContent;
    found.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    found.paper = getComputedStyle(document.body).backgroundColor;
    const drawn = [...document.querySelectorAll(".picture svg")].filter(svg => svg.getBoundingClientRect().width);
    found.figures = drawn.length;
    found.requests = performance.getEntriesByType("resource").map(entry => entry.name).join(" ");
    found.done = true;
  })();
</script></body>"""


def browse(path, folder, *more):
    """Open a page in a real browser without a network: its document after the scripts ran, and the console."""
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}", "--virtual-time-budget=8000", *more,
        "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    process = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return process.stdout, [line for line in process.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium to open the page with")
@pytest.mark.parametrize("look", LOOKS)
def test_the_page_works_in_a_browser(hostile, tmp_path, look):
    write_report(hostile, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    (tmp_path / "clicked.html").write_text(page.replace("</body>", CLICKS), encoding="utf-8")
    document, console = browse(tmp_path / "clicked.html", tmp_path / "profile", *LOOKS[look])
    assert not console
    assert "data-error" not in re.search(r"<html[^>]*>", document)[0]
    found = dict(Page(document).elements)["body"]
    assert found["data-done"] == "true"
    assert found["data-requests"] == ""
    chart = document[document.index('id="chart"') :]
    assert 'class="main-svg"' in chart
    assert chart.count("js-line") >= 1 + len(hostile.spec["models"])
    assert "<b>x" not in chart[: chart.index(">Calibration<")]
    skills = [float(value) for value in found["data-first"].split()]
    assert skills == sorted(hostile.leaderboard()["skill"], reverse=True)
    assert found["data-second"].split() == [repr(skill) for skill in sorted(skills)]
    (low, high), (left, right) = (map(float, found[f"data-{name}"].split()) for name in ("complete", "zoomed"))
    assert (right - left) / (high - low) == pytest.approx(0.25, abs=0.05)
    cutoffs = sorted(hostile.forecasts["cutoff"].unique())
    assert f"cutoff {cutoffs[-2]:%Y-%m-%d}" in found["data-caption"]
    assert "2 steps ahead, all cutoffs" in found["data-chosen"]
    assert all(name in found["data-chosen"] for name in hostile.spec["models"])
    assert "all steps, all cutoffs" in found["data-paths"]
    assert int(found["data-gaps"]) == len(hostile.spec["models"])  # a model's paths are apart
    assert int(found["data-jump"]) == 10
    assert found["data-last"] == "What comes next"
    assert set(found["data-hints"].split()) <= {"block"}  # every table that scrolls has a hint
    assert bool(found["data-hints"]) or look != "narrow"
    assert int(found["data-overflow"]) <= 0  # tables scroll, the page does not
    assert found["data-figures"] == "10"  # those for this width, not the others
    assert found["data-paper"] == ("rgb(21, 25, 30)" if look == "dark" else "rgb(255, 255, 255)")


@pytest.mark.medium
def test_report_on_returns_is_relative_to_zero():
    prices = walks(200)
    returns = prices.pct_change().iloc[1:]
    result = fc.backtest({"drift": fc.Drift()}, returns, fc.WalkForward(2, 20), refit=20)
    page = Page(without_plotly(render(result)))
    text = " ".join(page.visible.split())
    assert result.verdict().sentence in text
    assert "Share of the squared error of zero, which forecasts 0, that the model removes" in text
    assert "zero, the value 0" in text
    assert "compares the squared error of each model with that of zero, the simple baseline" in text
    assert "same side of 0" in text
    assert "divided by that of zero" in text
    data = json.loads(explorer_data(result)[0])
    assert data["models"][data["reference"]]["name"] == "zero"
    assert plots.skill_through_time(result)["zero"].eq(0).all()
    assert set(plots.error_by_step(result)["model"]) == {"naive", "drift"}
    assert plots.styles(result)["zero"].colour == plots.GREY
    for draw in (plots.plot_error_by_step, plots.plot_skill_through_time, plots.plot_forecasts):
        draw(result)


@pytest.mark.medium
def test_control_and_direction_marks_are_shown_as_text():
    """Names of series and models with escape sequences, direction marks, line breaks and brackets."""
    from xml.etree import ElementTree

    from forecast._text import is_effect, plain

    names = ["\x1b[31mred\x1b[0m", "\u202eright", "line\nbreak", "[b]x[/b]", "bell\x07", "$\\frac{1$"]
    prices = walks(160, series=len(names)).set_axis(names, axis=1)
    prices.iloc[20:40] = prices.iloc[20].to_numpy()
    result = run(prices, {f"m {name}": fc.WindowMean(k + 2) for k, name in enumerate(names)})
    page = without_plotly(render(result))
    assert not {char for char in page.replace("\n", "") if is_effect(char)}
    text = Page(page).visible
    for name in names:
        assert plain(name) in text
        assert plain(f"m {name}") in text
    assert data_of(page)["series"] == list(map(plain, names))
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(svg.replace("<svg ", '<svg xmlns:xlink="http://www.w3.org/1999/xlink" ', 1))


@pytest.mark.medium
def test_what_is_no_price_is_called_none():
    rng = np.random.default_rng(0)
    sales = pd.DataFrame({"sales": 50 + rng.normal(0, 5, 300)}, index=pd.date_range("2020-01-06", periods=300))
    sales.iloc[40] = 0  # an anomaly
    text = Page(render(run(sales, predict_next=True))).visible
    assert "Anomalies in the data" in text
    assert not re.findall(r"\S* price\S*", text)


@pytest.mark.medium
def test_years_of_few_cutoffs_are_named():
    prices = walks(800, series=1).loc[:"2017-01-17"]  # 12 rows of 2017, the last 10 of which are no cutoffs
    result = run(prices, cv=fc.WalkForward(10, 400, step_size=1), refit=400)
    table = result.by_period(result.reference)
    year = table[table["period"] == "2017"]
    assert (year["cutoffs"] == 2).all()
    assert year["skill"].isna().all()
    shown, note = findings.by_part(result, table)
    assert shown.headings == ["Model", "2015 (137 cutoffs)", "2016 (261 cutoffs)"]
    assert note == "Left out, with fewer than 3 cutoffs: 2017 (2 cutoffs)."
    assert note in Page(render(result)).visible
    complete = run(prices.loc[:"2016-12-30"], cv=fc.WalkForward(10, 400, step_size=1), refit=400)
    assert findings.by_part(complete, complete.by_period(complete.reference))[1] == ""


@pytest.mark.medium
def test_plotly_is_compressed_in_the_page(result):
    page = render(result)
    packed = re.search(r'<script type="text/plain" id="plotly">(.*?)</script>', page)[1]
    assert gzip.decompress(base64.b64decode(packed)).decode() == get_plotlyjs()
    assert len(page) < len(get_plotlyjs()) / 2 + len(without_plotly(page))


@pytest.mark.medium
def test_columns_whose_large_numbers_are_best_are_sorted_by_them_first(result):
    page = render(result)
    listed = re.search(r"/\^\(([\w|]+)\)/\.test\(head\.textContent\)", page)[1].split("|")
    assert set(listed) == {"Skill", "Spread", "Coverage", "Direction", "Wins"}
    assert set(listed) < set(findings.leaderboard(result).headings)
