"""What PyTorch computes, and how far rounding may move it.

An exported program is run node by node. Besides PyTorch's own results there are runs in which each operator that rounds has its
operands and results moved by a few units in the last place: an element that moves there may move as much in an engine, and an
integer that changes there is not compared.
"""

import contextlib
import re
from collections import Counter

import torch

from exemptions import exempt

# They only move, choose or compare, or round only once and alike everywhere.
EXACT = re.compile(
    r"aten\.(view|_?reshape|_unsafe_view|flatten|unflatten|squeeze|unsqueeze|permute|transpose|t|mT|mH|adjoint|numpy_T|movedim|moveaxis|swap\w+|expand\w*|broadcast\w*|slice\w*|"
    r"narrow\w*|select\w*|cat|concat\w*|stack|[hvd]stack|column_stack|row_stack|split\w*|unsafe_split\w*|chunk|unsafe_chunk|tensor_split|unbind\w*|repeat\w*|tile|flip\w*|roll|rot90|"
    r"diag\w*|unfold\w*|pixel_\w+|\w*channel_shuffle|meshgrid|tril|triu|gather|take\w*|index|index_select|index_copy|index_fill|index_put|_unsafe_index|embedding|"
    r"scatter|where|masked_\w+|eq|ne|lt|le|gt|ge|less\w*|greater\w*|not_equal|logical\w+|bitwise\w+|is\w+|signbit|sign|sgn|neg|negative|abs|absolute|floor|ceil|trunc|fix|relu6?|clamp\w*|"
    r"clip|hardtanh|maximum|minimum|max\w*|min\w*|amax|amin|aminmax|fmax|fmin|argm\w+|arg\w*sort|sort|msort|topk|any|all|count_nonzero|zeros\w*|ones\w*|full\w*|new_\w+|arange|eye|fill|"
    r"clone|copy|contiguous|detach\w*|alias\w*|lift\w*|real|imag|view_as_real\w*|resolve\w+|conj\w*|one_hot|bucketize|searchsorted|constant_pad_nd|pad|\w+_pad\dd|_to_copy|to|type_as|"
    r"cummax|cummin|threshold|nan_to_num|t_copy|ravel|atleast\w+|sym_\w+|median|kthvalue|heaviside|copysign|im2col|hardshrink|positive|_pad_circular)(\..*)?$|.*quantize_per.*|_operator.*")
ONCE = re.compile(r"aten\.(add|sub|subtract|rsub|mul|multiply|div|true_divide|divide|sqrt|reciprocal)\.")
# They give nearly nothing for elements that are nearly equal, and what that is depends on the order of additions.
CANCELS = re.compile(r"aten\.(var|std)")
# They add numbers of about 1, which may leave much less.
ONES = re.compile(r"aten\.(special_ndtr|lgamma|special_gammaln|mvlgamma|digamma|special_psi|special_digamma|gru_cell|lstm_cell|rnn_\w+_cell|gru|lstm|rnn_\w+|gelu)\.")
# The place between pixels that weighs them is rounded.
PLACES = re.compile(r"aten\._?(upsample|grid_sampler)\w*\.")
# PyTorch computes x * rstd - mean * rstd.
SHIFTS = re.compile(r"aten\.(native_)?(layer|group)_norm\.")
STEP = {torch.float32: 2.0**-22, torch.float64: 2.0**-50, torch.float16: 2.0**-10, torch.bfloat16: 2.0**-7}
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9, torch.float16: 4e-3, torch.bfloat16: 3.2e-2, torch.complex64: 1e-5, torch.complex128: 1e-9, torch.complex32: 4e-3}
# Where all that rounds is moved: up, down, and twice each element by itself.
RUNS = (1.0, -1.0, None, None)


def name_of(node):
    return str(node.target).removeprefix("torch._ops.") if node.op == "call_function" else ""


def tensors_in(value, found=None):
    found = [] if found is None else found
    if isinstance(value, torch.Tensor):
        found.append(value)
    elif isinstance(value, (list, tuple)):
        for each in value:
            tensors_in(each, found)
    return found


