"""The cases once more with some of their inputs as constants, and with a first size that may be anything, 0 and 1 among it.

Engines take constants in other ways than data, and fold what follows from them; and they choose other code for sizes that they
don't know.
"""

import torch

from type_variants import VARIANTS
import value_cases  # noqa: F401
from table import CASES, DIM, Case, Program, case, export


def tensors(inputs):
    return [place for place, value in enumerate(inputs) if isinstance(value, torch.Tensor)]


def with_constants(original, places):
    """The program in which the inputs at these places are constants, and the inputs that are left."""
    held = {place: original.inputs[place].clone() for place in places}

    def function(*inputs):
        given = iter(inputs)
        return original.function(*(held[place] if place in held else next(given) for place in range(len(original.inputs))))

    return function, tuple(value for place, value in enumerate(original.inputs) if place not in held)


def resized(value, size):
    """With so many rows: none, or the first ones."""
    return value[:size].clone()


def copied(value):
    return value.clone() if isinstance(value, torch.Tensor) else value


# With an index of more rows than the tensor, which is right where there is nothing to gather; of nothing PyTorch makes no other shape.
NOT_OF_ANY_LENGTH = ("read_", "pixel_shuffle")
# The constant is where PyTorch's rule for NaN is not needed.
NOT_CONSTANT = ("edges_extrema",)


def add_variants():
    for name, original in list(CASES.items()):
        places = tensors(original.inputs)
        if original.dynamic or original.more or name.endswith(tuple(f"_of_{kind}" for kind in VARIANTS)):
            continue
        if len(places) > 1 and not name.startswith(NOT_CONSTANT):
            for kind, chosen in (("first_constant", places[:1]), ("rest_constant", places[1:])):
                add(f"{name}_with_{kind}", *with_constants(original, chosen), like=original)
        ranks = [original.inputs[place].dim() for place in places]
        if not places or min(ranks) == 0:
            continue
        rows = {original.inputs[place].shape[0] for place in places}
        if len(rows) == 1 and rows.pop() > 1 and not name.startswith(NOT_OF_ANY_LENGTH):
            dynamic = [{0: DIM("rows", max=16)} if place in places else None for place in range(len(original.inputs))]
            more = [tuple(resized(value, size) if isinstance(value, torch.Tensor) else value for value in original.inputs) for size in (0, 1)]
            add(f"{name}_of_any_length", original.function, original.inputs, original, dynamic, more)


def add(name, function, inputs, like, dynamic=None, more=()):
    made = Case(function, inputs, dynamic)
    try:  # What PyTorch itself refuses is no case.
        program = export(made).module()
        valid = []
        Program(function)(*inputs)
        for each in more:
            results = [torch.utils._pytree.tree_leaves(run(*map(copied, each))) for run in (Program(function), program)]
            if [value.shape for value in results[0]] == [value.shape for value in results[1]]:
                valid.append(each)
    except Exception:
        return
    case(name, function, *inputs, dynamic=dynamic, more=valid, tolerance=like.tolerance, reason=like.reason)


add_variants()
