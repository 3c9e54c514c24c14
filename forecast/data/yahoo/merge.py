"""Merge cached bars with bars fetched again, so that no bar is lost and no change of scale is hidden.

A bar that was fetched again replaces the cached one. All other cached bars stay. Where the newer bars have another
scale (a split divides all earlier prices), the older ones are multiplied by the factor that common bars show. Where
common bars show no such factor, or there are none, the older bars stay as they are and a note describes the seam.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.panel import format_date
from forecast.data.yahoo.chart import COLUMNS, EVENTS, GAINS, PRICES, History

TOLERANCE = 1e-6  # relative; Yahoo stores prices in single precision
SAME_FACTOR = 1e-4  # relative difference of factors that are equal apart from rounding
COMMON_ROWS = 5  # nearest common bars that show the scale of a cached bar
MIN_AGREEING = 3  # common bars that must show the same factor, where no split explains it
MONEY = (*PRICES, "Dividends", GAINS)  # columns that a change of scale multiplies


def first_difference(cached: pd.DataFrame, fresh: pd.DataFrame) -> str | None:
    """Describe the first difference between cached bars and the same bars fetched again; None if there is none.

    Bars that only the cache has are no difference: they stay.
    """
    fresh = fresh[(fresh.index >= cached.index[0]) & (fresh.index <= cached.index[-1])]
    added = fresh.index.difference(cached.index)
    if len(added):
        return f"{format_date(added[0])} was added"
    cached = cached.loc[fresh.index]
    for name in (*PRICES, *EVENTS, GAINS):
        old, new = (table[name].to_numpy() if name in table else np.zeros(len(fresh)) for table in (cached, fresh))
        differs = ~np.isclose(old, new, rtol=TOLERANCE, atol=0, equal_nan=True)
        if differs.any():
            row = int(differs.argmax())
            return f"{name} of {format_date(cached.index[row])} was {old[row]:.6g} and is {new[row]:.6g}"
    return None


def merge(cached: History, fresh: History) -> History:
    """Return the bars of both histories, in the scale of the newer one, with the facts of the newer one.

    `facts["seams"]` maps dates to sentences about cached bars that stay next to newer ones; seams among the bars that
    were fetched again are gone.
    """
    old, new = cached.table, fresh.table
    only_old = old.index.difference(new.index[new["Close"].notna()])
    seams = {date: note for date, note in cached.facts.get("seams", {}).items() if pd.Timestamp(date) <= new.index[0]}
    if len(only_old):
        scaled, more = _rescale(old.loc[only_old], old, new)
        table = new.combine_first(scaled)
        seams |= more
    else:
        table = new
    covers_all = new.index[0] <= old.index[0]
    notes = [] if covers_all else [note for note in cached.facts["notes"] if "unfinished" not in note]
    currencies = cached.facts.get("dividend_currencies", {})
    facts = fresh.facts | {
        "start": _earlier(cached.facts["start"], fresh.facts["start"]),
        "through": max(cached.facts["through"], fresh.facts["through"]),
        "notes": list(dict.fromkeys([*notes, *fresh.facts["notes"]])),
        "seams": seams,
        "dividend_currencies": {date: name for date, name in currencies.items() if pd.Timestamp(date) not in new.index}
        | fresh.facts["dividend_currencies"],
    }
    table = table[[name for name in (*COLUMNS, GAINS) if name in table]].rename_axis(index=new.index.name)
    return History(table.fillna(dict.fromkeys((*EVENTS, GAINS), 0.0)), facts)


def _earlier(cached: str | None, fresh: str | None) -> str | None:
    """Return the earlier of two first dates; None is the listing."""
    return None if cached is None or fresh is None else min(cached, fresh)


def _rescale(rows: pd.DataFrame, old: pd.DataFrame, new: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return cached rows that were not fetched again in the scale of the newer bars, and a note for each seam."""
    common = old.index[old["Close"].notna() & (old["Close"] != 0)].intersection(new.index[new["Close"].notna()])
    places = common.searchsorted(rows.index)  # rows between the same common bars have the same place
    parts, seams = [], {}
    for place in np.unique(places):
        part = rows[places == place]
        first = max(0, min(place - COMMON_ROWS // 2, len(common) - COMMON_ROWS))
        near = common[first : first + COMMON_ROWS]
        factor, reason = _factor(part, old.loc[near], new.loc[near], new)
        if factor != 1:
            part = part.assign(**{name: part[name] * factor for name in MONEY if name in part})
            part["Volume"] *= _volume_factor(old.loc[near], new.loc[near], factor)
        parts.append(part)
        is_older = part.index[-1] < new.index[0]
        at = new.index[0] if is_older else part.index[0]
        if not is_older and factor == 1 and not reason:
            days = "1 bar is" if len(part) == 1 else f"{len(part)} bars are"
            reason = f"{days} cached that Yahoo no longer has, from {format_date(part.index[0])}"
        if reason:
            seams[at.isoformat()] = reason
    return pd.concat(parts), seams


def _factor(part: pd.DataFrame, old: pd.DataFrame, new: pd.DataFrame, fresh: pd.DataFrame) -> tuple[float, str]:
    """Return the factor from cached rows to the scale of the newer bars, and a note ("" if there is nothing to note).

    `old` and `new` are the same nearest bars, cached and fetched again.
    """
    since, until = format_date(part.index[0]), format_date(part.index[-1])
    splits = fresh.loc[fresh.index > part.index[-1], "Stock Splits"].replace(0.0, np.nan).dropna()
    split = float(1 / splits.prod())
    if len(old) == 0:
        gap = f"there are no bars between {until} and {format_date(fresh.index[0])}, as they were not fetched in time"
        if part.index[-1] > fresh.index[0]:
            gap = f"the bars from {since} to {until} have other times than those that Yahoo has now"
        last, first = part["Close"].iloc[-1], fresh["Close"].dropna().iloc[0]
        is_split = split != 1 and min(last, first) > 0 and abs(np.log(first / last / split)) < abs(np.log(first / last))
        if not is_split:
            return 1.0, f"{gap}; a split in between would not be seen"
        return split, f"{gap}; the bars before were multiplied by {split:g} for a split, which no common bar confirms"
    ratios = (new["Close"] / old["Close"]).to_numpy()
    factor = float(np.median(ratios))
    agreeing = int((np.abs(ratios / factor - 1) < SAME_FACTOR).sum()) if factor > 0 else 0
    is_shown = 2 * agreeing > len(ratios)
    if is_shown and abs(factor - 1) < SAME_FACTOR:
        return 1.0, ""
    if is_shown and (agreeing >= MIN_AGREEING or abs(factor / split - 1) < SAME_FACTOR):
        return factor, f"the bars from {since} to {until} were multiplied by {factor:g}, as Yahoo's newer bars were"
    return 1.0, (
        f"the bars from {since} to {until} may be on another scale than the newer ones: Yahoo has changed those and no "
        "longer has these, and their common bars show no single factor"
    )


def _volume_factor(old: pd.DataFrame, new: pd.DataFrame, factor: float) -> float:
    """Return the factor of the volumes: the inverse of the prices', or 1 where volumes were not changed."""
    ratio = (new["Volume"] / old["Volume"].where(old["Volume"] > 0)).median()
    is_unchanged = ratio > 0 and factor > 0 and abs(np.log(ratio)) < abs(np.log(ratio * factor))
    return 1.0 if is_unchanged else 1 / factor
