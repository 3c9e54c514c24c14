"""ARIMA: exact likelihood, search for its maximum, order selection, and one filter pass over all cutoffs."""

from forecast.models.arima.model import ARIMA
