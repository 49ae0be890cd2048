"""What TensorRT is given, run by ONNX Runtime or onnx.reference, against eager PyTorch: in the models' own types, fp16 and bf16."""

import json
import math
import pathlib

import numpy as np
import onnx.reference
import pytest
import torch

import slipway_cli
from test_models import MODELS
from test_onnx import session

GOLDEN = pathlib.Path(__file__).parents[2] / "tests/data/golden"
NAMES = ["resnet18", "mobilenet_v3_small", "transformer_encoder", "lstm", "llama_prefill"]
# The largest relative error of rounding to each type.
ROUNDING = {"fp16": 2.0**-11, "bf16": 2.0**-8}
HALF_TYPES = {"fp16": onnx.TensorProto.FLOAT16, "bf16": onnx.TensorProto.BFLOAT16}


def example(name, folder):
    """An archive with inputs and what PyTorch makes of them."""
    if name == "llama_prefill":
        [case, *_] = json.loads((GOLDEN / "manifest.json").read_text())["models"][name]["cases"]
        read = lambda items: [np.load(GOLDEN / item["file"]) for item in items]  # noqa: E731
        return GOLDEN / "llama_prefill.pt2", read(case["inputs"]), read(case["outputs"])
    torch.manual_seed(0)
    model, inputs = MODELS[name]()
    model.eval()
    with torch.no_grad():
        torch.export.save(torch.export.export(model, inputs), folder / "model.pt2")
        outputs = torch.utils._pytree.tree_leaves(model(*inputs))
    return folder / "model.pt2", [value.numpy() for value in inputs], [value.numpy() for value in outputs]


def lower(archive, folder, *options):
    file = folder / "model.onnx"
    slipway_cli.call("compile", archive, "-o", file, "--engine", "tensorrt", *options)
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    return file, model


def run(evaluator, model, inputs):
    names = [slot.name for slot in model.graph.input]
    assert len(names) == len(inputs)
    return evaluator.run(None, dict(zip(names, inputs)))


@pytest.mark.parametrize("name", NAMES)
def test_model(name, tmp_path):
    archive, inputs, expected = example(name, tmp_path)
    file, model = lower(archive, tmp_path)
    for ours, theirs in zip(run(session(file), model, inputs), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=1e-4)


# What each node rounds is off by at most ROUNDING of its size, at random: the errors of n nodes in a row add up like the steps of
# a random walk, to about ROUNDING * sqrt(n) of the output's size. Twice that is allowed; a wrong conversion is off by the size
# itself. ONNX Runtime's CPU computes an fp16 node in float32 and rounds its result, as onnx.reference does for most of bf16.
@pytest.mark.parametrize("precision", ROUNDING)
@pytest.mark.parametrize("name", NAMES)
def test_half_precision(name, precision, tmp_path):
    archive, inputs, expected = example(name, tmp_path)
    file, model = lower(archive, tmp_path, "--precision", precision)
    evaluator = session(file) if precision == "fp16" else onnx.reference.ReferenceEvaluator(model)
    error = 2 * ROUNDING[precision] * math.sqrt(len(model.graph.node))
    assert error < 0.15
    for ours, theirs in zip(run(evaluator, model, inputs), expected, strict=True):
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        assert np.linalg.norm(ours - theirs) < error * np.linalg.norm(theirs)

    # The weights, which are most of the bytes, are there in the half type alone.
    matrices = [tensor for tensor in model.graph.initializer if math.prod(tensor.dims) > 4096]
    assert all(tensor.data_type == HALF_TYPES[precision] for tensor in matrices)


class Upsampled(torch.nn.Module):
    """What TensorRT has no bf16 of."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(4, 8, 3)
        self.up = torch.nn.ConvTranspose2d(8, 4, 2, 2)

    def forward(self, x):
        return torch.nn.functional.hardswish(self.up(self.conv(x)))


@pytest.mark.parametrize("precision", ROUNDING)
@pytest.mark.parametrize("name", [*NAMES, "upsampled"])
def test_tensorrt_takes_all_of_it(name, precision, tmp_path):
    if name == "upsampled":
        archive = tmp_path / "model.pt2"
        torch.export.save(torch.export.export(Upsampled().eval(), (torch.randn(1, 4, 8, 8),)), archive)
    else:
        archive = example(name, tmp_path)[0]
    options = ("--engine", "tensorrt", "--target", "sm_86", "--optimization-level", "0", "--no-cache", "--precision", precision)
    slipway_cli.call("compile", archive, "-o", tmp_path / "model.engine", "--require-full", *options)


def test_kept_operators(tmp_path):
    archive, inputs, expected = example("lstm", tmp_path)
    options = ("--precision", "fp16", "--keep-fp32", "aten.lstm")
    file, model = lower(archive, tmp_path, *options)
    for ours, theirs in zip(run(session(file), model, inputs), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-5)


class Rotated(torch.nn.Module):
    """Turns pairs of numbers by angles that grow with the position, as language models do."""

    def __init__(self):
        super().__init__()
        self.register_buffer("frequencies", 10000.0 ** (-torch.arange(0, 32, 2) / 32))
        self.linear = torch.nn.Linear(32, 32)

    def forward(self, x, positions):
        angles = (self.frequencies[None, :, None] @ positions[:, None, :].float()).transpose(1, 2)
        x = self.linear(x)
        a, b = x[..., ::2], x[..., 1::2]
        return torch.cat([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], -1)


# bf16 counts to 256 and fp16 to 2048: angles computed in them would be off by whole turns.
@pytest.mark.parametrize("precision", ROUNDING)
def test_positions_are_exact(precision, tmp_path):
    torch.manual_seed(0)
    model = Rotated().eval()
    inputs = (torch.randn(1, 8, 32), torch.arange(30001, 30009)[None])
    with torch.no_grad():
        torch.export.save(torch.export.export(model, inputs), tmp_path / "model.pt2")
        expected = model(*inputs).numpy()
    file, lowered = lower(tmp_path / "model.pt2", tmp_path, "--precision", precision)
    evaluator = session(file) if precision == "fp16" else onnx.reference.ReferenceEvaluator(lowered)
    [ours] = run(evaluator, lowered, [value.numpy() for value in inputs])
    assert np.linalg.norm(ours - expected) < 4 * ROUNDING[precision] * np.linalg.norm(expected)
