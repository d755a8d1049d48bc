# Two commands are enough: `make demo` and `make test`. They need Python >= 3.11, make and git, and
# make what else they need: .venv, with the pinned and hashed packages of requirements/*.txt.
# Written for GNU make 3.81 and a POSIX shell, so that it also runs where both are old.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet

# Empty files that say "this was done"; changed requirements are newer and make it be done again.
STAMP_VENV := $(VENV)/.made.stamp
STAMP_RUNTIME := $(VENV)/.runtime.stamp
STAMP_DEVELOP := $(VENV)/.develop.stamp
STAMP_RELEASE := $(VENV)/.release.stamp

# Scripts in a virtual environment carry its absolute path. One that was moved, copied, interrupted
# while being made, or whose Python is gone is none: its stamps go, and it is made anew.
VENV_IS_SOUND := test -x $(BIN)/python && grep -qsF "$$(pwd -P)/$(BIN)/" $(BIN)/pip
$(shell { $(VENV_IS_SOUND); } || rm -f $(STAMP_VENV) $(STAMP_RUNTIME) $(STAMP_DEVELOP) $(STAMP_RELEASE))

# Further arguments for the command behind a target: make demo ARGS="--speed 120 --for 60s"
ARGS ?=
# The interpreter for a new .venv; without it requirements/choose-python looks for the newest.
export PYTHON

.PHONY: help
help: ## Show this list
	@echo 'usage: make TARGET [ARGS="…"] [PYTHON=/path/to/python3]'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-24s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo 'ARGS goes to the command behind a target; PYTHON makes a new .venv (after make clean).'

.PHONY: demo
demo: $(STAMP_RUNTIME) ## Watch the daemon scale three emulated deployments (stop with Ctrl-C)
	@$(BIN)/trimtab demo $(ARGS)

.PHONY: test
test: $(STAMP_DEVELOP) ## Run the tests, on every core; warnings are errors
	@$(BIN)/python -m pytest -m "not slow" --numprocesses auto $(ARGS)

.PHONY: test-slow
test-slow: $(STAMP_DEVELOP) ## Run the tests that take some ten seconds or more each: kills, mutants, long days, millions
	@$(BIN)/python -m pytest -m slow --numprocesses auto $(ARGS)

.PHONY: test-surfaces
test-surfaces: $(STAMP_DEVELOP) ## Drive the live page in a browser, the API by its description, the docs as a reader
	@$(BIN)/python -m pytest tests/ui tests/contract/api tests/documentation --surfaces --numprocesses auto $(ARGS)

.PHONY: test-packaging
test-packaging: $(STAMP_DEVELOP) $(STAMP_RELEASE) ## Build, install and run what is shipped: release, upgrade, compose, image
	@$(BIN)/python -m pytest tests/packaging/slow --packaging $(ARGS)

# A Debian root made before by debootstrap, with python3-venv; without it one is made, in a minute or two.
BASE ?=

.PHONY: image-check
image-check: $(STAMP_DEVELOP) ## Carry out the Dockerfile on a fresh Debian (as root; BASE=DIR), run what comes out
	@IMAGE_BASE="$(BASE)" $(BIN)/python -m pytest tests/packaging/slow/test_image.py --packaging $(ARGS)

# How many worlds to simulate, and from which seed on. A failure prints its seed and how to repeat it.
RUNS ?= 200
SEED ?= 1

.PHONY: simulate-faults
simulate-faults: $(STAMP_DEVELOP) ## Let RUNS whole worlds break on virtual time, from SEED on, on every core
	@$(BIN)/python -m tests.simulation.runner --seeds $(SEED)-$$(($(SEED) + $(RUNS) - 1)) $(ARGS)

.PHONY: simulate-members
simulate-members: $(STAMP_DEVELOP) ## Let RUNS worlds of daemons that share a fleet break on virtual time, from SEED on, on every core
	@$(BIN)/python -m tests.simulation.runner --members --seeds $(SEED)-$$(($(SEED) + $(RUNS) - 1)) $(ARGS)

.PHONY: simulate-faults-mutants
simulate-faults-mutants: $(STAMP_DEVELOP) ## Hunt every deliberately broken daemon in simulated worlds
	@$(BIN)/python -m tests.simulation.mutants $(ARGS)

.PHONY: check
check: $(STAMP_DEVELOP) ## Lint, format, types, layers, dependencies, known vulnerabilities: nothing is changed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry --no-ansi daemon
	$(BIN)/python requirements/audit.py

.PHONY: format
format: $(STAMP_DEVELOP) ## Rewrite the sources in the project's format, with safe lint fixes
	$(BIN)/ruff check --fix --exit-zero
	$(BIN)/ruff format

.PHONY: bench
bench: $(STAMP_DEVELOP) ## Measure what has a budget: one table, one file in build/bench (ARGS="--only NAME")
	@$(BIN)/python -m tests.bench $(ARGS)

# Where recorded loads lie (CSV, plain or gzip); without it made-up loads are compared.
TRACES ?=

