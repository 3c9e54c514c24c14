"""Which prices: the options that every command with prices has, and the commands about prices alone."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from forecast.cli.app import app, telling

if TYPE_CHECKING:
    import pandas as pd

    from forecast.panel import Panel

YAHOO = "yahoo:"


def _option(text: str, *names: str) -> Any:
    # in a box of their own in the help
    return typer.Option(*names, help=text, rich_help_panel="Prices")


@dataclass(frozen=True)
class Prices:
    """The prices that a command was given: where they are, and what of them is wanted."""

    data: Annotated[
        str,
        typer.Argument(help="A sample (see `forecast samples`), a CSV or Parquet file, or yahoo:AAPL,MSFT."),
    ]
    target: Annotated[
        str,
        _option("What to forecast: price, return, parkinson, garman_klass, volume, or a field such as Close."),
    ] = "price"
    start: Annotated[str | None, _option("First date.")] = None
    end: Annotated[str | None, _option("Last date.")] = None
    rows: Annotated[str, _option("`all` dates of all series, or the `common` ones, on which each has a value.")] = "all"
    day_first: Annotated[
        bool | None, _option("How a file's dates such as 01/02/2024 are meant.", "--day-first/--month-first")
    ] = None
    decimal: Annotated[str | None, _option("A file's decimal mark, if it cannot be told: , or .")] = None
    interval: Annotated[str, _option("Of Yahoo's bars: 1d, 1wk, 1mo, 1h, 15m, 5m, 2m, 1m.")] = "1d"
    offline: Annotated[bool, _option("Take what is kept of Yahoo's, ask nobody.", "--offline")] = False

    def table(self, exog: Sequence[str] = ()) -> pd.DataFrame:
        """Give the table as it stands, with no more fields than are needed."""
        plain = not exog and self.target not in ("return", "parkinson", "garman_klass")
        prices = self._read({"price": None, "volume": "Volume"}.get(self.target, self.target) if plain else "all")
        prices.attrs["source"] = self.data
        return prices

    def panel(self, table: pd.DataFrame, exog: Sequence[str] = ()) -> Panel:
        """Make what is forecast, with the further fields that models read beside it."""
        from forecast.panel import as_panel
        from forecast.targets import make_target

        plain = not exog and self.target not in ("return", "parkinson", "garman_klass")
        return as_panel(table, how=self.rows) if plain else make_target(table, self.target, exog, self.rows)

    def everything(self) -> pd.DataFrame:
        """Give all fields: events tell of prices what the prices do not."""
        return self._read("all")

    def _read(self, field: str | None) -> pd.DataFrame:
        file = {"--day-first": self.day_first is not None, "--decimal": self.decimal is not None}
        yahoo = {"--interval": self.interval != "1d", "--offline": self.offline}
        if self.data.startswith(YAHOO):
            _refuse(file, "a file")
            return fetch(self.data.removeprefix(YAHOO), self, field)
        _refuse(yahoo, f"prices from Yahoo, such as {YAHOO}AAPL")
        if self.data in (names := _samples()):
            from forecast.sources import load_sample

            _refuse(file, "a file")
            return self._between(load_sample(self.data, field))
        if Path(self.data).exists() or Path(self.data).suffix:
            from forecast.sources import read_prices

            return self._between(read_prices(self.data, field, dayfirst=self.day_first, decimal=self.decimal))
        from forecast.models.registry import did_you_mean

        raise ValueError(
            f"there is no file and no sample {self.data!r}{did_you_mean(self.data, names)}: name a CSV or Parquet "
            f"file, a sample, or {YAHOO}TICKER"
        )

    def _between(self, prices: pd.DataFrame) -> pd.DataFrame:
        if self.start is None and self.end is None:
            return prices
        import pandas as pd

        if not isinstance(prices.index, pd.DatetimeIndex):
            raise ValueError(f"--start and --end need dates, and the rows of {self.data} have none")
        cut = prices.loc[as_date(self.start, "--start") : as_date(self.end, "--end")]
        if cut.empty:
            first, last = (f"{day:%Y-%m-%d}" for day in prices.index[[0, -1]])
            raise ValueError(f"{self.data} has no rows between --start and --end; it goes from {first} to {last}")
        return cut


def _refuse(options: dict[str, bool], what: str) -> None:
    given = next((name for name, is_given in options.items() if is_given), None)
    if given is not None:
        raise ValueError(f"{given} is for {what}: leave it out")


def _samples() -> list[str]:
    from forecast.sources import samples

    return list(samples()["name"])


def takes_prices(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `Prices`, before its own, and hand it these as its first argument."""
    hints = get_type_hints(Prices, include_extras=True)
    empty = inspect.Parameter.empty
    options = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=empty if field.name == "data" else field.default,
            annotation=hints[field.name],
        )
        for field in fields(Prices)
    ]
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    own = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in own]

    @wraps(command)
    def with_prices(**given: Any) -> None:
        chosen = Prices(**{option.name: given.pop(option.name) for option in options})
        command(chosen, **given)

    parameters = [*options, *own]
    with_prices.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_prices.__annotations__ = {option.name: option.annotation for option in parameters}
    return with_prices


