# The developer's commands. Everything they make lies in build/ and .deps/.
.PHONY: setup setup-tensorrt setup-cuda release demo install wheel test-wheel-debian13 aarch64 test-aarch64 test test-peers test-serving fuzz-programs bench format lint clean
.DEFAULT_GOAL := release

CMAKE := .deps/cmake/bin/cmake
CTEST := .deps/cmake/bin/ctest
SOURCES = $(shell git ls-files --cached --others --exclude-standard '*.h' '*.cc')
step = @printf '\n== %s\n' '$(1)'

setup:
	@tools/setup.sh

# Proprietary, so never for `make` or `make test`: see what it prints.
setup-tensorrt:
	@tools/setup_tensorrt.sh

# Likewise: what compiles the kernels of the engine `cuda`, and libraries that its programs may use; with LIBRARIES=none without those,
# with LIBRARIES=cublaslt or cudnn with one.
setup-cuda:
	@tools/setup_cuda.sh $(LIBRARIES)

build/%/build.ninja: CMakePresets.json | setup
	@$(CMAKE) --preset $* --log-level=WARNING

release: build/release/build.ninja
	@ninja -C build/release

demo:
	$(call step,1/3 set-up)
	@$(MAKE) --no-print-directory setup
	$(call step,2/3 building the tool and the examples)
	@$(MAKE) --no-print-directory build/release/build.ninja
	@ninja -C build/release all examples
	$(call step,3/3 compiling and running the models)
	@examples/demo.sh build/release

# make install PREFIX=/opt/slipway
PREFIX ?= /usr/local
install: build/release/build.ninja
	@ninja -C build/release
	@$(CMAKE) --install build/release --prefix "$(PREFIX)" --strip
	@printf '\nInstalled in %s. A CMake project finds it by -DCMAKE_PREFIX_PATH=%s; the tool is %s/bin/slipway.\n' \
	  "$(PREFIX)" "$(PREFIX)" "$(PREFIX)"

# The Python package, tested as pip installs it: build/wheel/slipway-*.whl.
wheel: build/release/build.ninja
	@ninja -C build/release
	@tools/wheel.sh

# The same wheel with CPython 3.13 in a root folder of Debian 13; needs root.
test-wheel-debian13:
	@tools/test_wheel_on_debian13.sh

# For 64-bit Arm: the tool, the libraries and the wheel, build/aarch64/wheel/slipway-*.whl. The set-up needs root.
aarch64:
	$(call step,1/3 set-up)
	@$(MAKE) --no-print-directory setup
	@tools/setup_aarch64.sh
	$(call step,2/3 building the tool and the libraries)
	@$(MAKE) --no-print-directory build/aarch64/build.ninja
	@ninja -C build/aarch64
	$(call step,3/3 making the wheel)
	@tools/wheel.sh aarch64

# That, tested by QEMU; needs root.
test-aarch64: aarch64 build/release/build.ninja
	@ninja -C build/aarch64 golden_test
	@ninja -C build/release slipway slipway_openvino
	@tools/test_aarch64.sh

test:
	$(call step,1/3 set-up)
	@$(MAKE) --no-print-directory setup
	$(call step,2/3 building the tool and its tests)
	@$(MAKE) --no-print-directory build/release/build.ninja
	@ninja -C build/release all examples tests
	$(call step,3/3 testing)
	@$(CTEST) --test-dir build/release --output-on-failure -j $$(nproc)

test-peers:
	$(call step,1/3 set-up)
	@$(MAKE) --no-print-directory setup
	@tools/setup_peers.sh torch215
	@tools/setup_tensorrt.sh
	$(call step,2/3 building the tool)
	@$(MAKE) --no-print-directory build/release/build.ninja
	@ninja -C build/release all generate program_driver cuda_stand_in_driver tensorrt_stand_in_runtime
	@[ -d build/python/site ] || tools/wheel.sh
	$(call step,3/3 comparing with PyTorch and ExecuTorch, and building with TensorRT-RTX)
	@OMP_NUM_THREADS=1 .deps/peers/bin/python -m pytest -q -n $$(nproc) --durations 20 --ignore tests/peers/test_aoti.py tests/peers
	@OMP_NUM_THREADS=1 PYTHONPATH=.deps/peers215 .deps/peers/bin/python -m pytest -q -n $$(nproc) tests/peers/test_pt2_writer.py
	@# By themselves: what the others import brings ExecuTorch's delegates, which would be those of the process.
	@OMP_NUM_THREADS=1 .deps/peers/bin/python -m pytest -q -n $$(nproc) tests/peers/test_aoti.py
	@OMP_NUM_THREADS=1 PYTHONPATH=.deps/peers215 .deps/peers/bin/python -m pytest -q -n $$(nproc) tests/peers/test_aoti.py
	@$(MAKE) --no-print-directory test-serving

# The examples behind Ray Serve and NVIDIA's Triton (docs/serving.md).
test-serving: build/release/build.ninja
	@tools/setup_serving.sh
	@[ -d build/python/site ] || { ninja -C build/release && tools/wheel.sh; }
	@OMP_NUM_THREADS=1 .deps/serving/bin/python -m pytest -q --disable-warnings --durations 5 tests/serving

# Random programs against PyTorch: make fuzz-programs SEED=text MINUTES=60 (docs/fuzz_programs.md).
SEED ?= $(shell date +%F)
MINUTES ?= 30
fuzz-programs: build/release/build.ninja
	@tools/setup_peers.sh
	@ninja -C build/release program_driver
	@.deps/peers/bin/python tests/fuzz_programs/run.py --seed $(SEED) --minutes $(MINUTES) --table

bench: build/release/build.ninja
	@tools/setup_peers.sh
	@tools/setup_serving.sh
	@ninja -C build/release slipway benchmarks
	@for program in build/release/benchmarks/*_benchmark; do echo "== $$program"; $$program || exit 1; done
	@for script in bench/*_benchmark.py; do echo "== $$script"; .deps/peers/bin/python $$script || exit 1; done

format:
	@tools/packages.sh dev
	@clang-format-14 -i $(SOURCES)

lint: build/lint/build.ninja
	@tools/packages.sh dev
	@tools/lint.sh

clean:
	rm -rf build
