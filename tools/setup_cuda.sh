#!/bin/bash
# Brings NVRTC, NVIDIA's compiler of CUDA C++, into .deps/nvrtc, and cuBLASLt, its library of products of matrices, into .deps/cublas, where
# the programs of this checkout find them. They are NVIDIA's, and no part of Slipway. With `none`, NVRTC alone.
# usage: tools/setup_cuda.sh [none]
set -euo pipefail
cd "$(dirname "$0")/.."

. tools/wheels.sh

# say NAME FOLDER SIZE
say() {
  cat <<END
$1 is proprietary software of NVIDIA, under the CUDA Toolkit End User License Agreement: whoever downloads or uses it agrees
to that. The text comes along as .deps/$2/License.txt. What is fetched stays on this machine: Slipway neither holds nor
passes on any of it, and programs that run engines need none of it.
Fetching ${requirement%% *} from PyPI: $3.
END
}
licence='*.dist-info/licenses/License.txt'

if is_wanted tools/requirements-cuda.txt nvrtc; then
  say NVRTC nvrtc '90 MB, and 114 MB on disk'
  fetch_wheel "$requirement"
  unpack_wheel .deps/nvrtc "${requirement##*sha256:}" nvidia/cu13/lib "$licence"
  # A second build that takes less memory, and nobody opens.
  rm -f .deps/nvrtc/*.alt.so*
  echo "$requirement" >"$stamp"
fi

[ "${1:-}" != none ] || exit 0
if is_wanted tools/requirements-cublas.txt cublas; then
  say cuBLAS cublas '423 MB, and 542 MB on disk (without it: make setup-cuda LIBRARIES=none)'
  fetch_wheel "$requirement"
  unpack_wheel .deps/cublas "${requirement##*sha256:}" nvidia/cu13/lib "$licence"
  find .deps/cublas -name '*.so*' ! -name 'libcublasLt.so*' -delete
  echo "$requirement" >"$stamp"
fi
