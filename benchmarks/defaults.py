"""Plain `lstm`, `gru` and `rnn`, without any settings: short series, many series, seasons, and prices.

python benchmarks/defaults.py prices                            # needs no data
python benchmarks/defaults.py m1                                # needs the series of competitions.py
python benchmarks/defaults.py weekly hourly --data DIR          # DIR has m4/

A part or a competition is one panel with dates, and one fit, with what the network chooses from the training rows.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from competitions import NAIVE2, Row, naive2_forecasts, peer_forecasts, read_series, score, summarise
from tables import print_tables

import forecast as fc
from forecast.evaluation.metrics import seasonal_scale, smape

MODELS = ("lstm", "gru", "rnn", "lstm-many-to-one")
M1 = {"M1 yearly": "YS", "M1 quarterly": "QS", "M1 monthly": "MS"}  # with the frequency of their dates
SAMPLES, REPEATS = ("sp500", "nasdaq"), 3
Table = list[dict[str, object]]


def panel_of(series: list[np.ndarray], freq: str) -> pd.DataFrame:
    """Return series of different length as one table with dates, in which all end at the last row."""
    rows = max(map(len, series))
    values = np.stack([np.pad(y, (rows - len(y), 0), constant_values=np.nan) for y in series], axis=1)
    index = pd.date_range("1900-01-01", periods=rows, freq=freq)
    return pd.DataFrame(values, index=index, columns=[f"s{n}" for n in range(len(series))])


def choices(model: fc.Forecaster) -> str:
    """Return what a network has chosen."""
    chosen = model.record_["choices"]
    return f"{chosen['base']}, lookback {chosen['lookback']}"


def m1(options: argparse.Namespace) -> Table:
    """M1: each part as one panel. Ratios to Naive2's, and coverage of the 80 % interval."""
    table = []
    for part, freq in M1.items():
        series = [row for row in read_series(None) if row["part"] == part]
        frame, horizon = panel_of([np.array(row["train"]) for row in series], freq), len(series[0]["test"])
        scores = [score(NAIVE2, series, naive2_forecasts(series))]
        scores.append(score("AutoETS", series, peer_forecasts("AutoETS", series)))
        chosen = {"AutoETS": "each series on its own"}
        for name in options.models:
            start = time.process_time()
            model = fc.make_model(name).fit(frame, horizon)
            forecast = model.predict(frame)
            seconds = time.process_time() - start
            scores.append(score(name, series, _rows(forecast, seconds / len(series))))
            chosen[name] = f"{choices(model)}, shrinkage {model.shrinkage_[0]:.2f}"
        summary = summarise(pd.concat(scores, ignore_index=True)).loc[part].drop(NAIVE2)
        for name, row in summary.iterrows():
            figures = {column: f"{row[column]:.3f}" for column in ("smape", "mase", "mean", "coverage")}
            table.append(
                {"part": part, "model": name} | figures | {"s": f"{row['seconds']:.0f}", "chosen": chosen[name]}
            )
    return table


def _rows(forecast: fc.Forecast, seconds: float) -> list[Row]:
    """Return a row for each series, as the measures of the competitions read them."""
    low, _, high = np.moveaxis(forecast.quantiles[0], -1, 0)
    points = zip(forecast.point[0], low, high, strict=True)
    return [{"point": point, "low": a, "high": b, "seconds": seconds} for point, a, b in points]


def _m4(options: argparse.Namespace, frequency: str, freq: str, horizon: int, m: int) -> Table:
    values = fc.as_panel(fc.read_prices(options.data / "m4" / f"{frequency}-train.csv.gz")).target
    series = [column[: np.flatnonzero(~np.isnan(column))[-1] + 1] for column in values.T]
    series = [column[np.flatnonzero(~np.isnan(column))[0] :] for column in series]
    frame = panel_of([y[:-horizon] for y in series], freq)
    truth = np.stack([y[-horizon:] for y in series])
    reference = fc.Naive() if m == 1 else fc.SeasonalNaive(m)
    table, first = [], None
    for name, model in {"reference": reference, **{name: fc.make_model(name) for name in options.models}}.items():
        start = time.process_time()
        forecast = model.fit(frame, horizon).predict(frame)
        point, quantiles = forecast.point[0], forecast.quantiles[0]
        coverage = ((truth >= quantiles[..., 0]) & (truth <= quantiles[..., -1])).mean()
        seconds = time.process_time() - start
        measures = [
            (smape(y, p), np.abs(y - p).mean() / seasonal_scale(own[:-horizon], m))
            for y, p, own in zip(truth, point, series, strict=True)
        ]
        scores = np.mean(measures, axis=0)
        first = scores if first is None else first
        row = {"model": name, "sMAPE": f"{scores[0]:.3f}", "MASE": f"{scores[1]:.3f}"}
        row |= {"mean of both ratios": f"{(scores / first).mean():.4f}", "coverage": f"{coverage:.3f}"}
        is_network = name in options.models
        table.append(row | {"s": f"{seconds:.0f}", "chosen": choices(model) if is_network else ""})
    return table


def weekly(options: argparse.Namespace) -> Table:
    """M4 Weekly, the last 13 values of each of 359 series held back: errors, and ratios to Naive2 (naive, season 1)."""
    return _m4(options, "Weekly", "W-MON", 13, 1)


def hourly(options: argparse.Namespace) -> Table:
    """M4 Hourly, the last 48 values of each of 414 series held back: errors, and ratios to the seasonal naive of 24."""
    return _m4(options, "Hourly", "h", 48, 24)


def prices(options: argparse.Namespace) -> Table:
    """One price series: the choice, and the median seconds of three default fits and three with the values given."""
    table = []
    given = {"lookback": 60, "patch": 1, "hidden": 16, "skip": 1, "base": fc.Naive(), "season": 1}
    for sample in SAMPLES:
        values = fc.load_sample(sample)
        models = {"chosen": fc.Recurrent("lstm"), "given": fc.Recurrent("lstm", **given)}
        seconds: dict[str, list[float]] = {name: [] for name in models}
        for _ in range(REPEATS):
            for name, model in models.items():
                start = time.process_time()
                model.fit(values, 5)
                seconds[name].append(time.process_time() - start)
        first, second = (model.predict(values).quantiles.tobytes() for model in models.values())
        row = {"sample": sample, "rows": len(values), "chosen": choices(models["chosen"])}
        row |= {"same bytes": first == second}
        table.append(row | {f"{name}, fit s": f"{np.median(own):.2f}" for name, own in seconds.items()})
    return table


def main() -> None:
    """Print the requested tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of m4/")
    parser.add_argument("--models", nargs="+", default=list(MODELS), help="names of networks")
    warnings.simplefilter("ignore")
    print_tables(parser, (m1, weekly, hourly, prices), ["prices"])


if __name__ == "__main__":
    main()
