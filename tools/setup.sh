#!/bin/bash
# Brings what the build needs: Debian packages, and ExecuTorch, OpenVINO and CMake from PyPI in .deps/. What is there already is
# kept, so it can be run again at any time.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(uname -sm)" != "Linux x86_64" ]; then
  echo "The wheels in tools/requirements.txt are for Linux on x86-64; this is $(uname -sm)." >&2
  exit 1
fi
tools/packages.sh build
. tools/wheels.sh

unpack_requirements tools/requirements.txt .deps
