#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sets up, builds and runs every test, and closes with "N passed, N failed".
#
#   scripts/test.sh          release, sanitizers (ThreadSanitizer too), fuzz targets, clang's warnings, interoperability
#   scripts/test.sh --fast   release build and unit tests only
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
reports=$PWD/build/reports
options=(-DSLUICE_TESTS=ON) # quickstart.sh leaves a build folder without them
reported=()

step() { printf '\n== %s\n' "$*"; }

build() {
	step "build: $1"
	cmake --preset "$1" "${options[@]}"
	cmake --build --preset "$1"
}

# A failing test must not keep the others from running: the reports tell.
unit_tests() {
	step "unit tests: $1"
	reported+=("$reports/ctest-$1.xml")
	ctest --preset "$1" -j"$(nproc)" --output-junit "$reports/ctest-$1.xml" || true
}

# BUILD [FILE...]: of tests/interop, all unless said otherwise.
interop_tests() {
	local status=0 files=(tests/interop)
	(($# == 1)) || files=("${@:2}")
	step "interoperability: $1"
	reported+=("$reports/interop-$1.xml")
	# Debian's Python by its path: python3-slixmpp is for no other.
	SLUICE_BUILD=build/$1 /usr/bin/python3 -m pytest -q -p no:cacheprovider \
		--junitxml "$reports/interop-$1.xml" "${files[@]}" || status=$?
	# 1: a test failed, and the report says so. 5: no test there. Otherwise pytest
	# itself failed; a report that cannot be read counts as a failure.
	case $status in
	0 | 1 | 5) ;;
	*) printf 'pytest failed with status %d\n' "$status" >"$reports/interop-$1.xml" ;;
	esac
}

# Rules taken out of the router, one at a time: the rows that they are for must fail.
broken_rules() {
	step "rules taken out"
	reported+=("$reports/taken-out.xml")
	python3 scripts/break_rules.py --junit "$reports/taken-out.xml" || true
}

# Checks left out of the scanner, one at a time: a test that is for it must fail.
broken_scanner() {
	step "checks of the scanner left out"
	reported+=("$reports/broken-scanner.xml")
	python3 scripts/break_scanner.py --junit "$reports/broken-scanner.xml" || true
}

# Every fuzz target for so many executions, the same ones each time. The long run is
# scripts/fuzz.py without --runs.
fuzz_runs() {
	step "fuzz targets, $1 executions each"
	reported+=("$reports/fuzz.xml")
	python3 scripts/fuzz.py --runs "$1" --junit "$reports/fuzz.xml" || true
}

# A short form of the hour that docs/benchmarking.md tells of: streams and pairs come and go beside steady
# traffic, and every stanza is checked. A slow rate: other things run on a machine of tests.
soak() {
	local log=$reports/soak.log failure=
	scripts/soak.sh --minutes 5 --rate 20000 >"$log" 2>&1 ||
		failure='<failure message="scripts/soak.sh failed: see soak.log"/>'
	printf '<testsuite name="soak" tests="1"><testcase name="five_minutes">%s</testcase></testsuite>\n' \
		"$failure" >"$reports/soak.xml"
}

main() {
	local fast=0 arg
	for arg in "$@"; do
		case $arg in
		--fast) fast=1 ;;
		*)
			printf 'test: unknown option %s (known: --fast)\n' "$arg" >&2
			exit 2
			;;
		esac
	done
	scripts/setup.sh
	# Said both ways, so that a build folder made before a change of mind follows.
	if [[ -e .deps/wolfssl-system ]]; then
		options+=(-DSLUICE_SYSTEM_WOLFSSL=ON)
	else
		options+=(-DSLUICE_SYSTEM_WOLFSSL=OFF)
	fi
	rm -rf "$reports"
	mkdir -p "$reports"

	build release
	unit_tests release
	if ((!fast)); then
		build debug
		unit_tests debug
		build tsan
		unit_tests tsan
		broken_rules
		broken_scanner
		fuzz_runs 20000
		build clang
		# Beside those that mostly wait for other servers.
		reported+=("$reports/soak.xml")
		soak &
		interop_tests release
		interop_tests debug
		interop_tests tsan tests/interop/test_outward_many.py # two workers, and real servers
		wait
		step "soak: five minutes, beside them"
		tail -n 60 "$reports/soak.log"
	fi

	step "rows"
	python3 scripts/rows.py "${reported[@]}" || true # ctest has it as rule.rows
	step "all tests"
	python3 scripts/count_tests.py "${reported[@]}"
}

main "$@"
