"""Text output that fits the width of a terminal: progress bars, leaderboard, verdicts and price checks."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from forecast._text import plain
from forecast.cli.app import print_line

if TYPE_CHECKING:
    import pandas as pd

    from forecast.backtesting import BacktestResult
    from forecast.data.checks import PriceReport
    from forecast.evaluation.leaderboard import Leaderboard
    from forecast.evaluation.verdicts import Verdicts

MIN_NAME = 16  # width to which names are shortened at most
MARGIN = "    "  # of the paragraphs of an entry
MAX_LISTED = 5  # failed fits of a model, or findings, that are printed; the files of the run contain all


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]], bold: str | None = None) -> None:
    """Print a table whose first column has names and whose other columns have numbers, dates and the like.

    No cell is wrapped and no number is cut: where a table is wider than the terminal, its names are shortened in the
    middle as far as they stay different, and columns that still have no space follow below. In a pipe without COLUMNS
    every width has space. `bold` is the name of a row.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    available = console.width if console.is_terminal or "COLUMNS" in os.environ else sys.maxsize
    widths = [max(map(cell_len, column)) for column in zip(headings, *rows, strict=True)][1:]
    names = shorten_names([plain(row[0]) for row in rows], max(available - sum(widths) - len(widths) - 1, MIN_NAME))
    longest = max(map(cell_len, [headings[0], *names]))
    for i, block in enumerate(_blocks(widths, available - longest - 1)):
        table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
        table.add_column(headings[0], no_wrap=True)
        for j in block:
            table.add_column(headings[j + 1], justify="right", no_wrap=True)
        for name, row in zip(names, rows, strict=True):
            cells = [name, *(row[j + 1] for j in block)]
            table.add_row(*map(Text, cells), style="bold" if row[0] == bold else None)
        if i:
            print_line()
        console.width = max(console.width, longest + 1 + sum(widths[j] + 1 for j in block))
        console.print(table)


def format_number(value: float, digits: int) -> str:
    """Return a number with this many significant digits, and with all digits before the point: never as 1.2e+06.

    >>> format_number(1234567.8, 4), format_number(0.0012345, 4), format_number(98.76543, 4)
    ('1234568', '0.001234', '98.77')
    """
    return f"{value:.0f}" if 10**digits <= abs(value) < 1e15 else f"{value:.{digits}g}"


def _blocks(widths: Sequence[int], available: int) -> list[list[int]]:
    """Return the columns that are printed side by side, at least one in each block."""
    blocks: list[list[int]] = [[]]
    for j, width in enumerate(widths):
        if blocks[-1] and sum(widths[i] + 1 for i in blocks[-1]) + width + 1 > available:
            blocks.append([])
        blocks[-1].append(j)
    return blocks


