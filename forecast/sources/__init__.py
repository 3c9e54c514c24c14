"""Where prices come from: samples, files. Each gives a plain DataFrame, date × ticker, as people already have them."""

from forecast.sources.files import read_prices
from forecast.sources.samples import load_sample, samples

__all__ = ["load_sample", "read_prices", "samples"]
