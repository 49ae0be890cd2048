"""A random program: a list of expressions over inputs and constants, which prints as a PyTorch module."""

import copy
import math
import re
from dataclasses import dataclass, field

import sympy
import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401: registers quantized_decomposed
import torch.nn.functional as F

LARGEST = 4096  # elements of a value

NAMES = {"torch": torch, "F": F, "aten": torch.ops.aten, "inf": math.inf, "nan": math.nan, "quantized": torch.ops.quantized_decomposed}


@dataclass
class Input:
    """`sizes` are numbers, or names of symbols where they are dynamic; `values` has a tensor for each set of inputs."""

    name: str
    sizes: tuple
    values: list


@dataclass
class Constant:
    name: str
    value: torch.Tensor
    kind: str  # "constant", "buffer" or "parameter"


@dataclass
class Node:
    """`name = text.format(*operands)`; with `parts`, the result is a tuple, and its tensors are `name[0]` and so on."""

    name: str
    text: str
    operands: list
    op: str
    parts: int = 0

    def expression(self, prefix=None):
        names = [(prefix or {}).get(base(name), "") + name for name in self.operands]
        return re.sub(r"\{(\d+)\}", lambda match: names[int(match[1])], self.text)


def base(name):
    """`v3` of `v3[0]`."""
    return name.split("[")[0]


@dataclass
class Program:
    seed: str
    symbols: dict = field(default_factory=dict)  # name -> value in each set
    sets: int = 1
    inputs: list = field(default_factory=list)
    constants: list = field(default_factory=list)
    nodes: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    roles: dict = field(default_factory=dict)  # of each value: "data", "constant" or "size"

    def clone(self):
        """Values are shared."""
        other = copy.copy(self)
        other.symbols = dict(self.symbols)
        other.inputs = [Input(each.name, tuple(each.sizes), list(each.values)) for each in self.inputs]
        other.constants = [copy.copy(each) for each in self.constants]
        other.nodes = [Node(each.name, each.text, list(each.operands), each.op, each.parts) for each in self.nodes]
        other.outputs = list(self.outputs)
        return other

    def environment(self, index):
        """Inputs and constants by name."""
        values = {each.name: each.values[index] for each in self.inputs}
        values.update((each.name, each.value) for each in self.constants)
        return values

    def evaluate(self, index):
        """Every value by name, with the set of inputs `index`."""
        values = dict(NAMES, **{name: value.clone() for name, value in self.environment(index).items()})
        with torch.no_grad():
            for node in self.nodes:
                values[node.name] = eval(node.expression(), values)  # noqa: S307
        return values

    def drop_dead(self):
        """What no output needs goes, inputs too."""
        needed = {base(name) for name in self.outputs}
        for node in reversed(self.nodes):
            if node.name in needed:
                needed.update(base(name) for name in node.operands)
        self.nodes = [node for node in self.nodes if node.name in needed]
        self.inputs = [each for each in self.inputs if each.name in needed]
        self.constants = [each for each in self.constants if each.name in needed]
        used = {size for each in self.inputs for size in each.sizes if isinstance(size, str)}
        self.symbols = {name: values for name, values in self.symbols.items() if name in used}

    def make_static(self):
        """Keeps the middle sizes, which the last set of inputs has, too."""
        for each in self.inputs:
            each.sizes, each.values = tuple(each.values[1].shape), [each.values[1], each.values[-1]]
        self.symbols, self.sets = {}, 2

    @property
    def dynamic(self):
        return bool(self.symbols)

    def source(self):
        """A file that runs: the module, its inputs, and what is dynamic."""
        lines = ["import torch", "import torch.ao.quantization.fx._decomposed", "import torch.nn.functional as F", "from math import inf, nan", "", "aten = torch.ops.aten",
                 "quantized = torch.ops.quantized_decomposed", "", "", "class Program(torch.nn.Module):"]
        if self.constants:
            lines += ["    def __init__(self):", "        super().__init__()"]
            for each in self.constants:
                if each.kind == "buffer":
                    lines.append(f'        self.register_buffer("{each.name}", {literal(each.value)})')
                elif each.kind == "parameter":
                    lines.append(f"        self.{each.name} = torch.nn.Parameter({literal(each.value)}, requires_grad=False)")
                else:
                    lines.append(f"        self.{each.name} = {literal(each.value)}")
            lines.append("")
        lines.append(f"    def forward(self, {', '.join(each.name for each in self.inputs)}):".replace("self, )", "self)"))
        prefix = {each.name: "self." for each in self.constants}
        lines += [f"        {node.name} = {node.expression(prefix)}" for node in self.nodes]
        lines.append(f"        return ({', '.join(prefix.get(base(name), '') + name for name in self.outputs)},)")
        lines += ["", ""]
        for name, values in self.symbols.items():
            lines.append(f'{name} = torch.export.Dim("{name}", min=0, max={max(values) + 1})  # {", ".join(map(str, values))}')
        lines.append("inputs = [")
        for index in range(self.sets):
            lines.append(f"    ({' '.join(literal(each.values[index]) + ',' for each in self.inputs)}),")
        lines.append("]")
        shapes = ", ".join("{" + ", ".join(f"{d}: {size}" for d, size in enumerate(each.sizes) if isinstance(size, str)) + "}" for each in self.inputs)
        lines.append(f"dynamic_shapes = [{shapes}]")
        return "\n".join(lines) + "\n"


