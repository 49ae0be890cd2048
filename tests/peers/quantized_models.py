"""Models quantized with PT2E and weights of 8 bits, for tests; run on its own it writes the archives of tests/data/golden/quantized_*."""

import json
import pathlib
import sys

import numpy as np
import torch
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config
from torch import nn
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer


def xnnpack():
    """int8 activations with any zero point, int8 weights per channel."""
    return XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))


def xnnpack_per_tensor():
    return XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=False))


def x86():
    """uint8 activations, int8 weights per channel."""
    return x86_inductor_quantizer.X86InductorQuantizer().set_global(
        x86_inductor_quantizer.get_default_x86_inductor_quantization_config()
    )


def xnnpack_dynamic(weight_range=(-127, 127)):
    """int8 activations by what each call gives, weights per channel of int8 in this range."""
    low, high = weight_range
    return XNNPACKQuantizer().set_global(
        get_symmetric_quantization_config(is_per_channel=True, is_dynamic=True, weight_qmin=low, weight_qmax=high)
    )


QUANTIZERS = {"xnnpack": xnnpack, "xnnpack_per_tensor": xnnpack_per_tensor, "x86": x86}


class Residual(nn.Module):
    """Convolutions of the usual kinds, an addition, a concatenation, pooling and a product."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.pointwise = nn.Conv2d(16, 16, 1)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        y = self.pointwise(nn.functional.relu6(self.depthwise(x))) + x
        y = self.pool(torch.cat([y, x], 1))
        return self.head(y.mean((2, 3)))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(32, 32) for _ in range(4))
        self.norm = nn.LayerNorm(32)

    def forward(self, x):
        weights = torch.softmax(self.query(x) @ self.key(x).transpose(-1, -2) / 5.5, -1)
        return self.out(self.norm(weights @ self.value(x)))


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(64, 96), nn.Linear(96, 32)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


MODELS = {
    "residual": (Residual, (2, 3, 16, 16)),
    "attention": (Attention, (2, 7, 32)),
    "conv1d": (lambda: nn.Sequential(nn.Conv1d(8, 16, 5, padding=2), nn.ReLU(), nn.Conv1d(16, 8, 3)), (2, 8, 40)),
    "transposed": (lambda: nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU(), nn.ConvTranspose2d(8, 4, 2, stride=2)), (2, 4, 9, 9)),
}


class Int8Weights(nn.Module):
    """The forms in which weights of 8 bits are read: scaled before and after the product, with zero points, and by rows."""

    def __init__(self, size=160):
        super().__init__()
        integers = lambda low, high, dtype: torch.randint(low, high, (size, size)).to(dtype)  # noqa: E731
        self.register_buffer("after", integers(-128, 128, torch.int8))
        self.register_buffer("before", integers(-128, 128, torch.int8))
        self.register_buffer("skewed", integers(0, 256, torch.uint8))
        self.register_buffer("table", integers(-128, 128, torch.int8))
        self.register_buffer("scale", torch.rand(size) * 1e-3 + 1e-4)
        self.register_buffer("zero", torch.randint(100, 150, (size, 1)).float())

    def forward(self, x, i):
        x = nn.functional.linear(x, self.after.to(x.dtype)) * self.scale
        x = nn.functional.linear(x, self.before.to(x.dtype) * self.scale[:, None])
        x = nn.functional.linear(x, (self.skewed.to(x.dtype) - self.zero) * self.scale[:, None])
        return x + nn.functional.embedding(i, self.table.to(x.dtype) * self.scale)


class WeightForm(nn.Module):
    """A product with weights of 8 bits, as weight-only schemes write it."""

    SIZE, GROUP = 512, 32

    def __init__(self, form):
        super().__init__()
        size, groups = self.SIZE, self.SIZE // self.GROUP
        self.form = form
        self.register_buffer("weight", torch.randint(-128, 128, (size, size)).to(torch.int8))
        self.register_buffer("scale", torch.rand(size) * 1e-3 + 1e-4)
        self.register_buffer("scales", torch.rand(size, groups) * 1e-3 + 1e-4)
        self.register_buffer("zeros", torch.randint(-8, 8, (size, groups)).to(torch.int8))

    def forward(self, x):
        return getattr(self, self.form)(x)

    def transposed_then_scaled(self, x):
        return torch.mm(x, self.weight.t().to(x.dtype)) * self.scale

    def scaled_after(self, x):
        return nn.functional.linear(x, self.weight.to(x.dtype)) * self.scale

    def scaled_before(self, x):
        return x @ (self.weight.to(x.dtype) * self.scale[:, None]).t()

    def by_rows_of_inputs(self, x):
        return x @ (self.weight.to(x.dtype) * self.scale)

    def _groups(self, x):
        return self.weight.view(self.SIZE, -1, self.GROUP).to(x.dtype)

    def groups(self, x):
        return nn.functional.linear(x, (self._groups(x) * self.scales[:, :, None]).view(self.SIZE, self.SIZE))

    def groups_with_zeros(self, x):
        centered = self._groups(x) - self.zeros[:, :, None].to(x.dtype)
        return torch.mm(x, (centered * self.scales[:, :, None]).reshape(self.SIZE, self.SIZE).t())

    def groups_of_inputs(self, x):
        grouped = self.weight.view(-1, self.GROUP, self.SIZE).to(x.dtype) * self.scales.t()[:, None]
        return torch.mm(x, grouped.view(self.SIZE, self.SIZE))


WEIGHT_FORMS = [name for name, value in vars(WeightForm).items() if callable(value) and not name.startswith("_") and name != "forward"]


def quantized(name, quantizer, dialect="training", dynamic=False):
    """(exported program, inputs, PyTorch's output)"""
    torch.manual_seed(0)
    make, shape = MODELS[name]
    inputs = (torch.randn(shape),)
    shapes = ({0: torch.export.Dim("batch", min=1, max=8)},) if dynamic else None
    model = torch.export.export(make().eval(), inputs, dynamic_shapes=shapes).module()
    model = prepare_pt2e(model, QUANTIZERS[quantizer]())
    model(*inputs)
    model = convert_pt2e(model)
    program = torch.export.export(model, inputs, dynamic_shapes=shapes)
    if dialect == "core":
        program = program.run_decompositions()
    return program, inputs, model(*inputs).detach()


def dynamically_quantized(dialect="training", dynamic=False, weight_range=(-127, 127), rows=5):
    """(exported program, the module)"""
    torch.manual_seed(0)
    inputs = (torch.randn(rows, 64),)
    shapes = ({0: torch.export.Dim("batch", max=8)},) if dynamic else None
    model = prepare_pt2e(torch.export.export(Layers().eval(), inputs, dynamic_shapes=shapes).module(), xnnpack_dynamic(weight_range))
    model(*inputs)
    model = convert_pt2e(model)
    program = torch.export.export(model, inputs, dynamic_shapes=shapes)
    return (program.run_decompositions() if dialect == "core" else program), model


def int8_weights(size=160):
    torch.manual_seed(0)
    model, inputs = Int8Weights(size).eval(), (torch.randn(3, size), torch.tensor([1, 0, 5]))
    return torch.export.export(model, inputs), inputs, model(*inputs)


def main():
    folder = pathlib.Path(sys.argv[1])
    manifest = json.loads((folder / "manifest.json").read_text())
    cases = {f"quantized_{quantizer}": quantized("residual", quantizer) for quantizer in ("xnnpack", "x86")}
    cases["quantized_weights"] = int8_weights()
    for name, (program, inputs, output) in cases.items():
        # They hold the paths of whoever runs this.
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)
        torch.export.save(program, folder / f"{name}.pt2")
        files = {}
        for key, values in (("in", inputs), ("out", [output])):
            files[key] = []
            for i, value in enumerate(values):
                file = f"{name}.0.{key}{i}.npy"
                np.save(folder / file, value.numpy())
                kind = str(value.dtype).removeprefix("torch.")
                files[key].append({"file": file, "dtype": kind, "shape": list(value.shape)})
        manifest["models"][name] = {
            "files": {"training": f"{name}.pt2"},
            "note": "written by tests/peers/quantized_models.py",
            "cases": [{"inputs": files["in"], "outputs": files["out"]}],
        }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))


if __name__ == "__main__":
    main()
