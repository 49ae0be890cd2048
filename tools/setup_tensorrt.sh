#!/bin/bash
# Brings TensorRT-RTX into .deps/tensorrt-rtx, where the tool of this checkout finds it. It is NVIDIA's, and no part of Slipway.
set -euo pipefail
cd "$(dirname "$0")/.."

. tools/wheels.sh
is_wanted tools/requirements-tensorrt.txt tensorrt-rtx || exit 0

cat <<END
TensorRT-RTX is proprietary software of NVIDIA, under the NVIDIA Software License Agreement (TensorRT): whoever downloads or
uses it agrees to that. The text comes along as .deps/tensorrt-rtx/LICENSE.txt. What is fetched stays on this machine:
Slipway neither holds nor passes on any of it.
Fetching ${requirement%% *} from PyPI: 95 MB, and 334 MB on disk.
END
fetch_wheel "$requirement"
unpack_wheel .deps/tensorrt-rtx "${requirement##*sha256:}" tensorrt_rtx_libs '*.dist-info/licenses/LICENSE.txt'
echo "$requirement" >"$stamp"
