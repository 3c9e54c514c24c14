"""A thousand price files, as people and accidents make them: read right, or refused in one sentence, never wrong."""

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
    """Prices with holes: tickers side by side or below each other, or all fields of one."""

    def __init__(self, rng, shape=None):
        self.shape = shape or str(rng.choice(["wide", "long", "fields"], p=[0.5, 0.25, 0.25]))
        rows, tickers = int(rng.integers(3, 30)), int(rng.integers(1, 5))
        days = pd.bdate_range("2021-01-04", periods=400)[rng.choice(400, rows, replace=False)].sort_values()
        names = FIELDS if self.shape == "fields" else [f"T{i}" for i in range(tickers)]
        steps = rng.normal(0, 0.02, (rows, len(names))).cumsum(axis=0)
        values = np.exp(steps) * 10.0 ** rng.integers(0, 5, len(names))
        digits = int(rng.choice([2, 4, 17]))
        values = values if digits == 17 else np.round(values, digits)
        values[0, 0] = np.floor(values[0, 0]) + 0.25  # one number that cannot be a thousand
        holes = rng.random(values.shape) < 0.05
        holes[[0, -1]] = False
        self.prices = pd.DataFrame(values, index=days, columns=names).mask(holes)
        if self.shape == "fields":
            self.prices["Volume"] = np.floor(1e7 * values[:, -1])

    def table(self, style):
        """Give the header and the rows, as a person would have written them."""
        shown = self.prices[::-1] if style.newest_first else self.prices
        days = [f"{day:{style.dates}}" for day in shown.index]
        cells = [[style.number(value) for value in row] for row in shown.to_numpy()]
        if self.shape != "long":
            head = [style.head, *(style.case(name) if self.shape == "fields" else name for name in shown)]
            return [head, *([day, *row] for day, row in zip(days, cells, strict=True))]
        rows = [[name, day, row[i]] for day, row in zip(days, cells, strict=True) for i, name in enumerate(shown)]
        return [[style.case("unique_id"), style.case("ds"), style.case("y")], *rows]

    @property
    def places(self):
        """The columns of the date and of a value that is read."""
        return {"wide": (0, 1), "long": (1, 2), "fields": (0, 5)}[self.shape]


class Style:
    """How a file is written: nothing of it may change what is read."""

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
        self.encoding = str(rng.choice(["utf-8", "utf-8-sig", "utf-16"], p=[0.6, 0.3, 0.1]))
        self.spaces = rng.random() < 0.2
        self.quotes = rng.random() < 0.2
        above = ["", "Daily prices\n", f"# by hand{self.sep}{self.sep}\n\n# twice\n", f"sep={self.sep}\n"]
        self.above = str(rng.choice(above, p=[0.7, 0.1, 0.1, 0.1]))
        self.between = str(rng.choice(["\n", "\n\n"], p=[0.9, 0.1]))
        self.behind = str(rng.choice(["", self.sep, self.sep * 2], p=[0.8, 0.1, 0.1]))
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
        body = "".join(self.sep.join(map(self.cell, row)) + self.behind + self.between for row in rows)
        return (self.above + body + self.below).replace("\n", self.ends)


# --- what is done to a file: each takes its rows, the columns of date and value, the style, and chance ----------------


def row_twice(rows, day, value, style, rng):
    rows.append(list(rows[at(rows, rng)]))


def column_twice(rows, day, value, style, rng):
    for row in rows:
        row.append(row[value])


def word_in_a_cell(rows, day, value, style, rng):
    words = ["halt", "+", "?", "1.2.3", "12,34,5", "1e", "--5", "0x1F", "1_000", "12 5", "１２", "=1", "(5)", "1.2M"]
    rows[at(rows, rng)][value] = str(rng.choice(words))


def sign_in_a_cell(rows, day, value, style, rng):
    form = str(rng.choice(["${}", "€{}", "{} €", "£{}", "{}%", "{} USD", "'{}"]))
    rows[1][value] = form.format(rows[1][value])


