"""Rows: the same dates in every notation, in files and in Python; long tables; repeated dates; mappings."""

import datetime as dt
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from forecast.data.files import read_prices
from forecast.data.panel import as_panel

MONTHS = pd.date_range("2019-01-01", periods=30, freq="MS")
QUARTERS = pd.date_range("2015-01-01", periods=14, freq="QS")
NOTATIONS = {
    "202401": (MONTHS, lambda d: f"{d:%Y%m}"),
    "2024-01": (MONTHS, lambda d: f"{d:%Y-%m}"),
    "2024M01": (MONTHS, lambda d: f"{d:%YM%m}"),
    "2024/1": (MONTHS, lambda d: f"{d.year}/{d.month}"),
    "01/2024": (MONTHS, lambda d: f"{d:%m/%Y}"),
    "Jan 2024": (MONTHS, lambda d: f"{d:%b %Y}"),
    "2024 Jan": (MONTHS, lambda d: f"{d:%Y %b}"),
    "2024年1月": (MONTHS, lambda d: f"{d.year}年{d.month}月"),
    "2024.0833": (MONTHS, lambda d: f"{d.year + (d.month - 1) / 12:.4f}"),
    "1990Q1": (QUARTERS, lambda d: f"{d.year}Q{d.quarter}"),
    "1990-Q1": (QUARTERS, lambda d: f"{d.year}-Q{d.quarter}"),
    "Q1 1990": (QUARTERS, lambda d: f"Q{d.quarter} {d.year}"),
    "1Q1990": (QUARTERS, lambda d: f"{d.quarter}Q{d.year}"),
    "2015-W01": (pd.date_range("2014-12-29", periods=60, freq="7D"), lambda d: f"{d:%G-W%V}"),
    "2024": (pd.date_range("1990", periods=12, freq="YS"), lambda d: f"{d.year}"),
    "20240102": (pd.bdate_range("2024-01-01", periods=50), lambda d: f"{d:%Y%m%d}"),
    "20240102 093000": (pd.date_range("2024-01-02 09:30", periods=50, freq="5min"), lambda d: f"{d:%Y%m%d %H%M%S}"),
    "202401020930": (pd.date_range("2024-01-02 09:30", periods=50, freq="5min"), lambda d: f"{d:%Y%m%d%H%M}"),
}


def write(path, labels, name="date", **columns):
    values = columns or {"close": np.arange(len(labels)) % 7 + 1.5}
    pd.DataFrame({name: list(labels), **values}).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("name", ["date", "TIME_PERIOD"])
def test_a_notation_is_the_same_in_a_file_and_in_python(tmp_path, notation, name):
    dates, form = NOTATIONS[notation]
    text = [form(date) for date in dates]
    assert read_prices(write(tmp_path / "x.csv", text, name)).index.tolist() == dates.tolist()
    series = pd.Series(np.arange(len(dates)) + 0.5, index=pd.Index(text, name=name))
    assert as_panel(series).index.tolist() == dates.tolist()
    if all(label.isdigit() for label in text):
        assert as_panel(series.set_axis(pd.Index([int(label) for label in text], name=name))).index.equals(dates)


@pytest.mark.parametrize("per_second", [1, 10**3, 10**6, 10**9])
@pytest.mark.parametrize("name", ["time", "ds", "index", "unix", "Open time", "anything", ""])
@pytest.mark.parametrize("step", [60, 3600, 86400])
def test_times_since_1970_are_dates_under_any_name(tmp_path, per_second, name, step):
    seconds = 1_641_220_200 + step * np.arange(40)
    dates = pd.to_datetime(seconds, unit="s")
    table = read_prices(write(tmp_path / "x.csv", seconds * per_second, name))
    assert table.index.tolist() == dates.tolist()
    assert any("since 1970" in note for note in table.attrs["notes"])
    frame = pd.DataFrame({"close": np.arange(40) % 7 + 1.5}, index=pd.Index(seconds * per_second, name=name))
    frame.to_parquet(tmp_path / "x.parquet")
    assert read_prices(tmp_path / "x.parquet").index.tolist() == dates.tolist()
    panel = as_panel(frame)
    assert panel.index.tolist() == dates.tolist()
    assert any("since 1970" in note for note in panel.attrs["notes"])


