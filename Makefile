# sulh: `make demo` shows the whole product, `make test` runs every check that this machine can run.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_HOME ?= demo-data
DEMO_PORT ?= 18700
AIRFLOW_FOLDER ?= airflow-home

.DEFAULT_GOAL := help
.PHONY: help demo airflow test lint evaluate learn bench lock compose-env clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "sulh needs Python 3.11 or later; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.stamp-run: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.stamp-dev: requirements-dev.lock $(VENV)/.stamp-run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.lock
	@touch $@

$(VENV)/.stamp-airflow: requirements-airflow.lock $(VENV)/.stamp-run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-airflow.lock
	@touch $@

demo: $(VENV)/.stamp-run  ## set up, then the whole product on five sample outlets, end to end
	$(BIN)/sulh demo --home $(DEMO_HOME) --port $(DEMO_PORT)

airflow: $(VENV)/.stamp-airflow  ## Airflow on this machine, over the local store and settings; Ctrl-C ends it
	$(BIN)/python -m sulh.airflow_home $(AIRFLOW_FOLDER)

test: lint  ## set up, then every check and test that this machine can run
	@$(MAKE) --no-print-directory $(VENV)/.stamp-airflow || \
		echo "Airflow cannot be installed beside this Python: its tests are skipped, and say so."
	$(BIN)/python -m pytest

lint: $(VENV)/.stamp-dev  ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

evaluate: $(VENV)/.stamp-run  ## what sulh judges against the labelled items, per language and task; fails below the floors
	$(BIN)/sulh evaluate tests/quality/items/*.yml --floors tests/quality/floors.yml
	@echo
	@echo "kept apart, figures alone:"
	$(BIN)/sulh evaluate tests/quality/held/*.yml --figures-only --floors tests/quality/floors-held.yml

learn: $(VENV)/.stamp-dev  ## the weights of processors/examples, after a change of its sentences or of the cues
	$(BIN)/python -m processors.annotate.learn

bench: $(VENV)/.stamp-dev  ## the benchmarks, as ratios measured side by side
	$(BIN)/python -m benchmarks

lock: $(VENV)/.stamp-dev  ## pin the dependencies anew within their ranges
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--upgrade pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--upgrade --extra dev --constraint requirements.lock pyproject.toml --output-file requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--upgrade --extra airflow --constraint requirements.lock --constraint requirements-dev.lock pyproject.toml \
		--output-file requirements-airflow.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--upgrade --extra team --constraint requirements-airflow.lock pyproject.toml --output-file requirements-team.lock

compose-env:  ## write .env with fresh secrets for docker-compose.yml; an existing one stays
	@$(PYTHON) -m sulh.compose

clean:  ## remove the environment and what the tools leave behind
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info build
