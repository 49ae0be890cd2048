#!/bin/bash
# Brings NVRTC, NVIDIA's compiler of CUDA C++, into .deps/nvrtc, where the tool of this checkout finds it. It is NVIDIA's, and no part of
# Slipway.
set -euo pipefail
cd "$(dirname "$0")/.."

. tools/wheels.sh
is_wanted tools/requirements-cuda.txt nvrtc || exit 0

cat <<END
NVRTC is proprietary software of NVIDIA, under the CUDA Toolkit End User License Agreement: whoever downloads or uses it agrees
to that. The text comes along as .deps/nvrtc/License.txt. What is fetched stays on this machine: Slipway neither holds nor
passes on any of it, and programs that run engines need none of it.
Fetching ${requirement%% *} from PyPI: 90 MB, and 114 MB on disk.
END
fetch_wheel "$requirement"
unpack_wheel .deps/nvrtc "${requirement##*sha256:}" nvidia/cu13/lib '*.dist-info/licenses/License.txt'
# A second build that takes less memory, and nobody opens.
rm -f .deps/nvrtc/*.alt.so*
echo "$requirement" >"$stamp"
