#!/bin/bash
# Brings what `make aarch64` needs, besides what tools/setup.sh does: a cross compiler, and in .deps/aarch64 (560 MB) ExecuTorch and OpenVINO
# for 64-bit Arm, and a root folder of Debian 12's packages for it, which are unpacked and not configured. Making that needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/wheels.sh

tools/packages.sh aarch64
unpack_requirements tools/requirements-aarch64.txt .deps/aarch64

root=.deps/aarch64/root
include=python3-pytest,python3-numpy,libpython3-dev,$(grep -oP '^build \K.*-dev$' tools/packages.txt | paste -sd,)
[ "$(cat $root.stamp 2>/dev/null)" != "$include" ] || exit 0
if [ "$(id -u)" != 0 ]; then
  echo "This makes a root folder of Debian, which needs root: sudo $0" >&2
  exit 1
fi
echo "Making a root folder of Debian 12 for 64-bit Arm (120 MB of downloads)"
rm -rf $root
debootstrap --foreign --arch=arm64 --variant=minbase --include="$include" bookworm $root >$root.log 2>&1 || {
  tail -5 $root.log >&2
  exit 1
}
for package in "$root"/var/cache/apt/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C $root
done
rm -rf $root/var/cache/apt/archives $root/proc
mkdir $root/proc
echo "$include" >$root.stamp
