# `make` alone lists what there is to make.
.DEFAULT_GOAL := help
.PHONY: help setup lab run test kill-rounds check bench lock clean

PYTHON := .venv/bin/python

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## .venv, what is missing from the system (told first), a Docker Engine in your cache
	@scripts/setup

lab: setup ## open the workbook in JupyterLab
	.venv/bin/dnetkit lab

run: setup ## execute all chapters and judge them; ARGS='01-veth -j 2' are its arguments
	.venv/bin/dnetkit run $(ARGS)

test: setup ## all tests; as root also as an ordinary user; ARGS go to pytest
	scripts/test $(ARGS)

check: setup ## format, lint, types, layers, clean notebooks
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy --strict
	.venv/bin/lint-imports
	$(PYTHON) scripts/check_notebooks.py notebooks

kill-rounds: setup ## hurt a random part of a lab at a random moment, 100 times; `make test` does some of them
	DNETKIT_LIVE=1 DNETKIT_ROUNDS=$${ROUNDS:-100} $(PYTHON) -m pytest tests/test_kill_rounds.py -s $(ARGS)

bench: setup ## how long a learner waits, beside plain tools; ARGS='--only cell' are its arguments
	$(PYTHON) scripts/bench.py $(ARGS)

lock: setup ## pin what the project depends on anew, after a change to it in pyproject.toml; ARGS=--upgrade takes newer versions
	.venv/bin/uv pip compile pyproject.toml --extra dev --universal --python-version 3.10 --generate-hashes \
		--no-header --no-annotate --quiet $(ARGS) -o requirements.lock
	.venv/bin/uv pip compile pyproject.toml --python-version 3.12 --python-platform linux --constraint requirements.lock \
		--no-header --no-annotate --quiet -o binder/requirements.txt

clean: ## remove .venv and all that was made in this folder (your cache of engines and images stays)
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find dnetkit tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
