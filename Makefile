# Everything runs in a virtual environment of the project's own, made on first use.
PYTHON ?= python3
VENV ?= .venv
# The tested versions, for Python 3.11. `make CONSTRAINTS= test` takes the newest ones instead.
CONSTRAINTS ?= constraints.txt
PIP_INSTALL = $(VENV)/bin/pip install --quiet $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))

export HF_HUB_DISABLE_TELEMETRY = 1

# What `make bench` measures, and how: `make bench TABLE=inference BENCH_FLAGS=--quick`.
TABLE ?= all
BENCH_FLAGS ?=
# Where the forecaster is measured, beside a library that has requirements of its own.
FORECAST_VENV ?= .venv-forecast

.PHONY: help quickstart test test-long extras bench bench-forecast cards docs package quality style clean
.DEFAULT_GOAL := help

help:  ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

quickstart: $(VENV)/installed  ## Train a small classifier, save and reload it, and show its attention
	$(VENV)/bin/hfattnlstm quickstart

test: $(VENV)/installed-dev  ## Run the tests; nothing needs the network
	HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false $(VENV)/bin/python -m pytest $(PYTEST_FLAGS)

test-long: $(VENV)/installed-dev  ## Run the long tests: notebooks, browser, long faults; each says what it lacks here
	HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false $(VENV)/bin/python -m pytest -m long -rs $(PYTEST_FLAGS)

# `all` is train, onnx, explain, plots and tensorboard; `dev` is all, test, docs, style and packaging.
extras: $(VENV)/installed-dev  ## Check that every extra can be had together, in the tested versions
	$(PIP_INSTALL) --dry-run ".[all,test,dev,bench,ray]"

bench: $(VENV)/installed-bench  ## Measure the speed against other libraries (TABLE=inference BENCH_FLAGS=--quick)
	$(VENV)/bin/python -m benchmarks $(TABLE) $(BENCH_FLAGS)

bench-forecast: $(FORECAST_VENV)/installed  ## Measure the forecaster against neuralforecast (BENCH_FLAGS=--quick)
	$(FORECAST_VENV)/bin/python -m benchmarks forecast $(BENCH_FLAGS)

cards: $(VENV)/installed-dev  ## Bring the code in the released models of model_cards/ up to date
	HF_HUB_OFFLINE=1 $(VENV)/bin/python scripts/make_cards.py

docs: $(VENV)/installed-dev  ## Build the documentation as a site into site/; open site/index.html
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --strict --quiet

package: $(VENV)/installed-dev  ## Build what is published into dist/, and check it
	rm -rf dist
	$(VENV)/bin/python -m build --outdir dist .
	$(VENV)/bin/python -m twine check --strict dist/*

quality: $(VENV)/installed-dev  ## Check the style without changing anything
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

style: $(VENV)/installed-dev  ## Mend the style
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean:  ## Remove the virtual environments and what was built
	rm -rf $(VENV) $(FORECAST_VENV) build dist site *.egg-info outputs

$(VENV)/installed: pyproject.toml $(wildcard $(CONSTRAINTS))
	$(PYTHON) -m venv $(VENV)
	@echo "Installing hfattnlstm with what training needs into $(VENV); the first time this takes a few minutes."
	$(PIP_INSTALL) --editable ".[train]"
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "Installing the tools for tests and style."
	$(PIP_INSTALL) --editable ".[dev]"
	@touch $@

# flair asks for an older transformers than ours, and runs with ours nevertheless.
$(VENV)/installed-bench: $(VENV)/installed benchmarks/flair-requirements.txt
	@echo "Installing the libraries that the benchmarks compare with."
	$(PIP_INSTALL) --editable ".[bench]"
	$(PIP_INSTALL) --no-deps --requirement benchmarks/flair-requirements.txt
	@touch $@

# The tested versions but for pandas, of which there is an older one in it.
$(FORECAST_VENV)/installed: pyproject.toml benchmarks/forecast-requirements.txt $(wildcard $(CONSTRAINTS))
	$(PYTHON) -m venv $(FORECAST_VENV)
	@echo "Installing hfattnlstm and neuralforecast into $(FORECAST_VENV); this takes a few minutes, and 2 GB."
	grep -v "^pandas==" $(or $(CONSTRAINTS),/dev/null) > $(FORECAST_VENV)/constraints.txt || true
	$(FORECAST_VENV)/bin/pip install --quiet --constraint $(FORECAST_VENV)/constraints.txt \
		--requirement benchmarks/forecast-requirements.txt --editable ".[train]"
	@touch $@
