"""What the lowering to ONNX writes, run by ONNX Runtime, or by onnx.reference where that has no kernel, against eager PyTorch."""

import copy
import json
import pathlib
import sys

import ml_dtypes
import numpy as np
import onnx.reference
import onnxruntime
import pytest
import torch

import slipway_cli
from test_models import MODELS

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/conformance"))

import operator_cases  # noqa: E402, F401
import overload_cases  # noqa: E402, F401
import value_cases  # noqa: E402, F401
from table import CASES, Program, export  # noqa: E402


# Cases for which ONNX Runtime's CPU has no kernel, or gives Python no such array, or computes something else: its Max of int64
# goes wrong past 32 bits, its ReduceMax loses NaN.
REFERENCE = set("""
to_every_type_float16 moved_bfloat16 read_bfloat16 written_bfloat16 chosen_bfloat16 compared_bfloat16 made_bfloat16
arithmetic_bfloat16 reduced_bfloat16 sorted_bfloat16 to_every_type_bfloat16 to_every_type_float64 to_every_type_int64
to_every_type_int32 moved_int16 to_every_type_int16 to_every_type_int8 to_every_type_uint8 matmul_bfloat16
functions_bfloat16 softmax_bfloat16 layer_norm_bfloat16 conv_bfloat16 pool_bfloat16 attention_bfloat16
functions_float64 conv_float64 pool_float64 double_normalized double_layers double_adaptive_pool double_activations
half_rounds_inside promoted_floats edges_cast int64_arithmetic edges_reduced
rounds_float16 rounds_dynamic_float16 special_float16 scattered_float16
rounds_bfloat16 rounds_dynamic_bfloat16 numbers_bfloat16 numbers_kept_bfloat16 special_bfloat16 empty_bfloat16 dynamic_bfloat16
mask_as_float layers_bfloat16 resized_bfloat16 scattered_bfloat16 attention_mask_bfloat16 half_overflow_inside
matmul_tiles matmul_few_rows attention_halves
""".split())

# The MaxPool of both loses NaN.
NOT_COMPARABLE = {"edges_max_pool"}
# Complex numbers.
NOT_IN_ONNX = {"conjugate_transpose", "hermitian_transforms", "hermitian_transforms_back"}

ORT_STATE = onnxruntime.capi.onnxruntime_pybind11_state
ORT_ERRORS = (ORT_STATE.NotImplemented, ORT_STATE.InvalidGraph, ORT_STATE.Fail, ORT_STATE.RuntimeException, RuntimeError)


def session(file):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    # So that each operator is run as it was written.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


class Reference:
    """onnx.reference with what is used of a session here."""

    def __init__(self, file):
        self.evaluator = onnx.reference.ReferenceEvaluator(str(file))

    def run(self, outputs, feeds):
        return self.evaluator.run(outputs, feeds)

    def get_inputs(self):
        return self.evaluator.proto_.graph.input


def as_array(value):
    if not isinstance(value, torch.Tensor):
        return np.asarray(value)
    if value.dtype == torch.bfloat16:
        return value.detach().contiguous().view(torch.uint16).numpy().view(ml_dtypes.bfloat16)
    return value.detach().numpy()


def run(model, inputs):
    """Feeds tensors by position; state starts from its default."""
    arrays = [as_array(value) for value in inputs]
    slots = model.get_inputs()
    assert len(arrays) == len(slots)
    return model.run(None, {slot.name: array for slot, array in zip(slots, arrays)})


def compare(outputs, expected, tolerance):
    expected = [value for value in torch.utils._pytree.tree_leaves(expected) if value is not None]
    assert len(outputs) == len(expected)
    for ours, theirs in zip(outputs, expected):
        theirs = as_array(theirs)
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        if theirs.dtype == ml_dtypes.bfloat16:
            ours, theirs = ours.astype(np.float32), theirs.astype(np.float32)
        np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=tolerance)


def lower(program, folder):
    archive, file = folder / "model.pt2", folder / "model.onnx"
    torch.export.save(program, archive)
    slipway_cli.call("compile", archive, "-o", file)
    return file


