"""The folder of a run: its files, and what its spec says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from forecast.folders import Kind

FORECASTS, FITS, SPEC, REPORT = "forecasts.parquet", "fits.parquet", "spec.json", "report.html"
RUN = Kind("run", (FORECASTS, FITS, SPEC, REPORT))


def read_spec(folder: str | Path) -> dict[str, Any]:
    """Read the spec of a run; raises ValueError if the folder is not a run."""
    path = Path(folder) / SPEC
    try:
        spec = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{folder} is not a run: it has no {SPEC}. Name the folder that --out made") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged ({error}): run the backtest again") from None
    if not isinstance(spec, dict) or "models" not in spec:
        raise ValueError(f"{path} does not describe a run: name the folder that --out made")
    return spec
