"""The usual distance of two rows: nights, weekends, holidays and missing rows do not change it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.data.spacing import describe_distance, distances_differ, usual_distance

START = "2024-01-01"
BUSINESS_DAYS = pd.bdate_range(START, periods=300)


def _session(freq, first="09:30", last="15:59"):
    """Return the bars of New York's trading days."""
    days = [pd.date_range(f"{day:%Y-%m-%d} {first}", f"{day:%Y-%m-%d} {last}", freq=freq) for day in BUSINESS_DAYS[:40]]
    return pd.DatetimeIndex(np.concatenate(days))


def _thinned(index, share):
    return index[np.random.default_rng(0).random(len(index)) >= share]


KINDS = {
    "1-minute": [_session("1min"), _thinned(_session("1min"), 0.3)],
    "5-minute": [_session("5min"), pd.date_range(START, periods=400, freq="5min")],
    "30-minute": [_session("30min")],
    "hourly": [_session("1h"), pd.date_range(START, periods=99, freq="1h", tz="Europe/Berlin")],
    "4-hour": [_session("4h", "09:00"), pd.date_range(START, periods=99, freq="4h")],
    "daily": [
        BUSINESS_DAYS,
        BUSINESS_DAYS.tz_localize("America/New_York"),
        _thinned(BUSINESS_DAYS, 0.4),
        BUSINESS_DAYS[:5],
        pd.date_range(START, periods=30),
        pd.DatetimeIndex(["2024-12-23", "2024-12-24", "2024-12-27", "2024-12-30", "2024-12-31", "2025-01-02"]),
        BUSINESS_DAYS + pd.Timedelta(hours=16),
        BUSINESS_DAYS.as_unit("s"),
    ],
    "weekly": [
        pd.date_range(START, periods=50, freq="W-FRI"),
        _thinned(pd.date_range(START, periods=90, freq="W"), 0.3),
    ],
    "monthly": [
        pd.date_range(START, periods=24, freq="MS"),
        pd.date_range(START, periods=24, freq=pd.offsets.BMonthEnd()),
        pd.date_range(START, periods=24, freq="MS") + pd.Timedelta(days=14),
    ],
    "quarterly": [pd.date_range(START, periods=12, freq="QS")],
    "yearly": [pd.date_range("1950", periods=70, freq="YS")],
}
UNKNOWN = [
    pd.RangeIndex(50),
    pd.Index([1930, 1940, 1950, 1960, 1970, 1980]),
    BUSINESS_DAYS[:4],  # a weekend may be the usual distance
    pd.DatetimeIndex(pd.Timestamp(START) + pd.to_timedelta(np.random.default_rng(0).exponential(5, 99).cumsum(), "D")),
]


@pytest.mark.parametrize("name", KINDS)
def test_rows_of_a_kind_have_its_distance(name):
    assert [describe_distance(usual_distance(index)) for index in KINDS[name]] == [name] * len(KINDS[name])


@pytest.mark.parametrize("index", UNKNOWN, ids=lambda index: str(index[:3]))
def test_rows_without_a_usual_distance(index):
    assert usual_distance(index) is None


def test_kinds_differ_from_one_another_and_not_from_themselves():
    for name, members in KINDS.items():
        for other, others in KINDS.items():
            for one in members:
                differ = [distances_differ(usual_distance(one), usual_distance(index)) for index in [*others, *UNKNOWN]]
                assert differ == [name != other] * len(others) + [False] * len(UNKNOWN)
