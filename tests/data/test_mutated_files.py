"""A thousand price files of random formats, half of them damaged: each is read correctly or refused, never misread."""

import csv
import datetime
import io
import re
import warnings

import numpy as np
import pandas as pd
import pytest

from forecast.data.files import read_prices

FILES, CHUNK = 1000, 50
MISSING = ("", "NA", "NaN", "nan", "null", "N/A", "#N/A", "n.a.", "-", "NULL", "None", "#N/V")
FORMS = ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%b %d, %Y", "%d-%b-%Y", "%A, %d %B %Y")
FIELDS = ["Open", "High", "Low", "Close", "Adj Close", "Volume"]


class Truth:
    """Prices with gaps: tickers side by side or stacked, or all fields of one."""

    def __init__(self, rng, shape=None):
        self.shape = shape or str(rng.choice(["wide", "long", "fields"], p=[0.5, 0.25, 0.25]))
        rows, tickers = int(rng.integers(3, 30)), int(rng.integers(1, 5))
        days = pd.bdate_range("2021-01-04", periods=400)[rng.choice(400, rows, replace=False)].sort_values()
        names = FIELDS if self.shape == "fields" else [f"T{i}" for i in range(tickers)]
        steps = rng.normal(0, 0.02, (rows, len(names))).cumsum(axis=0)
        values = np.exp(steps) * 10.0 ** rng.integers(0, 5, len(names))
        digits = int(rng.choice([2, 4, 17]))
        values = values if digits == 17 else np.round(values, digits)
        values[0, 0] = np.floor(values[0, 0]) + 0.25  # one number that proves the decimal mark
        gaps = rng.random(values.shape) < 0.05
        gaps[[0, -1]] = False
        self.prices = pd.DataFrame(values, index=days, columns=names).mask(gaps)
        if self.shape == "fields":
            self.prices["Volume"] = np.floor(1e7 * values[:, -1])

    def table(self, style):
        """Return the header and the rows in a style."""
        shown = self.prices[::-1] if style.newest_first else self.prices
        days = [f"{day:{style.dates}}" for day in shown.index]
        cells = [[style.number(value) for value in row] for row in shown.to_numpy()]
        if self.shape != "long":
            head = [style.head, *(style.case(name) if self.shape == "fields" else name for name in shown)]
            return [head, *([day, *row] for day, row in zip(days, cells, strict=True))]
        rows = [[name, day, row[i]] for day, row in zip(days, cells, strict=True) for i, name in enumerate(shown)]
        return [[style.case("unique_id"), style.case("ds"), style.case("y")], *rows]

    @property
    def positions(self):
        """The columns of the date and of a value that is read."""
        return {"wide": (0, 1), "long": (1, 2), "fields": (0, 5)}[self.shape]


class Style:
    """The format of a file, which must not change what is read."""

    def __init__(self, rng):
        self.mark = rng.choice([".", ","], p=[0.6, 0.4])
        self.sep = str(rng.choice([",", ";", "\t", "|"]))
        self.thousands = rng.random() < 0.3
        self.dates = str(rng.choice(FORMS))
        self.head = str(rng.choice(["Date", "date", "DATE", "ds", " Date", "timestamp"]))
        self.case = [str, str.upper, str.lower][int(rng.integers(3))]
        self.newest_first = rng.random() < 0.3
        self.missing = str(rng.choice(MISSING))
        self.ends = str(rng.choice(["\n", "\r\n", "\r"], p=[0.6, 0.3, 0.1]))
        self.encoding = str(rng.choice(["utf-8", "utf-8-sig", "utf-16", "cp1252"], p=[0.5, 0.3, 0.1, 0.1]))
        self.spaces = rng.random() < 0.2
        self.quotes = rng.random() < 0.2
        above = ["", "Daily prices\n", f"# Schlußkurse{self.sep}{self.sep}\n\n# twice\n", f"sep={self.sep}\n"]
        self.above = str(rng.choice(above, p=[0.7, 0.1, 0.1, 0.1]))
        self.between = str(rng.choice(["\n", "\n\n"], p=[0.9, 0.1]))
        self.trailing = str(rng.choice(["", self.sep, self.sep * 2], p=[0.8, 0.1, 0.1]))
        self.below = str(rng.choice(["", "\n", "\n\n", f"{self.sep * 3}\n"]))
        self.dayfirst = {"%d.%m.%Y": True, "%d/%m/%Y": True, "%m/%d/%Y": False}.get(self.dates)

    def number(self, value):
        if np.isnan(value):
            return self.missing
        value = int(value) if value > 1e6 else float(value)
        text = f"{value:,}" if self.thousands else f"{value}"
        return text.translate(str.maketrans(",.", ".,")) if self.mark == "," else text

    def cell(self, text):
        text = f" {text} " if self.spaces and text else text
        return f'"{text}"' if self.quotes or self.sep in text else text

    def join(self, rows):
        body = "".join(self.sep.join(map(self.cell, row)) + self.trailing + self.between for row in rows)
        return (self.above + body + self.below).replace("\n", self.ends)


