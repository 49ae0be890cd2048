"""The cases once more on other types: engines declare what they take by operator and type.

The types are made inside of the programs, so that an engine which computes integers in fewer bits sees that they are small,
and so that no program only looks at its inputs.
"""

import torch

import operator_cases  # noqa: F401
import overload_cases  # noqa: F401
from table import CASES, Program, case, export

# Layers are computed in floating point only.
LAYERS = (
    "conv max_pool avg_pool adaptive upsample grid_sample attention lstm gru rnn core_ cdist batch layer_norm rms_norm group_norm "
    "native_ instance_norm matmul bmm linear addmm baddbmm mv_dot einsum f_ double_ var norm"
).split()
# Overflow, ties whose order is PyTorch's own, and what no kernel computes for these types.
NOT_COMPARABLE = ("pow_int", "sort", "topk", "embedding_bag_2", "scatter_operation", "scatter_reduce_amax", "scatter_reduce_amin")


def is_float(x):
    return isinstance(x, torch.Tensor) and x.dtype == torch.float32


def is_index(x):
    return isinstance(x, torch.Tensor) and x.dtype == torch.int64


def finite(x):
    return torch.nan_to_num(x.float(), 0.0, 3.0, -3.0).clamp(-20, 20) * (4 if x.is_floating_point() else 1)


def flipped(x):
    return x.flip(tuple(range(x.dim())))


def small(x):
    return x.to(torch.uint8) if x.numel() == 0 or x.min() >= 0 else x.to(torch.int8)


# Of each: which inputs it is about, what they become, and what the program makes of them.
VARIANTS = {
    "small": (is_index, small, lambda x: x.long()),
    "int": (is_float, lambda x: finite(x).to(torch.int8), lambda x: x.int()),
    "uint8": (is_float, lambda x: finite(x).abs().to(torch.uint8), flipped),
    "bool": (is_float, lambda x: x > 0, flipped),
}


def variant(original, concerns, convert, inside):
    chosen = [concerns(x) for x in original.inputs]

    def function(*inputs):
        return original.function(*(inside(x) if pick else x for x, pick in zip(inputs, chosen)))

    return function, tuple(convert(x) if pick else x for x, pick in zip(original.inputs, chosen))


def add_variants():
    for name, original in list(CASES.items()):
        if original.dynamic or name.startswith(NOT_COMPARABLE):
            continue
        for kind, (concerns, convert, inside) in VARIANTS.items():
            if kind != "small" and name.startswith(tuple(LAYERS)):
                continue
            if kind != "small" and not any(map(is_float, original.inputs)):
                concerns = is_index
            in_range = all(x.numel() == 0 or (x.min() >= -128 and x.max() <= 127) for x in original.inputs if is_index(x))
            if not any(map(concerns, original.inputs)) or (kind == "small" and not in_range):
                continue
            function, inputs = variant(original, concerns, convert, inside)
            try:  # PyTorch itself refuses some types.
                export(type(original)(function, inputs))
                Program(function)(*inputs)
            except Exception:
                continue
            case(f"{name}_of_{kind}", function, *inputs)


add_variants()
