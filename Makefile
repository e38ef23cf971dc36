# opsledger: every everyday job is one word. `make` alone lists them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help

# ---- set-up -------------------------------------------------------------------------------------------------
# .venv is built from the hash-pinned locks; it is made anew when they, or pyproject.toml, change.
.venv/ready: requirements/uv.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "opsledger needs Python 3.11 or newer, this is " + sys.version.split()[0] + ". Name another with: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes requirements/dev.txt requirements/uv.txt
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q services shared opsledger
	@touch $@

.PHONY: help setup run test test-browser test-long check fix bench bench-search bench-console docs screenshots lock clean

help: ## list these jobs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/ready ## build .venv from the locks

run: .venv/ready ## start everything on this machine, inspect this host, stay up until Ctrl-C
	@$(BIN)/opsledger up

test: .venv/ready ## all tests but the long ones
	@$(BIN)/python -m pytest -m "not long" -n 2 --dist loadgroup

test-browser: .venv/ready ## the console's tests alone: stories in Chromium
	@$(BIN)/python -m pytest tests/browser -m "not long" -n 2 --dist loadgroup

test-long: .venv/ready ## the tests that take minutes: faults, clusters, sizes
	@$(BIN)/python -m pytest -m long

check: .venv/ready ## formatting, lint, types, import contracts; changes nothing
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/mypy tests benchmarks examples
	@$(BIN)/lint-imports

fix: .venv/ready ## format and mend what lint can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: .venv/ready ## measure; ends with one line of JSON
	@$(BIN)/python -m benchmarks

bench-search: .venv/ready ## measure lists of a million tasks: a quarter of an hour, 6 GB of disk
	@$(BIN)/python -m benchmarks.search

bench-console: .venv/ready ## measure pages of a million tasks, and 200 live ones: ten minutes, 3 GB of disk
	@$(BIN)/python -m benchmarks.console_live
	@$(BIN)/python -m benchmarks.console_live --own
	@$(BIN)/python -m benchmarks.console_pages

docs: .venv/ready ## write the generated documents anew
	@$(BIN)/python -m services.api asyncapi > docs/asyncapi.json

screenshots: .venv/ready ## draw docs/screenshots anew with Chromium
	@$(BIN)/python -m tests.browser.screenshots

lock: ## pin the newest versions into requirements/, with hashes and without addresses
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --upgrade pyproject.toml --extra api --extra executor --extra postgres --extra sql-postgresql --extra sql-mysql --python-version 3.11 -o requirements/run.txt
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --upgrade --group dev --extra api --extra executor --extra postgres --extra sql-postgresql --extra sql-mysql --extra embedded pyproject.toml --python-version 3.11 -o requirements/dev.txt
	@echo "uv==$$($(BIN)/uv --version | cut -d' ' -f2)" | VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 - -o requirements/uv.txt

clean: ## remove .venv and caches
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
