"""Columns of what the dates of rows are: days of the week, hours, seasons and public holidays, known of any row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.calendar import is_daily
from forecast.data.frames import read_index

WEEK = pd.Timedelta(days=7)
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def calendar_columns(index: pd.Index | Sequence[object] | np.ndarray, holidays: str | None = None) -> pd.DataFrame:
    """Return columns of what each date is, which are known of past and future rows alike.

    They are meant to be joined to a price table that goes on past the last price, and named in `future`: each of them,
    or those that matter. A value depends on the date of its row only.

    Parameters
    ----------
    index : pandas.DatetimeIndex or dates
        The dates of the rows, those after the last price included.
    holidays : str, optional
        A country ("NO"), a part of one ("DE-BY") or a stock exchange ("XNYS"), by its code in the package holidays,
        which needs `pip install 'forecast[holidays]'`.

    Returns
    -------
    DataFrame
        On these dates, float64: `tuesday` … `sunday`, 1 on this day of the week (all are 0 on a Monday), if rows
        are less than a week apart; `hour_sin` and `hour_cos`, the time of day as a point on a circle, if a row has a
        time of day; `year_sin` and `year_cos`, the month and day in the same way; and `holiday`, 1 on public holidays,
        if `holidays` is given. Days are those of the time zone of the dates.

    Raises
    ------
    ValueError
        If the rows are numbers, a date cannot be read, the package is not installed, or it has no such country.

    Examples
    --------
    >>> days = pd.date_range("2024-05-16", periods=3)
    >>> fc.calendar_columns(days, holidays="NO")[["friday", "saturday", "holiday"]].to_numpy().tolist()
    [[0.0, 0.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    if isinstance(index, (pd.DataFrame, pd.Series)):
        raise TypeError(f"index must be the dates of rows, such as table.index; got {type(index)}")
    dates = read_index(pd.Index(index))[0]
    if not isinstance(dates, pd.DatetimeIndex):
        raise ValueError(f"columns of a calendar need dates, and the rows are numbers such as {dates[0]!r}")
    columns: dict[str, Any] = {}
    if len(dates) < 2 or (dates[1:] - dates[:-1]).median() < WEEK:
        columns = {name: dates.day_of_week == day for day, name in enumerate(DAYS) if day > 0}
    if not is_daily(dates):
        hour = dates.hour + dates.minute / 60 + dates.second / 3600
        columns |= _on_circle("hour", hour / 24)
    columns |= _on_circle("year", (dates.month - 1 + (dates.day - 1) / dates.days_in_month) / 12)
    if holidays is not None:
        columns["holiday"] = np.isin(dates.date, _days_off(holidays, dates))
    return pd.DataFrame({name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}, index=dates)


def _on_circle(name: str, share: pd.Index) -> dict[str, np.ndarray]:
    """Return the sine and cosine of a share of a day or year."""
    angle = 2 * np.pi * np.asarray(share, dtype=np.float64)
    return {f"{name}_sin": np.sin(angle), f"{name}_cos": np.cos(angle)}


def _days_off(code: str, dates: pd.DatetimeIndex) -> list[Any]:
    """Return the public holidays of a country or an exchange in the years of some dates."""
    try:
        import holidays
    except ImportError:
        raise ValueError("public holidays need the package holidays: pip install 'forecast[holidays]'") from None
    countries = holidays.list_supported_countries()
    exchanges = holidays.list_supported_financial()
    years = range(int(dates.year.min()), int(dates.year.max()) + 1) if len(dates) else ()
    country, _, part = code.partition("-")
    if country in countries and (not part or part in countries[country]):
        return list(holidays.country_holidays(country, subdiv=part or None, years=years))
    if code in exchanges:
        return list(holidays.financial_holidays(code, years=years))
    if country in countries:
        raise ValueError(
            f"{country} has no part {part!r}; its parts are {', '.join(countries[country]) or 'not listed'}"
        )
    raise ValueError(
        f"the package holidays has none of {code!r}: give a country such as 'NO', a part of one such as 'DE-BY', or an "
        "exchange such as 'XNYS'"
    )
