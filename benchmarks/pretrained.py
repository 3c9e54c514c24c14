"""The pretrained network on series whose best forecast is known, on prices, volatilities and M4, and its speed.

python benchmarks/pretrained.py                          # truth, prices, oracle, range_variance, speed: need no data
python benchmarks/pretrained.py rv weekly hourly --data DIR           # DIR has realized_variance/ and m4/
python benchmarks/pretrained.py truth --start-from build/pretrained   # other weights

Nothing is trained but the rows `fine-tuned`: a fit finds the season and whether to work in logs. The tables of M1, M3
and Tourism are those of `competitions.py --models pretrained pretrained+theta`.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from prices import next_variance, simulate_walks, walks
from tables import print_tables

import forecast as fc
from forecast.evaluation.losses import skills

HORIZON, DRAWS, ROWS, ORIGINS = 5, 5, 3000, 300
PROCESSES = {
    "AR(1), .9": (0.9, 1),
    "AR(1), .5": (0.5, 1),
    "white noise": (0.0, 1),
    "walk": (1.0, 1),
    "seasonal": (0.7, 12),
}
Table = list[dict[str, object]]


def make(options: argparse.Namespace, **params: object) -> fc.Forecaster:
    """Return the pretrained network with the weights of the command line."""
    return fc.make_model("pretrained", start_from=options.start_from, **params)


def root(error: np.ndarray) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(error**2)))


def truth(options: argparse.Namespace) -> Table:
    """Series y = phi · y(one season before) + normal shocks, 3,000 rows: RMSE over the oracle's at each step.

    Means over five draws, last 300 origins, no logs; the seasonal series has phi .7 and a season of 12 rows.
    """
    table = []
    steps = np.arange(1, HORIZON + 1)
    for name, (phi, m) in PROCESSES.items():
        ours, best = [], []
        for seed in range(DRAWS):
            shocks = np.random.default_rng(seed).normal(size=ROWS + 500)
            y = np.zeros(len(shocks))
            for t in range(m, len(y)):
                y[t] = phi * y[t - m] + shocks[t]
            y = y[500:]
            rows = np.arange(ROWS - HORIZON - ORIGINS, ROWS - HORIZON)
            future = y[rows[:, None] + steps]
            seasons = -(-steps // m)
            oracle = phi**seasons * y[rows[:, None] + steps - m * seasons]
            model = make(options, season=m, log=False).fit(y[: rows[0] + 1], HORIZON)
            error = model.predict_at(y, rows).point[:, 0] - future
            ours.append(np.sqrt((error**2).mean(axis=0)))
            best.append(np.sqrt(((oracle - future) ** 2).mean(axis=0)))
        ratio = np.mean(ours, axis=0) / np.mean(best, axis=0)
        table.append({"process": name} | {f"step {k}": f"{r:.4f}" for k, r in zip(steps, ratio, strict=True)})
    return table


def prices(options: argparse.Namespace) -> Table:
    """Skill on points and on the spread (pinball loss), relative to naive; 200 cutoffs, of the 40 walks 40 cutoffs.

    The networks, ARIMA and GARCH are refitted at every 50th cutoff (walks: 20th).
    """
    table = []
    for name in ("stocks", "sp500", "nasdaq", "walks"):
        values = walks() if name == "walks" else fc.load_sample(name)
        cv = fc.WalkForward(HORIZON, n_windows=40 if name == "walks" else 200)
        models = {model: fc.make_model(model) for model in ("arima", "lstm", "gru", "rnn")}
        models = {"pretrained": make(options), **models}
        result = fc.backtest(models, values, cv, refit=20 if name == "walks" else 50)
        board = result.leaderboard()
        for model in ("naive", *models):
            row = board.loc[model]
            table.append(
                {"set": name, "model": model, "skill": f"{row['skill']:.2%}", "spread": f"{row['spread']:.2%}"}
                | {"coverage": f"{row['coverage']:.3f}"}
            )
    return table


def oracle(options: argparse.Namespace) -> Table:
    """The walks of `prices` forecast by their own law: skill on the spread (pinball loss), relative to naive.

    The oracle knows the drift, the parameters of the variance and the variance at each of the 40 cutoffs; its quantiles
    are those of 4,000 simulated continuations.
    """
    values, drift, variances = simulate_walks()
    cv = fc.WalkForward(HORIZON, n_windows=40)
    forecasts = fc.backtest({"pretrained": make(options)}, values, cv, refit=20).forecasts
    rng, y, rows = np.random.default_rng(1), values.to_numpy(), np.array(cv.cutoffs(values))
    h = np.repeat(variances[rows][None], 4_000, axis=0)  # (paths, K, N)
    log_change, low_high = np.zeros_like(h), []
    for _ in range(HORIZON):
        shock = np.sqrt(h) * rng.normal(size=h.shape)
        log_change, h = log_change + drift + shock, next_variance(h, shock)
        low_high.append(y[rows] * np.exp(np.quantile(log_change, (0.1, 0.5, 0.9), axis=0)))
    quantiles = np.stack(low_high, axis=2)  # (Q, K, H, N)
    own = forecasts[forecasts["model"] == "naive"].sort_values(["cutoff", "step", "unique_id"])
    own = own.assign(**{f"q{level:g}": q.ravel() for level, q in zip((0.1, 0.5, 0.9), quantiles, strict=True)})
    own = own.assign(y_hat=own["q0.5"], model="oracle")
    table = pd.concat([forecasts.astype({"model": str}), own], ignore_index=True)
    skill = skills(table, "pinball")
    return [{"model": name, "spread": f"{skill[name]:.2%}"} for name in ("naive", "pretrained", "oracle")]


def log_range() -> np.ndarray:
    """Return the log of the S&P 500's daily range variance."""
    from arch.data import sp500

    values = sp500.load()
    return np.log(np.log(values["High"] / values["Low"]) ** 2 / (4 * np.log(2))).to_numpy()