def test_times_since_1970_reach_back_before_it_and_change_their_resolution(tmp_path):
    old = np.array([-252_322_200, 0, 1_641_220_200]) * 1000
    assert read_prices(write(tmp_path / "x.csv", old, "time")).index[0] == pd.Timestamp("1962-01-02 14:30")
    mixed = [1_735_603_200_000, 1_735_689_600_000_000]  # an exchange's files of 2024 and 2025
    assert read_prices(write(tmp_path / "x.csv", mixed, "open_time")).index.tolist() == [
        pd.Timestamp("2024-12-31"),
        pd.Timestamp("2025-01-01"),
    ]


@pytest.mark.parametrize("numbers", [range(5, 90), range(1_600_000_001, 1_600_000_090, 7), range(1900, 1990)])
def test_other_numbers_are_no_dates(tmp_path, numbers):
    assert as_panel(pd.Series(1.5 + np.arange(len(numbers)), index=list(numbers))).index.tolist() == list(numbers)
    assert read_prices(write(tmp_path / "x.csv", numbers, "step")).index.tolist() == list(numbers)


SHORT_YEARS = {  # dates whose year has two digits, and which may also be of another century or frequency
    "days": (pd.date_range("2020-01-02", "2020-01-10"), "%y%m%d"),
    "first days": (pd.date_range("2020-01-01", periods=20, freq="MS"), "%y%m%d"),
    "the first half of months": ([d for d in pd.bdate_range("2018", "2020-12-31") if d.day <= 12], "%y%m%d"),
    "months": (pd.date_range("2019-01-01", "2021-12-01", freq="MS"), "%y%m"),
    "hours": (pd.date_range("2020-01-02 09:00", periods=8, freq="h"), "%y%m%d%H%M"),
    "hours and seconds": (pd.date_range("2020-01-02 09:00", periods=8, freq="h"), "%y%m%d%H%M%S"),
}


@pytest.mark.parametrize("case", SHORT_YEARS)
@pytest.mark.parametrize("name", ["Date", "Month", "YYMMDD", "date_id"])
def test_digits_with_two_meanings_are_refused(tmp_path, case, name):
    dates, form = SHORT_YEARS[case]
    text = [date.strftime(form) for date in dates]
    with pytest.raises(ValueError, match=rf"such as '{text[0]}' may mean .* or {dates[0]:%Y-%m}.*: write them as"):
        read_prices(write(tmp_path / "x.csv", text, name))
    series = pd.Series(np.arange(len(text)) + 0.5, index=pd.Index([int(label) for label in text], name=name))
    for prices in (series, series.reset_index()):
        with pytest.raises(ValueError, match=rf"may mean .*: convert them first, .* or format='{form}'"):
            as_panel(prices)


@pytest.mark.parametrize(
    ("start", "periods", "freq", "form"),
    [
        ("2001", 24, "MS", "%Y%m"),
        ("2001", 144, "MS", "%Y%m"),
        ("2001-03", 30, "QS", "%Y%m"),
        ("1999", 30, "YS", "%Y%m"),
        ("2001", 12, "YS", "%Y"),
        ("1895", 120, "YS", "%Y"),
        ("2005-01-02", 60, "h", "%Y%m%d%H"),
        ("2005-01-02", 60, "5min", "%Y%m%d%H%M"),
        ("2005-01-02", 60, "D", "%Y%m%d%H%M"),
    ],
)
def test_digits_with_one_meaning_are_read(tmp_path, start, periods, freq, form):
    dates = pd.date_range(start, periods=periods, freq=freq)
    assert read_prices(write(tmp_path / "x.csv", dates.strftime(form))).index.tolist() == dates.tolist()


