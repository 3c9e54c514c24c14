"""Dates to come: a calendar is cut anywhere, and the dates that follow are those that it has."""

import numpy as np
import pandas as pd
import pytest

from forecast.data.calendar import next_dates

HOUR, MINUTE = pd.Timedelta(hours=1), pd.Timedelta(minutes=1)
MONTHS = pd.date_range("2012-01-01", "2024-06-01", freq="MS")
BUSINESS_DAYS = pd.bdate_range("2023-01-02", "2023-08-31")
HOURS = pd.date_range("2023-01-01", "2023-08-31 23:00", freq="h")


def monthly(*rules):
    return pd.DatetimeIndex(sorted({rule(month) for month in MONTHS for rule in rules}))


def on(day):
    return lambda month: month + pd.Timedelta(days=day - 1)


def roll(day, how):
    return lambda month: pd.Timestamp(np.busday_offset((month + pd.Timedelta(days=day - 1)).date(), 0, roll=how))


def sessions(first, last, step, days=BUSINESS_DAYS, pause=()):
    minutes = [minute for minute in range(first, last, step) if minute not in pause]
    return pd.DatetimeIndex([day + minute * MINUTE for day in days for minute in minutes])


def foreign_exchange():
    weekday = HOURS.day_of_week
    closed = ((weekday == 4) & (HOURS.hour >= 22)) | (weekday == 5) | ((weekday == 6) & (HOURS.hour < 22))
    return HOURS[~closed]


CALENDARS = {
    "the 15th": monthly(on(15)),
    "month ends": monthly(lambda month: month + pd.offsets.MonthEnd(1)),
    "last business days": pd.date_range("2012", "2024", freq="BME"),
    "first business days": pd.date_range("2012", "2024", freq="BMS"),
    "15th or next business day": monthly(roll(15, "forward")),
    "15th or business day before": monthly(roll(15, "backward")),
    "third Fridays": pd.date_range("2012", "2024", freq="WOM-3FRI"),
    "1st and 15th": monthly(on(1), on(15)),
    "15th and month end": monthly(on(15), lambda month: month + pd.offsets.MonthEnd(1)),
    "quarter ends": pd.date_range("2005", "2024", freq="QE"),
    "quarters on fixed days": pd.DatetimeIndex(
        [f"{y}-{day}" for y in range(2005, 2024) for day in ("03-20", "06-21", "09-22", "12-21")]
    ),
    "four dates of a year": pd.DatetimeIndex(
        [f"{y}-{m}-15" for y in range(2005, 2024) for m in ("01", "04", "06", "09")]
    ),
    "years": pd.date_range("1950", "2020", freq="YS"),
    "decades": pd.date_range("1700", "2020", freq="10YS"),
    "weekly": pd.date_range("2015", "2024", freq="W-WED"),
    "every second week": pd.date_range("2015", "2024", freq="2W-FRI"),
    "every 10 days": pd.date_range("2015", "2024", freq="10D"),
    "every second day": pd.date_range("2021-01-01", periods=300, freq="2D"),
    "every third day": pd.date_range("2021-01-01", periods=300, freq="3D"),
    "every 48 hours at 16:00": pd.date_range("2021-01-01 16:00", periods=300, freq="48h"),
    "every 36 hours": pd.date_range("2021-01-01", periods=300, freq="36h"),
    "every 50 hours, with a zone": pd.date_range("2021-01-01", periods=300, freq="50h", tz="Europe/London"),
    "every second day, two are missing": pd.date_range("2021-01-01", periods=300, freq="2D").delete([12, 13]),
    "months of a school year": MONTHS[~MONTHS.month.isin([7, 8])],
    "three days a week": HOURS[(HOURS.hour == 0) & HOURS.day_of_week.isin([0, 2, 4])],
    "New York, 5 minutes": sessions(570, 960, 5),
    "New York, labelled by the end": sessions(575, 961, 5),
    "New York, hours": sessions(570, 960, 60),
    "New York, with its zone": sessions(570, 960, 15).tz_localize("America/New_York"),
    "Tokyo, with a pause": sessions(540, 900, 30, pause=range(690, 750)),
    "Sunday to Thursday": sessions(600, 900, 15, HOURS[(HOURS.hour == 0) & HOURS.day_of_week.isin([6, 0, 1, 2, 3])]),
    "foreign exchange": foreign_exchange(),
    "every hour": HOURS,
    "every hour, with a zone": HOURS.tz_localize("UTC").tz_convert("Europe/London"),
    "every 8 hours": HOURS[::8],
    "days at 16:00": BUSINESS_DAYS + 16 * HOUR,
    "Fridays at 17:00": pd.date_range("2015", "2024", freq="W-FRI") + 17 * HOUR,
    "decades as numbers": pd.Index(range(1500, 2030, 10)),
}


