"""Read the one sheet of an Excel workbook that contains a table, as the text of a CSV file."""

from __future__ import annotations

import html
import re
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd

EXCEL = (".xlsx", ".xlsm")


def read_sheet(path: Path) -> str:
    """Return the cells of the only sheet with a table as comma-separated text, with dates written year first."""
    try:
        sheets = pd.read_excel(
            path, sheet_name=None, header=None, dtype=object, keep_default_na=False, engine="openpyxl"
        )
    except ImportError:
        raise ValueError("Excel files need the package openpyxl: pip install 'forecast[excel]'") from None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError("not a readable Excel workbook, perhaps cut short: save or download it again") from error
    tables = {name: sheet for name, sheet in sheets.items() if min(sheet.shape) > 1}
    if hidden := _hidden_sheets(path) & set(tables):
        sheets = {name: sheet for name, sheet in sheets.items() if name not in hidden}
        tables = {name: sheet for name, sheet in tables.items() if name not in hidden}
    if hidden and not tables:
        listed = ", ".join(map(repr, sorted(hidden)))
        raise ValueError(
            f"only hidden sheets have a table ({listed}): show the one with the prices and hide the others"
        )
    if len(tables) != 1:
        listed = ", ".join(map(repr, sheets))
        problem = "several sheets have tables" if tables else "no sheet has a table"
        raise ValueError(f"{problem}; the sheets are {listed}: save the one with the prices as a workbook or CSV file")
    (sheet,) = tables.values()
    return sheet.map(_write_number).to_csv(index=False, header=False)


def _hidden_sheets(path: Path) -> set[str]:
    """Return the names of the sheets that Excel does not show."""
    with zipfile.ZipFile(path) as archive:
        workbook = archive.read("xl/workbook.xml").decode("utf-8")
    tags = re.findall(r"<(?:\w+:)?sheet [^>]*>", workbook)
    hidden = [tag for tag in tags if re.search(r'state="(?:hidden|veryHidden)"', tag)]
    return {html.unescape(match[1]) for tag in hidden if (match := re.search(r'name="([^"]*)"', tag))}


def _write_number(cell: Any) -> Any:
    """Return a number as text whose point is clearly the decimal one, any other cell as it is."""
    if not isinstance(cell, float) or not re.search(r"\.\d{3}$", text := repr(cell)):
        return cell
    return f"{text}0"
