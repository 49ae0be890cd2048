#!/bin/bash
# The include table of cmake/layers.txt, where engines are named, which functions are public, then clang-tidy over every source file. Needs a
# configured build/lint. With SLIPWAY_PART=K/N clang-tidy reads one N-th of the tests (tools/part.py), and all else.
set -euo pipefail
cd "$(dirname "$0")/.."

. tools/wheels.sh
if is_wanted tools/requirements-lint.txt clang-tidy; then
  echo "Fetching ${requirement%% *} from PyPI: 46 MB, and 170 MB on disk."
  fetch_wheel "$requirement"
  unpack_wheel .deps/clang-tidy "${requirement##*sha256:}" clang_tidy/data
  chmod +x .deps/clang-tidy/bin/clang-tidy
  echo "$requirement" >"$stamp"
fi

ninja -C build/lint slipway_pte_schema slipway_ptd_schema slipway_xnnpack_schema slipway_cuda_schema slipway_etdump_schema slipway_onnx_proto >/dev/null
python3 tools/check_includes.py build/lint/build.ninja
python3 tools/check_engine_names.py
python3 tools/check_exports.py

# In groups, as the build has them. clang does not read the headers that g++ precompiled.
mkdir -p build/lint/tidy
python3 - >build/lint/tidy/sources <<'EOF'
import json, os, re, sys

sys.path.insert(0, 'tools')
from part import is_chosen

entries = []
for entry in json.load(open('build/lint/compile_commands.json')):
    generated = re.search(r'/build/.*(?<!/Unity/unity_\d_cxx\.cxx)$', entry['file'])
    if not generated and 'slots_test' not in entry['file']:
        entry['command'] = re.sub(r' -Winvalid-pch -include \S*cmake_pch\.hxx| -fpch-preprocess', '', entry['command'])
        entries.append(entry)
json.dump(entries, open('build/lint/tidy/compile_commands.json', 'w'))
files = sorted({os.path.relpath(entry['file']) for entry in entries})
print('\n'.join(file for file in files if '_test' not in file or is_chosen(file)))
EOF
mapfile -t sources <build/lint/tidy/sources
echo "clang-tidy: ${#sources[@]} sources and groups of sources"
export total=${#sources[@]}
tidy() {
  # How fast a test copies is nobody's concern.
  local checks=
  [[ $2 == *_test.cc || $2 == *_test.dir/* ]] && checks=--checks=-performance-*
  # Shown only when it fails: it also counts the warnings that it keeps to itself.
  if output=$(.deps/clang-tidy/bin/clang-tidy -p build/lint/tidy --quiet $checks --warnings-as-errors='*' --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-deprecated-declarations \
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
