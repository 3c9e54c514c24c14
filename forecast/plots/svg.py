"""A picture as part of a web page."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from html import escape
from io import StringIO

from matplotlib import rcParams
from matplotlib import style as sheets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forecast.plots.frame import INK


def as_svg(draw: Callable[[Axes], object], size: tuple[float, float], text: str) -> str:
    """Draw a picture for a web page: an <svg> with `text` for those who cannot see it, in the page's font and ink."""
    page = StringIO()
    with sheets.context("default"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # letters stay text: the browser has the glyph
        rcParams.update({"svg.fonttype": "none", "svg.hashsalt": f"{text} {size}"})
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.add_subplot())
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(page, format="svg", transparent=True, metadata=nothing)
    svg = re.sub(r"<!--.*?-->|<style.*?</style>", "", page.getvalue(), flags=re.DOTALL).replace(INK, "currentColor")
    used = set(re.findall(r"#([\w-]+)", svg))  # a page may hold many pictures: no id that is not needed
    svg = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", svg)
    head, body = svg[svg.index("<svg") :].split(">", maxsplit=1)
    box = re.search(r'viewBox="[^"]*"', head)
    return f'<svg {box[0] if box else ""} stroke-linejoin="round" role="img" aria-label="{escape(text)}">{body}'
