"""Quantized models against PyTorch: their numbers, one engine each, and what OpenVINO makes of their convolutions and products."""

import ctypes
import itertools
import pathlib

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import slipway_cli
from quantized_models import MODELS, QUANTIZERS, int8_weights, quantized

LIBRARIES = pathlib.Path(__file__).parents[2] / ".deps/openvino/libs"
DIALECTS = [("training", False), ("core", False), ("training", True)]
CASES = [("residual", quantizer, *dialect) for quantizer, dialect in itertools.product(QUANTIZERS, DIALECTS)]
CASES += [(model, "xnnpack", "training", False) for model in MODELS if model != "residual"]


def check_within_a_step(ours, theirs, program):
    """The step of what is quantized last, if that is the output; of float32 products otherwise, whose inputs may be a step off."""
    scales = [node.args[1] for node in program.graph.nodes if "quantize_per_tensor" in str(node.target)]
    [output] = next(node for node in program.graph.nodes if node.op == "output").args[0]
    step = output.args[1] if "dequantize_per_tensor" in str(output.target) else max(scales)
    assert np.abs(ours - theirs.numpy()).max() <= step * 1.001


@pytest.mark.parametrize("model, quantizer, dialect, dynamic", CASES)
def test_runs_as_pytorch_does(model, quantizer, dialect, dynamic, tmp_path):
    program, inputs, output = quantized(model, quantizer, dialect, dynamic)
    for engine in ("openvino", "none"):
        file = slipway_cli.compile(program, tmp_path, engine=engine)
        if engine == "openvino":
            slipway_cli.check_one_partition(file)
        [ours], _ = slipway_cli.run(file, inputs, tmp_path)
        check_within_a_step(ours, output, program)


@pytest.mark.parametrize("model, quantizer, dialect, dynamic", CASES)
def test_lowered_for_each_engine_as_pytorch_computes(model, quantizer, dialect, dynamic, tmp_path):
    program, inputs, output = quantized(model, quantizer, dialect, dynamic)
    archive, file = tmp_path / "model.pt2", tmp_path / "model.onnx"
    torch.export.save(program, archive)
    for options in ([], ["--engine", "openvino"], ["--engine", "tensorrt"]):
        slipway_cli.call("compile", archive, "-o", file, *options)
        lowered = onnx.load(file)
        onnx.checker.check_model(lowered, full_check=True)
        weights = [item for item in lowered.graph.initializer if len(item.dims) > 1]
        assert weights
        assert all(item.data_type == onnx.TensorProto.INT8 for item in weights)
        session = onnxruntime.InferenceSession(file)
        [ours] = session.run(None, {session.get_inputs()[0].name: inputs[0].numpy()})
        check_within_a_step(ours, output, program)


class Profile(ctypes.Structure):
    _fields_ = [
        ("status", ctypes.c_int),
        ("real_time", ctypes.c_int64),
        ("cpu_time", ctypes.c_int64),
        ("node_name", ctypes.c_char_p),
        ("exec_type", ctypes.c_char_p),
        ("node_type", ctypes.c_char_p),
    ]


class ProfileList(ctypes.Structure):
    _fields_ = [("items", ctypes.POINTER(Profile)), ("size", ctypes.c_size_t)]


def executed(engine):
    """What OpenVINO's C interface says of an engine with static sizes, after a run on zeros: [(layer, kernel)]."""
    [path] = LIBRARIES.glob("libopenvino_c.so.*")
    library = ctypes.CDLL(str(path))
    blob = engine.read_bytes()
    core, model, request = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    text = lambda value: ctypes.c_char_p(value.encode())  # noqa: E731
    assert library.ov_core_create(ctypes.byref(core)) == 0
    for name, value in (("PERF_COUNT", "YES"), ("INFERENCE_PRECISION_HINT", "f32"), ("EXECUTION_MODE_HINT", "ACCURACY")):
        assert library.ov_core_set_property(core, text("CPU"), text(name), text(value)) == 0
    assert library.ov_core_import_model(core, blob, ctypes.c_size_t(len(blob)), text("CPU"), ctypes.byref(model)) == 0
    assert library.ov_compiled_model_create_infer_request(model, ctypes.byref(request)) == 0
    assert library.ov_infer_request_infer(request) == 0
    profile = ProfileList()
    assert library.ov_infer_request_get_profiling_info(request, ctypes.byref(profile)) == 0
    rows = [(profile.items[i].node_type.decode(), profile.items[i].exec_type.decode()) for i in range(profile.size)]
    library.ov_profiling_info_list_free(ctypes.byref(profile))
    library.ov_infer_request_free(request)
    library.ov_compiled_model_free(model)
    library.ov_core_free(core)
    return rows


@pytest.mark.skipif(
    not {"avx512_vnni", "avx_vnni"} & set(pathlib.Path("/proc/cpuinfo").read_text().split()),
    reason="this processor's int8 products saturate, so that quantized models are computed in float32",
)
@pytest.mark.parametrize("quantizer", QUANTIZERS)
def test_openvino_computes_convolutions_and_products_in_int8(quantizer, tmp_path):
    program, _, _ = quantized("residual", quantizer)
    file = slipway_cli.compile(program, tmp_path, engine="openvino")
    slipway_cli.call("extract", file, "--engine", "0", "-o", tmp_path / "x.engine")
    rows = executed(tmp_path / "x.engine")
    kernels = [kernel for layer, kernel in rows if "Convolution" in layer or "FullyConnected" in layer]
    assert len(kernels) == 4
    assert all(kernel.lower().endswith("i8") for kernel in kernels), kernels


@pytest.mark.parametrize("engine", ["openvino", "none"])
def test_int8_weights_stay_int8(engine, tmp_path):
    program, inputs, output = int8_weights(512)
    file = slipway_cli.compile(program, tmp_path, engine=engine)
    [ours], _ = slipway_cli.run(file, inputs, tmp_path)
    np.testing.assert_allclose(ours, output.numpy(), atol=1e-5, rtol=1e-5)
    if engine == "openvino":
        slipway_cli.check_one_partition(file)
        # Three of a byte; the table with scales of columns is float32, since OpenVINO misreads it.
        assert file.stat().st_size < 1.1 * (3 + 4) * 512 * 512
