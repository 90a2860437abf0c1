# The words of the README. Every step builds with the same flags, so that no step undoes another's work.
.DEFAULT_GOAL := help
.PHONY: help deps test-deps build build-tests run test lint format check-examples release deb bench kill9 oracle \
	reload-storm terminal-faults disk-full failed-sync fuzz simulate clean

# A target that imports what it does not declare fails to build.
BUILD_FLAGS := --explicit-target-dependency-import-check error
MUSTER := .build/debug/muster
SOURCES := Sources Plugins Tests Package.swift

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

deps: ## installs what the machine lacks, says what, and touches nothing when nothing is missing
	@.ci/install-deps

test-deps: deps ## the same for the tests: servers that they start themselves
	@.ci/install-deps --tests

build: deps
	swift build --product muster $(BUILD_FLAGS)

build-tests: test-deps
	swift build --build-tests $(BUILD_FLAGS)

run: build ## builds, then collects punches from simulated terminals; Ctrl-C ends it
	$(MUSTER) run --config examples/simulator.yaml

# The integration tests wait for other processes, in real time: they run alone, the others side by side.
test: build-tests ## builds and runs every test
	swift test --skip-build --disable-xctest $(BUILD_FLAGS) --skip IntegrationTests
	swift test --skip-build --disable-xctest $(BUILD_FLAGS) --filter IntegrationTests --no-parallel

lint: ## layout and habits of the sources
	swift format lint --strict --recursive --parallel $(SOURCES)

format: ## lays the sources out
	swift format --in-place --recursive --parallel $(SOURCES)

check-examples: build ## the examples are valid configurations
	@for file in examples/*.yaml; do $(MUSTER) check --config "$$file" || exit; done

# The Swift runtime inside: the target machine needs no toolchain, and commands start faster.
RELEASE_FLAGS := -c release --static-swift-stdlib $(BUILD_FLAGS)

release: deps ## an optimised binary at .build/release/muster, which runs without a toolchain
	swift build --product muster $(RELEASE_FLAGS)

deb: release ## a Debian package in .build/, with unit, user, man page and completions
	examples/packaging/debian/build.sh .build/release/muster .build

# The environment that the tests make as well; whoever comes first installs it.
PYZK := .build/python/pyzk==0.9

# Peers of the PostgreSQL benchmark.
DJANGO := .build/python/django==5.2.9

bench: release test-deps ## times muster against pyzk, Django and psql; delivers a million punches; measures latency
	@[ -e $(PYZK)/complete ] || { python3 -m venv --clear $(PYZK) && $(PYZK)/bin/python -m pip install --quiet \
		--disable-pip-version-check pyzk==0.9 && touch $(PYZK)/complete; }
	@[ -e $(DJANGO)/complete ] || { python3 -m venv --clear $(DJANGO) && $(DJANGO)/bin/python -m pip install --quiet \
		--disable-pip-version-check django==5.2.9 'psycopg[binary]==3.2.13' && touch $(DJANGO)/complete; }
	python3 Tests/Benchmarks/sync.py .build/release/muster $(PYZK)/bin/python
	python3 Tests/Benchmarks/tail.py .build/release/muster
	python3 Tests/Benchmarks/postgres.py .build/release/muster $(DJANGO)/bin/python

kill9: release ## kills `muster run` 50 times under load and compares journal, file sink and devices
	python3 Tests/Faults/kill9.py .build/release/muster

oracle: release test-deps ## 500 kills, 50 crashes of PostgreSQL, cut answers, an outage; the database judges (25 minutes)
	python3 Tests/Faults/oracle.py .build/release/muster

reload-storm: release ## reloads a host of 200 devices 200 times in a minute, with half of the files invalid
	python3 Tests/Faults/reload.py .build/release/muster

terminal-faults: release ## everything that can go wrong with a terminal, for ten minutes; its truth is the judge
	python3 Tests/Faults/terminal_faults.py .build/release/muster

disk-full: release ## fills the journal's disk at 200 places of its writes (as root: it mounts a tmpfs)
	python3 Tests/Faults/disk_full.py .build/release/muster

failed-sync: release ## lets the journal's syncs fail 20 times: the host stops and acknowledges nothing more
	python3 Tests/Faults/failed_sync.py .build/release/muster

SEEDS := 300

simulate: deps ## a fleet of 500 devices over 30 days of virtual time, for SEEDS seeds (300), in an optimised program
	swift build --product simulate $(RELEASE_FLAGS)
	.build/release/simulate 1 $(SEEDS)

FUZZ_SECONDS := 60

fuzz: deps ## runs the decoders of frames, records, events, chunks and YAML under libFuzzer, FUZZ_SECONDS each
	@for target in frames records events chunks yaml; do Tests/Fuzz/run.sh $$target $(FUZZ_SECONDS) || exit; done

clean: ## removes what was built, keeps muster-data
	rm -rf .build .build-fuzz
