"""Files that are not UTF-8: the names of the series are right, or the encoding is not clear and the file is refused."""

import numpy as np
import pandas as pd
import pytest

from forecast.data.files import read_prices

DAYS = pd.bdate_range("2020-01-06", periods=6).strftime("%Y-%m-%d")
VALUES = 10.5 + np.arange(6) * 3 % 7
WESTERN = "cp1252 cp1254 cp850 mac-roman"
#: Names of series and the encodings in which programs of their country write them.
NAMES = {
    "German": (["München", "Köln"], f"{WESTERN} cp1250 iso8859-2"),
    "French": (["Société Générale", "L'Oréal"], WESTERN),
    "è": (["Hermès", "Crédit Agricole"], WESTERN),
    "ê": (["Forêt"], WESTERN),
    "Danish": (["Ørsted", "Mærsk"], "cp1252 cp850 mac-roman"),
    "Spanish": (["España"], WESTERN),
    "Portuguese": (["São Paulo"], WESTERN),
    "Polish": (["Łódź", "Kraków"], "cp1250 iso8859-2 cp852"),
    "ę": (["Kęty"], "cp1250 iso8859-2 cp852"),
    "Czech": (["ČEZ", "Škoda"], "cp1250 iso8859-2 cp852"),
    "č": (["Krč"], "cp1250 iso8859-2 cp852"),
    "Hungarian": (["Gyógyszertár Őr"], "cp1250 iso8859-2"),
    "Turkish": (["İş Bankası", "Şişe"], "cp1254 iso8859-9"),
    "ğ": (["Ağaoğlu"], "cp1254 iso8859-9"),
    "Lithuanian": (["Šiaulių bankas"], "cp1257"),
    "capitals": (["MÜNCHEN", "SOCIÉTÉ"], WESTERN),
    "apostrophe": (["L’Oréal"], "cp1252 mac-roman"),
    "signs": (["Temp °C", "Rain µm"], "cp1252 mac-roman"),
    "Russian": (["Газпром", "Сбербанк"], "cp1251 iso8859-5 koi8-r cp866"),
    "Greek": (["ΟΤΕ", "ΔΕΗ"], "cp1253"),
    "Chinese": (["台積電", "鴻海"], "big5 gb18030"),
    "simplified Chinese": (["贵州茅台", "中国平安"], "gb18030"),
    "Japanese": (["トヨタ", "ソニー"], "cp932 euc-jp iso2022_jp"),
    "Korean": (["삼성전자", "현대차"], "cp949"),
    "Hebrew": (["בנק לאומי"], "cp1255"),
    "Thai": (["กสิกร"], "cp874"),
}
CASES = [(case, encoding) for case, (_, encodings) in NAMES.items() for encoding in encodings.split()]


def encode(names, encoding, dates="Date"):
    table = pd.DataFrame({dates: DAYS, **{name: VALUES + i for i, name in enumerate(names)}})
    return table.to_csv(index=False).encode(encoding)


def read_names(tmp_path, raw):
    """Return the names of the series; None where the encoding is not clear."""
    (tmp_path / "x.csv").write_bytes(raw)
    try:
        return list(read_prices(tmp_path / "x.csv", "all"))
    except ValueError as error:
        if "encoding is not clear" not in str(error):
            raise
        return None


@pytest.mark.parametrize(("case", "encoding"), CASES)
def test_names_are_right_or_refused(tmp_path, case, encoding):
    assert read_names(tmp_path, encode([*NAMES[case][0], "x"], encoding)) in ([*NAMES[case][0], "x"], None)
    long = "Date,Name,Value\n" + "".join(f"{day},{name},1.5\n" for day in DAYS for name in [*NAMES[case][0], "x"])
    assert read_names(tmp_path, long.encode(encoding)) in (sorted([*NAMES[case][0], "x"]), None)


@pytest.mark.parametrize(
    ("case", "encoding"),
    [
        *[("German", name) for name in ("cp1252", "cp1250", "cp850", "mac-roman")],
        *[("French", name) for name in ("cp1252", "cp850", "mac-roman")],
        *[("Polish", name) for name in ("cp1250", "iso8859-2")],
        *[("Czech", name) for name in ("cp1250", "iso8859-2")],
        *[("Spanish", "cp1252"), ("Portuguese", "cp1252"), ("apostrophe", "cp1252"), ("capitals", "cp1252")],
        *[("Turkish", "cp1254"), ("Japanese", "iso2022_jp")],
    ],
)
def test_the_letters_of_a_language_show_the_encoding(tmp_path, case, encoding):
    assert read_names(tmp_path, encode([*NAMES[case][0], "x"], encoding)) == [*NAMES[case][0], "x"]


@pytest.mark.parametrize(
    ("dates", "case", "encoding"),
    [
        ("日付", "Japanese", "euc-jp"),
        ("Дата", "Russian", "cp866"),
        ("日期", "Chinese", "gb18030"),
        ("Séance", "è", "cp1252"),
        ("Dato", "Danish", "cp1252"),
        ("날짜", "Korean", "cp949"),
    ],
)
def test_the_name_of_the_dates_shows_the_encoding(tmp_path, dates, case, encoding):
    assert read_names(tmp_path, encode([*NAMES[case][0], "x"], encoding, dates)) == [*NAMES[case][0], "x"]


def test_the_refusal_shows_a_name_in_both_encodings(tmp_path):
    (tmp_path / "x.csv").write_bytes(encode(["Forêt"], "cp1252"))
    with pytest.raises(
        ValueError, match=r"line 1 is not UTF-8 text, .* \('Forêt' in cp1252, 'Foręt' in cp1250\): save"
    ):
        read_prices(tmp_path / "x.csv")
