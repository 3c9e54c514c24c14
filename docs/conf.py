"""Sphinx settings of the documentation, which `make docs` builds."""

import re
from importlib.metadata import version as installed

project = "forecast"
author = "the authors of forecast"
release = version = installed("forecast")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
default_role = "code"  # `name` in a docstring is code
html_theme = "furo"
html_title = "forecast"
html_show_sphinx = False

napoleon_google_docstring = False
napoleon_numpy_docstring = True
napoleon_use_rtype = False  # print the type of a return value before its description
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
maximum_signature_line_length = 100  # longer signatures are printed with one parameter a line
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True, "show-inheritance": False}
exclude_patterns = ["_build"]


def _types_as_code(app, what, name, obj, options, lines):
    """Mark the types of numpydoc sections as code, so that `{"rnn", "lstm"}, default "lstm"` is printed as written."""
    section = ""
    for i, line in enumerate(lines):
        if i + 1 < len(lines) and lines[i + 1] and set(lines[i + 1]) == {"-"}:
            section = line
        elif section in ("Parameters", "Attributes"):
            lines[i] = re.sub(r"^(\*{0,2}\w+(?:, \w+)*) : ([^`]+)$", r"\1 : ``\2``", line)


def _references_as_text(app, what, name, obj, options, lines):
    """Turn references such as `[1]_` into plain text: several docstrings of a page may number theirs from 1."""
    text = re.sub(r"(\[\d+\])_\b", r"\1", "\n".join(lines))
    text = re.sub(
        r"^\.\. (\[\d+\].*(?:\n +\S.*)*)", lambda found: re.sub(r"\n +", "\n", found[1]), text, flags=re.MULTILINE
    )
    lines[:] = text.split("\n")


def _skip_sklearn_methods(app, what, name, obj, skip, options):
    """Leave out the metadata-routing methods that scikit-learn adds to every estimator."""
    return skip or name.endswith("_request")


def setup(app):
    """Connect the event handlers; called by Sphinx."""
    app.connect("autodoc-process-docstring", _types_as_code, priority=400)  # before napoleon
    app.connect("autodoc-process-docstring", _references_as_text, priority=400)
    app.connect("autodoc-skip-member", _skip_sklearn_methods)
