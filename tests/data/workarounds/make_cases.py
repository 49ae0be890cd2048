#!/usr/bin/env python3
"""Writes the programs of this folder, at least one a rule of src/openvino/builder/workarounds.cc, in both dialects, with
inputs and PyTorch's results. Run it with the Python of the peers suite."""

import json
import math
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

HERE = pathlib.Path(__file__).parent
N = torch.export.Dim("n", min=0, max=16)
B = torch.export.Dim("b", min=1, max=16)
torch.manual_seed(0)


special = torch.tensor([1.0, math.nan, -math.inf, 3.0, math.inf, math.nan, 0.0, -2.0, torch.finfo().max, torch.finfo().min, math.inf, 5.0]).repeat(3, 1)
special[1:] = special[1:].roll(5, 1) * torch.tensor([[1.0], [-1.0]])


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


class Heads(nn.Module):
    """Products with one column, and numbers added behind movements."""

    def __init__(self):
        super().__init__()
        self.head, self.bare, self.wide = nn.Linear(6, 1), nn.Linear(6, 1, bias=False), nn.Linear(6, 3)

    def forward(self, x):
        y = self.head(x)
        return (
            y.t() + 2.5,
            (y + 1.5).reshape(1, -1) - 2.5,
            torch.cat([y, self.wide(x)], 1) + 2.5,
            ((self.bare(x) + 1.5).mT + 2.5).reshape(-1) * 3 + 0.5,
            self.wide(x).t() + 2.5,
        )


