#!/usr/bin/env bash
# Builds the Debian package of this working tree, without root and without the network, and prints its path:
#
#	packaging/deb.sh [FOLDER]
#
# FOLDER is dist unless it is given; GOARCH picks another architecture. What comes out depends on the commit alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
umask 022

command -v dpkg-deb >/dev/null || {
	echo "deb: no dpkg-deb: install the package dpkg" >&2
	exit 1
}
folder=${1:-dist}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
root=$stage/root doc=$stage/root/usr/share/doc/seawall
mkdir -p "$root/DEBIAN" "$root/etc/seawall/zones.d" "$doc/examples" "$folder"

export CGO_ENABLED=0 GOOS=linux
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y NEWS.md)}
export SOURCE_DATE_EPOCH

# The version is the one that go build finds in git.
build() { go build -trimpath -buildvcs=auto -ldflags='-s -w' -o "$1" ./cmd/seawall; }
program=$root/usr/bin/seawall
build "$program"
native=$program
if [[ $(go env GOARCH) != $(go env GOHOSTARCH) ]]; then
	native=$stage/seawall
	GOARCH=$(go env GOHOSTARCH) build "$native"
fi
version=$(go version -m "$program" | awk '$1 == "mod" { print $3 }')
case $version in
v*) version=${version#v} version=${version/-/\~} version=${version//-/.} ;; # a pre-release sorts before its release
*) version=0~development ;;
esac
case $(go env GOARCH) in
386) architecture=i386 ;;
arm) architecture=armhf ;;
ppc64le) architecture=ppc64el ;;
*) architecture=$(go env GOARCH) ;;
esac

put() { install -D -m "$1" "$2" "$root/$3"; } # mode, file, place
squeeze() { gzip -9n >"$1"; }
put 644 packaging/systemd/seawall.service usr/lib/systemd/system/seawall.service
put 644 packaging/systemd/packets.conf usr/share/doc/seawall/examples/packets.conf
put 644 packaging/systemd/sysusers.conf usr/lib/sysusers.d/seawall.conf
put 644 packaging/seawall.yaml etc/seawall/seawall.yaml
put 644 packaging/deb/lintian-overrides usr/share/lintian/overrides/seawall

mkdir -p "$root"/usr/share/{man/man1,man/man5,bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
"$native" man seawall.1 | squeeze "$root/usr/share/man/man1/seawall.1.gz"
"$native" man seawall.yaml.5 | squeeze "$root/usr/share/man/man5/seawall.yaml.5.gz"
"$native" completion bash >"$root/usr/share/bash-completion/completions/seawall"
"$native" completion zsh >"$root/usr/share/zsh/vendor-completions/_seawall"
"$native" completion fish >"$root/usr/share/fish/vendor_completions.d/seawall.fish"

cp README.md NEWS.md docs/{configuration,install,metrics}.md packaging/deb/copyright "$doc"
cp packaging/zone.yaml packaging/prometheus/seawall.rules.yml "$doc/examples"
cp internal/spec/config/schema.json "$doc/seawall.schema.json"
date=$(date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")
maintainer=$(sed -n 's/^Maintainer: //p' packaging/deb/control)
squeeze "$doc/changelog.gz" <<END
seawall ($version) unstable; urgency=medium

  * What changed is said in NEWS.md.

 -- $maintainer  $date
END
{
	echo "Seawall was made with Go and the modules below, each under its license."
	go version -m "$program" | awk '$1 == "dep" { print $2 }' | while read -r module; do
		find "$(go list -m -f '{{.Dir}}' "$module")" -maxdepth 1 -type f -iregex '.*/\(LICEN[CS]E\|COPYING\|NOTICE\)[^/]*' | sort |
			while read -r license; do
				printf '\n=== %s: %s\n\n' "$module" "$(basename "$license")"
				cat "$license"
			done
	done
	printf '\n=== Go: LICENSE\n\n'
	cat "$(go env GOROOT)/LICENSE"
} | squeeze "$doc/third-party-licenses.gz"
chmod -R u+w,go-w,a+rX "$doc"

size=$(du --apparent-size -sk --exclude=DEBIAN "$root" | cut -f1)
sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@SIZE@/$size/" packaging/deb/control >"$root/DEBIAN/control"
echo /etc/seawall/seawall.yaml >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do
	put 755 "packaging/deb/$script" "DEBIAN/$script"
done
(cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"

deb=$folder/seawall_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz -z1 --threads-max=1 --build "$root" "$deb" >/dev/null
echo "$deb"
