# `make demo` and `make test` are the whole set-up on a fresh machine: Python 3.11+, Node 20+, make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test python-test lint contracts contracts-test gas bench simulation soak differential audit-contracts coverage clean

demo: $(VENV)/.installed node_modules/.installed
	$(BIN)/ostrom demo

# The compiler of the contracts uses one core: the Python tests run beside it.
test: lint
	$(MAKE) --no-print-directory --output-sync=target -j 2 contracts-test python-test

# Four at a time on two cores: many tests wait for a chain or another process.
python-test: $(VENV)/.dev node_modules/.installed tests/foreign/node_modules/.installed
	$(BIN)/python -m pytest -n 4

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

# Slither's findings are fixed or explained in the source; it needs an older web3, so it lives apart.
audit-contracts: node_modules/.installed build/slither/bin/slither
	node scripts/contracts/audit.mjs

build/slither/bin/slither:
	$(PYTHON) -m venv build/slither
	build/slither/bin/pip install -q slither-analyzer==0.11.6

# Fails below 100 % of the contracts' lines.
coverage: node_modules/.installed
	node scripts/contracts/coverage.mjs

gas: node_modules/.installed
	npm run gas --silent

# 500 networks under faults, on the real contracts: about four minutes.
simulation: $(VENV)/.dev
	$(BIN)/python -m tests.simulation --seeds 0:500 --jobs 2

# Hours: 10,000 simulated networks; real processes killed, cut off and reorganised; every write of a
# node failing once; half an hour of rounds.
soak: $(VENV)/.dev node_modules/.installed tests/foreign/node_modules/.installed
	$(BIN)/python -m tests.soak

# 10,000 random histories of the coupled contracts, beside their reference in Python.
differential: $(VENV)/.dev
	$(BIN)/python -m tests.onchain --sequences 10000 --jobs 2

bench: $(VENV)/.dev node_modules/.installed
	$(BIN)/python -m benchmarks

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	touch $@

# Not `npm ci`: it refuses the lock where a registry lacks another system's optional binaries.
node_modules/.installed: package.json package-lock.json
	npm install --no-save --silent
	touch $@

# Other chains and other stores, which the tests run beside ours.
tests/foreign/node_modules/.installed: tests/foreign/package.json tests/foreign/package-lock.json
	npm install --prefix tests/foreign --no-save --silent
	touch $@

clean:
	rm -rf $(VENV) node_modules contracts/out contracts/cache .mypy_cache .ruff_cache .pytest_cache
