"""Options of every command that reads prices, and the commands `download`, `check` and `samples`."""

from __future__ import annotations

import csv
import inspect
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, cast, get_args, get_type_hints

import typer
from typer.models import ArgumentInfo

from forecast._io import CHECKPOINT, MODEL, RUN, atomic_file, containing_folder, named_errors, relative_path, user_path
from forecast._validation import did_you_mean
from forecast.cli.app import CommandResult, command, keyword, print_line, quiet, report_warnings, set_signature
from forecast.cli.completion import choices, complete_prices
from forecast.cli.terminal import show_entry, show_prices

if TYPE_CHECKING:
    import pandas as pd

    from forecast.data.panel import Panel
    from forecast.models.base import Forecaster

YAHOO = "yahoo:"
SELECTION = ("data", "start", "end", "offline")  # options that select prices; the others define how they are read
FILE_OPTIONS = ("day_first", "decimal")  # options that describe the text of a file
INTERVALS = ("1d", "1wk", "1mo", "1h", "15m", "5m", "2m", "1m")  # of bars from Yahoo
ADJUSTMENTS = ("auto", "none")  # of prices from Yahoo for dividends
TABLES = (".parquet", ".csv")  # endings of the files that tables are written to
DERIVED_TARGETS = ("return", "parkinson", "garman_klass")  # computed from several fields


def _option(text: str, *names: str, values: Sequence[str] = ()) -> Any:
    """Return an option that the help lists in the box "Prices", and whose values a shell completes."""
    complete = choices(*values) if values else None
    return typer.Option(*names, help=text, rich_help_panel="Prices", autocompletion=complete)


class Inputs(NamedTuple):
    """The fields that models read as well as the target, and those among them that are known before their row."""

    exog: Sequence[str] = ()
    future: Sequence[str] = ()

    @classmethod
    def of(cls, models: Iterable[Forecaster]) -> Inputs:
        """Return what models read."""
        models = list(models)
        exog = [name for model in models for name in model.required_fields()]
        future = [name for model in models for name in model.future_fields()]
        return cls(list(dict.fromkeys(exog)), list(dict.fromkeys(future)))


NO_INPUTS = Inputs()