def literal(value):
    """The tensor as Python."""
    dtype = str(value.dtype)
    if value.numel() == 0:
        return f"torch.zeros({tuple(value.shape)}, dtype={dtype})"
    flat = value.detach().flatten()
    if value.numel() > 1 and bool((flat == flat[0]).all()) and not (flat[0] == 0 and value.dtype.is_floating_point):
        return f"torch.full({tuple(value.shape)}, {number(flat[0].item())}, dtype={dtype})"
    items = "[" + ", ".join(number(each) for each in flat.tolist()) + "]"
    if value.dim() == 0:
        return f"torch.tensor({number(flat[0].item())}, dtype={dtype})"
    shape = "" if value.dim() == 1 else f".reshape{tuple(value.shape)}"
    return f"torch.tensor({items}, dtype={dtype}){shape}"


def number(value):
    return f"complex({value.real!r}, {value.imag!r})" if isinstance(value, complex) else repr(value)


class Refused(Exception):
    """What torch.export refuses of a batch: messages by the number of the program, and the programs of which it makes sizes static."""

    def __init__(self, messages, static):
        super().__init__("; ".join(messages.values()) or "a size is made static")
        self.messages, self.static = messages, static


class Batch(torch.nn.Module):
    """Programs as one module: its inputs and outputs are theirs, one after the other.

    All that is refused is found in one trace, since exporting takes most of the time.
    """

    def __init__(self, programs):
        super().__init__()
        self.programs, self.functions = programs, []
        for k, program in enumerate(programs):
            prefix = {}
            for each in program.constants:
                attribute = f"p{k}_{each.name}"
                value = each.value.clone()
                if each.kind == "buffer":
                    self.register_buffer(attribute, value)
                elif each.kind == "parameter":
                    setattr(self, attribute, torch.nn.Parameter(value, requires_grad=False))
                else:
                    setattr(self, attribute, value)
                prefix[each.name] = f"self.p{k}_"
            lines = [f"    {node.name} = {node.expression(prefix)}" for node in program.nodes]
            results = [prefix.get(base(name), "") + name for name in program.outputs]
            scope = dict(NAMES)
            exec("\n".join([f"def forward(self, {', '.join(each.name for each in program.inputs)}):", *lines, f"    return [{', '.join(results)}]"]), scope)  # noqa: S102
            self.functions.append(scope["forward"])

    def forward(self, *inputs):
        results, messages, static = [], {}, set()
        sizes = [size for each in inputs for size in each.shape if isinstance(size, torch.SymInt)]
        guards = sizes[0].node.shape_env.guards if sizes else []
        for k, (program, function) in enumerate(zip(self.programs, self.functions)):
            own, inputs, known = inputs[:len(program.inputs)], inputs[len(program.inputs):], len(guards)
            try:
                results += function(self, *own)
            except Exception as error:  # noqa: BLE001: whatever PyTorch throws
                messages[k] = f"{type(error).__name__}: {error}".strip()
                continue
            if program.symbols and makes_static(program, own, [guard.expr for guard in guards[known:]]):
                static.add(k)
        if messages or static:
            raise Refused(messages, static)
        return tuple(results)


def makes_static(program, inputs, guards):
    """Whether what torch.export has learnt of the sizes does not hold for all that a symbol may be."""
    sizes = [(size, found) for each, value in zip(program.inputs, inputs) for size, found in zip(each.sizes, value.shape) if isinstance(size, str)]
    if any(not isinstance(found, torch.SymInt) or found.node.maybe_as_int() is not None for _, found in sizes):
        return True
    ends = {found.node.expr: max(program.symbols[size]) + 1 for size, found in sizes}
    # torch.export takes no size for 0 or 1. What joins two sizes it judges itself.
    return any(guard.xreplace({symbol: sympy.Integer(size)}) == sympy.false
               for guard in guards for symbol in guard.free_symbols if len(guard.free_symbols) == 1 and symbol in ends for size in range(2, ends[symbol] + 1))


def inputs_of(programs, index):
    return tuple(each.values[index].clone() for program in programs for each in program.inputs)


def export(programs):
    """The programs as one exported program. The example has the largest sizes, so that torch.export takes none for 0 or 1."""
    shapes, example = [], []
    for k, program in enumerate(programs):
        dims = {name: torch.export.Dim(f"{name}_{k}", min=0, max=max(values) + 1) for name, values in program.symbols.items()}
        for each in program.inputs:
            dynamic = {d: dims[size] for d, size in enumerate(each.sizes) if isinstance(size, str)}
            shapes.append(dynamic or None)
            example.append(each.values[largest(program)].clone())
    module = Batch(programs).eval()
    with torch.no_grad():
        return torch.export.export(module, tuple(example), dynamic_shapes=(tuple(shapes),), strict=False)


def largest(program):
    return max(range(program.sets), key=lambda k: sum(values[k] for values in program.symbols.values()))
