"""Files as brokers, exchanges, vendors, statistics offices and competitions write them, all of one random walk."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

ROWS = 260


def random_walk(rows=ROWS, seed=3):
    """Return the bars of a random walk: price is what every file must be read as, close four times as much."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.004, (rows, 6))
    path = 100 * np.exp(steps.cumsum().reshape(rows, 6))
    opening = np.concatenate([[100.0], path[:-1, -1]]) * np.exp(rng.normal(0, 0.002, rows))
    day = np.column_stack([opening, path]).round(2)
    bars = pd.DataFrame({"open": day[:, 0], "high": day.max(axis=1), "low": day.min(axis=1), "price": day[:, -1]})
    bars.index = pd.bdate_range("2021-03-01", periods=rows)
    volume = np.exp(rng.normal(13.5, 0.5, rows)).astype(int)
    bars["volume"], bars["trades"], bars["turnover"] = volume, volume // 70, (volume * bars["price"]).round(2)
    bars["average"] = ((bars["high"] + bars["low"] + bars["price"]) / 3).round(4)
    bars["previous"] = bars["price"].shift(1, fill_value=100.0)
    bars["change"] = (bars["price"] - bars["previous"]).round(2)
    bars["percent"] = (100 * bars["change"] / bars["previous"]).round(2)
    bars["close"] = (4 * bars["price"]).round(2)
    bars["ask"], bars["bid"] = (bars["price"] + 0.02).round(2), (bars["price"] - 0.02).round(2)
    bars["number"] = np.arange(1, rows + 1)
    return bars


DATES = {
    "iso": "%Y-%m-%d",
    "dots": "%d.%m.%Y",
    "months first": "%m/%d/%Y",
    "days first": "%d/%m/%Y",
    "compact": "%Y%m%d",
    "words": "%b %d, %Y",
    "long": "%d-%B-%Y",
    "short": "%d-%b-%Y",
    "slashes": "%Y/%m/%d",
    "point dates": "%Y.%m.%d",
    "moment": "%Y-%m-%d %H:%M:%S",
    "clock": "%H:%M:%S",
    "zulu": "%Y-%m-%dT%H:%M:%S.000Z",
}
#: Abbreviated or full names of the months.
MONTHS = {
    "de": "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "fr": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "es": "ENE FEB MAR ABR MAY JUN JUL AGO SEP OCT NOV DIC",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
}
EPOCHS = {"seconds": 10**9, "milliseconds": 10**6, "nanoseconds": 1}


