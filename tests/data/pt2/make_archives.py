"""Writes the archives of this folder: python make_archives.py (torch 2.14.0)."""

import collections
import dataclasses
import pathlib

import torch
from torch import nn
from torch._higher_order_ops.hints_wrap import hints_wrapper
from torch.export import Dim, export, register_dataclass, save
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils import _pytree as pytree

FOLDER = pathlib.Path(__file__).parent
torch.manual_seed(0)


def write(name, module, args, kwargs=None, dynamic_shapes=None, decompose=False, strict=False):
    program = export(module, args, kwargs, dynamic_shapes=dynamic_shapes, strict=strict)
    if decompose:
        program = program.run_decompositions()
    # They hold the paths of whoever runs this.
    for part in program.graph_module.modules():
        for node in getattr(part, "graph", program.graph).nodes:
            node.meta.pop("stack_trace", None)
    save(program, FOLDER / name)


class DTypes(nn.Module):
    NAMES = (
        "uint8 int8 int16 int32 int64 float16 float32 float64 complex64 complex128 bool bfloat16 "
        "float8_e4m3fn float8_e5m2 float8_e8m0fnu uint16 uint32 uint64"
    ).split()

    def __init__(self):
        super().__init__()
        for name in self.NAMES:
            value = torch.tensor([1.0, 0.0, 2.0]).to(getattr(torch, name))
            self.register_buffer("of_" + name, value)
        self.register_buffer("zero_dim", torch.tensor(7))
        self.register_buffer("empty", torch.zeros(0, 3))
        self.register_buffer("transient", torch.tensor([5.0]), persistent=False)

    def forward(self, x):
        views = [getattr(self, "of_" + name).view(3, 1) for name in self.NAMES]
        return x + self.zero_dim, self.empty + 1, x * self.transient, views


class Layouts(nn.Module):
    def __init__(self):
        super().__init__()
        base = torch.arange(24.0)
        self.register_buffer("channels_last", base.view(1, 2, 3, 4).to(memory_format=torch.channels_last))
        self.register_buffer("transposed", base.view(4, 6).t())
        self.register_buffer("expanded", torch.tensor([[1.0], [2.0]]).expand(2, 3))
        self.register_buffer("part", base[4:10].view(2, 3))
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3)
        self.second.weight = self.first.weight

    def forward(self, x):
        y = self.second(self.first(x))
        return self.channels_last * 1, self.transposed * 1, self.expanded + self.part + y


Point = collections.namedtuple("Point", ["x", "y"])
pytree._register_namedtuple(Point, serialized_type_name="geometry.Point")


@dataclasses.dataclass
class Pair:
    left: torch.Tensor
    right: torch.Tensor


register_dataclass(Pair, serialized_type_name="geometry.Pair")


class Trees(nn.Module):
    def forward(self, x, point, pair, ordered, default, queue, missing=None, *, scale=2.5):
        return {
            "point": Point(x + 1, point.y * scale),
            "ordered": collections.OrderedDict([("z", x * 3), ("y", ordered["q"] + 1)]),
            "list": [default["w"] + 1, None, True, 3, "text", 0.5],
            "pair": Pair(pair.left + 1, pair.right * 2),
            "queue": collections.deque([x * 1, queue[0] + 1]),
            "default": collections.defaultdict(int, {"e": x - 1}),
            5: (point.x,),
        }


