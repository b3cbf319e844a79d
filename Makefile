# Everything a person does with the project. `make run` needs python3 and, for the demo
# page, npm; the rest is installed into .venv and clients/node_modules.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WEB := clients/js-demo
CLIENT := clients/chat-client
NODE_MODULES := clients/node_modules
PEERS := benchmarks/peers
LOCK := requirements.lock
DEV_LOCK := requirements-dev.lock
NPM := $(shell command -v npm 2>/dev/null)
# Names under which Debian, Ubuntu and others install it.
BROWSER := $(shell command -v chromium chromium-browser google-chrome 2>/dev/null | head -n 1)
# Tests that ask for what holds over any Redis; and those of them that say the most.
ON_ANY_REDIS := $(addprefix tests/,api guide hostile images moderation presence rooms \
	socketio store webhooks)
ON_CLUSTER_SHORT := tests/guide tests/rooms/test_send_order.py tests/rooms/test_recovery.py
# One flag of the project's own commands to pass on: make run ARGS="--port 6000"
ARGS ?=

.PHONY: help run nodes verify test test-redis test-pythons coverage check check-page types format lock install page browser diagrams bench bench-capacity bench-quick clean

help:
	@echo "make run      start one node on http://localhost:5000"
	@echo "make nodes    start two nodes, on ports 5000 and 5001, on one Valkey"
	@echo "make verify   prove order and no loss under faults, on nodes started for it"
	@echo "make test     install what the tests need and run them"
	@echo "make test-redis  the same over Sentinels and over clusters of Redis and Valkey"
	@echo "make test-pythons  the same on every Python of this machine, without the long runs"
	@echo "make coverage run them and tell which lines and branches no test reaches"
	@echo "make check    lint, types and who may import whom"
	@echo "make format   format the code"
	@echo "make types    write the protocol as TypeScript types"
	@echo "make bench    measure the server beside its peers (make bench-quick: a taste)"
	@echo "make bench-capacity  how much it carries before users feel it, beside them"

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
	$(BIN)/pytest -n auto --dist worksteal $(ARGS)
	$(if $(ARGS),,TEST_REDIS=valkey-cluster $(BIN)/pytest -n 2 -q $(ON_CLUSTER_SHORT))

# The same tests over one Redis under Sentinels and over clusters of both servers.
test-redis: $(VENV)/.dev
	@command -v redis-server >/dev/null || { echo "It needs redis-server."; exit 1; }
	@for kind in "" sentinel redis-cluster valkey-cluster; do \
		echo "TEST_REDIS=$$kind"; \
		TEST_REDIS=$$kind $(BIN)/pytest -n auto -q -m "not long" $(ON_ANY_REDIS) $(ARGS) \
			|| exit 1; \
	done
	$(BIN)/pytest -q tests/verify/by_shard.py

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

# The page is checked against the package as it is built.
check-page: $(CLIENT)/dist/index.js
	cd $(CLIENT) && npm run types
	cd $(WEB) && npm run types

# The protocol as TypeScript types; a test fails while they are stale.
types: $(VENV)/.dev
	$(BIN)/python -m schemas.typescript > $(CLIENT)/src/wire.ts

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Pins what pyproject.toml asks for, with the hash of every file that an index may give.
# Versions that are pinned stay, but for ARGS="--upgrade" or "--upgrade-package NAME".
COMPILE = $(VENV)/lock/bin/pip-compile -q --generate-hashes --allow-unsafe --strip-extras \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links $(ARGS)

lock:
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/pip install --disable-pip-version-check -q pip-tools
	$(COMPILE) -o $(LOCK) pyproject.toml .ci/lock.in
	$(COMPILE) --extra dev -c $(LOCK) -o $(DEV_LOCK) pyproject.toml .ci/lock.in

install: $(VENV)/.run

$(VENV)/bin/pip:
	@PYTHON="$(PYTHON)" VENV="$(VENV)" bash .ci/make-venv

PIP_INSTALL = $(BIN)/pip install --disable-pip-version-check
# The checkout itself has no hash; what builds it is in the lock.
INSTALL_SELF = $(PIP_INSTALL) --no-deps --no-build-isolation -e .

# The stamps are touched last: an install that was broken off is done again.
$(VENV)/.run: $(VENV)/bin/pip pyproject.toml setup.cfg $(LOCK)
	@echo "Installing the server's Python packages ..."
	@$(PIP_INSTALL) --require-hashes -r $(LOCK)
	@$(INSTALL_SELF)
	@touch $@

$(VENV)/.dev: $(VENV)/bin/pip pyproject.toml setup.cfg $(DEV_LOCK)
	@echo "Installing the server's Python packages and the tools for tests and checks ..."
	@$(PIP_INSTALL) --require-hashes -r $(DEV_LOCK)
	@$(INSTALL_SELF)
	@touch $(VENV)/.run $@

ifeq ($(NPM),)
page:
	@echo "npm is not installed: everything runs but the demo page, which is not built."
else
page: $(WEB)/dist/index.html
endif

$(NODE_MODULES)/.installed: clients/package-lock.json clients/package.json $(WEB)/package.json $(CLIENT)/package.json
	@echo "Installing the packages of client and demo page ..."
	@cd clients && npm ci --ignore-scripts
	@touch $@

$(CLIENT)/dist/index.js: $(NODE_MODULES)/.installed $(CLIENT)/tsconfig.json $(shell find $(CLIENT)/src -type f)
	@echo "Building the client package ..."
	@cd $(CLIENT) && npm run build
	@touch $@

$(WEB)/dist/index.html: $(CLIENT)/dist/index.js $(WEB)/build.mjs $(shell find $(WEB)/src -type f)
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

bench-capacity: $(VENV)/.run $(PEERS)/node_modules/.installed
	$(BIN)/python -m benchmarks.capacity --write $(ARGS)

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
	rm -rf $(VENV) $(NODE_MODULES) $(PEERS)/node_modules $(WEB)/dist $(CLIENT)/dist build *.egg-info
