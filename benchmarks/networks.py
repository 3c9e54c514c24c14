"""Whether networks learn known structure: seasons, long memory, volatility, many series, words.

python benchmarks/networks.py season memory aligned     # need no data
python benchmarks/networks.py rv m4 words --data DIR    # DIR has realized_variance/, m4/, sentence_polarity/
python benchmarks/networks.py words --data DIR --keras PYTHON    # and epochs of Keras, with a Python that has it
"""

from __future__ import annotations

import argparse
import collections
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from tables import print_tables

import forecast as fc

CELLS = ("rnn", "lstm", "gru")


def root(error: np.ndarray) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(error**2)))


def season(_: argparse.Namespace) -> list[dict[str, object]]:
    """Season of 24 rows, trend, noise of 1; 3,000 rows: RMSE of 24 steps at the last 500 cutoffs (noise alone: 1)."""
    rows, horizon, table = np.arange(2476, 2976), 24, []
    for kind in ("sine", "random pattern"):
        rng, t = np.random.default_rng(0), np.arange(3000)
        pattern = 5 * np.sin(2 * np.pi * t / 24) if kind == "sine" else rng.normal(0, 3, 24)[t % 24]
        y = pattern + 0.01 * t + rng.normal(size=3000)
        truth = np.stack([y[rows + k] for k in range(1, horizon + 1)], axis=1)
        best = root((pattern + 0.01 * t)[rows[:, None] + np.arange(1, horizon + 1)] - truth)
        for cell in CELLS:
            for skip in (1, 120):
                start = time.perf_counter()
                model = fc.Recurrent(cell, lookback=120, skip=skip, log=False).fit(y[: rows[0] + 1], horizon)
                seconds = time.perf_counter() - start
                forecast = model.predict_at(y, rows).point[:, 0]
                row = {"season": kind, "model": cell, "skip": skip, "RMSE": f"{root(forecast - truth):.3f}"}
                table.append(row | {"the pattern known": f"{best:.3f}", "fit s": f"{seconds:.1f}"})
    return table


