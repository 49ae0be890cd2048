"""Writes weightless.pt2, 350 MB of weights without the weights: python make_archive.py (torch 2.14.0)."""

import pathlib

import torch
from torch import nn
from torch.export import export, save


class Large(nn.Module):
    """One weight that lies as kernels take it, and one that is transposed in memory."""

    def __init__(self):
        super().__init__()
        self.plain = nn.Parameter(torch.empty(4700, 9400))
        self.transposed = nn.Parameter(torch.empty(4700, 9400).t())

    def forward(self, x):
        return nn.functional.linear(nn.functional.linear(x, self.plain), self.transposed)


with torch._subclasses.FakeTensorMode():
    program = export(Large(), (torch.empty(1, 9400),))
for node in program.graph.nodes:
    node.meta.pop("stack_trace", None)
save(program, pathlib.Path(__file__).parent / "weightless.pt2")