@dataclass(frozen=True)
class Prices:
    """Prices that a command reads: their source, and the part and target that are used."""

    data: Annotated[
        str,
        typer.Argument(
            help="Sample (see `forecast samples`), CSV or Parquet file, or yahoo:AAPL,MSFT.",
            autocompletion=complete_prices,
        ),
    ] = ""
    target: Annotated[
        str,
        _option(
            "price, return, parkinson, garman_klass, volume, a field such as Close, or a column of a file.",
            values=("price", "return", "parkinson", "garman_klass", "volume", "Open", "High", "Low", "Close"),
        ),
    ] = "price"
    columns: Annotated[
        str | None, _option("Columns of a file to forecast, each a series: A,B. Quote a name that contains a comma.")
    ] = None
    start: Annotated[str | None, _option("First date.")] = None
    end: Annotated[str | None, _option("Last date.")] = None
    rows: Annotated[
        str, _option("`all` dates, or the `common` ones, on which every series has a value.", values=("all", "common"))
    ] = "all"
    day_first: Annotated[
        bool | None,
        _option("Order of day and month in a file's dates, such as 01/02/2024.", "--day-first/--month-first"),
    ] = None
    decimal: Annotated[str | None, _option("Decimal mark of a file, if ambiguous: , or .")] = None
    interval: Annotated[
        str, _option("Interval of the bars from Yahoo: 1d, 1wk, 1mo, 1h, 15m, 5m, 2m, 1m.", values=INTERVALS)
    ] = "1d"
    adjust: Annotated[
        str, _option("`auto` adjusts prices from Yahoo for dividends, `none` does not.", values=ADJUSTMENTS)
    ] = "auto"
    offline: Annotated[bool, _option("Use cached Yahoo prices only.", "--offline")] = False
    static: Annotated[
        str | None,
        _option(
            "CSV file with a row for each series, its name in the first column: inputs of models that have `static`."
        ),
    ] = None

    def static_table(self) -> pd.DataFrame | None:
        """Return the table of --static; None if it is not given."""
        from forecast.cli.static_file import read_static_file

        return None if self.static is None else read_static_file(self.static)

    def table(self, inputs: Inputs = NO_INPUTS) -> pd.DataFrame:
        """Return the raw prices, with all fields only if the target or the inputs of models need them."""
        is_separate = bool(inputs.future) and self.is_file()  # the inputs are read by name, next to the target
        has_fields = bool(inputs.exog) and not is_separate
        if self.columns is not None and (has_fields or self.target not in ("price", "return")):
            raise ValueError(
                "--columns names the series themselves, so there are no fields for --target, or for a model that reads "
                "others as well: leave --columns out"
            )
        field = {"price": None, "volume": "Volume"}.get(self.target, self.target)
        needs_fields = has_fields or self.target in DERIVED_TARGETS
        prices = self._read(
            "all" if needs_fields and self.columns is None else field, inputs.exog if is_separate else ()
        )
        prices.attrs["source"] = self.data
        prices.attrs["options"] = {
            name: value for name, value in asdict(self).items() if value != self.__dataclass_fields__[name].default
        }
        return prices

    def panel(self, table: pd.DataFrame, inputs: Inputs = NO_INPUTS) -> Panel:
        """Return the panel of the target, with the inputs of models as further channels."""
        from forecast.data.panel import as_panel
        from forecast.data.targets import make_target

        how = cast(Literal["all", "common"], self.rows)  # which `as_panel` checks
        if inputs.exog or self.target in DERIVED_TARGETS:
            return make_target(table, self.target, inputs.exog, how, inputs.future, self.static_table())
        return as_panel(table, how=how, static=self.static_table())

    def read_as(self, fitted: Mapping[str, Any], given: Collection[str]) -> Prices:
        """Return these prices, to be read as those of a fit.

        `fitted` are the options of the fit, `given` the names of those that are given for these prices. Raises
        ValueError if one of these contradicts the fit. Options of another kind of source do not matter.
        """
        both_yahoo = self.data.startswith(YAHOO) and str(fitted.get("data", "")).startswith(YAHOO)
        applies = dict.fromkeys((*FILE_OPTIONS, "columns"), self.is_file())
        applies |= dict.fromkeys(("interval", "adjust"), both_yahoo)
        inherited = {}
        for field in fields(self):
            name, value = field.name, fitted.get(field.name, field.default)
            if name in SELECTION or not applies.get(name, True):
                continue
            if name not in given:
                inherited[name] = value
            elif name not in (*FILE_OPTIONS, "static"):
                check_same_as_fit(name, getattr(self, name), value)
        return replace(self, **inherited)

    def all_fields(self) -> pd.DataFrame:
        """Return the raw prices with all fields, dividends and splits included."""
        return self._read("all")

    def is_file(self) -> bool:
        """Return whether the prices are those of a file."""
        from forecast.data.samples import samples

        return not self.data.startswith(YAHOO) and self.data not in set(samples()["name"])

    def start_of_path(self, out: Path) -> dict[str, str]:
        """Return, of a relative path, the option of the folder from which it starts, as seen from that of --out."""
        is_relative = any(not user_path(path).is_absolute() for path in self.paths().values())
        return {"folder": relative_path(Path.cwd(), out)} if is_relative else {}

    def paths(self) -> dict[str, str]:
        """Return the options that are paths of files."""
        paths = {"data": self.data} if self.is_file() else {}
        return paths if self.static is None else paths | {"static": self.static}

    def _read(self, field: str | None, inputs: Sequence[str] = ()) -> pd.DataFrame:
        """Return the prices of one field, or of "all" fields, and inputs; what is left out is among the notes."""
        from forecast.data.series import PricesWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PricesWarning)
            return self._read_source(field, inputs)

    def _read_source(self, field: str | None, inputs: Sequence[str]) -> pd.DataFrame:
        from forecast.data.samples import load_sample, samples

        if not self.data:
            raise ValueError("no prices are named: use a sample (see `forecast samples`), a file, or yahoo:TICKER")
        file_options = {"--day-first": self.day_first is not None, "--decimal": self.decimal is not None}
        file_options["--columns"] = self.columns is not None
        yahoo_options = {"--interval": self.interval != "1d", "--offline": self.offline}
        yahoo_options["--adjust"] = self.adjust != "auto"
        if self.data.startswith(YAHOO):
            _reject(file_options, "files")
            return download_prices(self.data.removeprefix(YAHOO), self, field)
        _reject(yahoo_options, f"prices from Yahoo, such as {YAHOO}AAPL")
        names = list(samples()["name"])
        if self.data in names:
            _reject(file_options, "files")
            return self._slice(load_sample(self.data, field))
        if user_path(self.data).exists() or Path(self.data).suffix:
            return self._slice(self._read_file(field, inputs), inputs)
        raise ValueError(
            f"there is no file and no sample {self.data!r}{did_you_mean(self.data, names)}: name a CSV or Parquet "
            f"file, a sample, or {YAHOO}TICKER"
        )

    def _read_file(self, field: str | None, inputs: Sequence[str]) -> pd.DataFrame:
        from forecast.data.files import read_prices

        options: dict[str, Any] = {"dayfirst": self.day_first, "decimal": self.decimal, "inputs": inputs}
        if self.columns is not None:
            return read_prices(self.data, columns=split_names(self.columns, "--columns"), **options)
        if field is None or field == "all":
            return read_prices(self.data, field, **options)
        return read_prices(self.data, target=field, **options)

    def _slice(self, prices: pd.DataFrame, inputs: Sequence[str] = ()) -> pd.DataFrame:
        """Return the rows from --start to --end; where there are inputs, those after --end without prices."""
        if self.start is None and self.end is None:
            return prices
        import pandas as pd

        if not isinstance(prices.index, pd.DatetimeIndex):
            raise ValueError(f"--start and --end need dates, and the rows of {self.data} have none")
        start, end = (
            None if time is None else time.tz_localize(prices.index.tz) for time in parse_range(self.start, self.end)
        )
        selected = prices.loc[start:end]
        if selected.empty:
            first, last = (f"{day:%Y-%m-%d}" for day in prices.index[[0, -1]])
            raise ValueError(f"{self.data} has no rows between --start and --end; its dates are {first} to {last}")
        if inputs:
            later = prices.loc[start:].iloc[len(selected) :].copy()
            later.loc[:, ~prices.columns.get_level_values(0).isin(inputs)] = float("nan")
            return pd.concat([selected, later])
        return selected


