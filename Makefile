# Everything is written under this folder: .venv/, .airflow/, data/.
SHELL := /bin/sh
BIN := .venv/bin
INSTALLED := .venv/.installed
# These need an Airflow, or all cores.
ALONE := tests/system tests/faults tests/archive/test_faults.py
SIDE_BY_SIDE := --numprocesses=2 --dist=loadfile $(patsubst %,--ignore=%,tests/ui tests/scale tests/everyday $(ALONE))

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-long test-faults test-weeks test-versions test-everyday test-start test-scale test-chaos test-ui pictures test-conformance model docs bench lint format lock sbom audit

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 18

setup: $(INSTALLED) ## .venv/ with the locked tree and the project installed

$(INSTALLED): requirements.lock pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh

demo: $(INSTALLED) ## simulator, real Airflow, a backfill over the sample's dates; says what became of each request
	@$(BIN)/python -m scripts.demo

up: $(INSTALLED) ## the same stack left running, UI on port 8080, until Ctrl-C
	@$(BIN)/python -m scripts.up

test: $(INSTALLED) ## the tests to be run often, on two processes, in less than six minutes on two cores; on SQLite
	@$(BIN)/python -m pytest -m "not long" $(SIDE_BY_SIDE)

test-long: $(INSTALLED) ## the rest of them: on PostgreSQL, by the thousand, in real time, with a real Airflow
	@$(BIN)/python -m pytest -m long $(SIDE_BY_SIDE)
	@$(BIN)/python -m pytest $(ALONE) --ignore=tests/system/test_weeks.py

test-faults: $(INSTALLED) ## the long crash suite: every step of a submission, every fault of the archive on every store, ten minutes of fuzzing for each reader
	@ADOBE_PRIVACY_INTERLEAVINGS=3000 ADOBE_PRIVACY_FUZZ_MINUTES=10 $(BIN)/python -m pytest tests/faults tests/fuzz tests/operators/test_canary.py \
		tests/archive/test_faults.py tests/submission/test_exactly_once.py --full-faults

test-weeks: $(INSTALLED) ## backfills of 60 days and 30, waiting and alarms on a real Airflow (minutes)
	@$(BIN)/python -m pytest tests/system/test_weeks.py --backfill-days=60

test-versions: $(INSTALLED) ## the wheel on each supported Airflow under its constraints: the main job, an approval, the page
	@$(BIN)/python -m tests.versions.run

test-start: $(INSTALLED) ## follows docs/index.md (Start) word for word on a fresh clone, the simulator in Adobe's place
	@$(BIN)/python -m tests.start.run

test-everyday: $(INSTALLED) ## what operators do every day: clear, mark, delete, backfill again, try a DAG, ask by command
	@$(BIN)/python -m pytest tests/everyday

test-scale: $(INSTALLED) ## CeleryExecutor, two of each, Redis, PostgreSQL, S3; ARGS="--jobs 20000 --waiting 1000 --seconds 5400" for Adobe's full day; needs redis-server
	@$(BIN)/python -m pytest tests/scale
	@$(BIN)/python -m tests.scale.day $(ARGS)

test-chaos: $(INSTALLED) ## every component killed and suspended meanwhile, disks full, clocks stepped; ARGS="--rounds 10" for hours; needs redis-server
	@$(BIN)/python -m tests.chaos.run $(ARGS)

test-ui: $(INSTALLED) ## the UI in a real browser; needs Chromium
	@$(BIN)/python -m pytest tests/ui --timeout=1200

pictures: $(INSTALLED) ## takes the pictures of the README and the documents anew; needs Chromium
	@PICTURES=1 $(BIN)/python -m pytest tests/ui/test_pictures.py --timeout=1200

test-conformance: $(INSTALLED) ## aepp and schemathesis on the simulator, OpenLineage on the tasks: in an environment of their own
	@[ -x .venv-conformance/bin/python ] || $(BIN)/python -m venv .venv-conformance
	@set -e; index=$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null || true)}}; \
		[ -z "$$index" ] || export UV_DEFAULT_INDEX="$$index"; \
		$(BIN)/uv pip sync --quiet --python .venv-conformance/bin/python --require-hashes tests/conformance/requirements.txt; \
		$(BIN)/uv pip install --quiet --no-deps --require-hashes --python $(BIN)/python --target .venv-conformance/openlineage \
		-r tests/conformance/openlineage.txt
	@$(BIN)/python -m pytest tests/conformance/test_foreign_clients.py tests/conformance/test_openlineage.py tests/test_deployment.py

model: $(INSTALLED) ## every form of the protocol's model, by Spin; needs spin and gcc
	@$(BIN)/python -m tests.model.check

docs: $(INSTALLED) ## the documentation site into .site/; a broken link or a warning fails it
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(INSTALLED) ## the benchmarks, beside what they are compared with, into benchmarks/RESULTS.md
	@$(BIN)/python benchmarks

lint: $(INSTALLED) ## format check, lint, types, import rules, the pages that are made from code
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m scripts.states_page --check
	@$(BIN)/python -m scripts.verdicts_table --check
	@$(BIN)/python -m scripts.commands_page --check
	@$(BIN)/python -m scripts.metrics_page --check
	@$(BIN)/python -m scripts.api_page --check

format: $(INSTALLED) ## formats and fixes what can be fixed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: $(INSTALLED) ## resolves pyproject.toml into requirements.lock and requirements.txt, for Python 3.11 to 3.13
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --generate-hashes \
		--extra s3 --extra postgres --group dev pyproject.toml -o requirements.lock
	@$(BIN)/python -m scripts.image_lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --generate-hashes \
		tests/conformance/requirements.in -o tests/conformance/requirements.txt
	@grep -o '^uv==[^ ]*' scripts/uv.txt | $(BIN)/uv pip compile --quiet --universal --no-header --no-annotate --generate-hashes - -o scripts/uv.txt

sbom: $(INSTALLED) ## a bill of materials (CycloneDX) and the licences of all that is locked, into data/sbom/
	@$(BIN)/python -m scripts.sbom

audit: $(INSTALLED) ## known vulnerabilities of all that is locked; says so where their database cannot be reached
	@$(BIN)/python -m scripts.audit
