"""ARIMA: an exact likelihood, a search for its summit, a choice of order, and one filter pass over all cutoffs."""

from forecast.models.arima.model import ARIMA

__all__ = ["ARIMA"]
