"""Archives that Slipway wrote, in PyTorch: what it loads of them is what it loads of the original, and computes the same bits."""

import collections
import copy
import dataclasses
import pathlib
import subprocess
import sys
import zipfile

import pytest
import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401, registers operators
from torch.utils import _pytree as pytree

import slipway_cli
from test_models import MODELS

ROOT = pathlib.Path(__file__).parents[2]
GOLDEN = ROOT / "tests/data/golden"
# Those with engines need operators that only Torch-TensorRT registers.
ARCHIVES = sorted(path for path in GOLDEN.rglob("*.pt2") if not path.name.startswith("engine_"))
REAL = sorted((ROOT / "examples/models").glob("*.pt2"))


def write(archive, folder, name="written.pt2"):
    path = folder / name
    slipway_cli.call("compile", archive, "-o", path, "--engine", "none")
    return path


def bits(value):
    if not isinstance(value, torch.Tensor):
        return value if value == value else "nan"
    value = value.detach()
    raw = value.contiguous().flatten().view(torch.uint8).numpy().tobytes() if value.numel() else b""
    return value.dtype, value.shape, value.stride(), raw


def run(program, inputs):
    """Bits of the outputs, of the inputs afterwards and of the state."""
    torch.manual_seed(0)
    args, kwargs = copy.deepcopy(inputs)
    module = program.module(check_guards=False)
    outputs = module(*args, **kwargs)
    leaves = [*pytree.tree_leaves(outputs), *pytree.tree_leaves((args, kwargs)), *module.state_dict().values()]
    return [bits(leaf) for leaf in leaves], pytree.tree_structure(outputs)


def described(program):
    """All that a program says of itself; types and expressions as texts."""
    kept = "val", "nn_module_stack", "stack_trace", "torch_fn", "source_fn_stack", "custom"
    return {
        "nodes": [
            (node.op, str(node.target), node.name, str(node.args), str(node.kwargs), {k: str(node.meta.get(k)) for k in kept})
            for node in program.graph.nodes
        ],
        "signature": str(program.graph_signature),
        "ranges": {str(symbol): str(bounds) for symbol, bounds in program.range_constraints.items()},
        "calls": [str(entry) for entry in program.module_call_graph],
        "weights": {name: (bits(t), t.requires_grad, type(t)) for name, t in program.state_dict.items()},
        "constants": {name: bits(t) for name, t in program.constants.items() if isinstance(t, torch.Tensor)},
        "guards": program._guards_code,
        "dialect": program.dialect,
    }


def unflattened(archive, inputs):
    torch.manual_seed(0)
    args, kwargs = copy.deepcopy(inputs)
    module = torch.export.unflatten(torch.export.load(archive))
    outputs = [bits(leaf) for leaf in pytree.tree_leaves(module(*args, **kwargs))]
    return outputs, [name for name, _ in module.named_modules()]


def attempt(function, *arguments):
    """What it gives, or the kind of its failure: PyTorch can't do everything with its own archives either."""
    try:
        return function(*arguments)
    except Exception as problem:
        return type(problem)


def check(original, folder, describes=True, decomposes=True):
    written = write(original, folder)
    with zipfile.ZipFile(written) as archive:
        assert archive.testzip() is None
    program = torch.export.load(original)
    inputs = program.example_inputs
    if describes:
        assert described(torch.export.load(written)) == described(program)
    expected = run(program, inputs)
    assert run(torch.export.load(written), inputs) == expected
    assert attempt(unflattened, written, inputs) == attempt(unflattened, original, inputs)

    def decomposed(archive):
        return run(torch.export.load(archive).run_decompositions(), inputs)

    if decomposes:
        assert attempt(decomposed, written) == attempt(decomposed, original)
    # Through PyTorch, and once more through us.
    again = folder / "again.pt2"
    torch.export.save(torch.export.load(written), again)
    assert run(torch.export.load(write(again, folder, "third.pt2")), inputs) == expected
    return written


@pytest.mark.parametrize("archive", ARCHIVES + REAL, ids=lambda path: path.stem)
def test_golden_archives(archive, tmp_path):
    # Archives of torch 2.7 have an entry for each user of a tied parameter, and name no nodes.
    check(archive, tmp_path, describes=not archive.name.startswith("v2.7"), decomposes=".core" not in archive.name)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "lstm", "transformer_encoder"])
def test_models(name, tmp_path):
    torch.manual_seed(0)
    model, inputs = MODELS[name]()
    save(model.eval(), inputs, tmp_path)
    check(tmp_path / "model.pt2", tmp_path)


def save(model, inputs, folder, **options):
    torch.export.save(torch.export.export(model, inputs, **options), folder / "model.pt2")
    return folder / "model.pt2"


Pair = collections.namedtuple("Pair", ["left", "right"])
pytree._register_namedtuple(Pair, serialized_type_name="test_pt2_writer.Pair")


@dataclasses.dataclass
class Record:
    x: torch.Tensor
    y: torch.Tensor


torch.export.register_dataclass(Record, serialized_type_name="test_pt2_writer.Record")


# The example inputs in an archive are a pickle of them.
torch.serialization.add_safe_globals([Pair, Record])


class Nested(torch.nn.Module):
    def forward(self, pair, record, *, scale=2.0, flag=True, nothing=None, **more):
        total = pair.left * scale + pair.right + record.x
        return {"b": Pair(total, pair.left), "a": [Record(total, total), scale, flag, nothing, more["from_here"]]}


