# Two commands on a machine with Python 3.11 and make: `make demo` and `make test`.

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do command -v $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed.stamp

# Spinning OpenMP threads slow small networks down on busy cores: see cli/main.py.
export OMP_WAIT_POLICY ?= passive
# The tests start many processes; where this is set, each of them would compile our modules anew.
unexport PYTHONDONTWRITEBYTECODE

PHOTO ?=
REFERENCE ?=
TARGET ?=

# Test workers: whole files each, or files that share a stack, in the order of tests/conftest.py. Bare `pytest` runs everything in one process.
WORKERS ?= 2
SPREAD := --numprocesses $(WORKERS) --dist loadgroup --no-loadscope-reorder

.PHONY: help demo serve test test-browser durations rehearsal chaos contract check fix clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    start everything, protect a photo over HTTP, show the scores, stop (PHOTO=me.jpg REFERENCE=...)"
	@echo "make serve   keep the service running until Ctrl-C"
	@echo "make test    the test suite            make chaos   the minutes-long process-killing tier"
	@echo "make test-browser   the page at / in a real browser: every way through it"
	@echo "make durations    the test suite, and what each file costs (docs/tests.md)"
	@echo "make rehearsal    pull, import, protect and evaluate on networks of the published sizes, and find faces without YuNet: minutes, 5 GB of disk"
	@echo "make contract    ten minutes of all kinds of requests, each answered as the OpenAPI document says"
	@echo "make check   lint, format, types, import directions        make fix   what can be fixed by itself"

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (PYTHON=...)"; exit 1; }
	@echo "Installing into $(VENV): once, a few minutes, about 5 GB because of torch"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true  # what pip does on one core; some files are of other Pythons
	@touch $@

demo: $(STAMP)
	@$(BIN)/diffam demo $(if $(PHOTO),--photo '$(PHOTO)') $(if $(REFERENCE),--reference '$(REFERENCE)') $(if $(TARGET),--target '$(TARGET)')

serve: $(STAMP)
	@$(BIN)/diffam up

test: $(STAMP)
	$(BIN)/pytest $(SPREAD)

test-browser: $(STAMP)
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get install --yes chromium; } || { echo "A Chromium is needed: apt-get install chromium, or your system's own"; exit 1; }
	$(BIN)/pytest -m browser tests/browser

durations: $(STAMP)
	$(BIN)/python -m pytest -p tests.durations $(SPREAD)

rehearsal: $(STAMP)
	$(BIN)/pytest -m slow tests/rehearsal tests/protection

chaos: $(STAMP)
	$(BIN)/pytest -m chaos

contract: $(STAMP)
	$(BIN)/pytest -s -m slow tests/contract

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