@pytest.mark.parametrize("form", ["%d%m%y", "%m%d%y", "%y%m%d"])
@pytest.mark.parametrize("name", ["ds", "time", "Date"])
def test_dates_of_six_digits_are_no_row_numbers(tmp_path, form, name):
    text = pd.bdate_range("2021-10-04", "2021-12-01").strftime(form)
    with pytest.raises(ValueError, match="whose year has two digits"):
        read_prices(write(tmp_path / "x.csv", text, name))
    for first in (10101, 200101):
        steps = list(range(first, first + 80))
        assert read_prices(write(tmp_path / "x.csv", steps, "ds")).index.tolist() == steps


@pytest.mark.parametrize(
    ("date", "time"), [("Date", "Time"), ("<DATE>", "<TIME>"), ("Datum", "Uhrzeit"), ("date", "hour")]
)
@pytest.mark.parametrize("form", ["%H:%M:%S", "%H%M%S", "%I:%M %p", "%H:%M"])
def test_a_date_and_a_time_of_day_are_joined(tmp_path, date, time, form):
    times = pd.date_range("2024-01-02 09:00", periods=60, freq="h")
    clock = times.hour if time == "hour" else times.strftime(form)
    path = write(
        tmp_path / "x.csv", times.strftime("%Y.%m.%d"), date, **{time: clock, "close": np.arange(60) % 7 + 0.5}
    )
    assert read_prices(path).index.tolist() == times.tolist()


def test_year_month_and_day_are_joined(tmp_path):
    days = pd.bdate_range("2024-01-29", periods=8)
    path = write(tmp_path / "x.csv", days.year, "Year", Month=days.month, Day=days.day, Close=np.arange(8) + 0.5)
    assert read_prices(path).index.tolist() == days.tolist()


