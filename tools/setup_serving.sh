#!/bin/bash
# Makes .deps/serving, the Python environment of tests/serving, from its pinned requirements.
set -euo pipefail
cd "$(dirname "$0")/.."

. tools/wheels.sh

requirements=tests/serving/requirements.txt
stamp=.deps/serving/requirements.txt
if ! cmp -s $requirements $stamp; then
  echo "Setting up Ray Serve and NVIDIA's Triton in .deps/serving: downloads 0.2 GB, 0.8 GB on disk."
  tools/packages.sh build serving
  # Debian's own: Triton runs its models with Debian's libpython3.11, which no other version's standard library fits.
  [ -x .deps/serving/bin/python ] || /usr/bin/python3.11 -m venv .deps/serving
  install_requirements .deps/serving $requirements --quiet
  cp $requirements $stamp
fi
