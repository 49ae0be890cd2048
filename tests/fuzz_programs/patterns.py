"""What engines are known to rewrite, drawn more often than chance would."""

import torch

from calls import unsigned
from operators import FLOATS, Builder, Rejected, a_dim, added, pattern, rank, sibling, size_text


@pattern
def abs_of_sizes(g):
    x = g.tensor((1, 2, 3))
    base = g.add_node("torch.arange({0}.shape[-1]) - 2", [x], "size_value")
    return g.add_node("{0}.abs()", [base], "abs.default")


@pattern
def abs_of_joined(g):
    x = g.tensor(1, (torch.float32,))
    c = g.add_constant(g.fill(torch.float32, (g.integer(1, 4),)))
    y = g.add_node("torch.cat([{0}, {1}])", [c, x], "cat.default")
    return g.add_node("{0}.abs()", [y], "abs.default")


@pattern
def linear_of_one(g):
    x = g.tensor((2, 3), (torch.float32,))
    inner = g.sizes_of(x)[-1]
    if not isinstance(inner, int) or inner == 0:
        raise Rejected
    w, bias = g.add_constant(g.fill(torch.float32, (1, inner))), g.add_constant(g.fill(torch.float32, (1,)))
    y = g.add_node("F.linear({0}, {1}, {2})", [x, w, bias], "linear.default")
    y = g.add_node(g.choice(["{0}.mT", "{0}.flatten()", "{0}.squeeze(-1)", "{0}.transpose(0, 1)", "{0}.reshape([1, -1])"]), [y], "movement")
    return g.add_node(g.choice(["{0} + 2.5", "{0} * 3.0", "{0} - 1.0"]), [y], "number")


@pattern
def reduced_channels(g):
    x = g.tensor(3, (torch.float32,))
    channels = g.sizes_of(x)[1]
    if not isinstance(channels, int) or channels < 2:
        raise Rejected
    c = g.add_constant(g.fill(torch.float32, (channels, 1)))
    y = g.add_node(g.choice(["{0}.mean(-1, keepdim=True)", "{0}.sum(-1, keepdim=True)", "aten.adaptive_avg_pool1d.default({0}, [1])"]), [x], "mean.dim")
    return g.add_node(g.choice(["{0} * {1}", "{0} + {1}", "({0} - {1}).relu()"]), [y, c], "channels")


@pattern
def largest_of_joined(g):
    x = g.tensor((2, 3), (torch.float32,))
    y = sibling(g, x)
    joined_ = g.add_node("torch.cat([{0}, {1}], -1)", [x, y], "cat.default")
    return g.add_node(g.choice(["{0}.amax(-1, keepdim=True)", "{0}.amax(-1)", "{0}.amin(-1)", "{0}.amax(0)"]), [joined_], "amax.default")


def may_be_nothing(g, dtypes):
    """An input of which one size is 0 now and then, and that dimension."""
    sizes = ["n", g.integer(1, 4)][:g.integer(1, 2)] if "n" in g.program.symbols else [0, g.integer(1, 4)]
    g.random.shuffle(sizes)
    return g.add_input(g.choice(dtypes), sizes), next(d for d, size in enumerate(sizes) if size in ("n", 0))


@pattern
def nothing(g):
    if g.chance(0.5):
        x, d = may_be_nothing(g, FLOATS)
    else:
        x = g.tensor((1, 2, 3), FLOATS)
        d = a_dim(g, x)
        x = g.add_node(f"aten.slice.Tensor({{0}}, {d}, 0, {{0}}.shape[{d}] - {{0}}.shape[{d}])", [x], "slice.Tensor")
    return g.add_node(g.choice([f"{{0}}.mean({d})", f"{{0}}.mean({d}, keepdim=True)", f"{{0}}.sum({d})", "{0}.mean()", f"{{0}}.prod({d})", f"{{0}}.softmax({d})", f"{{0}}.any({d})"]),
                      [x], "mean.dim")


