"""Programs that ExecuTorch's own exporter compiles wrongly or refuses, and other shapes that are hard to plan for."""

import numpy as np
import pytest
import torch
from torch.export import Dim

import slipway_cli
from function_module import Function


def split_after_reshape(x):
    flat = x.reshape(-1, 4)
    first, second = torch.split(flat.reshape(x.shape[0], 8), [3, 5], dim=1)
    return first, second + 1


def write_to_a_dynamic_part(x):
    y = torch.zeros(x.shape[0], 6)
    y[:, 1 : 1 + x.shape[1]].copy_(x)
    y[0].mul_(2)
    return y


def pad_by_cat(x):
    return torch.cat([x, x.new_zeros(8 - x.shape[0], x.shape[1])])


class Cache(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("cache", torch.zeros(1, 16, 4))

    def forward(self, x, position):
        self.cache[:, position] = x
        return self.cache.sum(1) + x.sum(1)


BATCH = Dim("batch", min=1, max=8)
# name: (model, its exported shapes' inputs, dynamic shapes, inputs of other shapes)
CASES = {
    "channels_last": (
        Function(lambda x: x.to(memory_format=torch.channels_last) + 1),
        [(torch.randn(2, 3, 4, 5),)],
        None,
    ),
    "split_after_dynamic_reshape": (
        Function(split_after_reshape),
        [(torch.randn(3, 2, 4),), (torch.randn(1, 2, 4),), (torch.randn(8, 2, 4),)],
        (({0: BATCH},),),
    ),
    "bound_of_a_dimension": (
        Function(lambda x: torch.relu(x) @ torch.ones(4, 2)),
        [(torch.randn(2, 4),), (torch.randn(8, 4),), (torch.randn(1, 4),)],
        (({0: BATCH},),),
    ),
    "nonzero_to_float": (
        Function(lambda x: x.nonzero().float()),
        [(torch.tensor([0.0, 1.0, 0.0, 2.0]),), (torch.zeros(4),), (torch.ones(4),)],
        None,
    ),
    "write_to_a_dynamic_part": (
        Function(write_to_a_dynamic_part),
        [(torch.randn(3, 4),), (torch.randn(1, 4),), (torch.randn(8, 4),)],
        (({0: BATCH},),),
    ),
    "pad_by_cat": (
        Function(pad_by_cat),
        [(torch.randn(3, 4),), (torch.randn(6, 4),)],
        (({0: Dim("rows", min=1, max=6)},),),
    ),
    "cache_of_a_dynamic_length": (
        Cache(),
        [
            (torch.randn(1, 3, 4), torch.tensor([0, 1, 2])),
            (torch.randn(1, 1, 4), torch.tensor([5])),
            (torch.randn(1, 8, 4), torch.arange(8, 16)),
        ],
        {"x": {1: Dim("length", min=1, max=8)}, "position": {0: Dim("length", min=1, max=8)}},
    ),
}


@pytest.mark.parametrize("dialect", ["training", "core"])
@pytest.mark.parametrize("name", CASES)
def test_equals_eager(name, dialect, tmp_path):
    model, calls, dynamic_shapes = CASES[name]
    program = torch.export.export(model, calls[0], dynamic_shapes=dynamic_shapes)
    if dialect == "core":
        program = program.run_decompositions()
    compiled = slipway_cli.compile(program, tmp_path)
    initial = {key: buffer.clone() for key, buffer in model.named_buffers()}
    for inputs in calls:
        model.load_state_dict(initial)
        expected = torch.utils._pytree.tree_leaves(model(*inputs))
        outputs, state = slipway_cli.run(compiled, inputs, tmp_path)
        for ours, theirs in zip(outputs, expected, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5, rtol=1e-5)
        for key, buffer in model.named_buffers():
            np.testing.assert_allclose(state[key], buffer.numpy(), atol=1e-5, rtol=1e-5)
