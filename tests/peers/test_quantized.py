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
from quantized_models import MODELS, QUANTIZERS, WEIGHT_FORMS, WeightForm, dynamically_quantized, int8_weights, quantized

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
    for engine in ("openvino", "none", "xnnpack"):
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
    # Where the processor has AVX2 without VNNI, ONNX Runtime's int8 kernels add up in 16 bits, which saturate: float products, as PyTorch's.
    in_float = onnxruntime.SessionOptions()
    in_float.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    for options in ([], ["--engine", "openvino"], ["--engine", "tensorrt"]):
        slipway_cli.call("compile", archive, "-o", file, *options)
        lowered = onnx.load(file)
        onnx.checker.check_model(lowered, full_check=True)
        weights = [item for item in lowered.graph.initializer if len(item.dims) > 1]
        assert weights
        assert all(item.data_type == onnx.TensorProto.INT8 for item in weights)
        session = onnxruntime.InferenceSession(file, in_float)
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


def check_close(ours, theirs, tolerance=1e-5):
    """In parts of the largest number: what is added up has both signs."""
    theirs = theirs.detach().numpy()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * max(1, np.abs(theirs).max()))


def check_weights_stay_int8(program, inputs, output, folder, weights, tolerance=1e-5):
    for engine in ("openvino", "none"):
        file = slipway_cli.compile(program, folder, engine=engine)
        [ours], _ = slipway_cli.run(file, inputs, folder)
        check_close(ours, output, tolerance)
        if engine == "openvino":
            slipway_cli.check_one_partition(file)
            assert file.stat().st_size <= 0.3 * 4 * weights + 50_000  # scales of groups and zero points, and the engine itself


@pytest.mark.parametrize("dialect, rows", [("training", None), ("core", None), ("training", 1)])
@pytest.mark.parametrize("form", WEIGHT_FORMS)
def test_weights_of_every_form_stay_int8(form, dialect, rows, tmp_path):
    torch.manual_seed(0)
    model, x = WeightForm(form), torch.randn(5, WeightForm.SIZE)
    shapes = ({0: torch.export.Dim("rows", max=64)},) if rows else None
    program = torch.export.export(model, (x,), dynamic_shapes=shapes)
    if dialect == "core":
        program = program.run_decompositions()
    x = x[:rows]
    check_weights_stay_int8(program, [x], model(x), tmp_path, WeightForm.SIZE**2)


@pytest.mark.parametrize("form", WEIGHT_FORMS)
def test_weights_are_int8_in_what_tensorrt_reads(form, tmp_path):
    torch.manual_seed(0)
    model, x = WeightForm(form), torch.randn(5, WeightForm.SIZE)
    archive, file = tmp_path / "model.pt2", tmp_path / "model.onnx"
    torch.export.save(torch.export.export(model, (x,)), archive)
    slipway_cli.call("compile", archive, "-o", file, "--engine", "tensorrt")
    lowered = onnx.load(file)
    [weight] = [item for item in lowered.graph.initializer if np.prod(item.dims) == WeightForm.SIZE**2]
    assert weight.data_type == onnx.TensorProto.INT8
    [reader] = [node for node in lowered.graph.node if weight.name in node.input]
    assert reader.op_type == "DequantizeLinear"
    # What ONNX Runtime fuses of these it computes with activations of 8 bits.
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(file, options)
    [ours] = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    check_close(ours, model(x))


def torchao_configs():
    from torchao import quantization
    from torchao.quantization.granularity import PerAxis, PerGroup

    return {
        "int8": quantization.Int8WeightOnlyConfig(version=2),
        "channels": quantization.IntxWeightOnlyConfig(weight_dtype=torch.int8, granularity=PerAxis(0)),
        "groups": quantization.IntxWeightOnlyConfig(weight_dtype=torch.int8, granularity=PerGroup(32)),
        "int8_activations": quantization.Int8DynamicActivationInt8WeightConfig(),
        "int8_activations_of_groups": quantization.Int8DynamicActivationIntxWeightConfig(
            weight_dtype=torch.int8, weight_granularity=PerGroup(32)
        ),
    }


