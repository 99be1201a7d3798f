# `make help` lists the targets.
SHELL := /bin/bash
export PATH := $(CURDIR)/.bin:$(PATH)

.PHONY: help
help: ## show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

.PHONY: demo
demo: ## review the shipped pull request end to end on this machine
	go run ./cmd/openrabbit demo

.PHONY: up
up: ## run everything on this machine
	go run ./cmd/openrabbit up

.PHONY: test
test: ## run all tests; Postgres is found or fetched
	go test ./...
	cd deploy/check && go test ./...

.PHONY: race
race: ## run all tests under the race detector
	go test -race ./...

.PHONY: build
build: ## build the five binaries into bin/
	CGO_ENABLED=0 go build -o bin/ ./cmd/gateway ./cmd/orchestrator ./cmd/llmsvc
	CGO_ENABLED=1 go build -o bin/ ./cmd/parsersvc ./cmd/openrabbit

.PHONY: tools
tools: ## install the pinned development tools into .bin/
	tools/install

.PHONY: generate
generate: ## regenerate the gRPC stubs
	tools/install buf protoc-gen-go protoc-gen-go-grpc
	rm -rf internal/gen
	buf generate

.PHONY: lint
lint: ## run the linters and buf lint
	tools/install buf golangci-lint
	golangci-lint run ./...
	buf lint

.PHONY: breaking
breaking: ## compare the contracts with the last tag
	tools/install buf
	@tag=$$(git describe --tags --abbrev=0 2>/dev/null); \
	if [ -z "$$tag" ]; then echo "buf breaking: no baseline (no tag yet)"; else buf breaking --against ".git#tag=$$tag"; fi

.PHONY: ci
ci: ## what CI runs
	.ci/run
