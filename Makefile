# `make demo` and `make test` are the whole set-up on a fresh machine: Python 3.11+, Node 20+, make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= runs/demo

.PHONY: demo test lint contracts contracts-test gas bench bench-long audit-contracts coverage clean

demo: $(VENV)/.installed node_modules/.installed
	$(BIN)/ostrom demo

test: lint contracts-test
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/.dev node_modules/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The committed artifacts must be what the pinned compiler makes of the sources.
contracts: node_modules/.installed
	node scripts/contracts/build.mjs

contracts-test: node_modules/.installed
	node scripts/contracts/build.mjs --check
	npm test --silent

gas: node_modules/.installed
	npm run gas --silent

bench: $(VENV)/.dev node_modules/.installed
	$(BIN)/python -m benchmarks

bench-long: $(VENV)/.dev node_modules/.installed
	$(BIN)/python -m benchmarks --long

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	touch $@

node_modules/.installed: package.json package-lock.json
	npm ci --silent
	touch $@

clean:
	rm -rf $(VENV) node_modules contracts/out contracts/cache .mypy_cache .ruff_cache .pytest_cache
