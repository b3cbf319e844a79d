# Everything a person does with the project. `make run` needs python3 and, for the demo
# page, npm; the rest is installed into .venv and clients/js-demo/node_modules.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WEB := clients/js-demo
PEERS := benchmarks/peers
LOCK := requirements.lock
NPM := $(shell command -v npm 2>/dev/null)
# Names under which Debian, Ubuntu and others install it.
BROWSER := $(shell command -v chromium chromium-browser google-chrome 2>/dev/null | head -n 1)
# One flag of the project's own commands to pass on: make run ARGS="--port 6000"
ARGS ?=

.PHONY: help run nodes verify test test-pythons coverage check check-page format lock install page browser diagrams bench bench-quick clean

help:
	@echo "make run      start one node on http://localhost:5000"
	@echo "make nodes    start two nodes, on ports 5000 and 5001, on one Valkey"
	@echo "make verify   prove order and no loss under faults, on nodes started for it"
	@echo "make test     install what the tests need and run them"
	@echo "make test-pythons  the same on every Python of this machine, without the long runs"
	@echo "make coverage run them and tell which lines and branches no test reaches"
	@echo "make check    lint, types and who may import whom"
	@echo "make format   format the code"
	@echo "make bench    measure the server beside its peers (make bench-quick: a taste)"

run: install page
	@exec $(BIN)/chatroom serve $(ARGS)

nodes: install page
	@$(BIN)/chatroom serve --port 5000 & first=$$!; \
	$(BIN)/chatroom serve --port 5001 & second=$$!; \
	trap 'kill $$first $$second 2>/dev/null' INT TERM; \
	wait $$first; wait $$second; wait

verify: install page
	@exec $(BIN)/chatroom verify $(ARGS)

test: $(VENV)/.dev page browser
	$(BIN)/pytest -n auto $(ARGS)

test-pythons: page
	bash .ci/test-pythons

# Each process of a test writes down what it ran; killed ones cannot.
coverage: $(VENV)/.dev page browser
	rm -rf .coverage
	TEST_MS_SCALE=2 $(BIN)/coverage run -m pytest -n auto $(ARGS)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

check: $(VENV)/.dev $(if $(NPM),check-page)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-page: $(WEB)/node_modules/.installed
	cd $(WEB) && npm run types

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Writes down the versions that are installed now, to be used everywhere.
# async-timeout is kept by hand: redis needs it on Python before 3.11.3 only.
lock: $(VENV)/.dev
	{ $(BIN)/pip freeze --exclude-editable; grep async-timeout $(LOCK); } | sort -fu > $(LOCK).new
	mv $(LOCK).new $(LOCK)

install: $(VENV)/.run

$(VENV)/bin/pip:
	@PYTHON="$(PYTHON)" VENV="$(VENV)" bash .ci/make-venv

# The stamps are touched last: an install that was broken off is done again.
$(VENV)/.run: $(VENV)/bin/pip pyproject.toml setup.cfg $(LOCK)
	@echo "Installing the server's Python packages ..."
	@$(BIN)/pip install --disable-pip-version-check -c $(LOCK) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/pip pyproject.toml setup.cfg $(LOCK)
	@echo "Installing the server's Python packages and the tools for tests and checks ..."
	@$(BIN)/pip install --disable-pip-version-check -c $(LOCK) -e ".[dev]"
	@touch $(VENV)/.run $@

ifeq ($(NPM),)
page:
	@echo "npm is not installed: everything runs but the demo page, which is not built."
else
page: $(WEB)/dist/index.html
endif

$(WEB)/node_modules/.installed: $(WEB)/package.json $(WEB)/package-lock.json
	@echo "Installing the demo page's packages ..."
	@cd $(WEB) && npm ci
	@touch $@

$(WEB)/dist/index.html: $(WEB)/node_modules/.installed $(WEB)/build.mjs $(shell find $(WEB)/src -type f)
	@echo "Building the demo page ..."
	@cd $(WEB) && npm run build
	@touch $@

browser:
ifeq ($(BROWSER),)
	@bash .ci/install-browser
endif

# What it measures and how: docs/benchmarks.md. Both need a quiet machine with two cores.
bench: $(VENV)/.run $(PEERS)/node_modules/.installed
	$(BIN)/python -m benchmarks --write $(ARGS)

bench-quick: $(VENV)/.run $(PEERS)/node_modules/.installed
	$(BIN)/python -m benchmarks --quick $(ARGS)

$(PEERS)/node_modules/.installed: $(PEERS)/package.json $(PEERS)/package-lock.json
	@echo "Installing the servers to compare with ..."
	@cd $(PEERS) && npm ci --ignore-scripts
	@touch $@

# The picture of docs/architecture.md; dot is Debian's package graphviz.
diagrams:
	dot -Tsvg docs/message-path.dot -o docs/message-path.svg

clean:
	rm -rf $(VENV) $(WEB)/node_modules $(PEERS)/node_modules $(WEB)/dist build *.egg-info
