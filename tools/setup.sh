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

while read -r requirement; do
  name=${requirement%%==*}
  stamp=.deps/$name.stamp
  if [ -d ".deps/$name" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$requirement" ] &&
    { [ "$name" = cmake ] || [ -d ".deps/$name/licenses" ]; }; then
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
      unpack_wheel openvino "${requirement##*sha256:}" openvino 'openvino-*.dist-info/licenses'
      find .deps/openvino -mindepth 1 -maxdepth 1 ! -name include ! -name libs ! -name licenses -exec rm -r {} +
      find .deps/openvino/libs -type f ! -name 'lib*tbb*' ! -name 'libhwloc.so*' ! -name 'libopenvino.so*' \
        ! -name 'libopenvino_c.so*' ! -name 'libopenvino_intel_cpu_plugin.so' ! -name 'libopenvino_ir_frontend.so*' \
        ! -name 'libopenvino_onnx_frontend.so*' -delete
      ;;
    *) unpack_wheel "$name" "${requirement##*sha256:}" "$name" "$name-*.dist-info/licenses" ;;
  esac
  echo "$requirement" >"$stamp"
done < <(grep -v '^#' tools/requirements.txt)
