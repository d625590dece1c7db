# Everything one does with this project; `make help` lists it.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
AGENCYSTACK := $(BIN)/agencystack
PYTEST_ARGS :=
# Most tests wait for products more than they compute.
WORKERS := 3
HISTORIES := 100000
MINUTES := 5

TYPES := email sso monitoring data-bridge
INTEGRATE := $(addprefix integrate-,$(TYPES) components)
WORDS := $(filter-out $(INTEGRATE),$(MAKECMDGOALS))

.DEFAULT_GOAL := help
.PHONY: $(INTEGRATE) environment

environment: # quiet when there is nothing to do; says on standard error what it does
	@scripts/setup $(VENV)

ifneq ($(filter $(INTEGRATE),$(MAKECMDGOALS)),)

# What follows -- is for the command line tool: make integrate-email -- --client acme --auto. make takes these words
# for goals. So while an integrate-* goal is there no other goal does anything, and standard output is the tool's alone.
# Without the dashes a word is a mistake.
MAKEFLAGS += --silent --no-print-directory
DASHES := $(shell tr '\0' '\n' < /proc/$$PPID/cmdline | grep -x -e --)
ifeq ($(DASHES)$(WORDS),$(WORDS))
ifneq ($(WORDS),)
$(error words for agencystack follow two dashes: make $(firstword $(filter $(INTEGRATE),$(MAKECMDGOALS))) -- $(WORDS))
endif
endif

$(addprefix integrate-,$(TYPES)): environment
	scripts/integrate $(AGENCYSTACK) $(@:integrate-%=%) $$PPID

integrate-components: environment
	scripts/integrate $(AGENCYSTACK) all $$PPID

.DEFAULT:
	:

else

.PHONY: help setup demo test test-live bench soak lint lint-python lint-php lint-shell lock schemas docs sandbox-deps

help: ## list what can be done
	@awk 'BEGIN { FS = ":.*## " } /^[a-z][a-z-]*:.*## / { printf "  make %-22s %s\n", $$1, $$2 }' Makefile
	@printf '\nOptions of the integrate targets follow two dashes: make integrate-email -- --client acme --auto\n'

setup: environment ## build .venv: every package pinned and checked by hash

demo: environment ## show the whole of it on a sandbox: plan, integrate, prove, drift, undo (Ctrl-C ends it)
	@$(BIN)/python scripts/demo.py

test: environment ## run the tests, WORKERS (3) at a time; PYTEST_ARGS="-k name" runs some
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

test-live: environment ## run contract suite and proofs against what AGENCYSTACK_TEST_STACK=stack.yaml names
	@scripts/test-live $(BIN)/pytest $(PYTEST_ARGS)

bench: environment ## measure against bare loaders, as ratios; writes benchmarks/results.json
	@$(BIN)/python -m benchmarks

soak: environment ## run HISTORIES (100000) random histories of the data bridge, and MINUTES (5) of workers that are killed
	@scripts/soak $(HISTORIES)
	@scripts/soak-workers $(MINUTES)

lint: lint-python lint-php lint-shell ## check style, types, import directions, PHP and shell

lint-python: environment
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

lint-php:
	@scripts/lint-php

lint-shell:
	@scripts/lint-shell

schemas: environment ## write the JSON schemas and docs/capabilities.md from the code
	@$(BIN)/python -m agencystack.stack.schema > src/agencystack/schemas/stack.schema.json
	@$(BIN)/python -m agencystack.cli.schemas src/agencystack/schemas
	@$(BIN)/python -m agencystack.engine.capabilities > docs/capabilities.md

lock: ## pin the newest versions of all dependencies (needs pip-tools)
	@scripts/lock

sandbox-deps: ## install what makes the sandbox's products real, on Debian (WordPress, MariaDB, Postfix, Dovecot)
	@scripts/sandbox-deps

# Only here to be listed; see above for what they do.
integrate-email: ## connect every application's mail to Mailu, and prove it
integrate-sso: ## connect logins to Keycloak
integrate-monitoring: ## connect logs and checks to Grafana, Loki and Uptime Kuma
integrate-data-bridge: ## keep WordPress and ERPNext in step, both ways
integrate-components: ## all of these

endif
