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
from forecast.report.plots.frame import INK, LABEL_AT

#: Left, bottom, right and top margin around the axes, in inches, as most plots need it.
USUAL = (0.6, 0.5, 1.3, 0.3)
PAD = 0.04  # inches around everything


def as_svg(draw: Callable[[Axes], object], height: float, widths: Sequence[float], text: str) -> list[str]:
    """Return a plot as an <svg> for each width (inches), with `text` as its description for screen readers.

    The SVG uses the font and the text colour of the page.
    """
    with sheets.context("default"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # letters stay text: the browser has the glyph
        rcParams["svg.fonttype"] = "none"
        figure = Figure(figsize=(widths[0], height))
        _place_axes(figure, *USUAL)
        draw(figure.add_subplot())
        return [_render(figure, width, text) for width in widths]


def _place_axes(figure: Figure, left: float, bottom: float, right: float, top: float) -> None:
    """Place the axes inside these margins, in inches."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height)


def _fit(figure: Figure) -> None:
    """Place the axes so that all texts around them are inside the figure.

    What is around the axes is measured once; `layout="constrained"` measures it twice and takes four times as long.
    """
    _place_axes(figure, *USUAL)
    (axes,) = figure.axes
    inner = axes.get_window_extent()
    around = axes.get_tightbbox(for_layout_only=True) or inner
    ends = (inner.x0 - around.x0, inner.y0 - around.y0, around.x1 - inner.x1, around.y1 - inner.y1)
    left, bottom, right, top = (end / figure.dpi + PAD for end in ends)
    width, share = inner.width / figure.dpi, LABEL_AT - 1  # labels begin at this share of the width, which changes
    fitted = (figure.get_figwidth() - left - right + share * width) / (1 + share)
    _place_axes(figure, left, bottom, right + share * (fitted - width), top)


def _render(figure: Figure, width: float, text: str) -> str:
    page = StringIO()
    figure.set_figwidth(width)
    _fit(figure)
    rcParams["svg.hashsalt"] = f"{text} {width}"
    figure.savefig(page, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = re.sub(r"<!--.*?-->|<style.*?</style>", "", page.getvalue(), flags=re.DOTALL).replace(INK, "currentColor")
    used = set(re.findall(r"#([\w-]+)", svg))  # a page may contain many plots: drop ids that nothing refers to
    svg = re.sub(r' id="([^"]+)"', lambda match: match[0] if match[1] in used else "", svg)
    head, body = svg[svg.index("<svg") :].split(">", maxsplit=1)
    box = re.search(r'viewBox="[^"]*"', head)
    return f'<svg {box[0] if box else ""} stroke-linejoin="round" role="img" aria-label="{escape(plain(text))}">{body}'
