# `make backtest` and `make test` are all that is needed. Each creates .venv on first use; later runs do not install again.
# All paths are relative, so that a checkout works in a folder whose name contains a space.
PYTHON ?= python3
BIN := .venv/bin/python
# Two processes of one thread each: half the time on two cores. Compiled tests are stored for the next run, also where the
# environment forbids it: to compile them takes as long as to import everything else.
PYTEST = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN) -m pytest -n 2 --dist worksteal
# Tests that take longer than the rest or start other processes.
LONG := notebook or docs or wheel or cluster or kill or slow

.PHONY: backtest test quick lint types pytest pandas2 notebooks docs benchmark clean

# Once the run is finished, its report is written again; `make backtest START=--restart` fits the models again.
START := --resume
backtest: .venv/installed
	$(BIN) -m forecast backtest stocks \
	  --models naive,drift,arima,pretrained,rnn,lstm,gru,lstm-many-to-one,lstm-seq2seq \
	  --horizon 5 --windows 200 --refit 50 --jobs 2 --out runs/stocks $(START)

test: lint types pytest

# For use while editing, about a minute: one case of each test, without those that are marked as taking long. Those that
# are listed at the end are to be marked as medium.
quick: .venv/installed
	$(PYTEST) -m "not ($(LONG) or medium)" --one-case --durations=10 --durations-min=1

lint: .venv/installed
	$(BIN) -m ruff check .
	$(BIN) -m ruff format --check .

types: .venv/installed
	$(BIN) -m mypy

pytest: .venv/installed
	$(PYTEST)

# The tests with the oldest supported pandas, placed before the installed one on the path. What takes long, and does not
# depend on pandas, runs in `pytest` only.
pandas2: .venv/pandas2/installed
	PYTHONPATH=.venv/pandas2/site-packages $(PYTEST) -m "not ($(LONG))"

# Execute the notebooks in place; commit the result.
notebooks: .venv/installed
	$(BIN) -c 'from nbclient.cli import main; main()' --inplace notebooks/*.ipynb

# Build the documentation into build/docs; a warning is an error.
docs: .venv/installed
	$(BIN) -m sphinx -q -W --keep-going -b html docs build/docs
	@echo build/docs/index.html

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("forecast needs Python 3.11 or newer; this is %s. Name another interpreter: make PYTHON=python3.12" % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN) -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[dev]'
	touch .venv/installed

.venv/pandas2/installed: .venv/installed
	$(BIN) -m pip install --disable-pip-version-check -q --no-deps --upgrade --target .venv/pandas2/site-packages 'pandas==2.2.*'
	touch .venv/pandas2/installed

# Compare with neuralforecast and darts, each in its own environment under build/peers (gigabytes): about an hour.
# `make benchmark QUICK=--quick` takes a minute.
benchmark: .venv/installed
	$(BIN) benchmarks/speed/race.py $(QUICK)

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache
