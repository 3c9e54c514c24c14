"""ARIMA: exact likelihood, search for its maximum, order selection, and one filter pass over all cutoffs."""