def memory(_: argparse.Namespace) -> list[dict[str, object]]:
    """The class is the sign of the input 100 rows back, the rest is noise: accuracy on 2,000 examples, three seeds."""
    table = []

    def sequences(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        x = np.random.default_rng(seed).normal(size=(n, 101, 1)).astype(np.float32)
        return x, (x[:, 0, 0] > 0).astype(int)

    for cell, gate_bias in (("rnn", "one"), ("lstm", "one"), ("lstm", "chrono"), ("gru", "one"), ("gru", "chrono")):
        scores, seconds = [], []
        for seed in range(3):
            epochs = 3 if cell == "gru" else 10
            model = fc.RecurrentClassifier(cell, hidden=32, gate_bias=gate_bias, epochs=epochs, lr=1e-2, seed=seed)
            start = time.perf_counter()
            model.fit(*sequences(16_000, 0))
            seconds.append(time.perf_counter() - start)
            scores.append(model.score(*sequences(2_000, 1)))
        row = {"cell": cell, "gate bias": "-" if cell == "rnn" else gate_bias, "accuracy": f"{np.mean(scores):.3f}"}
        row |= {"seeds": " ".join(f"{score:.3f}" for score in scores), "epochs": epochs}
        table.append(row | {"fit s": f"{np.median(seconds):.0f}"})
    return table


def aligned(_: argparse.Namespace) -> list[dict[str, object]]:
    """S&P 500 log range variance, LSTM of 64: windows of 60 with one target against a target at every row.

    One fit before the last 1,000 cutoffs; medians of three fits, in turn.
    """
    from arch.data import sp500

    prices = sp500.load()
    y = np.log(np.log(prices["High"] / prices["Low"]) ** 2 / (4 * np.log(2))).to_numpy()
    rows = np.arange(len(y) - 1005, len(y) - 5)
    truth = np.stack([y[rows + k] for k in range(1, 6)], axis=1)
    kinds = {
        "windows": fc.Recurrent("lstm", "many-to-one", hidden=64, trainer=fc.Trainer(steps=200, batch_size=256)),
        "aligned": fc.Recurrent("lstm", hidden=64, trainer=fc.Trainer(steps=200, batch_size=4)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for seed in range(3):
        for name, model in kinds.items():
            start = time.perf_counter()
            model.set_params(log=False, seed=seed).fit(y[: rows[0] + 1], 5)
            seconds[name].append(time.perf_counter() - start)
    naive = root(y[rows][:, None] - truth)
    table = []
    for name, model in kinds.items():
        error = root(model.predict_at(y, rows).point[:, 0] - truth)
        row = {"training": name, "RMSE": f"{error:.4f}", "over naive's": f"{error / naive:.4f}"}
        ratio = np.median(seconds["windows"]) / np.median(seconds[name])
        table.append(row | {"fit s": f"{np.median(seconds[name]):.2f}", "times as fast": f"{ratio:.1f}"})
    return table


def rv(options: argparse.Namespace) -> list[dict[str, object]]:
    """SPY's log realised variance (RV5), five steps, one fit on the first 995 rows, last 500 cutoffs, five members."""
    path = options.data / "realized_variance" / "SPYRM.csv.gz"
    y = np.log(pd.read_csv(path)["RV5"].to_numpy())
    rows = np.arange(len(y) - 505, len(y) - 5)
    truth = np.stack([y[rows + k] for k in range(1, 6)], axis=1)
    har = fc.HAR().fit(y[: rows[0] + 1], 5).predict_at(y, rows).point[:, 0]
    errors = {"naive": root(y[rows][:, None] - truth), "har": root(har - truth)}
    for cell in CELLS:
        model = fc.Recurrent(cell, members=5, n_jobs=2, log=False).fit(y[: rows[0] + 1], 5)
        errors[cell] = root(model.predict_at(y, rows).point[:, 0] - truth)
    return [
        {"model": name, "RMSE": f"{e:.4f}", "over HAR's": f"{e / errors['har']:.4f}"}
        | {"over naive's": f"{e / errors['naive']:.4f}"}
        for name, e in errors.items()
    ]


def m4(options: argparse.Namespace) -> list[dict[str, object]]:
    """M4 Hourly, one model: errors of the last 48 values of 414 series, as ratios to the seasonal naive of 24."""
    prices = fc.read_prices(options.data / "m4" / "Hourly-train.csv.gz")
    panel, horizon = fc.as_panel(prices), 48
    train, truth = panel[:-horizon], panel.target[-horizon:].T  # (N, H)
    day = fc.SeasonalNaive(24)
    base = fc.Ensemble([day, fc.SeasonalNaive(168)], how="mean")
    network = fc.Recurrent("lstm", "many-to-one", lookback=336, patch=24, hidden=64, skip=336, base=base, loss="mae")
    network.set_params(members=3, n_jobs=2, trainer=fc.Trainer(steps=2000, batch_size=256, lr=3e-3))
    scale = np.nanmean(np.abs(train.target[24:] - train.target[:-24]), axis=0)[:, None]
    rows: dict[str, np.ndarray] = {}
    table = []
    for name, model in {"seasonal naive of 24": day, "base": base, "lstm of 3 members on the base": network}.items():
        start = time.perf_counter()
        forecast = model.fit(train, horizon).predict(train).point[0]
        seconds = time.perf_counter() - start
        smape = np.mean(200 * np.abs(forecast - truth) / (np.abs(forecast) + np.abs(truth)))
        rows[name] = np.array([smape, np.mean(np.abs(forecast - truth) / scale)])
        ratio = rows[name] / rows["seasonal naive of 24"]
        row = {"model": name, "sMAPE": f"{rows[name][0]:.3f}", "MASE": f"{rows[name][1]:.3f}"}
        table.append(row | {"mean of both ratios": f"{ratio.mean():.4f}", "seconds": f"{seconds:.0f}"})
    return table


def sentences(folder: Path) -> tuple[list[list[int]], np.ndarray]:
    """Return film reviews in random order, as ids of the 9,998 most frequent words of four fifths, and labels."""
    with zipfile.ZipFile(folder / "sentence_polarity" / "sentence_polarity.zip") as archive:
        reviews = [
            (line.split(), int(name.endswith(".pos")))
            for name in sorted(archive.namelist())
            if name.endswith((".pos", ".neg"))
            for line in archive.read(name).decode("latin-1").splitlines()
            if line.strip()
        ]
    order = np.random.default_rng(0).permutation(len(reviews))
    words, labels = [reviews[i][0] for i in order], np.array([reviews[i][1] for i in order])
    count = collections.Counter(word for text in words[: int(0.8 * len(words))] for word in text)
    ids = {word: i for i, (word, _) in enumerate(count.most_common(9_998), start=2)}
    return [[ids.get(word, 1) for word in text] for text in words], labels


def words(options: argparse.Namespace) -> list[dict[str, object]]:
    """Film reviews, a validation split of .2: accuracy of the best of five epochs, mean of three seeds."""
    x, y = sentences(options.data)
    table = []
    for name, params in {"rnn": {"cell": "rnn"}, "lstm": {}, "lstm, bidirectional": {"bidirectional": True}}.items():
        scores, seconds, keras_seconds = [], [], []
        for seed in range(3):
            model = fc.RecurrentClassifier(vocabulary=10_000, seed=seed, **params)
            history = model.fit(x, y).history_
            scores.append(history["validation_accuracy"][model.best_epoch_ - 1])
            seconds += list(np.diff(history["seconds"], prepend=0))
            if options.keras and seed == 0:
                keras_seconds += keras_epochs(options.keras, x, y, name)
        row = {"network": name, "accuracy": f"{np.mean(scores):.4f}", "seeds": " ".join(f"{s:.3f}" for s in scores)}
        row |= {"s an epoch": f"{np.median(seconds):.2f}"}
        if keras_seconds:
            row |= {"Keras, s an epoch": f"{np.median(keras_seconds):.2f}"}
            row |= {"times as fast": f"{np.median(keras_seconds) / np.median(seconds):.1f}"}
        table.append(row)
    return table


def keras_epochs(python: str, x: list[list[int]], y: np.ndarray, network: str) -> list[float]:
    """Return the seconds of epochs of the same network in Keras, in another Python."""
    padded = np.zeros((len(x), max(map(len, x))), dtype=np.int64)
    for row, ids in zip(padded, x, strict=True):
        row[len(row) - len(ids) :] = ids
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sentences.npz"
        np.savez(file, x=padded, y=y)
        script = Path(__file__).with_name("keras_words.py")
        process = subprocess.run([python, str(script), str(file), network], capture_output=True, text=True, check=True)
    return [float(line.split()[1]) for line in process.stdout.splitlines() if line.startswith("epoch")]


def main() -> None:
    """Print the requested tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of realized_variance/, m4/ and sentence_polarity/")
    parser.add_argument("--keras", help="a Python that has keras and torch")
    print_tables(parser, (season, memory, aligned, rv, m4, words), ["season", "memory", "aligned"])


if __name__ == "__main__":
    main()
