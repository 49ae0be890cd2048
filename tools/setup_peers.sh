#!/bin/bash
# Makes .deps/peers, the Python environment of tests/peers, from its pinned requirements; with the argument torch215 also
# .deps/peers215, a folder with a newer PyTorch that stands before it in PYTHONPATH.
set -euo pipefail
cd "$(dirname "$0")/.."

# install REQUIREMENTS OPTION...
install() {
  local requirements=$1
  shift
  for attempt in 1 2 3 4; do
    if .deps/peers/bin/python -m pip install --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
      -r "$requirements" "$@"; then
      return
    fi
    echo "Installing $requirements failed (attempt $attempt of 4)." >&2
    [ "$attempt" = 4 ] || sleep $((attempt * 3))
  done
  echo "Could not install $requirements. Check the network and the space left on the disk, then run this again." >&2
  exit 1
}

requirements=tests/peers/requirements.txt
stamp=.deps/peers/requirements.txt
if ! cmp -s $requirements $stamp; then
  echo "Setting up PyTorch, ExecuTorch and ONNX Runtime in .deps/peers: about 7 GB on disk."
  tools/packages.sh build peers
  [ -x .deps/peers/bin/python ] || python3 -m venv .deps/peers
  install $requirements
  cp $requirements $stamp
fi

[ "${1:-}" = torch215 ] || exit 0
requirements=tests/peers/requirements_torch215.txt
stamp=.deps/peers215/requirements.txt
if ! cmp -s $requirements $stamp; then
  echo "Setting up PyTorch 2.15 in .deps/peers215: downloads 0.7 GB, 1.4 GB on disk."
  rm -rf .deps/peers215
  install $requirements --target .deps/peers215
  # Where PyTorch looks for NVIDIA's other libraries.
  packages=$(cd .deps/peers && echo lib/python3*/site-packages)
  for folder in .deps/peers/"$packages"/nvidia/*/; do
    name=$(basename "$folder")
    [ -e ".deps/peers215/nvidia/$name" ] || ln -s "../../peers/$packages/nvidia/$name" .deps/peers215/nvidia/
  done
  cp $requirements $stamp
fi