def endless(rows, day, value, style, rng):
    rows[at(rows, rng)][value] = str(rng.choice(["inf", "-inf", "Infinity", "1e999"]))


def no_such_day(rows, day, value, style, rng):
    days = ["2021-13-45", "2021-02-30", "yesterday", "0", "31/31/2021", "9999-12-31", "0000-00-00", "44200", "1.5"]
    rows[at(rows, rng)][day] = str(rng.choice(days))


def no_day(rows, day, value, style, rng):
    rows[1][day] = ""


def other_dates_within(rows, day, value, style, rng):
    others = ["%Y-%m-%d", "%d. %b %Y", "%Y.%m.%d", "5th of %B %Y", "%Y-%m"]
    others = [form for form in others if form != style.dates]
    rows[at(rows, rng)][day] = f"{datetime.date(2020, 5, 5):{rng.choice(others)}}"


def short_years(rows, day, value, style, rng):
    for row in rows[1:]:
        row[day] = re.sub(r"(?<!\d)20(?=2\d(?!\d))", "", row[day]) if style.dates != "%Y%m%d" else row[day][2:]


def day_and_value_swapped(rows, day, value, style, rng):
    row = rows[1]
    row[day], row[value] = row[value], row[day]


def no_header(rows, day, value, style, rng):
    style.above = "" if style.above.startswith("sep") else style.above
    del rows[0]


def more_cells(rows, day, value, style, rng):
    rows[at(rows, rng)] += ["1", "2"]


def fewer_cells(rows, day, value, style, rng):
    del rows[at(rows, rng)][-1]


def two_lines_in_one(rows, day, value, style, rng):
    rows[-2] += rows.pop()


def zero_byte(rows, day, value, style, rng):
    rows[at(rows, rng)][value] += "\0"


def header_alone(rows, day, value, style, rng):
    del rows[1:]


def other_letters(rows, day, value, style, rng):
    style.encoding = "latin-1"
    style.above = "# Schlußkurse\n"


def commas_without_quotes(rows, day, value, style, rng):
    style.sep, style.behind, style.above, style.quotes, style.spaces = ",", "", "", False, False
    style.cell = str
    for row in rows[1:]:
        row[value] = "12,5"


def unlike_marks(rows, day, value, style, rng):
    rows[1][value], rows[2][value] = "12,5", "12.5"


def nothing(rows, day, value, style, rng):
    pass


def at(rows, rng):
    return int(rng.integers(1, len(rows)))


HARM = [row_twice, column_twice, word_in_a_cell, sign_in_a_cell, endless, no_such_day, no_day, other_dates_within]
HARM += [short_years, day_and_value_swapped, no_header, more_cells, fewer_cells, two_lines_in_one, zero_byte]
HARM += [header_alone, other_letters, commas_without_quotes, unlike_marks]


def make(seed, harm, folder):
    rng = np.random.default_rng(seed)
    truth, style = Truth(rng), Style(rng)
    rows = truth.table(style)
    harm(rows, *truth.places, style, rng)
    path = folder / f"file{seed}.csv"
    path.write_bytes(style.join(rows).encode(style.encoding))
    return truth, style, path


