"""Tables whose form is unusual: numbered series in rows, titles in other columns, quoted line ends, other calendars."""

import re

import numpy as np
import pandas as pd
import pytest

from forecast.data.files import read_prices
from forecast.data.panel import as_panel

DAYS = pd.bdate_range("2020-01-06", periods=12)
QUARTERS = pd.date_range("1992-01-01", periods=16, freq="QS")
HEAD = ",".join(f"{day.year}Q{day.quarter}" for day in QUARTERS)


def read(tmp_path, text, **options):
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    return read_prices(tmp_path / "x.csv", **options)


def rows(form="{day:%Y-%m-%d},{a},{b}"):
    return "".join(form.format(day=day, a=i % 5 + 0.5, b=i % 7 + 0.25) + "\n" for i, day in enumerate(DAYS))


@pytest.mark.parametrize("head", ["Line,", "Line,Name", "No.,Item", "Rank,Country"])
@pytest.mark.parametrize("names", [["Product", "Goods", "Services"], ["Goods", "Durable", "Goods"]])
def test_series_in_numbered_rows_have_their_names(tmp_path, head, names):
    cells = [",".join(str(n * 1000 + i * 7.5) for i in range(16)) for n in (1, 2, 3)]
    lines = [f"{n},{name},{values}" for n, (name, values) in enumerate(zip(names, cells, strict=True), 1)]
    table = read(tmp_path, "Table 1.\n" + "\n".join([f"{head},{HEAD}", *lines]) + "\n")
    assert table.index.tolist() == QUARTERS.tolist()
    assert [re.sub(r" \(.* [13]\)", "", name) for name in table] == names
    assert table.columns.is_unique
    assert table.iloc[0].tolist() == [1000.0, 2000.0, 3000.0]


@pytest.mark.parametrize("blank", ["", ",,,\n"])
@pytest.mark.parametrize("head", [",Date,A,B\n", ",,A,B\n", ",Day,A,B\n"])
def test_a_title_above_a_table_in_another_column_is_left_out(tmp_path, head, blank):
    table = read(tmp_path, ",My prices,,\n" + blank + head + rows(",{day:%Y-%m-%d},{a},{b}"))
    assert list(table) == ["A", "B"]
    assert table.index.tolist() == DAYS.tolist()
    assert any("above it" in note and "left out" in note for note in table.attrs["notes"])


def test_the_name_of_a_single_series_is_no_title(tmp_path):
    assert list(read(tmp_path, ",IBM\n" + rows("{day:%Y-%m-%d},{a}"))) == ["IBM"]
    assert list(read(tmp_path, ",IBM,,\n" + rows("{day:%Y-%m-%d},{a},,"))) == ["IBM"]


@pytest.mark.parametrize("dates", ["{day:%Y-%m-%d}", "{day:%Y-%m-%d}T21:00:00.000000000Z"])
def test_a_header_that_begins_with_a_number_sign_is_read(tmp_path, dates):
    bars = "".join(
        f"{ticker},{dates.format(day=day)},{10 + i % 5},{13 + i % 5},{9 + i % 5},{11 + i % 5}\n"
        for ticker in ("AAPL.O", "IBM.N")
        for i, day in enumerate(DAYS)
    )
    table = read(tmp_path, "#RIC,Date-Time,Open,High,Low,Last\n" + bars)
    assert list(table) == ["AAPL.O", "IBM.N"]
    assert table["IBM.N"].tolist() == [11.0 + i % 5 for i in range(12)]
    assert table.index.normalize().tolist() == DAYS.tolist()
    with pytest.raises(ValueError, match="a date or a number: put a line of names above it"):
        read(tmp_path, bars)


def test_line_ends_in_quotes_are_spaces(tmp_path):
    text = 'Date,"A\nin USD",B,Note\n' + rows('{day:%Y-%m-%d},{a},{b},"first\nsecond, and\nthird"')
    with pytest.warns(UserWarning, match="'Note'"):
        table = read(tmp_path, text)
    assert list(table) == ["A in USD", "B"]
    assert table.index.tolist() == DAYS.tolist()
    with pytest.raises(ValueError, match="line 12 contains 'x' instead of a date"):
        read(tmp_path, text.replace(f"{DAYS[3]:%Y-%m-%d}", "x"))


def test_a_lost_quote_joins_no_rows(tmp_path):
    lines = rows().splitlines()
    lines[3] = lines[3].replace(",", ',"', 1)
    with pytest.raises(ValueError, match="line 5"):
        read(tmp_path, "Date,A,B\n" + "\n".join(lines) + "\n")
    lines[6] = lines[6] + '"'
    with pytest.raises(ValueError, match="line 5 opens a quote"):
        read(tmp_path, "Date,A,B\n" + "\n".join(lines) + "\n")


SECONDS = np.array([int(day.timestamp()) for day in DAYS])
CALENDARS = {
    "100 nanoseconds since year 1": 621_355_968 * 10**9 + SECONDS * 10**7,
    "100 nanoseconds since 1601": 116_444_736 * 10**9 + SECONDS * 10**7,
    "microseconds since 1601": (11_644_473_600 + SECONDS) * 10**6,
    "seconds since 1904": 2_082_844_800 + SECONDS,
    "minutes since 1970": SECONDS // 60,
    "days since 1970": SECONDS // 86400,
    "days since year 0": 719_529 + SECONDS // 86400,
    "Julian days": 2_440_588 + SECONDS // 86400,
    "modified Julian days": 40_587 + SECONDS // 86400,
}