@pytest.mark.parametrize("name", CALENDARS)
def test_a_calendar_continues_wherever_it_is_cut(name):
    calendar = CALENDARS[name]
    per_day = len(calendar) / len(calendar.normalize().unique()) if isinstance(calendar, pd.DatetimeIndex) else 1
    steps = int(min(max(2 * per_day, 4), 60))
    first = int(min(per_day * 30, len(calendar) / 2))
    hits = []
    for cut in np.random.default_rng(0).integers(first, len(calendar) - steps, 20):
        dates, _ = next_dates(calendar[:cut], steps)
        hits.append(np.asarray(dates == calendar[cut : cut + steps]))
    assert np.mean(hits) >= 0.99


def test_an_equal_distance_is_described():
    dates, description = next_dates(pd.date_range("2021-01-01", periods=100, freq="2D"), 3)
    assert [f"{date:%m-%d}" for date in dates] == ["07-20", "07-22", "07-24"]
    assert description == "every 2 days"
    assert "36h" in next_dates(pd.date_range("2021-01-01", periods=100, freq="36h"), 3)[1]


def test_friday_evening_is_followed_by_monday_morning():
    dates, description = next_dates(sessions(570, 960, 5, pd.bdate_range("2024-05-01", "2024-05-17")), 2)
    assert [f"{time:%a %H:%M}" for time in dates] == ["Mon 09:30", "Mon 09:35"]
    assert description == "the rows' times of day, Mon-Fri 09:30 to 15:55; holidays are not known"


def test_a_half_day_a_holiday_and_a_moved_row_do_not_matter():
    bars = sessions(570, 960, 5, pd.bdate_range("2023-10-02", "2023-11-27").drop("2023-11-23"))
    bars = bars[~((bars.normalize() == pd.Timestamp("2023-11-24")) & (bars.hour >= 13))]
    dates, _ = next_dates(bars, 4 * 78)  # Thursday was a holiday, Friday half a day
    assert dates.tolist() == sessions(570, 960, 5, pd.bdate_range("2023-11-28", "2023-12-01")).tolist()
    fridays = pd.date_range("2023-10-06", periods=25, freq="W-FRI")
    moved = fridays[:-1].append(fridays[-1:] - pd.Timedelta(days=1))  # the newest row is before a holiday
    assert next_dates(moved, 1)[0].tolist() == [fridays[-1] + pd.Timedelta(days=7)]


@pytest.mark.parametrize("zone", ["America/New_York", "UTC", None])
@pytest.mark.parametrize(("exchange", "local"), [("XNYS", "America/New_York"), ("XTKS", "Asia/Tokyo")])
@pytest.mark.medium
def test_an_exchange_gives_the_hours_of_its_sessions(exchange, local, zone):
    calendars = pytest.importorskip("exchange_calendars")
    schedule = calendars.get_calendar(exchange, start="2023-01-01", end="2023-12-31").schedule
    bars = pd.DatetimeIndex([])
    for opens, closes, start, end in schedule[["open", "close", "break_start", "break_end"]].itertuples(index=False):
        times = pd.date_range(opens, closes, freq="30min", inclusive="left")
        bars = bars.append(times if pd.isna(start) else times[(times < start) | (times >= end)])
    bars = bars.tz_convert(local).tz_localize(None) if zone is None else bars.tz_convert(zone)
    for cut in np.random.default_rng(0).integers(900, len(bars) - 40, 8):
        assert next_dates(bars[:cut], 40, exchange)[0].tolist() == bars[cut : cut + 40].tolist()


def test_an_unclear_time_zone_and_months_are_refused_with_an_exchange():
    pytest.importorskip("exchange_calendars")
    winter = sessions(480, 990, 30, pd.bdate_range("2023-01-09", "2023-03-24"))  # London keeps UTC in winter
    with pytest.raises(ValueError, match="in Europe/London and in UTC alike: give the rows their time zone"):
        next_dates(winter, 60, "XLON")
    with pytest.raises(ValueError, match="needs daily or intraday rows"):
        next_dates(pd.date_range("2020", periods=40, freq="ME"), 2, "XNYS")


def test_numbers_continue_at_their_distance():
    assert next_dates(pd.Index([1930, 1940]), 2)[0].tolist() == [1950, 1960]
    assert next_dates(pd.Index([1, 2, 3, 7, 8]), 2)[0].tolist() == [9, 10]
    assert next_dates(pd.DatetimeIndex(["1930", "1940"]), 1)[0].tolist() == [pd.Timestamp("1950")]
