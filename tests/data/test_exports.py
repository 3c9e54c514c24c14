"""Exports of vendors and offices: text above and below the table, dates as names, other encodings and languages."""

import warnings

import numpy as np
import pandas as pd
import pytest

from forecast.data.files import read_prices
from forecast.data.frames import to_frame
from forecast.data.month_names import MONTH_NUMBERS
from forecast.data.panel import as_panel

DAYS = pd.bdate_range("2021-01-04", periods=40)
VALUES = (100 * np.exp(np.random.default_rng(5).normal(0, 0.01, 40).cumsum())).round(2)
OTHER = (200 * np.exp(np.random.default_rng(6).normal(0, 0.01, 40).cumsum())).round(2)


def rows(form="{day:%Y-%m-%d},{value},{other}", days=DAYS):
    lines = (form.format(day=d, value=v, other=o) for d, v, o in zip(days, VALUES, OTHER, strict=True))
    return "".join(f"{line}\n" for line in lines)


def read(folder, text, encoding="utf-8", **options):
    path = folder / "export.csv"
    path.write_bytes(text.encode(encoding))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_prices(path, **options)


def assert_both(prices, names):
    assert list(prices) == names
    assert list(prices.index) == list(DAYS)
    np.testing.assert_array_equal(prices.to_numpy(), np.column_stack([VALUES, OTHER]))


#: Lines above the rows of dates, and the names of the two columns.
ABOVE = {
    "Datastream": (
        "Start,2021-01-04,\nFrequency,D,D\nName,ALPHA,BETA\nCode,@A(P),@B(P)\nCURRENCY,U$,£\n",
        "ALPHA BETA",
    ),
    "Bloomberg": ("Start Date,1/4/2021\nEnd Date,2/26/2021\nCurrency,USD\n\nDates,ALPHA,BETA\n", "ALPHA BETA"),
    "statistics office": (
        'Title,ALPHA,BETA\nCDID,AB12,CD34\nMeasure,"Index, 2010 = 100","Index, 2010 = 100"\nRelease date,17-01-2024,'
        "17-01-2024"
        "\nImportant notes,,\n",
        "ALPHA BETA",
    ),
    "central bank": (
        "F11 EXCHANGE RATES,,\nTitle,Rate,Rate\nFrequency,Daily,Daily\nMeasure,USD,EUR\n,,\nSeries ID,FXA,FXB\n",
        "FXA FXB",
    ),
    "text with commas": ("Rates per dollar, daily\nSource: a bank, London\n\nDate,ALPHA,BETA\n", "ALPHA BETA"),
    "unnamed attributes": (',K1,K2\n,"Kurs, Mittel","Kurs, Ende"\nEinheit,USD,USD\nDimension,Eins,Eins\n', "K1 K2"),
}


@pytest.mark.parametrize("name", ABOVE)
@pytest.mark.parametrize("sep", [",", ";", "\t"])
def test_lines_above_the_rows_are_left_out(name, sep, tmp_path):
    above, names = ABOVE[name]
    text = above + rows()
    if sep != ",":
        text = pd.read_csv(pd.io.common.StringIO(text), header=None, names=range(3), dtype=str, skip_blank_lines=False)
        text = text.to_csv(sep=sep, header=False, index=False)
    prices = read(tmp_path, text)
    assert_both(prices, names.split())
    assert any("above" in note for note in prices.attrs["notes"])


def test_fields_below_the_names_of_instruments(tmp_path):
    head = ",ALPHA US,,BETA US,\nDate,PX_OPEN,PX_LAST,PX_OPEN,PX_LAST\n"
    prices = read(tmp_path, head + rows("{day:%Y-%m-%d},1.5,{value},1.5,{other}"))
    assert_both(prices, ["ALPHA US", "BETA US"])


@pytest.mark.parametrize(
    "damaged", ["yesterday,12.5,13.5", "2021-13-45,12.5,13.5", "12.5,2021-01-04,13.5", "Monday,,13.5"]
)
@pytest.mark.parametrize("head", ["Date,A,B", ",A,B", "day of trade,A,B"])
def test_a_damaged_first_row_is_no_line_of_attributes(damaged, head, tmp_path):
    with pytest.raises(ValueError, match=r"export\.csv: "):
        read(tmp_path, f"{head}\n{damaged}\n{rows()}")


BELOW = {
    "source": "\nSource: a vendor\nDownloaded 2024-01-02 10:00\n",
    "cells": "Source: a bank, London, 2024\n",
    "remark": '"Prices are adjusted for splits, and for nothing else",,\n',
    "total": "Average,101.5,203.0\nMax,105,210\n",
    "marks": "* preliminary\n\n",
    "other language": "数据来源:某网站\n",
}


