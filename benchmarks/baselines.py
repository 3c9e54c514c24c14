"""Accuracy and speed of the baselines: ARIMA against statsmodels, and models of volatility.

python benchmarks/baselines.py roll windows           # no further data
python benchmarks/baselines.py volatility --data DIR  # DIR holds realized_variance/
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.tsa.arima.model import ARIMA as StatsmodelsARIMA

import forecast as fc
from forecast.models.arima.intervals import NORMAL

ORIGINS, HORIZON = 1000, 5


def closes(name: str = "sp500") -> np.ndarray:
    """Return adjusted closes from the arch package, (T,)."""
    return import_module(f"arch.data.{name}").load()["Adj Close"].to_numpy()


def returns() -> np.ndarray:
    """Return log returns of the S&P 500 × 100, 5,030 rows."""
    return 100 * np.diff(np.log(closes()))


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds of a call, and its result."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def roll(_: argparse.Namespace) -> list[dict[str, object]]:
    """1,000 origins, five steps, parameters frozen: one pass, and statsmodels' append and forecast at each."""
    table = []
    for order, season, y in [
        ((2, 0, 2), None, returns()),
        ((1, 1, 1), None, np.log(closes())),
        ((1, 0, 1), (1, 0, 0, 5), returns()),
    ]:
        first = len(y) - ORIGINS - HORIZON
        model = fc.ARIMA(order, season, log=False).fit(y[:first], HORIZON)
        rows = np.arange(first - 1, first - 1 + ORIGINS)
        fit = replace(model.fits_["y"][0], spread=NORMAL)  # as in statsmodels, one variance for all rows
        model.fits_ = {"y": [fit]}
        forecast = model.predict_at(y, rows)
        ours = median(timed(partial(model.predict_at, y, rows))[0] for _ in range(5))
        direct = StatsmodelsARIMA(y[:first], order=order, seasonal_order=season or (0, 0, 0, 0), trend=fit.order.trend)
        result = direct.filter(np.concatenate([fit.beta, fit.coefs, [fit.variance]]))
        points, variances = np.zeros((2, ORIGINS, HORIZON))
        start = time.perf_counter()
        for k in range(ORIGINS):
            result = result.append(y[first + k - 1 : first + k], refit=False) if k else result
            forecasts = result.get_forecast(HORIZON)
            points[k], variances[k] = forecasts.predicted_mean, forecasts.var_pred_mean
        loop = time.perf_counter() - start
        width = (forecast.quantiles[:, 0, :, 2] - forecast.point[:, 0]) / 1.2815515655446004
        table.append(
            {
                "model": f"{order}{season or ''}",
                "loop s": f"{loop:.1f}",
                "one pass s": f"{ours:.4f}",
                "times as fast": f"{loop / ours:.0f}",
                "points differ by": f"{np.abs(forecast.point[:, 0] / points - 1).max():.0e}",
                "variances": f"{np.abs(width**2 / variances - 1).max():.0e}",
            }
        )
    return table


def windows(_: argparse.Namespace) -> list[dict[str, object]]:
    """ARIMA(1, 1, 1) and (2, 1, 2) on 16 windows of 1,000 log prices: log-likelihood above that of three others."""
    table = []
    for order in ((1, 1, 1), (2, 1, 2)):
        above: dict[str, list[float]] = {"the random walk": [], "statsmodels, concentrated": [], "prices × 100": []}
        seconds = []
        for name in ("sp500", "nasdaq"):
            prices = closes(name)
            for start in np.linspace(0, len(prices) - 1000, 8).astype(int):
                y = prices[start : start + 1000]
                elapsed, model = timed(partial(fc.ARIMA(order).fit, y, 1))
                ours = model.record_["loglike"]["y"]
                seconds.append(elapsed)
                logs = np.log(y) - np.log(y[0])
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    direct = StatsmodelsARIMA(logs, order=order, concentrate_scale=True).fit().llf
                others = [fc.ARIMA(o).fit(v, 1).record_["loglike"]["y"] for o, v in (((0, 1, 0), y), (order, y * 100))]
                for row, value in zip(above.values(), (others[0], direct, others[1]), strict=True):
                    row.append(ours - value)
        spread = {name: f"{min(values):.3f} to {max(values):.3f}" for name, values in above.items()}
        lower = sum(value > 0.1 for value in above["statsmodels, concentrated"])
        more = {"statsmodels lower by > .1": f"{lower} of {len(seconds)}", "fit s, median": f"{median(seconds):.3f}"}
        table.append({"order": order} | spread | more)
    return table


def volatility(options: argparse.Namespace) -> list[dict[str, object]]:
    """SPY's realised variance (RV5), one step, rolling 1,000 rows, refitted at each of the last 490 cutoffs."""
    path = Path(options.data) / "realized_variance" / "SPYRM.csv.gz"
    frame = pd.read_csv(path, index_col="date", parse_dates=["date"])[["RV5"]] * 1e4  # in squared percent
    cv = fc.WalkForward(horizon=1, n_windows=490, step_size=1, train_size=1000)
    models = {
        "HAR": fc.HAR(),
        "HAR of logs": fc.HAR(log=True),
        "GARCH": fc.GARCH(),
        "EWMA": fc.EWMA(),
        "ETS": fc.ETS(),
        "ARIMA (1, 0, 1)": fc.ARIMA((1, 0, 1)),
        "auto-ARIMA": fc.ARIMA("auto"),
        "mean of 22": fc.WindowMean(22),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = fc.backtest(models, frame, cv, refit=1, n_jobs=2)
    y = frame["RV5"].to_numpy()
    worst = 0.0
    for row in result.forecasts.query("model == 'HAR'").itertuples():
        last = frame.index.get_loc(row.cutoff)
        worst = max(worst, abs(row.y_hat / _har_by_hand(y[last - 999 : last + 1]) - 1))
    print(f"HAR and an explicit loop of least squares differ by {worst:.0e} at most.\n")
    scores = result.scores().set_index("model")
    naive = scores.loc["naive"]
    seconds = result.fits.groupby("model")["seconds_fit"].sum()
    return [
        {
            "model": name,
            "RMSE / naive's": f"{row['rmse'] / naive['rmse']:.3f}",
            "QLIKE": f"{row['qlike']:.4f}",
            "interval coverage": f"{row['coverage']:.3f}",
            "ms a fit": f"{1000 * seconds[name] / 490:.0f}",
        }
        for name, row in scores.sort_values("qlike").iterrows()
    ]


def _har_by_hand(y: np.ndarray) -> float:
    """Fit HAR to these rows by least squares, written out; return its one-step forecast from the last row."""
    x = np.array([[1.0, y[t], y[t - 4 : t + 1].mean(), y[t - 21 : t + 1].mean()] for t in range(21, len(y))])
    return float(x[-1] @ np.linalg.lstsq(x[:-1], y[22:], rcond=None)[0])


def main() -> None:
    """Print the requested tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {f.__name__: f for f in (roll, windows, volatility)}
    parser.add_argument("parts", nargs="+", choices=parts)
    parser.add_argument("--data", help="the folder that holds realized_variance/")
    options = parser.parse_args()
    for name in options.parts:
        table = parts[name](options)
        print(parts[name].__doc__, pd.DataFrame(table).to_string(index=False), sep="\n", end="\n\n")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
