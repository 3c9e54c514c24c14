"""What `forecast predict` writes: a plot of the forecast after its history, and sample paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from forecast._io import atomic_file, named_errors

if TYPE_CHECKING:
    import pandas as pd

    from forecast.data.panel import Panel
    from forecast.models.base import Forecast, Forecaster

PICTURES = (".png", ".svg", ".pdf")  # endings of the files that plots are written to
MAX_PLOTTED = 12  # series in a plot
HEIGHT, WIDTH = 3.4, 7.2  # of the plot of a series, in inches


def first_steps(forecast: Forecast, steps: int, fitted: int) -> Forecast:
    """Return the first steps of a forecast; raise ValueError if the model was fitted to fewer."""
    from forecast._validation import check_int

    check_int("--horizon", steps, 1)
    if steps > fitted:
        raise ValueError(
            f"--horizon {steps}: the model was fitted for {fitted} steps: use --horizon {fitted} or less, or fit a "
            f"model with `forecast fit … --horizon {steps}`"
        )
    quantiles = None if forecast.quantiles is None else forecast.quantiles[:, :, :steps]
    members = None if forecast.members is None else forecast.members[..., :steps]
    return replace(forecast, point=forecast.point[..., :steps], quantiles=quantiles, members=members)


def write_plot(forecasts: dict[str, Forecast], panel: Panel, names: Sequence[str], out: Path) -> list[str]:
    """Write a plot of each series below the one before, atomically; return a note if not all are shown.

    `forecasts` are those of each model by its name.
    """
    from matplotlib.figure import Figure

    from forecast.report.plots.forecasts import plot_forecasts

    shown = names[:MAX_PLOTTED]
    figure = Figure(figsize=(WIDTH, HEIGHT * len(shown)), layout="constrained", facecolor="white")
    for ax, name in zip(figure.subplots(len(shown), 1, squeeze=False)[:, 0], shown, strict=True):
        plot_forecasts(forecasts, panel, series=name, ax=ax)
    with named_errors(out, "file"), atomic_file(out) as temporary:
        figure.savefig(temporary, format=out.suffix[1:].lower(), dpi=150)
    if len(shown) == len(names):
        return []
    return [f"the plot shows the first {len(shown)} of {len(names)} series"]


def sample_paths(model: Forecaster, panel: Panel, dates: pd.Index, names: Sequence[str], n: int) -> pd.DataFrame:
    """Return n sample paths as a table: unique_id, path (1 … n), step, ds, y."""
    import numpy as np
    import pandas as pd

    from forecast._validation import check_int

    check_int("--paths", n, 1)
    paths = model.sample(panel, n)  # (n, N, H)
    horizon = len(dates)
    tables = [
        pd.DataFrame(
            {
                "unique_id": name,
                "path": np.repeat(np.arange(1, n + 1), horizon),
                "step": np.tile(np.arange(1, horizon + 1), n),
                "ds": np.tile(dates, n),
                "y": paths[:, panel.series.index(name), :horizon].ravel(),
            }
        )
        for name in names
    ]
    return pd.concat(tables, ignore_index=True)
