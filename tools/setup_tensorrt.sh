#!/bin/bash
# Brings TensorRT-RTX into .deps/tensorrt-rtx, where the tool of this checkout finds it. It is NVIDIA's, and no part of Slipway.
# With `aarch64`, that for 64-bit Arm into .deps/aarch64/tensorrt-rtx, where tools/test_aarch64.sh does.
# usage: tools/setup_tensorrt.sh [aarch64]
set -euo pipefail
cd "$(dirname "$0")/.."

. tools/wheels.sh
folder=tensorrt-rtx
size='95 MB, and 334 MB on disk'
licence='*.dist-info/licenses/LICENSE.txt'
if [ "${1:-}" = aarch64 ]; then
  folder=aarch64/tensorrt-rtx
  size='91 MB, and 217 MB on disk'
  licence='*.dist-info/LICENSE.txt'
fi
is_wanted "tools/requirements-tensorrt${1:+-$1}.txt" $folder || exit 0

cat <<END
TensorRT-RTX is proprietary software of NVIDIA, under the NVIDIA Software License Agreement (TensorRT): whoever downloads or
uses it agrees to that. The text comes along as .deps/$folder/LICENSE.txt. What is fetched stays on this machine:
Slipway neither holds nor passes on any of it.
Fetching ${requirement%% *} from PyPI: $size.
END
fetch_wheel "$requirement"
unpack_wheel .deps/$folder "${requirement##*sha256:}" tensorrt_rtx_libs "$licence"
echo "$requirement" >"$stamp"