PARTS = {
    "quarter": (QUARTERS, "Quarter", lambda d: d.quarter),
    "Q1": (QUARTERS, "Trimestre", lambda d: f"Q{d.quarter}"),
    "month": (MONTHS, "Mes", lambda d: d.month),
    "Jan": (MONTHS, "Month", lambda d: f"{d:%b}"),
    "January": (MONTHS, "Monat", lambda d: f"{d:%B}"),
    "M01": (MONTHS, "Period", lambda d: f"M{d:%m}"),
    "Q01": (QUARTERS, "Period", lambda d: f"Q{d.quarter:02d}"),
    "H1": (pd.date_range("2001-01-01", periods=14, freq="6MS"), "Half", lambda d: f"H{1 + d.month // 7}"),
    "week": (pd.date_range("2020-12-28", periods=120, freq="7D"), "Week", lambda d: d.isocalendar().week),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("countries", [1, 2])
@pytest.mark.parametrize("year_first", [True, False])
def test_a_year_and_a_part_of_it_are_a_date(tmp_path, part, countries, year_first):
    dates, name, form = PARTS[part]
    years = dates.isocalendar().year.to_numpy() if part == "week" else dates.year
    columns = {"Year": years, name: [form(date) for date in dates]}
    columns = columns if year_first else dict(reversed(columns.items()))
    x = np.arange(len(dates)) % 7 + 1.5
    tables = [pd.DataFrame(columns).assign(Country=country, GDP=x) for country in ("FR", "ES")[:countries]]
    table = pd.concat(tables, ignore_index=True)
    table = table if countries == 2 else table.drop(columns="Country")
    table.to_csv(tmp_path / "x.csv", index=False)
    for panel in (as_panel(table), as_panel(read_prices(tmp_path / "x.csv"))):
        assert panel.index.tolist() == dates.tolist()
        assert len(panel.series) == countries
        np.testing.assert_array_equal(panel.target[:, 0], x)


@pytest.mark.parametrize(
    ("name", "cells", "unread"),
    [
        ("Period", [f"M{i:02d}" for i in range(1, 14)], "M13"),
        ("Period", range(1, 13), "1"),
        ("Quarter", range(1, 6), "5"),
        ("Month", ["Styczeń", "Luty", "Marzec"], "Styczeń"),
        ("Session", ["morning", "evening"], "morning"),
        ("Day", [5, 400], "5"),
    ],
)
def test_parts_of_a_year_that_are_not_clear_are_refused(tmp_path, name, cells, unread):
    cells = list(cells)
    table = pd.DataFrame({"Year": np.repeat(range(2001, 2006), len(cells)), name: cells * 5})
    table["Value"] = np.arange(len(table)) % 7 + 0.5
    table.to_csv(tmp_path / "x.csv", index=False)
    for read in (lambda: as_panel(table), lambda: read_prices(tmp_path / "x.csv")):
        with pytest.raises(ValueError, match=f"the years in 'Year' have parts in '{name}', and '{unread}' is not"):
            read()


@pytest.mark.parametrize(
    "names", [[f"{d:%b}" for d in MONTHS[:12]], [f"{d:%B}" for d in MONTHS[:12]], ["Q1", "Q2", "Q3", "Q4"]]
)
def test_a_grid_of_years_and_months_is_refused(tmp_path, names):
    grid = pd.DataFrame({"Year": range(1990, 2010), **{name: np.arange(20) + 0.5 for name in names}})
    grid.to_csv(tmp_path / "x.csv", index=False)
    for read in (
        lambda: as_panel(grid),
        lambda: as_panel(grid.set_index("Year")),
        lambda: read_prices(tmp_path / "x.csv"),
    ):
        with pytest.raises(ValueError, match=r"each row is a year and its columns are .*: write a row per date"):
            read()
    daily = grid.drop(columns="Year").set_index(pd.bdate_range("2024-01-01", periods=20))  # contract months
    assert as_panel(daily).series == tuple(names)


CLOCKS = {
    "1 to 24": (24, lambda i: i + 1),
    "0 to 23": (24, lambda i: i),
    "01:00 to 24:00": (24, lambda i: f"{i + 1:02d}:00"),
    "HE01": (24, lambda i: f"HE{i + 1:02d}"),
    "00:00-01:00": (24, lambda i: f"{i:02d}:00-{i + 1:02d}:00"),
    "00:00 - 00:00": (24, lambda i: f"{i:02d}:00 - {(i + 1) % 24:02d}:00"),
    "00 - 01": (24, lambda i: f"{i:02d} - {i + 1:02d}"),
    "23:30-00:00": (48, lambda i: f"{i // 2:02d}:{i % 2 * 30:02d}-{(i + 1) // 2 % 24:02d}:{(i + 1) % 2 * 30:02d}"),
}


@pytest.mark.parametrize("form", CLOCKS)
@pytest.mark.parametrize("name", ["Hora", "Ora", "Heure", "saat", "时间", "Time", "Hour Ending", "Hours", "Hour"])
def test_hours_in_every_notation_are_times_of_day(tmp_path, form, name):
    check_times(tmp_path, name, *CLOCKS[form])


@pytest.mark.parametrize(("name", "n"), [("Settlement Period", 48), ("Period", 96), ("MTU", 24), ("Periodo", 24)])
def test_numbers_of_the_periods_of_a_day_are_times_of_day(tmp_path, name, n):
    check_times(tmp_path, name, n, lambda i: i + 1)


def check_times(tmp_path, name, n, form):
    times = pd.date_range("2024-01-02", periods=3 * n, freq=pd.Timedelta(days=1) / n)
    table = pd.DataFrame({"Date": times.strftime("%Y-%m-%d"), name: [form(i % n) for i in range(3 * n)]})
    table["Price"] = np.arange(3 * n) % 7 + 0.5
    table.to_csv(tmp_path / "x.csv", index=False)
    for panel in (as_panel(table), as_panel(read_prices(tmp_path / "x.csv"))):
        assert panel.index.tolist() == times.tolist()
        assert len(panel.series) == 1


@pytest.mark.parametrize(
    ("name", "cells"),
    [("Half", ["AM", "PM"]), ("anything", range(24)), ("x", [f"{i}:30" for i in range(9)]), ("Time", range(1, 26))],
)
def test_parts_of_a_day_never_name_series(tmp_path, name, cells):
    cells = list(cells)
    days = pd.bdate_range("2024-01-01", periods=5).strftime("%Y-%m-%d")
    table = pd.DataFrame({"Date": np.repeat(days, len(cells)), name: cells * 5}).assign(Price=1.5)
    table["Price"] += np.arange(len(table)) % 7
    with pytest.raises(ValueError, match=f"'{name}' separates their rows, which seems to be a part of the date"):
        as_panel(table)
    table.to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(ValueError, match=f"'{name}' separates their rows"):
        read_prices(tmp_path / "x.csv")


@pytest.mark.parametrize("zone", ["Europe/London", "America/New_York", "Australia/Sydney"])
def test_the_repeated_hour_is_two_hours_where_the_offset_is_known(tmp_path, zone):
    day = {"Europe/London": "2024-10-26", "America/New_York": "2024-11-02", "Australia/Sydney": "2024-04-06"}[zone]
    times = pd.date_range(day, periods=60, freq="30min", tz=zone)
    for text in (times.astype(str), [time.isoformat() for time in times], times.strftime("%Y-%m-%d %H:%M%z")):
        table = read_prices(write(tmp_path / "x.csv", text))
        assert table.index.tolist() == times.tz_convert(None).tolist()
        assert any("labelled in UTC" in note for note in table.attrs["notes"])
        assert as_panel(pd.Series(np.arange(60.0), index=list(text))).index.equals(pd.DatetimeIndex(table.index))
    with pytest.raises(ValueError, match=r"the clock goes back on .*: write the times in UTC, or with their offset"):
        read_prices(write(tmp_path / "x.csv", times.strftime("%Y-%m-%d %H:%M")))


def test_offsets_that_change_with_the_season_leave_the_local_time(tmp_path):
    opens = (pd.bdate_range("2024-01-01", periods=200) + pd.Timedelta(hours=9)).tz_localize("Europe/Berlin")
    assert read_prices(write(tmp_path / "x.csv", opens.astype(str))).index.tolist() == opens.tz_localize(None).tolist()


@pytest.mark.parametrize("name", ["Name", "Symbol", "Country", "coin", "Stock", "code", "GEO", "whatever"])
@pytest.mark.parametrize("bars", [False, True])
def test_long_tables_have_any_name_for_the_series(tmp_path, name, bars):
    days, tickers = pd.bdate_range("2024-01-01", periods=9), ["000001", "600000"] if name == "code" else ["A", "B", "C"]
    keys = pd.MultiIndex.from_product([tickers, days], names=[name, "date"]).to_frame(index=False)
    x = np.arange(len(keys)) % 7 + 100.5
    values = (
        {"open": x, "high": x + 1, "low": x - 1, "close": x + 0.25, "volume": x * 100} if bars else {"close": x + 0.25}
    )
    long = keys.assign(sector="x", **values).sample(frac=1, random_state=0)
    long.to_csv(tmp_path / "x.csv", index=False)
    with pytest.warns(UserWarning, match="'sector'"):
        table = read_prices(tmp_path / "x.csv")
    expected = keys.assign(y=x + 0.25).pivot(index="date", columns=name, values="y")
    assert table.columns.tolist() == tickers
    np.testing.assert_array_equal(table.to_numpy(), expected.to_numpy())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for frame in (long, long.set_index("date"), long.set_index(["date", name]), long.set_index([name, "date"])):
            panel = as_panel(frame.reset_index(drop=True) if frame is long else frame)
            assert panel.series == tuple(tickers)
            np.testing.assert_array_equal(panel.target, expected.to_numpy())


NEWEST_FIRST = pd.DataFrame(
    {"Date": pd.bdate_range("2024-01-01", periods=60)[::-1].strftime("%Y-%m-%d"), "Close": np.arange(60)[::-1] + 1.5}
)


@pytest.mark.parametrize(
    "select",
    [
        lambda frame: frame,
        lambda frame: frame.sort_values("Date"),
        lambda frame: frame[frame["Date"] > "2024-01-20"],
        lambda frame: frame.iloc[-20:],
        lambda frame: frame.iloc[::-1],
        lambda frame: frame.sample(frac=0.5, random_state=0),
        lambda frame: frame.rename_axis("index").sort_values("Date"),
        lambda frame: frame.set_axis(frame.index + 0.0, axis=0).sort_values("Date"),
        lambda frame: pd.concat([frame.iloc[:30].reset_index(drop=True), frame.iloc[30:].reset_index(drop=True)]),
        lambda frame: frame.iloc[::-1].set_axis(range(200060, 200000, -1), axis=0),
    ],
)
@pytest.mark.parametrize("column", ["text", "dates"])
def test_rows_are_in_the_order_of_their_dates_whatever_their_numbers(select, column):
    frame = NEWEST_FIRST if column == "text" else NEWEST_FIRST.assign(Date=pd.to_datetime(NEWEST_FIRST["Date"]))
    chosen = select(frame)
    panel = as_panel(chosen)
    expected = pd.Series(chosen["Close"].to_numpy(), index=pd.to_datetime(chosen["Date"].to_numpy())).sort_index()
    assert panel.index.tolist() == expected.index.tolist()
    assert panel.target[:, 0].tolist() == expected.tolist()


def test_tables_that_overlap_are_refused_with_the_date_that_repeats():
    with pytest.raises(ValueError, match="2024-03-22 appears more than once among the dates"):
        as_panel(pd.concat([NEWEST_FIRST, NEWEST_FIRST.assign(Close=NEWEST_FIRST["Close"] + 1)]))


def test_advice_never_removes_rows_that_differ(tmp_path):
    differ = write(tmp_path / "x.csv", ["2024-01-02", "2024-01-03", "2024-01-03"], close=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="2 rows with different values: add what distinguishes them") as error:
        read_prices(differ)
    assert "remove" not in str(error.value)
    same_close = write(
        tmp_path / "x.csv", ["2024-01-02"] * 2, open=[1.0, 2], high=[3.0, 3], low=[1.0, 1], close=[2.0, 2]
    )
    with pytest.raises(ValueError, match="with different values"):
        read_prices(same_close)
    copies = write(tmp_path / "x.csv", ["2024-01-02", "2024-01-03", "2024-01-03"], close=[1.0, 2.0, 2.0])
    with pytest.raises(ValueError, match="with the same values: if they are copies, remove all but one"):
        read_prices(copies)
    two = pd.MultiIndex.from_product([["DE", "FR"], ["gdp", "cpi"], [2000, 2001, 2002]]).to_frame(index=False)
    two.set_axis(["country", "indicator", "year"], axis=1).assign(value=1.5).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(ValueError, match="only 'country' and 'indicator' together separate the rows"):
        read_prices(tmp_path / "x.csv")


DAYS = pd.bdate_range("2024-01-01", periods=6)
KINDS = {
    "dates": lambda days: days,
    "python dates": lambda days: [day.date() for day in days],
    "datetimes": lambda days: np.array([day.to_pydatetime() for day in days], dtype=object),
    "text": lambda days: days.strftime("%Y-%m-%d"),
    "periods": lambda days: days.to_period("D"),
    "integers": lambda days: [int(f"{day:%Y%m%d}") for day in days],
    "zone": lambda days: days.tz_localize("Asia/Tokyo"),
    "other zone": lambda days: days.tz_localize("America/New_York"),
}


@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("second", KINDS)
def test_a_mapping_is_aligned_by_dates_of_any_kind(first, second):
    a = pd.Series(np.arange(1.0, 7), index=KINDS[first](DAYS))
    b = pd.Series(np.arange(10.0, 14), index=KINDS[second](DAYS[:4]))
    panel = as_panel({"A": a, "B": b})
    assert panel.index.tz_localize(None).tolist() == DAYS.tolist()
    assert panel.series == ("A", "B")
    np.testing.assert_array_equal(panel.target[-1], [6, np.nan])
    np.testing.assert_array_equal(panel.target[3], [4, 13])


def test_a_mapping_of_dated_and_undated_series_is_refused():
    dated = pd.Series(np.arange(6.0), index=DAYS)
    for undated in (np.arange(6.0), pd.Series(np.arange(6.0)), [1.0, 2.0]):
        with pytest.raises(ValueError, match="'A' has dates and 'B' has none: give each its dates"):
            as_panel({"A": dated, "B": undated})


def test_hours_in_two_time_zones_are_refused():
    hours = pd.Series(np.arange(48.0), pd.date_range("2024-01-01", periods=48, freq="h"))
    for other in (hours.tz_localize("Asia/Tokyo"), hours):
        with pytest.raises(ValueError, match=r"different time zones .* convert each to UTC"):
            as_panel({"A": hours.tz_localize("America/New_York"), "B": other})


def test_ambiguous_dates_are_refused_in_python_too():
    monthly = [f"01/{month:02d}/2020" for month in range(1, 13)]
    frame = pd.DataFrame({"A": np.arange(12.0)}, index=monthly)
    for prices in (frame, frame["A"], {"A": frame["A"]}, frame.rename_axis("Date").reset_index()):
        with pytest.raises(ValueError, match=r"day/month: convert them first, as with pd\.to_datetime"):
            as_panel(prices)


class Stream:
    """A table of a library that exports Arrow streams."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class Interchange:
    """A table of a library that implements the interchange protocol."""

    def __init__(self, table):
        self.table = table

    def __dataframe__(self, **options):
        return self.table.__dataframe__(**options)


def test_tables_of_other_libraries_are_read():
    x = np.arange(6) % 4 + 1.5
    table = pa.table({"date": pa.array([day.date() for day in DAYS]), "A": x, "B": x + 1})
    numbers = pa.table({"date": pa.array([int(f"{day:%Y%m%d}") for day in DAYS]), "A": x, "B": x + 1})
    for prices in (table, Stream(table), Interchange(numbers)):
        panel = as_panel(prices)
        assert panel.index.tolist() == DAYS.tolist()
        np.testing.assert_array_equal(panel.target, np.column_stack([x, x + 1]))
    undated = as_panel(pa.table({"A": x, "B": x + 1}))
    assert undated.index.tolist() == list(range(6))


def test_what_is_no_table_is_refused_with_what_to_do():
    polars = pytest.importorskip("polars")
    for prices, advice in (
        (polars.DataFrame({"A": [1.5, 2.5]}).lazy(), r"lazy table .*\.collect\(\)"),
        (polars.Series([1.5, 2.5]), "one column .* give a table with its dates"),
        (pd.DataFrame({"A": [1.5, 2.5]}).to_records(), r"pd\.DataFrame\(prices\)"),
        ([1.5, 2.5], "must be a DataFrame"),
    ):
        with pytest.raises(TypeError, match=advice):
            as_panel(prices)


def test_row_levels_without_names_are_read_from_parquet(tmp_path):
    rows = pd.MultiIndex.from_product([DAYS, ["A", "B"]])
    for levels in (rows, rows.swaplevel()):
        pd.DataFrame({"close": np.arange(12) + 0.5}, index=levels).to_parquet(tmp_path / "x.parquet")
        table = read_prices(tmp_path / "x.parquet")
        assert table.index.tolist() == DAYS.tolist()
        assert table["B"].tolist() == [1.5, 3.5, 5.5, 7.5, 9.5, 11.5]


@pytest.mark.parametrize("form", ["%Y%m%dT%H%M%SZ", "%Y-%m-%dT%HZ", "%Y%m%d %H%M%S+0000", "%Y-%m-%dT%H:%M:%SZ"])
def test_short_forms_of_iso_with_a_zone_are_times(tmp_path, form):
    hours = pd.date_range("2021-03-01", periods=40, freq="h")
    assert read_prices(write(tmp_path / "x.csv", hours.strftime(form))).index.tolist() == hours.tolist()


def test_a_column_of_symbols_without_any_is_no_id(tmp_path):
    path = write(
        tmp_path / "x.csv", MONTHS.strftime("%Y-%m"), "REF_DATE", SYMBOL=[""] * 30, VALUE=np.arange(30) % 7 + 0.5
    )
    with pytest.warns(UserWarning, match="'SYMBOL' is empty"):
        assert read_prices(path).shape == (30, 1)


@pytest.mark.parametrize("name", ["stock", "country", "id", "asset", "ticker", "permno"])
@pytest.mark.parametrize("ids", [("005930", "000660"), ("NA", "DE")])
def test_ids_are_as_in_the_file(tmp_path, name, ids):
    days = np.repeat(DAYS.strftime("%Y-%m-%d"), 2)
    table = read_prices(write(tmp_path / "x.csv", days, **{name: ids * 6, "close": np.arange(12) + 0.5}))
    assert sorted(table.columns) == sorted(ids)


def test_a_header_after_a_number_sign_is_the_header(tmp_path):
    rows = "".join(f"{day:%Y-%m-%d},{i + 0.5},{i}\n" for i, day in enumerate(DAYS))
    (tmp_path / "x.csv").write_text("# a title\n#Date,AAA,BBB\n" + rows)
    assert read_prices(tmp_path / "x.csv").columns.tolist() == ["AAA", "BBB"]
    (tmp_path / "x.csv").write_text("# Date,AAA,remark\nDate,CCC,DDD\n" + rows)
    assert read_prices(tmp_path / "x.csv").columns.tolist() == ["CCC", "DDD"]


def test_polars_tables_are_read():
    polars = pytest.importorskip("polars")
    panel = as_panel(polars.DataFrame({"date": [day.date() for day in DAYS], "A": [1.5, 2.5, 1.0, 2.0, 3.0, 1.5]}))
    assert panel.index.tolist() == DAYS.tolist()


def test_period_index_and_mixed_offsets():
    months = pd.Series([1.0, 2, 3], index=pd.period_range("2024-01", periods=3, freq="M"))
    assert as_panel(months).index.tolist() == pd.date_range("2024-01-01", periods=3, freq="MS").tolist()
    zone = dt.timezone(dt.timedelta(hours=1))
    mixed = [dt.datetime(2024, 1, 1, 10, tzinfo=zone), dt.datetime(2024, 7, 1, 10, tzinfo=dt.UTC)]
    assert as_panel(pd.Series([1.0, 2.0], index=mixed)).index.hour.tolist() == [10, 10]


@pytest.mark.parametrize(
    ("name", "form"),
    [("FY", "FY{}"), ("Period", "FY {}")]
    + [(name, form) for name in ("Year", "Fiscal year", "Year ended") for form in ("{}", "FY{}", "fy-{}")],
)
def test_years_are_dates_whatever_the_year_is_called(tmp_path, name, form):
    path = tmp_path / "annual.csv"
    years = range(2023, 1998, -1)
    pd.DataFrame({name: map(form.format, years), "revenue": np.arange(25.0)}).to_csv(path, index=False)
    prices = read_prices(path)
    assert list(prices.index.year) == sorted(years)
    assert prices.iloc[-1].tolist() == [0.0]
