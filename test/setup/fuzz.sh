#!/usr/bin/env bash
# Runs every fuzz target of the module, one after another: fuzz.sh TIME (60s, or 1000x for a number of inputs).
set -euo pipefail
fuzztime=${1:?usage: fuzz.sh TIME}

# go test -list prints the names of a package's targets, then its "ok" line.
go test -list '^Fuzz' ./... |
	awk '/^Fuzz/ { names[n++] = $1 } /^ok/ { for (i = 0; i < n; i++) print $2, names[i]; n = 0 }' |
	while read -r package target; do
		echo "fuzz: $target in ${package#github.com/seawall/seawall/}"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" -fuzzminimizetime 100x "$package" </dev/null # minimising may eat all the time
	done