def outcome(path, **options):
    """Read a file: a table, or the one sentence; anything else fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return read_prices(path, **options)
        except (ValueError, FileNotFoundError) as error:
            said = str(error)
    assert said.startswith(f"{path.name}: ") or said.startswith(f"{path.name} "), said
    assert "\n" not in said
    assert len(said) < 400
    return None


def is_truth(prices, expected):
    return (
        list(prices) == list(expected)
        and list(prices.index) == list(expected.index)
        and np.array_equal(prices.to_numpy(), expected.to_numpy(), equal_nan=True)
    )


def expected_of(truth, path, field="Adj Close"):
    return truth.prices if truth.shape != "fields" else truth.prices[[field]].set_axis([path.stem], axis=1)


@pytest.mark.parametrize("chunk", range(FILES // CHUNK))
def test_a_file_is_read_right_or_refused(chunk, tmp_path, record_property):
    right = 0
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        harm = nothing if seed % 2 else HARM[seed // 2 % len(HARM)]
        truth, style, path = make(seed, harm, tmp_path)
        read = outcome(path, dayfirst=style.dayfirst)
        if harm is not nothing:
            assert read is None, f"{seed}: {harm.__name__} was read as\n{read}"
            continue
        assert read is not None, f"{seed}: refused, but nothing is wrong with it"
        assert is_truth(read, expected_of(truth, path)), seed
        if truth.shape == "fields":
            volume = outcome(path, dayfirst=style.dayfirst, fields="Volume")
            assert is_truth(volume, expected_of(truth, path, "Volume")), seed
        right += 1
    record_property("right", right)
    assert right == CHUNK // 2  # the other half is refused


@pytest.mark.parametrize("chunk", range(4))
def test_without_the_order_of_day_and_month(chunk, tmp_path):
    """A file that does not say which comes first is refused, or, where a day above 12 says it, read right."""
    counts = {True: 0, False: 0}
    for seed in range(20_000 + chunk * 25, 20_000 + (chunk + 1) * 25):
        truth, _, path = make(seed, nothing, tmp_path)
        read = outcome(path)
        counts[read is not None] += 1
        assert read is None or is_truth(read, expected_of(truth, path)), seed
    assert counts[True] > 5


@pytest.mark.parametrize("chunk", range(4))
def test_a_file_that_is_cut_short(chunk, tmp_path):
    """What is read is true, but for the last number of the file: nobody can see that figures of it are missing."""
    counts = {True: 0, False: 0}
    for seed in range(30_000 + chunk * 50, 30_000 + (chunk + 1) * 50):
        truth, style, path = make(seed, nothing, tmp_path)
        raw = path.read_bytes()
        path.write_bytes(raw[: int(np.random.default_rng(seed).integers(1, len(raw)))])
        read = outcome(path, dayfirst=style.dayfirst)
        counts[read is not None] += 1
        if read is None:
            continue
        whole = expected_of(truth, path).reindex(index=read.index, columns=list(read))
        known = read.notna().to_numpy()
        wrong = np.argwhere((read.to_numpy() != whole.to_numpy()) & known)
        assert len(wrong) <= 1, seed
        last = 0 if style.newest_first else len(read) - 1
        assert all(row == last and (truth.shape == "long" or column == read.shape[1] - 1) for row, column in wrong), (
            seed
        )
    assert all(counts.values())


# --- accidents of single letters, judged by another reader ------------------------------------------------------------

PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def simply(text):
    """Read a plain CSV with Python's own means; None where a careful reader would not say what it holds."""
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


@pytest.mark.parametrize("chunk", range(10))
def test_letters_lost_and_changed(chunk, tmp_path):
    compared = 0
    for seed in range(chunk * 50, (chunk + 1) * 50):
        rng = np.random.default_rng(10_000 + seed)
        text = Truth(rng, "wide").prices.rename_axis("Date").to_csv(date_format="%Y-%m-%d")
        spot = int(rng.integers(len(text)))
        letter = str(rng.choice(list("0123456789.,;-e+ x\"'\n")))
        text = [text[:spot] + text[spot + 1 :], text[:spot] + letter + text[spot + 1 :], text[:spot]][seed % 3]
        path = tmp_path / f"file{seed}.csv"
        path.write_text(text)
        read = outcome(path)
        expected = simply(text) if text.strip() else None
        if read is None or expected is None:
            continue  # refusing is always allowed here; what only pandas' reader makes sense of is looked at above
        compared += 1
        assert [day.date() for day in read.index] == sorted(expected)
        assert np.array_equal(read.to_numpy(), np.array([expected[day] for day in sorted(expected)]), equal_nan=True)
    assert compared > 10
