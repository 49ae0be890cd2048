"""What XNNPACK computes in 8 bits against PyTorch's dequantized arithmetic: operator by operator, and in ExecuTorch's own runtime."""

import numpy as np
import pytest
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from executorch.exir._serialize._program import deserialize_pte_binary
from executorch.runtime import Runtime, Verification
from torch import nn

import slipway_cli
from quantized_models import dynamically_quantized, quantized

functional = nn.functional
decomposed = torch.ops.quantized_decomposed
IMAGES = (2, 4, 9, 8)


def rounded(x, scale=0.05, zero=3):
    """To int8 and back."""
    levels = decomposed.quantize_per_tensor(x, scale, zero, -128, 127, torch.int8)
    return decomposed.dequantize_per_tensor(levels, scale, zero, -128, 127, torch.int8)


class Operators(nn.Module):
    """All of them, each on the input of its sizes."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        levels = lambda *sizes: torch.randint(-127, 128, sizes).to(torch.int8)  # noqa: E731
        self.register_buffer("images", levels(6, 4, 3, 3))
        self.register_buffer("channels", levels(6, 1, 3, 3))
        self.register_buffer("lines", levels(6, 4, 3))
        self.register_buffer("rows", levels(6, 5))
        self.register_buffer("scales", torch.rand(6) * 0.01 + 0.001)
        self.register_buffer("zeros", torch.zeros(6, dtype=torch.int64))
        self.register_buffer("bias", torch.randn(6))

    def weight(self, name):
        """With a scale for each output."""
        return decomposed.dequantize_per_channel(getattr(self, name), self.scales, self.zeros, 0, -127, 127, torch.int8)

    def plain_weight(self, name):
        """With one scale."""
        return decomposed.dequantize_per_tensor(getattr(self, name), 0.01, 0, -127, 127, torch.int8)

    def forward(self, *inputs):
        by_sizes = {tuple(x.shape): x for x in inputs}
        return tuple(function(self, by_sizes[sizes]) for function, sizes in OPERATORS.values())


def convolved(m, x, weight="images", **options):
    return functional.conv2d(rounded(x), m.weight(weight), m.bias, **options)


# The last quantization is the step that may be off.
OPERATORS = {
    "conv": (lambda m, x: rounded(convolved(m, x, padding=1), 0.2, -5), IMAGES),
    "conv_without_bias": (lambda m, x: rounded(functional.conv2d(rounded(x), m.plain_weight("images"), stride=2), 0.2, -5), IMAGES),
    "conv_relu": (lambda m, x: rounded(convolved(m, x).relu(), 0.05, -128), IMAGES),
    "conv_relu6": (lambda m, x: rounded(functional.relu6(convolved(m, x)), 0.05, -100), IMAGES),
    "conv_relu_later": (lambda m, x: rounded(rounded(convolved(m, x), 0.1, -20).relu(), 0.1, -20), IMAGES),
    "conv_relu_in_other_steps": (lambda m, x: rounded(rounded(convolved(m, x), 0.1, -20).relu(), 0.07, -128), IMAGES),
    "conv_in_groups": (lambda m, x: rounded(convolved(m, x, groups=2), 0.2, 1), (2, 8, 9, 8)),
    "conv_depthwise": (lambda m, x: rounded(convolved(m, x, "channels", padding=1, groups=6), 0.1, 4), (2, 6, 9, 8)),
    "conv1d": (lambda m, x: rounded(functional.conv1d(rounded(x), m.weight("lines"), m.bias), 0.1, 2), (2, 4, 11)),
    "conv_transposed": (lambda m, x: rounded(functional.conv_transpose2d(rounded(x), m.weight("images")), 0.2, 4), (2, 6, 5, 8)),
    "linear": (lambda m, x: rounded(functional.linear(rounded(x), m.weight("rows"), m.bias), 0.1, 7), (3, 5)),
    "linear_relu": (lambda m, x: rounded(functional.linear(rounded(x), m.plain_weight("rows"), m.bias).relu(), 0.1, -128), (2, 3, 5)),
    "mm": (lambda m, x: rounded(torch.mm(rounded(x), m.weight("rows").t()), 0.1, 3), (3, 5)),
    "matmul": (lambda m, x: rounded(torch.matmul(rounded(x), rounded(x, 0.1, 2).transpose(-1, -2)), 0.3, 3), IMAGES),
    "add": (lambda m, x: rounded(rounded(x) + rounded(x * 2, 0.08, -3), 0.15, 1), IMAGES),
    "add_relu": (lambda m, x: rounded((rounded(x) + rounded(x * 2, 0.08, -3)).relu(), 0.1, 1), IMAGES),
    "sub": (lambda m, x: rounded(rounded(x) - rounded(x * 2, 0.08, -3)[:, :1], 0.15, 1), IMAGES),
    "mul": (lambda m, x: rounded(rounded(x) * rounded(x.mean((2, 3), keepdim=True), 0.08, -3), 0.3, 1), IMAGES),
    "max_pool": (lambda m, x: rounded(functional.max_pool2d(rounded(x), 3, 2, 1)), IMAGES),
    "avg_pool": (lambda m, x: rounded(functional.avg_pool2d(rounded(x), 3, 2), 0.04, 5), IMAGES),
    "padded_avg_pool": (lambda m, x: rounded(functional.avg_pool2d(rounded(x), 3, 2, 1), 0.04, 5), IMAGES),
    "adaptive_avg_pool": (lambda m, x: rounded(functional.adaptive_avg_pool2d(rounded(x), 1), 0.02, 5), IMAGES),
    "mean": (lambda m, x: rounded(rounded(x).mean((2, 3)).relu(), 0.02, 5), IMAGES),
    "mean_of_rows": (lambda m, x: rounded(rounded(x).mean(-1, keepdim=True), 0.03, 5), IMAGES),
    "relu": (lambda m, x: rounded(rounded(x).relu()), IMAGES),
    "relu_of_positive": (lambda m, x: rounded(rounded(x, 0.05, -128).relu(), 0.05, -128), IMAGES),
    "hardtanh": (lambda m, x: rounded(functional.hardtanh(rounded(x), -1, 2)), IMAGES),
    "cat": (lambda m, x: rounded(torch.cat([rounded(x), rounded(x * 2)], 1)), IMAGES),
    "cat_of_other_steps": (lambda m, x: rounded(torch.cat([rounded(x), rounded(x * 2, 0.1, 3)], 1)), IMAGES),
    "moves": (lambda m, x: rounded(rounded(x).transpose(1, 2).reshape(2, 9, -1)[:, 1:4]), IMAGES),
    "select": (lambda m, x: rounded(rounded(x)[:, 1]), IMAGES),
    "pad": (lambda m, x: rounded(functional.pad(rounded(x), (1, 2, 0, 1))), IMAGES),
    "pad_between_levels": (lambda m, x: functional.pad(rounded(x), (1, 2, 0, 1), value=1.03), IMAGES),
    "sigmoid": (lambda m, x: rounded(rounded(x).sigmoid(), 1 / 256, -128), IMAGES),
    "hardswish": (lambda m, x: rounded(functional.hardswish(rounded(x)), 0.04, -100), IMAGES),
    "softmax": (lambda m, x: rounded(torch.softmax(rounded(x), -1), 1 / 256, -128), IMAGES),
    "other_steps": (lambda m, x: rounded(rounded(x), 0.11, -9), IMAGES),
    "nothing_quantized_behind": (lambda m, x: functional.linear(rounded(x), m.weight("rows"), m.bias), (3, 5)),
    "weight_only": (lambda m, x: functional.linear(x, m.weight("rows"), m.bias) * 1.5, (3, 5)),
    "int8_output": (lambda m, x: decomposed.quantize_per_tensor(x, 0.05, 3, -128, 127, torch.int8), IMAGES),
}


def test_computes_what_pytorch_does(tmp_path):
    """Within a step of what is quantized last, and few a step off: XNNPACK adds up in 32 bits, with biases of whole steps."""
    model = Operators()
    generator = torch.Generator().manual_seed(1)
    inputs = [torch.randn(sizes, generator=generator) * 2 for sizes in sorted({sizes for _, sizes in OPERATORS.values()})]
    for x in inputs:
        x.view(-1)[:4] = torch.tensor([100.0, -100.0, 0.0, -0.0])  # beyond what int8 holds
    exported = torch.export.export(model, tuple(inputs))
    file = slipway_cli.compile(exported, tmp_path, "--require-full", "--check", "fail", engine="xnnpack")
    slipway_cli.check_one_partition(file)
    ours, _ = slipway_cli.run(file, inputs, tmp_path)
    nodes = exported.graph.find_nodes(op="output", target="output")[0].args[0]
    for name, mine, theirs, node in zip(OPERATORS, ours, model(*inputs), nodes, strict=True):
        difference = np.abs(np.asarray(mine, dtype=np.float64) - theirs.numpy())
        if "dequantize_per_tensor" in str(node.target):
            assert difference.max() <= node.args[1] * 1.001, name
            assert (difference > node.args[1] / 2).mean() < 0.03, name
        else:
            assert difference.max() <= 1e-6 * max(1, theirs.abs().max()), name


def test_executorchs_python_runtime_runs_int8_engines(tmp_path):
    exported, _, _ = quantized("residual", "xnnpack", "training", True)
    model, step = exported.module(), exported.graph.find_nodes(op="output", target="output")[0].args[0][0].args[1]
    compiled = slipway_cli.compile(exported, tmp_path, "--require-full", engine="xnnpack")
    [plan] = deserialize_pte_binary(compiled.read_bytes()).program.execution_plan
    assert [delegate.id for delegate in plan.delegates] == ["XnnpackBackend"]
    method = Runtime.get().load_program(compiled, verification=Verification.Minimal).load_method("forward")
    for batch in (2, 1, 3):
        x = torch.randn(batch, 3, 16, 16, generator=torch.Generator().manual_seed(batch))
        [ours] = method.execute([x])
        # Two steps: a level next to a half moves what follows.
        assert (ours - model(x)).abs().max() <= 2.001 * step


def test_weights_have_a_byte(tmp_path):
    size = 256
    levels = torch.randint(-127, 128, (size, size), generator=torch.Generator().manual_seed(0)).to(torch.int8)
    scales, zeros = torch.tensor([0.01] * size), torch.zeros(size, dtype=torch.int64)

    class Products(nn.Module):
        def forward(self, x):
            weight = decomposed.dequantize_per_channel(levels, scales, zeros, 0, -127, 127, torch.int8)
            x = rounded(functional.linear(rounded(x), weight), 0.5, 0)
            x = rounded(functional.conv1d(x[:, :, None], weight[:, :, None]), 0.5, 0)
            return functional.linear(x[:, :, 0] * 2, weight)

    file = slipway_cli.compile(torch.export.export(Products(), (torch.randn(2, size),)), tmp_path, "--require-full", engine="xnnpack")
    assert file.stat().st_size < 0.3 * 4 * 2 * size * size  # in two shapes


def torchao_config(name):
    from torchao.quantization import Int8DynamicActivationIntxWeightConfig
    from torchao.quantization.granularity import PerAxis, PerGroup

    granularity = PerGroup(32) if "groups" in name else PerAxis(0)
    scales = torch.bfloat16 if name == "4_bits_in_groups" else None
    return Int8DynamicActivationIntxWeightConfig(
        weight_dtype=torch.int8 if name.startswith("8") else torch.int4, weight_granularity=granularity, weight_scale_dtype=scales
    )


def dynamic_products(name, sizes=(96, 33)):
    """(module, program of any number of rows): two products of torchao's."""
    from torchao.quantization import quantize_

    torch.manual_seed(0)
    inputs, outputs = sizes
    model = nn.Sequential(nn.Linear(inputs, inputs), nn.ReLU(), nn.Linear(inputs, outputs, bias=False)).eval()
    quantize_(model, torchao_config(name))
    shapes = ({0: torch.export.Dim("rows", min=1, max=64)},)
    return model, torch.export.export(model, (torch.randn(5, inputs),), dynamic_shapes=shapes)


