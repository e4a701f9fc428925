# Two commands matter: `make demo` runs the product, `make test` tests it.
# Everything a person reads goes to standard error; standard output is the program's alone.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
# Tests wait for processes, clocks and browsers more than they compute.
JOBS   ?= 3

# The exact profile: llama.cpp for x86-64-v3, without run-time dispatch and without what is not used.
# Recorded at installation and checked at each start.
export CMAKE_ARGS := -DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF \
    -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_TESTS=OFF

.DEFAULT_GOAL := help
.PHONY: help demo test check install install-dev format clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: install ## install what is needed and talk to a twin (ARGS='…' is passed on)
	@$(BIN)/twinproof demo $(ARGS)

test: install-dev ## install what the tests need and run them all
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal $(ARGS)

check: install-dev ## format, lint, imports, types, spelling
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/check

format: install-dev ## rewrite the Python files in the house format
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

install: $(VENV)/.installed ## make .venv and install the locked packages into it

install-dev: $(VENV)/.installed-dev ## the same with the tools of development

$(VENV)/bin/python:
	@scripts/make_venv "$(PYTHON)" "$(VENV)" >&2

$(VENV)/.installed: requirements.lock requirements-engine.lock scripts/install_engine.py | $(VENV)/bin/python
	@scripts/install "$(VENV)" requirements.lock >&2
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock requirements-engine.lock scripts/install_engine.py | $(VENV)/bin/python
	@scripts/install "$(VENV)" requirements-dev.lock >&2
	@touch $@ $(VENV)/.installed

clean: ## remove what was built; your data folder stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: bench-engine
bench-engine: install-dev ## measure the engine beside llama-server (ARGS='--only steady,burst'); long
	@$(BIN)/python bench/engine.py $(ARGS)

.PHONY: coverage
coverage: install-dev ## run the tests under coverage and report what they miss
	@$(BIN)/coverage run -m pytest $(ARGS)
	@$(BIN)/coverage combine --quiet && $(BIN)/coverage report