.PHONY: compare
compare: $(STAMP_RUNTIME) ## Run every peer on every load of TRACES=DIR; write docs/comparison.md
	@$(BIN)/trimtab compare $(if $(TRACES),--traces "$(TRACES)") --page docs/comparison.md $(ARGS)

DAYS ?= 30
DEPLOYMENTS ?= 1000
MINUTES ?= 120

.PHONY: soak
soak: $(STAMP_DEVELOP) ## Let DEPLOYMENTS live DAYS of virtual time; fail if anything grows or is lost
	@$(BIN)/python -m tests.soak --days $(DAYS) --deployments $(DEPLOYMENTS) $(ARGS)

.PHONY: members
members: $(STAMP_DEVELOP) ## Kill, stop and cut off daemons that share a fleet, for MINUTES; fail if a stranger writes
	@$(BIN)/python -m tests.acceptance.members --minutes $(MINUTES) $(ARGS)

.PHONY: soak-live
soak-live: $(STAMP_DEVELOP) ## The same over HTTP, for MINUTES of real time
	@$(BIN)/python -m tests.soak.live --minutes $(MINUTES) --deployments $(DEPLOYMENTS) $(ARGS)

TIMES ?= 200

.PHONY: kill-loop
kill-loop: $(STAMP_DEVELOP) ## Kill the daemon TIMES=200 times and look for writes lost or doubled
	@$(BIN)/python tests/integration/kill_loop.py --times $(TIMES) $(ARGS)

.PHONY: fuzz
fuzz: $(STAMP_DEVELOP) ## Feed millions of inputs to every parser; by coverage where atheris installs
	@$(PIP) install --require-hashes --requirement requirements/fuzz.txt
	@$(BIN)/python tests/fuzz/run_fuzz.py $(ARGS)

.PHONY: docs
docs: $(STAMP_DEVELOP) ## Write what is generated anew: docs/reference, rules, dashboards
	$(BIN)/python docs/generate.py
	$(BIN)/python deploy/monitoring/generate.py

.PHONY: screenshots
screenshots: $(STAMP_DEVELOP) ## Take the pictures of docs/live-page.md anew (needs Debian's chromium)
	@$(BIN)/python -m tests.ui.screenshots

.PHONY: run
run: $(STAMP_RUNTIME) ## Run the daemon; it takes its settings from TRIMTAB_… variables
	@$(BIN)/trimtab run $(ARGS)

.PHONY: emulate
emulate: $(STAMP_RUNTIME) ## Serve the emulated control plane, on 127.0.0.1:8600 by default
	@$(BIN)/trimtab emulate $(ARGS)

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header

.PHONY: lock
lock: $(STAMP_VENV) ## Pin the dependencies again (ARGS=--upgrade takes newer versions)
	$(PIP) install --require-hashes --requirement requirements/lock.txt
	$(LOCK) $(ARGS) requirements/lock.in --output-file requirements/lock.txt
	$(LOCK) $(ARGS) pyproject.toml requirements/build.in --output-file requirements/runtime.txt
	$(LOCK) $(ARGS) pyproject.toml requirements/build.in --extra expressions --extra kubernetes --extra postgresql \
		--constraint requirements/runtime.txt --output-file requirements/image.txt
	$(LOCK) $(ARGS) pyproject.toml requirements/build.in --group test --group check \
		--constraint requirements/runtime.txt --output-file requirements/develop.txt
	$(LOCK) $(ARGS) --group fuzz --output-file requirements/fuzz.txt
	$(LOCK) $(ARGS) --group release requirements/build.in --constraint requirements/develop.txt \
		--output-file requirements/release.txt

.PHONY: release
release: $(STAMP_RELEASE) ## Build wheel, sdist, lists of packages and checksums of HEAD into dist/, the same bytes each time
	@$(BIN)/python deploy/release.py $(ARGS)

.PHONY: clean
clean: ## Remove .venv and whatever the tools left behind
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find daemon tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP_VENV):
	@{ $(VENV_IS_SOUND) && PYTHON=$(BIN)/python sh requirements/choose-python >/dev/null 2>&1; } || { \
		python=$$(sh requirements/choose-python) || exit; \
		echo "Making $(VENV) with $$("$$python" --version) ($$python)"; \
		"$$python" -m venv --clear $(VENV); }
	@touch $@

# The project itself is installed after its dependencies and without asking any index for more.
define install
	@echo "Installing the packages pinned in $< (the first time takes a minute or two)"
	@$(PIP) install --require-hashes --requirement $<
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
endef

$(STAMP_RUNTIME): requirements/runtime.txt pyproject.toml $(STAMP_VENV)
	$(install)

$(STAMP_DEVELOP): requirements/develop.txt pyproject.toml $(STAMP_VENV)
	$(install)

$(STAMP_RELEASE): requirements/release.txt $(STAMP_VENV)
	@echo "Installing the packages pinned in $<"
	@$(PIP) install --require-hashes --requirement $<
	@touch $@
