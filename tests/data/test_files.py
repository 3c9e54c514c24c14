"""Ambiguous files are refused with one sentence; unambiguous files of common formats are read correctly."""

import re

import numpy as np
import pandas as pd
import pytest

from forecast.data.files import read_prices
from forecast.data.panel import as_panel


def read(tmp_path, text, name="file.csv", **options):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_prices(path, **options)


HEAD = "Date,A,B\n"
YAHOO = "Date,Open,High,Low,Close*,Adj Close**,Volume\n"
AMBIGUOUS = {  # name: text, options, part of the error text
    "letters after a quote": (HEAD + '2024-01-02,"1"2,3\n', {}, "line 2 is not readable CSV"),
    "a quote across lines": (
        HEAD + '2024-01-02,"1,2\n2024-01-03,3",4\n',
        {},
        "line 2 opens a quote that ends on a later",
    ),
    "a lone group": (
        "Date;A\n2024-01-02;12,5\n2024-01-03;2.000\n",
        {},
        "line 3 contains '2.000' in 'A', which may mean 20",
    ),
    "a typing error": (
        'Date;A\n2024-01-02;1.235\n2024-01-03;1.240\n2024-01-04;"1,2"\n',
        {},
        "line 2 contains '1.235' in 'A', which may",
    ),
    "a comma for a point": (
        HEAD + '2024-01-02,1.25,2\n2024-01-03,"1,235",2\n',
        {},
        "line 3 contains '1,235' in 'A', which may mean 1235 or 1.235: set decimal=',' or decimal='.'",
    ),
    "thousands or not": (
        "Date;DAX\n2024-01-02;16.769\n2024-01-03;16.538\n",
        {},
        "'16.769' in 'DAX', which may mean 16769",
    ),
    "thousands or not, integers": (
        "Date;A\n2024-01-02;1.000\n2024-01-03;2.000\n",
        {},
        "'1.000' in 'A', which may mean 1000",
    ),
    "stated wrongly": (
        "Date;A\n2024-01-02;1.5\n2024-01-03;2\n",
        {"decimal": ","},
        "line 2 contains '1.5' in 'A', which is not a number with decimal=','",
    ),
    "stated wrongly, points": (
        "Date;A\n2024-01-02;1,5\n2024-01-03;2\n",
        {"decimal": "."},
        "line 2 contains '1,5' in 'A', which is not a number with decimal='.'",
    ),
    "Indian groups": (HEAD + '2024-01-02,"12,34,567.5",2\n', {}, "'12,34,567.5' at 2024-01-02; prices must be numbers"),
    "unquoted commas": (HEAD + "2024-01-02,1,5,2,5\n", {}, "line 2 has more cells than the 3 of the header"),
    "unquoted commas, one empty": (
        HEAD + "2024-01-02,1,5,\n2024-01-03,1,5,2,5\n",
        {},
        "line 2 has more cells than the 3",
    ),
    "a lost cell": (HEAD + "2024-01-02,1\n2024-01-03,1,2\n", {}, "line 2 has fewer cells than the 3 of the header"),
    "no header, dates last": (
        "1.5,2.5,2024-01-02\n3,4,2024-01-03\n",
        {},
        "line 1 contains '2024-01-02', a date or a number",
    ),
    "no header, month names": ("Jan 02 2024,1\nJan 03 2024,2\n", {}, "line 1 contains 'Jan 02 2024', a date or a num"),
    "no header below a title": ("My prices\n\n2024-01-02,1,2\n2024-01-03,3,4\n", {}, "line 3 contains '2024-01-02'"),
    "a row taken for tickers": (
        "Close,Date\nhalt,2024-01-02\n1995,2024-01-03\n",
        {},
        "'halt' at 2024-01-02; prices must",
    ),
    "half a date": (HEAD + "2024-01-02,1,2\n2024-01,3,4\n", {}, "line 3 contains '2024-01' instead of a date"),
    "two date formats": (
        HEAD + "2024-01-02,1,2\n2024/01/03,3,4\n",
        {},
        "line 3 contains '2024/01/03' instead of a date",
    ),
    "a digit lost": ("ds,A\n20240102,1\n2024013,2\n20240104,3\n", {}, "line 3 contains '2024013' instead of a date"),
    "a header cut in two": ("Da,te,A,B,\n2024-01-02,1,2,\n2024-01-03,3,4,\n", {}, "line 2 has fewer cells than the 5"),
    "two formats with words": (
        HEAD + "02-Jan-2024,1,2\nJan 03 2024,3,4\n",
        {},
        "line 3 contains 'Jan 03 2024' instead of a date",
    ),
    "two digits": (HEAD + "2-Jan-24,1,2\n", {}, "line 2 contains '2-Jan-24', whose year has two digits"),
    "two digits first": (HEAD + "24/01/02,1,2\n", {}, "line 2 contains '24/01/02', whose year has two digits"),
    "year 24": (HEAD + "0024-01-02,1,2\n", {}, "line 2 contains '0024-01-02' instead of a date"),
    "year 9999": (HEAD + "2024-01-02,1,2\n9999-12-31,1,2\n", {}, "line 3 contains '9999-12-31' instead of a date"),
    "not day first": (
        HEAD + "01/02/2024,1,2\n01/13/2024,1,2\n",
        {"dayfirst": True},
        "line 3 contains '01/13/2024' instead of a date, read with dayfirst=True: write all",
    ),
    "a column without a name": (
        "Date,A,\n2024-01-02,1,2.5\n2024-01-03,1,3.5\n",
        {},
        "a column has no name and contains 2.5",
    ),
    "half UTF-16": (HEAD.encode("utf-16")[:-1], {}, "not a complete UTF-16 text"),
    "dayfirst": (HEAD, {"dayfirst": "yes"}, "dayfirst must be True or False; got 'yes'"),
    "remarks": ("# a\n# b\n", {}, "the file has only remarks"),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_ambiguous_files_are_refused(case, tmp_path):
    text, options, message = AMBIGUOUS[case]
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read(tmp_path, text, **options)
    assert str(caught.value).startswith("file.csv: ") or case == "dayfirst"
    assert "\n" not in str(caught.value)


TWO_ROWS = {"2024-01-02": [5], "2024-01-03": [1]}
UNAMBIGUOUS = {  # name: text, options, dates and values
    "millions": (
        'Date,A,V\n2024-01-02,12.5,"12,345,678"\n2024-01-03,1,"345,678"\n',
        {},
        {"2024-01-02": [12.5, 12345678], "2024-01-03": [1, 345678]},
    ),
    "stated": (
        HEAD + '2024-01-02,1.25,2\n2024-01-03,"1,235",2\n',
        {"decimal": "."},
        {"2024-01-02": [1.25, 2], "2024-01-03": [1235, 2]},
    ),
    "a comma in quotes": (HEAD + '2024-01-02,"1,5","0,123"\n', {}, {"2024-01-02": [1.5, 0.123]}),
    "in thousandths": (HEAD + "2024-01-02,1.235,0.240\n", {}, {"2024-01-02": [1.235, 0.24]}),
    "semicolons and points": (
        "Date;A\n2024-01-02;1.235\n2024-01-03;0.5\n",
        {},
        {"2024-01-02": [1.235], "2024-01-03": [0.5]},
    ),
    "powers": ("Date;A;V\n2024-01-02;1,5;1,234E+06\n", {}, {"2024-01-02": [1.5, 1234000]}),
    "counted and reversed": (",Date,A\n3,2024-01-03,1\n2,2024-01-02,5\n", {}, TWO_ROWS),
    "counted by pandas": (
        "Unnamed: 0,Date,A\n0,2024-01-02,5\n1,2024-01-03,1\n",
        {},
        {"2024-01-02": [5], "2024-01-03": [1]},
    ),
    "missing values": (
        HEAD + "2024-01-02,1,n.a.\n2024-01-03,-,2\n2024-01-04, NA ,.\n2024-01-05,#N/V,—\n",
        {},
        {"2024-01-02": [1, np.nan], "2024-01-03": [np.nan, 2], "2024-01-04": [np.nan] * 2, "2024-01-05": [np.nan] * 2},
    ),
    "Excel's title": ("My prices,,\n,,\nDate,A,\n2024-01-02,1.5,\n,,\n,,\n", {}, {"2024-01-02": [1.5]}),
    "separators after the header": ("Date;A;;\n2024-01-02;1,5\n", {}, {"2024-01-02": [1.5]}),
    "separators after the rows": ("Date;A\n2024-01-02;1,5;;\n", {}, {"2024-01-02": [1.5]}),
    "commas in names": ('Date;"A, Inc.";"B, Inc."\n2024-01-02;1,5;2,5\n', {}, {"2024-01-02": [1.5, 2.5]}),
    "spaces before quotes": ('"Date", "A"\n"2024-01-02", "1.5"\n', {}, {"2024-01-02": [1.5]}),
    "May first": (HEAD + '"May 31, 2024",1,2\n"Jun 03, 2024",3,4\n', {}, {"2024-05-31": [1, 2], "2024-06-03": [3, 4]}),
    "weekdays": (HEAD + '"Tuesday, 2 January 2024",1,2\n', {}, {"2024-01-02": [1, 2]}),
    "one digit": ("Date;A\n2.1.2024;1,5\n13.1.2024;2,5\n", {}, {"2024-01-02": [1.5], "2024-01-13": [2.5]}),
    "in the afternoon": (HEAD + "1/31/2024 4:00 PM,1,2\n", {}, {"2024-01-31 16:00:00": [1, 2]}),
    "year first with dayfirst": (HEAD + "2024-01-02,1,2\n", {"dayfirst": True}, {"2024-01-02": [1, 2]}),
    "long, with inputs": (
        "Unique_ID;DS;Y;promo\nA;2024-01-02;1,5;7\nNA;2024-01-02;2,5;8\n",
        {},
        {"2024-01-02": [1.5, 2.5]},
    ),
    "stacked, with commas": (
        "ticker;date;open;close\nA;2024-01-02;1,5;2,5\nB;2024-01-02;3,5;4,5\n",
        {},
        {"2024-01-02": [2.5, 4.5]},
    ),
    "Yahoo's page": (
        YAHOO + '"Feb 05, 2021",1,2,3,4.5,4.25,"1,234,567"\n"Feb 05, 2021",0.62 Dividend\n'
        '"Feb 04, 2021",2:1 Stock Splits,,,,,\n"Feb 04, 2021",1,2,3,4,5,-\n',
        {},
        {"2021-02-04": [5], "2021-02-05": [4.25]},
    ),
    "Yahoo's file": (
        "Date,Open,High,Low,Close,Adj Close,Volume\n2021-02-04,1,2,3,4,5,6\n2021-02-05,null,null,null,null,null,null\n",
        {},
        {"2021-02-04": [5], "2021-02-05": [np.nan]},
    ),
}


@pytest.mark.parametrize("case", UNAMBIGUOUS)
def test_unambiguous_files_are_read(case, tmp_path):
    text, options, expected = UNAMBIGUOUS[case]
    for ending in ("\n", "\r\n"):
        prices = read(tmp_path, text.replace("\n", ending), **options)
        assert list(prices.index) == [pd.Timestamp(day) for day in expected]
        np.testing.assert_array_equal(prices.to_numpy(), np.array(list(expected.values()), dtype=float))


@pytest.mark.parametrize("tickers", [["A", "B"], ["LOW", "OPEN"]])
@pytest.mark.parametrize("names", [[None, None], ["Price", "Ticker"], ["Ticker", "Price"]])
def test_each_field_of_a_parquet_file_is_read(names, tickers, tmp_path):
    index = pd.bdate_range("2024-01-01", periods=3, name="Date")
    columns = pd.MultiIndex.from_product([["Open", "Low", "Close"], tickers])
    frame = pd.DataFrame(np.arange(18.0).reshape(3, 6), index=index, columns=columns)
    written = frame if names[0] != "Ticker" else frame.swaplevel(axis=1)
    written.rename_axis(columns=names).to_parquet(tmp_path / "file.parquet")
    for field in ("Open", "Low", "Close"):
        np.testing.assert_array_equal(read_prices(tmp_path / "file.parquet", field)[tickers], frame[field])


@pytest.mark.skipif(pd.__version__ < "3", reason="pandas 2 copies a table where pandas 3 shares it")
@pytest.mark.medium
def test_a_large_parquet_file_is_copied_once(tmp_path):
    """Only the memory of Python and NumPy is traced; Arrow has its own allocator."""
    import tracemalloc

    values = 1 + np.random.default_rng(0).random((2000, 200))
    prices = pd.DataFrame(
        values, pd.bdate_range("2005-01-03", periods=2000, name="Date"), [f"T{i}" for i in range(200)]
    )
    prices.to_parquet(tmp_path / "wide.parquet")
    read_prices(tmp_path / "wide.parquet")
    tracemalloc.start()
    try:
        panel = as_panel(read_prices(tmp_path / "wide.parquet"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * panel.values.nbytes  # the table, the panel and a column
