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
run: install ## Train the newest base date that has labels, on sample rows if there are none
	$(BIN)/credit-ct run --sample-if-empty --if-missing

.PHONY: dev
dev: install ## Serve the Dagster UI on http://127.0.0.1:3000
	$(BIN)/credit-ct ui --host 127.0.0.1 --port 3000

.PHONY: serve
serve: install ## Serve the champion over HTTP (SERVING_HOST, SERVING_PORT: 127.0.0.1:8000), with a page to try it on
	$(BIN)/credit-ct serve

.PHONY: mlflow
mlflow: install ## Serve the MLflow UI of the embedded store on http://127.0.0.1:5000
	MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true $(BIN)/mlflow server --host 127.0.0.1 --port 5000 --backend-store-uri sqlite:///var/mlflow.db

.PHONY: up
up: ## Build the image and start the stack of deploy/ (docs/deployment.md)
	deploy/new-secrets
	$(COMPOSE) build
	$(COMPOSE) up --detach

.PHONY: down
down: ## Stop the stack; history, models and data stay in their volumes
	$(COMPOSE) --profile scale --profile tools --profile metrics down

.PHONY: logs
logs: ## Follow the output of the stack
	$(COMPOSE) --profile scale --profile tools --profile metrics logs --follow --tail 100

.PHONY: test
test: install ## Run the test suite
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --ignore credit_ct_dagster_tests/e2e \
		--ignore credit_ct_dagster_tests/faults --ignore credit_ct_dagster_tests/backfills \
		--ignore credit_ct_dagster_tests/integration

.PHONY: integration
integration: install ## Run the commands as processes of their own, trials on Dask workers that die, and two models side by side
	$(BIN)/pytest -n 2 --maxschedchunk 1 credit_ct_dagster_tests/integration

.PHONY: kills
kills: install ## Kill a run in each of its stages, and run it again
	$(BIN)/pytest -n 2 --maxschedchunk 1 credit_ct_dagster_tests/faults/test_kills.py

.PHONY: faults
faults: install ## Break what a run depends on: kill, disconnect, fill disks, set the clock (needs mariadbd and faketime; report in build/faults.md)
	rm -f build/faults.md
	$(BIN)/pytest credit_ct_dagster_tests/faults

.PHONY: e2e
e2e: install ## Train and score a base date in a real browser, and a customer on the page of the service (needs chromium; screenshots in build/e2e), type the tutorial, and a backfill
	$(BIN)/pytest -n 2 --maxschedchunk 1 credit_ct_dagster_tests/e2e

.PHONY: screenshots
screenshots: install ## Make the pictures of README and docs anew: type the tutorial's commands (needs chromium)
	SCREENSHOTS=$(CURDIR)/docs/images $(BIN)/pytest credit_ct_dagster_tests/e2e/test_tutorial.py

.PHONY: backfills
backfills: install ## Backfill ten and ninety base dates: killed, cancelled and resumed (takes an hour; report in build/backfills.md)
	rm -f build/backfills.md
	$(BIN)/pytest credit_ct_dagster_tests/backfills

.PHONY: lint
lint: install ## Check style, format, types, the direction of imports, and YAML against its schemas
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
audit: $(TOOLS)/.installed ## Look for known vulnerabilities of the pinned dependencies (asks PyPI)
	$(TOOLS)/bin/pip-audit --requirement constraints.txt --require-hashes --disable-pip

.PHONY: licences
licences: install $(TOOLS)/.installed ## List the licences of the dependencies; GPL only where docs/security.md explains it
	$(TOOLS)/bin/pip-licenses --python $(BIN)/python --from mixed --order license --with-urls
	$(TOOLS)/bin/pip-licenses --python $(BIN)/python --from mixed --ignore-packages $(GPL_WITH_EXCEPTION) \
		--partial-match --fail-on "GNU General Public License;GNU Affero;AGPL;GPL-2.0;GPL-3.0" >/dev/null

.PHONY: sbom
sbom: install $(TOOLS)/.installed ## Write build/sbom.cdx.json: the installed dependencies as CycloneDX
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
docs: $(DOCS_TOOLS)/.installed ## Make a site of docs/ in build/docs; a warning, or a link that leads nowhere, is an error
	$(DOCS_TOOLS)/bin/sphinx-build --quiet --fail-on-warning --keep-going -d build/docs-parsed docs build/docs

.PHONY: bench
bench: install ## Measure everything against common alternatives (takes hours; needs mariadbd, and JANUARY_DIR for real rows)
	$(BIN)/python -m benchmarks $(NAMES)

.PHONY: lock
lock: ## Pin all dependencies with hashes (needs uv)
	uv pip compile pyproject.toml --group dev --python-version 3.11 --universal --generate-hashes \
		--no-emit-index-url --no-header --no-strip-extras --quiet --upgrade -o constraints.txt
	uv pip compile --group docs --python-version 3.11 --universal --generate-hashes \
		--no-emit-index-url --no-header --quiet --upgrade -o docs/requirements.txt