# --- damage: each function takes the rows, the columns of date and value, the style and a generator -----------------


def duplicate_row(rows, day, value, style, rng):
    rows.append(list(rows[random_row(rows, rng)]))


def duplicate_column(rows, day, value, style, rng):
    for row in rows:
        row.append(row[value])


def put_word_in_cell(rows, day, value, style, rng):
    words = ["halt", "+", "?", "1.2.3", "12,34,5", "1e", "--5", "0x1F", "1_000", "12 5", "１２", "=1", "(5)", "1.2M"]
    rows[random_row(rows, rng)][value] = str(rng.choice(words))


def put_symbol_in_cell(rows, day, value, style, rng):
    form = str(rng.choice(["${}", "€{}", "{} €", "£{}", "{}%", "{} USD", "'{}"]))
    rows[1][value] = form.format(rows[1][value])


def put_infinity(rows, day, value, style, rng):
    rows[random_row(rows, rng)][value] = str(rng.choice(["inf", "-inf", "Infinity", "1e999"]))


def put_invalid_date(rows, day, value, style, rng):
    days = ["2021-13-45", "2021-02-30", "yesterday", "0", "31/31/2021", "9999-12-31", "0000-00-00", "44200", "1.5"]
    rows[random_row(rows, rng)][day] = str(rng.choice(days))


def remove_date(rows, day, value, style, rng):
    rows[1][day] = ""


def mix_date_formats(rows, day, value, style, rng):
    others = ["%Y-%m-%d", "%d. %b %Y", "%Y.%m.%d", "5th of %B %Y", "%Y-%m"]
    others = [form for form in others if form != style.dates]
    rows[random_row(rows, rng)][day] = f"{datetime.date(2020, 5, 5):{rng.choice(others)}}"


def shorten_years(rows, day, value, style, rng):
    for row in rows[1:]:
        row[day] = re.sub(r"(?<!\d)20(?=2\d(?!\d))", "", row[day]) if style.dates != "%Y%m%d" else row[day][2:]


def swap_date_and_value(rows, day, value, style, rng):
    row = rows[1]
    row[day], row[value] = row[value], row[day]


def remove_header(rows, day, value, style, rng):
    style.above = "" if style.above.startswith("sep") else style.above
    del rows[0]


def add_cells(rows, day, value, style, rng):
    rows[random_row(rows, rng)] += ["1", "2"]


def remove_cell(rows, day, value, style, rng):
    del rows[random_row(rows, rng)][-1]


def join_lines(rows, day, value, style, rng):
    rows[-2] += rows.pop()


def add_nul_byte(rows, day, value, style, rng):
    rows[random_row(rows, rng)][value] += "\0"


def remove_rows(rows, day, value, style, rng):
    del rows[1:]


def unquote_decimal_commas(rows, day, value, style, rng):
    style.sep, style.trailing, style.above, style.quotes, style.spaces = ",", "", "", False, False
    style.cell = str
    for row in rows[1:]:
        row[value] = "12,5"


def mix_decimal_marks(rows, day, value, style, rng):
    rows[1][value], rows[2][value] = "12,5", "12.5"


def no_damage(rows, day, value, style, rng):
    pass


def random_row(rows, rng):
    return int(rng.integers(1, len(rows)))


DAMAGES = [
    duplicate_row,
    duplicate_column,
    put_word_in_cell,
    put_symbol_in_cell,
    put_infinity,
    put_invalid_date,
    remove_date,
    mix_date_formats,
]
DAMAGES += [shorten_years, swap_date_and_value, remove_header, add_cells, remove_cell, join_lines, add_nul_byte]
DAMAGES += [remove_rows, unquote_decimal_commas, mix_decimal_marks]


def write_file(seed, damage, folder):
    rng = np.random.default_rng(seed)
    truth, style = Truth(rng), Style(rng)
    rows = truth.table(style)
    damage(rows, *truth.positions, style, rng)
    path = folder / f"file{seed}.csv"
    path.write_bytes(style.join(rows).encode(style.encoding))
    return truth, style, path


