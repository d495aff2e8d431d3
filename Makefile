# One entry for everything; `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export CGO_ENABLED := 0

COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
LDFLAGS := -s -w -X gouv.tg/messagerie/version.Commit=$(COMMIT)
TOOL := go tool -modfile=tools/go.mod
# What the end-to-end tests call and a bare machine may lack.
TEST_PROGRAMS := swaks mbsync
IMAP_CLIENTS := mbsync interimap offlineimap doveadm
FUZZTIME ?= 30s
ROUNDS ?= 20
# Flags of bench-peers, such as "-quick".
PEERS ?=

.PHONY: help up build test unit conformance e2e faults fuzz bench bench-generator bench-peers bench-sessions generate verify lint image clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

up: build ## build what is needed and bring the pilot up in the foreground: the main job on a fresh machine
	bin/messagerie up --apply examples/togo/pilot.yaml

build: ## build the binaries into bin/ (the first time compiles Kubernetes: about 10 minutes on 2 cores)
	@hack/build '$(LDFLAGS)'

test: build unit conformance e2e ## every test that needs nothing outside the machine

unit: ## unit and integration tests
	go vet ./...
	go test -timeout 20m $$(go list ./... | grep -v -e /test/e2e -e /test/faults)

e2e: build test-programs ## the whole road with real clients, and a short round of faults
	go test -count=1 -timeout 25m -v ./test/e2e/...
	go test -count=1 -timeout 20m -v ./test/faults/... -rounds 2

conformance: ## IMAP scripts and real clients (mbsync, interimap, offlineimap, doveadm) against gateway and cell
	@missing=; for p in $(IMAP_CLIENTS); do command -v $$p >/dev/null || missing=1; done; \
	if [ -n "$$missing" ]; then hack/install isync interimap offlineimap3 dovecot-imapd; fi
	go test -count=1 -timeout 15m ./test/conformance/stack -stack

.PHONY: test-programs
test-programs:
	@missing=; for p in $(TEST_PROGRAMS); do command -v $$p >/dev/null || missing=1; done; \
	if [ -n "$$missing" ]; then hack/install swaks isync; fi

faults: build test-programs ## crash tests at length: kill -9 of cell, gateway and everything, ROUNDS times each
	go test -count=1 -timeout 90m -v ./test/faults/... -rounds $(ROUNDS)

fuzz: ## every fuzz target for FUZZTIME
	hack/fuzz $(FUZZTIME)

bench: ## micro benchmarks
	go test -run '^$$' -bench . -benchmem $$(go list ./mailstack/... ./capacity/... ./loadtest/... 2>/dev/null)

bench-sessions: ## memory of 19,000 idle TLS sessions at a gateway and its cell, CPU time of commands at both; takes 3 minutes
	go run ./test/bench/sessions

bench-generator: ## what the load generator itself costs, beside smtp-source and go-imap; takes 5 minutes
	go run ./test/bench/generator

bench-peers: ## our mail stack beside Postfix and Dovecot and mox, in one run as root; takes 20 minutes
	@missing=; for p in postfix dovecot strace; do PATH=$$PATH:/usr/sbin command -v $$p >/dev/null || missing=1; done; \
	if [ -n "$$missing" ]; then hack/install postfix dovecot-imapd dovecot-lmtpd strace; fi
	go run ./test/bench/peers $(PEERS)

# Rates and shares of load tests are numbers with a fraction, which controller-gen takes only when it is told to.
generate: ## regenerate code and manifests
	$(TOOL) controller-gen object paths=./api/...
	$(TOOL) controller-gen crd:allowDangerousTypes=true paths=./api/... output:crd:dir=config/crd

verify: generate ## regenerate and fail on a difference
	git diff --exit-code -- api config
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }

lint: ## linters
	go vet ./...
	$(TOOL) staticcheck $$(go list ./... | grep -v -e /cluster/controlplane -e /cmd/messagerie -e /test/)

image: ## write OCI images into bin/image/ without a Docker daemon
	@hack/build '$(LDFLAGS)'
	go run ./hack/image

clean: ## remove what was built
	rm -rf bin test/bench/out
