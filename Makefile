# hjemmevakt: what you can do here. `make help` lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# The same with a line for each package, and one for what goes wrong.
install = echo "installing $(1) …"; \
    $(BIN)/python -m pip install --disable-pip-version-check --no-color --progress-bar off --retries 1 --timeout 20 $(1) 2>.venv/pip.log \
    | sed -un 's/^Collecting \([^ ;]*\).*/  \1/p; s/^Installing collected packages.*/  unpacking …/p' || \
    { if grep -q "cancelled by user" .venv/pip.log; then exit 130; fi; \
    echo "the packages could not be installed; is there a network? $$(grep -m1 ERROR .venv/pip.log || tail -n1 .venv/pip.log) (all of it: .venv/pip.log)" >&2; rm -f .venv/.installing; exit 2; }
WORKERS ?= 4
TESTS ?=
FUZZ ?= 1000000
MESSAGES ?= 600000
BENCH ?=
ROWS ?= 20000000
TIMES ?= 100
SEED ?= 7
REF ?=
# Each of the hundred processes that the suite starts would compile all of it anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help venv check test fuzz bench bench-store torture previous format demo demo-reset contracts docs schema lock clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

venv: .venv/.installed ## the environment in .venv, with the exact versions of requirements.txt

check: .venv/.installed-dev ## style, types, and which folder may import which
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

test: .venv/.installed-dev ## everything, on real servers (TESTS=tests/devices for a part of it)
	tests/setup.sh
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal $(TESTS)

fuzz: .venv/.installed-dev ## a million pieces of junk for the decoders and for redaction (FUZZ=10000000 for more)
	FUZZ=$(FUZZ) $(BIN)/python -m pytest -q -n $(WORKERS) --timeout 0 -k junk tests/devices

bench: .venv/.installed-dev ## what it takes, how fast an alarm is through, beside peers; minutes (MESSAGES=200000, BENCH="--only drain")
	$(BIN)/python -m tests.bench --messages $(MESSAGES) $(BENCH)

bench-store: .venv/.installed-dev ## how long it takes what people ask of months of data; many minutes (ROWS=1000000 for less)
	$(BIN)/python -m tests.bench.store --rows $(ROWS)

torture: .venv/.installed-dev ## everything is killed, frozen and cut off under load: is anything lost? (TIMES=1000 SEED=8 for another)
	$(BIN)/python -m tests.torture --times $(TIMES) --seed $(SEED)

previous: .venv/.installed-dev ## does the release before this one run on the schema of this one? (REF=v0.1.0 for another)
	$(BIN)/python -m tests.previous $(REF)

format: .venv/.installed-dev ## put the code into shape
	$(BIN)/ruff check --fix-only --exit-zero
	$(BIN)/ruff format

demo: .venv/.installed ## a whole municipality on this machine; Ctrl-C ends it (DEMO="--port 9000" for its options)
	@$(BIN)/python -c 'import gateway, typer' 2>/dev/null || { echo "the environment in .venv is broken; mend it with: make clean demo" >&2; exit 2; }
	@exec $(BIN)/python -m gateway.cli demo $(DEMO)

demo-reset: ## forget what the demo has stored
	rm -rf var/demo

contracts: .venv/.installed ## write down what others build on: AsyncAPI, JSON Schema, OpenAPI (docs/contracts)
	$(BIN)/hjemmevakt contracts --folder docs/contracts

docs: .venv/.installed-dev ## the documentation as pages (build/docs); a warning is an error
	$(BIN)/python -m sphinx -q -W --keep-going -E -c docs -d build/doctrees . build/docs

schema: .venv/.installed ## write down the schema that the migrations make (gateway/store/schema.txt)
	$(BIN)/python -m gateway.store.snapshot

lock: .venv/.installed-dev ## new exact versions from pyproject.toml into the lock files
	$(BIN)/pip-compile $(COMPILE) --upgrade -o requirements.txt pyproject.toml
	$(BIN)/pip-compile $(COMPILE) --upgrade --extra dev -c requirements.txt -o requirements-dev.txt pyproject.toml
	sed -i '1i # Exact versions of what runs (with the servers of the extra "embedded"). Made by: make lock' requirements.txt
	sed -i '1i # Exact versions of everything, tools and tests included. Made by: make lock' requirements-dev.txt

clean: ## remove what was built; keeps var/
	rm -rf .venv build dist *.egg-info tests/output tests/support/*/node_modules tests/bench/nodered/node_modules
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find devices alerts gateway simulators tests -name __pycache__ -type d -prune -exec rm -rf {} +

COMPILE := --quiet --no-header --strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links --extra embedded

# ----------------------------------------------------------------------------------------------------------------------

# An environment that was begun and not finished is begun afresh; .making and .installing tell of one.
.venv/.made:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found; install Python 3.11 or newer, or: make PYTHON=/path/to/python" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "$$($(PYTHON) -V) is too old: hjemmevakt needs 3.11 or newer (make PYTHON=python3.12)" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	    { echo "Python's venv module is missing (Debian: apt-get install python3-venv)" >&2; exit 2; }
	@{ mkdir -p .venv && touch .venv/.writable; } 2>/dev/null || \
	    { echo "$(CURDIR) cannot be written to; copy the folder to where you may write" >&2; exit 2; }
	@[ -e .venv/.installed ] && $(BIN)/python -m pip --version >/dev/null 2>&1 || \
	    { echo "making the environment in .venv …"; $(PYTHON) -m venv --clear .venv >.venv.log 2>&1 || \
	    { echo "the environment could not be made: $$(tail -n 1 .venv.log)" >&2; exit 2; }; rm -f .venv.log; }
	@touch $@

# The stamps say which lock file is installed; the development one holds all of the other.
.venv/.installed: requirements.txt pyproject.toml | .venv/.made
	@[ ! -e .venv/.installing ] || { echo "the last installation was interrupted: once more from the start"; $(PYTHON) -m venv --clear .venv; touch .venv/.made; }
	@touch .venv/.installing
	@[ .venv/.installed-dev -nt requirements.txt ] || { $(call install,-r requirements.txt); }
	@$(call install,--no-deps -e .)
	@rm .venv/.installing
	@touch $@

.venv/.installed-dev: requirements-dev.txt .venv/.installed
	$(PIP) -r requirements-dev.txt
	@touch $@
