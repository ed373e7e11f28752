# Each target sets up what it needs, on a fresh Debian machine that has Go. `make` alone lists them.

GO       ?= go
FUZZTIME ?= 60s
NAMES    ?=

# go test, with an account of what was skipped; SEAWALL_NO_SKIP=1 makes a skip a failure.
export SEAWALL_SKIPPED := $(CURDIR)/.build/skipped
gotest = $(GO) run ./test/setup/gotest

# The plays are whole systems: they run apart, at full speed.
house = $$($(GO) list ./... | grep -v -e /internal/arch$$ -e /packaging$$ -e /test/play)

.PHONY: help run test test-short bench drill-peers lint fuzz deb setup

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## start Seawall before a site of its own, with an attack to watch
	@$(GO) run ./cmd/seawall demo

test: lint ## everything: linters, house rules, tests with the race detector, plays, a short fuzz (20 minutes on 2 cores)
	@mkdir -p .build && rm -f $(SEAWALL_SKIPPED)
	@$(GO) vet ./...
	@$(gotest) -count=1 ./internal/arch ./packaging
	@$(gotest) -race $(house)
	@$(GO) -C tools/peers build tool # plays that run side by side should not wait for the compiler
	@if [ -d test/play ]; then $(gotest) -count=1 -timeout 15m ./test/play/...; fi
	@bash test/setup/fuzz.sh 3000x
	@$(skipped)

test-short: setup ## house rules and quick tests (3 minutes)
	@mkdir -p .build && rm -f $(SEAWALL_SKIPPED)
	@$(gotest) -count=1 ./internal/arch
	@$(gotest) -short ./...
	@$(skipped)

bench: setup ## measure Seawall beside its peers; NAMES= picks some
	@$(GO) run ./test/bench $(NAMES)

drill-peers: setup ## score Seawall and its peers under attack (an hour); NAMES= picks scenarios
	@$(GO) run ./test/drill -page docs/drill.md $(NAMES)

lint: setup ## run the linters
	@$(GO) tool -modfile=tools/go.mod golangci-lint run
	@cd tools/peers && $(GO) tool -modfile=../go.mod golangci-lint run

fuzz: setup ## run every fuzz target for FUZZTIME (60s)
	@bash test/setup/fuzz.sh $(FUZZTIME)

deb: ## build the Debian package, into dist/
	@bash packaging/deb.sh

setup:
	@bash test/setup/setup.sh
	@bash test/setup/npm.sh >/dev/null || true # it says why

skipped = if [ -s $(SEAWALL_SKIPPED) ]; then echo 'Skipped:'; sort $(SEAWALL_SKIPPED); else echo 'Nothing was skipped.'; fi
