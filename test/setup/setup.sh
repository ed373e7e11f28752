#!/usr/bin/env bash
# Installs what the targets of the Makefile need besides Go. It says nothing when everything is there. Without root or
# apt-get it names what is missing; the tests that need it skip then, and say so.
set -euo pipefail

packages=(
	gcc libc6-dev                # go test -race
	curl openssl wget            # clients
	wrk nghttp2-client           # clients that are loads
	chromium slowhttptest        # clients of other kinds
	testssl.sh                   # a critic of TLS
	haproxy nginx varnish caddy  # peers, and origins
	iproute2 nftables            # network namespaces: several hosts on one machine; their firewalls
	ethtool iptables             # how they receive; another firewall, to compare with
	clang-14 llvm-14             # the packet filter's program, to prove that the object is that of its source
	python3-doc                  # a real site's worth of static files
	php-fpm dokuwiki             # a real application; in this order, or it comes with Apache
	zsh fish groff systemd       # what reads completions, pages and units
	ca-certificates git make
)

command -v npm >/dev/null || packages+=(nodejs npm) # whoever has them may have them from elsewhere

if ! command -v go >/dev/null; then
	echo "setup: no Go: install the version that go.mod names, from https://go.dev/dl" >&2
	exit 1
fi

missing=()
for package in "${packages[@]}"; do
	state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
	[[ $state == installed ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
	echo "setup: missing: ${missing[*]}: tests that need them will skip (as root on Debian, this would install them)" >&2
	exit 0
fi

echo "setup: installing ${missing[*]}"
# Debian starts a server when it installs it, unless this file says no, and with every boot. Tests start their own.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
	trap 'rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
began=$(mktemp)
if ! { apt-get update && apt-get install --yes --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
	cat "$log" >&2
	exit 1
fi
if [[ -d /etc/systemd/system ]]; then
	find /etc/systemd/system -type l -path '*.wants/*' -newer "$began" -delete
fi
rm "$log" "$began"
