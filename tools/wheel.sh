#!/bin/bash
# Makes the wheel of the Python package of build/release, build/wheel/slipway-*.whl, checks it, and tests it as pip installs it.
# With `aarch64`, that of build/aarch64 in build/aarch64/wheel, which tools/test_aarch64.sh tests.
# usage: tools/wheel.sh [aarch64]
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/wheels.sh

requirements=tools/requirements-python.txt
environment=.deps/python
if ! cmp -s $requirements $environment/requirements.txt; then
  tools/packages.sh build wheel
  [ -x $environment/bin/python ] || python3 -m venv $environment
  install_requirements $environment $requirements --quiet
  cp $requirements $environment/requirements.txt
fi
PATH=$PWD/$environment/bin:$PWD/.deps/cmake/bin:$PATH

build=build/release
work=build/python
wheels=build/wheel
platform=manylinux_2_35_x86_64
arguments=
if [ "${1:-}" = aarch64 ]; then
  platform=auto  # auditwheel knows by name those of its own machine alone
  build=build/aarch64
  work=$build/python
  wheels=$build/wheel
  export _PYTHON_HOST_PLATFORM=linux-aarch64
  # nanobind is a package of the machine that builds; Python's headers are the root folder's.
  arguments=";-DCMAKE_TOOLCHAIN_FILE=$PWD/cmake/aarch64.cmake;-Dnanobind_DIR=$(python -m nanobind --cmake_dir)"
  arguments+=";-DPython_INCLUDE_DIR=$PWD/.deps/aarch64/root/usr/include/python3.11"
fi

# The extension is built as any program of the installed library.
rm -rf $work $wheels
mkdir -p $work $wheels
cmake --install $build --prefix $work/installed --strip >$work/install.log
cp -r python $work/package
SKBUILD_CMAKE_ARGS="-Dslipway_DIR=$PWD/$work/installed/lib/cmake/slipway;-DSLIPWAY_INSTALLED=$PWD/$work/installed$arguments" \
  pip wheel --quiet --no-build-isolation --no-deps --no-index --wheel-dir $work/made $work/package

# Its tag says how old a C library it runs with; the libraries of other wheels stay theirs.
auditwheel repair --plat $platform --wheel-dir $wheels \
  --exclude 'libopenvino.so.*' $work/made/slipway-*.whl >$work/auditwheel.log 2>&1 || { cat $work/auditwheel.log; exit 1; }
wheel=$(echo $wheels/slipway-*manylinux_2_35_*.whl)
twine check --strict "$wheel"
size=$(stat -c %s "$wheel")
if [ "$size" -gt $((40 << 20)) ]; then
  echo "$wheel has $size bytes, which is past 40 MiB" >&2
  exit 1
fi
echo "$wheel: $((size >> 20)) MiB"
[ $platform != auto ] || exit 0

site=$work/site
pip install --quiet --disable-pip-version-check --no-deps --no-index --target $site "$wheel"
# In the place of the wheels that it asks for.
ln -s "$PWD/.deps/openvino" $site/openvino
ln -s "$(echo "$PWD"/$environment/lib/python3*/site-packages/nanobind_backend)" $site/nanobind_backend
SLIPWAY_ROOT=$PWD PYTHONPATH=$site python -m pytest -q -p no:cacheprovider python/tests
