"""Composite operators, and the table of decompositions, are looked up once for all programs, and again where operators have been
registered since: PyTorch does it for each program, which takes longer than the rest of most exports.

With SLIPWAY_USED_OPERATORS=FILE the operators of all programs that are saved are added to that file, for operators_in_use.txt. With
SLIPWAY_PART=K/N one N-th of the tests run (tools/part.py).
"""

import functools
import os
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools"))
from part import is_chosen  # noqa: E402

run_decompositions = torch.export.ExportedProgram.run_decompositions
composite_operators = torch.export.exported_program._collect_all_valid_cia_ops


def registered():
    return len(torch._C._dispatch_get_all_op_names())


@functools.cache
def table_with(operators):
    return torch.export.default_decompositions().materialize()


@functools.cache
def composite_operators_with(operators):
    return composite_operators()


torch.export.ExportedProgram.run_decompositions = lambda program, table=None, **options: run_decompositions(
    program, table_with(registered()) if table is None else table, **options
)
torch.export.exported_program._collect_all_valid_cia_ops = lambda: set(composite_operators_with(registered()))
save = torch.export.save


def note_operators(program):
    graphs = [module.graph for module in program.graph_module.modules() if isinstance(module, torch.fx.GraphModule)]
    names = {str(node.target) for graph in graphs for node in graph.nodes if node.op == "call_function"}
    with open(os.environ["SLIPWAY_USED_OPERATORS"], "a") as file:
        file.writelines(f"{name}\n" for name in sorted(names) if "<" not in name)


def save_and_note(program, *arguments, **options):
    note_operators(program)
    save(program, *arguments, **options)


if "SLIPWAY_USED_OPERATORS" in os.environ:
    torch.export.save = save_and_note


def pytest_collection_modifyitems(config, items):
    config.hook.pytest_deselected(items=[item for item in items if not is_chosen(item.nodeid)])
    items[:] = [item for item in items if is_chosen(item.nodeid)]
