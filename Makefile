# `make` prints what there is. Nothing has to be installed first but Python (or uv); bootstrap.py brings the rest.

PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
SLOW := --ignore=tests/chaos --ignore=tests/mta --ignore=tests/keycloak --ignore=tests/browser --ignore=tests/drill \
	--ignore=tests/examples
CODE := bootstrap.py demo deploy schemas services tests
COMPOSE := docker compose --file deploy/compose.yaml

.DEFAULT_GOAL := help

.PHONY: help
help: ## Print this.
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL name a broker and a database to use instead of the embedded ones."

.PHONY: demo
demo: ## A day in the life of a member, on a real Kafka and PostgreSQL. ONCE=1 checks what arrived and ends.
	@$(PYTHON) bootstrap.py demo
	@$(BIN)/member-notices demo $(if $(ONCE),--once)

.PHONY: test
test: static ## Everything: check, then all tests on a real broker and database. One pytest run.
	@$(PYTHON) bootstrap.py test
	@$(PYTEST) $(SLOW) --numprocesses=4 --dist=loadgroup --no-loadscope-reorder

.PHONY: check
check: static ## The fast half of test, without broker and database.
	@$(PYTEST) tests/unit tests/contract tests/golden

.PHONY: static
static: ## Formatting, lint, types, imports, published schemas; and the size of each service.
	@$(PYTHON) bootstrap.py check
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/mypy bootstrap.py schemas services demo deploy tests
	@$(BIN)/lint-imports
	@$(BIN)/python -m schemas.generate --check
	@$(BIN)/python -m tests.support.sizes

.PHONY: format
format: ## Rewrite the code as the linter wants it, where it can.
	@$(PYTHON) bootstrap.py check
	@$(BIN)/ruff check --fix $(CODE)
	@$(BIN)/ruff format $(CODE)

.PHONY: integration
integration: ## Only the tests that need a broker or a database.
	@$(PYTHON) bootstrap.py test
	@$(PYTEST) tests/integration

.PHONY: e2e
e2e: ## Only the tests from an event to an inbox.
	@$(PYTHON) bootstrap.py test
	@$(PYTEST) tests/e2e

.PHONY: test-containers
test-containers: ## The tests of integration, on Kafka and PostgreSQL in containers (testcontainers).
	@$(PYTHON) bootstrap.py test
	@$(BIN)/python -m tests.containers

.PHONY: test-mta
test-mta: ## Every notice through a real Postfix over verified TLS, read back from its mailboxes. Needs Postfix and root.
	@$(PYTHON) bootstrap.py test
	@$(BIN)/python -m tests.mta

AXE_VERSION := 4.14.1
AXE_SHA256 := 29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
BROWSER := var/browser

.PHONY: test-browser
test-browser: ## The console in a real browser: axe-core's rules, keyboard, phone; var/browser/contact-sheet.png. Needs Chromium (or CHROMIUM), pip and npm.
	@$(PYTHON) bootstrap.py test
	@$(PYTHON) -m pip install --quiet --upgrade --target $(BROWSER)/python "playwright>=1.65,<2"
	@cd $(BROWSER) && npm pack --silent axe-core@$(AXE_VERSION) >/dev/null && tar xf axe-core-$(AXE_VERSION).tgz package/axe.min.js
	@echo "$(AXE_SHA256)  $(BROWSER)/package/axe.min.js" | sha256sum --check --quiet
	@AXE=$(BROWSER)/package/axe.min.js PYTHONPATH=$(BROWSER)/python $(PYTEST) tests/browser

.PHONY: pictures
pictures: ## The README's pictures, by Chromium, of the demo played once. Needs what test-browser needs.
	@$(PYTHON) bootstrap.py test
	@$(PYTHON) -m pip install --quiet --upgrade --target $(BROWSER)/python "playwright>=1.65,<2"
	@PYTHONPATH=$(BROWSER)/python $(BIN)/python -m tests.support.readme_pictures

.PHONY: image
image: ## The image of all services, and the catcher's. BUILD_FLAGS goes to docker build.
	@DOCKER_BUILDKIT=1 docker build --file deploy/Dockerfile --tag member-notices:local $(BUILD_FLAGS) \
		--build-arg VERSION="$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)" \
		--build-arg REVISION="$$(git describe --always --dirty --exclude '*')" .
	@DOCKER_BUILDKIT=1 docker build --file deploy/Dockerfile --target catcher --tag member-notices-catcher:local $(BUILD_FLAGS) .

.PHONY: up
up: ## Kafka, PostgreSQL, all services and the catcher in containers; returns when they are ready.
	@$(PYTHON) -m deploy.prepare
	@$(MAKE) --no-print-directory image
	@$(COMPOSE) up --detach --wait --wait-timeout 180 --remove-orphans || { $(COMPOSE) ps --all; exit 1; }
	@echo "  events  http://$$($(COMPOSE) port auth-events 8080)/v1/events, tokens in deploy/.env"
	@echo "  inbox   http://$$($(COMPOSE) port catcher 8025)"
	@echo "  Kafka   $$($(COMPOSE) port kafka 29092)"
	@echo "  $(PYTHON) -m deploy.first_mail sends one event through."

