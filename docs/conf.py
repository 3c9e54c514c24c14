"""Sphinx settings of the documentation, which `make docs` builds."""

import base64
import json
import re
import shutil
from importlib.metadata import version as installed
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

project = "forecast"
author = "the authors of forecast"
release = version = installed("forecast")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]
html_math_renderer = "mathml"  # drawn by the browser itself: the pages need no network
default_role = "code"  # `name` in a docstring is code
html_theme = "furo"
highlight_language = "none"  # blocks without a language are commands with what they print
html_title = "forecast"
html_show_sphinx = False
html_extra_path = ["llms.txt"]
html_static_path = ["_static"]
html_css_files = ["site.css"]

napoleon_google_docstring = False
napoleon_numpy_docstring = True
napoleon_use_rtype = False  # print the type of a return value before its description
autodoc_typehints = "signature"
autodoc_type_aliases = {"Prices": "forecast.Prices", "Examples": "Examples", "Classes": "Classes"}
python_use_unqualified_type_names = True
maximum_signature_line_length = 100  # longer signatures are printed with one parameter a line
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True}
exclude_patterns = ["_build"]


def _types_as_code(app, what, name, obj, options, lines):
    """Mark the types of numpydoc sections as code, so that `{"rnn", "lstm"}, default "lstm"` is printed as written."""
    section = ""
    for i, line in enumerate(lines):
        if i + 1 < len(lines) and lines[i + 1] and set(lines[i + 1]) == {"-"}:
            section = line
        elif section in ("Parameters", "Attributes"):
            lines[i] = re.sub(r"^(\*{0,2}\w+(?:, \w+)*) : ([^`]+)$", r"\1 : ``\2``", line)


def tabulate_parameters(app, doctree):
    """Turn the list of an object's parameters, or attributes, into a table: name and type, and what it means."""
    for field in list(doctree.findall(nodes.field)):
        name, body = field.children
        if name.astext() not in ("Parameters", "Variables"):
            continue
        paragraphs = [item.children for item in body.findall(nodes.list_item)] or [body.children]
        rows = [_row(*children) for children in paragraphs]
        group = nodes.tgroup("", nodes.colspec(colwidth=1), nodes.colspec(colwidth=2), nodes.tbody("", *rows), cols=2)
        body.children = []
        body += nodes.table("", group, classes=["parameters"])


def _row(paragraph, *more):
    """Return the row of a parameter from its paragraph, `name (type) -- meaning`, and what follows it."""
    parts = paragraph.children
    at = next((i for i, part in enumerate(parts) if part.astext() in (" -- ", " – ")), len(parts))
    first, rest = nodes.paragraph("", "", *parts[:at]), nodes.paragraph("", "", *parts[at + 1 :])
    return nodes.row("", nodes.entry("", first), nodes.entry("", rest, *more))


def _references_as_text(app, what, name, obj, options, lines):
    """Turn references such as `[1]_` into plain text: several docstrings of a page may number theirs from 1."""
    text = re.sub(r"(\[\d+\])_\b", r"\1", "\n".join(lines))
    text = re.sub(
        r"^\.\. (\[\d+\].*(?:\n +\S.*)*)", lambda found: re.sub(r"\n +", "\n", found[1]), text, flags=re.MULTILINE
    )
    lines[:] = text.split("\n")


def _rejoin_first_line(app, what, name, obj, options, lines):
    """Put together the first line of a property with a colon, of which napoleon reads the beginning as a type."""
    at = next((i for i, line in enumerate(lines) if line.startswith(":type: ")), None)
    if what in ("property", "attribute") and at is not None:
        kind = lines.pop(at).removeprefix(":type: ")
        lines[0] = f"{kind}: {lines[0]}"


def _repair_signature(app, what, name, obj, options, signature, returned):
    """Return a signature whose defaults and types are Python, so that Sphinx can read it."""
    if signature is not None:
        signature = re.sub(r"TypeAliasForwardRef\('([\w.]+)'\)", r"\1", signature.replace("<factory>", "..."))
    return signature, returned


