"""Writes the files of this folder (torch 2.14, executorch 1.5.1).

usage: make_programs.py FOLDER

The .pte files are by ExecuTorch's own exporter. Inputs and outputs have no planned memory, except in
planned.pte: they are bound by pointer. The .pt2 files are archives of torch.export.
loop.pte is golden/scan.pt2 as `slipway compile --engine none` makes it, and
openvino.pte is golden/mlp.pt2 as `slipway compile` makes it with OpenVINO 2026.4.1.
"""

import pathlib
import sys

import torch
from executorch.exir import ExecutorchBackendConfig, to_edge
from executorch.exir.passes import MemoryPlanningPass
from executorch.exir.passes.init_mutable_pass import InitializedMutableBufferPass


class Add(torch.nn.Module):
    def forward(self, x, y):
        return x + y, x * 2


class Echo(torch.nn.Module):
    def forward(self, x):
        return x, x + 1, x


class Literals(torch.nn.Module):
    def forward(self, x, k, f, b, s, none):
        return x * k + f, k, None


class Counter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.full((2,), 5.0))
        self.register_buffer("weight", torch.full((2,), 3.0))

    def forward(self, x):
        self.count.add_(x)
        return self.count * self.weight


class Rows(torch.nn.Module):
    def forward(self, x, table):
        return torch.embedding(table, x), torch.relu(table)


class Symbols(torch.nn.Module):
    def forward(self, x, mask, twice):
        return x + mask, twice * 2


class MutatedInput(torch.nn.Module):
    def forward(self, x, y):
        x.add_(y)
        return x * 2


class Narrow(torch.nn.Module):
    def forward(self, x):
        return {"half": x.to(torch.bfloat16), "sum": x.sum()}


def write_archive(path, model, args, dynamic_shapes=None):
    program = torch.export.export(model.eval(), args, dynamic_shapes=dynamic_shapes)
    # They hold the paths of whoever runs this.
    for node in program.graph_module.graph.nodes:
        node.meta.pop("stack_trace", None)
    torch.export.save(program, path)


def write(path, model, args, dynamic_shapes=None, planned=False, **config):
    planning = MemoryPlanningPass(alloc_graph_input=planned, alloc_graph_output=planned)
    edge = to_edge(torch.export.export(model.eval(), args, dynamic_shapes=dynamic_shapes))
    program = edge.to_executorch(ExecutorchBackendConfig(memory_planning_pass=planning, **config))
    path.write_bytes(program.buffer)


def main():
    folder = pathlib.Path(sys.argv[1])
    pair = (torch.randn(2, 3), torch.randn(2, 3))
    write(folder / "add.pte", Add(), pair)
    write(folder / "planned.pte", Add(), pair, planned=True)
    rows = torch.export.Dim("n", min=1, max=8)
    write(folder / "add_dynamic.pte", Add(), pair, ({0: rows}, {0: rows}))
    write(folder / "echo.pte", Echo(), (torch.randn(2),))
    write(folder / "literals.pte", Literals(), (torch.randn(2), 3, 1.5, True, "mode", None))
    write(
        folder / "counter.pte",
        Counter(),
        (torch.ones(2),),
        passes=[InitializedMutableBufferPass(["count"])],
        emit_mutable_buffer_names=True,
    )
    n = torch.export.Dim("n", min=1, max=64)
    sizes = ({0: n}, {0: n}, {0: 2 * n})
    triple = (torch.randn(4, 3), torch.randn(4, 3), torch.randn(8))
    write_archive(folder / "symbols.pt2", Symbols(), triple, sizes)
    write_archive(folder / "mutated_input.pt2", MutatedInput(), (torch.randn(3), torch.randn(3)))
    write_archive(folder / "narrow.pt2", Narrow(), (torch.randn(3),))
    write(folder / "rows.pte", Rows(), (torch.tensor([1, 0]), torch.randn(3, 2)))


if __name__ == "__main__":
    main()