.PHONY: down
down: ## End what up started. VOLUMES=1 removes its data too.
	@# The file wants values where secrets go, also to end the containers of a deploy/.env that is gone.
	@POSTGRES_PASSWORD=- VAULT_KEYS=- SEARCH_KEY=- KEYCLOAK_WEBHOOK_SECRET=- $(COMPOSE) --profile '*' down $(if $(VOLUMES),--volumes)

.PHONY: test-alerts
test-alerts: ## Each alert fires when it should and only then. Needs promtool.
	@command -v promtool >/dev/null || { echo "This needs promtool: apt-get install prometheus (Debian), or brew install prometheus, then again." >&2; exit 1; }
	@promtool check rules deploy/prometheus/rules.yml
	@promtool check config --syntax-only deploy/prometheus/prometheus.yml
	@promtool test rules deploy/prometheus/rules_test.yml deploy/prometheus/burn_rate_test.yml

.PHONY: drill
drill: ## Trouble under a real Prometheus: the alert fires, its page mends it. Needs prometheus; no part of test.
	@command -v prometheus >/dev/null || { echo "This needs prometheus: apt-get install prometheus (Debian), or brew install prometheus, then again." >&2; exit 1; }
	@$(PYTHON) bootstrap.py test
	@$(PYTEST) --durations=0 tests/drill

.PHONY: chaos
chaos: ## The path under attack: kill -9, standstill, outages, broken builds. 20 minutes; no part of test.
	@$(PYTHON) bootstrap.py test
	@$(PYTEST) --capture=no --durations=0 tests/chaos

.PHONY: test-keycloak
test-keycloak: ## A live Keycloak 26 posts to auth-events. Needs Maven, 180 MB to download once; no part of test.
	@$(PYTHON) bootstrap.py test
	@$(PYTEST) tests/keycloak

.PHONY: test-examples
test-examples: ## Examples in Java and TypeScript publish, and the mail arrives. Needs Java 17, Maven, Node 20; no part of test.
	@$(PYTHON) bootstrap.py test
	@mvn --batch-mode --quiet --file examples/java/pom.xml package
	@cd examples/typescript && npm ci --no-audit --no-fund --silent && npm run --silent build
	@$(PYTEST) --durations=0 tests/examples

.PHONY: preview
preview: ## Every message in a gallery, var/gallery/index.html. AGAINST=main shows only what differs, side by side.
	@$(PYTHON) bootstrap.py check
	@$(BIN)/member-notices preview $(if $(AGAINST),--against $(AGAINST))

.PHONY: golden
golden: ## Rewrite the expected text of every notice; look at the difference before you commit it.
	@$(PYTHON) bootstrap.py check
	@$(PYTEST) tests/golden --update-golden

.PHONY: bench
bench: ## The frozen naive pipeline against ours, in one run.
	@$(PYTHON) bootstrap.py test
	@$(BIN)/python -m tests.bench.run

.PHONY: bench-deadlines
bench-deadlines: ## The sweep over 1,000,000 open complaints, against a full scan and row by row.
	@$(PYTHON) bootstrap.py test
	@$(BIN)/python -m tests.bench.deadlines

.PHONY: bench-console
bench-console: ## Every page of the console over 10,000,000 notifications. 25 GB and half an hour. FLAGS=--no-cold is shorter.
	@$(PYTHON) bootstrap.py test
	@$(BIN)/python -m tests.bench.console $(FLAGS)

.PHONY: schemas
schemas: ## Write JSON Schema and AsyncAPI anew from the models.
	@$(PYTHON) bootstrap.py check
	@$(BIN)/python -m schemas.generate

COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)

.PHONY: lock
lock: ## Write the hashed locks anew from pyproject.toml, and the one of Kafka's jars. UPGRADE=1 takes newer versions.
	@command -v uv >/dev/null || { echo "Locking needs uv: $(PYTHON) -m pip install --user uv, then again." >&2; exit 1; }
	$(COMPILE) pyproject.toml --extra embedded --output-file requirements/run.txt
	$(COMPILE) pyproject.toml --extra dev --constraints requirements/run.txt --output-file requirements/dev.txt
	@# Of the image: no extra; and what builds the wheel in it. Constrained, so that it runs what was tested.
	$(COMPILE) pyproject.toml --constraints requirements/run.txt --output-file requirements/service.txt
	echo hatchling | $(COMPILE) - --constraints requirements/dev.txt --output-file requirements/build.txt
	@$(PYTHON) bootstrap.py check
	@$(BIN)/python -m demo.embedded lock

.PHONY: clean
clean: ## Remove .venv, what runs left in var/, and the caches of the tools.
	rm -rf .venv var .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
