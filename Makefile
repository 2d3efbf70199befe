# Every verb does its own set-up. `make demo` and `make test` are the two a newcomer needs.
#
#   demo    build, pack a site, serve it, deploy it, change it under load, roll it back
#   test    lint, unit, property, crash and end-to-end tests
#   lint    style, types, layers, sans-I/O rules
#   aarch64 scripts translated for the other machine, run under emulation
#   bench   ourselves beside nginx and Caddy, on this machine
#   verify  every claim of the README, tried
#   systemd a whole Debian booted in a container: deployments, power loss, timers (root only)
#   fuzz    the parsers of outside bytes (FUZZ_SECONDS each, 60 by default)
#   soak    the long runs: many reloads and deployments under load
#   crash   every crash point of a deployment, counted
#   docs    the manual, built into sites/docs
#   clean   all that the verbs have made

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test lint aarch64 bench verify fuzz soak systemd crash docs clean build tools unit e2e rust-test

VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(BIN)/python
ENGINE := zeroserve/engine
CARGO := cargo
MANIFEST := --manifest-path $(ENGINE)/Cargo.toml
FUZZ_SECONDS ?= 60
# One pytest worker a core; the end-to-end tests bind their own ports and keep to themselves.
JOBS ?= auto

# BoringSSL's build takes cmake, ninja and libclang from the virtual environment: no system package.
export PATH := $(abspath $(BIN)):$(PATH)
# By the shell, not `wildcard`: make would remember that the folder was not there when it started.
export LIBCLANG_PATH = $(shell echo $(abspath $(VENV))/lib/python3*/site-packages/clang/native)
export BINDGEN_EXTRA_CLANG_ARGS = -I$(shell gcc -print-file-name=include 2>/dev/null)
export VIRTUAL_ENV := $(abspath $(VENV))
export PIP_DISABLE_PIP_VERSION_CHECK := 1

RUST_SOURCES := $(shell find $(ENGINE) \( -name fuzz -o -name ubpf \) -prune -o \( -name '*.rs' -o -name 'Cargo.*' -o -name '*.toml' \) -print)

help:
	@sed -n 's/^#   //p' Makefile

tools:
	@sh .ci/check-tools

$(VENV)/.ready: requirements/dev.lock | tools
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes --requirement requirements/dev.lock
	touch $@

# maturin compiles the crate, writes its C declarations for cffi and installs the package editable.
$(VENV)/.engine: $(VENV)/.ready $(RUST_SOURCES) pyproject.toml zeroserve/pack/mime.tsv
	rm -f target/maturin/header.h # an old one would be preferred to a new one
	$(BIN)/maturin develop --release --locked --quiet
	touch $@

build: $(VENV)/.engine

demo: build
	$(PYTHON) deploy/demo.py

lint: build
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(CARGO) fmt $(MANIFEST) --all --check
	$(CARGO) clippy $(MANIFEST) --locked --quiet --release --workspace --all-targets -- -D warnings

rust-test: build
	ZS_SCRIPT_PROGRAMS=500 ZS_PYTHON=$(abspath $(PYTHON)) $(CARGO) test $(MANIFEST) --locked --quiet --package zs-proto --package zs-archive --package zs-script --package zs-chain
	ZS_SCRIPT_PROGRAMS=500 $(CARGO) test --manifest-path $(ENGINE)/script/ubpf/Cargo.toml --locked --quiet
	$(CARGO) test $(MANIFEST) --locked --quiet --release --package zeroserve-engine

# Few programs: each is compiled under emulation, by a compiler that is emulated, too. Among 60 there was none
# that a load without its sign would have shown; there is among 300. What the loader
# refuses is the same on every machine and not tried here.
aarch64: export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER = aarch64-linux-gnu-gcc
aarch64: export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER = qemu-aarch64 -L /usr/aarch64-linux-gnu
aarch64: | tools
	ZS_SCRIPT_PROGRAMS=300 sh tests/tools/aarch64 $(CARGO) test $(MANIFEST) --locked --quiet --package zs-script --target aarch64-unknown-linux-gnu \
		--lib --test differential --test hostile --test runs --test verifier

unit: build
	$(PYTHON) -m pytest -n $(JOBS) -m "not e2e and not conformance and not systemd"

# Counterparts that we did not write: installed first, named with their versions by the run itself.
e2e: build
	sh tests/tools/install
	$(PYTHON) -m pytest -n 2 --dist loadgroup -m "e2e or conformance" --durations 25

# A machine that can't have the emulator or the other target has the rest of the tests, and is told.
test: export ZEROSERVE_AARCH64_OPTIONAL = 1
test: lint rust-test unit e2e aarch64

bench: build
	$(PYTHON) -m bench
	$(PYTHON) -m bench --scripts
	$(PYTHON) -m bench --runaway --rounds 3

verify: build
	$(PYTHON) -m bench.verify

systemd: build
	sh tests/tools/install systemd
	$(PYTHON) -m pytest -m systemd tests/systemd

soak: build
	sh tests/tools/install
	PYTHONPATH=tests $(PYTHON) -m soak.soak
	ZEROSERVE_SOAK=1 $(PYTHON) -m pytest -m e2e tests/e2e/test_reload_under_load.py tests/e2e/test_million_members.py

crash: build
	$(PYTHON) -m pytest -n $(JOBS) tests/crash

fuzz: build
	$(ENGINE)/fuzz/run $(FUZZ_SECONDS)

docs: build
	$(PYTHON) -m sphinx -W -q -E -b dirhtml -d build/doctrees docs sites/docs

clean:
	rm -rf $(VENV) target build zeroserve/_engine/lib_engine.so zeroserve/_engine/ffi.py zeroserve/_engine/__init__.py