@pytest.mark.parametrize("calendar", CALENDARS)
@pytest.mark.parametrize("name", ["Date", "timestamp", "Trade time"])
def test_numbers_of_other_calendars_are_no_wrong_dates(tmp_path, calendar, name):
    text = f"{name},A\n" + "".join(f"{number},{i % 5 + 0.5}\n" for i, number in enumerate(CALENDARS[calendar]))
    with pytest.raises(ValueError, match=r"write (all )?dates as 2024-01-31"):
        read(tmp_path, text)


def test_old_days_in_nanoseconds_are_dates(tmp_path):
    days = pd.bdate_range("1990-01-01", periods=12)
    text = "Date,A\n" + "".join(f"{int(day.timestamp()) * 10**9},{i % 5 + 0.5}\n" for i, day in enumerate(days))
    assert read(tmp_path, text).index.tolist() == days.tolist()


CELLS = {
    "(12.5)": "brackets may mean that a number is below zero: write -1.5 if it is",
    "12.5-": "a sign behind a number is not read",
    "–12.5": "its sign is no minus: write -",
    "12 1/8": "fractions are not read: write 12.125",
    "112-16": "it may have 32nds or other parts",
    "12.5 p": "a mark behind a number, as of a provisional value, is not read: write the number alone",
    "12.5r": "a mark behind a number",
    "12.5*": "a mark behind a number",
    "12.5 (p)": "a mark behind a number",
    "€12.5": "numbers of the column differ in their currency",
    "12.5%": "not all numbers of the column are percentages",
    '"1,23,456.78"': "its thousands are grouped as in India: write 1234567.5",
    "12.5 or so": "write the number alone, as 1234.5, or leave the cell empty if the price is unknown",
    "halted": "leave the cell empty",
}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", ["A", "Close"])
def test_the_cause_of_a_cell_that_is_no_number_is_named(tmp_path, cell, name):
    cells = [f"{i + 0.5}" for i in range(11)]
    text = f"Date,{name}\n" + "".join(
        f"{day:%Y-%m-%d},{value}\n" for day, value in zip(DAYS, [*cells, cell], strict=True)
    )
    with pytest.raises(ValueError, match=re.escape(cell.strip('"'))) as error:
        read(tmp_path, text)
    assert CELLS[cell] in str(error.value)
    assert "NAME" not in str(error.value)


def test_an_unambiguous_minus_is_read(tmp_path):
    text = "Date,A,B\n" + rows("{day:%Y-%m-%d},\u2212{a},{b}")
    assert read(tmp_path, text)["A"].tolist() == [-(i % 5 + 0.5) for i in range(12)]


@pytest.mark.parametrize("name", ["Last", "Price", "<BID>"])
def test_an_empty_close_is_named_with_the_columns_that_have_values(tmp_path, name):
    text = f"Date,Open,High,Low,Close,{name}\n" + rows("{day:%Y-%m-%d},{b},{b},{b},,{b}")
    with pytest.raises(ValueError, match="every cell of the field 'Close' is empty, and others have values") as error:
        read(tmp_path, text)
    assert ("target='Open'" in str(error.value)) == (name == "<BID>")
    target = "Open" if name == "<BID>" else name
    assert f"target={target!r}" in str(error.value)
    assert read(tmp_path, text, target=target).notna().all(axis=None)


@pytest.mark.parametrize(
    "form",
    [
        "{day:%Y-%m-%d} - {end:%Y-%m-%d}",
        "{day:%Y-%m-%d}/{end:%Y-%m-%d}",
        "{day:%d.%m.%Y} - {end:%d.%m.%Y}",
        "{day:%d.%m.%Y} bis {end:%d.%m.%Y}",
        "{day:%b %d} - {end:%b %d %Y}",
    ],
)
def test_intervals_of_dates_are_refused(tmp_path, form):
    labels = [form.format(day=day, end=day + pd.Timedelta(days=6)) for day in DAYS]
    with pytest.raises(ValueError, match=r"line 2 contains .*, an interval: write one date for each row"):
        read(tmp_path, "Date,A\n" + "".join(f"{label},1.5\n" for label in labels))


def test_cells_between_single_spaces_are_read(tmp_path):
    assert read(tmp_path, "Date Close Volume\n" + rows("{day:%Y-%m-%d} {a} 100")).index.tolist() == DAYS.tolist()
    table = read(tmp_path, "Date Time A\n" + rows("{day:%Y-%m-%d} 09:30 {a}"))
    assert table["A"].tolist() == [i % 5 + 0.5 for i in range(12)]
    assert list(read(tmp_path, "My Date,A b\n" + rows("{day:%Y-%m-%d} 09:30,{a}"))) == ["A b"]


def test_numbers_of_days_are_refused_with_both_remedies(tmp_path):
    with pytest.raises(ValueError, match=r"'1' instead of a date: .*, or name a column that numbers the rows step"):
        read(tmp_path, "Day,A\n" + "".join(f"{i},{i + 0.5}\n" for i in range(1, 30)))


@pytest.mark.parametrize("value", [1.5, None, "abc", {"2024-01-02": 1.5}])
def test_a_mapping_without_series_is_refused(value):
    with pytest.raises(ValueError, match=f"one value for 'A', of type {type(value).__name__}, instead of a series"):
        as_panel({"A": value, "B": value})


def test_a_cell_of_several_values_is_named_by_its_type():
    frame = pd.DataFrame({"A": [1.5, pd.Series([1, 2]), 3]})
    with pytest.raises(ValueError, match=r"'A' contains a value of type Series at 1; prices must be numbers$"):
        as_panel(frame)
