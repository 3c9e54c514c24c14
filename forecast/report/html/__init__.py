"""The report of a run as one HTML page: Python computes tables, figures and texts, templates lay them out."""