class Symbols(nn.Module):
    def forward(self, x, y, n):
        halves = x.reshape(x.shape[0] // 2, -1)
        grown = torch.full((max(x.shape[0], 3) + n,), 1.5)
        return halves, torch.cat([x, y]), grown, x.shape[0] * 0.5


class Literals(nn.Module):
    def forward(self, x):
        x = x.masked_fill(x > 0, float("-inf")).clamp(max=float("inf"))
        x = x.to(torch.complex64) * (1 + 2j)
        x = nn.functional.pad(x.abs(), [1, 1], value=float("nan"))
        x = torch.split(x, [2, 1, x.shape[1] - 3], 1)[1]
        x = torch.ops.aten.index(x, [None, torch.tensor([0])])
        return x.contiguous(memory_format=torch.preserve_format), torch.empty_like(x, device="cpu")


class Mutations(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        self.count.add_(1)
        x.mul_(2)
        return x + self.count


# Operators that nothing computes: what counts is how their arguments are written.
LIBRARY = torch.library.Library("slipway_test", "DEF")
LIBRARY.define("lists(Tensor[][] parts, float[][] weights) -> Tensor")
LIBRARY.impl("lists", lambda parts, weights: parts[0][0] * weights[0][0], "CompositeExplicitAutograd")
torch.library.register_fake("slipway_test::lists", lambda parts, weights: torch.empty_like(parts[0][0]))


class Lists(nn.Module):
    def forward(self, x, y):
        z = torch.ops.slipway_test.lists([[x, y], [y]], [[1.5], [2.0, float("inf")], []])
        return hints_wrapper(lambda z: z.relu(), (z,), {}, hints={"level": 3, "name": "r", "scale": 1.5})


class Backward(nn.Module):
    def forward(self, x, w):
        mask = [True, False, False]
        return torch.ops.aten.convolution_backward(
            x, x, w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, mask)[0]


class Loop(nn.Module):
    def forward(self, x):
        def condition(i, total):
            return i < 3

        def body(i, total):
            return i + 1, total * 2

        return torch.ops.higher_order.while_loop(condition, body, (torch.tensor(0), x), ())


def main():
    x = torch.randn(2)
    write("dtypes.pt2", DTypes(), (x,))
    write("layouts.pt2", Layouts(), (torch.randn(2, 3),))
    inputs = (
        x,
        Point(x + 1, x + 2),
        Pair(x * 1, x * 2),
        collections.OrderedDict([("q", x + 3)]),
        collections.defaultdict(list, {"w": x + 4}),
        collections.deque([x + 5]),
    )
    write("trees.pt2", Trees(), inputs, {"scale": 2.5})
    half = Dim("half", min=2, max=32)
    write("symbols.pt2", Symbols(), (torch.randn(4, 3), torch.randn(5, 3), 7),
          dynamic_shapes=({0: 2 * half}, {0: Dim.DYNAMIC}, Dim.DYNAMIC))
    write("literals.pt2", Literals(), (torch.randn(2, 4),))
    write("mutations.pt2", Mutations(), (x,), decompose=True)
    write("a name.with.dots.ep", nn.ReLU(), (x,))
    with torch._subclasses.FakeTensorMode():
        write("fake.pt2", nn.Linear(2, 2), (torch.randn(1, 2),))
    write("loop.pt2", Loop(), (x,))
    write("lists.pt2", Lists(), (x, x + 1))
    write("backward.pt2", Backward(), (torch.randn(1, 2, 5, 5), torch.randn(2, 2, 3, 3)))
    module = nn.Linear(2, 2)
    module.weight = nn.Parameter(TwoTensor(module.weight.detach(), module.weight.detach() + 1))
    write("subclass.pt2", module, (torch.randn(1, 2),))
    state = collections.OrderedDict(
        weight=nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 4.0]]).t()),
        half=torch.tensor([1.5]).half(),
        eighth=torch.tensor([1.5]).to(torch.float8_e4m3fn),
        wide=torch.tensor([40000], dtype=torch.uint16),
        buffer=nn.Buffer(torch.tensor([7])),
        empty=torch.zeros(0, 3),
        number=2**40,
        text="no tensor",
        nothing=None,
        fraction=-0.5,
        pair=(1, [2, 3, {"a": True}]),
    )
    state["tied"] = state["half"]
    state._metadata = {"": {"version": 1}}
    torch.save(state, FOLDER / "state.pt")
    torch.save({"lazy": torch.zeros(1, dtype=torch.complex64).conj()}, FOLDER / "conjugated.pt")
    torch.save({"callback": print}, FOLDER / "callback.pt")


if __name__ == "__main__":
    main()
