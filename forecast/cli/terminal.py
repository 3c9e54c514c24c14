"""Text output in a terminal of 80 columns: progress bars, leaderboard, verdicts and price checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from forecast.cli.app import quiet

if TYPE_CHECKING:
    import pandas as pd

    from forecast.backtesting import BacktestResult
    from forecast.data.checks import PriceReport

MAX_LISTED = 5  # failed fits of a model, or findings, that are printed; the files of the run contain all


@contextmanager
def progress_bar(description: str, noun: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar in a terminal, except with --quiet; yield its update function of (done, total)."""
    from rich import progress
    from rich.console import Console

    columns = [progress.TextColumn(description), progress.BarColumn(), progress.MofNCompleteColumn()]
    columns += [progress.TextColumn(noun), progress.TimeElapsedColumn(), progress.TimeRemainingColumn()]
    console = Console(stderr=True)
    is_hidden = not console.is_terminal or quiet.get()
    with progress.Progress(*columns, console=console, transient=True, disable=is_hidden) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show_prices(report: PriceReport) -> None:
    """Print the table and the anomalies of a price check."""
    from rich.console import Console
    from rich.table import Table

    from forecast.data.checks import NO_ANOMALIES

    console = Console()
    widths = [max([len(heading), *column.astype(str).str.len()]) for heading, column in report.table.items()]
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    # In a narrow terminal the names of the series are shortened, not the numbers.
    table.add_column("series", no_wrap=True, max_width=max(8, console.width - sum(widths) - len(widths) - 1))
    for heading, width in zip(report.table, widths, strict=True):
        table.add_column(heading, justify="right", no_wrap=True, min_width=width)
    for name, row in report.table.iterrows():
        table.add_row(str(name), *("-" if value is None or value != value else str(value) for value in row))
    console.print(table)
    print()
    for sentence in report.sentences() or [NO_ANOMALIES]:
        print(sentence)


def show_result(result: BacktestResult) -> None:
    """Print what is forecast, the leaderboard, the verdicts, failures, skipped series and anomalies of the prices."""
    from rich.console import Console

    print(f"Forecast: {result.target}.")
    Console().print(_leaderboard(result.leaderboard(), result.reference))
    verdicts = result.verdicts()
    against = verdicts[0].against
    other = "" if against == result.reference else f"; in the verdict, skill is relative to {against}"
    print(f"Skill and wins are relative to {result.reference}{other}.")
    for verdict in verdicts:
        print("\n" + "\n".join([verdict.sentence, *(f"  {line}" for line in verdict.details)]))
    for sentence in verdicts[0].extremes.sentences:
        print(f"\n{sentence}")
    _show_failures(result)
    if len(result.skipped):
        print("\nSkipped series:")
        for row in result.skipped.itertuples():
            print(f"  {row.unique_id}: {row.reason}, at {row.cutoffs} cutoffs ({row.first} to {row.last})")
    _show_findings(result.spec["data"].get("report", {}).get("findings", []))


def _show_findings(findings: list[list[str]]) -> None:
    """Print what concerns all series, such as how the prices were read, and the first findings on single series."""
    if not findings:
        return
    print("\nAbout the prices:")
    single = [f"{name}: {sentence}" for name, sentence in findings if name]
    for line in [sentence for name, sentence in findings if not name] + single[:MAX_LISTED]:
        print(f"  {line}")
    if len(single) > MAX_LISTED:
        print(f"  and {len(single) - MAX_LISTED} more; `forecast check` lists all")


def _show_failures(result: BacktestResult) -> None:
    """Print the failed fits, and the number of rows that remain for the comparison."""
    from forecast.data.panel import format_date

    failures = result.failures()
    if failures.empty:
        return
    common, forecast = result.compared()
    print(f"\nFailed fits; models are compared on the {common:,} of {forecast:,} rows that all of them forecast:")
    for model, rows in failures.groupby("model", sort=False):
        for row in rows.head(MAX_LISTED).itertuples():
            print(f"  {model} at {format_date(row.cutoff)}: {' '.join(row.error.split())}")
        if len(rows) > MAX_LISTED:
            print(f"  {model}: {len(rows) - MAX_LISTED} more")


def _leaderboard(board: pd.DataFrame, reference: str) -> Any:
    from rich.table import Table

    known = {  # headings and formats, which fit into 80 columns; other columns are headed by their name
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
    headings, formats = zip(*(known.get(str(name), (str(name), ".4g")) for name in board), strict=True)
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("model", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, *row in board.itertuples():
        cells = ["-" if value != value else format(value, style) for value, style in zip(row, formats, strict=True)]
        table.add_row(str(name), *cells, style="bold" if name == reference else None)
    return table
