#!/bin/bash
# The include table of cmake/layers.txt, where engines are named, which functions are public, then clang-tidy over every source file. Needs a
# configured build/release.
set -euo pipefail
cd "$(dirname "$0")/.."

. tools/wheels.sh
if is_wanted tools/requirements-lint.txt clang-tidy; then
  echo "Fetching ${requirement%% *} from PyPI: 46 MB, and 170 MB on disk."
  fetch_wheel "$requirement"
  unpack_wheel clang-tidy "${requirement##*sha256:}" clang_tidy/data
  chmod +x .deps/clang-tidy/bin/clang-tidy
  echo "$requirement" >"$stamp"
fi

ninja -C build/release slipway_pte_schema slipway_ptd_schema slipway_xnnpack_schema slipway_cuda_schema slipway_onnx_proto >/dev/null
python3 tools/check_includes.py build/release/build.ninja
python3 tools/check_engine_names.py
python3 tools/check_exports.py

# clang does not read the headers that g++ precompiled.
mkdir -p build/lint
sed -E 's/ -Winvalid-pch -include [^ ]*cmake_pch\.hxx//; s/ -fpch-preprocess//' build/release/compile_commands.json >build/lint/compile_commands.json

mapfile -t sources < <(git ls-files 'src/*.cc' 'tests/*.cc' 'bench/*.cc' 'examples/*.cc' | grep -vE '_fuzz\.cc$|^tests/(install/|tensorrt/slots_test)')
echo "clang-tidy: ${#sources[@]} files"
export total=${#sources[@]}
tidy() {
  # How fast a test copies is nobody's concern.
  local checks=
  [[ $2 == *_test.cc ]] && checks=--checks=-performance-*
  # Shown only when it fails: it also counts the warnings that it keeps to itself.
  if output=$(.deps/clang-tidy/bin/clang-tidy -p build/lint --quiet $checks --warnings-as-errors='*' --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-deprecated-declarations \
    --extra-arg=-Wzero-as-null-pointer-constant "$2" 2>&1); then
    echo "[$1/$total] $2"
  else
    printf '[%s/%s] %s\n%s\n' "$1" "$total" "$2" "$output"
    exit 1
  fi
}
export -f tidy
for i in "${!sources[@]}"; do printf '%s\0%s\0' $((i + 1)) "${sources[i]}"; done |
  xargs -0 -n 2 -P "$(nproc)" bash -c 'tidy "$@"' tidy
