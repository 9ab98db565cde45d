# What a checkout can do. It needs Python 3.11 and make. What is missing on a Debian machine
# (a container engine, mmdebstrap) is installed for root, and named for everybody else.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help quickstart test unit faults kills real closures gpu check fix bench natives locks constraints clean

bin := .venv/bin
example := examples/webapp
inputs := pyproject.toml scripts/venv scripts/constraints.txt

# Tests run in two processes, those of a file in the same one, those with containers first.
tests := $(bin)/pytest -n 2 --dist loadfile --no-loadscope-reorder

# More options of `make test`, `make faults`, `make bench`, `make natives` and `make locks`, as in
# PYTEST="-k lock", BENCH="--runs 5", NATIVES="--target debian12", LOCKS="--kind uv" or FAULTS="--group 8".
# GPU is the wheelhouse that `make gpu` takes, and the Python for it, if it does not find one.
PYTEST ?=
BENCH ?=
NATIVES ?=
LOCKS ?=
FAULTS ?=
GPU ?= examples/cuda/dist/gpu

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

quickstart: .venv/installed ## From nothing to proven wheelhouses of the example, for two platforms
	@scripts/engine
	@scripts/images $(example)
	cd $(example) && $(CURDIR)/$(bin)/wheelhouse build
	@printf '\nBoth were installed and imported in clean containers, without network or compiler.\n'
	@printf 'They are in %s; on a Debian 12 server, copied there: sh %s --venv %s\n' \
	    $(example)/dist debian12-py311/install.sh /srv/webapp

test: .venv/developing ## All tests, with real containers
	@scripts/git
	@scripts/engine
	@scripts/images debian11 debian12 debian13
	@if scripts/emulation aarch64; then scripts/images --arch aarch64 debian12; fi
	$(tests) $(PYTEST)

unit: .venv/developing ## Only the tests that need no container and no index
	$(tests) -m 'not containers and not index' $(PYTEST)

faults: .venv/developing ## The fault suite, with its figures
	@scripts/engine
	@scripts/images debian12
	PYTHONPATH=tests $(bin)/python -m faults $(FAULTS)

kills: .venv/developing ## kill -9 at 200 random moments of builds
	@scripts/engine
	@scripts/images debian12
	PYTHONPATH=tests $(bin)/python -m faults.kills --kills 200

real: .venv/developing ## The gate on archives that people use, of which it may refuse none
	PYTHONPATH=tests:. $(bin)/python -m faults.real

closures: .venv/developing ## PyTorch and TensorFlow with all of CUDA, fetched and installed offline (7 GB); CUDA on aarch64
	@scripts/engine
	@scripts/images debian12
	@if scripts/emulation aarch64; then scripts/images --arch aarch64 debian12; fi
	WHEELHOUSE_TEST_CLOSURES=1 $(bin)/pytest -s tests/containers/test_cuda_closures.py \
	    tests/containers/test_toolkit.py tests/containers/test_aarch64.py $(PYTEST)

gpu: ## On a machine with a GPU: the wheelhouse of examples/cuda, installed and computing
	@scripts/gpu-check $(GPU)

check: .venv/developing ## Style and types
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy

fix: .venv/developing ## Format, and correct what can be corrected
	$(bin)/ruff check --fix .
	$(bin)/ruff format .

bench: .venv/installed ## Compare with pip and auditwheel, side by side
	@scripts/engine
	@scripts/images $(example)
	$(bin)/python -m bench $(BENCH)

natives: .venv/installed ## Build lists of native packages, and count those that are proven
	@scripts/engine
	@scripts/images debian11 debian12 debian13
	@scripts/images portable --python 3.11
	$(bin)/python -m bench.natives $(NATIVES)

locks: .venv/installed ## Compare what is read of other tools' locks with what those install
	@scripts/engine
	@scripts/images debian13
	$(bin)/python -m bench.locks $(LOCKS)

constraints: .venv/installed ## Choose the newest versions of what .venv holds
	$(bin)/uv pip compile --quiet --no-config --universal --upgrade --no-header --no-annotate \
	    --group dev pyproject.toml --output-file scripts/constraints.txt

clean: ## Remove .venv, caches and the example's output; images and the store stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build dist examples/*/dist
	find src tests bench examples -name __pycache__ -prune -exec rm -rf {} +

.venv/installed: $(inputs)
	@scripts/venv

.venv/developing: $(inputs)
	@scripts/venv dev
