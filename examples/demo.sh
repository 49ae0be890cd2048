#!/bin/bash
# Compiles the pretrained models and runs them: `make demo`, once the tool is built.
# usage: examples/demo.sh BUILD_FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: examples/demo.sh BUILD_FOLDER}
models=examples/models
out=build/demo
mkdir -p "$out"

for model in crepe_tiny mtcnn_pnet mtcnn_rnet mtcnn_onet; do
  echo
  echo "== slipway compile $models/$model.pt2"
  "$build/slipway" compile "$models/$model.pt2" -o "$out/$model.pte"
done

echo
echo "== pitch: a glide from 110 to 440 Hz, frame by frame"
"$build/examples/pitch" "$out/crepe_tiny.pte" "$models/crepe_tiny.2.input0.npy" "$models/crepe_tiny.true_f0_hz.npy"

for model in mtcnn_rnet mtcnn_onet; do
  echo
  echo "== faces: $model on three crops of a picture, of which the first is a face"
  "$build/examples/faces" "$out/$model.pte" "$models/$model.1.input0.npy"
done

echo
echo "== latency of one frame of the pitch model"
"$build/slipway" run "$out/crepe_tiny.pte" --input 0="$models/crepe_tiny.0.input0.npy" --repeat 20

echo
echo "== sizes"
for model in crepe_tiny mtcnn_pnet mtcnn_rnet mtcnn_onet; do
  printf '%-11s  %9d bytes as .pt2  %9d bytes as .pte\n' "$model" \
    "$(stat -c %s "$models/$model.pt2")" "$(stat -c %s "$out/$model.pte")"
done
echo
echo "The compiled files are in $out/. Try: $build/slipway inspect $out/crepe_tiny.pte"
