"""Excel workbooks: the cells of the one sheet with a table are read as those of a text file."""

import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from forecast.data.files import read_prices

DAYS = pd.bdate_range("2024-01-01", periods=6)
SHEET = [["Prices of two stocks", "", ""], ["Date", "AAPL", "IBM"]]
SHEET += [[day.to_pydatetime(), 100 + i % 4, "" if i == 2 else 50.25 + i % 3] for i, day in enumerate(DAYS)]


def sheets(monkeypatch, path, hidden=(), **tables):
    with zipfile.ZipFile(path, "w") as archive:
        states = {name: ' state="hidden"' if name in hidden else "" for name in tables}
        tags = "".join(f'<sheet name="{name}"{state} sheetId="1"/>' for name, state in states.items())
        archive.writestr("xl/workbook.xml", f"<workbook><sheets>{tags}</sheets></workbook>")
    frames = {name: pd.DataFrame(table, dtype=object) for name, table in tables.items()}
    monkeypatch.setattr(pd, "read_excel", lambda *arguments, **options: frames)


def test_a_sheet_is_read_with_its_title_dates_and_empty_cells(monkeypatch, tmp_path):
    sheets(monkeypatch, tmp_path / "x.xlsx", Prices=SHEET, Notes=[["made by hand"]])
    table = read_prices(tmp_path / "x.xlsx")
    assert table.index.tolist() == DAYS.tolist()
    np.testing.assert_array_equal(table["AAPL"], 100.0 + np.arange(6) % 4)
    assert table["IBM"].isna().tolist() == [False, False, True, False, False, False]


def test_numbers_have_a_decimal_point_and_text_may_not(monkeypatch, tmp_path):
    numbers = [["Date", "A"], *([day.to_pydatetime(), round(12.721 + i / 1000, 3)] for i, day in enumerate(DAYS))]
    sheets(monkeypatch, tmp_path / "x.xlsx", Prices=numbers)
    assert read_prices(tmp_path / "x.xlsx")["A"].tolist() == [round(12.721 + i / 1000, 3) for i in range(6)]
    sheets(monkeypatch, tmp_path / "x.xlsx", Prices=[[row[0], str(row[1])] for row in numbers])
    with pytest.raises(ValueError, match=r"may mean 12721 or 12\.721: set decimal=',' or decimal='.'"):
        read_prices(tmp_path / "x.xlsx")


def test_several_sheets_with_tables_are_refused(monkeypatch, tmp_path):
    sheets(monkeypatch, tmp_path / "x.xlsx", A=SHEET, B=SHEET)
    with pytest.raises(ValueError, match=r"x\.xlsx: several sheets have tables; the sheets are 'A', 'B': save the one"):
        read_prices(tmp_path / "x.xlsx")


def test_hidden_sheets_are_not_read(monkeypatch, tmp_path):
    other = [[row[0], *row[2:0:-1]] for row in SHEET]
    sheets(monkeypatch, tmp_path / "x.xlsx", hidden=["Old"], Old=other, Prices=SHEET)
    assert read_prices(tmp_path / "x.xlsx")["AAPL"].tolist() == [100.0, 101, 102, 103, 100, 101]
    sheets(monkeypatch, tmp_path / "x.xlsx", hidden=["Old"], Old=other, Chart=[["see Old"]])
    with pytest.raises(ValueError, match=r"x\.xlsx: only hidden sheets have a table \('Old'\): show the one"):
        read_prices(tmp_path / "x.xlsx")


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    sheets(monkeypatch, tmp_path / "x.xlsx", Prices=SHEET)
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ValueError, match=r"need the package openpyxl: pip install 'forecast\[excel\]'"):
        read_prices(tmp_path / "x.xlsx")


