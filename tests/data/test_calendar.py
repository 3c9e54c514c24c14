import re
import subprocess
import sys

import pandas as pd
import pytest

from forecast.data.calendar import next_dates


def as_text(dates):
    return [f"{day:%Y-%m-%d}" for day in dates]


def test_weekends_are_skipped():
    dates, description = next_dates(pd.bdate_range("2023-11-01", "2024-11-22"), 4)
    assert as_text(dates) == ["2024-11-25", "2024-11-26", "2024-11-27", "2024-11-28"]
    assert description.startswith("business days")


@pytest.mark.medium
def test_holidays_of_an_exchange_are_skipped():
    index = pd.bdate_range("2023-11-01", "2024-11-26")
    dates, description = next_dates(index, 3, "XNYS")
    assert as_text(dates) == ["2024-11-27", "2024-11-29", "2024-12-02"]  # Thanksgiving was on the 28th
    assert description == "trading days of XNYS"
    assert as_text(next_dates(index, 3, "XLON")[0]) == ["2024-11-27", "2024-11-28", "2024-11-29"]
    assert as_text(next_dates(pd.bdate_range("2024-12-02", "2024-12-23"), 2, "XLON")[0]) == ["2024-12-24", "2024-12-27"]
    assert len(next_dates(index, 600, "XNYS")[0]) == 600


def test_rows_on_every_day_continue_daily():
    dates, description = next_dates(pd.date_range("2024-01-01", "2024-11-22"), 3)
    assert as_text(dates) == ["2024-11-23", "2024-11-24", "2024-11-25"]
    assert description == "every day of the week"


def test_weekdays_are_those_of_the_rows():
    days = pd.date_range("2024-01-01", "2024-11-21")
    dates, description = next_dates(days[days.day_of_week.isin([6, 0, 1, 2, 3])], 3)  # Sunday to Thursday, as in Riyadh
    assert as_text(dates) == ["2024-11-24", "2024-11-25", "2024-11-26"]
    assert description.startswith("Mon, Tue, Wed, Thu, Sun;")


def test_one_saturday_makes_no_trading_day():
    days = pd.bdate_range("2023-11-01", "2024-11-22").union([pd.Timestamp("2024-03-02")])
    assert as_text(next_dates(days, 2)[0]) == ["2024-11-25", "2024-11-26"]


@pytest.mark.parametrize(
    ("freq", "following"),
    [
        ("W-FRI", ["2024-03-22", "2024-03-29"]),
        ("MS", ["2024-04-01", "2024-05-01"]),
        ("QS", ["2024-04-01", "2024-07-01"]),
    ],
)
def test_weeks_and_months_continue(freq, following):
    index = pd.date_range(end="2024-03-20", periods=30, freq=freq)
    assert as_text(next_dates(index, 2)[0]) == following


def test_hours_continue():
    dates, description = next_dates(pd.date_range("2024-03-01", periods=50, freq="h"), 2)
    assert [str(time) for time in dates] == ["2024-03-03 02:00:00", "2024-03-03 03:00:00"]
    assert description.startswith("the frequency of the rows")


def test_few_rows_imply_business_days():
    assert as_text(next_dates(pd.DatetimeIndex(["2024-03-07", "2024-03-08"]), 2)[0]) == ["2024-03-11", "2024-03-12"]
    assert as_text(next_dates(pd.DatetimeIndex(["2024-03-08"]), 1)[0]) == ["2024-03-11"]


def test_row_numbers_continue():
    assert list(next_dates(pd.RangeIndex(10), 3)[0]) == [10, 11, 12]


@pytest.mark.parametrize(
    ("index", "steps", "exchange", "message"),
    [
        (pd.bdate_range("2024-01-01", periods=30), 0, None, "steps must be at least 1"),
        (pd.bdate_range("2024-01-01", periods=30), 1, "XNYSE", "no exchange 'XNYSE' (did you mean 'XNYS'?)"),
        (pd.bdate_range("2024-01-01", periods=30), 1, "nyse", "no exchange 'nyse' (did you mean 'NYSE'?)"),
        (pd.date_range("2024-01-01", periods=30, freq="h"), 1, "XNYS", "outside of the sessions of XNYS"),
        (pd.RangeIndex(30), 1, "XNYS", "the rows have no dates"),
    ],
)
def test_invalid_requests_raise(index, steps, exchange, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        next_dates(index, steps, exchange)


@pytest.mark.medium
def test_a_missing_package_is_named():
    code = (
        "import sys; sys.modules['exchange_calendars'] = None\nimport pandas as pd\n"
        "from forecast.data.calendar import next_dates\n"
        "try: next_dates(pd.bdate_range('2024-01-01', periods=30), 1, 'XNYS')\nexcept ValueError as error: print(error)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install 'forecast[exchanges]'" in output
