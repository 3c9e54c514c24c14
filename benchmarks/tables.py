"""Printing of the tables of a benchmark."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterable

import pandas as pd

Part = Callable[[argparse.Namespace], list[dict[str, object]]]


def print_tables(parser: argparse.ArgumentParser, parts: Iterable[Part], default: list[str]) -> None:
    """Print the tables that the command line names, each below the first lines of its function's docstring."""
    by_name = {part.__name__: part for part in parts}
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("parts", nargs="*", default=default, help=", ".join(by_name))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in options.parts:
        print(f"\n{(by_name[name].__doc__ or '').strip()}")
        print(pd.DataFrame(by_name[name](options)).to_string(index=False), flush=True)
