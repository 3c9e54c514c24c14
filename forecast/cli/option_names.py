"""Messages in the terms of the command line: options in place of the arguments that they set in Python."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: Options whose names differ from those of the arguments that they set.
OTHER_NAMES = {"how": "rows", "n_windows": "windows", "n_jobs": "jobs", "fields": "target", "dayfirst": "day-first"}
SAME_NAMES = (
    *("horizon", "step-size", "train-size", "embargo", "refit", "season", "reference", "against", "on-error", "resume"),
    *("target", "columns", "decimal", "interval", "start", "end", "exchange", "adjust"),
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
FLAGS = {("--day-first", "True"): "--day-first", ("--day-first", "False"): "--month-first"}

QUOTED = r"""(?<!\w)(?:'[^']*'|"[^"]*")(?!\w)"""
NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w/]|\.\w)"
LITERAL = rf"""'[^']*'|"[^"]*"|\([^()]*\)|True\b|False\b|None\b|{NUMBER}"""


def in_option_names(message: str, options: Mapping[str, str] = OPTIONS) -> str:
    """Return a message with an option in place of each argument, as in "n_windows", "how must be" or "how='all'".

    What a message quotes are names and values of the data, which stay as they are.

    >>> in_option_names("leave some series out, or use how='all'")
    "leave some series out, or use --rows all"
    """
    names = "|".join(map(re.escape, options))
    # A word without an underscore is an argument only with a value, before "must", or in "leave … out".
    with_value = rf"(?P<name>(?:{names})(?:\.\w+)*)=(?P<value>{LITERAL})"
    alone = rf"(?:{names})(?:\.\w+)*(?= must\b)|(?<=leave )(?:{names})(?= out\b)"
    long = "|".join(name for name in options if "_" in name) or r"(?!)"
    mention = rf"(?<![\w.=-])(?:{with_value}|(?P<alone>{alone}|(?:{long})\b))"

    def replace(match: re.Match[str]) -> str:
        if match["alone"]:
            return _option(match["alone"], options)
        if not match["name"]:
            return match[0]
        option, value = _option(match["name"], options), match["value"].strip("'\"")
        return FLAGS.get((option, value), f"{option}{'=' if option.startswith('--set') else ' '}{value}")

    return re.sub(f"{QUOTED}|{mention}", replace, message)


def _option(name: str, options: Mapping[str, str]) -> str:
    """Return the option of an argument, or of a parameter of an argument (trainer.lr)."""
    first, dot, rest = name.partition(".")
    return f"{options[first]}{dot}{rest}"


def parameter_options(model: str, parameters: Mapping[str, object]) -> dict[str, str]:
    """Return the options that set the parameters of a model, by the parameter."""
    return {name: f"--set {model}.{name}" for name in parameters}
