# Two commands: `make backtest` and `make test`. Each sets up .venv by itself; a second run does not reinstall.
# All paths are relative, so that a checkout in a folder with a space in its name works.
PYTHON ?= python3
BIN := .venv/bin/python
# Two processes, each on one thread: half the time on two cores.
TWICE := -n 2 --dist worksteal

.PHONY: backtest test lint types pytest pandas2 notebooks docs benchmark clean

backtest: .venv/installed
	$(BIN) -m forecast backtest stocks \
	  --models naive,drift,arima,rnn,lstm,gru,lstm-many-to-one,lstm-seq2seq \
	  --horizon 5 --windows 200 --refit 50 --jobs 2 --out runs/stocks

test: lint types pytest

lint: .venv/installed
	$(BIN) -m ruff check .
	$(BIN) -m ruff format --check .

types: .venv/installed
	$(BIN) -m mypy

pytest: .venv/installed
	OMP_NUM_THREADS=1 $(BIN) -m pytest $(TWICE)

# The oldest pandas that is supported, laid over the same environment; notebooks and what they show ran already.
pandas2: .venv/pandas2/installed
	PYTHONPATH=.venv/pandas2/site-packages OMP_NUM_THREADS=1 $(BIN) -m pytest $(TWICE) --ignore tests/test_notebooks.py

# Execute the notebooks in place, to be committed.
notebooks: .venv/installed
	$(BIN) -c 'from nbclient.cli import main; main()' --inplace notebooks/*.ipynb

# The pages, into build/docs; a warning is an error.
docs: .venv/installed
	$(BIN) -m sphinx -q -W --keep-going -b html docs build/docs
	@echo build/docs/index.html

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("forecast needs Python 3.11 or newer; this is %s. Say which one to take: make PYTHON=python3.12" % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN) -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[dev]'
	touch .venv/installed

.venv/pandas2/installed: .venv/installed
	$(BIN) -m pip install --disable-pip-version-check -q --no-deps --upgrade --target .venv/pandas2/site-packages 'pandas==2.2.*'
	touch .venv/pandas2/installed

# Beside neuralforecast and darts, each in an environment of its own under build/peers (gigabytes): an hour;
# `make benchmark QUICK=--quick` is a minute's worth.
benchmark: .venv/installed
	$(BIN) benchmarks/speed/race.py $(QUICK)

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache
