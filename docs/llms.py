"""Write docs/llms.txt, the index of the documentation for language models: `python docs/llms.py`."""

from __future__ import annotations

import json
import re
from pathlib import Path

DOCS = Path(__file__).parent
HEAD = """# forecast

> A Python package and command line that finds out by a walk-forward backtest and a statistical test whether a
> recurrent network forecasts a time series better than ARIMA, or than assuming that nothing changes. With
> `import forecast as fc` every public name is an attribute of `fc` with a docstring (`help(fc.backtest)`), and the
> page on the API lists them all.

A model has `fit(prices, horizon)` and `predict(prices)`; `prices` is a DataFrame with a row per date and a column per
series. `fc.backtest(models, prices, fc.WalkForward(horizon=5, n_windows=40), refit=20)` returns a result with
`leaderboard()` and `verdicts()`. On the command line:
`forecast backtest prices.csv --models arima,lstm --out runs/mine`.
"""


def index() -> str:
    """Return the index: each page with its sections and each notebook with its first sentence, in the site's order."""
    sections = [HEAD]
    for caption, entries in re.findall(
        r"```\{toctree\}\n.*?:caption: (\w+)\n(.*?)```",
        (DOCS / "index.md").read_text(encoding="utf-8"),
        flags=re.DOTALL,
    ):
        pages = []
        for entry in re.findall(r"^[\w*/]+$", entries, flags=re.MULTILINE):
            if entry == "notebooks/*":
                paths = sorted((DOCS.parent / "notebooks").glob("*.ipynb"))
                pages += [_line(f"../notebooks/{path.name}", _text_of_notebook(path)) for path in paths]
            else:
                pages.append(_line(f"{entry}.md", (DOCS / f"{entry}.md").read_text(encoding="utf-8")))
        sections.append(f"## {caption}\n\n" + "\n".join(pages) + "\n")
    return "\n".join(sections)


def _line(link: str, text: str) -> str:
    """Return the line of a page: its title, and its sections or its first sentence."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    title = re.search(r"^# (.+)$", text, flags=re.MULTILINE)
    assert title is not None, link
    sections = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    if sections and link.endswith(".md"):
        return f"- [{title[1]}]({link}): {'; '.join(sections)}"
    paragraphs = (" ".join(part.split()) for part in text[title.end() :].split("\n\n"))
    first = next(part for part in paragraphs if part and part[0] not in "#|-!")
    plain = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", first).replace("**", "").replace("*", "")
    return f"- [{title[1]}]({link}): {re.split(r'(?<=[.?:]) ', plain)[0].rstrip('.:')}"


def _text_of_notebook(path: Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


if __name__ == "__main__":
    (DOCS / "llms.txt").write_text(index(), encoding="utf-8")
