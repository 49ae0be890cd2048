"""Numbers of 8 bits (float8): every one of them as a constant, and conversions to them with PyTorch's rounding."""

import numpy as np
import onnxruntime
import pytest
import torch

import slipway_cli

TYPES = [torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz]
ENGINES = ["openvino", "none"]


class Constant(torch.nn.Module):
    def __init__(self, dtype):
        super().__init__()
        self.register_buffer("all", torch.arange(256, dtype=torch.uint8).view(dtype).view(16, 16))

    def forward(self, x):
        return self.all.to(x.dtype) + x, self.all.t()[2:5].to(torch.float16).float() + x[:3]


class Rounded(torch.nn.Module):
    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype

    def forward(self, x):
        small = x.to(self.dtype)
        return small.float(), small.reshape(-1, 2).to(torch.float16), small.to(self.dtype).float() * 2


class Scaled(torch.nn.Module):
    """Weights of 8 bits with a scale for each row."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.register_buffer("weight", torch.randn(64, 32).to(torch.float8_e4m3fn))
        self.register_buffer("scale", torch.rand(64, 1))

    def forward(self, x):
        return torch.nn.functional.linear(x, self.weight.to(x.dtype) * self.scale)


def numbers(dtype):
    """All numbers of the type, those halfway between two and next to these, and beyond all."""
    values = torch.arange(256, dtype=torch.uint8).view(dtype).float()
    values = values[values.isfinite()].unique()
    halfway = (values[1:] + values[:-1]) / 2
    edges = torch.tensor([0.0, -0.0, torch.nan, torch.inf, -torch.inf, 1e-30, -1e-30, 3e38, -3e38, values.max() * 1.0625, values.max() * 1.03])
    both = torch.cat([values, halfway, torch.nextafter(halfway, torch.tensor(torch.inf)), torch.nextafter(halfway, -torch.tensor(torch.inf))])
    both = torch.cat([both, edges, edges[:1]])
    return both[: both.numel() // 2 * 2].clone()


def check(program, inputs, outputs, folder, engine):
    file = slipway_cli.compile(program, folder, engine=engine)
    ours, _ = slipway_cli.run(file, inputs, folder)
    for mine, theirs in zip(ours, outputs, strict=True):
        np.testing.assert_array_equal(mine, theirs.numpy())
        if engine == "none":
            rest = ~np.isnan(mine)
            np.testing.assert_array_equal(np.signbit(mine)[rest], np.signbit(theirs.numpy())[rest])


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("engine", ENGINES)
def test_reads_constants(engine, dtype, tmp_path):
    model, x = Constant(dtype), torch.zeros(16, 16)
    check(torch.export.export(model, (x,)), [x], model(x), tmp_path, engine)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dialect", ["training", "core"])
def test_rounds_to_pytorchs_bits(dialect, engine, dtype, tmp_path):
    model, x = Rounded(dtype), numbers(dtype)
    program = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("half", max=4096) * 2},))
    if dialect == "core":
        program = program.run_decompositions()
    for each in (x, x[:4]):
        check(program, [each], model(each), tmp_path, engine)


def test_weights_are_read_by_engines_and_runtimes(tmp_path):
    model, x = Scaled(), torch.randn(3, 32)
    program = torch.export.export(model, (x,))
    file = slipway_cli.compile(program, tmp_path, engine="openvino")
    slipway_cli.check_one_partition(file)
    [ours], _ = slipway_cli.run(file, [x], tmp_path)
    np.testing.assert_allclose(ours, model(x).numpy(), atol=1e-5, rtol=1e-5)
    slipway_cli.call("compile", tmp_path / "model.pt2", "-o", tmp_path / "model.onnx", "--engine", "tensorrt")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    [ours] = session.run(None, {"x": x.numpy()})
    np.testing.assert_allclose(ours, model(x).numpy(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("function, says", [
    (lambda x: x.to(torch.float8_e4m3fn), "is an output of float8_e4m3fn, which nothing writes: convert it to float32"),
    (lambda x: torch.cat([x.to(torch.float8_e5m2), x.to(torch.float8_e5m2)]).float(), "test_float8.py.*which is float8_e5m2.*convert before the export"),
])
def test_says_what_is_not_computed(function, says, tmp_path):
    class Program(torch.nn.Module):
        def forward(self, x):
            return function(x)

    program = torch.export.export(Program(), (torch.zeros(4),))
    with pytest.raises(slipway_cli.ToolError, match=f"(?s){says}"):
        slipway_cli.compile(program, tmp_path)