class Reductions(nn.Module):
    """Reductions of three dimensions, and numbers of channels behind them."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(5)
        self.norm.running_mean, self.norm.running_var = torch.randn(5), torch.rand(5) + 0.5
        self.scale = nn.Parameter(torch.randn(5, 1))

    def forward(self, x):
        return (
            self.norm(x.mean(-1)),
            x.sum(-1, keepdim=True) * self.scale,
            (torch.linalg.vector_norm(x, dim=-1, keepdim=True) + 0.5).relu() - self.scale,
            x[:1].prod(0, keepdim=True) / self.scale,
            F.prelu(x.var(-1) - 0.05, self.scale[:, 0]),
        )


class DeepHeads(nn.Module):
    """The same where the products have three dimensions."""

    def __init__(self):
        super().__init__()
        self.head, self.mixed = nn.Linear(3, 1), nn.Parameter(torch.randn(1, 3))

    def forward(self, x, y):
        return (
            self.head(x).mT + 1,
            self.head(x).transpose(0, 1) - 1.0,
            ((x @ self.mixed.t()) + 1.5).mT + 2.5,
            (torch.einsum("bsi,oi->bso", x, self.mixed) + self.head.bias).mT + 1,
            (x @ y + self.head.bias).mT + 1,
        )


class Scores(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(6, 1)

    def forward(self, x, y):
        return self.head(x).squeeze() + 1, (x @ y.t()).reshape(()), torch.einsum("ij,ij->", x, y).relu(), F.linear(x, y).view(()) * 2


def signs(*sizes):
    return torch.randn(*sizes)


ROW = torch.randn(1, 6)
CASES = {
    "abs-sinking": (
        Function(
            lambda x, z: (
                (torch.arange(-5, 6) - 3).abs() + x.sum(),
                torch.cat([torch.arange(-5.0, 6.0) - 3, x[:, 0]]).abs(),
                F.pad(z, (2, 1), mode="reflect"),
                (torch.arange(6.0).reshape(2, 3) - 3).abs() * z[0, 0],
                # Too large to be computed ahead of time.
                ((torch.arange(-200000.0, 200001.0) - 3).abs() + x.sum())[199998:200006],
            )
        ),
        [(signs(5, 2), signs(2, 6)), (signs(1, 2), signs(2, 6))],
        ({0: B}, None),
    ),
    "gather-after-slice": (
        Function(lambda x, i: (x[:, :-1].gather(2, i) * 2, x[:, 1:].gather(-1, i), x.gather(2, i))),
        [(signs(2, n + 1, 4), torch.randint(0, 4, (2, n, 1))) for n in (3, 5)],
        ({1: B + 1}, {1: B}),
    ),
    "one-column-product": (Heads(), [(signs(3, 6),), (signs(5, 6),)], ({0: B},)),
    "rank-0-product": (Scores(), [(signs(1, 6), signs(1, 6))], None),
    "expand-to-nothing": (
        Function(
            lambda x, r: (
                ROW.expand(x.shape[0], 6) + 1,
                torch.full((x.shape[0], 2), 2.0) * 3 + x.sum(),
                torch.zeros(x.shape[0], 3) + torch.tensor([1.0, 2.0, 3.0]),
                (r.expand(x.shape[0], 2, 6) - 1).exp(),
            )
        ),
        [(signs(n, 2), signs(2, 6)) for n in (3, 0, 1)],
        ({0: N}, None),
    ),
    "mean-of-nothing": (
        Function(lambda x: (x.mean(0), x.mean(), x.mean(1), x.mean((0, 1), keepdim=True))),
        [(signs(n, 3),) for n in (3, 0)],
        ({0: N},),
    ),
    "product-over-nothing": (
        Function(
            lambda x, y: (
                F.relu(x @ y),
                F.linear(x, y.t(), ROW[0, :3]).tanh(),
                torch.addmm(ROW[0, :3], x, y, beta=0.5, alpha=2),
                torch.baddbmm(ROW[:, :3], x[None], y[None]).exp(),
                torch.einsum("ij,jk->ki", x, y).abs(),
                (x @ y[:, 0]).sigmoid() * 2 + 1,
            )
        ),
        [(signs(2, n), signs(n, 3)) for n in (3, 0, 1)],
        ({1: N}, {0: N}),
    ),
    "scatter-nan": (
        Function(
            lambda x, i, s: (
                x.scatter_reduce(0, i, s, "amax"),
                x.scatter_reduce(0, i, s, "amin", include_self=False),
                x.scatter_reduce(0, i, s, "sum"),
                s.scatter_reduce(0, torch.tensor([2]), x, "amax"),
                s.scatter_reduce(-1, torch.tensor([1]), x, "amin", include_self=False),
            )
        ),
        [(signs(4), torch.tensor([0, 0, 1, 3]), torch.tensor([math.nan, 1.0, 2.0, math.inf]))],
        None,
    ),
    "one-column-of-three": (DeepHeads(), [(signs(2, 2, 3), signs(2, 3, 1))], None),
    "odd-numbers": (
        Function(
            lambda x: (
                torch.add(x, x, alpha=math.nan),
                torch.clamp(x, math.nan, None),
                F.elu(x, math.inf),
                torch.ops.aten.elu.default(x, 0, 0, math.inf),
                torch.where(x > 0, math.nan, x),
            )
        ),
        [(torch.tensor([0.5, 0.0, -0.0, 2.0, 1.0, 30.0]),)],
        None,
    ),
    "reshape-to-nothing": (
        Function(lambda x, y: (x.unflatten(1, (1, -1)), x.transpose(0, 1).reshape(x.shape[1], 1, x.shape[0], x.shape[0]), y.sum(0))),
        [(signs(m, n, m), signs(2, 3)) for m, n in ((3, 2), (1, 0), (2, 1))],
        ({0: torch.export.Dim("m", min=0, max=16), 1: N, 2: torch.export.Dim("m", min=0, max=16)}, None),
    ),
    "integer-choice": (
        Function(
            lambda x, y: (
                x.tril(),
                x.triu(1),
                torch.where(torch.arange(x.shape[0])[:, None] > 0, x, 0),
                x.masked_fill(y <= torch.arange(4.0), 7),
                torch.where(torch.arange(4) <= torch.arange(x.shape[0])[:, None], -5, x),
            )
        ),
        [(torch.randint(-(2**31), 2**31, (n, 4)).int(), signs(n, 1)) for n in (3, 5)],
        ({0: B}, {0: B}),
    ),
    "large-factor": (
        Function(
            lambda x: (
                (x - 10) * 1e38,
                (x - 2.5) * math.inf,
                (x - 2.5) / 0.0,
                torch.tensor([math.inf, 2.0, 1e20, 0.5]) * (x + 1.5),
                (x - 2.5) / torch.tensor([0.0, 2.0, 1e-20, 0.5]),
                F.linear(x, torch.eye(4), torch.ones(4)) * -math.inf,
            )
        ),
        [(torch.tensor([10.1, -10.0, 9.9, 0.25]),)],
        None,
    ),
    "rank-of-one-element": (
        Function(
            lambda x: (
                x.exp()[0] - torch.ones(1),
                torch.maximum(x.exp()[1], torch.full((1, 1), 2.0)),
                x[:1].reshape(1, 1).relu().squeeze(0) * torch.full((1, 1, 1), 3.0),
                (x[None] @ torch.ones(4, 1)).squeeze() + torch.ones(1, 1),
            )
        ),
        [(torch.tensor([2.5, -1.0, 1.0, -14.0]),)],
        None,
    ),
    "reduction-of-three": (Reductions(), [(torch.rand(3, 5, 8) + 0.5,), (torch.rand(1, 5, 8) + 0.5,)], ({0: B},)),
    "reduction-of-three-integers": (
        Function(lambda x: ((x > 3).sum(-1) * 2, (x > 3).sum(-1, keepdim=True) * 2, (x > 3).int().amax(-1) * 3, (x > 3).sum(1) - 1)),
        [(torch.arange(16.0).reshape(4, 2, 2),)],
        None,
    ),
    "topk-nan": (
        Function(
            lambda x: (
                x.sort(-1).values,
                x.gather(0, x.argsort(0, descending=True)),
                x.topk(5).values,
                x.gather(1, x.topk(5, largest=False).indices),
                x.half().sort(-1).values.float(),
            )
        ),
        [(special,), (special[:1],), (torch.randn(4, 12),)],
        ({0: B},),
    ),
    "window-over-nothing": (
        Function(
            lambda x: (
                F.max_pool2d(x, 2),
                F.avg_pool2d(x, 2, padding=1, count_include_pad=False).relu(),
                F.adaptive_avg_pool2d(x, 2),
                F.pad(x, [1, 2, 1, 1], mode="reflect"),
                F.max_pool1d(x.flatten(2), 3, stride=2),
                x.sum(),
            )
        ),
        [(torch.rand(3, 2, 4, 6) - 0.5,), (torch.zeros(0, 2, 4, 6),), (torch.rand(1, 2, 4, 6),)],
        ({0: N},),
    ),
    # No fault of OpenVINO's: what the lowering itself must get right.
    "": (
        Function(lambda x: (x.signbit(), (-x).signbit(), x.clamp(-1, math.inf), F.hardtanh(x, -math.inf, 1.0), x + math.inf)),
        [(torch.tensor([0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, 1e-30, -1e-30]),)],
        None,
    ),
}
RULES = {"one-column-of-three": "one-column-product", "rank-0-product": "one-column-product", "reduction-of-three-integers": "reduction-of-three"}


def main(wanted):
    """All of them, or those of the names given."""
    manifest = json.loads((HERE / "manifest.json").read_text())["models"] if wanted else {}
    for rule, (model, inputs, dynamic) in CASES.items():
        name = rule or "none"
        if wanted and name not in wanted:
            continue
        entry = manifest[name] = {"rule": RULES.get(rule, rule), "files": {}, "cases": []}
        with torch.no_grad():
            program = torch.export.export(model.eval(), inputs[0], dynamic_shapes={"args": dynamic} if dynamic and isinstance(model, Function) else dynamic)
            for dialect, exported in (("training", program), ("core", program.run_decompositions())):
                entry["files"][dialect] = f"{name}.{dialect}.pt2"
                for node in exported.graph.nodes:
                    node.meta.pop("stack_trace", None)
                torch.export.save(exported, HERE / entry["files"][dialect])
            for number, case in enumerate(inputs):
                files = {}
                for kind, tensors in (("inputs", case), ("outputs", model(*case))):
                    files[kind] = []
                    for place, tensor in enumerate(tensors):
                        file = f"{name}.{number}.{kind[:-1]}{place}.npy"
                        np.save(HERE / file, tensor.numpy())
                        files[kind].append({"file": file})
                entry["cases"].append(files)
    (HERE / "manifest.json").write_text(json.dumps({"models": manifest}, indent=1) + "\n")


main(sys.argv[1:])
