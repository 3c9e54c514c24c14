"""The test for a season: what the dates suggest, seasons that are there, and how often one is found in random walks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast as fc
from forecast.models.season import candidate_seasons, find_season

WALKS = ("plain", "heavy tails", "clusters", "one factor")


def dated(values: np.ndarray, freq: str) -> fc.Panel:
    names = [f"S{i}" for i in range(values.shape[1])]
    index = pd.date_range("2001-01-01", periods=len(values), freq=freq)
    return fc.as_panel(pd.DataFrame(values, index=index, columns=names), columns=names)


def walk(kind: str, rows: int, series: int, rng: np.random.Generator) -> np.ndarray:
    shock = rng.normal(size=(rows, series))
    if kind == "heavy tails":
        shock = rng.standard_t(3, size=(rows, series))
    if kind == "one factor":
        shock = 0.3 * shock + rng.normal(size=(rows, 1))
    if kind == "clusters":  # GARCH(1,1)
        variance = np.ones(series)
        for t in range(rows):
            shock[t] *= np.sqrt(variance)
            variance = 0.02 + 0.1 * shock[t] ** 2 + 0.88 * variance
    return 100 * np.exp(0.01 * shock.cumsum(axis=0))


@pytest.mark.parametrize(
    ("freq", "expected"),
    [("B", [5, 21, 252]), ("D", [7]), ("W", [52]), ("MS", [12]), ("ME", [12]), ("QS", [4]), ("YS", []),
     ("h", [24, 168]), ("30min", [48, 336])],
)  # fmt: skip
def test_candidates_follow_from_the_dates(freq, expected):
    rows = 200 if freq == "YS" else 1000  # nanoseconds end in 2262
    assert candidate_seasons(pd.date_range("2001-01-01", periods=rows, freq=freq)) == expected


def test_bars_of_trading_hours_repeat_by_day_and_week():
    days = pd.bdate_range("2020-01-01", periods=60)
    bars = pd.DatetimeIndex([day + pd.Timedelta(hours=9, minutes=30 * k) for day in days for k in range(13)])
    assert candidate_seasons(bars) == [13, 65]


def test_rows_without_dates_suggest_no_season():
    assert candidate_seasons(pd.RangeIndex(100)) == []
    assert find_season(fc.as_panel(np.tile([1.0, 5.0, 2.0, 9.0], 50))) == 1


@pytest.mark.parametrize(
    ("freq", "m", "rows"), [("D", 7, 70), ("MS", 12, 60), ("QS", 4, 40), ("h", 24, 240), ("B", 5, 60)]
)
@pytest.mark.parametrize("level", ["constant", "walk", "trend"])
def test_seasons_are_found(freq, m, rows, level):
    rng = np.random.default_rng(0)
    season = np.resize(rng.permutation(m) * 6.0 / m, rows)
    levels = {"constant": 0, "walk": rng.normal(0, 0.5, rows).cumsum(), "trend": 0.3 * np.arange(rows)}
    y = 100 + season + rng.normal(0, 0.7, rows) + levels[level]
    assert find_season(dated(y[:, None], freq)) == m
    assert find_season(dated(y[:, None] - 300, freq)) == m  # without logs
    for size in (1e-200, 1e200):
        assert find_season(dated(y[:, None] * size, freq)) == m
    gaps = np.where(rng.random(rows) < 0.05, np.nan, y)
    assert find_season(dated(gaps[:, None], freq)) == m


def test_the_season_that_repeats_most_closely_is_chosen():
    rng = np.random.default_rng(0)
    hours = np.resize(rng.normal(size=24), 1000) + np.resize(np.repeat(rng.normal(0, 2, 7), 24), 1000)
    assert find_season(dated((hours + rng.normal(0, 0.1, 1000))[:, None], "h")) == 168


@pytest.mark.parametrize("name", ["stocks", "sp500", "nasdaq"])
def test_prices_have_no_season(name):
    panel = fc.as_panel(fc.load_sample(name))
    assert {find_season(panel[:rows]) for rows in (300, 800, 2000, len(panel))} == {1}


def test_constant_and_empty_series():
    assert find_season(dated(np.full((100, 2), 3.0), "D")) == 1
    assert find_season(dated(np.where(np.arange(100)[:, None] < 98, np.nan, 1.0), "D")) == 1


LONE = {
    "line": lambda rows, m: 100 + 0.1 * np.arange(rows),
    "rounded line": lambda rows, m: 1 / 3 + 0.1 * np.arange(rows),
    "constant": lambda rows, m: np.full(rows, 1 / 3),
    "periodic": lambda rows, m: 100 + np.resize(np.arange(m) ** 2.0, rows),
    "seasonal": lambda rows, m: 100 + np.resize(np.arange(m) ** 2.0, rows) + np.random.default_rng(0).normal(size=rows),
}


@pytest.mark.parametrize(("freq", "m", "rows"), [("B", 5, 300), ("D", 7, 200), ("MS", 12, 100)])
@pytest.mark.parametrize("kind", LONE)
def test_one_series_adds_no_season_to_a_panel(kind, freq, m, rows):
    """Of ten panels of random walks, one may have a season by chance."""
    rng, lone = np.random.default_rng(1), LONE[kind](rows, m)
    panels = [np.column_stack([lone, walk("plain", rows, 9, rng)]) for _ in range(10)]
    assert sum(find_season(dated(panel, freq)) > 1 for panel in panels) <= 1


@pytest.mark.parametrize("freq", ["B", "D", "MS", "h"])
def test_lines_and_constant_growth_have_no_season(freq):
    t = np.arange(300)
    for y in (100 + 0.1 * t, 500 - 1.0 * t, 1 / 3 + 0.1 * t, -100 + 0.1 * t, 100 * 1.01**t):
        assert find_season(dated(y[:, None], freq)) == 1


@pytest.mark.parametrize("kind", LONE)
def test_one_series_hides_no_season_of_the_others(kind):
    """Nor does one whose value repeats exactly after a week choose the season of hours."""
    rng = np.random.default_rng(0)
    days = np.resize(rng.normal(size=24), 1000)[:, None] + rng.normal(0, 0.2, (1000, 4))
    panel = np.column_stack([LONE[kind](1000, 168), 100 + days])
    assert find_season(dated(panel, "h")) == 24


def test_a_series_too_short_for_a_season_does_not_count():
    rng = np.random.default_rng(0)
    week = 100 + np.resize(rng.normal(size=7), 200)[:, None] + rng.normal(0, 0.2, (200, 3))
    week[:180, 1:] = np.nan
    assert find_season(dated(week, "D")) == 7


@pytest.mark.parametrize(("freq", "rows"), [("B", 300), ("D", 200), ("MS", 60), ("QS", 40), ("h", 600)])
@pytest.mark.parametrize("kind", WALKS)
@pytest.mark.medium
def test_random_walks_have_no_season(kind, freq, rows):
    """Expected are 1 % of false finds; 5 of 100 or fewer are found."""
    rng = np.random.default_rng(1)
    found = [find_season(dated(walk(kind, rows, 2, rng), freq)) > 1 for _ in range(100)]
    assert sum(found) <= 5


def test_a_few_wrong_values_hide_no_season():
    rng = np.random.default_rng(1)
    day = 10 + 8 * np.sin(2 * np.pi * np.arange(24 * 60) / 24) + rng.normal(size=24 * 60)
    day[[100, 700]] = -999
    assert find_season(dated(day[:, None], "h")) == 24