class Tied(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Linear(4, 4)
        self.b = torch.nn.Linear(4, 4)
        self.b.weight = self.a.weight
        self.register_buffer("view", self.a.weight.detach()[1:, ::2])
        self.register_buffer("scratch", torch.arange(4.0), persistent=False)
        self.register_buffer("unused", torch.ones(3))
        self.register_parameter("a_weight", torch.nn.Parameter(torch.ones(4), requires_grad=False))

    def forward(self, x):
        return self.b(self.a(x)) + self.scratch + self.a_weight + self.view.sum(), x, self.a.weight


class Cache(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("keys", torch.zeros(8, 4))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x, position):
        self.keys.index_copy_(0, position, x)
        self.count.add_(1)
        x.mul_(2)
        y = self.keys.sum(0)
        return y, y, self.count


class Sizes(torch.nn.Module):
    def forward(self, x, y):
        kept = x[x.shape[0] // 2 :].reshape(-1, 2)
        index = y.nonzero()
        torch._check(index.shape[0] >= 1)
        return kept, kept.shape[0] * 3 - 1, x.new_ones(x.shape[0] // 3 + 2), index, torch.sym_float(x.shape[0]) / 3


class Branches(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)

    def forward(self, x):
        def inner(a):
            return torch.cond(a.sum() > 0, lambda b: (b * b.shape[0], b.sin()), lambda b: (b + 1, b.cos()), (a,))

        def outer(a):
            return tuple(part + 1 for part in inner(a))

        return torch.cond(x.shape[0] > 3, outer, lambda a: (self.linear(a), a - 1), (x,))


class Regions(torch.nn.Module):
    def forward(self, x):
        with torch.no_grad():
            y = x * 2
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return y @ x, 4 - x, 3 + x, x ** 2, torch.where(x > 0, x, 0.0)


class Infinite(torch.nn.Module):
    def forward(self, x):
        return x.masked_fill(x > 1, float("-inf")), torch.full_like(x, float("nan")), x.to(torch.float64), x * 1e-45


N = torch.export.Dim("n", min=2, max=64)
INPUTS = {
    "nested": (
        Nested(),
        (Pair(torch.ones(2), torch.zeros(2)), Record(torch.ones(2), torch.ones(2))),
        {"kwargs": {"from_here": torch.ones(1)}},
    ),
    "tied": (Tied(), (torch.randn(2, 4),), {}),
    "cache": (Cache(), (torch.randn(1, 4), torch.tensor([2])), {}),
    "sizes": (Sizes(), (torch.randn(8, 6), torch.tensor([1, 0, 3])), {"dynamic_shapes": ({0: 2 * N}, {0: torch.export.Dim("m")})}),
    "branches": (Branches(), (torch.randn(4, 4),), {"dynamic_shapes": ({0: N},)}),
    "regions": (Regions(), (torch.randn(3, 3),), {}),
    "infinite": (Infinite(), (torch.randn(3, 3),), {}),
    "modules": (
        torch.nn.Sequential(torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU()), torch.nn.Linear(4, 2)),
        (torch.randn(2, 4),),
        {"preserve_module_call_signature": ("0", "1")},
    ),
}


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("decomposed", [False, True], ids=["training", "core"])
def test_programs(name, decomposed, tmp_path):
    torch.manual_seed(0)
    model, inputs, options = copy.deepcopy(INPUTS[name])
    program = torch.export.export(model, inputs, **options)
    if decomposed:
        program = program.run_decompositions()
    torch.export.save(program, tmp_path / "model.pt2")
    check(tmp_path / "model.pt2", tmp_path)


def test_extra_files_are_carried(tmp_path):
    program = torch.export.export(torch.nn.ReLU(), (torch.ones(2),))
    torch.export.save(program, tmp_path / "model.pt2", extra_files={"notes/a.txt": "Grüße"})
    found = {"notes/a.txt": ""}
    torch.export.load(write(tmp_path / "model.pt2", tmp_path), extra_files=found)
    assert found == {"notes/a.txt": "Grüße"}


def test_bounds_are_ranges(tmp_path):
    program = torch.export.export(torch.nn.ReLU(), (torch.ones(4),), dynamic_shapes=({0: torch.export.Dim("n")},))
    torch.export.save(program, tmp_path / "model.pt2")
    [symbol] = program.range_constraints
    slipway_cli.call("compile", tmp_path / "model.pt2", "-o", tmp_path / "b.ep", "--engine", "none", "--bound", f"{symbol}=9")
    [bounds] = torch.export.load(tmp_path / "b.ep").range_constraints.values()
    assert bounds.upper == 9
    # PyTorch loads nothing whose example is past a bound.
    slipway_cli.call("compile", tmp_path / "model.pt2", "-o", tmp_path / "c.ep", "--engine", "none", "--bound", f"{symbol}=3")
    again = torch.export.load(tmp_path / "c.ep")
    [bounds] = again.range_constraints.values()
    assert bounds.upper == 3
    x = torch.randn(2)
    assert torch.equal(again.module()(x), x.relu())


def test_the_same_bytes_each_time(tmp_path):
    archive = GOLDEN / "mlp.pt2"
    first, second = write(archive, tmp_path, "a.pt2"), write(archive, tmp_path, "b.pt2")
    assert first.read_bytes() == second.read_bytes()
    listed = subprocess.run([sys.executable, "-m", "zipfile", "-t", first], capture_output=True, text=True, check=True)
    assert "Done testing" in listed.stdout
