"""Adjustment of prices for dividends: one formula, applied when prices are read and never stored."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecast.data.panel import format_date
from forecast.data.yahoo.chart import GAINS, PRICES

#: Currencies of quotes that are a fraction of another currency: pence, cents, agorot, fils.
FRACTIONS = {"GBp": ("GBP", 100), "GBX": ("GBP", 100), "ZAc": ("ZAR", 100), "ILA": ("ILS", 100), "KWF": ("KWD", 1000)}
MAX_CONVERTED = 0.25  # a converted dividend above this share of the price is more likely one whose currency is wrong
MIN_YIELD = 0.0005  # if no dividend in pence reaches this share of the price, they may all be in pounds
RECENT_ROWS = 60  # rows before a distribution that show the usual change of the price
CLEAR = 2  # usual changes by which one reading of a distribution must fit the price better than the other


def adjust_for_dividends(table: pd.DataFrame) -> pd.DataFrame:
    """Return one ticker's prices with the dividends included, so that a change is the holder's return.

    Prices before an ex-date are multiplied by 1 − D / C, with D the dividend and C the last close before it: the method
    of the Center for Research in Security Prices, and of Yahoo's adjusted close. Splits need no factor, as Yahoo's
    prices and dividends are already adjusted for them. The last row is never changed, so no later dividend is in an old
    price; Yahoo's own adjusted close differs by one factor where dividends were paid after the last row.

    `table` has Open, High, Low, Close and Dividends, in the currency of the prices (see `convert_dividends`), and for
    funds perhaps Capital Gains, which count as dividends; other columns such as Volume are returned unchanged.
    `attrs["notes"]` has a sentence where Yahoo's dividends contain the capital gains of the same day already. Raises
    ValueError for a dividend that is negative or not below the close before it.
    """
    previous_close = _previous_close(table)
    paid, notes = _distributions(table, previous_close)
    has_factor = (paid != 0) & ~np.isnan(previous_close)
    factors = np.where(has_factor, 1 - paid / previous_close, 1.0)  # (T,)
    invalid = np.flatnonzero(~((factors > 0) & (factors <= 1)))
    if len(invalid):
        row = invalid[0]
        raise ValueError(
            f"its dividend of {paid[row]:g} on {format_date(table.index[row])} does not fit the close of "
            f"{previous_close[row]:g} before it, perhaps because it is in another currency; use adjust='none' "
            "for prices without dividends"
        )
    later = np.append(np.cumprod(factors[::-1])[::-1][1:], 1.0)  # product of the factors after each row
    adjusted = table.assign(**{name: table[name] * later for name in PRICES if name in table})
    adjusted.attrs["notes"] = [*table.attrs.get("notes", []), *notes]
    return adjusted


def convert_dividends(table: pd.DataFrame, currency: str | None, other: Mapping[str, str]) -> pd.DataFrame:
    """Return one ticker's prices with all dividends in the currency of the prices.

    `other` maps the dates of dividends in another currency than `currency` to that currency. Pence and pounds, cents
    and rand, agorot and shekels, fils and dinars are converted exactly, with a sentence in `attrs["notes"]`. Raises
    ValueError for any other currency, as its exchange rate is not known.
    """
    dividends = table["Dividends"].copy()
    previous_close = pd.Series(_previous_close(table), table.index)
    converted: dict[str, float] = {}
    for label, name in other.items():
        date = pd.Timestamp(label)
        if date not in table.index or dividends[date] == 0 or np.isnan(previous_close[date]):
            continue  # no price is adjusted for it
        rate = _rate(name, currency)
        amount = dividends[date] * (rate or 0.0)
        if rate is None or (rate != 1 and amount > MAX_CONVERTED * previous_close[date]):
            problem = "no exchange rate is given" if rate is None else f"{amount:g} is too much for a dividend"
            raise ValueError(
                f"its dividend of {dividends[date]:g} {name} on {format_date(date)} is in another currency than its "
                f"price of {previous_close[date]:g} {currency}, and {problem}; use adjust='none' for "
                "prices without dividends"
            )
        dividends[date] = amount
        converted[name] = rate
    result = table.assign(Dividends=dividends)
    result.attrs["notes"] = [
        f"dividends in {name} were multiplied by {rate:g}, as the prices are in {currency}"
        for name, rate in converted.items()
        if rate != 1
    ]
    yields = (dividends / previous_close)[(dividends > 0).to_numpy() & previous_close.notna().to_numpy()]
    if currency in FRACTIONS and len(yields) and yields.max() < MIN_YIELD:
        result.attrs["notes"].append(
            f"its dividends are at most {yields.max():.3%} of the price: they may be in {FRACTIONS[currency][0]}, "
            f"although the prices are in {currency}, and would then be too small"
        )
    return result


def _rate(paid: str, quoted: str | None) -> float | None:
    """Return the factor from one currency to another of the same money; None for different ones."""
    money, per_paid = FRACTIONS.get(paid, (paid, 1))
    quoted_money, per_quoted = FRACTIONS.get(quoted or "", (quoted, 1))
    return per_quoted / per_paid if money == quoted_money else None


def _previous_close(table: pd.DataFrame) -> np.ndarray:
    """Return the last close before each row, (T,)."""
    return table["Close"].ffill().shift(1).to_numpy()


def _distributions(table: pd.DataFrame, previous_close: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return the sum of dividends and capital gains of each row (T,), and notes.

    Yahoo adds the capital gains to the dividend of the same day for some funds and not for others. Where a dividend
    is large enough to contain them, the change of the price on that day decides; where it does not show a
    difference, they count as contained.
    """
    dividends = table["Dividends"].to_numpy()
    if GAINS not in table:
        return dividends, []
    gains = table[GAINS].fillna(0.0).to_numpy()
    paid = dividends + gains
    days: dict[str, list[str]] = {}
    for row in np.flatnonzero((gains > 0) & (dividends >= gains) & ~np.isnan(previous_close)):
        reading = _reading(table["Close"].to_numpy(), previous_close, int(row), dividends[row], gains[row])
        days.setdefault(reading, []).append(format_date(table.index[row]))
        if reading != "are paid in addition to":
            paid[row] = dividends[row]
    return paid, [
        f"its capital gains of {', '.join(dates)} {reading} the dividends of the same days, by the change of the price"
        for reading, dates in days.items()
    ]


def _reading(close: np.ndarray, previous_close: np.ndarray, row: int, dividend: float, gain: float) -> str:
    """Return whether a dividend contains the capital gain of the same day, from prices up to that day."""
    before = previous_close[max(0, row - RECENT_ROWS) : row + 1]
    usual = np.median(np.abs(np.diff(before[~np.isnan(before)]))) if np.isfinite(before).sum() > 1 else np.nan
    fall = previous_close[row] - close[row]
    better = abs(fall - dividend) - abs(fall - dividend - gain)  # above 0: the sum of both fits better
    if not abs(better) > CLEAR * usual:
        return "are taken as part of (it is not certain)"
    return "are paid in addition to" if better > 0 else "are part of"
