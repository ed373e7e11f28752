#!/usr/bin/env bash
# Fetches http-cache-tests, a suite of tests for HTTP caches, with what its command line needs, into a folder outside the tree, and
# prints that folder. Versions and checksums are pinned; what does not match is not used. Without npm or network it says so.
set -euo pipefail

# name version integrity (as npm's registry has it), the suite first
packages=(
	'http-cache-tests 0.4.5 DjuwN9nUZXLTW+wav1LRESCZNVxl8SshwOy4z1pxuWbWt5/ay6sM9QQ1lebBaDO6P1IMBoK6mdf+PuVP/QNL8A=='
	'node-fetch 2.7.0 c4FRfUm/dbcWZ7U+1Wq0AwCyFL+3nt2bEw05wfxSz+DWpWsitgmSgYmy2dQdWyKC1694ELPqMs/YzUSNozLt8A=='
	'whatwg-url 5.0.0 saE57nupxk6v3HY35+jzBwYa0rKSy0XR8JSxZPwgLr7ys0IBzhGviA1/TUGJLmSVqs8pb9AnvICXEuOHLprYTw=='
	'tr46 0.0.3 N3WMsuqV66lT30CrXNbEjx4GEwlow3v6rr4mCcv6prnfwhS01rkgyFdjPNBYd9br7LpXV1+Emh01fHnq2Gdgrw=='
	'webidl-conversions 3.0.1 2JAn3z8AR6rjK8Sm8orRC0h/bcl/DqL7tRPdGZ4I1CjdF+EaMLmYxBHyXuKL849eucPFhvBoxMsflfOb8kxaeQ=='
)

suite=${SEAWALL_CACHE_TESTS:-${XDG_CACHE_HOME:-$HOME/.cache}/seawall/http-cache-tests-0.4.5}
if [[ -d $suite ]]; then
	echo "$suite"
	exit 0
fi
if ! command -v npm >/dev/null; then
	echo "setup: no npm: the play of http-cache-tests will skip (Debian packages nodejs and npm)" >&2
	exit 1
fi

mkdir -p "$(dirname "$suite")"
work=$(mktemp -d "$suite.XXXXXX")
trap 'rm -rf "$work"' EXIT
for package in "${packages[@]}"; do
	read -r name version integrity <<<"$package"
	archive=$work/$(cd "$work" && npm pack --silent "$name@$version")
	if [[ $(openssl dgst -sha512 -binary "$archive" | base64 -w0) != "$integrity" ]]; then
		echo "setup: $name $version is not what it was: its checksum has changed" >&2
		exit 1
	fi
	folder=$work/suite
	[[ $name == http-cache-tests ]] || folder+=/node_modules/$name
	mkdir -p "$folder"
	tar --extract --gzip --file "$archive" --directory "$folder" --strip-components=1
done
# Two runs may meet here: who comes second finds the folder there, and that is as good.
mv --no-target-directory "$work/suite" "$suite" 2>/dev/null || [[ -d $suite ]]
echo "$suite"
