"""Composite operators, and the table of decompositions, are looked up once for all programs, and again where operators have been
registered since: PyTorch does it for each program, which takes longer than the rest of most exports."""

import functools

import torch

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