@pytest.mark.parametrize("name", torchao_configs())
def test_runs_what_torchao_writes(name, tmp_path):
    from torchao.quantization import quantize_

    torch.manual_seed(0)
    model, x = torch.nn.Sequential(torch.nn.Linear(512, 512), torch.nn.ReLU(), torch.nn.Linear(512, 512)).eval(), torch.randn(5, 512)
    quantize_(model, torchao_configs()[name])
    program = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("rows", max=64)},)).run_decompositions()
    # Activations that are quantized may be a step off where they are next to a half.
    tolerance = 1e-2 if "activations" in name else 1e-5
    for rows in (x, x[:1]):
        check_weights_stay_int8(program, [rows], model(rows), tmp_path, 2 * 512 * 512, tolerance)


@pytest.mark.parametrize("inner", [1, 512, 513, 2000])
def test_products_of_int8_are_exact(inner, tmp_path):
    largest = torch.full((3, inner), -128, dtype=torch.int8), torch.full((inner, 2), -128, dtype=torch.int8)
    torch.manual_seed(0)
    some = tuple(torch.randint(-128, 128, x.shape).to(torch.int8) for x in largest)

    class Product(torch.nn.Module):
        def forward(self, a, b):
            return torch._int_mm(a, b)

    program = torch.export.export(Product(), some)
    for engine in ("openvino", "none"):
        file = slipway_cli.compile(program, tmp_path, engine=engine)
        for inputs in (largest, some):
            [ours], _ = slipway_cli.run(file, inputs, tmp_path)
            np.testing.assert_array_equal(ours, torch._int_mm(*inputs).numpy())


@pytest.mark.parametrize("dialect, dynamic", DIALECTS)
def test_quantizes_dynamically_as_pytorch_does(dialect, dynamic, tmp_path):
    program, model = dynamically_quantized(dialect, dynamic)
    x = torch.randn(5, 64, generator=torch.Generator().manual_seed(0))
    cases = [x, x * 100, x * 1e-7, torch.zeros(5, 64), x.abs(), -x.abs() - 1] + ([x[:1]] if dynamic else [])
    for engine in ("openvino", "none"):
        file = slipway_cli.compile(program, tmp_path, engine=engine)
        if engine == "openvino":
            slipway_cli.check_one_partition(file)
        for each in cases:
            [ours], _ = slipway_cli.run(file, [each], tmp_path)
            check_close(ours, model(each))
    archive, file = tmp_path / "model.pt2", tmp_path / "model.onnx"
    for options in ([], ["--engine", "tensorrt"]):
        slipway_cli.call("compile", archive, "-o", file, *options)
        session = onnxruntime.InferenceSession(file)
        for each in cases:
            [ours] = session.run(None, {session.get_inputs()[0].name: each.numpy()})
            check_close(ours, model(each))


class Chosen(torch.nn.Module):
    """What is chosen for each row, and all that is made by it."""

    def forward(self, x):
        quantized = torch.ops.quantized_decomposed
        results = []
        for row in x.unbind(0):
            scale, zero = quantized.choose_qparams.tensor(row, -128, 127, 1.19e-7, torch.int8)
            level = quantized.quantize_per_tensor.tensor(row, scale, zero, -128, 127, torch.int8)
            results += [scale, zero, level, quantized.dequantize_per_tensor.tensor(level, scale, zero, -128, 127, torch.int8)]
            results += quantized.choose_qparams_symmetric.tensor(row, -127, 127, 1.19e-7, torch.int8)
        for choose in (quantized.choose_qparams_per_token_asymmetric, quantized.choose_qparams_per_token):
            scale, zero = choose(x, torch.int8)
            level = quantized.quantize_per_token(x, scale, zero, -128, 127, torch.int8)
            results += [scale, zero, level]
            results += [quantized.dequantize_per_token(level, scale, zero, -128, 127, torch.int8, torch.float32)]
        return tuple(results)


