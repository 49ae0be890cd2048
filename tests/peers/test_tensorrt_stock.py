"""The delegate of TensorRT in ExecuTorch's own runtime for Python, opened with ctypes."""

import os
import pathlib
import subprocess
import sys

import slipway_cli
import torch

TENSORRT = pathlib.Path(__file__).parents[2] / ".deps/tensorrt-rtx"
LIBRARY = pathlib.Path(slipway_cli.TOOL).parent / "libslipway_tensorrt.so"

STOCK = """
import ctypes, sys
from executorch.runtime import Runtime
registry = Runtime.get().backend_registry
assert "TensorRTBackend" not in registry.registered_backend_names
library = ctypes.CDLL(sys.argv[1])
assert registry.is_available("TensorRTBackend")
assert library.slipway_tensorrt_set_default_budget(b"8589934592") == 0
assert library.slipway_tensorrt_set_default_budget(b"-1") == 1
try:
    Runtime.get().load_program(sys.argv[2], **dict(zip(["data_path"], sys.argv[3:]))).load_method("forward")
except RuntimeError as error:
    print(error)
else:
    raise AssertionError("it loads without a driver")
"""


def load_by_stock_runtime(*files):
    return subprocess.run(
        [sys.executable, "-c", STOCK, LIBRARY, *files],
        env=os.environ | {"SLIPWAY_TENSORRT_LIB": str(TENSORRT), "SLIPWAY_CUDA_DRIVER": "libslipway_no_driver.so"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_it_is_found_and_says_what_is_missing(tmp_path):
    class Model(torch.nn.Module):
        def forward(self, x):
            return torch.relu(x) + 1

    program = torch.export.export(Model(), (torch.randn(2, 3),))
    file = slipway_cli.compile(program, tmp_path, "--check", "off", engine="tensorrt")
    done = load_by_stock_runtime(file)
    assert done.returncode == 0, done.stderr
    assert "Init failed for backend TensorRTBackend: 0x20" in done.stderr  # NotFound
    assert "TensorRT engine: NVIDIA's driver is not here" in done.stderr
    assert "second ExecuTorch" not in done.stderr


def test_engines_in_a_data_file_are_found(tmp_path):
    archive = pathlib.Path(__file__).parents[1] / "data/engines/partial.pt2"
    file = tmp_path / "m.pte"
    slipway_cli.call("compile", archive, "-o", file, "--engine", "none", "--external-engines", "engines")
    found = load_by_stock_runtime(file, tmp_path / "engines.ptd")
    assert found.returncode == 0, found.stderr
    assert "NVIDIA's driver is not here" in found.stderr  # The engine was read, and its digest compared.
    absent = load_by_stock_runtime(file)
    assert absent.returncode == 0, absent.stderr
    assert "Init failed for backend TensorRTBackend: 0x24" in absent.stderr  # InvalidExternalData


PLANNED = """
import ctypes, sys, torch
from executorch.runtime import Runtime
library = ctypes.CDLL(sys.argv[1])
program = Runtime.get().load_program(sys.argv[2])
try:
    program.load_method("forward")
except RuntimeError as error:
    print(error)
else:
    raise AssertionError("it has memory of a GPU without an allocator")
assert library.slipway_cuda_register_device_allocator() == 0
method = program.load_method("forward")
for _ in range(3):
    (y,) = method.execute([torch.tensor([1.0, 2.0, 3.0])])
    assert y.tolist() == [2.0, 4.0, 6.0], y
"""


def test_state_planned_on_a_gpu_needs_an_allocator(tmp_path):
    """With the stand-ins for TensorRT and the driver, which the tests in C++ run with."""
    file = tmp_path / "m.pte"
    archive = pathlib.Path(__file__).parents[1] / "data/engines/cache.pt2"
    slipway_cli.call("compile", archive, "-o", file, "--engine", "none", "--non-cpu-memory-planning")
    stand_ins = {
        "SLIPWAY_TENSORRT_LIB": str(LIBRARY.parent / "libtensorrt_stand_in_runtime.so"),
        "SLIPWAY_CUDA_DRIVER": str(LIBRARY.parent / "libcuda_stand_in_driver.so"),
        "SLIPWAY_STAND_IN_VERSION": "110100",
    }
    done = subprocess.run(
        [sys.executable, "-c", PLANNED, LIBRARY, file],
        env=os.environ | stand_ins,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Failed to allocate 256 bytes for buffer 1 on device 1:0" in done.stdout
    assert "No device allocator registered for device type 1" in done.stderr
