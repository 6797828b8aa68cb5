# Two commands on a fresh machine with Python 3.11+: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
GPU_VENV := .venv-gpu

# Cheap (6 % of the time) where Python itself tells what ran, from 3.12 on; elsewhere half as much again.
COVER := $(shell $(PYTHON) -c 'import sys; print("--cov --cov-report=" * (sys.version_info >= (3, 12)))')

PYTEST = COVERAGE_CORE=$(if $(COVER),sysmon) $(BIN)/python -m pytest -n 2 --dist loadfile
COVERED = $(if $(COVER),@echo "lines covered: $$($(BIN)/python -m coverage report --format=total) %",\
	@echo "lines covered: measured with Python 3.12 and newer")

.PHONY: help demo test test-slow docs soak lint format clean gpu-plan

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 10

demo: $(INSTALLED)  ## made-up networks: tables and pictures under results/demo/
	$(BIN)/python examples/demo.py

test: lint  ## lint, the tests that take seconds, the examples in all docstrings and pages
	$(PYTEST) -m 'not slow' $(COVER)
	$(COVERED)

test-slow: $(INSTALLED)  ## the other tests, an hour on old processors; after `make test`, coverage of both
	$(PYTEST) -m slow $(if $(COVER),$(COVER) --cov-append)
	$(COVERED)

docs: $(INSTALLED)  ## the documentation, warnings are errors: results/docs/html/index.html
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d results/docs/doctrees docs results/docs/html
	@echo "results/docs/html/index.html"

soak: $(INSTALLED)  ## every test with many repetitions
	JAXCOGC_SOAK=1 $(BIN)/python -m pytest

lint: $(INSTALLED)  ## format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy jaxcogc examples $(wildcard benchmarks)

format: $(INSTALLED)  ## rewrite the sources in the project's style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

gpu-plan: $(GPU_VENV)/.installed  ## compile for GPUs that are not there; the figures go to benchmarks/results/gpu.json
	JAX_PLATFORMS=cpu $(GPU_VENV)/bin/python -m benchmarks gpu --plan --json benchmarks/results/gpu.json

clean:  ## remove the environment, caches and results of the demo
	rm -rf $(VENV) $(GPU_VENV) results docs/reference/generated .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Half the time without compiling what nobody imports.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev,docs]'
	touch $@

# The project and what it needs, and the compiler for GPUs, which must not lie where other programs run.
$(GPU_VENV)/.installed: pyproject.toml constraints.txt benchmarks/gpu-requirements.txt
	$(PYTHON) -m venv $(GPU_VENV)
	$(GPU_VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable .
	$(GPU_VENV)/bin/python -m pip install --quiet --no-deps --requirement benchmarks/gpu-requirements.txt
	touch $@
