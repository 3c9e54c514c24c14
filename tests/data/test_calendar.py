import subprocess
import sys

import pandas as pd
import pytest

from forecast.data.calendar import next_dates


def texts(dates):
    return [f"{day:%Y-%m-%d}" for day in dates]


def test_weekends_are_skipped():
    dates, said = next_dates(pd.bdate_range("2023-11-01", "2024-11-22"), 4)
    assert texts(dates) == ["2024-11-25", "2024-11-26", "2024-11-27", "2024-11-28"]
    assert said.startswith("business days")


def test_holidays_of_an_exchange_are_skipped():
    index = pd.bdate_range("2023-11-01", "2024-11-26")
    dates, said = next_dates(index, 3, "XNYS")
    assert texts(dates) == ["2024-11-27", "2024-11-29", "2024-12-02"]  # Thanksgiving was on the 28th
    assert said == "trading days of XNYS"
    assert texts(next_dates(index, 3, "XLON")[0]) == ["2024-11-27", "2024-11-28", "2024-11-29"]
    assert texts(next_dates(pd.bdate_range("2024-12-02", "2024-12-23"), 2, "XLON")[0]) == ["2024-12-24", "2024-12-27"]
    assert len(next_dates(index, 600, "XNYS")[0]) == 600


def test_a_coin_trades_every_day():
    dates, said = next_dates(pd.date_range("2024-01-01", "2024-11-22"), 3)
    assert texts(dates) == ["2024-11-23", "2024-11-24", "2024-11-25"]
    assert said == "every day of the week"


def test_days_of_the_week_are_those_of_the_rows():
    days = pd.date_range("2024-01-01", "2024-11-21")
    dates, said = next_dates(days[days.day_of_week.isin([6, 0, 1, 2, 3])], 3)  # Sunday to Thursday, as in Riyadh
    assert texts(dates) == ["2024-11-24", "2024-11-25", "2024-11-26"]
    assert said.startswith("Mon, Tue, Wed, Thu, Sun;")


def test_an_exceptional_saturday_is_no_rule():
    days = pd.bdate_range("2023-11-01", "2024-11-22").union([pd.Timestamp("2024-03-02")])
    assert texts(next_dates(days, 2)[0]) == ["2024-11-25", "2024-11-26"]


@pytest.mark.parametrize(
    ("freq", "following"),
    [
        ("W-FRI", ["2024-03-22", "2024-03-29"]),
        ("MS", ["2024-04-01", "2024-05-01"]),
        ("QS", ["2024-04-01", "2024-07-01"]),
    ],
)
def test_weeks_and_months_go_on(freq, following):
    index = pd.date_range(end="2024-03-20", periods=30, freq=freq)
    assert texts(next_dates(index, 2)[0]) == following


def test_hours_go_on():
    dates, said = next_dates(pd.date_range("2024-03-01", periods=50, freq="h"), 2)
    assert [str(time) for time in dates] == ["2024-03-03 02:00:00", "2024-03-03 03:00:00"]
    assert "going on" in said


def test_few_rows_are_taken_for_business_days():
    assert texts(next_dates(pd.DatetimeIndex(["2024-03-07", "2024-03-08"]), 2)[0]) == ["2024-03-11", "2024-03-12"]
    assert texts(next_dates(pd.DatetimeIndex(["2024-03-08"]), 1)[0]) == ["2024-03-11"]


def test_numbers_are_counted_on():
    assert list(next_dates(pd.RangeIndex(10), 3)[0]) == [10, 11, 12]


@pytest.mark.parametrize(
    ("index", "steps", "exchange", "message"),
    [
        (pd.bdate_range("2024-01-01", periods=30), 0, None, "steps must be at least 1"),
        (pd.bdate_range("2024-01-01", periods=30), 1, "XNYSE", "no exchange 'XNYSE'. Did you mean XNYS?"),
        (pd.bdate_range("2024-01-01", periods=30), 1, "nyse", "no exchange 'nyse'. Did you mean NYSE?"),
        (pd.date_range("2024-01-01", periods=30, freq="h"), 1, "XNYS", "have times of day"),
        (pd.RangeIndex(30), 1, "XNYS", "the rows have no dates"),
    ],
)
def test_what_cannot_be_is_said(index, steps, exchange, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        next_dates(index, steps, exchange)


def test_without_the_package_it_says_what_to_install():
    code = (
        "import sys; sys.modules['exchange_calendars'] = None\nimport pandas as pd\n"
        "from forecast.data.calendar import next_dates\n"
        "try: next_dates(pd.bdate_range('2024-01-01', periods=30), 1, 'XNYS')\nexcept ValueError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install 'forecast[exchanges]'" in said