def read_or_none(path, **options):
    """Return the table of a file, or None if it is refused with one sentence; anything else fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return read_prices(path, **options)
        except (ValueError, FileNotFoundError) as error:
            message = str(error)
    assert message.startswith((f"{path.name}: ", f"{path.name} ")), message
    assert "\n" not in message
    assert len(message) < 400
    return None


def equals(prices, expected):
    return (
        list(prices) == list(expected)
        and list(prices.index) == list(expected.index)
        and np.array_equal(prices.to_numpy(), expected.to_numpy(), equal_nan=True)
    )


def expected_prices(truth, path, field="Adj Close"):
    return truth.prices if truth.shape != "fields" else truth.prices[[field]].set_axis([path.stem], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(FILES // CHUNK))
def test_files_are_read_or_refused(chunk, tmp_path, record_property):
    n_read = 0
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        damage = no_damage if seed % 2 else DAMAGES[seed // 2 % len(DAMAGES)]
        truth, style, path = write_file(seed, damage, tmp_path)
        read = read_or_none(path, dayfirst=style.dayfirst)
        if damage is not no_damage:
            assert read is None, f"{seed}: {damage.__name__} was read as\n{read}"
            continue
        assert read is not None, f"{seed}: refused, but it is not damaged"
        assert equals(read, expected_prices(truth, path)), seed
        if truth.shape == "fields":
            volume = read_or_none(path, dayfirst=style.dayfirst, fields="Volume")
            assert equals(volume, expected_prices(truth, path, "Volume")), seed
        n_read += 1
    record_property("read", n_read)
    assert n_read == CHUNK // 2  # the other half is refused


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(4))
def test_unknown_order_of_day_and_month(chunk, tmp_path):
    """A file is refused, or read correctly where a day above 12 proves the order."""
    counts = {True: 0, False: 0}
    for seed in range(20_000 + chunk * 25, 20_000 + (chunk + 1) * 25):
        truth, _, path = write_file(seed, no_damage, tmp_path)
        read = read_or_none(path)
        counts[read is not None] += 1
        assert read is None or equals(read, expected_prices(truth, path)), seed
    assert counts[True] > 5


@pytest.mark.parametrize("chunk", range(4))
@pytest.mark.medium
def test_files_cut_short(chunk, tmp_path):
    """Only the last number of the file may be misread: its missing digits cannot be noticed."""
    counts = {True: 0, False: 0}
    for seed in range(30_000 + chunk * 50, 30_000 + (chunk + 1) * 50):
        truth, style, path = write_file(seed, no_damage, tmp_path)
        raw = path.read_bytes()
        path.write_bytes(raw[: int(np.random.default_rng(seed).integers(1, len(raw)))])
        read = read_or_none(path, dayfirst=style.dayfirst)
        counts[read is not None] += 1
        if read is None:
            continue
        complete = expected_prices(truth, path).reindex(index=read.index, columns=list(read))
        observed = read.notna().to_numpy()
        wrong = np.argwhere((read.to_numpy() != complete.to_numpy()) & observed)
        assert len(wrong) <= 1, seed
        last = 0 if style.newest_first else len(read) - 1
        assert all(row == last and (truth.shape == "long" or column == read.shape[1] - 1) for row, column in wrong), (
            seed
        )
    assert all(counts.values())


# --- changes of single characters, compared with another reader -------------------------------------------------------

PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def read_strictly(text):
    """Return the values of a plain CSV, read with the standard library; None where they are ambiguous."""
    rows = list(csv.reader(io.StringIO(text)))
    head, body = rows[0], [row for row in rows[1:] if any(cell.strip() for cell in row)]
    table = {}
    for row in body:
        if len(row) != len(head):
            return None
        try:
            day = datetime.date.fromisoformat(row[0].strip())
        except ValueError:
            return None
        cells = [cell.strip() for cell in row[1:]]
        if day in table or not all(cell in MISSING or PLAIN.fullmatch(cell) for cell in cells):
            return None
        table[day] = [np.nan if cell in MISSING else float(cell) for cell in cells]
    return table or None


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(10))
def test_lost_and_changed_characters(chunk, tmp_path):
    compared = 0
    for seed in range(chunk * 50, (chunk + 1) * 50):
        rng = np.random.default_rng(10_000 + seed)
        text = Truth(rng, "wide").prices.rename_axis("Date").to_csv(date_format="%Y-%m-%d")
        spot = int(rng.integers(len(text)))
        character = str(rng.choice(list("0123456789.,;-e+ x\"'\n")))
        text = [text[:spot] + text[spot + 1 :], text[:spot] + character + text[spot + 1 :], text[:spot]][seed % 3]
        path = tmp_path / f"file{seed}.csv"
        path.write_text(text)
        read = read_or_none(path)
        expected = read_strictly(text) if text.strip() else None
        if read is None or expected is None:
            continue  # a refusal is always allowed, and other formats are tested above
        compared += 1
        assert [day.date() for day in read.index] == sorted(expected)
        assert np.array_equal(read.to_numpy(), np.array([expected[day] for day in sorted(expected)]), equal_nan=True)
    assert compared > 10