class Moved(torch.fx.Interpreter):
    """Runs the graph with what rounds moved a little."""

    def __init__(self, module, generator, direction=None):
        super().__init__(module)
        self.generator, self.direction = generator, direction

    def noise(self, shape):
        """Of at most 1."""
        return torch.full(shape, self.direction).double() if self.direction else (torch.rand(shape, generator=self.generator) * 2 - 1).double()

    def move(self, value):
        if isinstance(value, torch.Tensor):
            if value.dtype in STEP and value.numel():
                return (value.double() * (1 + STEP[value.dtype] * self.noise(value.shape))).to(value.dtype)
            return value
        if isinstance(value, (list, tuple)):
            return type(value)(self.move(each) for each in value)
        return value

    def call_function(self, target, args, kwargs):
        name = str(target)
        if EXACT.match(name) or not name.startswith(("aten", "quantized")):
            return super().call_function(target, args, kwargs)
        if not ONCE.match(name):
            # A moved number may not be valid, such as a probability above 1.
            with contextlib.suppress(RuntimeError):
                moved = tuple(self.move(each) for each in args)
                return self.move(self.uncancel(name, moved, super().call_function(target, moved, kwargs)))
        return self.move(self.uncancel(name, args, super().call_function(target, args, kwargs)))

    def deviation(self, name, args):
        """What a norm divides by."""
        x, eps = args[0].double(), next((each for each in reversed(args) if isinstance(each, float)), 0.0)
        if "layer" in name:
            return (x.var(tuple(range(-len(args[1]), 0)), correction=0, keepdim=True) + eps).sqrt()
        groups = args[6] if "native" in name else args[1]
        var = x.reshape(x.shape[0], groups, -1).var(-1, correction=0).repeat_interleave(x.shape[1] // groups, 1)
        return (var + eps).sqrt().reshape(*var.shape, *[1] * (x.dim() - 2))

    def uncancel(self, name, args, result):
        """A variance moved by rounding errors of the squares that it is made of."""
        value = result[0] if isinstance(result, (list, tuple)) else result
        shifts = SHIFTS.match(name)
        if not (CANCELS.match(name) or shifts or ONES.match(name) or PLACES.match(name)) or value.dtype not in STEP or not args[0].numel():
            return result
        if ONES.match(name):
            error = torch.full(value.shape, STEP[value.dtype]).double()
        elif PLACES.match(name):
            finite = args[0].abs()[args[0].isfinite()].double()
            error = torch.full(value.shape, STEP[torch.float32] * float(finite.max()) if finite.numel() else 0.0).double()
        elif shifts:
            error = STEP[value.dtype] * args[0].abs().double() / self.deviation(name, args)
        else:
            error = STEP[value.dtype] * args[0].abs().max().double() ** 2
        noise = self.noise(value.shape) * (error.sqrt() if "std" in name else error)
        moved = (value.double() + noise).to(value.dtype)
        return type(result)([moved, *result[1:]]) if isinstance(result, (list, tuple)) else moved


class Watched(torch.fx.Interpreter):
    """Runs the graph, noting which values may differ on which engine, and which come from values of other sizes than the program records."""

    def __init__(self, module, counts):
        super().__init__(module)
        self.tainted, self.counts, self.misstated, self.symbols = {}, counts, set(), {}

    def note_sizes(self, node, result):
        recorded, found = tensors_in(node.meta.get("val")), tensors_in(result)
        sizes = [(a, b) for x, y in zip(recorded, found) if x.dim() == y.dim() for a, b in zip(x.shape, y.shape)]
        if node.op == "placeholder":
            self.symbols.update({a.node.expr: b for a, b in sizes if isinstance(a, torch.SymInt) and a.node.expr.is_Symbol})
        known = [(int(a.node.expr.xreplace(self.symbols)) if isinstance(a, torch.SymInt) else a, b) for a, b in sizes
                 if not isinstance(a, torch.SymInt) or a.node.expr.free_symbols <= self.symbols.keys()]
        if any(a != b for a, b in known) or any(x.dim() != y.dim() for x, y in zip(recorded, found)) or not self.misstated.isdisjoint(node.all_input_nodes):
            self.misstated.add(node)

    def run_node(self, node):
        result = super().run_node(node)
        self.note_sizes(node, result)
        if node.op == "call_function":
            taints = set().union(*(self.tainted.get(each, ()) for each in node.all_input_nodes))
            args, kwargs = self.fetch_args_kwargs_from_env(node)
            operands, results = tensors_in(args), tensors_in(result)
            if results and len(taints) < 3:
                arguments = [each for each in [*args, *kwargs.values()] if isinstance(each, (int, float))]
                engines, names = exempt(name_of(node), operands, results, arguments)
                taints |= engines
                self.counts.update(names)
            if taints:
                self.tainted[node] = taints
        return result


class Expected:
    """Of one set of inputs: each output, how far it moves, the engines it is not compared on, and which come from sizes that are recorded wrongly."""

    def __init__(self, outputs, tainted, misstated, runs):
        self.outputs, self.tainted, self.misstated, self.runs, self.found = outputs, tainted, misstated, runs, None

    def difference(self, at, found):
        """What is wrong with output `at`, in words; None if nothing. Most results need no second run."""
        expected_ = self.outputs[at]
        if difference(found, expected_, torch.zeros((), dtype=torch.float64)) is None:
            return None
        if self.found is None:
            moved = self.runs()
            self.found = [spread(output, [run[k] for run in moved]) for k, output in enumerate(self.outputs)]
        return difference(found, expected_, self.found[at])


def expected(exported, inputs, seed, counts=None):
    module = exported.graph_module
    flat = exported._graph_module_flat_inputs(tuple(inputs), {})
    clone = lambda: [each.clone() if isinstance(each, torch.Tensor) else each for each in flat]  # noqa: E731
    watched = Watched(module, Counter() if counts is None else counts)

    def runs():
        results = []
        for run, direction in enumerate(RUNS):
            # A moved number may not be valid where the number itself is: an index, a size.
            with torch.no_grad(), contextlib.suppress(RuntimeError, IndexError, ValueError):
                results.append(list(Moved(module, torch.Generator().manual_seed(seed + run), direction).run(*clone())))
        return results

    with torch.no_grad():
        outputs = list(watched.run(*clone()))
    result_nodes = [node for node in module.graph.nodes if node.op == "output"][0].args[0]
    tainted = [watched.tainted.get(node, set()) if isinstance(node, torch.fx.Node) else set() for node in result_nodes]
    return Expected(outputs, tainted, [node in watched.misstated for node in result_nodes], runs)


def spread(output, moved):
    """How far each element moves; infinite where it becomes another kind of number."""
    if not isinstance(output, torch.Tensor):
        return None
    most = torch.zeros(output.shape, dtype=torch.float64)
    for other in moved:
        if output.dtype.is_floating_point or output.dtype.is_complex:
            same = (output == other) | (output.isnan() & other.isnan())
            distance = (output - other).abs().double()
            distance = torch.where(same, 0.0, torch.where(distance.isfinite(), distance, torch.inf))
        else:
            distance = torch.where(output == other, 0.0, torch.inf).double()
        most = torch.maximum(most, distance)
    return most


def difference(found, expected_, spread_, tolerance=None):
    """What is wrong with an output, in words; None if nothing."""
    if not isinstance(found, torch.Tensor):
        return f"{found!r} is no tensor"
    if found.dtype != expected_.dtype or found.shape != expected_.shape:
        return f"{describe(found)} instead of {describe(expected_)}"
    if not expected_.numel():
        return None
    if expected_.dtype.is_complex:
        parts = [torch.view_as_real(each.to(torch.complex128)) for each in (found, expected_)]
        return difference(*parts, spread_[..., None], TOLERANCE[expected_.dtype])
    if expected_.dtype.is_floating_point:
        tolerance = tolerance or TOLERANCE[expected_.dtype]
        a, b = found.double(), expected_.double()
        same = (a == b) | (a.isnan() & b.isnan())
        near = ((a - b).abs() <= tolerance * (1 + b.abs()) + 16 * spread_) & b.isfinite() & a.isfinite()
        # What moves by a twentieth of itself has no digits left to compare.
        wrong = ~(same | near | spread_.isinf() | (spread_ > 0.05 * (1 + b.abs())))
    else:
        wrong = (found != expected_) & (spread_ == 0)
    if not bool(wrong.any()):
        return None
    place = tuple(wrong.nonzero()[0].tolist())
    return f"{describe(found)}{list(place)} is {found[place].item()!r}, not {expected_[place].item()!r} ({int(wrong.sum())} of {wrong.numel()} elements)"


def describe(tensor):
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"
