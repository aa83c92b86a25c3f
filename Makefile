# Everything a newcomer needs. `make run` and `make test` set up what they need on the first call.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help setup run test test-fast lint guard benchmark lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## create .venv with the pinned dependencies (once)

# The stamp is newer than both inputs exactly when the environment matches them.
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"setup: Python 3.11 or newer is needed, {sys.executable} is {v.major}.{v.minor}; try: make setup PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV) || { echo "setup: the venv module failed; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "setup: installing the pinned dependencies into $(VENV) (about a minute, once)" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[harness,postgres,prometheus,dev]'
	@touch $@

run: setup ## the main job: fifty agents, one deployment master, one verdict (ARGS='...' is handed to harness run)
	@$(BIN)/harness run $(ARGS)

test: setup ## every test, the slow simulations too
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

test-fast: setup ## the tests without those marked slow
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -m 'not slow' $(ARGS)

lint: setup ## ruff and mypy --strict
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

guard: setup ## our own hot paths against their limits, as ratios (half a minute)
	@$(BIN)/python -m pytest benchmarks/guards -q $(ARGS)

# 4 from the trend: too few runs yet to judge any series. It has been drawn, and the gates come after it.
benchmark: setup ## performance targets and indexes on SQLite and PostgreSQL, into the history, drawn and judged (about three minutes)
	@mkdir -p runs
	@INDEX_BENCHMARK_SIZES=1000,100000,1000000 $(BIN)/python -m pytest benchmarks/performance benchmarks/indexes \
	  --benchmark-json=runs/benchmarks.json $(ARGS)
	@$(BIN)/harness history add runs/benchmarks.json
	@$(BIN)/harness trend --out runs/trend || test $$? -eq 4
	@$(BIN)/harness gate --benchmark-json runs/benchmarks.json --gates benchmarks/gates.toml

lock: ## renew constraints.txt from pyproject.toml in a scratch environment
	@rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check '.[harness,postgres,prometheus,dev]'
	@{ echo "# Every package of the environment that 'make setup' builds; renewed by 'make lock'."; \
	   $(VENV)-lock/bin/python -m pip freeze --exclude pollgauge; } > constraints.txt.new
	@mv constraints.txt.new constraints.txt && rm -rf $(VENV)-lock

clean: ## remove the environment and caches (never your runs)
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
