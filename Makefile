# Two commands for everyone: `make serve` and `make test`. Each does its own set-up, once.
PORT ?= 8000
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt

.PHONY: serve test lint model clean help

help:
	@echo "make serve   serve the API and the demo page on http://127.0.0.1:$(PORT)"
	@echo "make test    every check: lint, types, unit, API, property, real-server and browser tests"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make model   fetch and build the model, nothing else"
	@echo "make clean   remove the virtual environment"

serve: $(VENV)/.serve model
	$(BIN)/querygist serve --port $(PORT)

model: $(VENV)/.serve
	@$(BIN)/querygist model build

test: $(VENV)/.develop model
	sh tests/system-packages.sh
	$(MAKE) lint
	$(BIN)/python -m pytest

lint: $(VENV)/.develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV)

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 14), f"Python 3.11 to 3.13 is needed, this is {sys.version}: make PYTHON=python3.11"'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serve: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing the service into $(VENV) ..."
	$(PIP) --editable .
	@touch $@

$(VENV)/.develop: $(VENV)/.serve
	@echo "Installing what the tests need into $(VENV) ..."
	$(PIP) --editable '.[dev,load,train]'
	@touch $@
