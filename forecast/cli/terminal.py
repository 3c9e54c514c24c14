"""What a run looks like in a terminal of 80 columns: the bar while it goes, the leaderboard and the verdict after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from forecast.backtesting import BacktestResult
    from forecast.data.checks import PriceReport

LISTED = 5  # failed fits of each model, or findings, that are named; `fits` and `spec` hold them all


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


def show_prices(report: PriceReport) -> None:
    """Print what was found about prices."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    widths = [max([len(heading), *column.astype(str).str.len()]) for heading, column in report.table.items()]
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    # Where it is too wide the names of the series give way.
    table.add_column("series", no_wrap=True, max_width=max(8, console.width - sum(widths) - len(widths) - 1))
    for heading, width in zip(report.table, widths, strict=True):
        table.add_column(heading, justify="right", no_wrap=True, min_width=width)
    for name, row in report.table.iterrows():
        table.add_row(str(name), *("-" if value is None or value != value else str(value) for value in row))
    console.print(table)
    print()
    for sentence in report.sentences() or ["Nothing odd was found."]:
        print(sentence)


def show(result: BacktestResult) -> None:
    """Print leaderboard and verdict, and what is odd about the prices."""
    from rich.console import Console

    Console().print(_leaderboard(result.leaderboard()))
    for verdict in result.verdicts():
        print(f"\n{verdict}")
    _show_failures(result)
    if len(result.skipped):
        print("\nTook no part:")
        for row in result.skipped.itertuples():
            print(f"  {row.unique_id}: {row.reason}, at {row.cutoffs} cutoffs ({row.first} to {row.last})")
    _show_findings(result.spec["data"].get("report", {}).get("findings", []))


def _show_findings(findings: list[list[str]]) -> None:
    """Name what was odd about the prices that were walked over."""
    if findings:
        print("\nAbout the prices:")
        for name, sentence in findings[:LISTED]:
            print(f"  {name}: {sentence}" if name else f"  {sentence}")
        if len(findings) > LISTED:
            print(f"  and {len(findings) - LISTED} more, which `forecast check` names")


def _show_failures(result: BacktestResult) -> None:
    """Name the fits that failed, and how many rows are left to compare on."""
    from forecast.data.panel import format_date

    failures = result.failures()
    if failures.empty:
        return
    common, forecast = result.compared()
    print(f"\nFailed; all models are compared on the {common:,} of {forecast:,} rows that none of them lacks:")
    for model, rows in failures.groupby("model", sort=False):
        for row in rows.head(LISTED).itertuples():
            print(f"  {model} at {format_date(row.cutoff)}: {' '.join(row.error.split())}")
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
