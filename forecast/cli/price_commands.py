"""Which prices: the options that every command with prices has, and the commands about prices alone."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from forecast.cli.app import Answer, command, progress_bar, telling, with_signature

if TYPE_CHECKING:
    import pandas as pd

    from forecast.data.checks import PriceReport
    from forecast.data.panel import Panel

YAHOO = "yahoo:"


def _option(text: str, *names: str) -> Any:
    # in a box of their own in the help
    return typer.Option(*names, help=text, rich_help_panel="Prices")


@dataclass(frozen=True)
class Prices:
    """The prices that a command was given: where they are, and what of them is wanted."""

    data: Annotated[
        str, typer.Argument(help="A sample (see `forecast samples`), a CSV or Parquet file, or yahoo:AAPL,MSFT.")
    ] = ""
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
        prices.attrs["asked"] = {
            k: v for k, v in asdict(self).items() if v != type(self).__dataclass_fields__[k].default
        }
        return prices

    def panel(self, table: pd.DataFrame, exog: Sequence[str] = ()) -> Panel:
        """Make what is forecast, with the further fields that models read beside it."""
        from forecast.data.panel import as_panel
        from forecast.data.targets import make_target

        plain = not exog and self.target not in ("return", "parkinson", "garman_klass")
        return as_panel(table, how=self.rows) if plain else make_target(table, self.target, exog, self.rows)

    def everything(self) -> pd.DataFrame:
        """Give all fields: events tell of prices what the prices do not."""
        return self._read("all")

    def _read(self, field: str | None) -> pd.DataFrame:
        if not self.data:
            raise ValueError("no prices are named: give a sample (see `forecast samples`), a file, or yahoo:TICKER")
        file = {"--day-first": self.day_first is not None, "--decimal": self.decimal is not None}
        yahoo = {"--interval": self.interval != "1d", "--offline": self.offline}
        if self.data.startswith(YAHOO):
            _refuse(file, "a file")
            return fetch(self.data.removeprefix(YAHOO), self, field)
        _refuse(yahoo, f"prices from Yahoo, such as {YAHOO}AAPL")
        if self.data in (names := _samples()):
            from forecast.data.samples import load_sample

            _refuse(file, "a file")
            return self._between(load_sample(self.data, field))
        if Path(self.data).exists() or Path(self.data).suffix:
            from forecast.data.files import read_prices

            return self._between(read_prices(self.data, field, dayfirst=self.day_first, decimal=self.decimal))
        from forecast._validation import did_you_mean

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
    from forecast.data.samples import samples

    return list(samples()["name"])


def takes_prices(command: Callable[..., Answer]) -> Callable[..., Answer]:
    """Give a command the options of `Prices`, before its own, and hand it these as its first argument."""
    hints = get_type_hints(Prices, include_extras=True)
    options = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in fields(Prices)
    ]
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

    @wraps(command)
    def with_prices(**given: Any) -> Answer:
        chosen = Prices(**{option.name: given.pop(option.name) for option in options})
        return command(chosen, **given)

    with_signature(with_prices, [*options, *own])
    return with_prices


def fetch(tickers: str, prices: Prices, field: str | None, **more: Any) -> pd.DataFrame:
    """Download, with a bar in the terminal, and with what is to be told told."""
    from forecast.data.yahoo.download import DownloadWarning, download

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


@command()
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
) -> Answer:
    """Download prices from Yahoo; what was fetched before is kept, and only the missing end is asked for.

    [bold]Example:[/bold] forecast download AAPL MSFT --start 2015-01-01 --out prices.parquet
    """
    from forecast.data.checks import check_prices

    if out is not None:
        check_out(out)
    chosen = Prices(",".join(tickers), start=start, end=end, interval=interval, offline=offline)
    prices = fetch(chosen.data, chosen, field, adjust=adjust, on_error=on_error)
    found = check_prices(prices)
    if out is not None:
        write_table(prices, out)

    def show() -> None:
        show_prices(found)
        if out is not None:
            print(f"\n{len(prices):,} rows of {', '.join(prices.attrs['facts'])} are in {out}")

    more = {"rows": len(prices), "failed": prices.attrs.get("failed", {}), "out": None if out is None else str(out)}
    return Answer(found.to_dict() | {"facts": prices.attrs["facts"]} | more, show)


@command()
@takes_prices
def check(prices: Prices) -> Answer:
    """Say what is odd about prices: days missing, stale runs, jumps like a split, zeros, mixed currencies.

    Nothing is repaired.

    [bold]Example:[/bold] forecast check prices.csv
    """
    from forecast.data.checks import check_prices

    plain = prices.target == "price" and prices.rows == "all"
    found = check_prices(prices.everything() if plain else prices.panel(prices.table()))
    return Answer(found.to_dict(), lambda: show_prices(found))


def show_prices(found: PriceReport) -> None:
    """Print what was found about prices."""
    from forecast.cli.terminal import show_prices

    show_prices(found)


@command("samples")
def list_samples() -> Answer:
    """List the price samples that can be named instead of a file.

    [bold]Example:[/bold] forecast samples
    """
    from forecast.data.samples import samples

    def show() -> None:
        for row in samples().itertuples(index=False):
            print(f"{row.name:10} {row.what}")
            print(f"{'':10} {row.rows:,} rows, {row.first} to {row.last}; {row.source}; {row.licence}\n")

    return Answer(samples(), show)


def check_out(out: Path) -> None:
    """Raise ValueError if a table cannot be written there."""
    if out.suffix.lower() not in (".parquet", ".csv"):
        raise ValueError(f"--out {out} must end in .parquet or .csv")
    if out.is_dir() or not out.absolute().parent.is_dir():
        what = "is a folder" if out.is_dir() else f"cannot be written: {out.absolute().parent} is no folder"
        raise ValueError(f"--out {out} {what}; name a file in a folder that is there")


def write_table(table: pd.DataFrame, out: Path, index: bool = True) -> None:
    """Write a table so that the file is whole or not there."""
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        if out.suffix.lower() == ".parquet":
            table.to_parquet(beside, index=index)
        else:
            table.to_csv(beside, index=index)
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
