"""A thousand price files, as people and accidents make them: read right, or refused in one sentence, never wrong."""

import csv
import datetime
import io
import re
import warnings

import numpy as np
import pandas as pd
import pytest

from forecast.sources import read_prices

FILES, CHUNK = 1000, 50
MISSING = ("", "NA", "NaN", "nan", "null", "N/A", "#N/A")


def truth(rng):
    """Prices with two decimals above 1,000 and below, a few of them missing."""
    rows, tickers = int(rng.integers(3, 40)), int(rng.integers(1, 5))
    days = pd.bdate_range("2021-01-04", periods=400)[rng.choice(400, rows, replace=False)].sort_values()
    steps = rng.normal(0, 0.02, (rows, tickers)).cumsum(axis=0)
    values = np.round(np.exp(steps) * 10.0 ** rng.integers(0, 5, tickers), 2)
    values[0, 0] = np.floor(values[0, 0]) + 0.25  # one number that cannot be a thousand
    prices = pd.DataFrame(values, index=days, columns=[f"T{i}" for i in range(tickers)])
    holes = rng.random(values.shape) < 0.05
    holes[[0, -1]] = False
    return prices.mask(holes)


class Style:
    """How a file is written: nothing of it may change what is read."""

    def __init__(self, rng):
        self.mark = rng.choice([".", ","], p=[0.6, 0.4])
        self.sep = str(rng.choice([",", ";", "\t", "|"] if self.mark == "." else [";", "\t", "|", ","]))
        self.thousands = rng.random() < 0.3
        self.dates = str(
            rng.choice(["%Y-%m-%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%b %d, %Y", "%Y/%m/%d"])
        )
        self.head = str(rng.choice(["Date", "date", "DATE", "ds", " Date", "timestamp"]))
        self.newest_first = rng.random() < 0.3
        self.missing = str(rng.choice(MISSING))
        self.ends = str(rng.choice(["\n", "\r\n", "\r"], p=[0.6, 0.3, 0.1]))
        self.encoding = str(rng.choice(["utf-8", "utf-8-sig", "utf-16"], p=[0.6, 0.3, 0.1]))
        self.spaces = rng.random() < 0.2
        self.quotes = rng.random() < 0.2
        self.above = str(rng.choice(["", "Daily prices\n", "# by hand\n", f"sep={self.sep}\n"], p=[0.7, 0.1, 0.1, 0.1]))
        self.below = str(rng.choice(["", "\n", "\n\n"]))

    @property
    def dayfirst(self):
        return {"%d.%m.%Y": True, "%d/%m/%Y": True, "%m/%d/%Y": False}.get(self.dates)

    def number(self, value):
        if np.isnan(value):
            return self.missing
        text = f"{value:,.2f}" if self.thousands else f"{value:.2f}"
        return text.translate(str.maketrans(",.", ".,")) if self.mark == "," else text

    def cell(self, text):
        text = f" {text} " if self.spaces and text else text
        return f'"{text}"' if self.quotes or self.sep in text else text

    def write(self, prices):
        """Give the lines of the file, each a list of cells."""
        shown = prices[::-1] if self.newest_first else prices
        rows = [[self.head, *prices.columns]]
        rows += [
            [f"{day:{self.dates}}", *map(self.number, row)]
            for day, row in zip(shown.index, shown.to_numpy(), strict=True)
        ]
        return rows

    def join(self, rows):
        body = "\n".join(self.sep.join(map(self.cell, row)) for row in rows) + "\n"
        return (self.above + body + self.below).replace("\n", self.ends)


def keep(rows, rng):
    return rows


def row_twice(rows, rng):
    return [*rows, rows[int(rng.integers(1, len(rows)))]]


def column_twice(rows, rng):
    return [[*row, row[1]] for row in rows]


def word_in_a_cell(rows, rng):
    rows[at(rows, rng)][1] = str(
        rng.choice(["halt", "+", "?", "1.2.3", "12,34,5", "1e", "--5", "0x1F", "1_000", "12 5"])
    )
    return rows


def sign_in_a_cell(rows, rng):
    i = at(rows, rng)
    rows[i][1] = str(rng.choice(["$", "€", "£"])) + rows[i][1] if rng.random() < 0.5 else rows[i][1] + "%"
    return rows


def endless(rows, rng):
    rows[at(rows, rng)][1] = str(rng.choice(["inf", "-inf", "Infinity", "1e999"]))
    return rows


def no_such_day(rows, rng):
    rows[at(rows, rng)][0] = str(rng.choice(["2021-13-45", "2021-02-30", "yesterday", "0", "31/31/2021"]))
    return rows


def no_day(rows, rng):
    rows[at(rows, rng)][0] = ""
    return rows


def other_dates_within(rows, rng):
    rows[at(rows, rng)][0] = "5th of March 2021"
    return rows


def no_header(rows, rng):
    return rows[1:]


def more_cells(rows, rng):
    rows[at(rows, rng)] += ["1", "2"]
    return rows


def fewer_cells(rows, rng):
    i = at(rows, rng)
    rows[i] = rows[i][:-1]
    return rows


def zero_byte(rows, rng):
    rows[at(rows, rng)][1] += "\0"
    return rows


def header_alone(rows, rng):
    return rows[:1]


def at(rows, rng):
    return int(rng.integers(1, len(rows)))


HARM = [row_twice, column_twice, word_in_a_cell, sign_in_a_cell, endless, no_such_day, no_day, other_dates_within]
HARM += [no_header, more_cells, fewer_cells, zero_byte, header_alone]


def refused_well(path, error):
    said = str(error)
    return said.startswith(path.name) and "\n" not in said and len(said) < 400 and "Traceback" not in said


def outcome(path, **options):
    """Read a file: a table, or the one sentence; anything else fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return read_prices(path, **options)
        except (ValueError, FileNotFoundError) as error:
            said = error
    if not refused_well(path, said):
        pytest.fail(repr(said))
    return None


def is_truth(prices, expected):
    return (
        list(prices) == list(expected)
        and list(prices.index) == list(expected.index)
        and np.array_equal(prices.to_numpy(), expected.to_numpy(), equal_nan=True)
    )


@pytest.mark.parametrize("chunk", range(FILES // CHUNK))
def test_a_file_is_read_right_or_refused(chunk, tmp_path):
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        rng = np.random.default_rng(seed)
        prices, style = truth(rng), Style(rng)
        harm = keep if seed % 2 else HARM[seed // 2 % len(HARM)]
        path = tmp_path / f"file{seed}.csv"
        path.write_bytes(style.join(harm(style.write(prices), rng)).encode(style.encoding))
        read = outcome(path, dayfirst=style.dayfirst)
        if harm is keep:
            assert read is not None, f"{seed}: refused, but nothing is wrong with it"
            assert is_truth(read, prices), seed
        else:
            assert read is None, f"{seed}: {harm.__name__} was read as\n{read}"


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
        text = truth(rng).rename_axis("Date").to_csv(date_format="%Y-%m-%d")
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