@pattern
def expanded(g):
    b = Builder()
    x = g.add_constant(g.fill(torch.float32, g.static(g.dims(g.integer(0, 1))))) if g.chance(0.5) else g.tensor((0, 1))
    if g.chance(0.5):
        source, d = may_be_nothing(g, (torch.float32,))
        lead = [f"{b.ref(source)}.shape[{d}]"]
    else:
        lead = [size_text(g, b) for _ in range(g.integer(1, 2))]
    y = g.add_node(f"{b.ref(x)}.expand({', '.join([*lead, '-1'] if rank(g, x) else lead)})", b.operands, "expand.default")
    if g.values[y][0].dtype == torch.bool:
        return y
    y = g.add_node(g.choice(["{0} + 1", "{0} * 2", "1 - {0}", "{0} < 1"]), [y], "number")
    return g.add_node("{0}.sum(0)", [y], "sum.dim_IntList") if g.chance(0.5) else y


@pattern
def scattered_extreme(g):
    x = g.tensor((1, 2), (torch.float32,))
    sizes = list(g.sizes_of(x))
    d = a_dim(g, x)
    sizes[d] = g.choice([1, 2, 3])
    places = unsigned(g, x, d, sizes)
    source = g.add_input(torch.float32, sizes)
    return g.add_node(f"{{0}}.scatter_reduce({d}, {{1}}, {{2}}, '{g.choice(['amax', 'amin'])}', include_self={g.chance(0.5)})", [x, places, source], "scatter_reduce.two")


@pattern
def gather_of_slice(g):
    x = g.tensor(3, (torch.float32,))
    y = g.add_node("{0}[:, :-1]", [x], "slice.Tensor")
    i = g.add_node("{0}[:, 1:].argmax(-1, keepdim=True)", [g.tensor(3, (torch.float32,)) if g.chance(0.2) else x], "argmax.default")
    return g.add_node("{0}.gather(2, {1})", [y, i], "gather.default")


@pattern
def causal_mask(g):
    b = Builder()
    n = size_text(g, b)
    return g.add_node(f"torch.triu(torch.full([{n}, {n}], -inf), 1)", b.operands, "triu.default")


@pattern
def infinite_number(g):
    x = g.tensor((0, 1, 2, 3), (torch.float32,))
    return g.add_node(g.choice(["{0} + inf", "inf / {0}", "torch.full_like({0}, -inf)", "{0}.clamp(-1, inf)", "{0}.masked_fill({0} > 0, -inf)", "torch.where({0} > 0, {0}, inf)",
                                "F.hardtanh({0}, -1.0, inf)", "F.elu({0}, inf)", "{0} - inf", "F.pad({0}, [1, 1], value=-inf)"]), [x], "infinite_number")


@pattern
def sign_of_zero(g):
    x = g.tensor((0, 1, 2), (torch.float32,))
    return g.add_node(g.choice(["torch.signbit({0} * 0.0)", "torch.signbit({0})", "torch.signbit(-{0}.abs())"]), [x], "signbit.default")


@pattern
def one_element(g):
    x = g.tensor(2, (torch.float32,))
    inner = g.sizes_of(x)[-1]
    if not isinstance(inner, int) or inner == 0:
        raise Rejected
    w = g.add_constant(g.fill(torch.float32, (inner, 1)))
    return g.add_node(g.choice(["({0}[:1] @ {1}).squeeze()", "({0}[:1] @ {1}).view(())", "({0}[-1:] @ {1}).reshape([])", "torch.einsum('ij,ij->', {0}, {0})"]), [x, w], "one_element")


@pattern
def half_number(g):
    x = g.tensor((0, 1, 2), (torch.float16, torch.bfloat16))
    return g.add_node(g.choice(["(1.0 - {0}) * -1e9", "{0} * 1e5", "{0} * 1e-7", "{0} + 1e-8", "{0} / 1e-6", "{0} / 70000.0", "(1.0 - {0}) * -1e4", "aten.add.Tensor({0}, {0}, alpha=0.1)",
                                "{0} ** 2.5", "{0}.clamp(-1e9, 1e9)", "aten.rsub.Scalar({0}, 1e5)"]), [x], "half_number")


@pattern
def normalized(g):
    x = g.tensor((1, 2, 3), FLOATS)
    return g.add_node(g.choice(["F.normalize({0}, dim=-1)", "{0} / ({0}.sum(-1, keepdim=True) + 1e-8)", "{0} / {0}.norm(dim=-1, keepdim=True).clamp_min(1e-12)"]), [x], "normalized")