def fetch(tickers: str, prices: Prices, field: str | None, **more: Any) -> pd.DataFrame:
    """Download, with a bar in the terminal, and with what is to be told told."""
    from forecast.sources import DownloadWarning, download
    from forecast.terminal import progress_bar

    bar = progress_bar("downloading", "tickers")
    with telling(DownloadWarning), bar:
        job = bar.add_task("", total=None)
        return download(
            tickers,
            as_date(prices.start, "--start"),
            as_date(prices.end, "--end"),
            prices.interval,
            fields=field,
            offline=prices.offline,
            progress=lambda done, total: bar.update(job, completed=done, total=total),
            **more,
        )


def as_date(text: str | None, option: str) -> pd.Timestamp | None:
    """Read a date of the command line."""
    import pandas as pd

    try:
        return None if text is None else pd.Timestamp(text)
    except ValueError:
        raise ValueError(f"{option} must be a date such as 2015-01-31; got {text!r}") from None


@app.command()
def download(
    tickers: Annotated[list[str], typer.Argument(help="As Yahoo writes them: AAPL MSFT VOD.L BTC-USD ^GSPC.")],
    start: Annotated[str | None, typer.Option(help="First date (if not given: as far back as there is).")] = None,
    end: Annotated[str | None, typer.Option(help="Last date (if not given: up to now).")] = None,
    interval: Annotated[str, typer.Option(help="1d, 1wk, 1mo, or of the last days 1h, 15m, 5m, 2m, 1m.")] = "1d",
    adjust: Annotated[str, typer.Option(help="For dividends: `auto`, or `none`.")] = "auto",
    field: Annotated[str, typer.Option(help="`all`, or one field such as Close.")] = "all",
    on_error: Annotated[str, typer.Option(help="A ticker that fails: `raise` stops, `skip` leaves it out.")] = "raise",
    offline: Annotated[bool, typer.Option("--offline", help="Take what is kept, ask nobody.")] = False,
    out: Annotated[Path | None, typer.Option(help="File to write: .parquet or .csv.")] = None,
) -> None:
    """Download prices from Yahoo; what was fetched before is kept, and only the missing end is asked for.

    [bold]Example:[/bold] forecast download AAPL MSFT --start 2015-01-01 --out prices.parquet
    """
    if out is not None:
        _check_out(out)
    from forecast.checks import check_prices
    from forecast.terminal import show_prices

    chosen = Prices(",".join(tickers), start=start, end=end, interval=interval, offline=offline)
    prices = fetch(chosen.data, chosen, field, adjust=adjust, on_error=on_error)
    show_prices(check_prices(prices))
    if out is not None:
        _write(prices, out)
        print(f"\n{len(prices):,} rows of {', '.join(prices.attrs['facts'])} are in {out}")


@app.command()
@takes_prices
def check(prices: Prices) -> None:
    """Say what is odd about prices: days missing, stale runs, jumps like a split, zeros, mixed currencies.

    Nothing is repaired.

    [bold]Example:[/bold] forecast check prices.csv
    """
    from forecast.checks import check_prices
    from forecast.terminal import show_prices

    if prices.target == "price" and prices.rows == "all":
        show_prices(check_prices(prices.everything()))
    else:
        show_prices(check_prices(prices.panel(prices.table())))


@app.command(name="samples")
def list_samples() -> None:
    """List the price samples that can be named instead of a file.

    [bold]Example:[/bold] forecast samples
    """
    from forecast.sources import samples

    for row in samples().itertuples(index=False):
        print(f"{row.name:10} {row.what}")
        print(f"{'':10} {row.rows:,} rows, {row.first} to {row.last}; {row.source}; {row.licence}\n")


def _check_out(out: Path) -> None:
    if out.suffix.lower() not in (".parquet", ".csv"):
        raise ValueError(f"--out {out} must end in .parquet or .csv")
    if out.is_dir() or not out.absolute().parent.is_dir():
        what = "is a folder" if out.is_dir() else f"cannot be written: {out.absolute().parent} is no folder"
        raise ValueError(f"--out {out} {what}; name a file in a folder that is there")


def _write(prices: pd.DataFrame, out: Path) -> None:
    """Write a table so that the file is whole or not there."""
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        prices.to_parquet(beside) if out.suffix.lower() == ".parquet" else prices.to_csv(beside)
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
