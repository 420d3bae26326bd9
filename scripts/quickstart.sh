#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# From a fresh Debian 12 to a measured router: installs what is missing, builds a
# release, starts sluice on loopback with TLS required and certificates made for the
# run, and drives 10,000 domain pairs over one encrypted stream through it, with one
# pair that fails. Further arguments go to sluice-bench.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
options=(-DSLUICE_TESTS=OFF -DSLUICE_SYSTEM_WOLFSSL=OFF)

scripts/setup.sh --build
if [[ -e .deps/wolfssl-system ]]; then
	options+=(-DSLUICE_SYSTEM_WOLFSSL=ON)
fi
cmake --preset release "${options[@]}"
cmake --build --preset release

exec build/release/sluice-bench --router build/release/sluice --tls starttls \
	--pairs 10000 --streams 1 --stanzas 1000000 --invalid 1 "$@"
