#!/usr/bin/env bash
# Makes a Debian package of an optimised binary: build.sh PATH-OF-MUSTER [DIRECTORY]
# The binary should hold the Swift runtime (--static-swift-stdlib); other libraries become dependencies.
set -euo pipefail
binary=$(realpath "$1")
output=$(realpath "${2:-.}")
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)

version=$("$binary" --version)
maintainer="${DEBFULLNAME:-Muster} <${DEBEMAIL:-packages@muster.example.org}>"
architecture=$(dpkg --print-architecture)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
tree=$stage/tree
chmod 755 "$stage"
umask 022

put() { install -D -m "$1" "$2" "$tree/$3"; }

put 755 "$binary" usr/bin/muster
strip --strip-unneeded --remove-section=.comment "$tree/usr/bin/muster"
put 644 "$root/examples/systemd/muster.service" usr/lib/systemd/system/muster.service
put 644 "$here/sysusers.conf" usr/lib/sysusers.d/muster.conf
put 644 "$here/muster.yaml" etc/muster/muster.yaml

python3 "$root/examples/packaging/man.py" "$binary" >"$stage/muster.1"
gzip -9n "$stage/muster.1"
put 644 "$stage/muster.1.gz" usr/share/man/man1/muster.1.gz
for shell in bash zsh fish; do "$binary" --generate-completion-script $shell >"$stage/$shell"; done
# It is sourced, so that a shell to run it with is out of place.
sed -i '1{/^#!/d}' "$stage/bash"
put 644 "$stage/bash" usr/share/bash-completion/completions/muster
put 644 "$stage/zsh" usr/share/zsh/vendor-completions/_muster
put 644 "$stage/fish" usr/share/fish/vendor_completions.d/muster.fish

documents=usr/share/doc/muster
put 644 "$root/README.md" $documents/README.md
for file in office.yaml sinks.yaml simulator.yaml grafana/muster.json prometheus/muster-rules.yaml; do
    put 644 "$root/examples/$file" "$documents/examples/${file##*/}"
done
{
    echo "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
    echo "Upstream-Name: muster"
    echo
    echo "Files: *"
    echo "Copyright: 2026 the authors of Muster"
    echo "License: Apache-2.0"
    echo " On Debian systems the text of the licence stands in /usr/share/common-licenses/Apache-2.0."
    echo " The binary holds the Swift runtime and libraries of the Swift project and of others under the same licence,"
    echo " BoringSSL (ISC and OpenSSL licences) and GRDB (MIT)."
} >"$stage/copyright"
put 644 "$stage/copyright" $documents/copyright
{
    echo "muster ($version) unstable; urgency=medium"
    echo
    sed -n 's/^- /  * /p; s/^  \([^ ]\)/    \1/p' "$root/CHANGELOG.md" | fold -s -w 76 | sed 's/^\([^ ]\)/    \1/; s/ *$//'
    echo
    echo " -- $maintainer  $(date -Ru -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}")"
} | gzip -9n >"$stage/changelog.gz"
put 644 "$stage/changelog.gz" $documents/changelog.gz

# What the binary needs of the system, by the packages of this machine.
mkdir -p "$stage/debian"
printf 'Source: muster\n\nPackage: muster\nArchitecture: any\nDescription: x\n' >"$stage/debian/control"
libraries=$(cd "$stage" && dpkg-shlibdeps -O --ignore-missing-info -e"$tree/usr/bin/muster" 2>/dev/null |
    sed -n 's/^shlibs:Depends=//p')

mkdir -p "$tree/DEBIAN"
cat >"$tree/DEBIAN/control" <<TEXT
Package: muster
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -sk "$tree" | cut -f1)
Depends: $libraries, init-system-helpers (>= 1.54), tzdata
Recommends: ca-certificates
Suggests: postgresql, prometheus
Section: net
Priority: optional
Description: collects punches from time-and-attendance terminals
 Muster reads ZKTeco terminals, keeps every punch in a journal on disk before
 the terminal hears that it arrived, and hands it on to PostgreSQL, webhooks,
 MQTT, Frappe HR, Odoo and files. One YAML file says what goes where.
TEXT
echo /etc/muster/muster.yaml >"$tree/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m 755 "$here/$script" "$tree/DEBIAN/$script"; done
(cd "$tree" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)

package=$output/muster_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$tree" "$package" >/dev/null
echo "$package"