def test_a_workbook_is_read(tmp_path):
    pytest.importorskip("openpyxl")
    pd.DataFrame(SHEET).to_excel(tmp_path / "x.xlsx", index=False, header=False)
    table = read_prices(tmp_path / "x.xlsx")
    assert table.index.tolist() == DAYS.tolist()
    assert table["IBM"].tolist()[:2] == [50.25, 51.25]
    with pd.ExcelWriter(tmp_path / "z.xlsx") as writer:
        pd.DataFrame(SHEET).to_excel(writer, sheet_name="Now & here", header=False, index=False)
        pd.DataFrame(SHEET[::-1]).to_excel(writer, sheet_name="Then & there", header=False, index=False)
        writer.sheets["Then & there"].sheet_state = "hidden"
    assert read_prices(tmp_path / "z.xlsx").equals(table)
    (tmp_path / "y.xlsx").write_bytes((tmp_path / "x.xlsx").read_bytes()[:-40])
    with pytest.raises(ValueError, match="not a readable Excel workbook"):
        read_prices(tmp_path / "y.xlsx")


def book(path, rows, merged=()):
    openpyxl = pytest.importorskip("openpyxl")
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.active.append(row)
    for cells in merged:
        workbook.active.merge_cells(cells)
    workbook.save(path)
    return path


@pytest.mark.parametrize("above", [[], [["My prices"], []]])
def test_merged_cells_have_their_date_or_ticker_in_each_row(tmp_path, above):
    days = [day.to_pydatetime() for day in DAYS]
    first = len(above) + 2
    by_date = [[None, day if k == "A" else None, k, 10.5 * i + (k == "B")] for i, day in enumerate(days) for k in "AB"]
    merged = [f"B{row}:B{row + 1}" for row in range(first, first + 12, 2)]
    path = book(tmp_path / "x.xlsx", [*above, [None, "Date", "Ticker", "Close"], *by_date], merged)
    table = read_prices(path)
    assert table.index.tolist() == DAYS.tolist()
    assert table["B"].tolist() == [10.5 * i + 1 for i in range(6)]
    by_ticker = [[k if i == 0 else None, day, 10.5 * i] for k in "AB" for i, day in enumerate(days)]
    merged = [f"A{first}:A{first + 5}", f"A{first + 6}:A{first + 11}"]
    path = book(tmp_path / "x.xlsx", [*above, ["Ticker", "Date", "Close"], *by_ticker], merged)
    assert read_prices(path)["B"].tolist() == [10.5 * i for i in range(6)]


def test_a_merged_price_is_not_repeated(tmp_path):
    rows = [[day.to_pydatetime(), 1.5 + i] for i, day in enumerate(DAYS)]
    path = book(tmp_path / "x.xlsx", [["Date", "A"], *rows], ["B3:B4"])
    assert read_prices(path)["A"].isna().tolist() == [False, False, True, False, False, False]


@pytest.mark.parametrize("column", [0, 1])
def test_formulas_without_values_are_refused(tmp_path, column):
    rows = [[day.to_pydatetime(), 1.5 + i, 2.5 + i] for i, day in enumerate(DAYS)]
    rows[3][column] = "=A2+1"
    path = book(tmp_path / "x.xlsx", [["Date", "A", "B"], *rows])
    with pytest.raises(ValueError, match=f"the cell {'AB'[column]}5 has a formula without a value: open the workbook"):
        read_prices(path)


def test_a_file_of_another_kind_is_named(tmp_path):
    text = b"Date,A\n2024-01-02,1.5\n"
    for name, content, kind in (
        ("x.xlsx", text, "a text table, although it is named .xlsx: name it .csv"),
        ("x.parquet", text, "a text table, although it is named .parquet: name it .csv"),
        ("x.xlsx", b"\xd0\xcf\x11\xe0" + bytes(50), "an old Excel workbook"),
        ("x.xlsx", b"<html><table>", "a web page or XML, although it is named .xlsx"),
        ("x.csv", b"PK\x03\x04" + bytes(50), "an Excel workbook or a zip archive and no text table"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name}\b.* is {kind}"):
            read_prices(tmp_path / name)
