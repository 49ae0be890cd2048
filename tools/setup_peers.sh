#!/bin/bash
# Makes .deps/peers, the Python environment of tests/peers, from its pinned requirements; with the argument torch215 also
# .deps/peers215, a folder with a newer PyTorch that stands before it in PYTHONPATH.
set -euo pipefail
cd "$(dirname "$0")/.."

. tools/wheels.sh

requirements=tests/peers/requirements.txt
stamp=.deps/peers/requirements.txt
if ! cmp -s $requirements $stamp; then
  echo "Setting up PyTorch, ExecuTorch and ONNX Runtime in .deps/peers: about 7 GB on disk."
  tools/packages.sh build peers
  [ -x .deps/peers/bin/python ] || python3 -m venv .deps/peers
  install_requirements .deps/peers $requirements
  cp $requirements $stamp
fi

[ "${1:-}" = torch215 ] || exit 0
requirements=tests/peers/requirements_torch215.txt
stamp=.deps/peers215/requirements.txt
if ! cmp -s $requirements $stamp; then
  echo "Setting up PyTorch 2.15 in .deps/peers215: downloads 0.7 GB, 1.4 GB on disk."
  rm -rf .deps/peers215
  install_requirements .deps/peers $requirements --target .deps/peers215
  # Where PyTorch looks for NVIDIA's other libraries.
  packages=$(cd .deps/peers && echo lib/python3*/site-packages)
  for folder in .deps/peers/"$packages"/nvidia/*/; do
    name=$(basename "$folder")
    [ -e ".deps/peers215/nvidia/$name" ] || ln -s "../../peers/$packages/nvidia/$name" .deps/peers215/nvidia/
  done
  cp $requirements $stamp
fi
