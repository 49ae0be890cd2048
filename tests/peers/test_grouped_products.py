"""Products of groups of rows with a matrix each, as mixtures of experts have them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers.integrations.moe  # noqa: F401  declares transformers::grouped_mm_fallback

import slipway_cli
from function_module import Function


def expected(x, matrices, ends):
    result = torch.zeros(x.shape[0], matrices.shape[2])
    start = 0
    for matrix, end in zip(matrices, ends.tolist()):
        result[start:end] = x[start:end].float() @ matrix.float()
        start = end
    return result


ENDS = ([3, 3, 11, 40], [40, 40, 40, 40], [0, 0, 0, 40], [1, 2, 3, 4], [0, 0, 0, 0], [10, 20, 30, 40])


@pytest.mark.parametrize("decomposed", (False, True))
@pytest.mark.parametrize("dynamic", (False, True))
def test_groups_of_rows(tmp_path, dynamic, decomposed):
    x, matrices = torch.randn(40, 16).bfloat16(), torch.randn(4, 16, 8).bfloat16()
    rows = {0: torch.export.Dim("rows", max=64)}
    program = torch.export.export(
        Function(lambda x, m, ends: F.grouped_mm(x, m, offs=ends)),
        (x, matrices, torch.tensor(ENDS[0], dtype=torch.int32)),
        dynamic_shapes=((rows, None, None),) if dynamic else None,
    )
    file = slipway_cli.compile(program.run_decompositions() if decomposed else program, tmp_path)
    cases = [(x, ends) for ends in ENDS]
    if dynamic:
        cases += [(torch.randn(1, 16).bfloat16(), [0, 0, 1, 1]), (torch.randn(64, 16).bfloat16(), [1, 30, 60, 64])]
    for x, ends in cases:
        ends = torch.tensor(ends, dtype=torch.int32)
        [result], _ = slipway_cli.run(file, [x, matrices, ends], tmp_path)
        result = torch.from_numpy(result.view(np.int16)).view(torch.bfloat16).float()
        torch.testing.assert_close(result, expected(x, matrices, ends), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("ends", ENDS)
def test_groups_of_transformers(tmp_path, ends):
    matrices = torch.randn(4, 8, 16)
    experts = Function(lambda x, ends: torch.ops.transformers.grouped_mm_fallback(x, matrices.transpose(-2, -1), ends))
    x, ends = torch.randn(40, 16), torch.tensor(ends, dtype=torch.int32)
    file = slipway_cli.compile(torch.export.export(experts, (x, ends)), tmp_path)
    [result], _ = slipway_cli.run(file, [x, ends], tmp_path)
    torch.testing.assert_close(torch.from_numpy(result), expected(x, matrices.mT, ends), rtol=1e-5, atol=1e-5)


def test_one_matrix_for_each(tmp_path):
    x, matrices = torch.randn(3, 8, 16).bfloat16(), torch.randn(3, 16, 8).bfloat16()
    file = slipway_cli.compile(torch.export.export(Function(F.grouped_mm), (x, matrices)), tmp_path)
    [result], _ = slipway_cli.run(file, [x, matrices], tmp_path)
    result = torch.from_numpy(result.view(np.int16)).view(torch.bfloat16)
    torch.testing.assert_close(result.float(), x.float() @ matrices.float(), rtol=1e-2, atol=1e-2)
