"""Forecasts and the observed prices: those of a run at its newest cutoffs, or those of models with the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from forecast._text import list_names
from forecast.data.panel import Prices, as_panel
from forecast.models.base import Forecast, quantile_columns
from forecast.models.forecast_table import dates_of_steps
from forecast.report.plots.frame import (
    FONT,
    INK,
    Style,
    choose_styles,
    label_ends,
    new_axes,
    shorten,
    styles,
    time_axis,
    times,
    write_title,
)

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult

TRUTH = "truth"
NAME = "forecast"  # of a single forecast
ROWS = 60  # of the history before the first cutoff, and at least six horizons


def truth(result: BacktestResult, series: str) -> pd.Series:
    """Return the prices of a series that a run has stored: at the cutoffs, and at the rows forecast."""
    return stored_prices(result.forecasts[result.forecasts["unique_id"] == series])


def stored_prices(rows: pd.DataFrame) -> pd.Series:
    """Return the prices in rows of one series: those at the cutoffs, and those of the rows forecast."""
    pairs = [rows[[time, value]].set_axis(["time", "y"], axis=1) for time, value in (("cutoff", "y0"), ("ds", "y"))]
    return pd.concat(pairs).drop_duplicates("time").set_index("time")["y"].sort_index()


def plot_forecasts(
    forecasts: BacktestResult | Forecast | Mapping[str, Forecast],
    prices: Prices | None = None,
    series: str | None = None,
    models: Sequence[str] | None = None,
    cutoffs: int = 5,
    ax: Axes | None = None,
) -> Axes:
    """Plot forecasts with their intervals, and the prices.

    Parameters
    ----------
    forecasts : BacktestResult, Forecast or mapping of str to Forecast
        A run, whose forecasts are drawn with the outcomes; or what models predict, by name, drawn after the history.
    prices : DataFrame, array or Panel, optional
        The prices that were forecast, with their history. A run has stored the prices that it needs.
    series : str, optional
        Series to plot; by default the first.
    models : sequence of str, optional
        Models to plot; by default the reference of a run and the best of the others, or all names of a mapping. The
        first model other than the reference is drawn with its intervals, one inside the other.
    cutoffs : int, default 5
        Number of cutoffs, the newest.
    ax : matplotlib Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError
        If the prices of a forecast are missing.
    ValueError
        If the run or the forecast has no such series or model.

    Examples
    --------
    >>> prices = fc.load_sample("stocks")
    >>> forecast = fc.Naive().fit(prices, horizon=5).predict(prices)
    >>> fc.plot_forecasts(forecast, prices, series="IBM").figure.savefig("/dev/null", format="png")
    """
    if isinstance(forecasts, (Forecast, Mapping)):
        by_name = {NAME: forecasts} if isinstance(forecasts, Forecast) else dict(forecasts)
        return _plot_predictions(by_name, prices, series, models, cutoffs, ax)
    if prices is not None:
        raise TypeError("a run has stored its prices: leave prices out, or pass the Forecast of a model")
    return _plot_run(forecasts, series, models, cutoffs, ax)


def _plot_run(
    result: BacktestResult, series: str | None, models: Sequence[str] | None, cutoffs: int, ax: Axes | None
) -> Axes:
    """Plot the forecasts of a run at its newest cutoffs, with the outcomes."""
    table = result.forecasts[result.forecasts["member"] == 0]
    series = _check_name("series", series, list(map(str, table["unique_id"].unique())))
    names = [_check_name("model", name, list(result.spec["models"])) for name in models or _reference_and_best(result)]
    rows = table[table["unique_id"] == series]
    newest = pd.Index(rows["cutoff"].unique()).sort_values()[-cutoffs:]
    rows = rows[rows["cutoff"].isin(newest)].astype({"model": str})
    with_band = next((name for name in names if name != result.reference), names[0])
    y = truth(result, series).dropna()
    return _draw(rows, y[y.index >= newest[0]], series, with_band, {name: styles(result)[name] for name in names}, ax)


def plot_next(result: BacktestResult, series: str, ax: Axes | None = None, best: str | None = None) -> Axes:
    """Plot what the models of a run forecast after the last row, and the newest prices.

    The model `best` has its intervals; by default the best of the leaderboard, other than the reference.
    """
    if result.next is None:
        raise ValueError("the run has no forecast of the rows after the last: run it with predict_next=True")
    series = _check_name("series", series, list(dict.fromkeys(result.next["unique_id"])))
    rows = result.next[(result.next["unique_id"] == series) & result.next["y_hat"].notna()]
    known = {str(name) for name in rows["model"]}
    looks = {name: style for name, style in styles(result).items() if name in known}
    best = best or _reference_and_best(result)[-1]
    with_band = best if best in known else next(iter(looks))
    y = truth(result, series).dropna()
    newest = rows[["cutoff", "y0"]].set_axis(["time", "y"], axis=1).head(1).set_index("time")["y"]
    y = pd.concat([y, newest[~newest.index.isin(y.index)]]).sort_index()
    return _draw(rows, y.iloc[-max(ROWS, 6 * result.cv.horizon) :], series, with_band, looks, ax)


def _plot_predictions(
    forecasts: Mapping[str, Forecast],
    prices: Prices | None,
    series: str | None,
    models: Sequence[str] | None,
    cutoffs: int,
    ax: Axes | None,
) -> Axes:
    """Plot what models predict after the history, and the prices of the rows that are forecast, if known."""
    if prices is None or not all(isinstance(forecast, Forecast) for forecast in forecasts.values()) or not forecasts:
        raise TypeError("a Forecast, or a mapping of names to these, is drawn after its history: pass the prices too")
    panel = as_panel(prices)
    names = [_check_name("model", name, list(forecasts)) for name in models or forecasts]
    first = forecasts[names[0]]
    series = _check_name(
        "series", series, [name for name in first.series if name in panel.series] or list(first.series)
    )
    if series not in panel.series:
        raise ValueError(f"the prices have no series {series!r}; they have {list_names(panel.series)}")
    y = pd.Series(panel.target[:, panel.series.index(series)], panel.index)
    rows = pd.concat([_table(forecasts[name], y, series, cutoffs).assign(model=name) for name in names])
    if rows["y_hat"].isna().all():
        raise ValueError(f"there is no forecast of {series}: it has no value at the cutoff, or was not fitted")
    earliest, latest = y.index.get_loc(rows["cutoff"].min()), rows["ds"].max()
    past = y.iloc[max(earliest + 1 - max(ROWS, 6 * first.point.shape[2]), 0) :]
    return _draw(rows, past[past.index <= latest].dropna(), series, names[0], choose_styles(names), ax)


def _table(forecast: Forecast, y: pd.Series, series: str, cutoffs: int) -> pd.DataFrame:
    """Return the forecasts of a series at the newest cutoffs, with their dates and the value at the cutoff."""
    table = forecast.to_frame()
    if unknown := [cutoff for cutoff in forecast.cutoffs if cutoff not in y.index]:
        raise ValueError(
            f"the prices have no row {unknown[0]}, from which the forecast starts: pass those it was made of"
        )
    if "ds" not in table:
        horizon = forecast.point.shape[2]
        dates = dates_of_steps(y.index, forecast.cutoffs, horizon)
        table["ds"] = dates[forecast.cutoffs.get_indexer(table["cutoff"]) * horizon + table["step"].to_numpy() - 1]
    table = table[(table["unique_id"] == series) & table["cutoff"].isin(forecast.cutoffs.sort_values()[-cutoffs:])]
    return table.assign(y0=y.reindex(table["cutoff"]).to_numpy())


def _draw(
    rows: pd.DataFrame, y: pd.Series, series: str, with_band: str, looks: dict[str, Style], ax: Axes | None
) -> Axes:
    """Draw the forecasts of a series model by model, and its prices."""
    ax = new_axes(ax)
    levels = quantile_columns(rows.columns)
    nested = list(zip(levels.values(), reversed(levels.values()), strict=True))[: len(levels) // 2]
    last = {}
    for name in looks:
        for _, path in rows[rows["model"] == name].sort_values("step").groupby("cutoff"):
            _draw_path(ax, path, looks[name], nested if name == with_band else [])
            last[name] = path["y_hat"].iloc[-1]
    ax.plot(times(y.index), y, color=INK, linewidth=1.3, marker=".", markersize=4, zorder=2)
    time_axis(ax, y.index)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    ends = list(levels)
    interval = f" · band: {shorten(with_band)}, {ends[0]:g} to {ends[-1]:g}" if nested else ""
    write_title(ax, shorten(series) + interval, FONT + 1)
    known = y[y.index > rows["cutoff"].max()]
    labels = last | ({TRUTH: last.get(TRUTH, y.iloc[-1])} if len(known) else {})
    # a model may have this name too
    label_ends(ax, times(rows["ds"]).max(), labels, {TRUTH: Style(INK, ".", "-")} | looks)
    return ax


def _draw_path(ax: Axes, path: pd.DataFrame, style: Style, bands: Sequence[tuple[str, str]]) -> None:
    """Draw one model's forecasts from one cutoff, starting at the last price, with its intervals."""
    when = times(pd.Index([path["cutoff"].iloc[0], *path["ds"]]))
    start = path["y0"].iloc[0]
    ax.plot(when, [start, *path["y_hat"]], color=style.colour, linestyle=style.dash, linewidth=1.6, zorder=3)
    for ends in bands:
        low, high = ([start, *path[column]] for column in ends)
        shade = 0.16 if len(bands) == 1 else 0.11
        ax.fill_between(when, low, high, color=style.colour, alpha=shade, linewidth=0, zorder=1)


def _reference_and_best(result: BacktestResult) -> list[str]:
    board, reference = result.leaderboard().dropna(subset="skill"), result.reference
    return [reference, *[name for name in board.index if name != reference][:1]]


def _check_name(kind: str, name: str | None, names: list[str]) -> str:
    """Return the name, or the first of the available names if None; raises ValueError if it is not among them."""
    if name is None:
        return names[0]
    if name not in names:
        raise ValueError(f"there is no {kind} {name!r} to plot; there are {list_names(names)}")
    return name
