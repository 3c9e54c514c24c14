"""Sphinx settings of the documentation, which `make docs` builds."""

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
napoleon_preprocess_types = True
napoleon_use_rtype = False  # print the type of a return value before its description
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
maximum_signature_line_length = 100  # longer signatures are printed with one parameter a line
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True, "show-inheritance": False}
exclude_patterns = ["_build"]


def _skip_sklearn_methods(app, what, name, obj, skip, options):
    """Leave out the metadata-routing methods that scikit-learn adds to every estimator."""
    return skip or name.endswith("_request")


def setup(app):
    """Connect the event handlers; called by Sphinx."""
    app.connect("autodoc-skip-member", _skip_sklearn_methods)
