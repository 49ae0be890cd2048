#!/bin/bash
# Runs each fuzz program of build/sanitize from its seeds in tests/data/fuzz/<name>, as many at a time as there are cores. What a
# run finds stays in build/fuzz.
# usage: tools/fuzz.sh SECONDS
set -euo pipefail
cd "$(dirname "$0")/.."
export seconds=$1
ASAN_SYMBOLIZER_PATH=$(command -v llvm-symbolizer-14 || true)
export ASAN_SYMBOLIZER_PATH

fuzz() {
  local name corpus=build/fuzz/$1/corpus
  name=$1
  mkdir -p "$corpus"
  local seeds=tests/data/fuzz/${name%_fuzz}
  [ -d "$seeds" ] || seeds=
  # detect_container_overflow: ExecuTorch's prebuilt libraries are not instrumented. TBB_ENABLE_SANITIZERS: OpenVINO's TBB would
  # open a library in a way that the sanitizers refuse.
  if ASAN_OPTIONS=detect_container_overflow=0 UBSAN_OPTIONS=print_stacktrace=1 TBB_ENABLE_SANITIZERS=1 \
    "build/sanitize/fuzzers/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=1024 \
    -artifact_prefix="build/fuzz/$name/" "$corpus" $seeds >"build/fuzz/$name/log" 2>&1; then
    echo "$name: $(tail -1 "build/fuzz/$name/log")"
  else
    tail -60 "build/fuzz/$name/log"
    echo "$name: failed; the input is in build/fuzz/$name/"
    return 1
  fi
}
export -f fuzz

programs=$(find build/sanitize/fuzzers -maxdepth 1 -type f -name '*_fuzz' -printf '%f\n' 2>/dev/null | sort || true)
[ -n "$programs" ] || { echo "there are no fuzz programs in build/sanitize: build the target 'fuzzers' first" >&2; exit 1; }
echo "$programs" | xargs -P "$(nproc)" -I{} bash -c 'fuzz {}'