@pytest.mark.parametrize("engine", ["openvino", "none"])
def test_chooses_what_pytorch_chooses(engine, tmp_path):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(12, 16, generator=generator) * 10 ** (torch.rand(12, 1, generator=generator) * 8 - 5)
    x[1], x[2], x[3], x[4] = 0, x[2].abs(), -x[3].abs(), 1e-9
    program = torch.export.export(Chosen(), (x,))
    ours, _ = slipway_cli.run(slipway_cli.compile(program, tmp_path, engine=engine), [x], tmp_path)
    for mine, theirs in zip(ours, Chosen()(x), strict=True):
        # OpenVINO divides by constants through their reciprocals.
        is_level = theirs.dtype in (torch.int8, torch.int64)
        np.testing.assert_allclose(mine, theirs.numpy(), atol=0, rtol=0 if is_level or engine == "none" else 3e-7)


def test_dequantizes_groups(tmp_path):
    class Groups(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.register_buffer("weight", torch.randint(-128, 128, (512, 512)).to(torch.int8))
            self.register_buffer("scales", torch.rand(512, 16) * 1e-3 + 1e-4)
            self.register_buffer("zeros", torch.randint(-8, 8, (512, 16)).to(torch.int32))

        def forward(self, x):
            dequantize = torch.ops.quantized_decomposed.dequantize_per_channel_group
            weight = dequantize(self.weight, self.scales, self.zeros, -128, 127, torch.int8, 32, torch.float32)
            return torch.nn.functional.linear(x, weight)

    model, x = Groups(), torch.randn(5, 512)
    program = torch.export.export(model, (x,))
    for engine in ("openvino", "none"):
        [ours], _ = slipway_cli.run(slipway_cli.compile(program, tmp_path, engine=engine), [x], tmp_path)
        check_close(ours, model(x))


@pytest.mark.parametrize("name", ["int8_activations", "int8_activations_of_groups", "int4"])
def test_takes_torchaos_own_operators(name, tmp_path):
    """Those that the training IR has, once weights are plain tensors; in the core IR they are PyTorch's."""
    from torchao.quantization import Int8DynamicActivationIntxWeightConfig, quantize_
    from torchao.utils import unwrap_tensor_subclass

    torch.manual_seed(0)
    model, x = torch.nn.Sequential(torch.nn.Linear(64, 96), torch.nn.ReLU(), torch.nn.Linear(96, 32)).eval(), torch.randn(2, 5, 64)
    quantize_(model, Int8DynamicActivationIntxWeightConfig(weight_dtype=torch.int4) if name == "int4" else torchao_configs()[name])
    program = torch.export.export(unwrap_tensor_subclass(model), (x,))
    assert any(str(node.target).startswith("torchao.") for node in program.graph.nodes)
    expected = model(x)
    for engine in ("openvino", "none", "xnnpack"):
        [ours], _ = slipway_cli.run(slipway_cli.compile(program, tmp_path, engine=engine), [x], tmp_path)
        check_close(ours, expected, 1e-2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("bits", [4, 8])
def test_takes_weights_of_models_in_half_types(bits, dtype, tmp_path):
    from torchao.quantization import IntxWeightOnlyConfig, quantize_
    from torchao.quantization.granularity import PerAxis, PerGroup
    from torchao.utils import unwrap_tensor_subclass

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(64, 96), torch.nn.ReLU(), torch.nn.Linear(96, 32)).to(dtype).eval()
    weights = {4: (torch.int4, PerGroup(32)), 8: (torch.int8, PerAxis(0))}[bits]
    quantize_(model, IntxWeightOnlyConfig(weight_dtype=weights[0], granularity=weights[1]))
    x = torch.randn(2, 5, 64).to(dtype)
    program = torch.export.export(unwrap_tensor_subclass(model), (x,))
    assert any(str(node.target).startswith("torchao.") for node in program.graph.nodes)
    for exported in (program, program.run_decompositions()):
        for engine in ("openvino", "none", "xnnpack"):
            [ours], _ = slipway_cli.run(slipway_cli.compile(exported, tmp_path, engine=engine), [x], tmp_path)
            ours = torch.from_numpy(ours).view(dtype)  # NumPy has no bfloat16: its bits are uint16
            # Rounded twice, of sums in another order.
            torch.testing.assert_close(ours, model(x), rtol=0, atol=2 * torch.finfo(dtype).eps)
