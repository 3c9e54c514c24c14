"""Helpers that all models and tables share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.quick import quick, series_for, walks
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

import forecast as fc
from forecast.models.base import quantile_column, quantile_columns


@pytest.mark.parametrize(("level", "name"), [(0.1, "q0.1"), (0.5, "q0.5"), (0.00001, "q0.00001"), (0.975, "q0.975")])
def test_quantile_columns_are_read_back(level, name):
    assert quantile_column(level) == name
    assert quantile_columns([name]) == {level: name}


def test_quantile_columns_are_sorted_by_level():
    levels = np.random.default_rng(0).permutation([0.00001, 0.05, 0.1, 0.5, 0.9, 0.999])
    names = ["unique_id", "quantile", "q", "q1", "y_hat", *map(quantile_column, levels), "scale", "Q0.3"]
    found = quantile_columns(names)
    assert list(found) == sorted(levels)
    assert list(found.values()) == ["q0.00001", "q0.05", "q0.1", "q0.5", "q0.9", "q0.999"]


@pytest.mark.parametrize("name", ["drift", "arima", "ridge", "har", "lstm"])
@pytest.mark.medium
def test_score_is_the_skill_over_the_last_value(name):
    """Computed from single forecasts, series by series, against the definition."""
    prices = series_for(name, rows=150)
    train, rest = prices.iloc[:120], prices.iloc[110:]
    model = quick(name).fit(train, horizon=2)
    own, of_last = dict.fromkeys(prices, 0.0), dict.fromkeys(prices, 0.0)
    for row in range(len(rest) - 2):
        table = model.predict(rest.iloc[: row + 1]).to_frame().set_index("unique_id")["y_hat"]
        for series in prices:
            last, truth = rest[series].iloc[row], rest[series].iloc[row + 1 : row + 3].to_numpy()
            own[series] += ((truth - table[[series]].fillna(last).to_numpy()) ** 2).sum()
            of_last[series] += ((truth - last) ** 2).sum()
    ratios = [own[series] / of_last[series] for series in prices]
    assert model.score(rest) == pytest.approx(1 - np.prod(ratios) ** (1 / len(ratios)), rel=1e-6, abs=1e-9)


@pytest.mark.medium
def test_a_search_of_scikit_learn_finds_the_better_parameter():
    rng = np.random.default_rng(0)
    noise = pd.DataFrame(100 + rng.normal(size=(300, 2)), columns=["a", "b"])  # whose best forecast is a long mean
    search = GridSearchCV(fc.WindowMean(), {"window": [1, 3, 60]}, cv=TimeSeriesSplit(3)).fit(noise, horizon=2)
    assert search.best_params_ == {"window": 60}
    assert 0.3 < search.best_score_ < 0.5  # 1 - 1/2, as a difference of two draws has twice the variance
    network = quick("lstm")
    search = GridSearchCV(network, {"trainer__lr": [1e-3, 1e-2]}, cv=TimeSeriesSplit(2)).fit(walks(rows=120), horizon=2)
    assert search.best_estimator_.trainer.lr in (1e-3, 1e-2)


def test_prices_without_a_score_are_refused():
    model = fc.Drift().fit(walks(), horizon=5)
    with pytest.raises(ValueError, match="needs more than 5 rows"):
        model.score(walks(rows=5))
    with pytest.raises(ValueError, match="nothing to score"):
        model.score(walks(rows=20) * 0 + 3)


def test_warnings_on_many_series_name_a_few():
    """A thousand names in a warning are not read."""
    prices = {f"s{n}": np.arange(1.0, 3.0) for n in range(1_000)} | {"long": np.arange(1.0, 50.0) ** 1.1}
    with pytest.warns(UserWarning, match="too short to be fitted.*: s0, s1, s2, s3, s4 and 995 more$"):
        fc.Drift().fit(prices, 3)
