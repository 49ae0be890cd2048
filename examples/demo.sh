#!/bin/bash
# Compiles the pretrained models for both engines and runs them: `make demo`, once the tool is built.
# usage: examples/demo.sh BUILD_FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: examples/demo.sh BUILD_FOLDER}
models=examples/models
out=build/demo
mkdir -p "$out"
names="crepe_tiny mtcnn_pnet mtcnn_rnet mtcnn_onet"

for model in $names; do
  for engine in openvino none; do
    echo
    echo "== slipway compile $models/$model.pt2 --engine $engine"
    "$build/slipway" compile "$models/$model.pt2" -o "$out/$model.$engine.pte" --engine $engine
  done
done

echo
echo "== pitch: a glide from 110 to 440 Hz, frame by frame"
"$build/examples/pitch" "$out/crepe_tiny.openvino.pte" "$models/crepe_tiny.2.input0.npy" "$models/crepe_tiny.true_f0_hz.npy"

for model in mtcnn_rnet mtcnn_onet; do
  echo
  echo "== faces: $model on three crops of a picture, of which the first is a face"
  "$build/examples/faces" "$out/$model.openvino.pte" "$models/$model.1.input0.npy"
done

# The median of 30 runs after the first, in ms.
latency() {
  "$build/slipway" run "$out/$1.$2.pte" --input "0=$models/$1.0.input0.npy" --repeat 31 2>/dev/null |
    awk '$1 == "30" { print $3; found = 1 } END { exit !found }'
}

echo
echo "== both engines: openvino, and none (ExecuTorch's kernels alone)"
printf '%-11s %14s %10s %10s %14s %14s %14s\n' model openvino none faster .pt2 'openvino .pte' 'none .pte'
for model in $names; do
  openvino=$(latency "$model" openvino)
  none=$(latency "$model" none)
  printf '%-11s %11s ms %7s ms %9sx %8d bytes %8d bytes %8d bytes\n' "$model" "$openvino" "$none" \
    "$(awk "BEGIN { printf \"%.1f\", $none / $openvino }")" "$(stat -c %s "$models/$model.pt2")" \
    "$(stat -c %s "$out/$model.openvino.pte")" "$(stat -c %s "$out/$model.none.pte")"
done
echo
echo "The compiled files are in $out/. Try: $build/slipway inspect $out/crepe_tiny.openvino.pte"