def with_options(panel: Panel, options: Mapping[str, Any]) -> Panel:
    """Return a panel with more of the options that its prices were read with."""
    return replace(panel, attrs={**panel.attrs, "options": {**panel.attrs.get("options", {}), **options}})


def split_names(text: str, option: str) -> list[str]:
    """Return the names in the text of an option, separated by commas, in quotes where they contain one."""
    names = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
    if not all(names) or not names:
        raise ValueError(f"{option} {text} names no column between two commas: write {option} A,B")
    return names


def _reject(options: dict[str, bool], applicable: str) -> None:
    """Raise ValueError for the first option that is set."""
    option = next((name for name, is_set in options.items() if is_set), None)
    if option is not None:
        raise ValueError(f"{option} applies only to {applicable}: leave it out")


def check_same_as_fit(name: str, value: Any, fitted: Any) -> None:
    """Raise ValueError if an option has another value than at the fit."""
    if value != fitted:
        option = f"--{name.replace('_', '-')}"
        before = f"was {fitted}" if fitted is not None else "was not given"
        raise ValueError(f"{option} is {value} and at the fit it {before}: leave it out, or fit another model")


def given_options(context: typer.Context) -> list[str]:
    """Return the names of the parameters that are given on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]


def takes_prices(command: Callable[..., CommandResult]) -> Callable[..., CommandResult]:
    """Add the options of `Prices` to a command's own, and pass it a `Prices` as its first argument.

    A command's own arguments precede the prices.
    """
    hints = get_type_hints(Prices, include_extras=True)
    options = [keyword(field.name, hints[field.name], field.default) for field in fields(Prices)]
    own_options = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

    @wraps(command)
    def with_prices(**arguments: Any) -> CommandResult:
        prices = Prices(**{option.name: arguments.pop(option.name) for option in options})
        return command(prices, **arguments)

    set_signature(with_prices, sorted([*options, *own_options], key=lambda option: not _is_required_argument(option)))
    return with_prices


def _is_required_argument(parameter: inspect.Parameter) -> bool:
    is_argument = any(isinstance(item, ArgumentInfo) for item in get_args(parameter.annotation))
    return is_argument and parameter.default is inspect.Parameter.empty


def download_prices(tickers: str, prices: Prices, field: str | None, **options: Any) -> pd.DataFrame:
    """Download prices with a progress bar, and print warnings as messages."""
    from forecast.data.yahoo.download import DownloadWarning, download

    start, end = parse_range(prices.start, prices.end)
    options |= {"fields": field, "offline": prices.offline, "adjust": prices.adjust}
    with report_warnings(DownloadWarning):
        return download(tickers, start, end, prices.interval, progress=not quiet.get(), **options)


def parse_range(start: str | None, end: str | None) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """Return the first time of --start and the last of --end, as 2020-06 ends with the month."""
    first, last = _parse_period(start, "--start"), _parse_period(end, "--end")
    if first is not None and last is not None and first.start_time > last.end_time:
        raise ValueError(f"--start {start} is after --end {end}: swap them")
    return None if first is None else first.start_time, None if last is None else last.end_time


def _parse_period(text: str | None, option: str) -> pd.Period | None:
    """Return the year, month, day or time in the text of an option."""
    import pandas as pd

    if text is None:
        return None
    try:
        time = pd.Timestamp(text)
        period = pd.Period(text)
    except ValueError:
        time = period = pd.NaT
    if time is pd.NaT or not re.search(r"\d{4}", text):
        raise ValueError(f"{option} must be a date such as 2015-01-31; got {text!r}")
    if time.tz is not None:
        raise ValueError(f"{option} {text} has a time zone: write the date and time of the prices without it")
    return period


@command()
def download(
    tickers: Annotated[list[str], typer.Argument(help="Yahoo's symbols: AAPL MSFT VOD.L BTC-USD ^GSPC.")],
    start: Annotated[str | None, typer.Option(help="First date (default: the first one available).")] = None,
    end: Annotated[str | None, typer.Option(help="Last date (default: the newest one).")] = None,
    interval: Annotated[
        str,
        typer.Option(help="1d, 1wk or 1mo; recent days only: 1h, 15m, 5m, 2m, 1m.", autocompletion=choices(*INTERVALS)),
    ] = "1d",
    adjust: Annotated[
        str,
        typer.Option(
            help="`auto` adjusts prices for dividends, `none` does not.", autocompletion=choices(*ADJUSTMENTS)
        ),
    ] = "auto",
    field: Annotated[str, typer.Option(help="`all`, or one field such as Close.")] = "all",
    on_error: Annotated[
        str,
        typer.Option(
            help="`raise` stops if a ticker fails, `skip` leaves it out.", autocompletion=choices("raise", "skip")
        ),
    ] = "raise",
    offline: Annotated[bool, typer.Option("--offline", help="Use cached prices only.")] = False,
    out: Annotated[Path | None, typer.Option(help="File to write, or to replace: .parquet or .csv.")] = None,
) -> CommandResult:
    """Download prices from Yahoo; only prices that are not cached are fetched.

    [bold]Example:[/bold] forecast download AAPL MSFT --start 2015-01-01 --out prices.parquet
    """
    from forecast.data.checks import check_prices

    if out is not None:
        check_out(out)
    request = Prices(",".join(tickers), start=start, end=end, interval=interval, adjust=adjust, offline=offline)
    prices = download_prices(request.data, request, field, on_error=on_error)
    report = check_prices(prices)
    if out is not None:
        write_table(prices, out)

    def show() -> None:
        show_prices(report)
        if out is not None:
            print_line()
            print_line(f"{len(prices):,} rows of {', '.join(prices.attrs['facts'])} are in {out}")

    summary = {"rows": len(prices), "failed": prices.attrs.get("failed", {}), "out": None if out is None else str(out)}
    return CommandResult(report.to_dict() | {"facts": prices.attrs["facts"]} | summary, show)


@command()
@takes_prices
def check(prices: Prices) -> CommandResult:
    """Report anomalies in prices: missing days, stale runs, split-like jumps, zeros, mixed currencies.

    The prices are not changed.

    [bold]Example:[/bold] forecast check prices.csv
    """
    from forecast.data.checks import check_prices

    is_raw = prices.target == "price" and prices.rows == "all" and prices.columns is None and prices.static is None
    report = check_prices(prices.all_fields() if is_raw else prices.panel(prices.table()))
    return CommandResult(report.to_dict(), lambda: show_prices(report))


@command("samples")
def list_samples() -> CommandResult:
    """List the included price samples, which commands accept in place of a file.

    [bold]Example:[/bold] forecast samples
    """
    from forecast.data.samples import samples

    def show() -> None:
        for row in samples().itertuples(index=False):
            span = f"{row.rows:,} rows, {row.first} to {row.last}; {row.source}; {row.licence}"
            show_entry(row.name, row.what, span)

    return CommandResult(samples(), show)


def check_out(out: Path, source: str | Path = "", suffixes: tuple[str, ...] = TABLES, option: str = "--out") -> None:
    """Raise ValueError if a file cannot be written: it is what is read, or in a run, a model or a checkpoint."""
    if out.suffix.lower() not in suffixes:
        raise ValueError(f"{option} {out} must end in {' or '.join(suffixes)}")
    parent = out.absolute().parent
    if out.is_dir() or not parent.is_dir():
        problem = "is a folder" if out.is_dir() else f"cannot be written: {parent} is not a folder"
        raise ValueError(f"{option} {out} {problem}; name a file in an existing folder")
    if source and out.exists() and user_path(source).exists() and out.samefile(user_path(source)):
        raise ValueError(f"{option} {out} is the file that is read, and would be replaced: name another file")
    if (owner := containing_folder(out, (RUN, MODEL, CHECKPOINT))) is not None:
        raise ValueError(f"{option} {out} is in {owner}, which holds a run or a model: name a file outside of it")


def write_table(table: pd.DataFrame, out: Path, index: bool = True) -> None:
    """Write a table to a Parquet or CSV file atomically."""
    with named_errors(out, "file"), atomic_file(out) as temporary:
        if out.suffix.lower() == ".parquet":
            table.to_parquet(temporary, index=index)
        else:
            text = [*map(str, table.columns), *table.select_dtypes(["object", "string"]).stack().astype(str)]
            quoting = csv.QUOTE_NONNUMERIC if any("\r" in cell for cell in text) else csv.QUOTE_MINIMAL
            table.to_csv(temporary, index=index, quoting=quoting)  # which would leave a carriage return unquoted
