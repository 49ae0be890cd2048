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
