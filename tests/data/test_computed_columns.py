"""Columns that are computed from others of the table are a question; instruments that move alike are series."""

import ast
import re
import shlex
import warnings

import numpy as np
import pandas as pd
import pytest

from forecast.cli.option_names import in_option_names
from forecast.cli.price_commands import split_names
from forecast.data.files import read_prices
from forecast.data.panel import UnclearColumnsError, as_panel

ROWS = 300
DAYS = pd.bdate_range("2020-01-06", periods=ROWS)


def walks(*names, seed=0, size=0.012, digits=2):
    rng = np.random.default_rng(seed)
    values = rng.uniform(20, 300, len(names)) * np.exp(rng.normal(0, size, (ROWS, len(names))).cumsum(axis=0))
    return pd.DataFrame(values.round(digits), DAYS, list(names))


def rolling(x, n=20):
    return x.rolling(n)


#: What spreadsheets and scripts compute from the columns A, B and C.
COMPUTED = {
    "sum": lambda t: t.sum(axis=1),
    "sum of two": lambda t: (t.A + t.B).round(1),
    "difference": lambda t: t.A - t.C,
    "ratio": lambda t: (t.A / t.B).round(4),
    "product": lambda t: (t.A * t.C).round(0),
    "mean": lambda t: t.mean(axis=1).round(2),
    "geometric mean": lambda t: np.exp(np.log(t).mean(axis=1)).round(3),
    "portfolio": lambda t: 10 * t.A + 5 * t.B + 20 * t.C,
    "hedged": lambda t: (t.A - 0.87 * t.B - 3).round(3),
    "spread of logarithms": lambda t: (np.log(t.A) - 0.8 * np.log(t.B)).round(4),
    "inverse": lambda t: (1000 / t.A).round(4),
    "rest": lambda t: 5000 - t.A - t.B - t.C,
    "sum with zeros at first": lambda t: (t.A + t.B).where(np.arange(ROWS) > 5, 0),
    "sum with gaps": lambda t: (t.A + t.B).where(np.arange(ROWS) % 7 > 0),
    "upper band": lambda t: (rolling(t.A).mean() + 2 * rolling(t.A).std()).round(3),
    "lower band": lambda t: rolling(t.B, 10).mean() - 1.5 * rolling(t.B, 10).std(ddof=0),
    "highest": lambda t: rolling(t.A, 55).max(),
    "lowest": lambda t: rolling(t.C, 14).min(),
    "rolling score": lambda t: ((t.A - rolling(t.A).mean()) / rolling(t.A).std()).round(3),
    "volatility": lambda t: (rolling(t.A.pct_change(), 21).std() * 252**0.5).round(4),
    "momentum": lambda t: (100 * t.B.pct_change(12)).round(2),
    "stochastic": lambda t: 100 * (t.A - rolling(t.A, 14).min()) / (rolling(t.A, 14).max() - rolling(t.A, 14).min()),
    "distance": lambda t: (t.A / rolling(t.A, 50).mean()).round(4),
}


#: The same series on another scale or level.
RESCALED = {
    "rebased": lambda t: (100 * t.A / t.A.iloc[0]).round(2),
    "copy": lambda t: t.B,
    "cents": lambda t: 0.01 * t.A,
    "thousandths": lambda t: 1e6 * t.C + 3e4,
    "score": lambda t: ((t.A - t.A.mean()) / t.A.std()).round(3),
}
#: Relations that are only sought in tables of up to twelve columns.
OF_FEW = ("spread of logarithms", "sum with zeros at first")


@pytest.mark.parametrize("n", [0, 3, 20])
@pytest.mark.parametrize("case", COMPUTED)
def test_a_computed_column_is_a_question(case, n):
    table = walks("A", "B", "C")
    column = COMPUTED[case](table)
    n = min(n, 3) if case in OF_FEW else n
    if n:
        table = table.join(walks(*(f"T{i}" for i in range(n)), seed=1))
    assert as_panel(table).series == tuple(table)
    for frame in (table.assign(Foo=column), table.assign(Foo=column)[::-1]):
        with pytest.raises(UnclearColumnsError, match="is computed from"):
            as_panel(frame)
        assert as_panel(frame, columns=["A", "B"]).series == ("A", "B")


@pytest.mark.parametrize("case", RESCALED)
def test_a_series_on_another_scale_is_a_series(case):
    table = walks("A", "B", "C")
    table = table.assign(Foo=RESCALED[case](table))
    assert as_panel(table).series == ("A", "B", "C", "Foo")
    assert as_panel(table[["A", "B", "Foo"]]).series == ("A", "B", "Foo")
    with pytest.raises(UnclearColumnsError, match="'Sum' is computed from"):
        as_panel(table.assign(Sum=table.A + table.B))