@dataclass(frozen=True)
class Layout:
    """A file's form: its columns as "name:what", and how dates, numbers and lines are written."""

    name: str
    columns: str
    sep: str = ","
    decimal: str = "."
    thousands: bool = False
    quoted: bool = False
    newest_first: bool = False
    above: str = ""
    below: str = ""
    has_header: bool = True  # False where a line above names the columns

    def text(self, bars):
        """Return the file's text."""
        parts = [column.rpartition(":") for column in self.columns.split("|")]
        columns = [[self._cell(value) for value in self._values(bars, what)] for _, _, what in parts]
        rows = list(zip(*columns, strict=True))
        header = [[name for name, _, _ in parts]] * self.has_header
        lines = [*header, *(rows[::-1] if self.newest_first else rows)]
        table = "".join(self.sep.join(self._quote(cell) for cell in line) + "\n" for line in lines)
        return self.above + table + self.below

    def _values(self, bars, what):
        if what in DATES:
            return bars.index.strftime(DATES[what]).tolist()
        if what in MONTHS:
            names = MONTHS[what].split()
            return [f"{day.day} {names[day.month - 1]} {day.year}" for day in bars.index]
        if what == "Excel days":
            return (bars.index - pd.Timestamp("1899-12-30")).days.tolist()
        if what == "of Taiwan":
            return [f"{day.year - 1911}/{day:%m/%d}" for day in bars.index]
        if what.startswith("="):
            return [f'="{cell}"' for cell in self._values(bars, what[1:])]
        if what in EPOCHS:
            return (bars.index.as_unit("ns").asi8 // EPOCHS[what]).tolist()
        if what in ("year", "month", "day"):
            return getattr(bars.index, what).tolist()
        if what.startswith("$"):
            return [f"${value:,.2f}" for value in bars[what[1:]]]
        if what == "millions":
            return [f"{value / 1e6:.2f}M" for value in bars["volume"]]
        if what == "percent sign":
            return [f"{value:.2f}%" for value in bars["percent"]]
        return bars[what].tolist() if what in bars else [what] * len(bars)  # anything else is a text

    def _cell(self, value):
        if isinstance(value, str):
            return value if self.decimal == "." or not value.endswith(("%", "M")) else value.replace(".", ",")
        text = f"{value:,}" if self.thousands else f"{value}"
        return text.translate(str.maketrans(",.", ".,")) if self.decimal == "," else text

    def _quote(self, cell):
        return f'"{cell}"' if self.quoted or self.sep in cell else cell


GERMAN = {"sep": ";", "decimal": ","}
INVESTING = {"quoted": True, "newest_first": True, "thousands": True}
INVESTING_COMMA = INVESTING | {"decimal": ","}
BARS = "open|High:high|Low:low"

#: name, columns, how it is written
LAYOUTS = [
    Layout("plain", "Date:iso|Close:price"),
    # vendors and terminals
    Layout("Yahoo", "Date:iso|Open:open|High:high|Low:low|Close:close|Adj Close:price|Volume:volume"),
    Layout(
        "Yahoo's page",
        "Date:words|Open:open|High:high|Low:low|Close*:close|Adj Close**:price|Volume:volume",
        quoted=True,
        newest_first=True,
        thousands=True,
    ),
    Layout("yfinance, lower case", "date:iso|open:open|high:high|low:low|close:close|adj_close:price|volume:volume"),
    Layout("TradingView", "time:iso|open:open|high:high|low:low|close:price|Volume:volume|Volume MA:volume"),
    Layout("TradingView, epoch", "time:seconds|open:open|high:high|low:low|close:price|Volume:volume"),
    Layout(
        "MetaTrader 5",
        "<DATE>:point dates|<OPEN>:open|<HIGH>:high|<LOW>:low|<CLOSE>:price|<TICKVOL>:volume|<VOL>:0|<SPREAD>:2",
        sep="\t",
    ),
    Layout(
        "MetaTrader 5, with times",
        "<DATE>:point dates|<TIME>:clock|<OPEN>:open|<HIGH>:high|<LOW>:low|<CLOSE>:price|<TICKVOL>:volume|<VOL>:0",
        sep="\t",
    ),
    Layout("Stooq", "Date:iso|Open:open|High:high|Low:low|Close:price|Volume:volume"),
    Layout(
        "Stooq, bulk",
        "<TICKER>:ABC.US|<PER>:D|<DATE>:compact|<TIME>:000000|<OPEN>:open|<HIGH>:high|<LOW>:low|<CLOSE>:price"
        "|<VOL>:volume|<OPENINT>:0",
    ),
    Layout("Finam", "<DATE>:compact|<OPEN>:open|<HIGH>:high|<LOW>:low|<CLOSE>:price|<VOL>:volume", sep=";"),
    Layout(
        "Alpha Vantage",
        "timestamp:iso|open:open|high:high|low:low|close:close|adjusted_close:price|volume:volume"
        "|dividend_amount:0.0000|split_coefficient:1.0",
        newest_first=True,
    ),
    Layout(
        "Alpha Vantage, JSON names",
        "date:iso|1. open:open|2. high:high|3. low:low|4. close:close|5. adjusted close:price|6. volume:volume"
        "|7. dividend amount:0.0000|8. split coefficient:1.0",
    ),
    Layout("EODHD", "Date:iso|Open:open|High:high|Low:low|Close:close|Adjusted_close:price|Volume:volume"),
    Layout(
        "Quandl WIKI",
        "Date:iso|Open:open|High:high|Low:low|Close:close|Volume:volume|Ex-Dividend:0.0|Split Ratio:1.0|Adj. Open:open"
        "|Adj. High:high|Adj. Low:low|Adj. Close:price|Adj. Volume:volume",
    ),
    Layout(
        "Quandl CHRIS, futures",
        "Date:iso|Open:open|High:high|Low:low|Last:average|Change:change|Settle:price|Volume:volume"
        "|Previous Day Open Interest:volume",
        newest_first=True,
    ),
    Layout(
        "Tiingo",
        "date:zulu|close:close|high:high|low:low|open:open|volume:volume|adjClose:price|adjHigh:high|adjLow:low"
        "|adjOpen:open|adjVolume:volume|divCash:0.0|splitFactor:1.0",
    ),
    Layout("Polygon", "v:volume|vw:average|o:open|c:price|h:high|l:low|t:milliseconds|n:trades"),
    Layout(
        "IEX Cloud",
        "date:iso|close:price|high:high|low:low|open:open|volume:volume|change:change|changePercent:percent",
    ),
    Layout(
        "Nasdaq.com",
        "Date:months first|Close/Last:$price|Volume:volume|Open:$open|High:$high|Low:$low",
        newest_first=True,
    ),
    Layout("Wall Street Journal", "Date:months first| Open:open| High:high| Low:low| Close:price", newest_first=True),
    Layout(
        "Barchart",
        "Time:months first|Open:open|High:high|Low:low|Last:price|Change:change|%Chg:percent sign|Volume:volume",
    ),
    Layout("Bloomberg", "Dates:iso|PX_OPEN:open|PX_HIGH:high|PX_LOW:low|PX_LAST:price|PX_VOLUME:volume"),
    Layout(
        "Refinitiv",
        "Exchange Date:short|Close:price|Net:change|%Chg:percent sign|Open:open|Low:low|High:high|Volume:volume"
        "|Turnover - USD:turnover",
        newest_first=True,
    ),
    Layout(
        "Yahoo's page since 2023",
        "Date:words|Open:open|High:high|Low:low|Close Close price adjusted for splits.:close|Adj Close Adjusted close "
        "price adjusted for splits and dividend and/or capital gain distributions.:price|Volume:volume",
        sep="\t",
        newest_first=True,
        thousands=True,
    ),
    Layout(
        "quantmod",
        ":iso|AAPL.Open:open|AAPL.High:high|AAPL.Low:low|AAPL.Close:close|AAPL.Volume:volume|AAPL.Adjusted:price",
        quoted=True,
    ),
    Layout("tidyquant", "symbol:AAPL|date:iso|open:open|high:high|low:low|close:close|volume:volume|adjusted:price"),
    Layout("Oanda, mid", "time:zulu|mid.o:open|mid.h:high|mid.l:low|mid.c:price|volume:volume"),
    Layout("CRSP", "date:compact|PRC:price|VOL:volume|RET:percent|SHROUT:1000000|OPENPRC:open|ASKHI:high|BIDLO:low"),
    Layout("Compustat", "datadate:compact|prcod:open|prchd:high|prcld:low|prccd:price|cshtrd:volume|ajexdi:1.0"),
    # crypto
    Layout(
        "Binance",
        "open_time:milliseconds|open:open|high:high|low:low|close:price|volume:volume|close_time:milliseconds"
        "|quote_asset_volume:turnover|number_of_trades:trades|taker_buy_base_asset_volume:trades|ignore:0",
    ),
    Layout("Kraken", "time:seconds|open:open|high:high|low:low|close:price|vwap:average|volume:volume|count:trades"),
    Layout("Coinbase", "time:seconds|low:low|high:high|open:open|close:price|volume:volume", newest_first=True),
    Layout(
        "CryptoDataDownload",
        "unix:milliseconds|date:moment|symbol:BTC/USD|open:open|high:high|low:low|close:price|Volume BTC:volume"
        "|Volume USD:turnover",
        above="https://www.example.org\n",
        newest_first=True,
    ),
    Layout(
        "CoinMarketCap",
        "timeOpen:zulu|open:open|high:high|low:low|close:price|volume:volume|marketCap:turnover",
        sep=";",
    ),
    Layout("CoinGecko", "snapped_at:moment|price:price|market_cap:turnover|total_volume:volume"),
    Layout(
        "Gemini",
        "Unix Timestamp:milliseconds|Date:moment|Symbol:BTCUSD|Open:open|High:high|Low:low|Close:price|Volume:volume",
    ),
    # exchanges
    Layout(
        "BSE",
        "Date:long|Open Price:open|High Price:high|Low Price:low|Close Price:price|WAP:average|No.of Shares:volume"
        "|No. of Trades:trades|Total Turnover (Rs.):turnover|Deliverable Quantity:trades"
        "|% Deli. Qty to Traded Qty:percent"
        "|Spread High-Low:change|Spread Close-Open:change",
        newest_first=True,
    ),
    Layout(
        "NSE",
        "Date :short|series :EQ|OPEN :open|HIGH :high|LOW :low|PREV. CLOSE :previous|ltp :average|close :price"
        "|vwap :average|52W H :120.5|52W L :80.25|VOLUME :volume|VALUE :turnover|No of trades :trades",
        newest_first=True,
    ),
    Layout(
        "Euronext",
        "Date:days first|Open:open|High:high|Low:low|Last:price|Close:price|Number of Shares:volume"
        "|Number of Trades:trades|Turnover:turnover|vwap:average",
        sep=";",
        above='"Historical Data"\n"From 2021-03-01"\nXX0000000000\n',
    ),
    Layout(
        "Nasdaq Nordic",
        "Date:iso|Bid:bid|Ask:ask|Opening price:open|High price:high|Low price:low|Closing price:price"
        "|Average price:average|Total volume:volume|Turnover:turnover|Trades:trades",
        above="sep=;\n",
        **GERMAN,
    ),
    Layout(
        "Moscow Exchange",
        "TRADEDATE:iso|OPEN:open|LOW:low|HIGH:high|CLOSE:price|WAPRICE:average|VOLUME:volume",
        sep=";",
    ),
    Layout(
        "GPW Warsaw",
        "Data:iso|Waluta:PLN|Kurs otwarcia:open|Kurs max:high|Kurs min:low|Kurs zamknięcia:price|Zmiana:percent"
        "|Wolumen:volume|Liczba Transakcji:trades|Obrót:turnover",
    ),
    Layout(
        "TWSE",
        "日期:slashes|成交股數:volume|成交金額:turnover|開盤價:open|最高價:high|最低價:low|收盤價:price|漲跌價差:change|成交筆數:trades",
        quoted=True,
        thousands=True,
    ),
    Layout(
        "KRX",
        "일자:slashes|종가:price|대비:change|등락률:percent|시가:open|고가:high|저가:low|거래량:volume|거래대금:turnover"
        "|시가총액:turnover|상장주식수:1000000",
    ),
    # languages
    Layout(
        "ariva.de",
        "Datum:iso|Erster:open|Hoch:high|Tief:low|Schlusskurs:price|Stuecke:volume|Volumen:turnover",
        **GERMAN,
    ),
    Layout("onvista.de", "Datum:dots|Eröffnung:open|Hoch:high|Tief:low|Schluss:price|Volumen:volume", **GERMAN),
    Layout(
        "finanzen.net", "Datum:dots|Eröffnung:open|Schluss:price|Tageshoch:high|Tagestief:low|Volumen:volume", **GERMAN
    ),
    Layout("Boursorama", "date:days first|ouv:open|haut:high|bas:low|clot:price|vol:volume|devise:EUR", sep="\t"),
    Layout("ABC Bourse", "DATE:days first|OUV:open|HAUT:high|BAS:low|CLOT:price|VOL:volume", **GERMAN),
    Layout(
        "Borsa Italiana", "Data:days first|Apertura:open|Massimo:high|Minimo:low|Chiusura:price|Volumi:volume", **GERMAN
    ),
    Layout(
        "BME Madrid",
        "Fecha:days first|Cierre:price|Apertura:open|Máximo:high|Mínimo:low|Volumen:volume|Efectivo:turnover",
        **GERMAN,
    ),
    Layout(
        "B3", "Data:dots|Abertura:open|Máxima:high|Mínima:low|Fechamento:price|Volume:volume|Variação:change", **GERMAN
    ),
    Layout(
        "akshare",
        "日期:iso|开盘:open|收盘:price|最高:high|最低:low|成交量:volume|成交额:turnover|振幅:percent|涨跌幅:percent|涨跌额:change|换手率:percent",
    ),
    Layout(
        "Tushare",
        "ts_code:000001.SZ|trade_date:compact|open:open|high:high|low:low|close:price|pre_close:previous|change:change|pct_chg:percent|vol:volume|amount:turnover",
        newest_first=True,
    ),
    Layout("stooq.pl", "Data:iso|Otwarcie:open|Najwyzszy:high|Najnizszy:low|Zamkniecie:price|Wolumen:volume"),
    Layout(
        "kabutan",
        "日付:slashes|始値:open|高値:high|安値:low|終値:price|前日比:change|前日比％:percent|売買高(株):volume",
    ),
    Layout(
        "cafef.vn",
        "Ngày:days first|Giá mở cửa:open|Giá cao nhất:high|Giá thấp nhất:low|Giá đóng cửa:price|Khối lượng:volume",
    ),
    Layout("SET Thailand", "วันที่:days first|ราคาเปิด:open|ราคาสูงสุด:high|ราคาต่ำสุด:low|ราคาปิด:price|ปริมาณ:volume"),
    Layout("Oslo", "Dato:dots|Siste:price|Åpning:open|Høy:high|Lav:low|Volum:volume", **GERMAN),
    Layout("Prague", "Datum:dots|Otevření:open|Maximální:high|Minimální:low|Závěr:price|Objem:volume", **GERMAN),
    # Investing.com
    Layout(
        "Investing.com",
        "Date:months first|Price:price|Open:open|High:high|Low:low|Vol.:millions|Change %:percent sign",
        **INVESTING,
    ),
    Layout(
        "Investing.com, de",
        "Datum:dots|Zuletzt:price|Eröffn.:open|Hoch:high|Tief:low|Vol.:millions|+/- %:percent sign",
        **INVESTING_COMMA,
    ),
    Layout(
        "Investing.com, fr",
        "Date:days first|Dernier:price|Ouv.:open| Plus Haut:high|Plus Bas:low|Vol.:millions|Variation %:percent sign",
        **INVESTING_COMMA,
    ),
    Layout(
        "Investing.com, es",
        "Fecha:dots|Último:price|Apertura:open|Máximo:high|Mínimo:low|Vol.:millions|% var.:percent sign",
        **INVESTING_COMMA,
    ),
    Layout(
        "Investing.com, pt",
        "Data:dots|Último:price|Abertura:open|Máxima:high|Mínima:low|Vol.:millions|Var%:percent sign",
        **INVESTING_COMMA,
    ),
    Layout(
        "Investing.com, it",
        "Data:dots|Ultimo:price|Apertura:open|Massimo:high|Minimo:low|Vol.:millions|Var. %:percent sign",
        **INVESTING_COMMA,
    ),
    Layout(
        "Investing.com, nl",
        "Datum:dots|Laatst:price|Open:open|Hoog:high|Laag:low|Vol.:millions|+/- %:percent sign",
        **INVESTING_COMMA,
    ),
    Layout(
        "Investing.com, pl",
        "Data:dots|Ostatnio:price|Otwarcie:open|Max.:high|Min.:low|Wol.:millions|Zmiana%:percent sign",
        **INVESTING_COMMA,
    ),
    Layout(
        "Investing.com, ru",
        "Дата:dots|Цена:price|Откр.:open|Макс.:high|Мин.:low|Объём:millions|Изм. %:percent sign",
        **INVESTING_COMMA,
    ),
    Layout(
        "Investing.com, tr",
        "Tarih:dots|Şimdi:price|Açılış:open|Yüksek:high|Düşük:low|Hac.:millions|Fark %:percent sign",
        **INVESTING_COMMA,
    ),
    Layout(
        "Investing.com, sv",
        "Datum:iso|Senaste:price|Öppning:open|Högsta:high|Lägsta:low|Vol.:millions|+/- %:percent sign",
        **INVESTING_COMMA,
    ),
    Layout(
        "Investing.com, id",
        "Tanggal:days first|Terakhir:price|Pembukaan:open|Tertinggi:high|Terendah:low|Vol.:millions"
        "|Perubahan%:percent sign",
        **INVESTING_COMMA,
    ),
    Layout(
        "Investing.com, ar",
        "التاريخ:days first|آخر:price|الافتتاح:open|الأعلى:high|الأدنى:low|الحجم:millions|التغيير %:percent sign",
        **INVESTING,
    ),
    Layout(
        "Investing.com, he",
        "תאריך:dots|שער נעילה:price|פתיחה:open|גבוה:high|נמוך:low|שינוי %:percent sign",
        **INVESTING,
    ),
    Layout(
        "Investing.com, ja",
        "日付け:slashes|終値:price|始値:open|高値:high|安値:low|出来高:millions|変化率 %:percent sign",
        **INVESTING,
    ),
    Layout(
        "Investing.com, zh",
        "日期:iso|收盘:price|开盘:open|高:high|低:low|交易量:millions|涨跌幅:percent sign",
        **INVESTING,
    ),
    # statistics offices, central banks, competitions, mirrors
    Layout("FRED", "observation_date:iso|DEXUSEU:price"),
    Layout("ECB", "DATE:iso|TIME PERIOD:long|US dollar/Euro (EXR.D.USD.EUR.SP00.A):price"),
    Layout(
        "Eurostat",
        "DATAFLOW:ESTAT:X(1.0)|LAST UPDATE:2023|freq:D|currency:USD|TIME_PERIOD:iso|OBS_VALUE:price|OBS_FLAG:",
    ),
    Layout(
        "OECD",
        "LOCATION:DEU|INDICATOR:SHPRICE|SUBJECT:TOT|MEASURE:IDX2015|FREQUENCY:D|TIME:iso|Value:price|Flag Codes:",
    ),
    Layout("Bundesbank", "Datum:iso|BBEX3.D.USD.EUR.BB.AC.000:price|BBEX3.D.USD.EUR.BB.AC.000_FLAGS:A", **GERMAN),
    Layout("Bank of England", "DATE:short|XUDLUSS:price"),
    Layout("M4, long", "unique_id:D1|ds:iso|y:price"),
    Layout("Kaggle, with a counter", "S.No:number|Date:iso|Price:price"),
    Layout("Kaggle, split dates", "Date:iso|Year:year|Month:month|Day:day|Price:price"),
    Layout("Kaggle, S&P 500", "date:iso|open:open|high:high|low:low|close:price|volume:volume|Name:AAL"),
    Layout(
        "Kaggle, of pandas",
        "Unnamed: 0:number|Date:iso|Symbol:ABC|Series:EQ|Prev Close:previous"
        "|Open:open|High:high|Low:low|Last:average|Close:price|VWAP:average|Volume:volume|Turnover:turnover|Trades:trades",
    ),
    Layout("fund", "Date:iso|NAV:price|Net Assets:turnover|Shares Outstanding:volume"),
    Layout("names in no dictionary", "Dag:iso|Aaa:open|Bbb:high|Ccc:low|Ddd:price|Eee:volume"),
    # text above and below the table, other calendars and spellings
    Layout(
        "Datastream",
        ":iso|:price",
        above="Start,2021-03-01\nFrequency,D\nName,ALPHA - PRICE INDEX\nCode,@ALPHA(PI)\nCURRENCY,U$\n",
        has_header=False,
    ),
    Layout(
        "Bloomberg BDH",
        "Date:months first|PX_LAST:price|PX_VOLUME:volume",
        above="Security,ABC US Equity\nStart Date,3/1/2021\nEnd Date,2/25/2022\nPeriod,D\nCurrency,USD\n\n",
    ),
    Layout(
        "Reserve Bank of Australia",
        ":short|:price",
        above="F11.1 EXCHANGE RATES,\nTitle,A$1=USD\nFrequency,Daily\n,\nSource,WM/Reuters\nSeries ID,FXRUSD\n",
        has_header=False,
    ),
    Layout(
        "Bank of Canada",
        "date:iso|FXUSDCAD:price",
        quoted=True,
        above='"TERMS AND CONDITIONS"\n"https://www.example.org"\n\n"SERIES"\n"id","label"\n"FXUSDCAD","USD/CAD"\n\n',
    ),
    Layout(
        "Banque de France",
        ":days first|:price",
        above="Titre :;Dollar des Etats-Unis (USD)\nCode série :;EXR.D.USD\nMagnitude :;0\nSource :;BCE\n",
        has_header=False,
        newest_first=True,
        **GERMAN,
    ),
    Layout(
        "Banco de España",
        ":es|:price",
        quoted=True,
        above='"CÓDIGO DE LA SERIE","D_1"\n"DESCRIPCIÓN DE LA SERIE","Tipo de cambio"\n',
        below='"FUENTE","Banco de España"\n"NOTAS",""\n',
        has_header=False,
    ),
    Layout("ISTAT", "Data:it|Indice:price", quoted=True, decimal=","),
    Layout("Fortuneo", "Date:fr|Ouverture:open|Plus haut:high|Plus bas:low|Clôture:price|Volume:volume", **GERMAN),
    Layout("Consorsbank", "Datum:de|Schlusskurs:price|Währung:EUR", **GERMAN),
    Layout(
        "FactSet",
        "Date:months first|Price:price|CVol:volume|Change:change|% Change:percent|Open:open|High:high|Low:low",
        newest_first=True,
        above="Price History\nAlpha Inc. (ABC-US)\n03/01/2021 - 02/25/2022\n\n",
        below='\nSource: prices\n"Past performance, as shown, is no guarantee"\n',
    ),
    Layout("totals", "Date:iso|Close:price|Volume:volume", below="Average,101.5,1000\nTotal,,9999999\n"),
    Layout("TWSE, years of the republic", "日期:of Taiwan|成交股數:volume|收盤價:price", quoted=True, thousands=True),
    Layout("Excel's days", "Datum:Excel days|Schlusskurs:price", **GERMAN),
    Layout("Excel's formulas", "Date:=iso|Close:=price"),
    Layout(
        "J-Quants",
        "Date:iso|Code:72030|O:close|H:close|L:close|C:close|Vo:volume|AdjO:open|AdjH:high|AdjL:low|AdjC:price",
    ),
]
