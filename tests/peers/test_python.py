"""The Python package beside PyTorch and ExecuTorch in one process."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import torch

ROOT = pathlib.Path(__file__).parents[2]
SITE = ROOT / "build/python/site"  # tools/wheel.sh installs it there


@pytest.fixture(scope="module")
def slipway():
    sys.path.insert(0, str(SITE))
    try:
        import slipway
    finally:
        sys.path.remove(str(SITE))
    return slipway


def compiled(slipway, module, inputs, folder, **shapes):
    program = torch.export.export(module.eval(), inputs, **shapes)
    slipway.compile(program, folder / "m.pte", engine="none")
    return slipway.load(folder / "m.pte")


class Named(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 3)

    def forward(self, x, *, scale):
        y = self.linear(x) * scale["by"]
        return {"y": y, "rest": (y.sum(), [x[0], 3])}


def test_exported_programs_take_and_give_tensors(slipway, tmp_path):
    module, x, scale = Named(), torch.randn(2, 4, requires_grad=True), {"by": torch.tensor(2.0)}
    program = torch.export.export(module, (x.detach(),), {"scale": scale})
    slipway.compile(program, tmp_path / "m.pte", engine="none")
    result, expected = slipway.load(tmp_path / "m.pte")(x, scale=scale), module(x, scale=scale)
    torch.testing.assert_close(result, {key: value for key, value in torch.utils._pytree.tree_map(
        lambda leaf: leaf.detach() if isinstance(leaf, torch.Tensor) else leaf, expected).items()})
    only_arrays = slipway.load(tmp_path / "m.pte")(x.detach().numpy(), scale={"by": np.float32(2).reshape(())})
    assert isinstance(only_arrays["y"], np.ndarray)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int64, torch.bool, torch.complex64])
def test_types(slipway, dtype, tmp_path):
    class Twice(torch.nn.Module):
        def forward(self, x):
            return torch.cat([x, x])

    x = torch.randn(3, 2).to(dtype)
    model = compiled(slipway, Twice(), (x,), tmp_path)
    result = model(x)
    assert result.dtype == dtype and torch.equal(result, torch.cat([x, x]))
    transposed = x.T.contiguous().T
    assert torch.equal(model(transposed), result)


def test_inputs_are_written_to(slipway, tmp_path):
    class Writes(torch.nn.Module):
        def forward(self, x):
            x.add_(1)
            return x * 2

    model = compiled(slipway, Writes(), (torch.zeros(2, 3),), tmp_path)
    x = torch.zeros(2, 3)
    assert torch.equal(model(x), torch.full((2, 3), 2.0)) and torch.equal(x, torch.ones(2, 3))
    assert model.method().inputs[0].is_mutated
    with pytest.raises(slipway.errors.InvalidArgumentError, match="not contiguous"):
        model(torch.zeros(3, 2).T)
    array = np.zeros((2, 3), np.float32)
    array.flags.writeable = False
    with pytest.raises(slipway.errors.InvalidArgumentError, match="read-only"):
        model(array)


def test_views_that_negate_or_conjugate(slipway, tmp_path):
    class Doubles(torch.nn.Module):
        def forward(self, x):
            return x * 2

    z = torch.randn(3, 2, dtype=torch.complex64)
    assert torch.equal(compiled(slipway, Doubles(), (z,), tmp_path)(z.conj()), z.conj() * 2)
    negated = torch._neg_view(torch.ones(2, 3))
    assert torch.equal(compiled(slipway, Doubles(), (torch.ones(2, 3),), tmp_path)(negated), torch.full((2, 3), -2.0))

    class Writes(torch.nn.Module):
        def forward(self, x):
            x.add_(1)
            return x * 2

    model = compiled(slipway, Writes(), (torch.zeros(2, 3),), tmp_path)
    with pytest.raises(slipway.errors.InvalidArgumentError, match="conjugates or negates"):
        model(negated)


ORDERS = """
import sys
for name in sys.argv[2].split(","):
    __import__(name)
import numpy, slipway
from executorch.runtime import Runtime
for _ in range(2):
    ours = slipway.load(sys.argv[1])(numpy.full((2, 3), 2, numpy.float32))
    import torch
    theirs = Runtime.get().load_program(sys.argv[1]).load_method("forward").execute([torch.full((2, 3), 2.0)])[0]
    assert (ours == 5).all() and (theirs == 5).all(), (ours, theirs)
"""


STOCK_FIRST = """
import sys
import executorch.runtime, slipway, numpy
file = sys.argv[1]
try:
    slipway.load(file)(numpy.zeros((2, 4), numpy.float32))
except slipway.Error as error:
    assert "libexecutorch_backend_openvino.so, which was there before" in str(error), error
    assert slipway.load(file, isolate=True)(numpy.zeros((2, 4), numpy.float32)).shape == (2, 3)
    print("said so")
"""


def test_another_delegate_is_named(slipway, tmp_path):
    """That of ExecuTorch's package, with an OpenVINO that is older than the engine."""
    slipway.compile(torch.export.export(torch.nn.Linear(4, 3).eval(), (torch.randn(2, 4),)), tmp_path / "m.pte")
    command = [sys.executable, "-c", STOCK_FIRST, tmp_path / "m.pte"]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(SITE)}, capture_output=True, text=True)
    assert "said so" in done.stdout, done.stderr


@pytest.mark.parametrize("order", ["slipway,torch,executorch.runtime", "torch,executorch.runtime,slipway"])
def test_imports_in_any_order(slipway, order, tmp_path):
    class Affine(torch.nn.Module):
        def forward(self, x):
            return x * 2 + 1

    compiled(slipway, Affine(), (torch.zeros(2, 3),), tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", ORDERS, tmp_path / "m.pte", order],
        env=os.environ | {"PYTHONPATH": f"{SITE}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
