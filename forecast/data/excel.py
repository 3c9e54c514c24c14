"""Read the one sheet of an Excel workbook that contains a table, as the text of a CSV file."""

from __future__ import annotations

import html
import re
import zipfile
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from forecast.data.csv.numbers import is_name

EXCEL = (".xlsx", ".xlsm")
#: A cell of a sheet's XML with a formula and no value, which is not the empty text.
FORMULA_ALONE = re.compile(
    r'<c (?![^>]*t="str")[^>]*?r="([A-Z]+\d+)"[^>]*>\s*<f(?:[^>]*/>|[^>]*>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>'
)


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
    parts = {part.name: part for part in _read_parts(path)}
    name = _choose_sheet(sheets, {name for name, part in parts.items() if part.is_hidden})
    sheet = sheets[name]
    if name in parts:
        _check_formulas(parts[name].cells)
        sheet = _fill_merged(sheet, parts[name].cells)
    return sheet.map(_write_number).to_csv(index=False, header=False)


def _choose_sheet(sheets: Mapping[str, pd.DataFrame], hidden: Collection[str]) -> str:
    """Return the name of the only sheet with a table that Excel shows; raise where there are none or several."""
    tables = [name for name, sheet in sheets.items() if min(sheet.shape) > 1]
    shown = [name for name in tables if name not in hidden]
    if len(shown) == 1:
        return shown[0]
    if tables and not shown:
        listed = ", ".join(map(repr, tables))
        raise ValueError(f"only hidden sheets have a table ({listed}): show the one with the prices in Excel")
    listed = ", ".join(repr(name) for name in sheets if name not in hidden)
    problem = "several sheets have tables" if tables else "no sheet has a table"
    raise ValueError(f"{problem}; the sheets are {listed}: save the one with the prices as a workbook or CSV file")


class _Part(NamedTuple):
    """The name of a sheet, whether Excel hides it, and its cells as XML."""

    name: str
    is_hidden: bool
    cells: str


def _read_parts(path: Path) -> list[_Part]:
    """Return the sheets of a workbook as they are in its archive."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name).decode("utf-8", "replace") for name in archive.namelist() if "xml" in name}
    targets = {
        _attribute(tag, "Id"): _attribute(tag, "Target").rpartition("/")[2]
        for tag in re.findall(r"<Relationship [^>]*>", files.get("xl/_rels/workbook.xml.rels", ""))
    }
    return [
        _Part(
            _attribute(tag, "name"),
            _attribute(tag, "state") in ("hidden", "veryHidden"),
            files.get(f"xl/worksheets/{targets.get(_attribute(tag, 'r:id'))}", ""),
        )
        for tag in re.findall(r"<(?:\w+:)?sheet [^>]*>", files.get("xl/workbook.xml", ""))
    ]


def _attribute(tag: str, name: str) -> str:
    """Return an attribute of an XML tag; "" if it has none with this name."""
    match = re.search(rf'\s{name}="([^"]*)"', tag)
    return html.unescape(match[1]) if match else ""


def _check_formulas(cells: str) -> None:
    """Raise ValueError where a formula has no value, as in a workbook that no spreadsheet has calculated."""
    empty = FORMULA_ALONE.search(cells)
    if empty is not None:
        raise ValueError(
            f"the cell {empty[1]} has a formula without a value: open the workbook in Excel or LibreOffice and save it"
        )


def _fill_merged(sheet: pd.DataFrame, cells: str) -> pd.DataFrame:
    """Return a sheet with the date or text of cells that are merged over several rows in each of these rows."""
    merged = re.findall(r'<mergeCell ref="([A-Z]+)(\d+):([A-Z]+)(\d+)"', cells)
    filled = sheet.copy() if merged else sheet
    for column, top, last_column, bottom in merged:
        at, first, last = _position(column), int(top) - 1, int(bottom)
        if column != last_column or last > len(sheet) or at >= sheet.shape[1]:
            continue
        cell = sheet.iat[first, at]
        if isinstance(cell, datetime) or (isinstance(cell, str) and is_name(cell)):  # a price is not repeated
            filled.iloc[first:last, at] = cell
    return filled


def _position(column: str) -> int:
    """Return the position of a column from its letters.

    >>> [_position(letters) for letters in ("A", "Z", "AB")]
    [0, 25, 27]
    """
    number = 0
    for letter in column:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def _write_number(cell: Any) -> Any:
    """Return a number as text whose point is clearly the decimal one, any other cell as it is."""
    if not isinstance(cell, float) or not re.search(r"\.\d{3}$", text := repr(cell)):
        return cell
    return f"{text}0"
