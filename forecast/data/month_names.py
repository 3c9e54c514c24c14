"""Names of months and of days of the week, and their abbreviations, in the common European languages."""

from __future__ import annotations

import re
import unicodedata

#: By month: English; German and Austrian; French; Spanish; Portuguese; Italian; Dutch; Scandinavian.
_MONTHS = (
    "jan january januar jän jänner janv janvier ene enero janeiro gen genn gennaio januari",
    "feb february februar feber fév févr février febrero fev fevereiro febb febbraio februari",
    "mar march mär märz mrz mars marts marzo março mrt maart",
    "apr april avr avril abr abril aprile",
    "may mai mayo maio mag magg maggio mei maj",
    "jun june juni juin junio junho giu giug giugno",
    "jul july juli juil juill juillet julio julho lug luglio",
    "aug august aoû août ago agosto augustus augusti",
    "sep sept september septembre septiembre setiembre set setembro sett settembre",
    "oct october okt oktober octobre octubre out outubro ott ottobre",
    "nov november novembre noviembre novembro",
    "dec december dez dezember déc décembre dic diciembre dezembro dicembre des desember",
)
_WEEKDAYS = (
    "mon monday tue tues tuesday wed wednes wednesday thu thurs thursday fri friday sat satur saturday sun sunday "
    "mo montag di dienstag mi mittwoch do donnerstag fr freitag sa samstag sonnabend so sonntag "
    "lun lundi mar mardi mer mercredi jeu jeudi ven vendredi sam samedi dim dimanche "
    "lunes martes mié miércoles jue jueves vie viernes sáb sábado dom domingo "
    "seg segunda segunda-feira ter terça terça-feira qua quarta quarta-feira qui quinta quinta-feira sex sexta "
    "sexta-feira lunedì martedì mercoledì gio giovedì venerdì sabato domenica "
    "ma maandag dinsdag wo woensdag donderdag vr vrijdag za zaterdag zo zondag"
)


def _spellings(words: str) -> set[str]:
    """Return words with and without their accents."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", words) if not unicodedata.combining(c))
    return {*words.split(), *plain.split()}


#: The number of each month, by its lower-case names.
MONTH_NUMBERS = {name: number for number, names in enumerate(_MONTHS, 1) for name in _spellings(names)}
WEEKDAYS = frozenset(_spellings(_WEEKDAYS))


def month_number(name: str) -> int | None:
    """Return the number of a month from its name or abbreviation; None for anything else.

    >>> [month_number(name) for name in ("Mai", "déc.", "Ene", "March", "Q1")]
    [5, 12, 1, 3, None]
    """
    return MONTH_NUMBERS.get(name.strip().rstrip(".").lower())


def months_in(text: str) -> set[str]:
    """Return the words of a text that are names of months and not ASCII."""
    words = set(re.findall(r"[^\W\d_]+", text.lower()))
    return {word for word in words if word in MONTH_NUMBERS and not word.isascii()}
