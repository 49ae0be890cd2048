"""What a case of the table is, and helpers to write one down."""

from dataclasses import dataclass, field

import torch

DIM = torch.export.Dim


@dataclass
class Case:
    """A function of tensors (and numbers), its inputs, which of their dimensions are dynamic, and further sets of inputs.

    `tolerance` is what floating-point results may differ by, absolutely and relatively, from PyTorch's; `reason` says why it is
    wider than usual.
    """

    function: object
    inputs: tuple
    dynamic: object = None
    more: list = field(default_factory=list)
    tolerance: float = 1e-5
    reason: str = ""


CASES = {}
generator = torch.Generator().manual_seed(0)


def f(*sizes):
    return torch.randn(*sizes, generator=generator)


def u(*sizes):
    """In (0, 1)."""
    return torch.rand(*sizes, generator=generator) * 0.98 + 0.01


def i(high, *sizes, low=0):
    return torch.randint(low, high, sizes, generator=generator)


def case(name, function, *inputs, dynamic=None, more=(), tolerance=1e-5, reason=""):
    assert name.isidentifier() and name not in CASES, name
    assert (tolerance > 1e-5) == bool(reason), name
    CASES[name] = Case(function, inputs, dynamic, list(more), tolerance, reason)


class Program(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def export(case):
    dynamic = None if case.dynamic is None else (tuple(case.dynamic),)
    return torch.export.export(Program(case.function), case.inputs, dynamic_shapes=dynamic, strict=False)