@pytest.mark.parametrize("name", BELOW)
def test_lines_below_the_rows_are_left_out_with_a_note(name, tmp_path):
    prices = read(tmp_path, "Date,A,B\n" + rows() + BELOW[name])
    assert_both(prices, ["A", "B"])
    assert any("line 42, " in note or "line 43, " in note for note in prices.attrs["notes"])


def test_a_repeated_header_is_left_out_and_another_one_is_refused(tmp_path):
    lines = ["Date,A,B", *rows().splitlines()]
    assert_both(read(tmp_path, "\n".join([*lines[:20], lines[0], *lines[20:]])), ["A", "B"])
    with pytest.raises(ValueError, match="line 21 contains 'Date' instead of a date"):
        read(tmp_path, "\n".join([*lines[:20], "Date,C,D", *lines[20:]]))
    with pytest.raises(ValueError, match="several columns are called 'Date', so series may have dates of their own"):
        read(tmp_path, "Date,A,Date,B\n" + rows("{day:%Y-%m-%d},{value},{day:%Y-%m-%d},{other}"))


@pytest.mark.parametrize("form", ["{}", "X{}", "{0} [YR{0}]"])
def test_years_as_columns_are_read_as_a_series_per_row(form, tmp_path):
    head = ["Country Name", "Country Code", "Indicator Name", *(form.format(1960 + i) for i in range(40))]
    lines = [head, ["Alpha", "AAA", "GDP", *VALUES], ["Beta", "BBB", "GDP", *OTHER]]
    text = "\n".join(",".join(f'"{cell}"' for cell in line) + "," for line in lines)
    prices = read(tmp_path, '"Data Source","Indicators",\n\n"Last Updated Date","2024-01-02",\n\n' + text + "\n")
    assert list(prices) == ["Alpha", "Beta"]
    assert list(prices.index) == list(pd.date_range("1960", periods=40, freq="YS"))
    np.testing.assert_array_equal(prices.to_numpy(), np.column_stack([VALUES, OTHER]))
    with pytest.raises(ValueError, match="select the rows of one 'Indicator Name'"):
        read(tmp_path, text + "\n" + text.split("\n", 1)[1].replace("GDP", "CPI"))


def test_tables_with_dates_as_columns_are_transposed_or_refused():
    names = ["Country", "Code", *range(1980, 2020)]
    table = pd.DataFrame([["Alpha", "A", *VALUES], ["Beta", "B", *OTHER]], columns=names)
    assert as_panel(table).series == ("Alpha", "Beta")
    np.testing.assert_array_equal(as_panel(table).target, np.column_stack([VALUES, OTHER]))
    dated = pd.DataFrame([VALUES, OTHER], index=["Alpha", "Beta"], columns=DAYS)
    with pytest.raises(ValueError, match=r"each row is a series \('Alpha'\) .* as prices\.T does"):
        as_panel(dated)
    assert as_panel(dated.T).series == ("Alpha", "Beta")


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%b %d, %Y", "%Y/%m/%d"])
def test_dates_as_columns_are_read_as_a_series_per_row(form, tmp_path):
    lines = [["Region", *(f"{day:{form}}" for day in DAYS)], ["Alpha", *VALUES], ["Beta", *OTHER]]
    assert_both(read(tmp_path, "\n".join(";".join(map(str, line)) for line in lines)), ["Alpha", "Beta"])


def test_a_table_of_months_by_years_is_refused(tmp_path):
    with pytest.raises(ValueError, match="each row is a part of a year"):
        read(tmp_path, "Month,2020,2021,2022\nJan,1,2,3\nFeb,1,2,3\n")
    with pytest.raises(ValueError, match="each row is a part of a year"):
        read(tmp_path, "Hour,2020,2021,2022\n0,1,2,3\n1,1,2,3\n")


@pytest.mark.parametrize("fraction", [0, 0.5])
def test_days_as_excel_counts_them(fraction, tmp_path):
    numbers = (DAYS - pd.Timestamp("1899-12-30")).days + fraction
    text = "Date,A,B\n" + "".join(f"{n},{v},{o}\n" for n, v, o in zip(numbers, VALUES, OTHER, strict=True))
    prices = read(tmp_path, text)
    assert list(prices.index) == list(DAYS + pd.Timedelta(days=fraction))
    assert "Excel" in prices.attrs["notes"][0]
    frame = to_frame(pd.DataFrame({"Date": numbers, "A": VALUES}))
    assert list(frame.index) == list(prices.index)
    steps = read(tmp_path, text.replace("Date", "step", 1)) if not fraction else None
    assert steps is None or list(steps.index) == list(numbers)


