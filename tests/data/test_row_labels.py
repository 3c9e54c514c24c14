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
