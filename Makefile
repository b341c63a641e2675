# Muster: everything a person or CI runs. `make` alone says what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MUSTER := $(BIN)/muster
PIP := $(BIN)/python -m pip install --disable-pip-version-check
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

.DEFAULT_GOAL := help
.PHONY: help install demo down test check lint types architecture format laws bench sim replays night chaos lock clean

help:  ## say what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed  ## make .venv with exactly what requirements.lock says

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "Muster needs Python 3.11 or newer, this is %d.%d: say which with PYTHON=..., e.g. make PYTHON=python3.12" % v[:2])'
	@echo "Making $(VENV) (once, about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --progress-bar off --require-hashes --requirement requirements.lock | awk -v all=$$(grep -c '^[a-z].*==' requirements.lock) \
	  -v person=$$(test -t 2 && echo 1 || echo 0) \
	  'person && /^Collecting/ { printf "\r  fetched %d of %d packages ", ++n, all; fflush() } person && /^Installing/ { printf "\r  installing them        "; fflush() } END { if (person) print "" }'
	@$(PIP) --quiet --no-deps --editable .
	@touch $@

demo: install  ## the guided tour on a real Kafka and a real Kubernetes API (DEMO_EXIT=1 stops it at the end)
	@$(MUSTER) demo

down: install  ## end what `make demo` left running
	@$(MUSTER) local down

test: install  ## unit, laws, contract and integration tests, on the real Kafka and the real Kubernetes API
	@$(BIN)/pytest

check: lint types architecture  ## lint + types + architecture

lint: install  ## ruff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: install  ## mypy --strict
	@$(BIN)/mypy

architecture: install  ## import-linter: the four rules, kept
	@$(BIN)/lint-imports

format: install  ## let ruff rewrite
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: install  ## heartbeats per second beside a bare consumer and a per-record Faust agent
	@$(MUSTER) bench processor

sim: install  ## simulated worlds with faults: SEEDS=10000 of them, or SEED=N alone and in words; WRITE=deploy/simulation.md
	@$(MUSTER) sim $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),10000) $(if $(WRITE),--write $(WRITE)))

replays: install  ## simulated logs, recorded and replayed: SEEDS=1000 of them, each exactly what was live
	@$(BIN)/python -m tests.sim.replayed --seeds $(or $(SEEDS),1000)

chaos: install  ## real faults on real parts, one by one: all of them, or FAULTS="broker-kill disk-full"; WRITE=deploy/chaos.md
	@$(BIN)/python -m tests.chaos $(FAULTS) $(if $(WRITE),--write $(WRITE))

night: install  ## write deploy/an-sres-night.md from what the commands in it say
	@$(BIN)/python -m tests.night

lock: install  ## bring requirements.lock up to date with pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command 'make lock' pyproject.toml --output-file requirements.lock

clean:  ## remove .venv and caches (not the built Kubernetes API)
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
