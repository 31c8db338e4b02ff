# Two commands for a new user: `make demo` and `make test`. The rest is for people who work on the project.
# Users get what the product needs (.venv); what tests, checks and builds need comes on top (make dev).
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DEV    := $(VENV)/.installed-dev
PIP    := install --quiet --disable-pip-version-check --constraint constraints.txt
PACKAGES := import sysconfig; print(sysconfig.get_path("purelib"))

# Without bytecode, which some images switch off, every process of Ray would compile the package.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install dev demo test test-extras test-fast coverage resolve lint types imports format bench docs dist faults crash-points clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 20

install: $(STAMP) ## create .venv with pinned dependencies

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "omni_ray needs Python 3.11 or later: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip $(PIP) --editable '.[speech,quality]'
	touch $(STAMP)

dev: $(DEV) ## add to .venv what tests and checks need

$(DEV): $(STAMP)
	$(BIN)/pip $(PIP) --editable '.[dev]'
	touch $(DEV)

demo: $(STAMP) ## corpora in, training files out, in about a minute
	$(BIN)/omni-ray demo --root demo

# A file at a time for each of two workers, those with slow tests first.
BESIDE := -n 2 --dist loadfile --no-loadscope-reorder

test: $(DEV) test-extras ## the whole test suite
	$(BIN)/python -m pytest $(BESIDE)

# A Ray with its dashboard starts twice as slowly, so that what needs one, and the peers that others are held against,
# stand in an environment of their own, on top of the first.
test-extras: .venv-extras/.installed ## the tests that need a cluster's head, or peers as oracles
	.venv-extras/bin/python -m pytest $(BESIDE) tests/cluster/test_submit.py tests/quality/test_oracle.py

.venv-extras/.installed: EXTRA := cluster,oracle
.venv-bench/.installed: EXTRA := bench
.venv-docs/.installed: EXTRA := docs

.venv-%/.installed: $(DEV)
	$(PYTHON) -m venv .venv-$*
	$(BIN)/python -c '$(PACKAGES)' > "$$(.venv-$*/bin/python -c '$(PACKAGES)')/base.pth"
	.venv-$*/bin/pip $(PIP) --editable '.[$(EXTRA)]'
	touch $@

test-fast: $(DEV) ## the tests not marked slow, with fewer examples each: a minute
	$(BIN)/python -m pytest $(BESIDE) -m "not slow" --hypothesis-profile=quick

coverage: $(DEV) ## lines and branches that test-fast runs through; fails below the floor in pyproject.toml
	$(BIN)/python -m pytest $(BESIDE) -m "not slow" --cov --cov-report=term:skip-covered

resolve: $(DEV) ## the pinned packages have wheels for every Python that we name (needs the package index)
	for version in 3.11 3.12 3.13; do $(BIN)/python -m pip $(PIP) --dry-run --ignore-installed --only-binary=:all: \
		--python-version $$version --target unused . && echo "Python $$version: all there" || exit 1; done

bench: .venv-bench/.installed ## ours, the peers and the limits, interleaved: make bench DATA=folder-of-corpora
	@test -n "$(DATA)" || { echo "make bench DATA=FOLDER: a folder of corpora in their native layouts; omni-ray list says which"; exit 2; }
	.venv-bench/bin/pip $(PIP) --no-deps img2dataset daft
	.venv-bench/bin/python -m benchmarks --data $(DATA) --output benchmarks/latest.json

dist: $(STAMP) ## build the wheel, install it in a fresh environment, and run the demo with it there
	rm -rf dist build
	$(BIN)/pip $(PIP) build twine
	$(BIN)/python -m build --quiet
	$(BIN)/python -m twine check --strict dist/*
	rm -rf .venv-dist && $(PYTHON) -m venv .venv-dist
	.venv-dist/bin/pip $(PIP) "$$(ls dist/*.whl)[speech,quality]"
	cd dist && ../.venv-dist/bin/omni-ray demo --root demo

docs: .venv-docs/.installed ## the documentation as a site, in site/
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/python -m mkdocs build --quiet --strict

faults: $(DEV) ## fifty seeded kills, and the table of docs/reliability.md
	nice -n 10 $(BIN)/python -m tests.faults.storms

crash-points: $(DEV) ## every command killed at every point where it changes the disk, and the table
	nice -n 10 $(BIN)/python -m tests.faults.crash_points

lint: $(DEV) ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV) ## mypy, strict
	$(BIN)/mypy

imports: $(DEV) ## import-linter: imports point one way, as docs/design.md has it
	$(BIN)/lint-imports --no-cache

format: $(DEV) ## reformat
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove the environment and the demo's output
	rm -rf $(VENV) .venv-extras .venv-bench .venv-docs .venv-dist demo site dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage build *.egg-info
