"""Makes random programs, node by node: what eager PyTorch refuses on one of the sets of inputs is thrown away and drawn again."""

import hashlib
import math
import random
import re

import torch

import calls  # noqa: F401: registers its operators
import operators
import patterns  # noqa: F401
from operators import Rejected
from program import LARGEST, NAMES, Constant, Input, Node, Program, base

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
DTYPES = {torch.float32: 44, torch.int64: 14, torch.int32: 5, torch.bool: 6, torch.float16: 7, torch.bfloat16: 5, torch.float64: 6,
          torch.int16: 2, torch.int8: 3, torch.uint8: 4}
INF, NAN = math.inf, math.nan
SPECIAL_FLOATS = [INF, -INF, NAN, 0.0, -0.0, 1.0, -1.0, 2.5, -0.5, 1e-30, 1e30, -1e30]
# As wide as the smallest symbol's range allows: 0 and 1 are among the sizes.
SIZES = {"n": (0, 2, 5), "m": (1, 3, 6), "k": (2, 4, 7)}
ATTEMPTS = 20
PARTS = 10  # batches that draw each operator once in each role
ADDED_TO = 12  # programs, of which one has a pattern behind its own nodes


class Schedule:
    """The operators and roles that a batch draws: those of PARTS batches in a row are all that there are.

    Where an operator comes depends on its name, not on the others, so that a new one changes few programs.
    """

    def __init__(self, seed, number, names):
        turn, part = divmod(number, PARTS)
        drawn = []
        for name in names:
            for role in ("data",) if name in operators.PATTERNS else ("data", "constant", "size"):
                place = int.from_bytes(hashlib.sha1(f"{seed}:{turn}:{name}:{role}".encode()).digest()[:8], "big")
                if place % PARTS == part:
                    drawn.append((place, name, role))
        self.queue = [(name, role, 0) for _, name, role in sorted(drawn)]
        self.names = names

    def next(self, random):
        if self.queue:
            return self.queue.pop(0)
        return random.choice(self.names), "data", 0

    def again(self, name, role, failures):
        """What did not fit into a program comes in a later one, a few times."""
        if failures < 8:
            self.queue.append((name, role, failures + 1))


