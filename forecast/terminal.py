"""What a run looks like in a terminal of 80 columns: the bar while it goes, the leaderboard and the verdict after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from forecast.backtest import BacktestResult

LISTED = 5  # failed fits of each model that are named; `fits` holds them all


def progress_bar(what: str, unit: str) -> Any:
    """Make a bar that counts fits (or tickers) and says how long they will take; silent where nobody looks."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns: tuple[Any, ...] = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
    columns += (TimeElapsedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def show(result: BacktestResult) -> None:
    """Print leaderboard and verdict."""
    from rich.console import Console

    Console().print(_leaderboard(result.leaderboard()))
    for verdict in result.verdicts():
        print(f"\n{verdict}")
    _show_failures(result)
    if len(result.skipped):
        print("\nTook no part:")
        for row in result.skipped.itertuples():
            print(f"  {row.unique_id}: {row.reason}, at {row.cutoffs} cutoffs ({row.first} to {row.last})")


def _show_failures(result: BacktestResult) -> None:
    """Name the fits that failed, and how many rows are left to compare on."""
    from forecast.panel import label

    failures = result.failures()
    if failures.empty:
        return
    common, forecast = result.compared()
    print(f"\nFailed; all models are compared on the {common:,} of {forecast:,} rows that none of them lacks:")
    for model, rows in failures.groupby("model", sort=False):
        for row in rows.head(LISTED).itertuples():
            print(f"  {model} at {label(row.cutoff)}: {' '.join(row.error.split())}")
        if len(rows) > LISTED:
            print(f"  {model}: {len(rows) - LISTED} more")


def _leaderboard(board: pd.DataFrame) -> Any:
    from rich.table import Table

    columns = {  # heading and format; all of them fit a terminal of 80 columns
        "skill": ("skill", "+.2%"),
        "mase": ("MASE", ".3f"),
        "rmse": ("RMSE", ".4g"),
        "mae": ("MAE", ".4g"),
        "coverage": ("cover", ".0%"),
        "direction": ("side", ".0%"),
        "win_rate": ("wins", ".0%"),
        "seconds_fit": ("fit s", ".1f"),
        "seconds_predict": ("pred s", ".1f"),
        "failures": ("fail", ".0f"),
    }
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("model", no_wrap=True)
    for heading, _ in columns.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in board.iterrows():
        cells = ["-" if row[c] != row[c] else format(row[c], style) for c, (_, style) in columns.items()]
        table.add_row(str(name), *cells, style="bold" if name == "naive" else None)
    return table
