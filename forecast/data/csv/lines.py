"""Lines of a text table: their cells, and the lines that are no rows: repeated headers, sources, remarks and totals."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from forecast.data.csv.numbers import MISSING, has_digit, is_name
from forecast.data.dates import is_date
from forecast.data.fields import plain_name, plain_names
from forecast.data.month_names import MONTH_NUMBERS, WEEKDAYS

SEPARATORS = ",;\t|"
MAX_FOOTER = 60  # lines
ALIGNED = 2000  # last characters of a text, which show whether its cells are aligned by spaces
MIN_WORDS = 2  # of a remark, at least two letters each
#: Words and marks that begin a remark below the rows.
REMARK = re.compile(
    r"\W*(sources?|notes?|quellen?|hinweis|anmerkung|stand|fuentes?|notas?|fontes?|nota|bron|sursa|copyright|disclaimer"
    r"|downloaded|exported|generated|updated|last updated|end of (?:file|data|report)"
    r"|数据来源|資料來源|来源|注|出所|出典|출처)\b"
    r"|[*#©†‡]",
    re.IGNORECASE,
)
#: First words of lines below the rows that summarise them.
SUMMARIES = plain_names(
    "total totals sum average avg mean median min minimum max maximum count std stdev variance change high low range "
    "summe gesamt mittelwert durchschnitt anzahl moyenne somme totaux totale media massimo minimo promedio suma máximo "
    "mínimo média soma totaal gemiddelde som razem średnia suma итого среднее 合计 总计 平均 合計 평균 합계"
)
#: A row of cells with its line number in the file.
NumberedRow = tuple[int, list[str]]


def iter_rows(body: str, sep: str, lines_above: int, strict: bool = True) -> Iterator[NumberedRow]:
    """Yield each row of cells with its line in the file; `lines_above` lines precede the body."""
    reader = csv.reader(io.StringIO(body), delimiter=sep, strict=strict, skipinitialspace=True)
    line = lines_above
    try:
        for cells in reader:
            line += 1
            if reader.line_num != line - lines_above:
                raise ValueError(f"line {line} opens a quote that ends on a later line: close it where it belongs")
            yield line, cells
    except csv.Error as error:
        reason = str(error).replace("\n", " ")
        raise ValueError(f"line {line + 1} is not readable CSV ({reason}): correct it or save it again") from error


def split_line(line: str, sep: str) -> list[str]:
    """Return the cells of one line, without the empty ones at its end; any quotes are accepted."""
    cells = [cell.strip() for cell in next(csv.reader([line], delimiter=sep, skipinitialspace=True), [])]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def with_tabs(text: str) -> str:
    """Return a text with tabs between cells that spaces separate; any other text as it is.

    Spaces separate cells that are aligned by them, or the same number of words in each line, of which the last is a
    number in all but the first line.
    """
    lines = [line for line in text[-ALIGNED:].split("\n")[1:] if line.strip()]
    is_aligned = len(lines) > 2 and all(
        re.fullmatch(r" *[^\s,;|]+(?: [^\s,;|]+)*(?: {2,}[^\s,;|]+)+ *", x) for x in lines
    )
    if is_aligned or re.search(r"[,;\t|]", text[:ALIGNED]) or re.search(r"[,;\t|]", text[-ALIGNED:]):
        return re.sub(" {2,}", "\t", text) if is_aligned else text
    words = [line.split() for line in text.split("\n") if line.strip()]
    are_cells = len(words) > 2 and len(words[0]) > 1 and len({len(line) for line in words}) == 1
    is_spaced = are_cells and all(line[-1].lower() in MISSING or not is_name(line[-1]) for line in words[1:])
    return re.sub(" +", "\t", text) if is_spaced and is_name(words[0][-1]) else text


def without_repeated_headers(body: str, header: str, lines_above: int) -> tuple[str, list[str]]:
    """Return a body with blank lines in place of those that repeat the header, as joined files do; and a note."""
    header = header.strip()
    if not header or not (body.startswith(header) or f"\n{header}" in body):
        return body, []
    lines = body.split("\n")
    repeated = [i for i, line in enumerate(lines) if line.strip() == header]
    for i in repeated:
        lines[i] = ""
    listed = ", ".join(str(lines_above + 1 + i) for i in repeated[:3]) + (" …" if len(repeated) > 3 else "")
    notes = [f"the header is repeated in {'line' if len(repeated) == 1 else 'lines'} {listed}"] if repeated else []
    return "\n".join(lines), notes


def without_footer(body: str, sep: str, date_column: int | None, lines_above: int) -> tuple[str, list[str]]:
    """Return a body without the remarks, sources and totals below its last row, and a note where there are any.

    A line is one of them if it has no date or number and at least two words, or begins as remarks do, or has the name
    of a total, such as "Average", in place of the date. Of a table without dates (None) it has one cell.
    """
    end = len(body)
    footer: list[int] = []  # where its lines begin
    while end > 0 and len(footer) < MAX_FOOTER:
        start = body.rfind("\n", 0, end) + 1
        line = body[start:end].strip()
        if line.strip(SEPARATORS + ' "'):
            if not _is_no_row(line, sep, date_column):
                break
            footer.append(start)
        end = max(start - 1, 0)
    if not footer or end == 0:
        return body, []
    first = lines_above + 1 + body.count("\n", 0, footer[-1])
    text = body[footer[-1] :].split("\n", 1)[0].strip(SEPARATORS + ' "')
    rest = f" and {len(footer) - 1} more below the rows are" if len(footer) > 1 else " is"
    return body[: footer[-1]], [f"line {first}, {_shorten(text)!r},{rest} left out"]


def is_row_of_values(cells: Sequence[str], date_column: int) -> bool:
    """Return whether a row has a date or a number in its column of dates, and other cells."""
    return len(cells) > max(date_column, 1) and has_digit(cells[date_column]) and _is_label(cells[date_column])


def _is_label(cell: str) -> bool:
    return is_date(cell) or re.fullmatch(r"[\d.:TZ +/-]+", cell) is not None


def _is_no_row(line: str, sep: str, date_column: int | None) -> bool:
    try:
        cells = split_line(line, sep)
    except csv.Error:
        return False
    filled = [cell for cell in cells if cell]
    if date_column is None and len(filled) > 1:
        return False
    if REMARK.match(filled[0]):
        return not is_date(filled[0]) and filled[0].lower() not in MISSING
    label = cells[date_column] if date_column is not None and date_column < len(cells) else ""
    if has_digit(label) and _is_label(label):
        return False
    first = plain_name(filled[0]).split()[:1]
    if first and first[0] in SUMMARIES and not has_digit(filled[0]) and label in ("", filled[0]):
        return True
    if len(filled) == 1 and re.search("[:：]", filled[0]) and not has_digit(filled[0]):
        return True
    words = re.findall(r"[^\W\d_]{2,}", " ".join(filled))
    is_text = all(is_name(cell) and not is_date(cell) for cell in filled)
    is_part_of_date = bool(words) and words[0].lower() in {*WEEKDAYS, *MONTH_NUMBERS}
    return is_text and len(words) >= MIN_WORDS and " " in " ".join(filled) and not is_part_of_date


def _shorten(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
