"""Compare prices adjusted for dividends here with Yahoo's own, on recorded responses of its chart endpoint.

    python benchmarks/adjusted.py RESPONSE.json [RESPONSE.json …] [--paid 2021-03-09=0.004 …]

`--paid` adds dividends that a response lacks (one recorded with `events=split` has none). Yahoo's adjusted close also
includes dividends after the last row, which the response does not contain: one factor for all rows, which is printed
and divided out. The last number of a line is the largest relative difference.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.data.yahoo.adjust import adjust_for_dividends
from forecast.data.yahoo.chart import read_chart


def main() -> None:
    """Print a line for each response."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("responses", nargs="+", type=Path)
    parser.add_argument("--paid", nargs="*", default=[])
    arguments = parser.parse_args()
    for path in arguments.responses:
        response = json.loads(path.read_text())["response"]
        chart = (response.get("bodyJson") or json.loads(response["body"]))["chart"]["result"][0]
        table = read_chart(chart, "1d", pd.Timestamp.now("UTC")).table
        for day, amount in (paid.split("=") for paid in arguments.paid):
            table.loc[day, "Dividends"] += float(amount)
        yahoo = np.array(chart["indicators"]["adjclose"][0]["adjclose"], dtype=float)
        ratio = adjust_for_dividends(table)["Close"].to_numpy() / yahoo
        factor = ratio[-1]
        away = np.abs(ratio / factor - 1).max()
        events = f"{(table['Dividends'] > 0).sum()} dividends, {(table['Stock Splits'] > 0).sum()} splits"
        print(f"{chart['meta']['symbol']}: {len(table)} rows, {events}; factor {factor:.6f}; at most {away:.1e} away")


if __name__ == "__main__":
    main()