def rows_of(kind, size, count=5):
    x = torch.randn(count, size, generator=torch.Generator().manual_seed(count))
    return {"numbers": x, "large": x * 1e3, "small": x * 1e-3, "zeros": x * 0, "positive": x.abs(), "negative": -x.abs() - 1, "one": x[:1]}[kind]


@pytest.mark.parametrize("name", ["8_bits", "4_bits", "4_bits_in_groups"])
def test_multiplies_rows_that_torchao_quantizes(name, tmp_path):
    model, program = dynamic_products(name)
    file = slipway_cli.compile(program.run_decompositions(), tmp_path, "--require-full", "--check", "fail", engine="xnnpack")
    slipway_cli.check_one_partition(file)
    # A level that is next to a half, or at the end of the range, may be a step off: of two products.
    for kind in ("numbers", "large", "small", "zeros", "positive", "negative", "one"):
        x = rows_of(kind, 96)
        [ours], _ = slipway_cli.run(file, [x], tmp_path)
        theirs = model(x).detach()
        assert np.abs(ours - theirs.numpy()).max() <= 0.02 * max(theirs.abs().max(), 1e-4), kind
    method = Runtime.get().load_program(file, verification=Verification.Minimal).load_method("forward")
    [stock] = method.execute([x])
    np.testing.assert_array_equal(stock.numpy(), ours)
    x = rows_of("numbers", 96)
    x[1, 3], x[2, 4], x[3, 5] = torch.nan, torch.inf, -torch.inf
    [ours], _ = slipway_cli.run(file, [x], tmp_path)
    np.testing.assert_array_equal(np.isnan(ours), model(x).isnan().numpy())


