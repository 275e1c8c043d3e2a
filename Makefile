# The one door. Every target sets up what it needs first; the second call takes seconds.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
BIN := .venv/bin

.PHONY: help setup demo test interop chaos bench lint docs

help: ## what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## what is missing for all of the below, and nothing else
	@scripts/setup test

demo: ## one job for every file of the standard library, a worker killed in the middle
	@scripts/setup demo
	@$(BIN)/treadle demo

test: ## every default test; ARGS="-k lease -x" narrows
	@scripts/setup test
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

interop: ## those of the tests that have a foreign program on the other side; five minutes at most, of which one waits for a cron minute and one scans notices
	@scripts/setup test
	@$(BIN)/python -m pytest tests/interop -m "chaos or not chaos" -n 2 --dist loadfile --session-timeout 300 $(ARGS)

chaos: ## what the default tests do to processes and stores, longer and more often
	@scripts/setup test
	@$(BIN)/python -m pytest tests -m chaos $(ARGS)

bench: ## enqueue, drain, idle, imports, and treadle beside its peers on PostgreSQL, on this machine
	@scripts/setup test
	@$(BIN)/python -m benchmarks

docs: ## the pages as a site, in build/site
	@scripts/setup docs
	$(BIN)/mkdocs build --strict

lint: ## style, format, types, and who may import whom
	@scripts/setup lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
