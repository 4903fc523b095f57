# Two commands matter: `make demo` and `make test`. Both set up .venv first, if it is not there.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# A file of wheels with their SHA-256, as .ci/wheels.txt; others are then not installed.
WHEELS ?=

.PHONY: demo test test-fast install check docs clean

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed; say make PYTHON=...')"
	$(PYTHON) -m venv .venv
	@echo "installing packages into .venv: 2 to 3 minutes and 6 GB, mostly PyTorch"
ifneq ($(WHEELS),)
	$(PIP) --require-hashes --no-deps --requirement $(WHEELS)
	$(PIP) --no-deps --no-build-isolation --editable .
else
	$(PIP) --constraint constraints.txt --editable ".[dev]"
endif
	touch $@

demo: install
	$(BIN)/rc demo

# Two processes, each with whole files: what the tests of a file share is made once.
test: install
	$(BIN)/pytest -n 2 --dist loadfile

# About 60 seconds of one core: something of every package, without what is marked slow.
test-fast: install
	$(BIN)/pytest -m "not slow"

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/rc tables | diff docs/tables.md -
	$(BIN)/rc commands | diff docs/commands.md -

docs: install
	$(BIN)/rc tables > docs/tables.md
	$(BIN)/rc commands > docs/commands.md

clean:
	rm -rf .venv demo store
