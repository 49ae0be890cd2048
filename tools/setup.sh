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

# fetch_wheel REQUIREMENT: downloads it to .deps/downloads, unless it is there.
fetch_wheel() {
  local requirement=$1 hash=${1##*sha256:} attempt
  if find .deps/downloads -name '*.whl' -exec sha256sum {} + 2>/dev/null | grep -q "^$hash "; then
    return
  fi
  mkdir -p .deps/downloads
  echo "$requirement" >.deps/downloads/requirement.txt
  for attempt in 1 2 3 4; do
    if python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
      --python-version 3.11 --implementation cp --abi cp311 --abi none --platform manylinux_2_28_x86_64 \
      --platform manylinux2014_x86_64 --dest .deps/downloads -r .deps/downloads/requirement.txt; then
      return
    fi
    echo "Download of ${requirement%% *} failed (attempt $attempt of 4)." >&2
    [ "$attempt" = 4 ] || sleep $((attempt * 3))
  done
  echo "Could not download ${requirement%% *}. Check the network (pip's own settings, such as a proxy or a mirror, are" \
    "respected) and run this again: what is complete already is kept." >&2
  exit 1
}

# unpack_wheel NAME HASH FOLDER: makes .deps/NAME of one folder of the wheel.
unpack_wheel() {
  local wheel
  wheel=$(sha256sum .deps/downloads/*.whl | awk -v hash="$2" '$1 == hash {print $2}')
  rm -rf ".deps/$1" .deps/unpacked
  python3 -m zipfile -e "$wheel" .deps/unpacked
  mv ".deps/unpacked/$3" ".deps/$1"
  rm -rf .deps/unpacked
}

while read -r requirement; do
  name=${requirement%%==*}
  stamp=.deps/$name.stamp
  if [ -d ".deps/$name" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$requirement" ]; then
    continue
  fi
  echo "Fetching ${requirement%% *}"
  fetch_wheel "$requirement"
  case $name in
    cmake)
      unpack_wheel cmake "${requirement##*sha256:}" cmake/data
      chmod +x .deps/cmake/bin/*  # zipfile drops the mode
      ;;
    openvino)
      # Without Python's side, and without the plugins of other devices and the readers of other formats, which are most of it.
      unpack_wheel openvino "${requirement##*sha256:}" openvino
      find .deps/openvino -mindepth 1 -maxdepth 1 ! -name include ! -name libs -exec rm -r {} +
      find .deps/openvino/libs -type f ! -name 'lib*tbb*' ! -name 'libhwloc.so*' ! -name 'libopenvino.so*' \
        ! -name 'libopenvino_c.so*' ! -name 'libopenvino_intel_cpu_plugin.so' ! -name 'libopenvino_ir_frontend.so*' \
        ! -name 'libopenvino_onnx_frontend.so*' -delete
      ;;
    *) unpack_wheel "$name" "${requirement##*sha256:}" "$name" ;;
  esac
  echo "$requirement" >"$stamp"
done < <(grep -v '^#' tools/requirements.txt)
