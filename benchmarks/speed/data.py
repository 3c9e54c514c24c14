"""The series of the race, each (T, N)."""

from __future__ import annotations

import numpy as np
import pandas as pd

import forecast as fc

Series = dict[str, np.ndarray]


def three() -> Series:
    """An AR(1), and returns and log variance of the S&P 500, 1999 to 2018: our steps and rates were chosen on these."""
    return {"AR(1), 0.9": autoregression(), **both("S&P 500", fc.load_sample("sp500", fields="all"))}


def nasdaq() -> Series:
    """The same of another index, which was looked at while they were chosen."""
    return both("Nasdaq", fc.load_sample("nasdaq", fields="all"))


def variance() -> Series:
    """The last of the three."""
    return {"S&P 500 log variance": three()["S&P 500 log variance"]}


def stocks(*tickers: str) -> Series:
    """The same of stocks, up to 2013. After IBM and Microsoft the base was chosen, after Apple and Google nothing."""
    prices = fc.load_sample("stocks", fields="all")
    given: Series = {}
    for ticker in tickers:
        given |= both(ticker, prices.xs(ticker, axis=1, level="Ticker").dropna())
    return given


def both(title: str, prices: pd.DataFrame) -> Series:
    """Give the returns of one ticker and the logarithm of its days' variances."""
    returns, variance = fc.log_returns(prices), fc.parkinson(prices)
    return {f"{title} returns": returns.to_numpy()[1:], f"{title} log variance": np.log(variance.to_numpy())}


def hundred(n: int = 100, rows: int = 2500) -> Series:
    """Simulated log variances that share a slow factor, each with a faster one of its own and noise."""
    rng = np.random.default_rng(1)
    shocks, own = rng.normal(size=rows), rng.normal(size=(rows, n))
    slow, fast = np.zeros(rows), np.zeros((rows, n))
    for t in range(1, rows):
        slow[t] = 0.99 * slow[t - 1] + 0.1 * shocks[t]
        fast[t] = 0.9 * fast[t - 1] + 0.3 * own[t]
    return {f"{n} log variances": slow[:, None] * rng.uniform(0.5, 1.5, n) + fast + 0.6 * rng.normal(size=(rows, n))}


def percent() -> Series:
    """The S&P 500's returns in percent."""
    return {"S&P 500 returns × 100": 100 * three()["S&P 500 returns"]}


def autoregression(phi: float = 0.9, rows: int = 5030) -> np.ndarray:
    """Simulate an AR(1)."""
    noise = np.random.default_rng(0).normal(size=rows)
    y = np.zeros(rows)
    for t in range(1, rows):
        y[t] = phi * y[t - 1] + noise[t]
    return y[:, None]
