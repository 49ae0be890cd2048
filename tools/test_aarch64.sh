#!/bin/bash
# Tests what `make aarch64` built, by QEMU in a root folder of Debian 12 for 64-bit Arm: golden programs on kernels and XNNPACK, files that
# this machine compiled, a program that is cross-compiled, with the files of docs/deploying.md alone, and the wheel. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/wheels.sh

work=build/aarch64/test
rm -rf $work
mkdir -p $work/board/lib
PATH=$PWD/.deps/cmake/bin:$PATH
step() { printf '\n== %s\n' "$1"; }

step 'golden programs on kernels and XNNPACK'
tools/run_aarch64.sh GTEST_FILTER='All/GoldenTest.*_none:All/GoldenTest.*_xnnpack:*OtherVersionsOfTorch*' \
  build/aarch64/tests/golden_test --gtest_brief=1 | tee $work/golden.log
grep -Eq 'PASSED +\] [0-9]{2,} tests' $work/golden.log

step 'files that this machine compiled'
cmake --install build/aarch64 --prefix $work/installed --strip >$work/install.log
for model in crepe_tiny mtcnn_onet; do
  reference=$work/$model
  mkdir -p "$reference/inputs" "$reference/outputs"
  for file in examples/models/"$model".0.*put*.npy; do
    name=${file##*.0.}
    cp "$file" "$reference/${name%%put*}puts/${name#*put}"
  done
  for engine in none xnnpack openvino; do
    build/release/slipway compile --no-cache --engine $engine examples/models/$model.pt2 -o "$work/${model}_$engine.pte" >/dev/null
    tools/run_aarch64.sh $work/installed/bin/slipway verify "$work/${model}_$engine.pte" --reference "$reference"
  done
done
tools/run_aarch64.sh $work/installed/bin/slipway inspect $work/crepe_tiny_xnnpack.pte | grep XnnpackBackend
tools/run_aarch64.sh $work/installed/bin/slipway run --isolate --random-inputs 1 $work/crepe_tiny_xnnpack.pte
tools/run_aarch64.sh $work/installed/bin/slipway doctor

if [ -d .deps/aarch64/tensorrt-rtx ]; then
  step 'engines of TensorRT-RTX'
  tools/run_aarch64.sh SLIPWAY_TENSORRT_LIB="$PWD/.deps/aarch64/tensorrt-rtx" $work/installed/bin/slipway \
    compile --engine tensorrt --no-cache --check off examples/models/crepe_tiny.pt2 -o $work/crepe_tiny_tensorrt.pte
  build/release/slipway inspect $work/crepe_tiny_tensorrt.pte | tee $work/tensorrt.log
  grep -q 'TensorRT plan for GPU 0 of linux_aarch64' $work/tensorrt.log
fi

step 'a program that is cross-compiled'
cmake -S tests/install -B $work/program -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_SYSTEM_NAME=Linux \
  -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_PREFIX_PATH="$PWD/$work/installed" \
  -DRUNTIME_ONLY=ON >$work/program.log
cmake --build $work/program >>$work/program.log
aarch64-linux-gnu-strip -o $work/board/run_zeros $work/program/run_zeros
for name in executorch executorch_threadpool executorch_kernels_optimized executorch_kernels_quantized executorch_backend_xnnpack; do
  cp $work/installed/lib/lib$name.so $work/board/lib
done
rm -r $work/installed $work/program
for engine in none xnnpack; do
  cp $work/crepe_tiny_$engine.pte $work/board
  tools/run_aarch64.sh $work/board/run_zeros $work/board/crepe_tiny_$engine.pte | tee $work/board.log
  grep -qx 'float32\[1, 360\]' $work/board.log
done
du -ab $work/board

step 'the wheel'
site=$work/site
pip=(python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps --target "$site" --only-binary :all: --python-version 3.11
  --platform manylinux_2_35_aarch64 --platform manylinux_2_28_aarch64)
"${pip[@]}" --no-index build/aarch64/wheel/slipway-*.whl
"${pip[@]}" --require-hashes -r tools/requirements-aarch64-python.txt
ln -s "$PWD/.deps/aarch64/openvino" $site/openvino
# Where Debian's NumPy finds what its packages' set-up would link.
libraries=/usr/lib/aarch64-linux-gnu
tools/run_aarch64.sh PYTHONPATH=$site SLIPWAY_ROOT="$PWD" LD_LIBRARY_PATH=$libraries/blas:$libraries/lapack \
  python3 -m pytest -q -p no:cacheprovider -k 'pytorch_ran or engines or trees or dlpack' python/tests
