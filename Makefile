# Front doors: `make demo` and `make test` need Python 3.11+, git and make, and set up the rest.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help demo test slow lint types bench clean

help:
	@echo "make demo   generate, store and analyse an ensemble; pictures go to demo-output/"
	@echo "make test   run the test suite"
	@echo "make slow   run the system tests that take minutes"
	@echo "make lint   ruff and mypy"
	@echo "make bench  every benchmark that needs no other program"
	@echo "make clean  remove what the others made"

# Reinstalled when the dependencies change, so that a second call is quick.
$(VENV)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mksdask needs Python 3.11 or later; name one with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[plot,formats,fftw,cluster,notebooks,dev]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[sfepy]' \
	  > $(VENV)/sfepy.log 2>&1 || \
	  echo "sfepy could not be built (it needs a C compiler; see $(VENV)/sfepy.log): its tests are skipped"
	@touch $@

demo: $(VENV)/ready
	$(BIN)/mksdask demo --out demo-output --overwrite

# Two tests at a time: more threads of the linear algebra than cores would slow them down.
test slow: export OMP_NUM_THREADS = 1

test: $(VENV)/ready
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

# What watches memory or shares a Slurm runs alone.
slow: $(VENV)/ready
	$(BIN)/python -m pytest -m slow -n 2 tests/test_notebooks.py tests/linkage
	$(BIN)/python -m pytest -m slow --ignore tests/test_notebooks.py --ignore tests/linkage

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/ready
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) demo-output build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
