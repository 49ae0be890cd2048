"""Writes the programs of this folder with ExecuTorch's own exporter (torch 2.14, executorch 1.5.1).

usage: make_programs.py FOLDER
"""

import pathlib
import sys

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import ExecutorchBackendConfig, to_edge, to_edge_transform_and_lower
from torch._higher_order_ops.map import map as map_operator


class Mlp(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Linear(4, 3)
        self.b = torch.nn.Linear(3, 2)

    def forward(self, x):
        return self.b(torch.relu(self.a(x)))


class Dynamic(torch.nn.Module):
    def forward(self, x):
        n = x.shape[0]
        return x.reshape(-1) * 2, torch.cat([x, x])[1:], n * 3, n / 2, x.expand(2, -1, -1)


class Cond(torch.nn.Module):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda x: x + 1, lambda x: x * 2, (x,))


class Map(torch.nn.Module):
    def forward(self, xs, y):
        return map_operator(lambda x, y: x + y, xs, y)


class Mutable(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("n", torch.arange(3.0))
        self.register_buffer("z", torch.zeros(2))

    def forward(self, x):
        self.n.add_(x)
        self.z.mul_(2)
        return self.n * 2 + self.z.sum()


class Lists(torch.nn.Module):
    def forward(self, x, i):
        a, b = torch.split(x, 2)
        c = torch.unbind(a)
        values, indices = torch.topk(b, 2)
        return c[0] + c[1], values, indices, torch.cat([a, b])[i], x[:, i, None]


class Item(torch.nn.Module):
    def forward(self, x, k):
        m = k.max().item()
        torch._check(m >= 0)
        torch._check(m < 10)
        return x * x.sum().item(), torch.zeros(m + 1)


def write(path, model, args, dynamic_shapes=None, partitioner=None, **config):
    exported = torch.export.export(model.eval(), args, dynamic_shapes=dynamic_shapes)
    if partitioner:
        edge = to_edge_transform_and_lower(exported, partitioner=[partitioner])
    else:
        edge = to_edge(exported)
    path.write_bytes(edge.to_executorch(ExecutorchBackendConfig(**config)).buffer)


def main():
    folder = pathlib.Path(sys.argv[1])
    torch.manual_seed(0)
    x = torch.randn(2, 4)
    batch = torch.export.Dim("b", min=1, max=8)
    write(folder / "mlp.pte", Mlp(), (x,))
    write(folder / "xnnpack.pte", Mlp(), (x,), partitioner=XnnpackPartitioner())
    write(folder / "external.pte", Mlp(), (x,), external_constants=True)
    write(folder / "dynamic.pte", Dynamic(), (torch.randn(3, 4),), ({0: batch},))
    write(folder / "cond.pte", Cond(), (torch.randn(2, 3),))
    write(folder / "map.pte", Map(), (torch.randn(3, 2), torch.randn(2)))
    write(folder / "mutable.pte", Mutable(), (torch.randn(3),))
    write(folder / "lists.pte", Lists(), (torch.randn(4, 5), torch.tensor([1, 0])))
    write(folder / "item.pte", Item(), (torch.rand(2, 2), torch.tensor([1, 2])))


if __name__ == "__main__":
    main()
