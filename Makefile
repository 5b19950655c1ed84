# One command each; `make` alone lists them. Each sets up what it needs by itself.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
  command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
FUZZ_SEED := $(or $(SEED),$(shell date +%s))
PIP := $(BIN)/python -m pip --disable-pip-version-check

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "tikrelay needs Python 3.11 or newer; none was found (Debian: apt-get install python3 python3-venv)" >&2; exit 1; }
	@echo "-- making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "the venv module is missing or broken (Debian: apt-get install python3-venv)" >&2; exit 1; }

# The package itself is installed without looking anything up: what it needs is in the lock.
$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "-- installing what tikrelay runs on (locked, with hashes)"
	@$(PIP) install --progress-bar on --require-hashes -r requirements/runtime.txt
	@printf '#!/bin/sh\nPYTHONPATH="%s/src" exec "%s/$(BIN)/python" -m tikrelay "$$@"\n' "$(CURDIR)" "$(CURDIR)" > $(BIN)/tikrelay
	@chmod +x $(BIN)/tikrelay
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	@echo "-- installing what the checks need (locked, with hashes)"
	@$(PIP) install --progress-bar on --require-hashes -r requirements/dev.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/.runtime  ## a shop's visit through the gateway to a local TikTok (KEEP=1: it stays up)
	@PYTHONPATH=src $(BIN)/python -m tikrelay demo $(if $(KEEP),--keep)

install: $(VENV)/.runtime  ## make .venv/bin/tikrelay, to run from this folder
	@echo "-- $(BIN)/tikrelay is ready"

test: $(VENV)/.dev  ## the fast suite
	@$(BIN)/pytest $(ARGS)

lint: $(VENV)/.dev  ## style, import directions
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/lint-imports

types: $(VENV)/.dev  ## mypy --strict and pyright
	@$(BIN)/mypy && $(BIN)/mypy tests/typing && $(BIN)/basedpyright

faults: $(VENV)/.dev  ## the long fault runs: kills, power cuts, outages (SEED=1: another run; about 30 minutes)
	@SEED="$(or $(SEED),20261124)" $(BIN)/pytest -m faults -n 0 $(ARGS) tests

soak: $(VENV)/.dev  ## 200 events a second and a fault a minute: what is lost, what grows (MINUTES=30, SEED=1)
	@SEED="$(or $(SEED),20261124)" PYTHONPATH=src:tests $(BIN)/python -m faults.soak --minutes $(or $(MINUTES),30)

fuzz: $(VENV)/.dev  ## a million inputs nobody should send (N=20000 of all kinds together; SEED=7 for the same again)
	@FUZZ_TOTAL=$(or $(N),1000000) FUZZ_INPUTS=$$(( $(or $(N),1000000) / 200 )) SEED=$(FUZZ_SEED) $(BIN)/pytest --timeout 7200 \
	  --hypothesis-seed $(FUZZ_SEED) tests/fuzz tests/edge/test_fuzz.py tests/contract tests/send/test_isolate.py tests/tiktok/test_answers.py $(ARGS)

bench: $(VENV)/.dev  ## what it costs, beside what it must cost; no test asserts it
	@for file in bench/*.py; do echo "== $$file"; PYTHONPATH=src:tests $(BIN)/python $$file || exit 1; done

bench-one: $(VENV)/.dev  ## one of them (NAME=map_hit)
	@PYTHONPATH=src:tests $(BIN)/python bench/$(NAME).py

screenshots: $(VENV)/.dev  ## write the pictures of the console in docs/images anew (needs chromium)
	@PYTHONPATH=src:tests $(BIN)/python -m browser.pictures

docs: $(VENV)/.dev  ## write the generated pages and the example settings anew
	@$(BIN)/python -m tikrelay.tools.reference

sbom: $(VENV)/.runtime  ## what a release is made of, as CycloneDX JSON: dist/sbom.json
	@mkdir -p dist && PYTHONPATH=src $(BIN)/python -m tikrelay.tools.sbom > dist/sbom.json && echo "-- dist/sbom.json"

lock: $(BIN)/python  ## write requirements/*.txt anew from pyproject.toml
	@$(PIP) install --quiet uv
	@$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements/runtime.txt pyproject.toml
	@$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group dev -o requirements/dev.txt pyproject.toml

clean:  ## remove what the other commands made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis dist

.PHONY: help demo install test lint types faults soak fuzz bench bench-one screenshots docs sbom lock clean
