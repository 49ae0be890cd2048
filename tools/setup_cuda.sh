#!/bin/bash
# Brings NVRTC, NVIDIA's compiler of CUDA C++, into .deps/nvrtc, cuBLASLt, its library of products of matrices, into .deps/cublas, and cuDNN,
# its library of convolutions and attention, into .deps/cudnn, where the programs of this checkout find them. They are NVIDIA's, and no part of
# Slipway. LIBRARIES are those besides NVRTC: none, or a list of cublaslt and cudnn with commas between.
# usage: tools/setup_cuda.sh [LIBRARIES]
set -euo pipefail
cd "$(dirname "$0")/.."

. tools/wheels.sh

libraries=${1:-cublaslt,cudnn}
case $libraries in
  none | cublaslt | cudnn | cublaslt,cudnn | cudnn,cublaslt) ;;
  *)
    echo "LIBRARIES=$libraries: expected none, cublaslt, cudnn or cublaslt,cudnn" >&2
    exit 1
    ;;
esac

# say NAME FOLDER LICENCE SIZE
say() {
  cat <<END
$1 is proprietary software of NVIDIA, under the $3: whoever downloads or uses it agrees
to that. The text comes along as .deps/$2/License.txt. What is fetched stays on this machine: Slipway neither holds nor
passes on any of it, and programs that run engines need none of it.
Fetching ${requirement%% *} from PyPI: $4.
END
}
toolkit='CUDA Toolkit End User License Agreement'
licence='*.dist-info/licenses/License.txt'

if is_wanted tools/requirements-cuda.txt nvrtc; then
  say NVRTC nvrtc "$toolkit" '90 MB, and 114 MB on disk'
  fetch_wheel "$requirement"
  unpack_wheel .deps/nvrtc "${requirement##*sha256:}" nvidia/cu13/lib "$licence"
  # A second build that takes less memory, and nobody opens.
  rm -f .deps/nvrtc/*.alt.so*
  echo "$requirement" >"$stamp"
fi

if [[ $libraries = *cublaslt* ]] && is_wanted tools/requirements-cublas.txt cublas; then
  say cuBLAS cublas "$toolkit" '423 MB, and 542 MB on disk (without it: make setup-cuda LIBRARIES=cudnn, or none)'
  fetch_wheel "$requirement"
  unpack_wheel .deps/cublas "${requirement##*sha256:}" nvidia/cu13/lib "$licence"
  find .deps/cublas -name '*.so*' ! -name 'libcublasLt.so*' -delete
  echo "$requirement" >"$stamp"
fi

if [[ $libraries = *cudnn* ]] && is_wanted tools/requirements-cudnn.txt cudnn; then
  say cuDNN cudnn 'License Agreement for NVIDIA Software Development Kits' \
    '366 MB, and 384 MB on disk (without it: make setup-cuda LIBRARIES=cublaslt, or none)'
  fetch_wheel "$requirement"
  unpack_wheel .deps/cudnn "${requirement##*sha256:}" nvidia/cudnn/lib "$licence"
  rm .deps/cudnn/libcudnn_adv.so.9
  # Some of its engines are compiled when they are wanted, and some call cuBLASLt: it looks for both in its own folder.
  ln -s ../nvrtc/libnvrtc.so.13 ../nvrtc/libnvrtc-builtins.so.13.0 ../cublas/libcublasLt.so.13 .deps/cudnn
  echo "$requirement" >"$stamp"
fi
