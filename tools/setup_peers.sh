#!/bin/bash
# Makes .deps/peers, the Python environment of tests/peers, from its pinned requirements.
set -euo pipefail
cd "$(dirname "$0")/.."
requirements=tests/peers/requirements.txt
stamp=.deps/peers/requirements.txt
cmp -s $requirements $stamp && exit 0

echo "Setting up PyTorch, ExecuTorch and ONNX Runtime in .deps/peers: about 7 GB on disk."
tools/packages.sh build peers
[ -x .deps/peers/bin/python ] || python3 -m venv .deps/peers
for attempt in 1 2 3 4; do
  if .deps/peers/bin/python -m pip install --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
    -r $requirements; then
    cp $requirements $stamp
    exit 0
  fi
  echo "Installing $requirements failed (attempt $attempt of 4)." >&2
  [ "$attempt" = 4 ] || sleep $((attempt * 3))
done
echo "Could not install $requirements. Check the network and the space left on the disk, then run this again." >&2
exit 1
