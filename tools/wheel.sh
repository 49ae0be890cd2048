#!/bin/bash
# Makes the wheel of the Python package of build/release, build/wheel/slipway-*.whl, checks it, and tests it as pip installs it.
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

# The extension is built as any program of the installed library.
work=build/python
rm -rf $work build/wheel
mkdir -p $work build/wheel
cmake --install build/release --prefix $work/installed --strip >$work/install.log
cp -r python $work/package
SKBUILD_CMAKE_ARGS="-Dslipway_DIR=$PWD/$work/installed/lib/cmake/slipway;-DSLIPWAY_INSTALLED=$PWD/$work/installed" \
  pip wheel --quiet --no-build-isolation --no-deps --no-index --wheel-dir $work/made $work/package

# Its tag says how old a C library it runs with; the libraries of other wheels stay theirs.
auditwheel repair --plat manylinux_2_35_x86_64 --wheel-dir build/wheel \
  --exclude 'libopenvino.so.*' $work/made/slipway-*.whl >$work/auditwheel.log 2>&1 || { cat $work/auditwheel.log; exit 1; }
wheel=$(echo build/wheel/slipway-*.whl)
twine check --strict "$wheel"
size=$(stat -c %s "$wheel")
if [ "$size" -gt $((40 << 20)) ]; then
  echo "$wheel has $size bytes, which is past 40 MiB" >&2
  exit 1
fi
echo "$wheel: $((size >> 20)) MiB"

site=build/python/site
pip install --quiet --disable-pip-version-check --no-deps --no-index --target $site "$wheel"
# In the place of the wheels that it asks for.
ln -s "$PWD/.deps/openvino" $site/openvino
ln -s "$(echo "$PWD"/$environment/lib/python3*/site-packages/nanobind_backend)" $site/nanobind_backend
SLIPWAY_ROOT=$PWD PYTHONPATH=$site python -m pytest -q -p no:cacheprovider python/tests
