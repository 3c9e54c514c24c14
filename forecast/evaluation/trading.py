"""What trading on the forecasts would have returned after costs, next to holding the series throughout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast._validation import check_choice
from forecast.evaluation.losses import ZERO, check_model, common_rows, model_names
from forecast.models.base import quantile_columns

HOLD = "buy and hold"
RULES = ("sign", "size")
MIN_PERIODS = 20  # fewer returns have no interval worth stating
REPETITIONS = 2000  # of the bootstrap
#: What the numbers leave out, stated wherever they are shown.
LIMITS = (
    "Trades are at the last price before the forecast, in any amount, without market impact, borrowing costs, taxes or "
    "interest on cash; this is no evidence of what trading would return."
)


@dataclass(frozen=True)
class Economics:
    """Returns of positions that follow the forecasts, by model, and what they amount to.

    Attributes
    ----------
    table : DataFrame
        A row for each model and one for "buy and hold": `periods`, `mean` return of a period after costs with its 90 %
        interval `low` to `high`, `volatility`, `sharpe` (of a period, not annualised), `deflated` (probability that
        the true Sharpe ratio is above 0, given the number of models), `turnover` of a period, `drawdown` (largest
        fall of the compounded value) and `total` return.
    returns : DataFrame
        The return of each period after costs: a row for each cutoff, a column for each model.
    """

    table: pd.DataFrame
    returns: pd.DataFrame
    rule: str
    cost: float

    def __str__(self) -> str:
        text = self.table.to_string(index=False, float_format=lambda value: f"{value:.4g}")
        return f"Positions by {self.rule}, cost {self.cost:g} of each turnover.\n{text}\n{LIMITS}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"{self.table.to_html(index=False, float_format='%.4g')}<p>{LIMITS}</p>"


def economics(
    forecasts: pd.DataFrame,
    step_size: int,
    rule: str = "sign",
    cost: float = 0.0005,
    models: Sequence[str] | None = None,
    reference: str = "naive",
    seed: int = 0,
) -> Economics:
    """Return what positions that follow the forecasts would have returned after costs.

    A position is opened at the last price before a cutoff's forecast and held for `step_size` rows, until the next
    cutoff. Each series has an equal share of the capital.

    Parameters
    ----------
    forecasts : DataFrame
        The long table of a run. The target is a price, or a log return where `reference` is "zero".
    step_size : int
        Rows between two cutoffs; the horizon must not be shorter.
    rule : {"sign", "size"}
        With "sign" the position is 1, −1 or 0 as the forecast is above, below or at the last price. With "size" it is
        the forecast return over its forecast standard deviation, from −1 to 1.
    cost : float, default 0.0005
        Cost of a turnover of 1 (from no position to a full one), as a share.
    models : sequence of str, optional
        Models to follow; by default all but the reference, whose forecast is no position.
    reference : str, default "naive"
        The reference of the run.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    Economics
        Table and returns.

    Raises
    ------
    ValueError
        If the horizon is shorter than `step_size`, prices are not above 0, or `rule` or a model is unknown.

    Notes
    -----
    Intervals are from the stationary bootstrap of `arch` with its optimal block length. `deflated` allows for the
    number of models compared here, not for those tried elsewhere.

    References
    ----------
    Bailey and López de Prado (2014), The deflated Sharpe ratio; Politis and Romano (1994), The stationary bootstrap.
    """
    check_choice("rule", rule, RULES)
    if not 0 <= cost < 1:
        raise ValueError(f"cost, the share of each turnover that is lost, must be from 0 to below 1; got {cost}")
    available = model_names(forecasts)
    for name in models or ():
        check_model(name, available)
    chosen = list(models) if models else [name for name in available if name != reference]
    trades = _trades(forecasts, step_size, rule, reference == ZERO)
    returns, turnovers = {}, {}
    for name in chosen:
        own = trades[trades["model"] == name]
        returns[name], turnovers[name] = _portfolio(own, own["position"], cost)
    own = trades[trades["model"] == available[0]]
    returns[HOLD], turnovers[HOLD] = _portfolio(own, pd.Series(1.0, own.index), cost)
    table = pd.DataFrame({name: _describe(values, seed) for name, values in returns.items()}).T
    table.insert(7, "turnover", pd.Series({name: float(values.mean()) for name, values in turnovers.items()}))
    trials = table.loc[chosen, "sharpe"].to_numpy()
    table.insert(
        6,
        "deflated",
        [deflated_sharpe(returns[name].to_numpy(), trials[: 1 if name == HOLD else None]) for name in table.index],
    )
    table = table.rename_axis("model").reset_index().astype({"periods": int})
    return Economics(table, pd.DataFrame(returns), rule, cost)


def deflated_sharpe(returns: np.ndarray, trials: np.ndarray) -> float:
    """Return the probability that the Sharpe ratio of these returns is above that of the luckiest of so many trials.

    `returns` are those of periods, (K,); `trials` the Sharpe ratios (of a period) of all strategies that were tried.
    With one trial it is the probability that the ratio is above 0.
    """
    from scipy.stats import kurtosis, skew

    deviation = returns.std(ddof=1) if len(returns) > 1 else 0.0
    if not deviation > 0:
        return math.nan
    expected = expected_maximum(float(np.var(trials, ddof=1)), len(trials)) if len(trials) > 1 else 0.0
    moments = float(skew(returns)), float(kurtosis(returns, fisher=False))
    return probability_above(float(returns.mean() / deviation), expected, len(returns), *moments)


def expected_maximum(variance: float, trials: int) -> float:
    """Return the expected largest Sharpe ratio of `trials` strategies without skill, of this variance."""
    from scipy.stats import norm

    upper = (1 - np.euler_gamma) * norm.ppf(1 - 1 / trials) + np.euler_gamma * norm.ppf(1 - 1 / (trials * math.e))
    return float(math.sqrt(variance) * upper)


def probability_above(sharpe: float, threshold: float, n: int, skewness: float, kurtosis: float) -> float:
    """Return the probability that the true Sharpe ratio is above a threshold, from n returns of these moments."""
    from scipy.stats import norm

    variance = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2
    return float(norm.cdf((sharpe - threshold) * math.sqrt((n - 1) / variance))) if variance > 0 else math.nan


def _trades(forecasts: pd.DataFrame, step_size: int, rule: str, is_return: bool) -> pd.DataFrame:
    """Return a row for each model, series and cutoff with the `position` and the simple return of the `outcome`."""
    table = common_rows(forecasts)
    horizon = int(forecasts["step"].max())
    if horizon < step_size:
        raise ValueError(
            f"positions are held until the next cutoff, {step_size} rows later, and the horizon is {horizon}: run the "
            f"backtest with a horizon of at least {step_size}, or a step size of at most {horizon}"
        )
    keys = ["model", "unique_id", "cutoff"]
    table = table[table["step"] <= step_size].assign(model=lambda t: t["model"].astype(str))
    if is_return:
        sums = table.groupby(keys, observed=True, sort=False)[["y", "y_hat"]].sum(min_count=step_size)
        last = table[table["step"] == step_size].set_index(keys)
        expected, outcome = sums["y_hat"].reindex(last.index), np.expm1(sums["y"].reindex(last.index))
        spread = _deviation(last) * math.sqrt(step_size)
    else:
        last = table[table["step"] == step_size].set_index(keys)
        if (last[["y0", "y"]] <= 0).any(axis=None):
            raise ValueError("a return needs prices above 0, and some are not: this target cannot be traded")
        expected, outcome = last["y_hat"] / last["y0"] - 1, last["y"] / last["y0"] - 1
        spread = _deviation(last) / last["y0"]
    if rule == "sign":
        position = np.sign(expected)
    else:
        if spread.isna().any():
            raise ValueError(
                "rule='size' needs quantiles of all models: use rule='sign', or name models that have them"
            )
        position = (expected / spread.where(spread > 0)).clip(-1, 1).fillna(0.0)
    return pd.DataFrame({"position": position, "outcome": outcome}).dropna().reset_index()


def _deviation(table: pd.DataFrame) -> pd.Series:
    """Return the standard deviation of a normal distribution with the distance of the outermost quantiles."""
    from scipy.stats import norm

    levels = quantile_columns(table.columns)
    if len(levels) < 2:
        return pd.Series(np.nan, table.index)
    low, high = min(levels), max(levels)
    return (table[levels[high]] - table[levels[low]]) / (norm.ppf(high) - norm.ppf(low))


def _portfolio(trades: pd.DataFrame, position: pd.Series, cost: float) -> tuple[pd.Series, pd.Series]:
    """Return the return and the turnover of each period, with equal shares in all series."""
    wide = trades.assign(position=position).pivot(index="cutoff", columns="unique_id")
    positions = wide["position"].astype(float).fillna(0.0)
    turnover = positions.diff().abs().fillna(positions.abs()).mean(axis=1)
    gains = (positions * wide["outcome"].astype(float).fillna(0.0)).mean(axis=1)
    return gains - cost * turnover, turnover


def _describe(returns: pd.Series, seed: int) -> dict[str, float]:
    values = returns.to_numpy()
    mean, deviation = float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else math.nan
    low, high = _interval(values, seed)
    value = np.cumprod(1 + values)
    peak = np.maximum.accumulate(np.append(1.0, value))[1:]
    return {
        "periods": len(values),
        "mean": mean,
        "low": low,
        "high": high,
        "volatility": deviation,
        "sharpe": mean / deviation if deviation > 0 else math.nan,
        "drawdown": float((1 - value / peak).max()),
        "total": float(value[-1] - 1),
    }


def _interval(values: np.ndarray, seed: int) -> tuple[float, float]:
    """Return the 90 % interval of the mean from the stationary bootstrap."""
    from arch.bootstrap import StationaryBootstrap, optimal_block_length

    if len(values) < MIN_PERIODS or np.ptp(values) == 0:
        return math.nan, math.nan
    length = max(float(optimal_block_length(values)["stationary"].iloc[0]), 1.0)
    bootstrap = StationaryBootstrap(round(length), values, seed=seed)
    low, high = bootstrap.conf_int(np.mean, REPETITIONS, method="percentile", size=0.9)[:, 0]
    return float(low), float(high)
