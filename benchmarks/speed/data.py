"""Series of the comparison, each (T, N)."""

from __future__ import annotations

import numpy as np
import pandas as pd

import forecast as fc

Series = dict[str, np.ndarray]


def main_series() -> Series:
    """Return an AR(1), and returns and log variance of the S&P 500, 1999 to 2018.

    The steps and the learning rates of our networks were chosen on these.
    """
    return {"AR(1), 0.9": autoregression(), **returns_and_variance("S&P 500", fc.load_sample("sp500", fields="all"))}


def nasdaq() -> Series:
    """Return the same of another index, which was also used while they were chosen."""
    return returns_and_variance("Nasdaq", fc.load_sample("nasdaq", fields="all"))


def variance() -> Series:
    """Return the last of the main series."""
    return {"S&P 500 log variance": main_series()["S&P 500 log variance"]}


def stocks(*tickers: str) -> Series:
    """Return the same of stocks, up to 2013.

    The base was chosen on IBM and Microsoft; nothing was chosen on Apple and Google.
    """
    prices = fc.load_sample("stocks", fields="all")
    series: Series = {}
    for ticker in tickers:
        series |= returns_and_variance(ticker, prices.xs(ticker, axis=1, level="Ticker").dropna())
    return series


def returns_and_variance(title: str, prices: pd.DataFrame) -> Series:
    """Return the returns of one ticker and the logarithm of its daily variances."""
    returns, variance = fc.log_returns(prices), fc.parkinson(prices)
    return {f"{title} returns": returns.to_numpy()[1:], f"{title} log variance": np.log(variance.to_numpy())}


def hundred(n: int = 100, rows: int = 2500) -> Series:
    """Simulate log variances that share a slow factor, each with its own faster factor and noise."""
    rng = np.random.default_rng(1)
    shocks, own = rng.normal(size=rows), rng.normal(size=(rows, n))
    slow, fast = np.zeros(rows), np.zeros((rows, n))
    for t in range(1, rows):
        slow[t] = 0.99 * slow[t - 1] + 0.1 * shocks[t]
        fast[t] = 0.9 * fast[t - 1] + 0.3 * own[t]
    return {f"{n} log variances": slow[:, None] * rng.uniform(0.5, 1.5, n) + fast + 0.6 * rng.normal(size=(rows, n))}


def percent() -> Series:
    """Return the S&P 500's returns in percent."""
    return {"S&P 500 returns × 100": 100 * main_series()["S&P 500 returns"]}


def autoregression(phi: float = 0.9, rows: int = 5030) -> np.ndarray:
    """Simulate an AR(1)."""
    noise = np.random.default_rng(0).normal(size=rows)
    y = np.zeros(rows)
    for t in range(1, rows):
        y[t] = phi * y[t - 1] + noise[t]
    return y[:, None]