def test_multiplies_rows_as_executorchs_export_does(tmp_path):
    from torchao.quantization import quantize_

    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32)).eval(), rows_of("numbers", 64)
    quantize_(model[0], torchao_config("8_bits"))
    quantize_(model[2], torchao_config("4_bits_in_groups"))
    program = torch.export.export(model, (x,))
    compiled = slipway_cli.compile(program.run_decompositions(), tmp_path, "--require-full", engine="xnnpack")
    exported = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch()
    (tmp_path / "stock.pte").write_bytes(exported.buffer)
    [ours], _ = slipway_cli.run(compiled, [x], tmp_path)
    [theirs], _ = slipway_cli.run(tmp_path / "stock.pte", [x], tmp_path)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name, bits", [("8_bits", 8), ("4_bits", 4), ("4_bits_in_groups", 4.5)])
def test_weights_of_quantized_rows_stay_packed(name, bits, tmp_path):
    size = 512
    _, program = dynamic_products(name, (size, size))
    file = slipway_cli.compile(program.run_decompositions(), tmp_path, "--require-full", "--check", "off", engine="xnnpack")
    assert file.stat().st_size < 2 * size * size * bits / 8 + 20_000


def test_scales_of_groups_are_rounded_only_if_that_is_allowed(tmp_path):
    model, program = dynamic_products("4_bits_in_groups_of_float32")
    program, x = program.run_decompositions(), rows_of("numbers", 96)
    theirs = model(x).detach().numpy()
    # With scales that are none of XNNPACK's, products are those of float32.
    exact = slipway_cli.compile(program, tmp_path, "--check", "fail", engine="xnnpack")
    [ours], _ = slipway_cli.run(exact, [x], tmp_path)
    np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-5)
    assert "weight_scale_dtype=torch.bfloat16" in slipway_cli.call("inspect", exact)
    rounded = slipway_cli.compile(program, tmp_path, "--allow-reduced-precision", "--require-full", engine="xnnpack")
    [ours], _ = slipway_cli.run(rounded, [x], tmp_path)
    assert 1e-5 < np.abs(ours - theirs).max() < 0.02 * np.abs(theirs).max()


@pytest.mark.parametrize("low", [-127, -8])
def test_multiplies_rows_that_pt2e_quantizes_one_by_one(low, tmp_path):
    """XNNPACK has a scale for each row, and PT2E one for the tensor."""
    weights = (low, 127 if low < -8 else 7)
    x = torch.randn(5, 64, generator=torch.Generator().manual_seed(0))

    def differences(rows, *options):
        program, model = dynamically_quantized(weight_range=weights, rows=rows)
        file = slipway_cli.compile(program, tmp_path, *options, engine="xnnpack")
        [ours], _ = slipway_cli.run(file, [x[:rows]], tmp_path)
        theirs = model(x[:rows]).detach().numpy()
        return np.abs(ours - theirs).max() / np.abs(theirs).max()

    assert differences(1, "--require-full", "--check", "fail") <= 0.02
    # Of several rows the steps are PyTorch's, on kernels.
    assert differences(5) <= 1e-5
    assert 1e-5 < differences(5, "--require-full", "--allow-reduced-precision") <= 0.03
