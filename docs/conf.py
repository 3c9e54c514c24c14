"""How the pages are built: `make docs`."""

from importlib.metadata import version as installed

project = "forecast"
author = "the authors of forecast"
release = version = installed("forecast")
extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 3
default_role = "code"  # `name` in a docstring is code
html_theme = "furo"
html_title = "forecast"
html_show_sphinx = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the words of a docstring say what goes in and what comes out
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True, "show-inheritance": False}
exclude_patterns = ["_build"]


def _skip(app, what, name, obj, skip, options):
    """Leave out what scikit-learn adds to every estimator: it is documented there."""
    return skip or name.endswith("_request")


def setup(app):
    """Called by Sphinx."""
    app.connect("autodoc-skip-member", _skip)
