# What a developer does, one word each; `make` lists the words. Every target sets up what it needs first.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
BIN := .venv/bin
STORE ?= sqlite
CLUSTER ?= look-alike
ARGS ?=
ONLY ?=
SECONDS ?= 600
PROCESSES ?= auto

.PHONY: help setup demo up test test-kube kube soak fuzz check check-infra format bench lock audit sbom clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what this clone needs (all targets do it; quick when there is nothing to do)
	@tools/setup

demo: setup $(filter kube,$(CLUSTER)) ## carry a base update from push to rollout on real parts (STORE=azurite, CLUSTER=kube: on those)
	@$(BIN)/python -m groundswell.local.demo --store $(STORE) --cluster $(CLUSTER)

up: setup $(filter kube,$(CLUSTER)) ## run the local stack until Ctrl-C and print its addresses (STORE, CLUSTER; ARGS=--free-ports)
	@$(BIN)/python -m groundswell.local.up --store $(STORE) --cluster $(CLUSTER) $(ARGS)

test: setup ## run every test and hold the coverage gate (ARGS='-k word': some tests, no gate; PROCESSES=N)
ifeq ($(strip $(ARGS)),)
	@$(BIN)/python -m pytest --numprocesses $(PROCESSES) --maxprocesses 4 --dist loadfile --cov --cov-report=
	@$(BIN)/python tools/coverage_gate.py
else
	@$(BIN)/python -m pytest $(ARGS)
endif

kube: setup ## build a real Kubernetes API server from Debian's source, once for all clones (about 5 minutes)
	@tools/build-kube "$$($(BIN)/python -m groundswell.local.kube.binaries)"

test-kube: kube ## hold the real API server and the look-alike to the same contract
	@$(BIN)/python -m pytest tests/contract/test_deploy.py tests/contract/test_cluster_*.py $(ARGS)

soak: setup ## the faults it must survive, by chance and for longer (SECONDS=600; SOAK_SEED=N begins there)
	@SOAK_SECONDS=$(SECONDS) $(BIN)/python -m pytest tests/faults --timeout=0 $(ARGS)

fuzz: setup ## fuzz what reads other people's bytes (SECONDS=600 for all; ARGS='dockerfile bake-hcl': some, longer each)
	@$(BIN)/python -m fuzz --seconds $(SECONDS) --folder .groundswell/fuzz $(ARGS)

check: setup ## format, lint, types, import layers, locks in step with pyproject.toml
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/lock.py --check

check-infra: setup ## look through infra/ with checkov
	@tools/check-infra

format: setup ## format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## measure, and write bench/results.json (ONLY=name,...: some)
	@$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

lock: setup ## resolve pyproject.toml into requirements*.txt again (ARGS=--upgrade: newest versions)
	$(BIN)/python tools/lock.py $(ARGS)

audit: setup ## look for known vulnerabilities in the locked packages
	@tools/audit-packages

sbom: setup ## write dist/groundswell.cdx.json: what the app is made of (CycloneDX), the same for the same lock
	@$(BIN)/python -m tools.sbom

clean: ## remove the local stack's state and all caches
	rm -rf .groundswell || buildah unshare rm -rf .groundswell # a user's builds leave files of subordinate ids
	rm -rf .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -not -path './node_modules/*' -prune -exec rm -rf {} +

distclean: clean ## remove what set-up installed into the clone, too
	rm -rf .venv node_modules *.egg-info
