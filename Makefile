# make run | up | test | quick | faults | check | bench | deploy | clean; `make help` tells more.
PYTHON ?= python3
PORT ?= 8000
WORKERS ?= 2
# Test processes at once: many tests wait for something, so more than there are processors.
TEST_PROCESSES ?= 4
STACK ?= photogate
DIST ?= dist
# Of the zip functions on AWS.
RUNTIME ?= python3.13
# Nobody is asked in CI, which sets CI, or with CONFIRM=no; what would change is shown all the same.
# Destroying asks in CI, too.
UNASKED := $(if $(filter no,$(CONFIRM))$(CI),--no-confirm-changeset)
DOCKER_BUILD ?= docker build
VENV := .venv
BIN := $(VENV)/bin
# Compiled files are kept, whatever the environment says: else every test process and every server
# that a test starts compiles all of it again.
TESTS := env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest
SAM := .venv-sam/bin/sam
# The emulator of Lambda's runtime interface that the SAM CLI carries; for the shell to find.
RIE = $$(find $(CURDIR)/.venv-sam -name aws-lambda-rie-x86_64)
# One make at a time installs; see the file.
LOCKED := $(PYTHON) requirements/locked.py
export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
.PHONY: help run up quick test test-slow screenshots faults check bench model dist sam-build checkov image-test compose-test deploy destroy setup setup-dev setup-sam setup-checkov lock clean

help: ## Show what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

run: setup model ## Run everything here and moderate sample photos (PHOTOS=dir for your own)
	@$(BIN)/photogate up --port $(PORT) --workers $(WORKERS) $(if $(MODEL),--model "$(MODEL)") $(if $(PHOTOS),--photos "$(PHOTOS)",--demo)

quick: setup-dev ## Run the tests that need no server and no model
	@$(TESTS) tests/unit tests/service tests/contract -m quick -n $(TEST_PROCESSES) --dist worksteal $(PYTEST)

test: setup-dev model ## Run the tests, but for the slow ones
	@$(TESTS) -m "not slow" -n $(TEST_PROCESSES) --dist worksteal $(PYTEST)

test-slow: setup-dev model ## Run the tests that take long: all models, the largest photos, waits
	@$(TESTS) -m slow -n $(TEST_PROCESSES) --dist loadfile $(PYTEST)

screenshots: setup-dev model ## Take the pictures of the main pages for the docs anew
	@PHOTOGATE_SCREENSHOTS=docs/images $(BIN)/pytest -m slow tests/browser/test_screenshots.py tests/browser/test_evaluate_page.py

up: ## Run the whole stack in containers (docs/compose.md)
	@$(PYTHON) -m local.compose_up

faults: setup-dev model ## Break everything on purpose, and count what was lost (FAULTS_SEED=1)
	@$(BIN)/pytest tests/faults --faults full $(if $(FAULTS_SEED),--faults-seed $(FAULTS_SEED)) \
	  -p no:cacheprovider $(PYTEST)

check: setup-dev ## Formatting, lints and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

bench: setup-dev model ## Measure, and print the tables of docs/performance.md and the model card
	@missed=0; for part in bench bench.signals bench.sandbox bench.copies; do \
	  $(BIN)/python -m $$part || missed=1; done; exit $$missed

model: setup ## Build the model's bundle when it is missing
	@$(BIN)/photogate model build > /dev/null

sam-build: setup-dev setup-sam model ## Check template.yaml, build the zip functions, run them, rehearse a deployment
	@$(SAM) validate --lint --region us-east-1
	@runtime=$$(for python in $(RUNTIME) python3.13 python3.12 python3.11; do \
	    $$python -c '' 2> /dev/null && echo $$python && break; done) && \
	  $(SAM) build --exclude ModerateFunction --parameter-overrides PythonRuntime=$$runtime && \
	  PHOTOGATE_ARTEFACTS=$(CURDIR)/.aws-sam/build PHOTOGATE_RUNTIME=$$runtime PHOTOGATE_RIE=$(RIE) \
	    $(BIN)/pytest tests/functions/test_artefacts.py tests/functions/test_rehearsal.py

checkov: setup-dev setup-checkov ## Look for weak spots in template.yaml, but for those of .ci/checkov.yaml
	@PHOTOGATE_CHECKOV=$(CURDIR)/.venv-checkov/bin/checkov $(BIN)/pytest tests/functions/test_checkov.py

