.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TOOLS := build/tools
DOCS_TOOLS := build/docs-tools
GPL_WITH_EXCEPTION := mysql-connector-python
COMPOSE = $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose) \
	--project-name credit-ct --file deploy/compose.yaml --file deploy/compose.tools.yaml $(if $(wildcard deploy/.env),--env-file deploy/.env)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(INSTALLED): constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r constraints.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: install
install: $(INSTALLED) ## Create .venv with the pinned dependencies and the package

.PHONY: run
run: install ## Train the newest labelled base date; sample rows if none
	$(BIN)/credit-ct run --sample-if-empty --if-missing

.PHONY: dev
# On another port: .venv/bin/credit-ct ui --port 3001
dev: install ## Serve Dagster's UI, with its daemon: http://127.0.0.1:3000
	$(BIN)/credit-ct ui --host 127.0.0.1 --port 3000

.PHONY: serve
# With a page to try it on; SERVING_HOST and SERVING_PORT choose the address.
serve: install ## Serve the champion over HTTP: http://127.0.0.1:8000
	$(BIN)/credit-ct serve

.PHONY: mlflow
# Of the embedded store.
mlflow: install ## Serve MLflow's UI: http://127.0.0.1:5000
	MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true $(BIN)/mlflow server --host 127.0.0.1 --port 5000 --backend-store-uri sqlite:///var/mlflow.db

.PHONY: up
up: ## Build and start the stack (docs/deployment.md)
	deploy/new-secrets
	$(COMPOSE) build
	$(COMPOSE) up --detach

.PHONY: down
down: ## Stop the stack; history, models and data stay
	$(COMPOSE) --profile scale --profile tools --profile metrics down

.PHONY: logs
logs: ## Follow the output of the stack
	$(COMPOSE) --profile scale --profile tools --profile metrics logs --follow --tail 100

# In memory, where there are 6 GB of it, databases wait for no disk.
TEST_FILES = $(shell free=$$(df --output=avail /dev/shm 2>/dev/null | tail -1); \
	if [ $${free:-0} -gt 6000000 ]; then echo /dev/shm; else echo $${TMPDIR:-/tmp}; fi)

SUITE = folder=$$(mktemp -d $(TEST_FILES)/credit-ct-XXXXXX) && trap 'rm -rf "$$folder"' EXIT INT TERM && \
	TMPDIR="$$folder" $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder \
	$(foreach folder,e2e faults backfills,--ignore credit_ct_dagster_tests/$(folder))

.PHONY: test
test: install ## Run the test suite
	$(SUITE) -m "not integration"

.PHONY: integration
# Which they are, their files say.
integration: install ## Run processes, and train several base dates
	$(SUITE) -m integration

.PHONY: kills
kills: install ## Kill a run in each of its stages, and run it again
	$(BIN)/pytest -n 2 --maxschedchunk 1 credit_ct_dagster_tests/faults/test_kills.py

.PHONY: faults
# Kill, disconnect, fill disks, set the clock: needs mariadbd and faketime.
faults: install ## Break what a run depends on (report: build/faults.md)
	rm -f build/faults.md
	$(BIN)/pytest credit_ct_dagster_tests/faults

.PHONY: e2e
# Needs chromium; screenshots in build/e2e.
e2e: install ## Use the pages in a browser, and type the tutorial
	$(BIN)/pytest -n 2 --maxschedchunk 1 credit_ct_dagster_tests/e2e

.PHONY: screenshots
# Types the tutorial's commands; needs chromium.
screenshots: install ## Make the pictures of README and docs anew
	SCREENSHOTS=$(CURDIR)/docs/images $(BIN)/pytest credit_ct_dagster_tests/e2e/test_tutorial.py

.PHONY: backfills
# Killed, cancelled and resumed.
backfills: install ## Backfill 10 and 90 base dates: an hour (build/backfills.md)
	rm -f build/backfills.md
	$(BIN)/pytest credit_ct_dagster_tests/backfills

.PHONY: lint
lint: install ## Check style, types, the direction of imports, and YAML
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml deploy/compose.tools.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml

$(TOOLS)/.installed: deploy/tools.txt
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet -r deploy/tools.txt
	@touch $@

.PHONY: audit
audit: $(TOOLS)/.installed ## Look for vulnerabilities of dependencies (asks PyPI)
	$(TOOLS)/bin/pip-audit --requirement constraints.txt --require-hashes --disable-pip

.PHONY: licences
# GPL only where docs/security.md explains it.
licences: install $(TOOLS)/.installed ## List the licences of dependencies; refuse GPL
	$(TOOLS)/bin/pip-licenses --python $(BIN)/python --from mixed --order license --with-urls
	$(TOOLS)/bin/pip-licenses --python $(BIN)/python --from mixed --ignore-packages $(GPL_WITH_EXCEPTION) \
		--partial-match --fail-on "GNU General Public License;GNU Affero;AGPL;GPL-2.0;GPL-3.0" >/dev/null

.PHONY: sbom
sbom: install $(TOOLS)/.installed ## Write build/sbom.cdx.json: dependencies as CycloneDX
	$(TOOLS)/bin/cyclonedx-py environment --output-reproducible --of JSON --output-file build/sbom.cdx.json $(BIN)/python

.PHONY: format
format: install ## Apply style and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: reference
reference: install ## Write docs/reference from the code
	$(BIN)/python -m credit_ct_dagster_docs

$(DOCS_TOOLS)/.installed: docs/requirements.txt
	$(PYTHON) -m venv $(DOCS_TOOLS)
	$(DOCS_TOOLS)/bin/pip install --quiet --require-hashes -r docs/requirements.txt
	@touch $@

.PHONY: docs
# A warning, or a link that leads nowhere, is an error.
docs: $(DOCS_TOOLS)/.installed ## Make a site of docs/ in build/docs
	$(DOCS_TOOLS)/bin/sphinx-build --quiet --fail-on-warning --keep-going -d build/docs-parsed docs build/docs

.PHONY: bench
# Needs mariadbd, and JANUARY_DIR for real rows.
bench: install ## Measure against common alternatives (takes hours)
	$(BIN)/python -m benchmarks $(NAMES)

.PHONY: lock
lock: ## Pin all dependencies with hashes (needs uv)
	uv pip compile pyproject.toml --group dev --python-version 3.11 --universal --generate-hashes \
		--no-emit-index-url --no-header --no-strip-extras --quiet --upgrade -o constraints.txt
	uv pip compile --group docs --python-version 3.11 --universal --generate-hashes \
		--no-emit-index-url --no-header --quiet --upgrade -o docs/requirements.txt
