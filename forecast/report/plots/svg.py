"""A plot as inline SVG for a web page."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from html import escape
from io import StringIO

from matplotlib import rcParams
from matplotlib import style as sheets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forecast._text import plain
from forecast.report.plots.frame import INK


def as_svg(draw: Callable[[Axes], object], height: float, widths: Sequence[float], text: str) -> list[str]:
    """Return a plot as an <svg> for each width (inches), with `text` as its description for screen readers.

    The SVG uses the font and the text colour of the page.
    """
    with sheets.context("default"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # letters stay text: the browser has the glyph
        rcParams["svg.fonttype"] = "none"
        figure = Figure(figsize=(widths[0], height), layout="constrained")
        draw(figure.add_subplot())
        return [_render(figure, width, text) for width in widths]


def _render(figure: Figure, width: float, text: str) -> str:
    page = StringIO()
    figure.set_figwidth(width)
    rcParams["svg.hashsalt"] = f"{text} {width}"
    figure.savefig(page, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = re.sub(r"<!--.*?-->|<style.*?</style>", "", page.getvalue(), flags=re.DOTALL).replace(INK, "currentColor")
    used = set(re.findall(r"#([\w-]+)", svg))  # a page may contain many plots: drop ids that nothing refers to
    svg = re.sub(r' id="([^"]+)"', lambda match: match[0] if match[1] in used else "", svg)
    head, body = svg[svg.index("<svg") :].split(">", maxsplit=1)
    box = re.search(r'viewBox="[^"]*"', head)
    return f'<svg {box[0] if box else ""} stroke-linejoin="round" role="img" aria-label="{escape(plain(text))}">{body}'
