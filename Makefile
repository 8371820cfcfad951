# Every target sets up what it needs: a virtual environment in .venv with the locked dependencies.
# `make demo` is for people, `make test` for everybody; CONTRIBUTING.md says when to run the others.

PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
RUN := $(BIN)/python manage.py

.PHONY: demo test lint types format bench docs agent agent-deb clean lock

.venv/ready: requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

# Foreground; Ctrl-C ends everything it started.
demo: .venv/ready agent
	@HTTPS=false PORT=$(PORT) $(BIN)/python manage.py demo

test: .venv/ready
	$(BIN)/python -m pytest $(ARGS)
	@$(BIN)/python tests/interpreters.py

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy .
	@$(BIN)/python manage.py docs --check

types: .venv/ready
	$(BIN)/mypy .

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/ready
	@for script in $$(grep -l __main__ bench/*.py); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# What is generated from the code: docs/metrics.md, docs/settings.md, docs/errors.md.
docs: .venv/ready
	$(RUN) docs

agent: .venv/ready
	@$(BIN)/python -m agent.build

agent-deb: .venv/ready
	@$(BIN)/python -m deploy.debian

# After a change of the dependencies in pyproject.toml.
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links
lock: .venv/ready
	$(LOCK) --python-version 3.11 pyproject.toml -o requirements.lock
	$(LOCK) --python-version 3.11 pyproject.toml --group dev -o requirements-dev.lock
	$(LOCK) --python-version 3.9 tests/agent/requirements.in -o tests/agent/requirements.lock

# The virtual environment and what was built; .data (the demo's database) stays unless DATA=1.
clean:
	rm -rf .venv dist staticfiles .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	$(if $(DATA),rm -rf .data)
