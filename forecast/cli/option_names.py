"""Messages in the terms of the command line: options in place of the arguments that they set in Python."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from forecast.models.registry import parse_value

#: Options whose names differ from those of the arguments that they set.
OTHER_NAMES = {"how": "rows", "n_windows": "windows", "n_jobs": "jobs", "fields": "target", "dayfirst": "day-first"}
OTHER_NAMES |= {"replace": "force", "future": "future-columns"}
SAME_NAMES = (
    *("horizon", "step-size", "train-size", "embargo", "refit", "season", "reference", "against", "on-error"),
    *(
        "models",
        "loss",
        "target",
        "columns",
        "decimal",
        "interval",
        "start",
        "end",
        "exchange",
        "adjust",
        "resume",
        "restart",
        "offline",
    ),
)
#: Parameters of models that fits may refuse.
PARAMETERS = ("log", "lookback", "patience", "calendar")
#: Options by the argument that they set.
OPTIONS = {
    **{name.replace("-", "_"): f"--{name}" for name in SAME_NAMES},
    **{name: f"--{option}" for name, option in OTHER_NAMES.items()},
    **{name: f"--set MODEL.{name}" for name in PARAMETERS},
}
#: Options without a value.
FLAGS = {(option, "True"): option for option in ("--day-first", "--resume", "--restart", "--force")}
FLAGS |= {("--day-first", "False"): "--month-first"}

#: What only a caller in Python can do or knows by that name, and the text on the command line.
IN_PYTHON = {
    ", fill the empty cells, or pass them as future": ", or fill the empty cells",
    "(name an exchange)": "(name one with --exchange, such as XNYS)",
    "to read as exog": "to read as an input",
    "a model that reads no exog": "a model that reads no other field",
    "static has ": "--static has ",
    "of static ": "of --static ",
    ": its index, or its column unique_id, must have": ": its first column must have",
    ": build them with as_panel(prices, static=table)": ": name their file with --static",
}

QUOTED = r"""(?<!\w)(?:'[^']*'|"[^"]*")(?!\w)"""
NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w/]|\.\w)"
TEXT = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
LIST = rf"""\[(?:{TEXT}|[^\]'"])*\]"""
LITERAL = rf"""{TEXT}|{LIST}|\([^()]*\)|True\b|False\b|None\b|{NUMBER}"""


def in_option_names(message: str, options: Mapping[str, str] = OPTIONS) -> str:
    """Return a message with an option in place of each argument, as in "n_windows", "how must be" or "how='all'".

    What a message quotes are names and values of the data, which stay as they are.

    >>> in_option_names("leave some series out, or use how='all'")
    'leave some series out, or use --rows all'
    """
    names = "|".join(map(re.escape, options))
    # A word without an underscore is an argument only with a value, before "must", or in "leave … out" and "set … to".
    with_value = rf"(?P<name>(?:{names})(?:\.\w+)*)=(?P<value>{LITERAL})"
    alone = rf"(?:{names})(?:\.\w+)*(?= must\b)|(?<=leave )(?:{names})(?= out\b)|(?<=without )offline\b"
    alone += rf"|(?<=leave out )(?:{names})(?:, (?:{names}))*\b|(?<= set )(?:{names})(?= to\b)"
    long = "|".join(name for name in options if "_" in name) or r"(?!)"
    mention = rf"(?<![\w.=-])(?:{with_value}|(?P<alone>{alone}|(?:{long})\b))"

    def replace(match: re.Match[str]) -> str:
        if match["alone"]:
            return ", ".join(_option(name, options) for name in match["alone"].split(", "))
        return _setting(_option(match["name"], options), match["value"]) if match["name"] else match[0]

    for text, meant in IN_PYTHON.items():
        message = message.replace(text, meant)
    return re.sub(f"{QUOTED}|{mention}", replace, message)


def _option(name: str, options: Mapping[str, str]) -> str:
    """Return the option of an argument, or of a parameter of an argument (trainer.lr)."""
    first, dot, rest = name.partition(".")
    return f"{options[first]}{dot}{rest}"


def _setting(option: str, literal: str) -> str:
    """Return an option with a value as in a shell; the value is a literal of Python."""
    if (option, literal) in FLAGS:
        return FLAGS[option, literal]
    value = parse_value(literal)
    if isinstance(value, list):
        value = ",".join(_quoted(str(name)) for name in value)
    command, _, parameter = option.partition(" ")
    return f"{command} {shlex.quote(f'{parameter}={value}' if parameter else str(value))}"


def _quoted(name: str) -> str:
    """Return a name as `split_names` reads it between commas."""
    return '"' + name.replace('"', '""') + '"' if "," in name or '"' in name or name != name.strip() else name


def parameter_options(model: str, parameters: Mapping[str, object]) -> dict[str, str]:
    """Return the options that set the parameters of a model, by the parameter."""
    return {name: f"--set {model}.{name}" for name in parameters}


def in_shell(path: object) -> str:
    """Return a path as a word of a shell command: quoted where it has to be, and never mistaken for an option.

    >>> in_shell("my runs/first"), in_shell("runs/first"), in_shell("-odd")
    ("'my runs/first'", 'runs/first', './-odd')
    """
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)
