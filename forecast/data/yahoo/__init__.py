"""Download prices from Yahoo through yfinance's client, cached on disk and adjusted for dividends."""
