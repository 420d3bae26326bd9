#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Half of the load that this machine sustains, for an hour, while streams end (in order, by an error,
# without a word, by a reset in the middle of their claims), are opened anew with other pairs, and claim
# a false key each. Every stanza is checked. The router's resident memory is sampled and its slope printed,
# for the second half of the time as well, when caches are full and everything has been touched once.
# Exit code 1 when a check fails; the slope is for people to judge.
#
#     scripts/soak.sh [--minutes N] [--rate R] [--churn C] [--workers N] [--build DIR] [-- ARG...]
#
# --rate: messages a second; without it half of what a run of a few seconds takes. ARG: more arguments
# for sluice-bench.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
minutes=60 rate= churn=2 workers=2 build=build/release
while (($#)); do
	case $1 in
	--minutes) minutes=$2 ;;
	--rate) rate=$2 ;;
	--churn) churn=$2 ;;
	--workers) workers=$2 ;;
	--build) build=$2 ;;
	--)
		shift
		break
		;;
	*)
		echo "soak.sh: $1: unexpected; see the head of this script" >&2
		exit 2
		;;
	esac
	shift 2
done

load=("$build/sluice-bench" --router "$build/sluice" --workers "$workers" --pairs 10000 --streams 100 "$@")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

if [[ -z $rate ]]; then
	"${load[@]}" --stanzas 5000000 --json 2>"$folder/probe" >"$folder/probe.json" || {
		cat "$folder/probe"
		exit 1
	}
	rate=$(python3 -c 'import json, sys
print(int(json.load(sys.stdin)["figures"]["stanzas_rate"]["median"] / 2))' <"$folder/probe.json")
fi
echo "$rate messages a second for $minutes minutes, $churn streams a second opened anew, $workers workers"

"${load[@]}" --rate "$rate" --stanzas $((rate * 60 * minutes)) --churn "$churn" --rough >"$folder/report" 2>&1 &
bench=$!
began=$(date +%s)
step=$((minutes < 10 ? 2 : minutes * 60 / 120))

# The router is the bench's only child. Six seconds are for what comes before the load.
router=
for ((i = 0; i < 100; i++)); do
	router=$(cat "/proc/$bench/task/$bench/children" 2>/dev/null || true)
	[[ -z $router ]] || break
	sleep 0.1
done
sleep 6
printf '%10s %14s\n' seconds 'resident KiB'
while kill -0 "$bench" 2>/dev/null; do
	resident=$(awk '/^VmRSS:/ { print $2 }' "/proc/${router// /}/status" 2>/dev/null || true)
	[[ -n $resident ]] || break
	printf '%10d %14d\n' $(($(date +%s) - began)) "$resident" | tee -a "$folder/samples"
	sleep "$step"
done

code=0
wait "$bench" || code=$?
# Least squares, over all samples and over the later half.
[[ ! -s $folder/samples ]] || awk '
	function slope(from,    i, n, x, y, xx, xy) {
		n = x = y = xx = xy = 0
		for (i = from; i <= NR; i++) {
			n++; x += at[i]; y += kib[i]; xx += at[i] * at[i]; xy += at[i] * kib[i]
		}
		return n * xx > x * x ? (n * xy - x * y) / (n * xx - x * x) * 3600 : 0
	}
	{ at[NR] = $1; kib[NR] = $2 }
	END {
		printf "slope of resident memory: %.0f KiB an hour; in the second half %.0f KiB an hour\n",
			slope(1), slope(int(NR / 2) + 1)
	}' "$folder/samples"
cat "$folder/report"
exit "$code"
