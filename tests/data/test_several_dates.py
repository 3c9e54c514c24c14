"""Tables with several columns of dates: the dates of the prices are used, or the reader is refused."""

import numpy as np
import pandas as pd
import pytest

from forecast.data.files import read_prices
from forecast.data.panel import as_panel

DAYS = pd.bdate_range("2020-01-06", periods=60)
CLOSE = np.arange(60) % 7 + 1.5


def table(chosen, other, days, is_first):
    dates = {chosen: DAYS, other: DAYS + pd.to_timedelta(days, unit="D")}
    return pd.DataFrame(dates if is_first else dict(reversed(dates.items()))).assign(Close=CLOSE)


def read_both(tmp_path, frame):
    """Return the panels of a table as a file and in Python."""
    frame.to_csv(tmp_path / "x.csv", index=False)
    return as_panel(read_prices(tmp_path / "x.csv")), as_panel(frame)


@pytest.mark.filterwarnings("ignore:the column")
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize(
    ("chosen", "other", "days"),
    [
        ("Trade Date", "Settle Date", 2),
        ("Date", "Settlement Date", 2),
        ("Time", "Release Date", 30),
        ("Reference Date", "Release Date", 30),
        ("Period", "Published", 30),
        ("observation_date", "realtime_start", 30),
        ("date", "other date", 2),
        ("Week Start", "Week End", 4),
        ("From Date", "To Date", 4),
        ("Day", "Contract Month", np.arange(60) % 3 * 30),
    ],
)
def test_names_state_which_dates_are_those_of_the_prices(tmp_path, chosen, other, days, is_first):
    for panel in read_both(tmp_path, table(chosen, other, days, is_first)):
        assert panel.index.tolist() == DAYS.tolist()
        note = f"the rows have the dates in '{chosen}', and not those in '{other}'"
        assert note in panel.attrs["notes"]


@pytest.mark.filterwarnings("ignore:the column")
@pytest.mark.parametrize("name", ["Local Date", "unix", "x"])
def test_dates_that_repeat_others_are_no_question(tmp_path, name):
    for other in (DAYS, DAYS + pd.Timedelta(hours=16), [DAYS[0]] * 60, DAYS - pd.to_timedelta(DAYS.day_of_week, "D")):
        for panel in read_both(tmp_path, pd.DataFrame({"Time": DAYS, name: other, "Close": CLOSE})):
            assert panel.index.tolist() == DAYS.tolist()


@pytest.mark.parametrize("names", [("Order Date", "Ship Date"), ("x", "y"), ("Expiry Date", "Release Date")])
def test_names_that_do_not_state_it_are_a_question(tmp_path, names):
    frame = table(*names, 3, is_first=True)
    for read in (lambda: read_both(tmp_path, frame), lambda: as_panel(frame)):
        with pytest.raises(ValueError, match=f"'{names[0]}' and '{names[1]}' have different .*: rename the column of"):
            read()
    renamed = frame.rename(columns={names[1]: "Date"})
    for panel in read_both(tmp_path, renamed):
        assert panel.index[-1] == renamed["Date"].max()


@pytest.mark.parametrize("names", [("A date", "B date"), ("Date", "B Date"), ("Time A", "Time B")])
@pytest.mark.parametrize("rows", [60, 50])
def test_series_with_dates_of_their_own_are_refused(tmp_path, names, rows):
    frame = pd.DataFrame({names[0]: DAYS, "A": CLOSE, names[1]: DAYS + pd.Timedelta(days=1), "B": CLOSE[::-1]})
    frame.iloc[rows:, 2:] = None
    for read in (lambda: read_both(tmp_path, frame), lambda: as_panel(frame)):
        with pytest.raises(ValueError, match="different dates, so series have dates of their own"):
            read()


@pytest.mark.filterwarnings("ignore:the column")
@pytest.mark.parametrize("form", [pd.Series, lambda days: days.strftime("%Y-%m-%d"), lambda days: days.to_period("D")])
def test_a_column_of_dates_that_contradicts_the_index_is_refused(form):
    frame = pd.DataFrame({"date": np.asarray(form(DAYS), dtype=object), "Close": CLOSE}, index=DAYS)
    assert as_panel(frame).index.tolist() == DAYS.tolist()
    with pytest.raises(ValueError, match=r"the index has dates and the column 'date' has other ones: .*set_index\('"):
        as_panel(frame.set_axis(DAYS + pd.Timedelta(days=1), axis=0))
    other = frame.rename(columns={"date": "expiry"}).set_axis(DAYS + pd.Timedelta(days=1), axis=0)
    assert as_panel(other).index[0] == DAYS[1]
