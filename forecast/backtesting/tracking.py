"""A run in MLflow: its settings as parameters, its leaderboard as metrics, its folder as artifacts."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from forecast.backtesting.result import BacktestResult

LONGEST = 500  # characters of a parameter that every version of MLflow accepts


def log_run(result: BacktestResult, name: str | None = None) -> str:
    """Log a run to MLflow and return its identifier there; raise ImportError without MLflow."""
    try:
        import mlflow
    except ImportError:
        raise ImportError("to_mlflow needs MLflow: pip install 'forecast[mlflow]'") from None
    board = result.leaderboard().select_dtypes("number")
    metrics = {
        _name(f"{model}/{score}"): float(value)
        for model, row in board.iterrows()
        for score, value in row.items()
        if np.isfinite(value)
    }
    with (
        mlflow.start_run(run_name=name, nested=mlflow.active_run() is not None) as run,
        tempfile.TemporaryDirectory() as folder,
    ):
        mlflow.log_params(_parameters(result))
        mlflow.log_metrics(metrics)
        mlflow.set_tag("verdict", "\n".join(result.verdicts().sentences))
        result.save(Path(folder) / "run")
        mlflow.log_artifacts(str(Path(folder) / "run"), "run")
    return str(run.info.run_id)


def _parameters(result: BacktestResult) -> dict[str, str]:
    """Return the split, the reference and each model, as text of a length that MLflow accepts."""
    models = {f"model/{name}": json.dumps(model, default=str) for name, model in result.spec["models"].items()}
    settings = {**result.spec["cv"], "reference": result.reference, "target": result.target, **models}
    return {_name(name): str(value)[:LONGEST] for name, value in settings.items()}


def _name(text: str) -> str:
    """Return a name of the characters that MLflow allows."""
    return re.sub(r"[^\w\-./ ]", "_", text)
