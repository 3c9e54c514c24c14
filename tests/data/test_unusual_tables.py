"""Tables whose form is unusual: numbered series in rows, titles in other columns, quoted line ends, other calendars."""

import re

import numpy as np
import pandas as pd
import pytest

from forecast.data.files import read_prices

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
