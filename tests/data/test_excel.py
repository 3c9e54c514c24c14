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
    (tmp_path / "x.xlsx").write_bytes(b"x")
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
