import importlib.util
import re
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from forecast.data.files import read_prices
from forecast.data.panel import as_panel
from forecast.data.samples import load_sample, samples
from forecast.data.samples import samples as listing

ROOT = Path(__file__).parents[2]
NAMES = ["stocks", "simulated", "sp500", "nasdaq"]
FIELDS = ["Open", "High", "Low", "Close", "Adj Close", "Volume"]


def load_prepare_script():
    spec = importlib.util.spec_from_file_location("prepare", ROOT / "data" / "prepare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- samples ---------------------------------------------------------------------------------------------------------

ORACLES = [
    ("stocks", "AAPL", 1.082378, 0.737455),
    ("stocks", "MSFT", 0.311200, 0.234093),
    ("stocks", "IBM", 1.762746, 1.236661),
    ("stocks", "GOOG", 5.204199, 3.629046),
    ("sp500", "SP500", 19.973488, 13.488164),
    ("nasdaq", "NASDAQ", 61.997674, 42.247486),
]


@pytest.mark.parametrize(("name", "ticker", "rmse", "mae"), ORACLES)
def test_random_walk_has_the_published_error(name, ticker, rmse, mae):
    y = load_sample(name)[ticker].dropna().to_numpy()
    errors = np.diff(y)[-round(0.2 * len(y)) :]  # one fifth of the rows of the series itself, rounded
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(rmse, abs=1e-6)
    assert np.mean(np.abs(errors)) == pytest.approx(mae, abs=1e-6)


@pytest.mark.parametrize("name", ["stocks", "simulated"])
def test_rebuilt_samples_equal_the_committed_ones(name):
    if name == "stocks":
        pytest.importorskip("bokeh_sampledata")
    committed = pd.read_parquet(ROOT / "data" / "samples" / f"{name}.parquet")
    assert_frame_equal(getattr(load_prepare_script(), name)(), committed, check_index_type=False, rtol=1e-12)
    assert (ROOT / "data" / "samples" / f"{name}.parquet").stat().st_size < 1_000_000


@pytest.mark.parametrize("name", NAMES)
def test_the_listing_describes_the_samples(name):
    row = samples().set_index("name").loc[name]
    prices = load_sample(name)
    assert row["rows"] == len(prices)
    assert [row["first"], row["last"]] == [f"{date:%Y-%m-%d}" for date in prices.index[[0, -1]]]


def test_the_listing_names_every_sample():
    assert list(samples()["name"]) == NAMES
    assert listing is samples  # the function, although a module has the same name


@pytest.mark.parametrize("name", NAMES)
def test_all_samples_have_the_same_shape(name):
    prices, all_fields = load_sample(name), load_sample(name, fields="all")
    assert isinstance(prices.index, pd.DatetimeIndex)
    assert prices.index.is_monotonic_increasing
    assert prices.index.is_unique
    assert (prices.min() > 0).all()
    assert prices.index.name == "Date"
    assert prices.columns.name == "Ticker"
    assert all_fields.columns.names == ["Price", "Ticker"]
    assert_frame_equal(all_fields["Close" if name == "simulated" else "Adj Close"], prices)
    assert_frame_equal(load_sample(name, fields="close"), all_fields["Close"])
    np.testing.assert_array_equal(as_panel(all_fields).target, as_panel(prices).target)


def test_stocks_have_the_layout_of_yfinance():
    all_fields = load_sample("stocks", "all")
    assert list(all_fields["Open"]) == ["AAPL", "IBM", "MSFT", "GOOG"]
    assert list(all_fields.columns.unique(0)) == FIELDS
    assert all_fields.xs("GOOG", axis=1, level=1).dropna().index[0] == pd.Timestamp("2004-08-19")
    assert all_fields.loc["2000-03-01", ("Adj Close", "AAPL")] == 4.186662803811  # exactly
    assert load_sample("sp500").columns.tolist() == ["SP500"]


def test_simulated_series_have_their_stated_parameters():
    x = np.log(load_sample("simulated") / 100)
    change = x.diff()
    assert np.corrcoef(x["ar1"][1:], x["ar1"].shift()[1:])[0, 1] == pytest.approx(0.9, abs=0.03)
    assert change["random_walk"].std() == pytest.approx(0.01, rel=0.05)
    assert abs(change["random_walk"].autocorr()) < 0.05
    season = 0.02 * np.sin(2 * np.pi * np.arange(len(x)) / 5)
    assert (x["seasonal"] - season).std() == pytest.approx(0.005, rel=0.05)
    squares = change["volatility_clustering"] ** 2
    assert squares.autocorr() > 0.1 > abs(change["volatility_clustering"].autocorr())
    missing = as_panel(load_sample("simulated")).missing()
    assert missing.drop("holiday_gap").sum() == 0
    assert missing["holiday_gap"] == 25
    assert np.isnan(x["late_listing"].iloc[:1200]).all()
    assert np.isnan(x["delisted"].iloc[1400:]).all()
    assert x["late_listing"].count() == 800
    assert x["delisted"].count() == 1400


def test_an_unknown_sample_lists_the_samples():
    with pytest.raises(
        ValueError, match=r"no sample 'stoks' \(did you mean 'stocks'\?\).*stocks, simulated, sp500, nasd"
    ):
        load_sample("stoks")
    with pytest.raises(ValueError, match="no sample 'zzz'; the samples are"):
        load_sample("zzz")


def test_an_unknown_field_lists_the_fields():
    with pytest.raises(
        ValueError, match="sample simulated: there is no field 'Open' to forecast; the prices have Close"
    ):
        load_sample("simulated", fields="Open")


def test_a_missing_sample_names_its_folders(monkeypatch, tmp_path):
    module = sys.modules["forecast.data.samples"]
    monkeypatch.setattr(module, "SAMPLE_FOLDERS", (tmp_path / "a", tmp_path / "b"))
    with pytest.raises(FileNotFoundError, match=r"stocks.parquet is neither in .*prepare.py"):
        load_sample("stocks")
    (tmp_path / "a").mkdir()  # its folder in a wheel
    (tmp_path / "a" / "stocks.parquet").write_bytes((ROOT / "data" / "samples" / "stocks.parquet").read_bytes())
    assert len(load_sample("stocks")) == 3270


@pytest.mark.medium
def test_the_listing_loads_no_heavy_library():
    heavy = ("arch", "torch", "yfinance", "statsmodels", "sklearn")
    code = f"import sys, forecast; forecast.samples(); print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


# --- files: every shape is read back ----------------------------------------------------------------------------------


@pytest.fixture
def wide():
    rng = np.random.default_rng(0)
    index = pd.bdate_range("2024-01-01", periods=40, name="Date", freq="B")
    values = 100 * np.exp(0.01 * rng.standard_normal((40, 3)).cumsum(axis=0))
    values[:5, 2] = np.nan
    frame = pd.DataFrame(values, index=index, columns=pd.Index(["AAPL", "MSFT", "IBM"], name="Ticker"))
    frame.index.freq = None
    return frame


@pytest.fixture
def ohlcv(wide):
    parts = {field: wide * (1 + i / 100) for i, field in enumerate(FIELDS)}
    return pd.concat(parts, axis=1, names=["Price", "Ticker"])


def assert_same(a, b):
    assert_frame_equal(a, b, check_index_type=False, check_column_type=False, check_exact=True)


WRITERS = {
    "wide.csv": lambda f, p: f.to_csv(p),
    "wide.CSV": lambda f, p: f.to_csv(p),
    "wide.csv.gz": lambda f, p: f.to_csv(p),
    "semicolon.csv": lambda f, p: f.to_csv(p, sep=";"),
    "tab.tsv": lambda f, p: f.to_csv(p, sep="\t"),
    "unnamed.csv": lambda f, p: f.rename_axis(None).to_csv(p),
    "other name.csv": lambda f, p: f.rename_axis("Handelstag").to_csv(p),
    "last column.csv": lambda f, p: f.assign(Date=f.index).to_csv(p, index=False),
    "counted.csv": lambda f, p: f.reset_index().to_csv(p),
    "shuffled.csv": lambda f, p: f.sample(frac=1, random_state=1).to_csv(p),
    "compact.csv": lambda f, p: f.to_csv(p, date_format="%Y%m%d"),
    "month first.csv": lambda f, p: f.to_csv(p, date_format="%m/%d/%Y"),
    "day first.csv": lambda f, p: f.to_csv(p, date_format="%d.%m.%Y"),
    "words.csv": lambda f, p: f.to_csv(p, date_format="%d-%b-%Y"),
    "bom.csv": lambda f, p: f.to_csv(p, encoding="utf-8-sig"),
    "crlf.csv": lambda f, p: f.to_csv(p, lineterminator="\r\n"),
    "blank lines.csv": lambda f, p: p.write_text(f.to_csv().replace("\n", "\n\n") + "\n\n"),
    "end commas.csv": lambda f, p: p.write_text(f.to_csv().replace("\n", ",\n")),
    "zone.csv": lambda f, p: f.tz_localize("America/New_York").to_csv(p),
    "long.csv": lambda f, p: to_long(f).to_csv(p, index=False),
    "ticker.csv": lambda f, p: to_long(f).set_axis(["Symbol", "Date", "Price"], axis=1).to_csv(p, index=False),
    "wide.parquet": lambda f, p: f.to_parquet(p),
    "column.parquet": lambda f, p: f.reset_index().to_parquet(p, index=False),
    "text.parquet": lambda f, p: f.set_axis(f.index.strftime("%Y-%m-%d"), axis=0).to_parquet(p),
    "zone.parquet": lambda f, p: f.tz_localize("America/New_York").to_parquet(p),
    "long.parquet": lambda f, p: to_long(f).to_parquet(p),
    "shuffled.pq": lambda f, p: f.sample(frac=1, random_state=1).to_parquet(p),
}


def to_long(frame):
    long = frame.melt(ignore_index=False, var_name="unique_id", value_name="y").reset_index(names="ds")
    return long[["unique_id", "ds", "y"]].dropna()


@pytest.mark.parametrize("name", WRITERS)
def test_a_wide_table_is_read_back(name, wide, tmp_path):
    path = tmp_path / name
    WRITERS[name](wide, path)
    prices = read_prices(path)
    assert_same(prices[["AAPL", "MSFT", "IBM"]], wide)  # a long file has no order of columns
    assert prices.shape == wide.shape
    assert_same(read_prices(str(path), fields="all"), prices)  # it has no fields


FIELD_WRITERS = {
    "both.csv": lambda f, p: f.to_csv(p),
    "nameless.csv": lambda f, p: f.rename_axis(index=None).to_csv(p),
    "bare.csv": lambda f, p: f.rename_axis(index=None, columns=[None, None]).to_csv(p),
    "ticker first.csv": lambda f, p: f.swaplevel(axis=1).to_csv(p),
    "reset.csv": lambda f, p: f.reset_index().to_csv(p, index=False),
    "gaps.csv": lambda f, p: f.iloc[::-1].to_csv(p),
    "both.parquet": lambda f, p: f.to_parquet(p),
    "reset.parquet": lambda f, p: f.reset_index().to_parquet(p),
    "stacked.csv": lambda f, p: stack_tickers(f).to_csv(p, index=False),
}


def stack_tickers(frame):
    parts = [frame.xs(name, axis=1, level=1).assign(ticker=name) for name in frame.columns.unique(1)]
    return pd.concat(parts).dropna().rename_axis(columns=None).reset_index()


@pytest.mark.parametrize("name", FIELD_WRITERS)
def test_fields_and_tickers_are_read_back(name, ohlcv, tmp_path):
    FIELD_WRITERS[name](ohlcv, tmp_path / name)
    all_fields = read_prices(tmp_path / name, fields="all")
    assert all_fields.columns.names == ["Price", "Ticker"]
    assert_same(all_fields[ohlcv.columns], ohlcv)
    columns = ["AAPL", "MSFT", "IBM"]
    assert_same(read_prices(tmp_path / name)[columns], ohlcv["Adj Close"])
    assert_same(read_prices(tmp_path / name, fields="adj_close")[columns], ohlcv["Adj Close"])
    assert_same(read_prices(tmp_path / name, fields="Open")[columns], ohlcv["Open"])


@pytest.mark.parametrize("name", ["AAPL.csv", "AAPL.csv.gz", "AAPL.parquet"])
def test_one_ticker_is_named_after_its_file(name, ohlcv, tmp_path):
    one = ohlcv.xs("AAPL", axis=1, level=1).rename_axis(columns=None)
    write = one.to_parquet if name.endswith("parquet") else one.to_csv
    write(tmp_path / name)
    assert_same(read_prices(tmp_path / name), ohlcv["Adj Close"][["AAPL"]])
    assert_same(read_prices(tmp_path / name, fields="all"), ohlcv.loc[:, (slice(None), "AAPL")])
    write = one[["Close"]].to_parquet if name.endswith("parquet") else one[["Close"]].to_csv
    write(tmp_path / name)
    assert_same(read_prices(tmp_path / name, fields="Close"), ohlcv["Close"][["AAPL"]])


def test_closes_are_read_where_nothing_is_adjusted(ohlcv, tmp_path):
    ohlcv.drop(columns="Adj Close", level=0).to_csv(tmp_path / "raw.csv")
    assert_same(read_prices(tmp_path / "raw.csv"), ohlcv["Close"])


@pytest.mark.parametrize("name", ["", "index", "Step"])
def test_rows_may_have_numbers(name, wide, tmp_path):
    numbered = wide.set_axis(pd.RangeIndex(7, 47, name=name), axis=0)
    numbered.iloc[::-1].to_csv(tmp_path / "steps.csv")
    prices = read_prices(tmp_path / "steps.csv")
    np.testing.assert_array_equal(prices.to_numpy(), wide.to_numpy())
    assert prices.index.tolist() == list(range(7, 47))


def test_long_tables_may_have_row_numbers(tmp_path):
    (tmp_path / "m4.csv").write_text("unique_id,ds,y\n007,2,1.5\n007,1,1.0\n010,2,9\n")
    prices = read_prices(tmp_path / "m4.csv")
    assert prices.columns.tolist() == ["007", "010"]  # the names stay text
    np.testing.assert_array_equal(prices, [[1.0, np.nan], [1.5, 9.0]])


def test_local_times_of_zoned_dates_remain(tmp_path):
    # either side of the change to summer time
    (tmp_path / "bars.csv").write_text("Datetime,A\n2024-03-08 09:30:00-05:00,1\n2024-03-11T09:30:00-0400,2\n")
    assert [str(t) for t in read_prices(tmp_path / "bars.csv").index] == ["2024-03-08 09:30:00", "2024-03-11 09:30:00"]


def test_the_result_is_writeable(wide, tmp_path):
    wide.to_csv(tmp_path / "w.csv")
    prices = read_prices(tmp_path / "w.csv")
    prices.iloc[0, 0] = 1.0
    assert prices.iloc[0, 0] == 1.0


# --- files: error texts -----------------------------------------------------------------------------------------------

HEAD = "Date,AAPL,IBM\n"
GOOD = "2024-01-02,1.5,2\n"
TEXT_FAILURES = {
    "0 bytes": ("", "is empty (0 bytes); a header and rows are needed: save or download"),
    "blank": ("\n \n", "only blank lines; a header and rows are needed: save or download"),
    "header only": (HEAD, "a header but no row; rows of a date and prices are needed: download"),
    "one column": ("Date\n2024-01-02\n", "only one column, 'Date'; dates and at least one column of prices"),
    "no date": (
        "AAPL,IBM\n1.5,2\n",
        "no date column: none is named date, ds or time, and the first, 'AAPL', begins wi",
    ),
    "no date, integers": ("AAPL,IBM\n1995,2\n1996,3\n", "the first, 'AAPL', begins with '1995'; add a column of dates"),
    "no date, words": ("Name,IBM\nfoo,2\n", "the first, 'Name', begins with 'foo'; add a column of dates"),
    "bad date": (
        HEAD + GOOD + "\n2024-02-30,1,2\n",
        "line 4 contains '2024-02-30' instead of a date: write all dates as 2024-01-31",
    ),
    "bad first": (
        HEAD + "soon,1,2\n" + GOOD,
        "line 2 contains 'soon' instead of a date: write all dates as 2024-01-31",
    ),
    "month 13": (
        HEAD + "01/02/2024,1,2\n13/13/2024,1,2\n",
        "line 3 contains '13/13/2024' instead of a date: write all",
    ),
    "day or month first": (
        HEAD + "01/02/2024,1,2\n01/03/2024,1,2\n",
        "such as '01/02/2024' may mean month/day or day/month: set dayfirst",
    ),
    "mixed": (
        HEAD + "01/31/2024,1,2\n31/01/2024,1,2\n",
        "line 3 contains '31/01/2024' instead of a date: write all dates",
    ),
    "no date in row": (HEAD + GOOD + ",1,2\n", "line 3 has no date: give the row one, or drop it"),
    "twice": (
        HEAD + GOOD + "2024-01-03,1,2\n" + GOOD,
        "2024-01-02 appears more than once among the dates, in 2 rows with the same values",
    ),
    "thousands": (
        HEAD + '2024-01-02,"1,000",2\n2024-01-03,"1,234",2\n',
        "line 2 contains '1,000' in 'AAPL', which may mean 10",
    ),
    "both marks": (
        HEAD + '2024-01-02,"1,5",2\n2024-01-03,"1,234.5",2\n',
        "line 2 contains '1,5' and line 3 '1,234.5': the dec",
    ),
    "short years": (HEAD + "13/02/21,1,2\n14/02/21,1,2\n", "line 2 contains '13/02/21', whose year has two digits"),
    "NUL": (HEAD + GOOD + "2024-01-03,1,\0\n", "line 3 contains a NUL byte"),
    "text": (HEAD + GOOD + "2024-01-03,1,halt\n", "'IBM' contains 'halt' at 2024-01-03; prices must be numbers"),
    "infinite": (HEAD + GOOD + "2024-01-03,1,inf\n", "'IBM' contains an infinite value at 2024-01-03; leave the cell"),
    "repeated name": ("Date,A,A\n2024-01-02,1,2\n", "the column 'A' appears more than once: give each its own name"),
    "long row": (HEAD + GOOD + "2024-01-03,1,2,3\n", "line 3 has more cells than the 3 of the header: remove"),
    "open quote": (HEAD + GOOD + '2024-01-03,"1,2\n', "is not readable CSV"),
    "no prices": (HEAD + "2024-01-02,,\n", "contain no observed value"),
    "long twice": (
        "unique_id,ds,y\nA,2024-01-02,1\nA,2024-01-02,2\n",
        "A has 2 rows at 2024-01-02 with different values: find out which",
    ),
    "stack twice": (
        "ticker,date,open,close\n" + "A,2024-01-02,1,2\n" * 2,
        "A has 2 rows at 2024-01-02 with the same values",
    ),
    "no ticker": (
        "ticker,date,close\nA,2024-01-02,1\n,2024-01-02,1\n",
        "1 rows have no ticker: give each row one, or drop it",
    ),
    "no values": ("ticker,date\nA,2024-01-02\n", "dates and ticker but no prices: add a column of them"),
}


def assert_refused(path, message, kind=ValueError, **options):
    with pytest.raises(kind, match=f"^{re.escape(path.name)}.*{re.escape(message)}") as caught:
        read_prices(path, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).count(path.name) == 1


@pytest.mark.parametrize("case", TEXT_FAILURES)
def test_an_invalid_text_file_raises(case, tmp_path):
    text, message = TEXT_FAILURES[case]
    path = tmp_path / "my prices.csv"
    path.write_text(text)
    assert_refused(path, message)


def test_paths_of_other_files_raise(tmp_path):
    assert_refused(tmp_path / "nowhere.csv", "does not exist in", FileNotFoundError)
    (tmp_path / "folder.csv").mkdir()
    assert_refused(tmp_path / "folder.csv", "is a folder; a .csv")
    for name in ("prices.xls", "prices", "prices.parquet.gz"):
        (tmp_path / name).write_text("x")
        assert_refused(tmp_path / name, "is of no supported kind; a .csv, .tsv, .txt")


def test_damaged_files_raise(wide, tmp_path):
    path = tmp_path / "p.parquet"
    wide.to_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    assert_refused(path, "not a readable Parquet file, perhaps cut short: save or download")
    wide.to_csv(tmp_path / "p.csv.gz")
    (tmp_path / "p.csv.gz").write_bytes((tmp_path / "p.csv.gz").read_bytes()[:-40])
    assert_refused(tmp_path / "p.csv.gz", "not a readable gzip file, perhaps cut short: download")
    (tmp_path / "z.csv.gz").write_bytes(zlib.compress(b"Date,A\n"))
    assert_refused(tmp_path / "z.csv.gz", "not a readable gzip file")


def test_parquet_without_dates_raises_with_its_row(wide, tmp_path):
    path = tmp_path / "p.parquet"
    dated = wide.set_axis(wide.index.strftime("%Y-%m-%d"), axis=0)
    dated.set_axis([*dated.index[:-1], "never"], axis=0).rename_axis("Date").to_parquet(path)
    assert_refused(path, "row 40 contains 'never' instead of a date: write all dates")
    wide.reset_index(drop=True).to_parquet(path)
    assert_refused(path, "no date column")
    wide.iloc[:0].to_parquet(path)
    assert_refused(path, "a header but no row")


def test_a_missing_field_raises(ohlcv, tmp_path):
    ohlcv[["Close", "Volume"]].to_csv(tmp_path / "p.csv")
    assert_refused(
        tmp_path / "p.csv", "there is no field 'Open' to forecast; the prices have Close, Volume", fields="Open"
    )
    ohlcv["Close"].to_csv(tmp_path / "w.csv")
    assert_refused(
        tmp_path / "w.csv", "there is no field 'Open' to forecast; the prices have AAPL, MSFT, IBM", fields="Open"
    )


def test_text_in_another_field_is_ignored(tmp_path):
    path = tmp_path / "A.csv"
    path.write_text("Date,Open,Close,Volume\n2024-01-02,1,2,many\n2024-01-03,1,2,3\n")
    assert read_prices(path).to_numpy().tolist() == [[2.0], [2.0]]
    assert_refused(path, "'A' of Volume contains 'many' at 2024-01-02; prices must be numbers", fields="all")


M4 = '"id","V2","V3","V4","V5"\n"H1","605","586.5","586","559"\n"H2","7","8",,\n"H3","1","2","3",\n'


def test_one_series_per_row(tmp_path):
    """Rows of M4 tables end with their last value; the columns they become end together."""
    (tmp_path / "hourly.csv").write_text(M4)
    prices = read_prices(tmp_path / "hourly.csv")
    expected = {"H1": [605, 586.5, 586, 559], "H2": [np.nan, np.nan, 7, 8], "H3": [np.nan, 1, 2, 3]}
    pd.testing.assert_frame_equal(
        prices, pd.DataFrame(expected, dtype=float), check_names=False, check_index_type=False
    )
    assert list(prices.index) == [0, 1, 2, 3]
    panel = as_panel(prices)
    assert panel.series == ("H1", "H2", "H3")
    assert list(panel.missing()) == [0, 0, 0]
    (tmp_path / "first.csv").write_text(M4.replace('"id"', '"V1"'))  # the header of the competition's files
    pd.testing.assert_frame_equal(read_prices(tmp_path / "first.csv"), prices)


def test_one_series_per_row_with_a_gap_zipped(tmp_path):
    import gzip

    (tmp_path / "gap.csv.gz").write_bytes(gzip.compress(b"V1,V2,V3,V4\nA,1,,3\nB,4,5,\n"))
    prices = read_prices(tmp_path / "gap.csv.gz")
    np.testing.assert_array_equal(prices.to_numpy(), [[1, np.nan], [np.nan, 4], [3, 5]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,V2,V3\nA,1,2\n,3,4\n", "line 3 has no id: name the series"),
        ("id,V2,V3\nA,1,2\nB,,\n", "B has no value at all: leave its row out"),
        ("id,V2,V3\nA,1,2\nA,3,4\n", "'A' appears more than once"),
        ("id,V2,V3\nA,1,x\n", "line 2 contains 'x' in V3; values must be numbers"),
    ],
)
def test_invalid_series_in_rows_raise(text, message, tmp_path):
    (tmp_path / "wrong.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_prices(tmp_path / "wrong.csv")


@pytest.mark.parametrize(
    "text",
    [
        "date,V2,V3\n2024-01-01,1,2\n2024-01-02,3,4\n",
        "V1,V2,V3\n2024-01-01,1,2\n2024-01-02,3,4\n",
        "Date,V1,V2\n2024-01-01,1,2\n2024-01-02,3,4\n",
        '"","V1","V2"\n2024-01-01,1,2\n2024-01-02,3,4\n',
        "step,V2,V3\n1,1,2\n2,3,4\n",
    ],
)
def test_columns_named_by_r_stay_columns(text, tmp_path):
    (tmp_path / "r.csv").write_text(text)
    np.testing.assert_array_equal(read_prices(tmp_path / "r.csv").to_numpy(), [[1, 2], [3, 4]])


def test_one_value_per_series(tmp_path):
    (tmp_path / "one.csv").write_text("V1,V2\nY1,5\nY2,6\n")
    assert read_prices(tmp_path / "one.csv").to_dict("list") == {"Y1": [5.0], "Y2": [6.0]}


# --- formats of numbers, dates and lines ------------------------------------------------------------------------------

FORMATS = {
    "decimal comma": "Date;A;B\n2024-01-02;12,5;1.234,75\n2024-01-03;13,25;1.235\n",
    "no thousands": "Date;A;B\n2024-01-02;12,5;1234,75\n2024-01-03;13,25;1235\n",
    "points": 'Date,A,B\n2024-01-02,12.5,"1,234.75"\n2024-01-03,13.25,"1,235"\n',
    "tabs and spaces": "Date\tA\tB\n2024-01-02\t 12,5\t 1.234,75 \n2024-01-03\t13,25\t1235\n",
    "newest first": "Date;A;B\n2024-01-03;13,25;1235\n2024-01-02;12,5;1234,75\n",
    "sep=": "sep=;\nDate;A;B\n2024-01-02;12,5;1234,75\n2024-01-03;13,25;1235\n",
    "title": "Prices of two shares\n\nDate,A,B\n2024-01-02,12.5,1234.75\n2024-01-03,13.25,1235\n",
    "comments": "# written by hand\nDate,A,B\n2024-01-02,12.5,1234.75\n2024-01-03,13.25,1235\n",
    "quotes": '"Date","A","B"\n"2024-01-02","12.5","1234.75"\n"2024-01-03","13.25","1235"\n',
    "empty ends": "Date,A,B,,\n2024-01-02,12.5,1234.75,,\n2024-01-03,13.25,1235,,\n,,,,\n\n",
    "words for months": 'Date,A,B\n"Jan 02, 2024",12.5,1234.75\n"Jan 03, 2024",13.25,1235\n',
    "days first": "Date,A,B\n02.01.2024,12.5,1234.75\n03.01.2024,13.25,1235\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("case", FORMATS)
def test_common_formats_are_read(case, encoding, tmp_path):
    path = tmp_path / "format.csv"
    path.write_bytes(FORMATS[case].replace("\n", "\r\n").encode(encoding))
    prices = read_prices(path, dayfirst=True)
    assert list(prices) == ["A", "B"]
    assert [f"{day:%Y-%m-%d}" for day in prices.index] == ["2024-01-02", "2024-01-03"]
    assert prices.to_numpy().tolist() == [[12.5, 1234.75], [13.25, 1235.0]]


THOUSANDS = {
    "dates with points": "Date\tClose\n01.03.2021\t1.002\n02.03.2021\t1.998\n",
    "names": "Datum,Schlusskurs\n2021-03-01,9.947\n2021-03-02,9.952\n",
    "names of a wide table": "Data,A,B\n2021-03-01,9.947,1\n2021-03-02,9.952,2\n",
    "next to hundreds": "Date,Close\n2021-03-01,1.002\n2021-03-02,998\n",
    "next to hundreds of one column": "Date|A|B\n2021-03-01|1.234|1.002\n2021-03-02|1.235|998\n",
    "behind a symbol": "Date,Close\n2021-03-01,$1.002\n2021-03-02,$998\n",
    "semicolons": "Date;Close\n2021-03-01;1.234\n2021-03-02;1.235\n",
    "commas": "Date,DAX\n2021-03-01,12.721\n2021-03-02,12.645\n",
    "bars": "Date,Open,High,Low,Close\n2021-03-01,9.100,9.955,9.100,9.952\n2021-03-02,9.952,9.952,9.952,9.952\n",
    "rates": "Date,USDEUR,USDGBP\n2021-03-01,1.234,1.100\n2021-03-02,1.235,1.101\n",
    "hundreds": "Date\tA\n2021-03-01\t100.125\n2021-03-02\t101.000\n",
    "small volumes": "Date,DAX,Volume\n2021-03-01,12.721,100\n2021-03-02,12.645,120\n",
}


@pytest.mark.parametrize("case", THOUSANDS)
def test_points_that_may_separate_thousands_are_a_question(case, tmp_path):
    path = tmp_path / "points.csv"
    path.write_text(THOUSANDS[case])
    assert_refused(path, "set decimal=',' or decimal='.'", dayfirst=True)
    point, comma = (read_prices(path, decimal=mark, dayfirst=True) for mark in ".,")
    np.testing.assert_array_equal(comma.iloc[0, 0], 1000 * point.iloc[0, 0])


POINTS = {
    "a trading platform": "<DATE>\t<CLOSE>\t<TICKVOL>\n2021.03.01\t108.756\t152\n2021.03.02\t108.786\t98\n",
    "an office": "observation_date,A\n2021-03-01,1.234\n2021-03-02,1.235\n",
    "months in English": "Date,A\nMar 1 2021,1.234\nMar 2 2021,1.235\n",
    "a volume": "Date,Close,Volume\n2021-03-01,1.234,1000\n2021-03-02,1.235,998\n",
    "below one": "Datum,Kurs\n2021-03-01,0.999\n2021-03-02,1.002\n",
    "two decimals elsewhere": "Datum,Kurs\n01.03.2021,998\n02.03.2021,1.002\n03.03.2021,1.5\n",
    "four digits": "Date,Close\n2021-03-01,998\n2021-03-02,1002.125\n",
    "whole numbers": "Datum\tKurs\n01.03.2021\t998\n02.03.2021\t1002\n",
    "times": "Date,Close\n2021-03-01 09:30:00.000,998\n2021-03-01 09:31:00.000,1002\n",
}


@pytest.mark.parametrize("case", POINTS)
def test_points_that_cannot_separate_thousands_are_read(case, tmp_path):
    path = tmp_path / "points.csv"
    path.write_text(POINTS[case])
    cells = [re.split("[,\t]", line)[1] for line in POINTS[case].splitlines()[1:]]
    assert read_prices(path, dayfirst=True).iloc[:, 0].tolist() == list(map(float, cells))


def test_dates_with_the_month_first_have_decimal_points(tmp_path):
    (tmp_path / "points.csv").write_text("Date,A\n03/29/2021,1.234\n03/30/2021,1.235\n")
    assert read_prices(tmp_path / "points.csv")["A"].tolist() == [1.234, 1.235]


@pytest.mark.parametrize("space", [" ", "'", "’", "\u00a0", "\u202f"])
@pytest.mark.parametrize("mark", [",", "."])
def test_spaces_and_apostrophes_separate_thousands(space, mark, tmp_path):
    path = tmp_path / "spaces.csv"
    rows = "".join(f"2021-03-0{day};1{space}234{mark}5{day};1{space}234{space}567\n" for day in (1, 2))
    path.write_text("Date;A;B\n" + rows)
    assert read_prices(path).to_numpy().tolist() == [[1234.51, 1234567.0], [1234.52, 1234567.0]]
    path.write_text(f"Date;A\n2021-03-01;12{space}34\n")
    assert_refused(path, "prices must be numbers")


def test_letters_behind_prices_are_noted_and_behind_volumes_not(tmp_path):
    (tmp_path / "a.csv").write_text("Date,Close,Volume\n2024-01-02,99.47B,1.2M\n2024-01-03,99.50B,800K\n")
    prices = read_prices(tmp_path / "a.csv")
    assert prices["a"].tolist() == [9.947e10, 9.95e10]
    (note,) = prices.attrs["notes"]
    assert note == "the numbers of the column 'Close' are multiplied by their letter: '99.47B' by 1,000,000,000"
    (tmp_path / "b.csv").write_text("Date,Close\n2024-01-02,$99.47\n2024-01-03,$99.50\n")
    assert "notes" not in read_prices(tmp_path / "b.csv").attrs
    (tmp_path / "c.csv").write_text("Symbol,Date,Close\nA,2024-01-02,99.47B\nA,2024-01-03,99.50B\n")
    assert read_prices(tmp_path / "c.csv").attrs["notes"] == [note]


def test_ambiguous_files_are_read_with_options(tmp_path):
    path = tmp_path / "either.csv"
    path.write_text('Date,A\n01/02/2024,"1,234"\n02/02/2024,"1,300"\n')
    comma = read_prices(path, decimal=",", dayfirst=True)
    point = read_prices(path, decimal=".", dayfirst=False)
    assert comma["A"].tolist() == [1.234, 1.3]
    assert point["A"].tolist() == [1234.0, 1300.0]
    assert [str(day.date()) for day in comma.index] == ["2024-02-01", "2024-02-02"]
    assert [str(day.date()) for day in point.index] == ["2024-01-02", "2024-02-02"]
    with pytest.raises(ValueError, match=r"decimal must be ',' or '.'; got ';'"):
        read_prices(path, decimal=";")
    path.write_text("Date,A\n13/02/2024,1\n14/02/2024,1\n")
    with pytest.raises(ValueError, match="line 2 contains '13/02/2024' instead of a date"):
        read_prices(path, dayfirst=False)


def test_the_table_of_yahoos_page_is_read(tmp_path):
    head = "Date,Open,High,Low,Close*,Adj Close**,Volume\n"
    row = '"Feb 03, 2021",239.57,245.09,239.26,243.00,237.03,"27,158,100"\n'
    path = tmp_path / "MSFT.csv"
    path.write_text(head + row)
    assert read_prices(path)["MSFT"].tolist() == [237.03]
    assert read_prices(path, "Volume")["MSFT"].tolist() == [27158100.0]
    path.write_text(head + row + '"Feb 17, 2021",0.56 Dividend,,,,,\n')
    assert list(read_prices(path, "Open").index) == [pd.Timestamp("2021-02-03")]  # no price of that day


def test_only_the_requested_field_of_parquet_is_read(ohlcv, tmp_path, monkeypatch):
    import pyarrow.parquet as pq

    requested, original = [], pq.ParquetFile.read

    def read(file, columns, **options):
        requested.append({name.split("'")[1] for name in columns if "'" in name})
        return original(file, columns, **options)

    monkeypatch.setattr(pq.ParquetFile, "read", read)
    ohlcv.to_parquet(tmp_path / "six.parquet")
    for field in (None, "High", "all"):
        read_prices(tmp_path / "six.parquet", field)
    assert requested == [{"Adj Close"}, {"High"}, set(FIELDS)]
