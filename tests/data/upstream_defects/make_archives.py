"""Writes the archives of this folder, with PyTorch's results: python make_archives.py (torch 2.14.0).

ExecuTorch 1.5.1's own exporter fails on each of these programs, or what it makes of it fails to run.
"""

import pathlib

import numpy
import torch
from torch import nn
from torch.export import Dim, export, save

FOLDER = pathlib.Path(__file__).parent
torch.manual_seed(0)


class ChannelsLast(nn.Module):
    def forward(self, x):
        return x.to(memory_format=torch.channels_last) + 1


class SplitAfterReshape(nn.Module):
    def forward(self, x):
        first, second = x.reshape(x.shape[0] * x.shape[1], 6).split(3, dim=1)
        return first * second, second


class UpToEight(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        rows = torch.arange(x.shape[0]).unsqueeze(1)
        weights = torch.where(rows >= rows.t(), 1.0, 0.0)
        return weights @ self.linear(x)


class NonzeroToFloat(nn.Module):
    def forward(self, x):
        return (x > 0).nonzero().float() * 2


def write(name, module, cases, dynamic_shapes=None):
    with torch.no_grad():
        program = export(module.eval(), (cases[0],), dynamic_shapes=dynamic_shapes)
        # They hold the paths of whoever runs this.
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)
        save(program, FOLDER / f"{name}.pt2")
        for i, x in enumerate(cases):
            numpy.save(FOLDER / f"{name}.{i}.in.npy", x.numpy())
            outputs = module(x)
            for j, output in enumerate(outputs if isinstance(outputs, tuple) else (outputs,)):
                numpy.save(FOLDER / f"{name}.{i}.out{j}.npy", output.contiguous().numpy())


def main():
    write("channels_last", ChannelsLast(), [torch.randn(2, 3, 4, 5)])
    write(
        "split_after_reshape",
        SplitAfterReshape(),
        [torch.randn(2, 3, 6), torch.randn(4, 5, 6)],
        {"x": {0: Dim("a", min=1, max=8), 1: Dim("b", min=1, max=8)}},
    )
    write(
        "up_to_eight",
        UpToEight(),
        [torch.randn(2, 4), torch.randn(8, 4), torch.randn(1, 4)],
        {"x": {0: Dim("a", min=1, max=8)}},
    )
    write("nonzero_to_float", NonzeroToFloat(), [torch.tensor([1.0, -1, 2, 0]), -torch.ones(4)])


if __name__ == "__main__":
    main()