dist: setup-dev ## Build the wheels, the list of what they need, and the bill of materials, in dist/
	@rm -rf $(DIST) && mkdir -p $(DIST)
	@$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	  --wheel-dir $(DIST) layers/core layers/model clients/python .
	@cat requirements/run.txt requirements/samples.txt > $(DIST)/requirements.txt
	@PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml \
	  --output-reproducible --output-file $(DIST)/sbom.cdx.json $(DIST)/requirements.txt
	@ls $(DIST)

image-test: setup-dev setup-sam ## Build the moderate images, run them read-only and invoke them
	@for stage in function worker; do \
	  $(DOCKER_BUILD) --quiet --file functions/moderate/Dockerfile --target $$stage \
	    --tag photogate-moderate:$$stage . || exit; done
	@$(DOCKER_BUILD) --quiet --file functions/moderate/Dockerfile --target worker \
	  --build-arg THIRD=1 --tag photogate-moderate:third .
	@PHOTOGATE_IMAGE=photogate-moderate \
	  PHOTOGATE_RIE=$(RIE) \
	  $(BIN)/pytest tests/functions/test_image.py

compose-test: setup-dev ## Follow docs/compose.md in a copy of this folder
	@PHOTOGATE_COMPOSE=1 $(BIN)/pytest tests/compose

deploy: setup setup-sam ## Deploy to AWS and migrate on the way (STACK=name PARAMETERS="CreateDatabase=true …" CONFIRM=no)
	@$(RUNTIME) -c '' 2> /dev/null || \
	  { echo "The functions run on $(RUNTIME), which is not on the PATH: install it, or make deploy RUNTIME=python3.12 (or 3.11)" >&2; exit 1; }
	@$(SAM) build --parameter-overrides PythonRuntime=$(RUNTIME)
	@release=$$($(BIN)/photogate stack release $(STACK) PythonRuntime=$(RUNTIME) $(PARAMETERS)) && \
	  $(SAM) deploy --stack-name $(STACK) $(UNASKED) \
	    --parameter-overrides PythonRuntime=$(RUNTIME) Release=$$release $(PARAMETERS)
	@$(BIN)/photogate stack protect $(STACK)
	@$(BIN)/photogate stack tidy $(STACK)

destroy: setup ## Delete the stack STACK=name on AWS, after a question (CONFIRM=no: without); photos and secrets are kept
	@$(if $(and $(STACK),$(filter-out file,$(origin STACK))),,$(error make destroy needs the stack's name: make destroy STACK=name))
	@$(BIN)/photogate stack destroy $(STACK) $(if $(filter no,$(CONFIRM)),--yes)

setup:
	@$(LOCKED) $(MAKE) -s $(VENV)/run.stamp

setup-dev:
	@$(LOCKED) $(MAKE) -s $(VENV)/dev.stamp

setup-sam:
	@$(LOCKED) $(MAKE) -s $(SAM)

setup-checkov:
	@$(LOCKED) $(MAKE) -s .venv-checkov/bin/checkov

$(VENV)/made.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "Photogate needs Python 3.11 to 3.13: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || \
	  { echo "Python's venv is missing (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo "· making a virtual environment"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/run.stamp: requirements/run.txt requirements/samples.txt pyproject.toml layers/core/pyproject.toml layers/model/pyproject.toml clients/python/pyproject.toml | $(VENV)/made.stamp
	@echo "· installing what Photogate needs"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/run.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/samples.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e layers/core -e layers/model -e clients/python -e .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	@echo "· installing what the tests need"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.txt
	@touch $@

# Apart, because it brings 80 packages with versions of their own.
$(SAM): requirements/sam.txt
	@echo "· installing the SAM CLI"
	@$(PYTHON) -m venv --clear .venv-sam && echo '*' > .venv-sam/.gitignore
	@.venv-sam/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/sam.txt
	@touch $@

# Apart for the same reason.
.venv-checkov/bin/checkov: requirements/checkov.txt
	@echo "· installing checkov"
	@$(PYTHON) -m venv --clear .venv-checkov && echo '*' > .venv-checkov/.gitignore
	@.venv-checkov/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/checkov.txt
	@touch $@

lock: ## Write the lists of pinned dependencies anew (needs uv)
	@requirements/lock.sh

clean: ## Remove the environment and all local data
	rm -rf $(VENV) .venv-sam .venv-checkov .aws-sam .photogate .hypothesis .mypy_cache .ruff_cache .pytest_cache
