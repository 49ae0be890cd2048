"""Writes the archives of this folder, products of rows and weights of 8 or 4 bits as torchao exports them, each with its rows and what PyTorch
makes of them: python make_archives.py (torch 2.14.0, torchao as in tests/peers/requirements.txt)."""

import pathlib

import numpy as np
import torch
import torch.ao.quantization.fx._decomposed  # registers the operators
from torchao import quantization
from torchao.quantization.granularity import PerAxis, PerGroup
from torchao.quantization.quant_primitives import MappingType

FOLDER = pathlib.Path(__file__).parent
WEIGHTS = {
    "plain": quantization.Int8WeightOnlyConfig(version=2),
    "channels": quantization.IntxWeightOnlyConfig(weight_dtype=torch.int8, granularity=PerAxis(0)),
    "groups": quantization.IntxWeightOnlyConfig(weight_dtype=torch.int8, granularity=PerGroup(32), mapping_type=MappingType.ASYMMETRIC),
    "four_bits": quantization.IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(32)),
    "four_bits_asymmetric": quantization.IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(64), mapping_type=MappingType.ASYMMETRIC),
}


class Product(torch.nn.Module):
    def __init__(self, dtype):
        super().__init__()
        self.linear = torch.nn.Linear(128, 40, dtype=dtype)

    def forward(self, x):
        return self.linear(x.to(self.linear.bias.dtype)).float()


class Dequantized(torch.nn.Module):
    """As PT2E leaves it, where weights alone are quantized."""

    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype
        self.register_buffer("codes", torch.randint(-128, 128, (40, 128), dtype=torch.int8))
        self.register_buffer("scales", torch.rand(40) / 100)
        self.register_buffer("zeros", torch.randint(-10, 10, (40,)))

    def forward(self, x):
        weight = torch.ops.quantized_decomposed.dequantize_per_channel(self.codes, self.scales, self.zeros, 0, -128, 127, torch.int8)
        return torch.nn.functional.linear(x.to(self.dtype), weight.to(self.dtype)).float()


class DequantizedGroups(torch.nn.Module):
    def __init__(self, dtype, columns=40):
        super().__init__()
        self.dtype = dtype
        self.register_buffer("codes", torch.randint(-8, 8, (columns, 128), dtype=torch.int8))
        self.register_buffer("scales", torch.rand(columns, 4) / 100)
        self.register_buffer("zeros", torch.zeros(columns, 4, dtype=torch.int8))

    def forward(self, x):
        weight = torch.ops.quantized_decomposed.dequantize_per_channel_group(
            self.codes, self.scales, self.zeros, -8, 7, torch.int8, 32, self.dtype
        )
        return torch.nn.functional.linear(x.to(self.dtype), weight).float()


def write(name, model, x, dtype):
    program = torch.export.export(model, (x,)).run_decompositions()
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    stem = f"{name}.{str(dtype).removeprefix('torch.')}"
    torch.export.save(program, FOLDER / f"{stem}.pt2")
    np.save(FOLDER / f"{stem}.in.npy", x.numpy())
    np.save(FOLDER / f"{stem}.out.npy", model(x).detach().numpy())


TYPES = ((torch.float32, 3), (torch.float16, 1), (torch.bfloat16, 8))
torch.manual_seed(5)
for dtype, rows in TYPES:
    for name, config in [*WEIGHTS.items(), ("dequantized", None)]:
        x = torch.randn(rows, 128)
        model = Product(dtype).eval() if config else Dequantized(dtype)
        if config:
            quantization.quantize_(model, config)
        write(name, model, x, dtype)
for dtype, rows in TYPES:
    x = torch.randn(rows, 128)
    write("four_bits_dequantized", DequantizedGroups(dtype), x, dtype)
for dtype, rows in TYPES:  # of several blocks
    x = torch.randn(rows, 128)
    write("four_bits_wide", DequantizedGroups(dtype, 600), x, dtype)
