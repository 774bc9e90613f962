.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TEST_ARGS ?=

help: ## show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

# Two stamps: running needs little, testing needs more. Both are made anew when a lock file changes.
$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python cannot make virtual environments here; on Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/.run: requirements.lock pyproject.toml | $(VENV)/bin/pip
	@echo "Installing what the server needs into $(VENV) …"
	@$(BIN)/pip install -q --disable-pip-version-check -r requirements.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@echo "Installing what the tests need into $(VENV) …"
	@$(BIN)/pip install -q --disable-pip-version-check -r requirements-dev.lock
	@touch $@

run: $(VENV)/.run ## start the server on 127.0.0.1:8000 with demo accounts, and simulated providers beside it
	@exec $(BIN)/kloudless demo

test: $(VENV)/.dev ## set up and run the whole test suite, with coverage
	@$(BIN)/python -m tests.run $(TEST_ARGS)

soak: $(VENV)/.dev ## the long forms: crashes by the hundred, all faults of providers, 100,000 objects, a crowd, whatever can be made up; see tests/README.md
	@SOAK_RUNS=$${SOAK_RUNS:-400} FAULTS=$${FAULTS:-all} S3_OBJECTS_COUNT=$${S3_OBJECTS_COUNT:-100000} \
		CROWD_CLIENTS=$${CROWD_CLIENTS:-1000} CROWD_SECONDS=$${CROWD_SECONDS:-60} \
		$(BIN)/python -m tests.run -n 2 -q $${SOAK_TESTS:-tests/journeys/test_transfer_crash.py tests/connectors/faulty tests/connectors/s3/test_paging.py tests/journeys/test_crowd.py}
	@FUZZ_FACTOR=$${FUZZ_FACTOR:-20} FUZZ_SEED=$${FUZZ_SEED:-$$(date +%s)} $(BIN)/python -m tests.run \
		tests/app tests/connectors tests/journeys/test_model.py -k "generated or model or foreign" --timeout 14400 -n 2 -q
	@FAULT_SEEDS=$${FAULT_SEEDS:-50} $(BIN)/python -m tests.run tests/connectors/behavior -k seed -n 2 -q

check: $(VENV)/.dev ## everything but the tests: format, lint, types, import contracts, migrations, docs, image
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m tests.check
	$(BIN)/hadolint Dockerfile
	POSTGRES_PASSWORD=x $(BIN)/docker-compose -f docker-compose.yml -f deploy/two-servers.yml config --quiet

fix: $(VENV)/.dev ## format, apply safe fixes, rewrite generated documentation
	$(BIN)/python -m tests.check --write
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

audit: $(VENV)/.dev ## known faults of the packages we run on, where the public databases can be reached
	@$(BIN)/python -m tests.audit

bench: $(VENV)/.dev ## measured ratios against named references (installs nginx if it is missing)
	$(BIN)/python -m tests.benchmarks

lock: $(VENV)/.dev ## resolve the lock files anew
	$(BIN)/pip-compile -q --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o requirements.lock pyproject.toml
	$(BIN)/pip-compile -q --strip-extras --extra dev --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -c requirements.lock -o requirements-dev.lock pyproject.toml

clean: ## remove the environment and caches (never data/)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .coverage*

.PHONY: help run test soak check fix audit bench lock clean