@pytest.mark.parametrize("name", ["ds", "Date", "time"])
def test_years_of_two_digits_are_refused_not_counted(name, tmp_path):
    for form in ("{day:%y%m%d},{value},{other}", "{day:%d-%b-%y},{value},{other}", "{day:%b-%y},{value},{other}"):
        with pytest.raises(ValueError, match="year has two digits"):
            read(tmp_path, f"{name},A,B\n" + rows(form))


LANGUAGES = {
    "English": "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec",
    "German": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "German, short": "Jan. Feb. Mrz. Apr. Mai Jun. Jul. Aug. Sep. Okt. Nov. Dez.",
    "French": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "French, capitals": "JANVIER FÉVRIER MARS AVRIL MAI JUIN JUILLET AOÛT SEPTEMBRE OCTOBRE NOVEMBRE DÉCEMBRE",
    "Spanish": "ene feb mar abr may jun jul ago sept oct nov dic",
    "Spanish, long": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "Portuguese": "jan fev mar abr mai jun jul ago set out nov dez",
    "Italian": "gen feb mar apr mag giu lug ago set ott nov dic",
    "Dutch": "jan feb mrt apr mei jun jul aug sep okt nov dec",
    "Danish": "januar februar marts april maj juni juli august september oktober november december",
}
DATE_FORMS = ("{d} {m} {y}", "{d:02d}-{m}-{y}", "{d}. {m} {y}", "{m} {d}, {y}", "{d} de {m} de {y}", "{d}/{m}/{y}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_months_have_names_in_several_languages(language, tmp_path):
    names = LANGUAGES[language].split()
    days = pd.date_range("2020-01-15", periods=40, freq="14D")
    for form in DATE_FORMS:
        dates = [form.format(d=day.day, m=names[day.month - 1], y=day.year) for day in days]
        text = "Date;A;B\n" + "".join(f"{d};{v};{o}\n" for d, v, o in zip(dates, VALUES, OTHER, strict=True))
        assert list(read(tmp_path, text).index) == list(days), form
    months = "".join(f"{2020 + i // 12};{names[i % 12]};{VALUES[i]}\n" for i in range(24))
    expected = list(pd.date_range("2020-01", periods=24, freq="MS"))
    assert list(read(tmp_path, "Year;Month;A\n" + months).index) == expected
    joined = "".join(f"{names[i % 12]} {2020 + i // 12};{VALUES[i]}\n" for i in range(24))
    assert list(read(tmp_path, "Date;A\n" + joined).index) == expected


def test_no_name_of_a_month_means_two_months():
    assert all(MONTH_NUMBERS[name] == number for name, number in (("mai", 5), ("mag", 5), ("juin", 6), ("lug", 7)))
    assert len(MONTH_NUMBERS) == sum(list(MONTH_NUMBERS.values()).count(number) for number in range(1, 13))


ENCODED = {
    "cp1252": "Datum,Größe,Ägypten",
    "latin-1": "Fecha,España,Perú",
    "gb18030": "日期,A,B",
    "cp932": "日付,A,B",
    "cp949": "날짜,A,B",
    "cp1250": "Data,Śląsk,Łódź",
    "cp1251": "Дата,A,B",
    "utf-16": "日期,A,B",
    "utf-16-le": "Date,A,B",
    "utf-16-be": "Date,A,B",
    "utf-32": "Date,A,Ä",
    "utf-8-sig": "Date,A,Ä",
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_encodings_are_found(encoding, tmp_path):
    prices = read(tmp_path, ENCODED[encoding] + "\n" + rows("{day:%Y-%m-%d},{value:.2f},{other:.1f}"), encoding)
    assert list(prices) == ENCODED[encoding].split(",")[1:]
    np.testing.assert_array_equal(prices.iloc[:, 0], VALUES)
    noted = not encoding.startswith("utf")
    assert any("is not UTF-8 text and is read as" in note for note in prices.attrs.get("notes", [])) == noted


def test_an_encoding_that_is_not_clear_is_refused(tmp_path):
    with pytest.raises(ValueError, match="line 1 is not UTF-8 text, and its encoding is not clear: save the file"):
        read(tmp_path, "Date,贵州茅台,五粮液\n" + rows(), "gb18030")


@pytest.mark.parametrize("form", ['="{}"', '"=""{}"""'])
def test_cells_that_excel_must_not_change(form, tmp_path):
    cells = "{day:%Y-%m-%d}", "{value}", "{other}"
    text = ",".join(map(form.format, ("Date", "A", "B"))) + "\n" + rows(",".join(form.format(cell) for cell in cells))
    assert_both(read(tmp_path, text), ["A", "B"])
    codes = "Date,Code,Close\n" + rows('{day:%Y-%m-%d},="000001",{value}\n{day:%Y-%m-%d},="000002",{other}')
    assert_both(read(tmp_path, codes), ["000001", "000002"])


ONE = "".join(f"{day:%Y-%m-%d},{value}\n" for day, value in zip(DAYS, VALUES, strict=True))
#: Files of one series, however they write it.
WRITTEN = {
    "names of rows, as R": "Date,A\n" + "".join(f"{i},{x}\n" for i, x in enumerate(ONE.split(), 1)),
    "numbered, with #": "#,Date,A\n" + "".join(f"{i},{x}\n" for i, x in enumerate(ONE.split(), 1)),
    "aligned by spaces": "Title:    A, daily\n\nDATE          A\n" + ONE.replace(",", "    "),
    "lines in quotes": '"Date,A"\n' + "".join(f'"{x}"\n' for x in ONE.split()),
    "a currency without a name": "Date,A,\n" + ONE.replace("\n", ",EUR\n"),
    "an empty column of flags": "Date,A,A_FLAGS\n" + ONE.replace("\n", ",\n"),
    "dates in an unnamed dialect": "ticker,DTYYYYMMDD,A\n" + "".join(f"A,{x.replace('-', '')}\n" for x in ONE.split()),
    "dates found by their form": "ticker,jour_bourse,A\n" + "".join(f"A,{x.replace('-', '')}\n" for x in ONE.split()),
    "month first, with hyphens": "Pricing Date,A\n"
    + "".join(f"{day:%b-%d-%Y},{value}\n" for day, value in zip(DAYS, VALUES, strict=True)),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_one_series_is_read_however_it_is_written(name, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = tmp_path / "A.csv"
        path.write_text(WRITTEN[name])
        prices = read_prices(path)
    assert list(prices) == ["A"]
    assert list(prices.index) == list(DAYS)
    np.testing.assert_array_equal(prices["A"], VALUES)


@pytest.mark.parametrize("form", ["{y}-T{q}", "T{q} {y}", "{q}T{y}", "{y}K{q}", "{y}Q{q}"])
def test_quarters_have_other_letters_in_other_languages(form, tmp_path):
    quarters = pd.date_range("2001", periods=40, freq="QS")
    dates = [form.format(y=day.year, q=day.quarter) for day in quarters]
    text = "Date,A\n" + "".join(f"{date},{value}\n" for date, value in zip(dates, VALUES, strict=True))
    assert list(read(tmp_path, text).index) == list(quarters)


NO_TABLES = {
    "<!DOCTYPE html>\n<html><body>Too many requests, wait</body></html>\n": "a web page or XML",
    '{"Date": ["2021-01-04"], "Close": [1]}\n': "JSON",
    '[{"Date": "2021-01-04", "Close": 1}]\n': "JSON",
    "PK\x03\x04, and more": "an Excel workbook or a zip archive",
    "%PDF-1.4, and more": "a PDF document",
}


@pytest.mark.parametrize("text", NO_TABLES)
def test_files_that_are_no_tables_are_named(text, tmp_path):
    with pytest.raises(ValueError, match=rf"^export\.csv: this is {NO_TABLES[text]} and no text table: download"):
        read(tmp_path, text)


#: Dates that only look like those that are read.
OTHER_DATES = {
    "days since 1970, of R": "{n}",
    "years of the Buddhist era": "{day:%d/%m}/2564",
    "years of Persia": "1400/{day:%m/%d}",
    "years of an emperor": "R3.{day.month}.{day.day}",
}


@pytest.mark.parametrize("name", OTHER_DATES)
def test_dates_of_other_calendars_are_refused(name, tmp_path):
    numbers = (DAYS - pd.Timestamp("1970-01-01")).days
    form = OTHER_DATES[name]
    text = "Date,A\n" + "".join(f"{form.format(day=d, n=n)},1.5\n" for d, n in zip(DAYS, numbers, strict=True))
    with pytest.raises(ValueError, match=r"line 2 contains '.*' instead of a date"):
        read(tmp_path, text)


def test_tables_with_dates_of_their_own_are_refused(tmp_path):
    text = "Date,A,Date.1,B\n" + "".join(
        f"{day:%Y-%m-%d},{value},{day - pd.Timedelta(days=400):%Y-%m-%d},{value}\n"
        for day, value in zip(DAYS, VALUES, strict=True)
    )
    with pytest.raises(
        ValueError, match=r"'Date' and 'Date\.1' have different dates, so series have dates of their own"
    ):
        read(tmp_path, text)
    with pytest.raises(ValueError, match="'1990 Q1' and rows before it years such as '1988', so they are of several"):
        read(tmp_path, "Date,A\n1988,1.5\n1989,1.5\n1990 Q1,1.5\n1990 Q2,1.5\n")


# --- what the values show, whatever the names ---


def _bars(n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    close = 100 * np.exp(0.01 * rng.normal(size=n).cumsum())
    start = close * np.exp(0.003 * rng.normal(size=n))
    dates = pd.bdate_range("2021-01-04", periods=n)
    high, low = np.maximum(start, close) * 1.004, np.minimum(start, close) * 0.996
    bars = {"Open": start, "High": high, "Low": low, "Close": close}
    return pd.DataFrame({"Date": dates} | {name: values.round(2) for name, values in bars.items()})


def _read(tmp_path, table: pd.DataFrame, **options) -> pd.DataFrame:
    path = tmp_path / "prices.csv"
    table.to_csv(path, index=False, date_format="%Y-%m-%d")
    return read_prices(path, **options)


def test_close_of_another_name_is_chosen_by_it(tmp_path):
    bars = _bars()
    table = bars.rename(columns={"Close": "Nominal Price"}).drop(columns="Open")
    for options in ({}, {"target": "Nominal Price"}):
        assert _read(tmp_path, table, **options).iloc[:, 0].tolist() == bars["Close"].tolist()


def test_bars_without_a_close_are_a_question(tmp_path):
    bars = _bars()
    previous = bars.drop(columns="Close").assign(Vortag=bars["Close"].shift(1).fillna(100))
    with pytest.raises(ValueError, match="not clear which column is the close"):
        _read(tmp_path, previous)


@pytest.mark.parametrize("cell", ["", "0"])
def test_an_adjusted_close_without_values_gives_way_to_the_close(tmp_path, cell):
    bars = _bars()
    assert _read(tmp_path, bars.assign(**{"Adj Close": cell})).iloc[:, 0].tolist() == bars["Close"].tolist()


@pytest.mark.parametrize("name", ["Stkcd", "WKN", "Contract", "Foo"])
def test_codes_of_any_name_have_their_leading_zeros(tmp_path, name):
    bars = _bars()[["Date", "Close"]]
    table = pd.concat([bars.assign(**{name: "000001"}), bars.assign(**{name: "000002"})])[["Date", name, "Close"]]
    assert list(_read(tmp_path, table).columns) == ["000001", "000002"]


def test_am_and_pm_in_a_column_of_their_own_are_refused(tmp_path):
    table = pd.DataFrame({"Date": np.repeat(["2021-03-01", "2021-03-02"], 2), "Time": ["09:30", "04:00"] * 2})
    with pytest.raises(ValueError, match="write both in one column, such as 9:30 AM"):
        _read(tmp_path, table.assign(half=["AM", "PM"] * 2, Close=[1.0, 2.0, 3.0, 4.0]))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y"])
def test_dates_that_a_spreadsheet_half_converted_are_refused(tmp_path, form, reverse):
    """Days up to 12 were read with the month first; the order of the rows shows it."""
    bars = _bars()[["Date", "Close"]]
    other = {"%d/%m/%Y": "%m/%d/%Y", "%m/%d/%Y": "%d/%m/%Y"}[form]
    text = [date.strftime(other if date.day <= 12 else form) for date in bars["Date"]]
    table = bars.assign(Date=text).iloc[:: -1 if reverse else 1]
    with pytest.raises(ValueError, match="write all dates as 2024-01-31"):
        _read(tmp_path, table)
    whole = bars.assign(Date=bars["Date"].dt.strftime(form)).iloc[:: -1 if reverse else 1]
    assert _read(tmp_path, whole).iloc[:, 0].sort_index().tolist() == bars["Close"].tolist()


def test_the_message_names_the_cell_that_is_no_number(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text(
        "Datum;Schlusskurs\n01.03.2021;100,51\n02.03.2021;100,87\n03.03.2021;ausgesetzt\n15.03.2021;101,2\n"
    )
    with pytest.raises(ValueError, match=r"'ausgesetzt' at 2021-03-03.*leave the cell empty"):
        read_prices(path)
