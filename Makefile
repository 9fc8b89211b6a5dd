# Commands for everyone; `make help` lists them. Each does its own set-up, once.
PORT ?= 8000
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt

# Triton's python backend wants a numpy of its own, and a Python that is not too new.
TRITON_PYTHON ?= $(PYTHON)
TRITON_VENV := .venv-triton
TRITON_PIP := $(TRITON_VENV)/bin/python -m pip install -qq --disable-pip-version-check --no-deps

# ModelOpt wants another transformers than the rest, and a Python that is not too new.
FP8_PYTHON ?= $(PYTHON)
FP8_VENV := .venv-fp8
FP8_CONFIG ?= training/configs/fp8.yaml

# Every test that needs nothing but Python and is quick has none of these markers (pyproject.toml, tests/suites.py).
PYTEST := $(BIN)/python -m pytest
NOT_FAST := embedded or triton or browser or smoke or training or fp8 or slow
SLOW_TO_IMPORT := train generate evaluate fp8 lookahead export preferences

.PHONY: help serve triton load model fp8 fp8-venv check lint fast test test-all system-packages docs lock sbom audit clean

help:
	@echo "make serve     serve the API and the demo page on http://127.0.0.1:$(PORT)"
	@echo "make triton    the same, through a real Triton Inference Server on this machine's CPU"
	@echo "make load      a minute of load on a server of its own, and whether it kept the objectives"
	@echo "make model     fetch and build the model, nothing else"
	@echo "make fp8       FP8 checkpoints for TensorRT-LLM, made and checked on this machine's CPU"
	@echo "make check     lint, types, unit and API tests on the fake engine: about two minutes"
	@echo "make test      that, the embedded engine, Triton, the browser and a smoke training: about 14 minutes"
	@echo "make test-all  every test there is, as CI runs them"
	@echo "make lint      ruff, mypy, import-linter"
	@echo "make docs      the documentation as a site, in build/site; a broken link fails"
	@echo "make lock      constraints.txt anew from pyproject.toml (UPGRADE=--upgrade for newer releases)"
	@echo "make sbom      what the image installs, as CycloneDX, in build/sbom.json"
	@echo "make audit     known vulnerabilities of what constraints.txt pins (asks pypi.org)"
	@echo "make clean     remove the virtual environments and what the tools keep"

serve: $(VENV)/.serve model
	$(BIN)/querygist serve --port $(PORT)

triton: $(VENV)/.triton $(TRITON_VENV)/.installed model
	$(BIN)/querygist triton --port $(PORT)

load: $(VENV)/.load model
	$(BIN)/python -m loadtest load --run-time 60s --rate 0.3 --slo loadtest/objectives/cpu.toml

model: $(VENV)/.serve
	@$(BIN)/querygist model build

fp8: $(VENV)/.develop fp8-venv
	$(BIN)/python -m training quantize --config $(FP8_CONFIG)

fp8-venv: $(FP8_VENV)/.installed

check: $(VENV)/.develop
	@$(MAKE) --no-print-directory -j2 --output-sync=target lint fast

lint: $(VENV)/.develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

fast: $(VENV)/.develop
	$(PYTEST) -n 2 -m "not ($(NOT_FAST))" $(SLOW_TO_IMPORT:%=--ignore=tests/unit/training/%) tests/unit tests/api

test:
	@$(MAKE) --no-print-directory -j2 system-packages $(VENV)/.develop $(TRITON_VENV)/.installed
	@$(MAKE) --no-print-directory model check
	$(PYTEST) -m "(embedded or triton or browser or smoke) and not (training or fp8 or slow)"

test-all:
	@$(MAKE) --no-print-directory -j2 system-packages $(VENV)/.develop $(TRITON_VENV)/.installed $(FP8_VENV)/.installed
	@$(MAKE) --no-print-directory model check
	$(PYTEST) -m "$(NOT_FAST)"

system-packages:
	@sh tests/system-packages.sh

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lock: $(VENV)/bin/python
	$(BIN)/python -m pip install -qq uv
	$(BIN)/python -m uv pip compile --quiet --universal --all-extras --python-version 3.11 $(UPGRADE) --no-emit-package pip \
		--no-annotate --custom-compile-command "make lock" --output-file constraints.txt pyproject.toml

# As the Dockerfile installs it, and with nothing that only we need.
IMAGE_VENV := build/image-venv
sbom: $(VENV)/.release
	rm -rf $(IMAGE_VENV)
	$(PYTHON) -m venv $(IMAGE_VENV)
	$(IMAGE_VENV)/bin/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt ".[triton,redis,otel]"
	$(BIN)/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml --output-file build/sbom.json $(IMAGE_VENV)/bin/python
	rm -rf $(IMAGE_VENV)

# --strict: a package about which nothing is known fails, rather than pass.
audit: $(VENV)/.release
	$(BIN)/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

clean:
	rm -rf $(VENV) $(TRITON_VENV) $(FP8_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build/site build/sbom.json $(IMAGE_VENV)

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 14), f"Python 3.11 to 3.13 is needed, this is {sys.version}: make PYTHON=python3.11"'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serve: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing the service into $(VENV) ..."
	$(PIP) --editable .
	@touch $@

$(VENV)/.triton: $(VENV)/.serve
	@echo "Installing Triton's client into $(VENV) ..."
	$(PIP) --editable '.[triton]'
	@touch $@

$(VENV)/.docs: $(VENV)/.serve
	@echo "Installing MkDocs into $(VENV) ..."
	$(PIP) --editable '.[docs]'
	@touch $@

$(VENV)/.release: $(VENV)/.serve
	@echo "Installing pip-audit and cyclonedx-py into $(VENV) ..."
	$(PIP) --editable '.[release]'
	@touch $@

$(VENV)/.load: $(VENV)/.serve
	@echo "Installing Locust into $(VENV) ..."
	$(PIP) --editable '.[load]'
	@touch $@

$(VENV)/.develop: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing what the tests need into $(VENV) ..."
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.serve $(VENV)/.triton $(VENV)/.load $(VENV)/.docs $(VENV)/.release

$(TRITON_VENV)/bin/python:
	$(TRITON_PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 13), f"Triton needs Python 3.11 or 3.12, this is {sys.version}: make TRITON_PYTHON=python3.11"'
	$(TRITON_PYTHON) -m venv $(TRITON_VENV)

$(TRITON_VENV)/.installed: $(TRITON_VENV)/bin/python deploy/triton/requirements.txt
	@echo "Installing a Triton server into $(TRITON_VENV) ..."
	$(TRITON_PIP) --requirement deploy/triton/requirements.txt
	$(TRITON_PIP) --editable .
	sh deploy/triton/libpython.sh $(TRITON_VENV)
	@touch $@

$(FP8_VENV)/bin/python:
	$(FP8_PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 13), f"ModelOpt needs Python 3.11 or 3.12, this is {sys.version}: make FP8_PYTHON=python3.11"'
	$(FP8_PYTHON) -m venv $(FP8_VENV)

$(FP8_VENV)/.installed: $(FP8_VENV)/bin/python training/fp8/requirements.txt
	@echo "Installing ModelOpt into $(FP8_VENV) ..."
	$(FP8_VENV)/bin/python -m pip install -qq --disable-pip-version-check --requirement training/fp8/requirements.txt
	@touch $@