@pytest.mark.parametrize("n", [3, 5, 30])
def test_differences_from_the_mean_of_all_are_series(n):
    table = np.log(walks(*(f"T{i}" for i in range(n))))
    assert len(as_panel(table.sub(table.mean(axis=1), axis=0)).series) == n


@pytest.mark.parametrize("n", [5, 30, 150])
@pytest.mark.parametrize("how", ["sum", "mean", "weights"])
def test_totals_of_many_columns_are_a_question(n, how):
    table = walks(*(f"T{i}" for i in range(n)))
    table.iloc[:100, 0] = np.nan  # listed later
    if how == "weights":
        frame = (100 * table.div(table.sum(axis=1), axis=0)).round(4)
    else:
        frame = table.assign(Foo=getattr(table, how)(axis=1).round(2))
    assert as_panel(table).series == tuple(table)
    with pytest.raises(UnclearColumnsError, match=r"their sum|their mean|add up to 100"):
        as_panel(frame)


@pytest.mark.parametrize("whole", [1, 100])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_weights_that_add_up_are_a_question(n, whole, tmp_path):
    table = walks(*"ABCD"[:n])
    shares = (whole * table.div(table.sum(axis=1), axis=0)).round(4)
    with pytest.raises(UnclearColumnsError, match=f"add up to {whole}|times a number and a constant"):
        as_panel(shares)
    shares.rename_axis("Date").to_csv(tmp_path / "x.csv")
    with pytest.raises(ValueError, match=r"^x\.csv: 'B|^x\.csv: 'C|^x\.csv: 'D"):
        read_prices(tmp_path / "x.csv")


def test_closes_with_a_total_are_a_question():
    table = walks("AAA Close", "BBB Close")
    assert as_panel(table).series == ("AAA", "BBB")
    table["Sum Close"] = table.sum(axis=1)
    with pytest.raises(UnclearColumnsError, match="'Sum Close' is computed from 'AAA Close', 'BBB Close'"):
        as_panel(table)


@pytest.mark.parametrize("name", ["yhat", "y_hat", "yhat_lower", "AAPL_pred", "forecast", "AAPL_prediction", "resid"])
def test_columns_named_as_forecasts_are_a_question(name):
    for table in (walks("AAPL", name), walks(name, "yhat_upper")):
        with pytest.raises(UnclearColumnsError, match="is called an indicator"):
            as_panel(table)
    assert as_panel(walks(name)).series == (name,)


