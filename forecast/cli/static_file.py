"""The file of --static: a row for each series, with the numbers and categories that describe it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forecast._io import user_path

if TYPE_CHECKING:
    import pandas as pd


def read_static_file(path: str) -> pd.DataFrame:
    """Return the table in a CSV file, whose first column has the names of the series.

    Raises ValueError if it cannot be read.
    """
    import pandas as pd

    file = user_path(path)
    if not file.is_file():
        raise ValueError(f"--static {path} is no file in {file.absolute().parent}: give the path of a CSV file")
    try:
        names = pd.read_csv(file, nrows=0, encoding="utf-8-sig").columns
        table = pd.read_csv(file, index_col=0, dtype={names[0]: str}, encoding="utf-8-sig")
    except (OSError, ValueError, IndexError) as error:
        raise ValueError(
            f"--static {path} cannot be read ({error}): give a CSV file with a header and a row for each series"
        ) from error
    return table.set_axis(table.index.str.strip())
