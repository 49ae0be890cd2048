#!/bin/bash
# Tests the wheel in build/wheel with Debian 13's own CPython 3.13 and NumPy, in a root folder of its own, .deps/debian13 (330 MB, made at
# the first use). Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
  echo "This makes a root folder of Debian 13 and enters it, which needs root: sudo $0" >&2
  exit 1
fi
[ -d build/wheel ] || tools/wheel.sh
root=.deps/debian13
if [ ! -e $root.made ]; then
  tools/packages.sh debian13
  echo "Making a minimal Debian 13 (110 MB of downloads)"
  rm -rf $root
  debootstrap --variant=minbase --include=python3-numpy,python3-pytest trixie $root >.deps/debian13.log 2>&1 || {
    tail -5 .deps/debian13.log >&2
    exit 1
  }
  touch $root.made
fi
rm -rf $root/project
mkdir -p $root/project/python $root/project/tests/data
cp -r python/tests python/README.md $root/project/python/
cp -r docs $root/project/
cp -r tests/data/golden $root/project/tests/data/
pip=(.deps/python/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target $root/project/site)
"${pip[@]}" --no-index build/wheel/slipway-*.whl
"${pip[@]}" --python-version 3.13 --only-binary :all: --require-hashes -r tools/requirements-debian13.txt
cp -rL .deps/openvino $root/project/site/openvino
mount -t proc proc $root/proc
trap 'umount $root/proc' EXIT
chroot $root /usr/bin/env -i HOME=/root PATH=/usr/bin:/bin LANG=C.UTF-8 SLIPWAY_ROOT=/project PYTHONPATH=/project/site \
  python3 -m pytest -q -p no:cacheprovider /project/python/tests
