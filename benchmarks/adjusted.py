"""Compare our adjusted closes with Yahoo's own, on recorded answers of its chart endpoint.

    python benchmarks/adjusted.py ANSWER.json [ANSWER.json …] [--paid 2021-03-09=0.004 …]

`--paid` adds dividends that the answer lacks (one recorded with `events=split` names none). Yahoo's adjusted close also
holds what was paid after the last row, of which the answer says nothing: one factor for all rows, printed, and divided
out. The table says how far ours is from Yahoo's, relative, at most.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.data.yahoo.adjust import adjusted
from forecast.data.yahoo.chart import read_chart


def main() -> None:
    """Print a line for each answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("answers", nargs="+", type=Path)
    parser.add_argument("--paid", nargs="*", default=[])
    given = parser.parse_args()
    for path in given.answers:
        response = json.loads(path.read_text())["response"]
        chart = (response.get("bodyJson") or json.loads(response["body"]))["chart"]["result"][0]
        table = read_chart(chart, "1d", pd.Timestamp.now("UTC")).table
        for day, amount in (paid.split("=") for paid in given.paid):
            table.loc[day, "Dividends"] += float(amount)
        yahoos = np.array(chart["indicators"]["adjclose"][0]["adjclose"], dtype=float)
        ratio = adjusted(table)["Close"].to_numpy() / yahoos
        factor = ratio[-1]
        away = np.abs(ratio / factor - 1).max()
        events = f"{(table['Dividends'] > 0).sum()} dividends, {(table['Stock Splits'] > 0).sum()} splits"
        print(f"{chart['meta']['symbol']}: {len(table)} rows, {events}; factor {factor:.6f}; at most {away:.1e} away")


if __name__ == "__main__":
    main()