@pattern
def product_over_nothing(g):
    inner = "n" if "n" in g.program.symbols else 0
    x = g.add_input(torch.float32, [g.integer(1, 3), inner])
    y = g.add_input(torch.float32, [inner, g.integer(1, 3)])
    return g.add_node(g.choice(["({0} @ {1}).relu()", "({0} @ {1}).tanh() + 1", "torch.sigmoid({0} @ {1}) * 2", "({0} @ {1}).exp()"]), [x, y], "product")


@pattern
def reshaped_nothing(g):
    # With static sizes OpenVINO folds the reshape's.
    if not {"m", "n"} <= g.program.symbols.keys():
        raise Rejected
    x = g.add_input(torch.float32, ["m", "n", "m"])
    # Something that has elements: without it an engine is not asked.
    g.add_node("{0}.sum(1)", [x], "sum.dim_IntList")
    return g.add_node("{0}.unflatten(1, (1, -1))", [x], "reshaped")


@pattern
def added_and_scaled(g):
    x = g.tensor((1, 2), (torch.float32,))
    return g.add_node(g.choice(["({0} - 10) * 1e38", "({0} + 2.5) * inf", "({0} - 2.5) / 0.0", "({0} + 1) * torch.full_like({0}, -inf)", "(1 - {0}) * -1e30"]), [x], "large_factor")


@pattern
def chosen_integers(g):
    rows = "n" if "n" in g.program.symbols else g.integer(1, 4)
    x = g.add_input(torch.int32, [rows, g.integer(2, 4)], -(2**31), 2**31)
    return g.add_node(g.choice(["{0}.tril()", "{0}.triu(1)", "torch.where(torch.arange({0}.shape[0])[:, None] > 0, {0}, 0)",
                                "{0}.masked_fill(torch.arange({0}.shape[1]) <= torch.arange({0}.shape[0])[:, None], 7)"]), [x], "chosen_integers")


@pattern
def rank_of_one_element(g):
    x = g.tensor((1, 2), (torch.float32,), fresh=1)
    if 0 in g.sizes_of(x):
        raise Rejected
    return g.add_node(g.choice(["{0}.exp().flatten()[0] - torch.ones(1)", "torch.maximum({0}.exp().reshape(-1)[0], torch.full((1, 1), 2.0))", "{0}.sigmoid().flatten()[:1].squeeze(0) * torch.full((1, 1, 1), 3.0)"]),
                      [x], "rank_of_one_element")


@pattern
def odd_number(g):
    x = g.tensor((0, 1, 2), (torch.float32,))
    return g.add_node(g.choice(["torch.add({0}, {0}, alpha=nan)", "F.elu({0}, inf)", "aten.elu.default({0}, 0, 0, inf)", "F.celu({0}, inf)"]),
                      [x], "odd_number")


@added
def place_to_bool(g):
    x = g.tensor((1, 2, 3), (torch.float32,))
    if g.sizes_of(x)[-1] == 0:
        raise Rejected
    place = g.add_node(g.choice(["{0}.topk(1).indices", "{0}.sort(-1).indices", "{0}.argmax(-1, keepdim=True)", "{0}.min(-1, keepdim=True).indices"]), [x], "place")
    return g.add_node(g.choice(["{0}.bool()", "{0}.any(-1)", "{0}.logical_not()", "torch.logical_or({0}, {1})"]), [place, x], "place_to_bool")


@added
def window_over_nothing(g):
    batch = "n" if "n" in g.program.symbols else g.integer(1, 3)
    x = g.add_input(torch.float32, [batch, g.integer(1, 3), 4, 6])
    g.add_node("{0}.sum()", [x], "sum.default")
    return g.add_node(g.choice(["F.max_pool2d({0}, 2)", "F.avg_pool2d({0}, 3, 2, ceil_mode=True)", "F.pad({0}, [1, 2], mode='reflect')", "F.adaptive_avg_pool2d({0}, 2)"]), [x], "window")


@added
def sorted_nan(g):
    """One NaN among other numbers, no two of them equal."""
    x = g.tensor((1, 2, 3), (torch.float32,))
    numbers = torch.randperm(9, generator=g.torch).float() - 4
    numbers[g.integer(0, 8)] = torch.nan
    row = g.add_node("{1} + {0}.isnan().any()", [x, g.add_constant(numbers)], "add.Tensor")
    return g.add_node(g.choice(["{0}.sort(-1).values", "{0}.topk(4).values", "{0}.sort(0, descending=True).values", "{0}.msort()", "{0}.topk(3, largest=False).indices"]), [row], "sorted_nan")