def _skip_sklearn_methods(app, what, name, obj, skip, options):
    """Leave out the metadata-routing methods that scikit-learn adds to every estimator."""
    return skip or name.endswith("_request")


def write_notebooks(app):
    """Write each committed notebook, with its output, as a page of the folder docs/notebooks."""
    folder = Path(app.srcdir) / "notebooks"
    folder.mkdir(exist_ok=True)
    sources = sorted((Path(app.srcdir).parent / "notebooks").glob("*.ipynb"))
    pages = {}
    for source in sources:
        for number, cell in enumerate(json.loads(source.read_text(encoding="utf-8"))["cells"]):
            text = "".join(cell["source"])
            parts = pages.setdefault(f"{source.stem}.md", [])
            parts.append(f"```python\n{text}\n```" if cell["cell_type"] == "code" else _relink(text))
            for position, output in enumerate(_shown(cell.get("outputs", []))):
                parts.append(_output(output, f"{source.stem}-{number}-{position}.png", pages))
    pages = {name: "\n\n".join(page) + "\n" if isinstance(page, list) else page for name, page in pages.items()}
    for stale in {path.name for path in folder.iterdir()} - set(pages):
        (folder / stale).unlink()
    for name, page in pages.items():
        content, path = page.encode() if isinstance(page, str) else page, folder / name
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)


def _relink(text):
    """Return the text of a cell with links that are right on the site."""
    text = re.sub(r"\]\((?:\.\./docs/)([\w.]+\.md(?:#[\w-]+)?)\)", r"](../\1)", text)
    return re.sub(r"\]\((\d\w+)\.ipynb\)", r"](\1.md)", text)


def _shown(outputs):
    """Return the outputs of a cell without removed progress bars; lines printed one after the other are one output."""
    joined = []
    for output in outputs:
        if not "".join(output.get("data", {}).get("text/html", "shown")):
            continue
        if joined and output["output_type"] == joined[-1]["output_type"] == "stream":
            joined[-1] = joined[-1] | {"text": [*joined[-1]["text"], *output["text"]]}
        else:
            joined.append(output)
    return joined


def _output(output, picture, pages):
    """Return an output of a cell as Markdown; a picture is added to the pages."""
    data = output.get("data", {})
    if "image/png" in data:
        pages[picture] = base64.b64decode(data["image/png"])
        return f"![Output of the cell above]({picture})"
    if "text/html" in data:
        return f'```{{raw}} html\n<div class="output">{"".join(data["text/html"])}</div>\n```'
    text = "".join(output.get("text") or data.get("text/plain", ""))
    return f"~~~~text\n{text.rstrip()}\n~~~~"


def _mathml(text, **options):
    r"""Return a formula as MathML, with a space after \ln and without spaces inside of bars, as TeX sets them."""
    found = tex2mathml(re.sub(r"\\ln(?!\()", r"\\ln\\,", text), **options)
    return found.replace('<mo class="mathopen">|', '<mo form="prefix" stretchy="false">|').replace(
        "<mo>|", '<mo form="postfix" stretchy="false">|'
    )


def _draw_inline(translator, node):
    translator.body.append(_mathml(node.astext()))
    raise nodes.SkipNode


def _draw_block(translator, node):
    translator.body.append(f'<div class="math">{_mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def copy_pages(app, error):
    """Copy the pages as they are written next to the built ones: llms.txt links to them."""
    if error is None:
        for page in Path(app.srcdir).glob("*.md"):
            shutil.copy(page, app.outdir)


def setup(app):
    """Connect the event handlers; called by Sphinx."""
    app.add_html_math_renderer("mathml", (_draw_inline, None), (_draw_block, None))
    app.connect("builder-inited", write_notebooks)
    app.connect("build-finished", copy_pages)
    app.connect("doctree-read", tabulate_parameters)
    app.connect("autodoc-process-docstring", _types_as_code, priority=400)  # before napoleon
    app.connect("autodoc-process-docstring", _references_as_text, priority=400)
    app.connect("autodoc-process-docstring", _rejoin_first_line, priority=600)  # after napoleon
    app.connect("autodoc-process-signature", _repair_signature)
    app.connect("autodoc-skip-member", _skip_sklearn_methods)
