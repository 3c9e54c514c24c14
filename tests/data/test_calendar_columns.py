"""Columns of what dates are: the same for a date whatever the other rows, and known of any row."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import forecast as fc


def test_days_of_the_week_and_of_the_year():
    table = fc.calendar_columns(pd.date_range("2024-01-01", "2024-12-31"))
    days = ["tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    assert list(table) == [*days, "year_sin", "year_cos"]
    assert table.loc["2024-01-01", days].tolist() == [0] * 6  # a Monday
    assert table.loc["2024-01-07", days].tolist() == [0, 0, 0, 0, 0, 1]
    assert (table[days].sum(axis=1) == (table.index.day_of_week > 0)).all()
    assert table.loc["2024-01-01", ["year_sin", "year_cos"]].tolist() == [0, 1]
    assert table.loc["2024-07-01", "year_cos"] == pytest.approx(-1)
    assert table.loc["2024-04-01", "year_sin"] == pytest.approx(1)
    steps = np.hypot(table["year_sin"].diff(), table["year_cos"].diff()).iloc[1:]
    assert steps.max() < 0.02  # no jump at the end of a month


def test_hours_are_a_circle_where_rows_have_times():
    table = fc.calendar_columns(pd.date_range("2024-01-01", periods=96, freq="30min"))
    assert table.loc["2024-01-01 06:00", "hour_sin"] == pytest.approx(1)
    assert table.loc["2024-01-01 12:00", "hour_cos"] == pytest.approx(-1)
    assert table.loc["2024-01-01 23:30", "hour_cos"] == pytest.approx(np.cos(2 * np.pi * 23.5 / 24))
    np.testing.assert_allclose(table["hour_sin"].iloc[:48], table["hour_sin"].iloc[48:])


def test_a_value_depends_on_its_date_only():
    index = pd.date_range("2023-03-01", periods=700)
    whole = fc.calendar_columns(index, holidays="NO")
    pd.testing.assert_frame_equal(fc.calendar_columns(index[500:], holidays="NO"), whole.iloc[500:], check_freq=False)
    order = np.random.default_rng(0).permutation(700)
    pd.testing.assert_frame_equal(fc.calendar_columns(index[order], holidays="NO"), whole.iloc[order])


def test_days_are_those_of_the_time_zone():
    times = pd.DatetimeIndex(["2024-05-16 23:00"], tz="UTC").tz_convert("Europe/Oslo")  # the 17th, 01:00
    assert fc.calendar_columns(times, holidays="NO")[["friday", "holiday"]].to_numpy().tolist() == [[1, 1]]


@pytest.mark.parametrize(
    ("code", "day", "other"),
    [
        ("NO", "2024-05-17", "2024-05-16"),
        ("DE", "2024-10-03", "2024-08-15"),
        ("DE-BY", "2024-11-01", "2024-10-31"),  # All Saints' Day is one in Bavaria
        ("XNYS", "2024-11-28", "2024-11-29"),
    ],
)
def test_holidays_of_a_country_or_an_exchange(code, day, other):
    table = fc.calendar_columns(pd.DatetimeIndex([day, other]), holidays=code)
    assert table["holiday"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("index", "holidays", "message"),
    [
        (pd.RangeIndex(5), None, "need dates, and the rows are numbers such as 0"),
        (pd.date_range("2024-01-01", periods=5), "XNYZ", "has none of 'XNYZ': give a country such as 'NO'"),
        (pd.date_range("2024-01-01", periods=5), "DE-ZZ", "DE has no part 'ZZ'; its parts are BB"),
    ],
)
def test_what_has_no_calendar_is_refused(index, holidays, message):
    with pytest.raises(ValueError, match=message):
        fc.calendar_columns(index, holidays)


def test_a_table_is_no_index():
    with pytest.raises(TypeError, match=r"such as table\.index"):
        fc.calendar_columns(fc.load_sample("stocks"))


def test_without_the_package_the_error_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "holidays", None)
    index = pd.date_range("2024-01-01", periods=5)
    assert "holiday" not in fc.calendar_columns(index)
    with pytest.raises(ValueError, match=r"pip install 'forecast\[holidays\]'"):
        fc.calendar_columns(index, "NO")


@pytest.mark.medium
def test_the_package_is_loaded_on_first_use():
    code = "import sys, forecast; forecast.calendar_columns(['2024-01-01']); print('holidays' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("freq", ["D", "B"])
def test_a_model_learns_holidays_and_days_of_the_week(freq):
    """Also where no row is a Saturday, so that a column is constant."""
    index = pd.date_range("2022-01-03", periods=500, freq=freq)
    calendar = fc.calendar_columns(index, holidays="DE")
    rng = np.random.default_rng(0)
    price = 100 - 8 * calendar["holiday"] + 5 * calendar["friday"] + rng.normal(0, 0.3, 500)
    names = list(calendar)
    price.iloc[-10:] = np.nan
    panel = fc.as_panel(calendar.assign(A=price), target="A", future=names)
    for model in (fc.Tabular(future=names, lookback=5, log=False), fc.ARIMA((0, 0, 0), future=names, log=False)):
        forecast = model.fit(panel, horizon=10).predict(panel).point[0, 0]
        expected = 100 - 8 * calendar["holiday"] + 5 * calendar["friday"]
        assert np.abs(forecast - expected.iloc[-10:]).max() < 1.5


def test_rows_of_weeks_and_months_have_no_days_of_the_week():
    for frequency in ("W-FRI", "MS", "QS"):
        assert list(fc.calendar_columns(pd.date_range("2024-01-01", periods=8, freq=frequency))) == [
            "year_sin",
            "year_cos",
        ]
