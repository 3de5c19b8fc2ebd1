# SPDX-License-Identifier: GPL-3.0-or-later
# Every target sets up what it needs. `make` alone prints what there is.
SHELL := /bin/bash
PYTHON := .venv/bin/python
# What Python compiled is kept here, whatever a user's settings say of it, and not among the sources.
PYTEST := env -u PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX=$(CURDIR)/build/bytecode $(PYTHON) -m pytest
SHARD ?= 1/1
PROFILE ?=
DIR ?= build/repository
ARGS ?=
# V=1 shows all that the programs of a build say; make hands it on. Else it goes to build/log/.
# What needs no virtual PC runs in a process for each processor, each with mounts of its own.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist worksteal
# The unit tests wait for servers and deadlines a third of their time: one process more than that.
WITH_WAITS := -n $(shell expr $$(nproc) + 1) --maxprocesses 5 --dist worksteal
SLOWEST := --durations=20 --durations-min=1

.PHONY: help setup check test test-all fuzz bench image clonezilla golden golden-dracut artefacts demo serve clean

help: ## this list
	@echo "ogLive: capture, restore and fit operating systems on many PCs"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## bring a fresh Debian 12 or 13 to readiness (quick when it is)
	@./setup

check: setup ## the inner loop: format, lint, types, dead code, unit and property tests (two to three minutes)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -m vulture
	TRYING=quick $(PYTEST) $(WITH_WAITS) tests/unit tests/fuzz -q

image: setup ## build ogLive (PROFILE=test or debug for the other profiles; V=1 says all)
	image/build $(if $(PROFILE),--profile $(PROFILE))

clonezilla: setup ## build Debian's Clonezilla, which the tests compare ogLive with
	image/clonezilla/build

golden: setup ## build the small Debian that the tests capture and restore
	image/golden/build

golden-dracut: golden # the same with dracut, for what is adapted to other hardware
	image/golden-dracut/build

# What the virtual machines need; each step is quick when nothing changed.
artefacts: setup
	image/build
	image/build --profile test
	image/golden/build

# tests/unit has processes of its own: those of tests/disk start programs, for which they must be
# small (tests/smallness.py).
test: artefacts ## the covering set: real tools, real disks, network boots (needs root)
	$(PYTEST) $(WITH_WAITS) $(SLOWEST) tests/unit tests/fuzz $(ARGS)
	$(PYTEST) $(SIDE_BY_SIDE) $(SLOWEST) tests/power tests/disk $(ARGS)
	$(PYTEST) $(SLOWEST) tests/qemu --covering $(ARGS)

test-all: artefacts clonezilla golden-dracut ## everything; SHARD=i/n runs one part of it (needs root)
	$(PYTEST) $(WITH_WAITS) $(SLOWEST) tests/unit tests/fuzz --shard $(SHARD) $(ARGS)
	$(PYTEST) $(SIDE_BY_SIDE) $(SLOWEST) tests/power tests/disk --all-states --shard $(SHARD) $(ARGS)
	$(PYTEST) $(SLOWEST) tests/qemu --shard $(SHARD) $(ARGS)

fuzz: setup ## every parser against thousands of hostile inputs (ten minutes or so)
	TRYING=fuzz $(PYTEST) tests/fuzz -q $(ARGS)

bench: setup ## restore and capture side by side with the peers' pipelines (needs root, an idle machine)
	@$(PYTHON) -c 'import matplotlib' 2>/dev/null || \
	    $(PYTHON) -m pip --quiet install --disable-pip-version-check --editable '.[bench]'
	$(PYTHON) -m bench $(ARGS)

demo: artefacts ## watch a blank UEFI PC become a working Debian over the network (needs root)
	PYTHONPATH=tests/qemu $(PYTHON) tests/qemu/demo.py

serve: setup ## serve a repository from DIR (default build/repository, made when missing)
	@[ -e "$(DIR)/private/image.key" ] || .venv/bin/ogrepo keygen $(DIR)
	.venv/bin/ogrepo serve $(DIR)

clean: ## remove build/ (caches in ~/.cache/oglive stay)
	rm -rf build
