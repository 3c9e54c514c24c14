"""Where prices come from: samples, files, Yahoo. Each gives a plain DataFrame, date × ticker, as people have them."""

from forecast.sources.download import DownloadError, DownloadWarning, download
from forecast.sources.files import read_prices
from forecast.sources.samples import load_sample, samples
from forecast.sources.yahoo import Yahoo

__all__ = ["DownloadError", "DownloadWarning", "Yahoo", "download", "load_sample", "read_prices", "samples"]
