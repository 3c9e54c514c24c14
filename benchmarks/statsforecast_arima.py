"""The peer of baselines.py: does what it is told on standard input, and answers with its seconds and what it found.

Runs in an environment of its own, that has statsforecast and arch: it needs another pandas than this package.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
from arch.data import sp500
from statsforecast import StatsForecast
from statsforecast.models import ARIMA, AutoARIMA

warnings.simplefilter("ignore")
returns = 100 * np.diff(np.log(sp500.load()["Adj Close"].to_numpy()))
frame = pd.DataFrame({"unique_id": "SP500", "ds": np.arange(len(returns)), "y": returns})


def fit() -> dict[str, object]:
    """Fit the order that baselines.py fits."""
    return {"loglike": ARIMA(order=(2, 0, 2), include_mean=True).fit(returns).model_["loglik"]}


def auto() -> dict[str, object]:
    """Choose an order."""
    model = AutoARIMA().fit(returns).model_
    p, q, _, _, _, d, _ = model["arma"]
    return {"aicc": model["aicc"], "order": f"({p},{d},{q})"}


def walk() -> dict[str, object]:
    """Choose and fit ten times, walking forward."""
    walker = StatsForecast([AutoARIMA()], freq=1, n_jobs=1)
    said = walker.cross_validation(h=5, df=frame, n_windows=10, step_size=5, refit=True)
    return {"rmse": float(np.sqrt(((said["y"] - said["AutoARIMA"]) ** 2).mean()))}


ARIMA(order=(1, 0, 0)).fit(returns[:100])  # what is compiled or loaded at first use is not what is measured
AutoARIMA().fit(returns[:200])
print("ready", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    answer = {"fit": fit, "auto": auto, "walk": walk}[line.strip()]()
    print(json.dumps(answer | {"seconds": time.perf_counter() - start}), flush=True)