def _against_har(options: argparse.Namespace, y: np.ndarray, origins: int) -> Table:
    rows = np.arange(len(y) - origins - HORIZON, len(y) - HORIZON)
    future = y[rows[:, None] + np.arange(1, HORIZON + 1)]
    models = {"har": fc.HAR(), "pretrained": make(options, log=False)}
    errors = {
        name: root(model.fit(y[: rows[0] + 1], HORIZON).predict_at(y, rows).point[:, 0] - future)
        for name, model in models.items()
    }
    return [{"model": name, "RMSE": f"{e:.4f}", "over HAR's": f"{e / errors['har']:.4f}"} for name, e in errors.items()]


def range_variance(options: argparse.Namespace) -> Table:
    """S&P 500 log range variance, five steps, last 1,000 cutoffs, HAR fitted once before them."""
    return _against_har(options, log_range(), 1000)


def rv(options: argparse.Namespace) -> Table:
    """SPY's log realised variance (RV5), five steps, last 500 cutoffs, HAR fitted once before them."""
    path = options.data / "realized_variance" / "SPYRM.csv.gz"
    return _against_har(options, np.log(pd.read_csv(path)["RV5"].to_numpy()), 500)


def _m4(options: argparse.Namespace, frequency: str, horizon: int, seasons: tuple[int, ...]) -> Table:
    values = fc.read_prices(options.data / "m4" / f"{frequency}-train.csv.gz")
    panel = fc.as_panel(values)
    y = panel.target
    ends = len(y) - 1 - np.argmax(~np.isnan(y[::-1]), axis=0)  # the series end at different rows
    aligned = np.full((int(ends.max()) + 1, y.shape[1]), np.nan)
    for n, end in enumerate(ends):
        aligned[len(aligned) - end - 1 :, n] = y[: end + 1, n]
    train, future = aligned[:-horizon], aligned[-horizon:].T  # (N, H)
    naive = fc.Naive() if seasons[0] == 1 else fc.SeasonalNaive(seasons[0])
    models = {f"naive of {seasons[0]}": naive}
    models |= {f"pretrained, season {m}": make(options, season=m) for m in seasons}
    trainer = fc.Pretrained().default_trainer()
    models[f"fine-tuned, season {seasons[-1]}"] = make(options, season=seasons[-1], trainer=trainer)
    scale = np.nanmean(np.abs(train[seasons[0] :] - train[: -seasons[0]]), axis=0)[:, None]
    table, first = [], None
    for name, model in models.items():
        start = time.perf_counter()
        forecast = model.fit(train, horizon).predict(train).point[0]
        seconds = time.perf_counter() - start
        smape = np.mean(200 * np.abs(forecast - future) / (np.abs(forecast) + np.abs(future)))
        scores = np.array([smape, np.mean(np.abs(forecast - future) / scale)])
        first = scores if first is None else first
        row = {"model": name, "sMAPE": f"{scores[0]:.3f}", "MASE": f"{scores[1]:.3f}"}
        table.append(row | {"mean of both ratios": f"{(scores / first).mean():.4f}", "seconds": f"{seconds:.1f}"})
    return table


def weekly(options: argparse.Namespace) -> Table:
    """M4 Weekly, the last 13 values of each of 359 series held back: errors, and ratios to the naive forecast."""
    return _m4(options, "Weekly", 13, (1, 52))


def hourly(options: argparse.Namespace) -> Table:
    """M4 Hourly, the last 48 values of each of 414 series held back: errors, and ratios to the seasonal naive of 24."""
    return _m4(options, "Hourly", 48, (24,))


def speed(options: argparse.Namespace) -> Table:
    """500 series of 200 rows, 12 steps, one thread: the medians of five."""
    rng = np.random.default_rng(0)
    model, seconds = make(options), []
    for _ in range(6):
        y = rng.normal(size=(200, 500)).cumsum(axis=0)  # other series each time: what was read once is not read again
        start = time.perf_counter()
        model.fit(y, 12).predict(y)
        seconds.append(time.perf_counter() - start)
    median = float(np.median(seconds[1:]))
    return [{"seconds": f"{median:.2f}", "series a second": f"{500 / median:.0f}"}]


def main() -> None:
    """Print the requested tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of realized_variance/ and m4/")
    parser.add_argument("--start-from", help="folder of other weights")
    parts = (truth, prices, oracle, range_variance, rv, weekly, hourly, speed)
    print_tables(parser, parts, ["truth", "prices", "oracle", "range_variance", "speed"])


if __name__ == "__main__":
    main()