def yields(seed, digits):
    """Return a curve of yields of growing maturities: three factors and small deviations."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(0, 0.05, (ROWS, 3)).cumsum(axis=0) + np.array([3, -1, 0.5])
    slope = np.exp(-0.5 * np.array([0.25, 0.5, 1, 2, 3, 5, 7, 10, 20, 30]))
    curve = factors @ np.vstack([np.ones(10), slope, slope * (1 - slope)])
    return (curve + rng.normal(0, 0.01, curve.shape)).round(digits)


def random_instruments(seed):
    """Return real series that move alike: a cointegrated pair, an index and funds, a portfolio, yields, rates."""
    rng, kind = np.random.default_rng(seed), seed % 6
    table = walks("A", "B", "C", seed=seed)
    noise = pd.Series(rng.normal(0, 1, ROWS), DAYS)
    if kind == 0:
        return table.assign(D=(0.5 * table.A + 0.05 * noise).round(2))
    if kind == 1:  # a fund that is rebalanced and pays costs, next to its index
        index = 40 * table.A
        return pd.DataFrame({"Index": index, "Fund": (index / 10 * 0.9999 ** np.arange(ROWS) + 0.05 * noise).round(2)})
    if kind == 2:  # a portfolio whose shares change
        shares = 10 * np.exp(np.outer(np.arange(ROWS) // 60, rng.normal(0, 0.2, 3)))
        return table.assign(D=(table.to_numpy() * shares).sum(axis=1).round(2))
    if kind == 3:
        return pd.DataFrame(yields(seed, int(rng.integers(1, 5))), DAYS, [f"Y{i}" for i in range(10)])
    if kind == 4:  # brokers' quotes
        common = 1.1 * np.exp(rng.normal(0, 0.005, ROWS).cumsum())
        return pd.DataFrame({f"B{i}": (common * np.exp(rng.normal(0, 1e-4, ROWS))).round(5) for i in range(5)}, DAYS)
    return pd.DataFrame({f"S{i}": np.sin(np.arange(ROWS) / 7 + 1.3 * i) + 2 for i in range(4)}, DAYS)


@pytest.mark.filterwarnings("error")
@pytest.mark.medium
def test_instruments_that_move_alike_are_no_question():
    for seed in range(60):
        table = random_instruments(seed)
        assert as_panel(table).series == tuple(table), seed


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("noise", [0, 2e-5])
@pytest.mark.parametrize("names", ["EURUSD USDJPY EURJPY", "GBP/USD USD/JPY GBP/JPY", "BTCUSDT ETHBTC ETHUSDT"])
def test_cross_rates_are_series(names, noise):
    first, second, cross = names.split()
    rates = walks("x", "y", size=0.005, digits=4)
    if names.startswith("BTC"):
        rates["x"], rates["y"], cross_rate = rates.x, rates.y / 1000, rates.x * rates.y / 1000
    else:
        cross_rate = rates.x * rates.y
    cross_rate = (cross_rate * np.exp(noise * np.random.default_rng(1).normal(0, 1, ROWS))).round(2)
    table = pd.DataFrame({first: rates.x, second: rates.y, cross: cross_rate})
    assert as_panel(table).series == tuple(table)
    if not noise:
        with pytest.raises(UnclearColumnsError, match="is computed from"):
            as_panel(table.set_axis(["AAA", "BBB", "CCC"], axis=1))


# --- statements of brokers and banks ---------------------------------------------------------------------------------

PRICE = walks("Price").Price
QUANTITY = pd.Series(np.random.default_rng(3).integers(1, 50, ROWS), DAYS)
FEE = (1 + 0.001 * QUANTITY * PRICE + np.random.default_rng(4).random(ROWS)).round(2)
TOTAL = (QUANTITY * PRICE).round(2)
BALANCE = (9000 + np.random.default_rng(5).normal(0, 100, ROWS).cumsum()).round(2)
STATEMENTS = {
    "Degiro": {"Product": "ALPHA", "Quantity": QUANTITY, "Price": PRICE, "Transaction costs": -FEE, "Total": -TOTAL},
    "Degiro, de": {"Produkt": "ALPHA", "Anzahl": QUANTITY, "Kurs": PRICE, "Transaktionskosten": FEE, "Gesamt": TOTAL},
    "Coinbase": {"Asset": "BTC", "Quantity Transacted": QUANTITY, "Spot Price": PRICE, "Fees and/or Spread": FEE},
    "Interactive Brokers": {"Quantity": QUANTITY, "T. Price": PRICE, "Proceeds": -TOTAL, "Comm/Fee": -FEE},
    "Revolut": {"Ticker": "AAA", "Quantity": QUANTITY, "Price per share": PRICE, "Total Amount": TOTAL},
    "Binance": {"Pair": "BTCUSDT", "Side": "BUY", "Price": PRICE, "Executed": QUANTITY, "Amount": TOTAL, "Fee": FEE},
    "Kraken": {"txid": "x", "type": "buy", "price": PRICE, "cost": TOTAL, "fee": FEE, "vol": QUANTITY},
    "trades": {"Side": "SELL", "Quantity": QUANTITY, "Price": PRICE, "Commission": FEE},
    "bank": {"Description": "payment", "Amount": TOTAL - 500, "Balance": BALANCE},
    "bank, de": {"Betrag": TOTAL - 500, "Saldo": BALANCE},
    "account": {"Cash": BALANCE.round(0), "Fees": FEE, "Account balance": BALANCE},
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_statements_are_no_price_tables(name, tmp_path):
    frame = pd.DataFrame(STATEMENTS[name], DAYS)
    with pytest.raises(UnclearColumnsError, match="are columns of a statement, whose rows are transactions"):
        as_panel(frame)
    frame.rename_axis("Date").to_csv(tmp_path / "x.csv")
    with pytest.raises(ValueError, match="are columns of a statement, whose rows are transactions"):
        read_prices(tmp_path / "x.csv")


def test_trades_of_several_tickers_are_no_price_table(tmp_path):
    frame = pd.DataFrame({"Date": DAYS, "Ticker": np.resize(["AAA", "BBB"], ROWS), "Price": PRICE.to_numpy()})
    frame = frame.assign(Quantity=QUANTITY.to_numpy(), Fee=FEE.to_numpy())
    frame.to_csv(tmp_path / "x.csv", index=False)
    for call in (lambda: as_panel(frame), lambda: read_prices(tmp_path / "x.csv")):
        with pytest.raises(ValueError, match="'Quantity' and 'Fee' are columns of a statement"):
            call()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("further", [{"Volume": QUANTITY, "Amount": TOTAL}, {"Quantity": QUANTITY}])
def test_prices_with_a_volume_and_a_turnover_are_no_statement(further):
    np.testing.assert_array_equal(as_panel(pd.DataFrame({"Price": PRICE, **further})).target[:, 0], PRICE)


@pytest.mark.filterwarnings("error")
def test_statistics_with_a_balance_are_no_statement():
    frame = walks("GDP", "Trade balance", "Current account balance", "Total credit")
    assert as_panel(frame).series == tuple(frame)


# --- figures of a company --------------------------------------------------------------------------------------------

STEPS = np.repeat([1.1, 1.25, 1.15, 1.3, 1.4], ROWS // 5)
PAID = np.where(np.arange(ROWS) % 63 == 5, 0.5, 0.0)
FIGURES = {
    "Dividend": PAID,
    "Dividende": PAID,
    "AAA_dividend": PAID,
    "Dividend Yield": STEPS,
    "yield": STEPS,
    "EPS": STEPS,
}
FIGURES |= {"P/E": 15 + STEPS, "PE Ratio": 15 + STEPS, "AAA EPS": STEPS, "KGV": 15 + STEPS, "Book value": 20 * STEPS}
FIGURES |= {"Mkt Cap": 1e9 * STEPS, "Shares Outstanding": 1e7 * STEPS, "marketCap": 1e9 * STEPS, "SHROUT": 1e7 * STEPS}


@pytest.mark.parametrize("n", [1, 3, 20])
@pytest.mark.parametrize("name", FIGURES)
def test_figures_of_a_company_are_no_series_next_to_prices(name, n):
    table = walks(*(f"T{i}" for i in range(n)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            panel = as_panel(table.assign(**{name: FIGURES[name]}))
        except UnclearColumnsError as error:
            assert str(error).startswith(repr(name))  # noqa: PT017
            return
    assert panel.series == tuple(table)
    assert repr(name) in panel.attrs["notes"][0]


@pytest.mark.filterwarnings("error")
def test_yields_and_tickers_that_are_called_like_figures_are_series():
    for frame in (walks("SPX", "10Y Yield"), walks("AAPL", "MSFT", "EPS", "PE"), walks("Dividend Leaders", "Beta One")):
        assert as_panel(frame).series == tuple(frame)


# --- bids and offers, and adjusted closes of some --------------------------------------------------------------------


@pytest.mark.parametrize(
    "forms",
    ["{}_bid {}_ask", "bid_{} ask_{}", "{}.BID {}.OFFER", "{}Bid {}Ask", "{}_BidPrice {}_AskPrice", "{}_Geld {}_Brief"],
)
def test_bids_and_offers_of_instruments_are_a_question(forms):
    rates = walks("EURUSD", "GBPUSD", size=0.004, digits=4)
    spread = 0.01 + np.random.default_rng(1).integers(1, 9, (ROWS, 1)) / 1000
    sides = (rates - spread, rates + spread)
    quotes = [x.rename(columns=form.format).round(4) for form, x in zip(forms.split(), sides, strict=True)]
    for frame in (pd.concat(quotes, axis=1), pd.concat([*quotes, walks("SPY", seed=8)], axis=1)):
        with pytest.raises(UnclearColumnsError, match="are a bid and an offer of one instrument"):
            as_panel(frame)
        assert as_panel(frame, columns=list(quotes[0])).series == tuple(quotes[0])


@pytest.mark.filterwarnings("error")
def test_classes_of_shares_are_no_quotes():
    frame = walks("BRK.A", "LEN.A").assign(
        **{"BRK.B": lambda t: (t["BRK.A"] * 1.01 + walks("x", seed=2).x / 99).round(2)}
    )
    assert as_panel(frame).series == tuple(frame)


@pytest.mark.parametrize("form", ["{t} {f}", "{f}_{t}", "levels"])
def test_an_adjusted_close_that_other_tickers_lack_is_a_question(form, tmp_path):
    frame = walks("AAA", "AAA adjusted", "BBB")
    labels = [("Close", "AAA"), ("Adj Close", "AAA"), ("Close", "BBB")]
    if form == "levels":
        frame.columns = pd.MultiIndex.from_tuples(labels)
    else:
        frame.columns = [form.format(f=field, t=ticker) for field, ticker in labels]
        frame.rename_axis("Date").to_csv(tmp_path / "x.csv")
        with pytest.raises(ValueError, match=r"^x\.csv: 'BBB' has a Close and no Adj Close"):
            read_prices(tmp_path / "x.csv")
    with pytest.raises(ValueError, match="'BBB' has a Close and no Adj Close, and 'AAA' has an Adj Close"):
        as_panel(frame)
    panel = as_panel(frame, target="Close")
    assert panel.series == ("AAA", "BBB")
    np.testing.assert_array_equal(panel.target, frame.iloc[:, [0, 2]])


# --- prices of CRSP, and versions of one series ----------------------------------------------------------------------


def crsp(**further):
    prices = walks("PRC").PRC.where(np.arange(ROWS) % 50 != 7, lambda x: -x)
    return pd.DataFrame({"date": DAYS.strftime("%Y%m%d"), "PRC": prices.to_numpy(), **further})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["PRC", "prc"])
def test_negative_prices_of_crsp_are_midpoints(name, tmp_path):
    returns = np.random.default_rng(2).normal(0, 0.01, ROWS).round(6)
    prices = walks("PRC").PRC.to_numpy()
    one = crsp(PERMNO=14593, RET=returns, OPENPRC=prices + 0.3, ASKHI=prices + 0.9, BIDLO=prices - 0.8)
    two = pd.concat([crsp(PERMNO=14593, RET=returns), crsp(PERMNO=10107, RET=returns[::-1])])
    for frame in (one, two, two.drop(columns="RET")):
        written = frame.rename(columns={"PRC": name}).reset_index(drop=True)
        written.to_csv(tmp_path / "x.csv", index=False)
        for panel in (as_panel(written), as_panel(read_prices(tmp_path / "x.csv"))):
            np.testing.assert_array_equal(panel.target[:, 0], walks("PRC").PRC)
            assert any("the mean of the bid and the offer" in note for note in panel.attrs["notes"])


@pytest.mark.parametrize("further", [{}, {"Volume": 1000.0 + np.arange(ROWS) % 7}])
def test_a_negative_price_of_unknown_origin_is_refused(further, tmp_path):
    crsp(**further).to_csv(tmp_path / "x.csv", index=False)
    for call in (lambda: as_panel(crsp(**further)), lambda: read_prices(tmp_path / "x.csv")):
        with pytest.raises(ValueError, match=r"PRC is negative in 6 rows.* no column PERMNO or RET shows"):
            call()


VERSIONS = {
    "Seasonal": ("SA", "NSA"),
    "foo": ("Seasonally adjusted", "Not seasonally adjusted"),
    "seasonally adjusted": ("Y", "N"),
    "s_adj": ("SCA", "NSA"),
    "bar": (True, False),
    "Vintage": ("2020", "2021"),
}


def stacked(name, values):
    table = pd.DataFrame({"date": np.tile(DAYS, 2), name: np.repeat(np.array(values, dtype=object), ROWS)})
    return table.assign(value=np.concatenate([walks("x").x, walks("x", seed=1).x]))


@pytest.mark.parametrize("name", VERSIONS)
def test_versions_of_one_series_are_a_question(name, tmp_path):
    frame = stacked(name, VERSIONS[name])
    frame.to_csv(tmp_path / "x.csv", index=False)
    for call in (lambda: as_panel(frame), lambda: read_prices(tmp_path / "x.csv")):
        with pytest.raises(ValueError, match="separates the rows into versions of one series"):
            call()
    assert len(as_panel(frame.rename(columns={name: "unique_id"})).series) == 2


@pytest.mark.parametrize("values", [("T", "F"), ("SA", "WA"), ("Y", "Z")])
def test_codes_of_other_meaning_name_series(values):
    assert as_panel(stacked("foo", values)).series == values[:: 1 if values[0] < values[1] else -1]


@pytest.mark.parametrize(
    "names", [("north", "south"), ("North, upper", "south's", "$HOME"), ("a 'b' \"c\"", " d", "e;f"), tuple("abcdefgh")]
)
def test_the_message_of_a_total_has_the_arguments_that_choose_its_parts(names, tmp_path):
    """All of them, also where two columns are computed, in Python and in a shell."""
    table = walks(*names)
    table["total"], table["mean"] = table.sum(axis=1), table.mean(axis=1).round(2)
    table.rename_axis("date").to_csv(tmp_path / "x.csv")
    with pytest.raises(UnclearColumnsError, match="is computed from") as caught:
        as_panel(table)
    found = re.search(r"the others with columns=(.*), or it alone with target='(total|mean)'$", str(caught.value))
    columns = ast.literal_eval(found[1])
    assert columns == list(names)
    assert as_panel(table, columns=columns).series == names
    option = re.search(r"the others with (--columns .*), or it alone", in_option_names(str(caught.value)))[1]
    words = shlex.split(option)
    assert split_names(words[1], "--columns") == [name.strip() for name in names]
