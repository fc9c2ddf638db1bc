# make install | demo | check | test | slow | lava-test | sanafe-test | doors-test | format | clean
# PYTHON=/path/to/python3.11 chooses the interpreter; PIP_ARGS goes to pip, for example
# PIP_ARGS="--extra-index-url URL" for a CPU build of torch.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP_ARGS ?=
DEMO := build/gac-digits.snnp
SANAFE_VERSION := 2.2.9
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/snndeploy
DOORS := $(CACHE)/doors-$(shell cksum tests/doors/requirements.txt pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
SANAFE := $(CACHE)/sanafe-$(SANAFE_VERSION)

.PHONY: install demo check test slow lava-test sanafe-test doors-test format clean
.DELETE_ON_ERROR:

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@set -e; \
	if [ ! -x $(BIN)/python ]; then \
	    found=; \
	    for python in $(or $(PYTHON),python3.11 python3.12 python3.13 python3); do \
	        if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	            found=$$python; break; \
	        fi; \
	    done; \
	    if [ -z "$$found" ]; then \
	        echo "snndeploy needs Python 3.11 or newer$(if $(PYTHON),; $(PYTHON) is not): make install PYTHON=/path/to/python3.11" >&2; \
	        exit 1; \
	    fi; \
	    "$$found" -m venv $(VENV); \
	fi
	@echo "installing into $(VENV): minutes the first time, since torch is large"
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[dev]'
	@touch $@

demo: install
	@mkdir -p build
	$(BIN)/snndeploy compile gac-digits --target loihi2 -o $(DEMO)
	$(BIN)/snndeploy simulate $(DEMO) --data models/data/mnist_test.npz --samples 300 -o build/report

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: install
	$(BIN)/python -m pytest -n 2

slow: install
	$(BIN)/python -m pytest -n 2 -m "slow and not doors and not published"

# Needs a Python 3.10; makes Lava's environment on the first run.
lava-test: install
	$(BIN)/snndeploy lava setup
	$(BIN)/python -m pytest -m "(lava or recordings) and not slow"

# SANA-FE (GPL-3) stays in an environment of its own, beside Lava's in the user's cache folder;
# it is made by the first run, and again where an earlier one was interrupted.
sanafe-test: install
	@set -e; \
	if [ ! -e "$(SANAFE)/finished" ]; then \
	    rm -rf "$(SANAFE)"; \
	    $(BIN)/python -m venv "$(SANAFE)"; \
	    "$(SANAFE)/bin/python" -m pip install --quiet --only-binary :all: $(PIP_ARGS) \
	        sanafe==$(SANAFE_VERSION); \
	    touch "$(SANAFE)/finished"; \
	fi
	SNNDEPLOY_SANAFE_PYTHON="$(SANAFE)/bin/python" $(BIN)/python -m pytest -m sanafe tests/backends

# The frameworks of others, in an environment of their own, and without their dependencies where
# those clash with ours; made by the first run, and again where an earlier one was interrupted.
doors-test: install
	@set -e; \
	if [ ! -e "$(DOORS)/finished" ]; then \
	    rm -rf "$(DOORS)"; \
	    $(BIN)/python -m venv "$(DOORS)"; \
	    "$(DOORS)/bin/python" -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[dev]'; \
	    "$(DOORS)/bin/python" -m pip install --quiet --no-deps --ignore-requires-python \
	        $(PIP_ARGS) -r tests/doors/requirements.txt; \
	    touch "$(DOORS)/finished"; \
	fi
	rm -rf build/doors
	SNNDEPLOY_DOORS_TABLE=build/doors PYTHONPATH=. "$(DOORS)/bin/python" -m pytest -n 2 \
	    -m "doors and not slow" tests/doors
	"$(DOORS)/bin/python" tests/doors/table.py build/doors

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