def shorten_names(names: Sequence[str], width: int) -> list[str]:
    """Return names of at most `width` cells of a terminal, or of as many more as different names need to differ.

    >>> shorten_names(["class A of a fund", "class B of a fund"], 9), shorten_names(["a fund, A", "a fund, B"], 7)
    (['class A … a fund', 'class B … a fund'], ['a f…, A', 'a f…, B'])
    """
    short = {name: shorten_middle(name, width) for name in names}
    while len(set(short.values())) < len(short):
        width += max(width // 4, 1)
        short = {name: shorten_middle(name, width) for name in short}
    return [short[name] for name in names]


def shorten_middle(text: str, width: int) -> str:
    """Return text in at most `width` cells of a terminal, with an ellipsis in place of its middle.

    >>> shorten_middle("a very long name.csv", 9)
    'a ve….csv'
    """
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    tail = (width - 1) // 2
    return set_cell_size(text, width - 1 - tail) + "…" + set_cell_size(text[::-1], tail)[::-1]


def show_entry(name: str, *paragraphs: str) -> None:
    """Print an entry of a list: its name, and indented paragraphs wrapped between words."""
    print_line(name)
    for paragraph in paragraphs:
        for line in _wrap(paragraph, MARGIN, MARGIN):
            print_line(line)


def show_sentence(sentence: str, margin: str = "") -> None:
    """Print a sentence: in a terminal wrapped between words, in a pipe as one line, which other programs can search."""
    for line in _wrap(sentence, margin, margin and 2 * margin) if sys.stdout.isatty() else [margin + sentence]:
        print_line(line)


def _wrap(text: str, margin: str, hanging: str) -> list[str]:
    """Return text as lines of the terminal's width; those after the first start with `hanging`."""
    from textwrap import TextWrapper

    from rich.console import Console

    wrapper = TextWrapper(Console().width, initial_indent=margin, subsequent_indent=hanging)
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    return wrapper.wrap(plain(text))


def show_prices(report: PriceReport) -> None:
    """Print the table and the anomalies of a price check."""
    from forecast.data.checks import NO_ANOMALIES

    rows = [
        [str(name), *("-" if value is None or value != value else str(value) for value in row)]
        for name, row in report.table.iterrows()
    ]
    show_table(["series", *report.table], rows)
    print_line()
    for sentence in report.sentences() or [NO_ANOMALIES]:
        show_sentence(sentence)


def show_result(result: BacktestResult, verdicts: Verdicts, leaderboard: Leaderboard) -> None:
    """Print what is forecast, the verdicts, the leaderboard, failures, and what concerns the prices."""
    show_sentence(f"Forecast: {result.target}.")
    print_line()
    for sentence in verdicts.sentences:
        show_sentence(sentence)
    print_line()
    _show_leaderboard(leaderboard, result.reference)
    show_sentence(
        f"Skill (of the point forecast), spread (skill of the quantiles) and wins: against {result.reference}. "
        "Coverage: of the lowest to the highest quantile."
    )
    for verdict in verdicts:
        _show_section(f"{verdict.question}, against {verdict.against}: {verdict.note}", verdict.details)
    for sentence in verdicts.set_apart:
        _show_section(sentence)
    _show_failures(result)
    if len(result.skipped):
        reasons = [
            f"{row.unique_id}: {row.reason}, at {row.cutoffs} cutoffs ({row.first} to {row.last})"
            for row in result.skipped.itertuples()
        ]
        _show_section("Skipped series:", reasons)
    _show_findings(result.spec["data"].get("report", {}).get("findings", []))


def _show_section(title: str, lines: Sequence[str] = ()) -> None:
    """Print an empty line, a title and indented lines."""
    print_line()
    show_sentence(title)
    for line in lines:
        show_sentence(line, margin="  ")


def show_notes(notes: Sequence[str]) -> None:
    """Print sentences about the prices, if there are some."""
    if notes:
        _show_section("About the data:", notes)


def _show_findings(findings: list[list[str]]) -> None:
    """Print what concerns all series, such as how the prices were read, and the first findings on single series."""
    if not findings:
        return
    single = [f"{name}: {sentence}" for name, sentence in findings if name]
    lines = [sentence for name, sentence in findings if not name] + single[:MAX_LISTED]
    if len(single) > MAX_LISTED:
        lines.append(f"and {len(single) - MAX_LISTED} more; `forecast check` lists all")
    show_notes(lines)


def _show_failures(result: BacktestResult) -> None:
    """Print the failed fits, and the number of rows that remain for the comparison."""
    from forecast.data.panel import format_date

    failures = result.failures()
    if failures.empty:
        return
    common, forecast = result.compared()
    lines = []
    for model, rows in failures.groupby("model", sort=False):
        for row in rows.head(MAX_LISTED).itertuples():
            lines.append(f"{model} at {format_date(row.cutoff)}: {' '.join(row.error.split())}")
        if len(rows) > MAX_LISTED:
            lines.append(f"{model}: {len(rows) - MAX_LISTED} more")
    compared = f"models are compared on the {common:,} of {forecast:,} rows that all of them forecast"
    _show_section(f"Failed fits; {compared}:", lines)


def _show_leaderboard(board: pd.DataFrame, reference: str) -> None:
    board = board.drop(columns=["seconds_predict", *(() if board["failures"].any() else ["failures"])])
    known = {  # headings and formats, which fit into 80 columns; other columns are headed by their name
        "skill": ("skill", "+.2%"),
        "spread": ("spread", "+.2%"),
        "mase": ("MASE", ".3f"),
        "rmse": ("RMSE", ".4g"),
        "mae": ("MAE", ".4g"),
        "coverage": ("coverage", ".0%"),
        "direction": ("direction", ".0%"),
        "win_rate": ("wins", ".0%"),
        "seconds_fit": ("fit s", ".1f"),
        "failures": ("fail", ".0f"),
    }
    headings, formats = zip(*(known.get(str(name), (str(name), ".4g")) for name in board), strict=True)
    rows = [
        [str(name), *("-" if x != x else _formatted(x, style) for x, style in zip(row, formats, strict=True))]
        for name, *row in board.itertuples()
    ]
    show_table(["model", *headings], rows, bold=reference)


def _formatted(value: float, style: str) -> str:
    return format_number(value, 4) if style == ".4g" else format(value, style)
