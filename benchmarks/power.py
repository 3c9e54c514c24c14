"""Day-ahead prices of Nord Pool with the known forecasts of load and wind: 24 hours from midnight.

python benchmarks/power.py --data DIR                   # DIR/epf/NP.csv.gz, hourly from 2013 to 2018
python benchmarks/power.py two_years --data DIR         # the last two years, about ten minutes
python benchmarks/power.py daily --data DIR             # the same with a short refit every day: a quarter of an hour

The file is the benchmark of Lago et al. (2021), Forecasting day-ahead electricity prices, Applied Energy 293. It is not
a part of this project.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd
from tables import print_tables

import forecast as fc
from forecast.models.ridge import SummedRidge

KNOWN = ("Grid load forecast", "Wind power forecast")
DAY, YEAR = 24, 365 * 24
Table = list[dict[str, object]]


def network(hidden: int, steps: int, **params: object) -> fc.Forecaster:
    """Return an LSTM that corrects the prices of the day before, trained on forecasts from midnight."""
    trainer = fc.Trainer(steps=steps, batch_size=64, lr=3e-3)
    options = {"base": fc.SeasonalNaive(DAY), "season": DAY, "lookback": 2 * DAY, "skip": DAY, "stride": DAY}
    return fc.Recurrent(
        "lstm", "many-to-one", hidden=hidden, calendar=True, log=False, trainer=trainer, **options | params
    )


def ridge() -> fc.Forecaster:
    """Return a ridge regression of each hour, on all rows."""
    return fc.Tabular(SummedRidge(100.0), lookback=DAY, season=DAY, future=KNOWN, log=False)


def prices(options: argparse.Namespace, days: int, years: int | None) -> pd.DataFrame:
    """Return the last days and the years before them, all rows if None."""
    table = pd.read_csv(options.data / "epf" / "NP.csv.gz", skipinitialspace=True, index_col=0, parse_dates=True)
    return table if years is None else table.iloc[-DAY * days - YEAR * years :]


def run(models: dict[str, fc.Forecaster], table: pd.DataFrame, days: int, refit: int, warm: bool = False) -> Table:
    """Return the mean absolute errors of models from the last midnights, and of the mean of two of them."""
    panel = fc.as_panel(table, target="Price", future=KNOWN)
    cv = fc.WalkForward(horizon=DAY, n_windows=days, step_size=DAY)
    result = fc.backtest(models, panel, cv, refit=refit, warm=warm, season=DAY)
    forecasts = result.forecasts.query("member == 0")
    points = forecasts.pivot(index=["cutoff", "step"], columns="model", values="y_hat")
    truth = forecasts.query("model == 'naive'").set_index(["cutoff", "step"])["y"].reindex(points.index)
    if "ridge" in models:
        points["lstm + ridge"] = points[["lstm", "ridge"]].mean(axis=1)
    seconds = result.fits.groupby("model")["seconds_fit"].sum()
    return [
        {"model": name, "MAE": f"{(points[name] - truth).abs().mean():.3f}", "s to fit": round(seconds.get(name, 0), 1)}
        for name in points.columns
        if name != "naive"
    ]


def quarter(options: argparse.Namespace) -> Table:
    """Nord Pool, mean absolute error over the last 90 days, one fit before them on one, two and four years."""
    rows: Table = []
    for years in (1, 2, 4):
        models = {"lstm": network(4, 600, future=KNOWN), "ridge": ridge()}
        if years == 1:
            models["lstm without load and wind"] = network(4, 600, scale="fixed")
        rows += [{"years": years, **row} for row in run(models, prices(options, 90, years), 90, 90)]
    return rows


def two_years(options: argparse.Namespace) -> Table:
    """Nord Pool, the last two years (728 days), refits every 28 days on all rows before."""
    models = {"lstm": network(8, 1000, future=KNOWN), "ridge": ridge()}
    return run(models, prices(options, 728, None), 728, 28)


def daily(options: argparse.Namespace) -> Table:
    """Nord Pool, the last two years (728 days), the LSTM refitted every day from its previous weights, 20 steps."""
    model = network(8, 1000, future=KNOWN)
    return run({"lstm": model.set_params(trainer__warm_steps=20)}, prices(options, 728, None), 728, 1, warm=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with epf/NP.csv.gz")
    print_tables(parser, [quarter, two_years, daily], ["quarter"])