class Generator:
    def __init__(self, seed, schedule, with_complex=False, added=()):
        self.seed, self.added = seed, added
        self.random = random.Random(seed)
        self.torch = torch.Generator().manual_seed(self.random.getrandbits(40))
        self.schedule = schedule
        self.patterns = [name for name in schedule.names if name in operators.PATTERNS]
        self.dtypes = DTYPES | ({torch.complex64: 4} if with_complex else {})
        self.program = Program(seed)
        self.roles = {}  # of each value: data, constant, size
        self.values = {}  # name -> the tensor in each set
        self.raw = {}  # the same with tuples
        self.role = "data"
        dynamic = self.random.random() < 0.7
        self.special_constants = self.random.random() < 0.25
        if dynamic:
            names = self.random.sample(sorted(SIZES), self.random.choice((1, 1, 2)))
            self.program.symbols = {name: [SIZES[name][0], SIZES[name][1], SIZES[name][2], SIZES[name][1]] for name in names}
            self.program.sets = 4
        else:
            self.program.sets = 2
        self.special_set = self.program.sets - 1
        self.dtype = self.pick(self.dtypes)

    # ---- Choices

    def pick(self, weights):
        return self.random.choices(list(weights), list(weights.values()))[0]

    def chance(self, probability):
        return self.random.random() < probability

    def choice(self, items):
        items = list(items)
        if not items:
            raise Rejected
        return self.random.choice(items)

    def integer(self, low, high):
        return self.random.randint(low, high)

    # ---- Values

    def fill(self, dtype, shape, special=False):
        """A tensor of random values."""
        shape = tuple(shape)
        if dtype == torch.bool:
            return torch.randint(0, 2, shape, generator=self.torch).bool()
        if dtype.is_complex:
            return torch.complex(torch.randn(shape, generator=self.torch), torch.randn(shape, generator=self.torch)).to(dtype)
        if dtype.is_floating_point:
            value = torch.randn(shape, generator=self.torch, dtype=torch.float64)
            style = self.random.random()
            if style < 0.15:
                value = (value * 3).round()
            elif style < 0.25:
                value = value * 20
            elif style < 0.4:
                value = value.abs() + 0.1
            if special:
                chosen = torch.randint(0, len(SPECIAL_FLOATS), shape, generator=self.torch)
                value = torch.where(torch.rand(shape, generator=self.torch) < 0.6, torch.tensor(SPECIAL_FLOATS, dtype=torch.float64)[chosen], value)
            return value.to(dtype)
        low, high = (0, 9) if dtype == torch.uint8 or self.chance(0.5) else (-9, 9)
        value = torch.randint(low, high + 1, shape, generator=self.torch).to(dtype)
        if special:
            limits = torch.iinfo(dtype)
            extremes = [limits.max, limits.min + 1, limits.max - 1, 0, 1, limits.max // 2 + 1]
            if dtype in (torch.int32, torch.int64):
                extremes += [2**24 + 1, -(2**24) - 1]
            if dtype == torch.int64:
                extremes += [2**31, 2**31 - 1, -(2**31) - 1, 2**53 + 1]
            chosen = torch.randint(0, len(extremes), shape, generator=self.torch)
            value = torch.where(torch.rand(shape, generator=self.torch) < 0.5, torch.tensor(extremes, dtype=dtype)[chosen], value)
        return value

    def dims(self, rank):
        sizes = []
        for _ in range(rank):
            if self.program.symbols and self.chance(0.5):
                sizes.append(self.choice(self.program.symbols))
            else:
                sizes.append(self.pick({0: 1, 1: 8, 2: 8, 3: 10, 4: 10, 5: 6, 8: 2}))
        return tuple(sizes)

    def resolve(self, sizes, index):
        return tuple(self.program.symbols[size][index] if isinstance(size, str) else size for size in sizes)

    def sizes_of(self, name):
        """The sizes of a value as numbers and symbols; None where a dynamic one is not a symbol."""
        shapes = [tuple(each.shape) for each in self.values[name]]
        result = []
        for column in zip(*shapes):
            if len(set(column)) == 1:
                result.append(column[0])
            else:
                result.append(next((symbol for symbol, values in self.program.symbols.items() if tuple(values) == column), None))
        return result

    def add_input(self, dtype, sizes, low=None, high=None):
        name = f"x{len(self.program.inputs)}"
        values = []
        for index in range(self.program.sets):
            shape = self.resolve(sizes, index)
            if high is not None:
                values.append(torch.randint(low, max(high, low + 1), shape, generator=self.torch).to(dtype))
            else:
                values.append(self.fill(dtype, shape, special=index == self.special_set))
        self.program.inputs.append(Input(name, tuple(sizes), values))
        self.values[name], self.roles[name] = values, "data"
        return name

    def add_constant(self, value):
        name = f"c{len(self.program.constants)}"
        kind = self.choice(["constant", "buffer", "parameter"] if value.dtype.is_floating_point else ["constant", "buffer"])
        self.program.constants.append(Constant(name, value, kind))
        self.values[name], self.roles[name] = [value] * self.program.sets, "constant"
        return name

    def add_size_value(self, dtype, rank=None, sizes=None):
        """A tensor that sizes alone decide; `sizes` are its own, or those before the last."""
        source = self.choice([n for n in self.values if n[0] in "xv" and self.values[n][0].dim() > 0])
        size = f"{{0}}.shape[{self.integer(0, self.values[source][0].dim() - 1)}]"
        kind = f", dtype={dtype}"
        rank = self.pick({0: 2, 1: 6, 2: 2}) if rank is None else rank
        if sizes is not None and rank == len(sizes):
            text = f"(torch.arange({math.prod(sizes)}{kind}) - {size}).reshape({list(sizes)})"
        elif rank == 0:
            text = f"torch.full((), {size}{kind})"
        elif rank == 1 and sizes is None:
            text = self.choice([f"torch.arange({size}{kind})", f"torch.arange({size}{kind})", f"(torch.arange({size}{kind}) - {self.integer(0, 4)})",
                                f"torch.full(({size},), {self.number(dtype)}{kind})", f"torch.linspace(-1, 1, {size}{kind})"])
        elif rank == 2 and sizes is None and self.chance(0.5):
            text = self.choice([f"torch.full(({size}, {size}), {self.number(dtype)}{kind})", f"torch.ones(({size}, {self.integer(1, 4)}){kind})",
                                f"torch.eye({size}{kind})"])
        else:
            sizes = sizes or [self.pick({1: 2, 2: 3, 3: 3, 4: 1}) for _ in range(rank - 1)]
            text = f"torch.arange({math.prod(sizes)} * {size}{kind}).reshape({', '.join(map(str, sizes))}, {size})"
        if dtype == torch.bool and re.search("arange|linspace", text):
            text = f"({text.replace(kind, ', dtype=torch.int64')} > 1)"
        elif dtype.is_complex:
            text = text.replace(kind, ", dtype=torch.float32") + f".to({dtype})"
        return self.add_node(text, [source], "size_value")

    def places(self, bound_of, d):
        """Indices into dimension `d` of `bound_of`, of one dimension, that sizes alone decide."""
        smallest = min(each.shape[d] for each in self.values[bound_of])
        if smallest == 0:
            raise Rejected
        source = self.choice([n for n in self.values if n[0] in "xv" and self.values[n][0].dim() > 0])
        return self.add_node(f"torch.arange({{0}}.shape[{self.integer(0, self.values[source][0].dim() - 1)}]) % {smallest}", [source], "size_value")

    def number(self, dtype):
        if dtype == torch.bool:
            return self.choice(["True", "False"])
        if dtype.is_floating_point or dtype.is_complex:
            return repr(self.pick({1.0: 5, 0.0: 3, 2.5: 4, -1.5: 4, 0.3: 4, 1e-8: 1, 1e5: 1, -1e9: 1, 3: 2, -0.0: 1, INF: 2, -INF: 2, NAN: 1}))
        return str(self.pick({1: 5, 0: 3, 2: 5, -1: 0 if dtype == torch.uint8 else 3, 7: 3, 100: 1, 2**24 + 1 if dtype in (torch.int32, torch.int64) else 5: 1,
                              2**31 if dtype == torch.int64 else 3: 1}))

    def scalar(self, dtype):
        """A number as an argument beside a tensor of the type; now and then a size, or one of another kind."""
        if dtype.is_floating_point and self.chance(0.2):
            return str(self.integer(-3, 5))
        if not dtype.is_floating_point and self.chance(0.15):
            return repr(self.choice([0.5, 1.5, -2.0]))
        return self.number(dtype)

    # ---- Nodes

    def add_node(self, text, operands, op):
        """Evaluates the node on every set; raises Rejected."""
        name = f"v{len(self.program.nodes)}"
        node = Node(name, text, list(operands), op)
        results = []
        code = compile(node.expression(), "node", "eval")
        for index in range(self.program.sets):
            scope = dict(NAMES)
            for operand in node.operands:
                root = base(operand)
                scope.setdefault(root, self.scope_value(root, index))
            try:
                with torch.no_grad():
                    results.append(eval(code, scope))  # noqa: S307
            except (RuntimeError, IndexError, ValueError, TypeError, ZeroDivisionError, OverflowError, NotImplementedError, AttributeError, AssertionError) as error:
                raise Rejected(str(error)) from None
        many = isinstance(results[0], (tuple, list))
        tensors = [list(result) if many else [result] for result in results]
        if len({len(each) for each in tensors}) != 1 or not tensors[0] or len(tensors[0]) > 6:
            raise Rejected("the number of results")
        for columns in zip(*tensors):
            if not all(isinstance(each, torch.Tensor) for each in columns):
                raise Rejected("not a tensor")
            if any(each.numel() > LARGEST for each in columns) or len({each.dim() for each in columns}) != 1:
                raise Rejected("too large")
            if any(each.is_sparse or each.is_quantized for each in columns):
                raise Rejected("its layout")
        node.parts = len(tensors[0]) if many else 0
        roles = {self.roles[base(operand)] for operand in node.operands}
        sized = op == "size_value" or ".shape[" in text
        role = "data" if "data" in roles and op != "size_value" else "size" if "size" in roles or sized else "constant"
        if op == "size_value":
            role = "size"
        self.program.nodes.append(node)
        self.roles[name] = role
        self.raw[name] = results
        if many:
            for part, columns in enumerate(zip(*tensors)):
                self.values[f"{name}[{part}]"] = list(columns)
                self.roles[f"{name}[{part}]"] = role
            return f"{name}[0]"
        self.values[name] = results
        return name

    def scope_value(self, root, index):
        value = self.raw[root][index] if root in self.raw else self.values[root][index]
        return value.clone() if isinstance(value, torch.Tensor) else value

    # ---- Operands

    def fits(self, name, rank, dtypes):
        value = self.values[name][0]
        ranks = (rank,) if isinstance(rank, int) else rank
        return (ranks is None or value.dim() in ranks) and (dtypes is None or value.dtype in dtypes)

    def tensor(self, rank=None, dtypes=None, role=None, fresh=None):
        """The name of a value; one that is there, or a new one."""
        role = role or self.role
        fresh = 0.25 if fresh is None else fresh
        if not self.chance(fresh):
            there = [name for name in self.values if self.roles[name] == role and self.fits(name, rank, dtypes)]
            if there:
                # The newest are likeliest, so that chains grow.
                return self.random.choices(there, [1 + 2 * k for k in range(len(there))])[0]
        if dtypes is None:
            dtype = self.dtype if self.chance(0.6) else self.pick(self.dtypes)
        else:
            dtype = self.dtype if self.dtype in dtypes else self.pick({each: DTYPES.get(each, 1) for each in dtypes})
        wanted = self.choice(rank) if isinstance(rank, (tuple, list)) else rank
        if role == "size":
            return self.add_size_value(dtype, wanted)
        if wanted is None:
            wanted = self.pick({0: 1, 1: 4, 2: 8, 3: 5, 4: 2})
        if role == "constant":
            return self.add_constant(self.fill(dtype, self.resolve(self.static(self.dims(wanted)), 0), self.special_constants))
        return self.add_input(dtype, self.dims(wanted))

    def static(self, sizes):
        return tuple(self.integer(1, 5) if isinstance(size, str) else size for size in sizes)

    def like(self, name, dtypes=None, same=False):
        """A value that broadcasts against `name` (or has the same sizes)."""
        sizes = self.sizes_of(name)
        dtype = self.values[name][0].dtype
        if dtypes is not None and dtype not in dtypes:
            dtype = self.choice(dtypes)
        draw = self.random.random()
        if draw < 0.12 and (dtypes is None or self.values[name][0].dtype in dtypes):
            return name
        if draw < 0.4:
            shapes = [each.shape for each in self.values[name]]
            there = [other for other, values in self.values.items() if (dtypes is None or values[0].dtype in dtypes) and other != name
                     and all((a.shape == b) if same else broadcasts(a.shape, b) for a, b in zip(values, shapes))]
            if there:
                return self.choice(there)
        if draw < 0.55 and not same and sizes:
            return self.add_node(f"torch.arange({{0}}.shape[-1], dtype={dtype})", [name], "size_value") if dtype != torch.bool else name
        if draw < 0.75 and (not same or not any(isinstance(size, str) or size is None for size in sizes)):
            sizes = [1 if not isinstance(size, int) or (not same and self.chance(0.3)) else size for size in sizes]
            if not same and self.chance(0.4):
                sizes = sizes[self.integer(0, len(sizes)):]
            return self.add_constant(self.fill(dtype, sizes, self.special_constants))
        if any(size is None for size in sizes):
            if same:
                return name
            sizes = [1 if size is None else size for size in sizes]
        if not same and self.chance(0.4):
            sizes = [1 if self.chance(0.3) else size for size in sizes]
            if self.chance(0.3):
                sizes = sizes[self.integer(0, len(sizes)):]
        return self.add_input(dtype, sizes)

    def index(self, bound_of, d, sizes, dtypes=(torch.int64,)):
        """A value whose elements are indices into dimension `d` of `bound_of`."""
        bounds = [each.shape[d] for each in self.values[bound_of]]
        smallest = min(bounds)
        low = -smallest if self.chance(0.2) else 0
        draw = self.random.random()
        dtype = self.choice(dtypes)
        if any(size is None for size in sizes):
            raise Rejected
        draw = 0.7 if self.role == "constant" and self.chance(0.7) else draw
        if draw < 0.55 or any(isinstance(size, str) for size in sizes):
            if smallest == 0:
                raise Rejected
            return self.add_input(dtype, sizes, low if sizes else 0, smallest)
        if draw < 0.9 or len(sizes) != 1:
            if smallest == 0:
                raise Rejected
            return self.add_constant(torch.randint(0, smallest, tuple(sizes), generator=self.torch).to(dtype))
        return self.add_node(f"torch.arange({{0}}.shape[{d}])", [bound_of], "size_value")

    # ---- A whole program

    def make(self):
        count = max(2, round(self.random.gauss(8.4, 3)))
        self.add_input(self.dtype, self.dims(self.pick({1: 3, 2: 6, 3: 4, 4: 3})))
        failures = 0
        while self.schedule.names and len(self.program.nodes) < count and failures < 40:
            if not self.grow():
                failures += 1
        for name in self.added:
            self.add(name)
        self.finish()
        return self.program

    def add(self, name):
        """One of operators.ADDED, in one program of ADDED_TO or where nothing else is drawn."""
        place = int.from_bytes(hashlib.sha1(f"{self.seed}:{name}".encode()).digest()[:8], "big")
        if self.schedule.names and place % ADDED_TO:
            return
        others = self.random, self.torch
        self.random, self.torch = random.Random(place), torch.Generator().manual_seed(place % 2**40)
        state = self.snapshot()
        self.role = "data"
        try:
            operators.generate(self, name)
        except Rejected:
            self.restore(state)
        self.random, self.torch = others

    def grow(self):
        """Adds a node, if what is drawn next fits."""
        scheduled = not self.patterns or not self.chance(0.1)
        name, self.role, failures = self.schedule.next(self.random) if scheduled else (self.choice(self.patterns), "data", 0)
        for _ in range(ATTEMPTS):
            state = self.snapshot()
            try:
                operators.generate(self, name)
                return True
            except Rejected:
                self.restore(state)
        if scheduled:
            self.schedule.again(name, self.role, failures)
        return False

    def snapshot(self):
        program = self.program
        return (len(program.inputs), len(program.constants), len(program.nodes), list(self.values))

    def restore(self, state):
        inputs, constants, nodes, names = state
        del self.program.inputs[inputs:], self.program.constants[constants:], self.program.nodes[nodes:]
        kept = set(names)
        self.values = {name: value for name, value in self.values.items() if name in kept}

    def finish(self):
        program = self.program
        used = {base(operand) for node in program.nodes for operand in node.operands}
        outputs = []
        for node in program.nodes:
            names = [f"{node.name}[{k}]" for k in range(node.parts)] or [node.name]
            if node.name not in used:
                outputs += names
            elif self.chance(0.15):
                outputs.append(self.choice(names))
        program.outputs = outputs
        program.roles = self.roles
        program.drop_dead()


def broadcasts(a, b):
    return len(a) <= len(b) and all(x == y or x == 1 for x, y in zip(reversed(a), reversed(b)))