@pytest.mark.parametrize("name", [name for name in CASES if name not in NOT_COMPARABLE | NOT_IN_ONNX])
def test_operator(name, tmp_path):
    case = CASES[name]
    model = Program(case.function)
    with torch.no_grad():
        # In the core dialect: as it is exported the conformance suite runs what it is lowered to.
        file = lower(export(case).run_decompositions(), tmp_path)
        expected = [model(*copy.deepcopy(inputs)) for inputs in [case.inputs, *case.more]]
        if name in REFERENCE:
            with pytest.raises((*ORT_ERRORS, AssertionError)):
                compare(run(session(file), case.inputs), expected[0], case.tolerance)
            lowered = Reference(file)
        else:
            lowered = session(file)
        for inputs, outputs in zip([case.inputs, *case.more], expected, strict=True):
            compare(run(lowered, inputs), outputs, case.tolerance)


@pytest.mark.parametrize("name", sorted(NOT_IN_ONNX))
def test_what_onnx_lacks_is_refused(name, tmp_path):
    with pytest.raises(slipway_cli.ToolError, match="can't be written in ONNX"):
        lower(export(CASES[name]).run_decompositions(), tmp_path)


@pytest.mark.parametrize("dialect", ["training", "core"])
@pytest.mark.parametrize("name", MODELS)
def test_model(name, dialect, tmp_path):
    torch.manual_seed(0)
    model, inputs = MODELS[name]()
    model.eval()
    with torch.no_grad():
        program = torch.export.export(model, inputs)
        if dialect == "core":
            program = program.run_decompositions()
        compare(run(session(lower(program, tmp_path)), inputs), model(*inputs), 1e-4)


# Loops and projected LSTMs, which are not written in ONNX, with the first operator that is refused.
LOOPS = {
    "recurrent_loop": "aten.lstm.input",
    "scan": "higher_order.scan",
    "map": "higher_order.map_impl",
    "while_loop": "higher_order.while_loop",
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_are_refused(name, tmp_path):
    with pytest.raises(slipway_cli.ToolError, match=rf"{LOOPS[name]} \(node "):
        slipway_cli.call("compile", ROOT / f"tests/data/golden/{name}.pt2", "-o", tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def archives():
    for folder in (ROOT / "tests/data/golden", ROOT / "examples/models"):
        for name, entry in json.loads((folder / "manifest.json").read_text())["models"].items():
            files = entry.get("files", {"training": entry.get("file")})
            for dialect, file in files.items():
                # ONNX has neither engines nor these complex operators.
                if not name.startswith(("engine_", "complex_")) and name not in LOOPS:
                    yield pytest.param(folder, file, entry["cases"], id=f"{name}-{dialect}")


# ONNX Runtime's CPU computes float16 in float32 and does not round in between.
HALF_TOLERANCE = {"scalars": 2e-3, "conv_half": 2e-3}


@pytest.mark.parametrize("folder, file, cases", list(archives()))
def test_archive(folder, file, cases, tmp_path):
    tolerance = HALF_TOLERANCE.get(file.split(".")[0], 1e-5)
    lowered = tmp_path / "model.onnx"
    slipway_cli.call("compile", folder / file, "-o", lowered)
    model = session(lowered)
    for case in cases:
        arrays = lambda items: [np.load(folder / item["file"]) for item in items if "file" in item]  # noqa: E731
        inputs = arrays(case["inputs"])
        outputs = model.run(None, dict(zip([slot.name for slot in model.get_inputs()], inputs)))
        # Numbers that export specialised on are neither inputs nor outputs; those that depend on sizes are int64.
        after = arrays(case.get("after", {}).values())
        numbers = [item["value"] for item in case["outputs"] if "value" in item]
        if len(outputs) < len(case["outputs"]) + len(after):
            expected = arrays(case["outputs"]) + after
        else:
            assert all(isinstance(number, int) for number in numbers)
            read = lambda item: np.load(folder / item["file"]) if "file" in item else np.int64(item["value"])  # noqa: E731
            expected = [read(item) for item in case["outputs"]] + after
        for ours, theirs in zip(outputs, expected, strict=True):
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=tolerance)


def test_external_data(tmp_path):
    model = torch.nn.Linear(64, 64).eval()
    inputs = (torch.randn(2, 64),)
    archive, file = tmp_path / "model.pt2", tmp_path / "model.onnx"
    torch.export.save(torch.export.export(model, inputs), archive)
    slipway_cli.call("compile", archive, "-o", file)
    assert not (tmp_path / "model.onnx.data").exists()
    compare(run(session(file), inputs), model(*inputs), 1e-5)
