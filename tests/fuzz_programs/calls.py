"""Operators whose calls take more than their schema to draw."""

import re

import torch

from operators import ALL, FLOATS, Builder, Rejected, a_dim, aten, made, rank, sibling, size_text, special


@special("cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack", "column_stack", "row_stack")
def joined(g, name):
    b = Builder()
    first = g.tensor()
    many = [b.ref(first)] + [b.ref(sibling(g, first)) for _ in range(g.integer(1, 3))]
    g.random.shuffle(many)
    extra = [str(a_dim(g, first))] if name.split(".")[0] in ("cat", "concat", "concatenate", "stack") else []
    return aten(g, name, b, f"[{', '.join(many)}]", *extra)


@special("linear")
def linear(g, name):
    b = Builder()
    x = g.tensor((1, 2, 3), FLOATS)
    inner = g.sizes_of(x)[-1]
    if not isinstance(inner, int):
        raise Rejected
    dtype, outer = g.values[x][0].dtype, g.pick({1: 4, 2: 2, 3: 2, 5: 2})
    w = made(g, dtype, [outer, inner]) if g.chance(0.8) else g.add_constant(g.fill(dtype, (outer, inner)))
    bias = [b.ref(made(g, dtype, [outer]))] if g.chance(0.6) else []
    return aten(g, name, b, b.ref(x), b.ref(w), *bias)


@special("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "convolution", "_convolution", "_convolution_mode")
def convolution(g, name):
    b = Builder()
    packet = name.split(".")[0]
    n = int(match[1]) if (match := re.search(r"(\d)d", packet)) else g.choice([1, 2])
    dtype = g.choice(FLOATS) if g.chance(0.2) else torch.float32
    groups = g.choice([1, 1, 2])
    transposed = "transpose" in packet or (packet in ("convolution", "_convolution") and g.chance(0.3))
    into, out = groups * g.integer(1, 2), groups * g.integer(1, 2)
    sizes = list(g.dims(n))
    sizes = [size if isinstance(size, str) or size > 1 else 4 for size in sizes]
    batch = g.choice(list(g.program.symbols) + [1, 2]) if g.program.symbols else g.choice([1, 2])
    x = None
    if g.chance(0.6):
        there = [v for v in g.values if rank(g, v) == n + 2 and g.values[v][0].dtype == dtype and g.sizes_of(v)[1] == into]
        x = g.choice(there) if there else None
    if g.role == "size":
        x = g.add_size_value(dtype, n + 2, [2, into, *g.static(sizes)[1:]])
    elif g.role == "constant" or x is None:
        x = g.add_constant(g.fill(dtype, (2, into, *g.static(sizes)))) if g.role == "constant" else g.add_input(dtype, (batch, into, *sizes))
    kernel = [g.integer(1, 3) for _ in range(n)]
    shape = [into, out // groups, *kernel] if transposed else [out, into // groups, *kernel]
    w = made(g, dtype, shape)
    bias = b.ref(made(g, dtype, [out])) if g.chance(0.5) else "None"
    stride, pad, dilation = ([g.choice(options)] * n for options in ((1, 1, 2), (0, 1), (1, 1, 2)))
    if name.endswith(".padding"):
        return aten(g, name, b, b.ref(x), b.ref(w), bias, "1" if n == 0 else str([1] * n), g.choice(["'same'", "'valid'"]), str(dilation), str(groups))
    if packet == "_convolution_mode":
        return aten(g, name, b, b.ref(x), b.ref(w), bias, str([1] * n), g.choice(["'same'", "'valid'"]), str(dilation), str(groups))
    if packet == "convolution":
        return aten(g, name, b, b.ref(x), b.ref(w), bias, str(stride), str(pad), str(dilation), str(transposed), str([0] * n), str(groups))
    if packet == "_convolution":
        return aten(g, name, b, b.ref(x), b.ref(w), bias, str(stride), str(pad), str(dilation), str(transposed), str([0] * n), str(groups), "False", "False", "False", "False")
    if transposed:
        return aten(g, name, b, b.ref(x), b.ref(w), bias, str(stride), str(pad), str([0] * n), str(groups), str(dilation))
    return aten(g, name, b, b.ref(x), b.ref(w), bias, str(stride), str(pad), str(dilation), str(groups))


def picture(g, n, dtypes=FLOATS, lead=(1, 2)):
    """A value with `n` spatial dimensions."""
    ranks = [n + each for each in lead]
    there = [v for v in g.values if rank(g, v) in ranks and g.values[v][0].dtype in dtypes and g.roles[v] == g.role]
    if there and g.chance(0.6):
        return g.choice(there)
    return g.tensor(n + lead[-1], dtypes, fresh=1.0)


@special("max_pool1d", "max_pool2d", "max_pool3d", "max_pool1d_with_indices", "max_pool2d_with_indices", "max_pool3d_with_indices", "avg_pool1d", "avg_pool2d",
         "avg_pool3d")
def pool(g, name):
    b = Builder()
    n = int(re.search(r"(\d)d", name)[1])
    x = picture(g, n, FLOATS if g.chance(0.9) else (torch.int64, torch.uint8, torch.int32))
    kernel = [g.integer(1, 3)] * n
    pad = [g.integer(0, kernel[0] // 2)] * n
    stride = g.choice(["[]", str([1] * n), str([2] * n)])
    ceil = str(g.chance(0.3))
    if name.startswith("max"):
        return aten(g, name, b, b.ref(x), str(kernel), stride, str(pad), str([g.choice([1, 1, 2])] * n), ceil)
    divisor = [g.choice(["None", "3"])] if n > 1 else []
    return aten(g, name, b, b.ref(x), str(kernel), stride, str(pad), ceil, str(g.chance(0.5)), *divisor)


@special("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "adaptive_max_pool1d",
         "adaptive_max_pool2d", "adaptive_max_pool3d")
def adaptive_pool(g, name):
    b = Builder()
    n = int(re.search(r"(\d)d", name)[1])
    x = picture(g, n)
    return aten(g, name, b, b.ref(x), str([g.integer(1, 4) for _ in range(n)] if g.chance(0.7) else [1] * n))


@special(*(f"upsample_{mode}" for mode in ("nearest1d", "nearest2d", "nearest3d", "linear1d", "bilinear2d", "trilinear3d", "bicubic2d")),
         *(f"_upsample_nearest_exact{n}d" for n in (1, 2, 3)), "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa")
def resize(g, name):
    b = Builder()
    n = int(re.search(r"(\d)d", name)[1])
    x = picture(g, n, FLOATS if g.chance(0.85) else (torch.uint8,), (2,))
    align = [] if "nearest" in name else [str(g.chance(0.4))]
    sizes = "[" + ", ".join(size_text(g, b) for _ in range(n)) + "]"
    factors = [g.choice([2.0, 0.5, 1.5, 0.57, 2.5, 3.0, 1.0]) for _ in range(n)]
    if name.endswith(".vec"):
        by_size = g.chance(0.4)
        return aten(g, name, b, b.ref(x), sizes if by_size else "None", *align, "None" if by_size else str(factors))
    return aten(g, name, b, b.ref(x), sizes, *align)


@special("_int_mm")
def product_of_bytes(g, name):
    b = Builder()
    x = g.tensor(2, (torch.int8,))
    y = made(g, torch.int8, [g.sizes_of(x)[1], g.choice([1, 3, 4])])
    return aten(g, name, b, b.ref(x), b.ref(y))


@special("affine_grid_generator")
def affine_grid(g, name):
    b = Builder()
    batch = g.choice([1, 2])
    theta = made(g, torch.float32, [batch, 2, 3])
    return aten(g, name, b, b.ref(theta), f"[{batch}, 1, {g.integer(1, 4)}, {g.integer(1, 4)}]", str(g.chance(0.5)))


@special("bilinear")
def bilinear(g, name):
    b = Builder()
    x = g.tensor((1, 2), (torch.float32,))
    sizes = g.sizes_of(x)
    if not isinstance(sizes[-1], int):
        raise Rejected
    y = made(g, torch.float32, [*sizes[:-1], 3])
    w = g.add_constant(g.fill(torch.float32, (2, sizes[-1], 3)))
    return aten(g, name, b, b.ref(x), b.ref(y), b.ref(w), "None")


@special("grid_sampler", "grid_sampler_2d", "grid_sampler_3d")
def grid(g, name):
    b = Builder()
    n = 3 if name.startswith("grid_sampler_3d") else 2
    x = picture(g, n, (torch.float32,), (2,))
    places = made(g, torch.float32, [g.sizes_of(x)[0], *([2, 3] if n == 2 else [2, 2, 1]), n])
    return aten(g, name, b, b.ref(x), b.ref(places), str(g.integer(0, 2 if n == 2 else 1)), str(g.integer(0, 2)), str(g.chance(0.5)))


@special("layer_norm", "native_layer_norm", "rms_norm", "_fused_rms_norm")
def layer_norm(g, name):
    b = Builder()
    x = g.tensor((1, 2, 3, 4), FLOATS)
    last = g.sizes_of(x)[-1]
    if not isinstance(last, int):
        raise Rejected
    dtype = g.values[x][0].dtype
    w = b.ref(made(g, dtype, [last])) if g.chance(0.7) else "None"
    if "rms" in name:
        return aten(g, name, b, b.ref(x), f"[{last}]", w, g.choice(["1e-6", "None"]))
    return aten(g, name, b, b.ref(x), f"[{last}]", w, b.ref(made(g, dtype, [last])) if w != "None" and g.chance(0.7) else "None", g.choice(["1e-5", "1e-12"]))


@special("batch_norm", "_native_batch_norm_legit_no_training", "instance_norm", "group_norm", "native_group_norm", "_native_batch_norm_legit.no_stats")
def batch_norm(g, name):
    b = Builder()
    x = g.tensor((3, 4) if "instance" in name else (2, 3, 4), FLOATS)
    channels = g.sizes_of(x)[1]
    if not isinstance(channels, int):
        raise Rejected
    dtype = g.values[x][0].dtype
    parameter = lambda: b.ref(g.add_constant(g.fill(dtype, (channels,))))  # noqa: E731
    affine = [parameter(), parameter()] if g.chance(0.7) else ["None", "None"]
    positive = b.ref(g.add_constant(g.fill(dtype, (channels,)).abs() + 0.1))
    if name.startswith("group"):
        return aten(g, name, b, b.ref(x), str(g.choice([k for k in (1, 2, 3) if channels % k == 0])), *affine, "1e-5")
    if name.startswith("native_group"):
        size = [b.ref(x) + f".shape[{d}]" for d in range(rank(g, x))]
        return aten(g, name, b, b.ref(x), *affine, size[0], str(channels), " * ".join(size[2:]) or "1", "1", "1e-5")
    if name.startswith("instance"):
        return aten(g, name, b, b.ref(x), *affine, "None", "None", "True", "0.1", "1e-5", "False")
    if name.endswith("no_stats"):
        return aten(g, name, b, b.ref(x), *affine, "True", "0.1", "1e-5")
    if name.startswith("batch"):
        return aten(g, name, b, b.ref(x), *affine, parameter(), positive, "False", "0.1", "1e-5", "False")
    return aten(g, name, b, b.ref(x), *affine, parameter(), positive, "0.1", "1e-5")


@special("scaled_dot_product_attention", "_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_attention_math")
def attention(g, name):
    b = Builder()
    q = g.tensor(4, (torch.float32,) if g.chance(0.8) else FLOATS)
    sizes = g.sizes_of(q)
    dtype = g.values[q][0].dtype
    length = g.choice([sizes[2], 3])
    k = made(g, dtype, [sizes[0], sizes[1], length, sizes[3]])
    v = k if g.chance(0.3) else made(g, dtype, [sizes[0], sizes[1], length, sizes[3]])
    if "flash" in name:
        if any(each.numel() == 0 for operand in (q, k) for each in g.values[operand]):
            raise Rejected  # PyTorch divides by zero.
        return aten(g, name, b, b.ref(q), b.ref(k), b.ref(v), "0.0", str(g.chance(0.3)))
    mask, causal = "None", False
    if g.chance(0.4):
        mask = b.ref(made(g, torch.bool if g.chance(0.5) else dtype, [g.choice([1, sizes[2]]), length]))
    else:
        causal = g.chance(0.5)
    extra = [f"scale={g.choice(['None', '0.5', '0.125'])}"] if g.chance(0.4) else []
    return aten(g, name, b, b.ref(q), b.ref(k), b.ref(v), mask, "0.0", str(causal), *extra)


@special("lstm.input", "gru.input", "rnn_tanh.input", "rnn_relu.input")
def recurrent(g, name):
    b = Builder()
    x = g.tensor(3, (torch.float32,))
    sizes = g.sizes_of(x)
    if not isinstance(sizes[-1], int):
        raise Rejected
    hidden, both, first = g.integer(1, 3), g.chance(0.4), g.chance(0.5)
    gates = {"l": 4, "g": 3, "r": 1}[name[0]]
    directions = 2 if both else 1
    batch = sizes[0 if first else 1]
    parameters = []
    for _ in range(directions):
        for shape in ((gates * hidden, sizes[-1]), (gates * hidden, hidden), (gates * hidden,), (gates * hidden,)):
            parameters.append(b.ref(g.add_constant(g.fill(torch.float32, shape))))
    state = b.ref(made(g, torch.float32, [directions, batch, hidden]))
    states = f"[{state}, {b.ref(made(g, torch.float32, [directions, batch, hidden]))}]" if gates == 4 else state
    return aten(g, name, b, b.ref(x), states, f"[{', '.join(parameters)}]", "True", "1", "0.0", "False", str(both), str(first))


@special("gru_cell", "lstm_cell", "rnn_tanh_cell", "rnn_relu_cell")
def cell(g, name):
    b = Builder()
    x = g.tensor(2, (torch.float32,))
    batch, width = g.sizes_of(x)
    if not isinstance(width, int):
        raise Rejected
    hidden, gates = g.integer(1, 3), {"l": 4, "g": 3, "r": 1}[name[0]]
    state = b.ref(made(g, torch.float32, [batch, hidden]))
    states = f"[{state}, {b.ref(made(g, torch.float32, [batch, hidden]))}]" if gates == 4 else state
    weights = [b.ref(g.add_constant(g.fill(torch.float32, shape))) for shape in ((gates * hidden, width), (gates * hidden, hidden), (gates * hidden,), (gates * hidden,))]
    return aten(g, name, b, b.ref(x), states, *weights)


@special("embedding", "embedding_bag", "embedding_bag.padding_idx")
def embedding(g, name):
    b = Builder()
    dtype = g.choice(FLOATS) if g.chance(0.3) else torch.float32
    table = made(g, dtype, [g.integer(1, 6), g.integer(1, 4)])
    if name.startswith("embedding_bag"):
        places = g.index(table, 0, [g.integer(2, 3), g.integer(1, 3)])
        flat = b.ref(places)
        offsets = f"torch.arange(0, {flat}.numel(), {flat}.shape[1])"
        more = f", False, None, False, {g.integer(-1, 0)}" if name.endswith("padding_idx") else ""
        return g.add_node(f"aten.{name}({b.ref(table)}, {flat}.flatten(), {offsets}, False, {g.integer(0, 2)}{more})[0]", b.operands, name)
    places = g.places(table, 0) if g.role == "size" else g.index(table, 0, g.dims(g.integer(0, 2)), (torch.int64, torch.int32))
    return aten(g, name, b, b.ref(table), b.ref(places))


@special("gather", "take_along_dim", "index_select", "take")
def gather(g, name):
    b = Builder()
    x = g.tensor((1, 2, 3))
    d = a_dim(g, x)
    sizes = g.sizes_of(x)
    packet = name.split(".")[0]
    if packet == "index_select":
        return aten(g, name, b, b.ref(x), str(d), b.ref(unsigned(g, x, d, [g.choice([1, 2, 3, *g.program.symbols])])))
    if packet == "take":
        return aten(g, name, b, b.ref(x), b.ref(unsigned(g, x, 0, [g.integer(0, 3), 2])))
    sizes = [size if g.chance(0.7) or not isinstance(size, int) else max(0, size - g.integer(0, 1)) for size in sizes]
    sizes[d] = g.choice([1, 2, 3, 5])
    places = unsigned(g, x, d, sizes)
    return aten(g, name, b, *( [b.ref(x), str(d), b.ref(places)] if packet == "gather" else [b.ref(x), b.ref(places), str(d)]))


def unsigned(g, x, d, sizes):
    for _ in range(4):
        name = g.index(x, d, sizes)
        if all(bool((each >= 0).all()) for each in g.values[name]):
            return name
    raise Rejected


@special("scatter", "scatter_add", "scatter_reduce")
def scatter(g, name):
    b = Builder()
    x = g.tensor((1, 2, 3))
    d = a_dim(g, x)
    dtype = g.values[x][0].dtype
    sizes = list(g.sizes_of(x))
    if name in ("scatter.src", "scatter.value") and isinstance(sizes[d], int):
        sizes[d] = 1  # Places that are written twice have no defined value.
    elif name not in ("scatter.src",):
        sizes[d] = g.choice([1, 2, 3])
    places = unsigned(g, x, d, sizes)
    if "value" in name:
        value = g.number(dtype)
    else:
        value = b.ref(made(g, dtype, sizes))
    extra = {"scatter.reduce": ["reduce='add'"], "scatter.value_reduce": ["reduce='multiply'"]}.get(name, [])
    if name.startswith("scatter_reduce"):
        extra = [g.choice(["'sum'", "'mean'", "'amax'", "'amin'", "'prod'"]), f"include_self={g.chance(0.5)}"]
    return aten(g, name, b, b.ref(x), str(d), b.ref(places), value, *extra)


@special("index", "_unsafe_index", "index_put", "_unsafe_index_put")
def index(g, name):
    b = Builder()
    x = g.tensor((1, 2, 3))
    n = rank(g, x)
    sizes = [g.choice([1, 2, 3])] if g.chance(0.6) else [2, g.choice([1, 2])]
    at = g.integer(0, n - 1)
    lists = ["None"] * at
    for d in range(at, min(n, at + (2 if g.chance(0.4) else 1))):
        lists.append(b.ref(g.index(x, d, sizes)))
    text = f"[{', '.join(lists)}]"
    if "put" not in name:
        return aten(g, name, b, b.ref(x), text)
    add = g.chance(0.5)
    value = g.add_constant(g.fill(g.values[x][0].dtype, (1,)))
    return aten(g, name, b, b.ref(x), text, b.ref(value), str(add))


@special("index_add", "index_copy", "index_fill")
def index_write(g, name):
    b = Builder()
    x = g.tensor((1, 2, 3))
    d = a_dim(g, x)
    sizes = g.sizes_of(x)
    count = g.choice([1, 2]) if "add" in name else 1
    places = unsigned(g, x, d, [count])
    dtype = g.values[x][0].dtype
    if name == "index_fill.int_Scalar":
        value = g.number(dtype)
    elif name == "index_fill.int_Tensor":
        value = b.ref(made(g, dtype, []))
    else:
        sizes[d] = count
        value = b.ref(made(g, dtype, sizes))
    return aten(g, name, b, b.ref(x), str(d), b.ref(places), value)


@special("slice_scatter", "select_scatter", "diagonal_scatter", "masked_scatter")
def slice_scatter(g, name):
    b = Builder()
    x = g.tensor((1, 2, 3))
    d = g.integer(0, rank(g, x) - 1)
    if name.startswith("slice"):
        start, end = g.choice(["None", "0", "1", "-2"]), g.choice(["None", "2", "-1"])
        part = g.add_node(f"aten.slice.Tensor({{0}}, {d}, {start}, {end})", [x], "slice.Tensor")
        part = g.add_node("{0} + {0}" if g.values[x][0].dtype != torch.bool else "~{0}", [part], "add.Tensor")
        return aten(g, name, b, b.ref(x), b.ref(part), str(d), start, end)
    if name.startswith("select"):
        part = g.add_node(f"aten.select.int({{0}}, {d}, 0)", [x], "select.int")
        return aten(g, name, b, b.ref(x), b.ref(part), str(d), "-1")
    if name.startswith("diagonal"):
        if rank(g, x) < 2:
            raise Rejected
        part = g.add_node("aten.diagonal.default({0}, 1)", [x], "diagonal.default")
        return aten(g, name, b, b.ref(x), b.ref(part), "1")
    mask = g.like(x, (torch.bool,))
    return aten(g, name, b, b.ref(x), b.ref(mask), b.ref(g.like(x, (g.values[x][0].dtype,), same=True)))


@special("where")
def where(g, name):
    b = Builder()
    x = g.tensor()
    dtype = g.values[x][0].dtype
    c = b.ref(g.like(x, (torch.bool,)))
    number = g.scalar(dtype)
    other = {"self": (b.ref(x), b.ref(g.like(x))), "ScalarOther": (b.ref(x), number), "ScalarSelf": (number, b.ref(x)), "Scalar": (number, g.scalar(dtype))}
    return aten(g, name, b, c, *other[name.split(".")[1]])


@special("einsum")
def einsum(g, name):
    b = Builder()
    x = g.tensor(2, FLOATS)
    sizes = g.sizes_of(x)
    dtype = g.values[x][0].dtype
    if any(size is None for size in sizes):
        raise Rejected
    other = {"ij,jk->ik": [sizes[1], 3], "ij,ij->": sizes, "ij,ij->i": sizes, "ij,kj->ki": [2, sizes[1]], "ij,j->ij": [sizes[1]]}
    equation = g.choice(list(other) + ["ij->ji", "ij->"])
    more = [b.ref(made(g, dtype, other[equation]))] if equation in other else []
    return g.add_node(f"torch.einsum('{equation}', {', '.join([b.ref(x), *more])})", b.operands, name)


@special("addmm", "addmv", "addbmm", "baddbmm", "addr")
def added_product(g, name):
    b = Builder()
    packet = name.split(".")[0]
    batch = 3 if packet in ("addbmm", "baddbmm") else 2 if packet != "addr" else 1
    x = g.tensor(batch, FLOATS)
    sizes = g.sizes_of(x)
    dtype = g.values[x][0].dtype
    width = g.choice([1, 1, 3])
    second = {"addmm": [sizes[-1], width], "addmv": [sizes[-1]], "addbmm": [sizes[0], sizes[-1], width], "baddbmm": [sizes[0], sizes[-1], width], "addr": [width]}[packet]
    y = made(g, dtype, second)
    total = {"addmm": [sizes[0], width], "addmv": [sizes[0]], "addbmm": [sizes[-2], width], "baddbmm": [sizes[0], sizes[-2], width], "addr": [sizes[0], width]}[packet] \
        if batch > 1 else [sizes[0], width]
    start = made(g, dtype, total[-1:] if packet == "addmm" and g.chance(0.5) else total)
    extra = [f"beta={g.choice(['0', '0.5', '1', '2'])}", f"alpha={g.choice(['1', '0.5', '2'])}"] if g.chance(0.5) else []
    return aten(g, name, b, b.ref(start), b.ref(x), b.ref(y), *extra)


@special("im2col", "col2im")
def columns(g, name):
    b = Builder()
    if name.startswith("im2col"):
        return aten(g, name, b, b.ref(picture(g, 2)), "[2, 2]", "[1, 1]", str([g.integer(0, 1)] * 2), str([g.integer(1, 2)] * 2))
    x = g.tensor(3, (torch.float32,), fresh=1.0)
    x = made(g, torch.float32, [g.sizes_of(x)[0], 4, 6])
    return aten(g, name, b, b.ref(x), "[3, 4]", "[2, 2]", "[1, 1]", "[0, 0]", "[1, 1]")


@special("one_hot")
def one_hot(g, name):
    b = Builder()
    table = g.add_constant(torch.zeros(5))
    return aten(g, name, b, b.ref(g.places(table, 0) if g.role == "size" else unsigned(g, table, 0, g.dims(g.integer(0, 2)))), "5")


@special("bucketize", "searchsorted", "isin")
def searched(g, name):
    b = Builder()
    dtypes = (torch.float32, torch.int64, torch.int32)
    x = g.tensor((1, 2), dtypes)
    bounds = g.add_constant(g.fill(g.values[x][0].dtype, (g.integer(0, 4),)).sort()[0])
    pair = [b.ref(bounds), b.ref(x)] if name.startswith("searchsorted") else [b.ref(x), b.ref(bounds)]
    extra = [] if name.startswith("isin") else [f"right={g.chance(0.5)}"]
    return aten(g, name, b, *pair, *extra)


@special("prelu", "_prelu_kernel")
def prelu(g, name):
    b = Builder()
    x = g.tensor((1, 2, 3), FLOATS)
    channels = g.sizes_of(x)[1] if rank(g, x) > 1 else 1
    if not isinstance(channels, int):
        raise Rejected
    sizes = [channels if g.chance(0.5) else 1]
    if name.startswith("_"):
        sizes = [sizes[0], *[1] * (rank(g, x) - 2)] if rank(g, x) > 1 else [1]
    return aten(g, name, b, b.ref(x), b.ref(made(g, g.values[x][0].dtype, sizes)))


@special("_weight_norm", "_weight_norm_interface")
def weight_norm(g, name):
    b = Builder()
    x = g.tensor((1, 2, 3), (torch.float32, torch.float64))
    if any(each.numel() == 0 for each in g.values[x]):
        raise Rejected  # PyTorch divides by zero.
    d = g.choice([0, rank(g, x) - 1])
    length = made(g, g.values[x][0].dtype, [size if each == d else 1 for each, size in enumerate(g.sizes_of(x))])
    return aten(g, name, b, b.ref(x), b.ref(length), str(d))


@special("to", "_to_copy", "type_as")
def conversion(g, name):
    b = Builder()
    x = g.tensor()
    dtype = g.choice(ALL)
    if name.startswith("type_as") or name == "to.other":
        return aten(g, name, b, b.ref(x), b.ref(g.tensor(role="data")))
    return aten(g, name, b, b.ref(x), str(dtype) if name == "to.dtype" else f"dtype={dtype}")


@special("fake_quantize_per_tensor_affine", "fake_quantize_per_channel_affine", "fake_quantize_per_tensor_affine_cachemask", "fake_quantize_per_channel_affine_cachemask")
def fake_quantize(g, name):
    b = Builder()
    x = g.tensor((2, 3), (torch.float32,))
    if "channel" in name:
        channels = g.sizes_of(x)[1]
        if not isinstance(channels, int):
            raise Rejected
        scale = g.add_constant(torch.rand(channels, generator=g.torch) * 0.1 + 0.01)
        zero = g.add_constant(torch.zeros(channels, dtype=torch.int32))
        return aten(g, name, b, b.ref(x), b.ref(scale), b.ref(zero), "1", "-128", "127")
    if name.endswith("tensor_qparams"):
        return aten(g, name, b, b.ref(x), b.ref(g.add_constant(torch.tensor(0.05))), b.ref(g.add_constant(torch.tensor(3, dtype=torch.int32))), "0", "255")
    return aten(g, name, b, b.ref(x), "0.05", "3", "0", "255")


@special("make_quantized")
def quantized(g, name):
    x = g.tensor((1, 2, 3), (torch.float32,))
    scale, zero = g.choice(["0.05", "0.1", "1.0"]), g.choice(["0", "3"])
    low, high, dtype = g.choice([(-128, 127, "torch.int8"), (0, 255, "torch.uint8")])
    q = g.add_node(f"quantized.quantize_per_tensor.default({{0}}, {scale}, {zero}, {low}, {high}, {dtype})", [x], "quantize")
    return g.add_node(f"quantized.dequantize_per_tensor.default({{0}}, {scale}, {zero}, {low}, {high}, {dtype})", [q], "dequantize")


@special("make_sizes")
def sizes(g, name):
    b = Builder()
    dtype = g.choice(ALL)
    shape = "[" + ", ".join(size_text(g, b) for _ in range(g.integer(0, 3))) + "]"
    text = g.choice([f"torch.zeros({shape}, dtype={dtype})", f"torch.ones({shape}, dtype={dtype})", f"torch.full({shape}, {g.number(dtype)}, dtype={dtype})",
                     f"torch.arange({size_text(g, b)})", f"torch.arange({g.integer(-3, 3)}, {size_text(g, b)}, {g.integer(1, 2)}, dtype={dtype})",
                     f"torch.eye({size_text(g, b)}, {size_text(g, b)})", f"torch.linspace(-1, {g.integer(-2, 5)}, {g.integer(1, 5)})"])
    return g.add_node(text, b.operands, "make_sizes")


@special("make_size_number")
def size_number(g, name):
    b = Builder()
    x = g.tensor((1, 2, 3))
    size = f"{b.ref(x)}.shape[{a_dim(g, x)}]"
    op = g.choice(["+", "-", "*", "/", "<", "=="])
    left, right = (b.ref(x), size) if g.chance(0.7) else (size, b.ref(x))
    return g.add_node(f"{left} {op} {right}", b.operands, "size_number")


@special("make_complex")
def complex_numbers(g, name):
    x = g.tensor((1, 2), (torch.float32,))
    y = g.add_node("torch.fft.rfft({0})", [x], "fft_rfft")
    if g.chance(0.7):
        y = g.add_node(g.choice(["{0} * {0}", "{0} + {0}", "{0} * 2.0", "{0} / 2.0", "{0} - 1.0", "{0}.conj()"]), [y], "complex")
    return g.add_node(g.choice(["torch.view_as_real({0})", "{0}.real", "{0}.imag", "{0}.abs()"]), [y], "view_as_real")


@special("norm.ScalarOpt_dtype", "norm.ScalarOpt_dim_dtype")
def norm_of_type(g, name):
    b = Builder()
    x = g.tensor((1, 2, 3), (torch.float32, torch.float16, torch.bfloat16))
    more = [f"[{a_dim(g, x)}]", str(g.chance(0.5))] if "dim" in name else []
    return aten(g, name, b, b.ref(x), g.choice(["None", "1.0", "2.0", "inf"]), *more, f"dtype={g.choice([torch.float32, torch.float64])}")


@special("tensordot")
def tensordot(g, name):
    b = Builder()
    x = g.tensor((1, 2, 3), FLOATS)
    d = g.integer(0, rank(g, x) - 1)
    y = made(g, g.values[x][0].dtype, [g.integer(1, 3), g.sizes_of(x)[d]])
    return aten(g, name, b, b.ref(x), b.ref(y), f"[{d}]", "[1]")


@special("quantile", "nanquantile")
def quantile(g, name):
    b = Builder()
    x = g.tensor((1, 2, 3), (torch.float32, torch.float64))
    if "scalar" in name:
        q = g.choice(["0.0", "0.5", "0.3", "1.0"])
    else:
        q = b.ref(g.add_constant(torch.tensor(g.choice([0.5, [0.0, 0.25, 1.0]]), dtype=g.values[x][0].dtype)))
    how = g.choice(["'linear'", "'lower'", "'higher'", "'midpoint'", "'nearest'"])
    return aten(g, name, b, b.ref(x), q, str(a_dim(g, x)), str(g.chance(0.5)), f"interpolation={how}")


@special("split.sizes", "split_with_sizes", "split_with_sizes_copy", "unsafe_split_with_sizes")
def split_sizes(g, name):
    b = Builder()
    x = g.tensor((1, 2, 3))
    static = [d for d, size in enumerate(g.sizes_of(x)) if isinstance(size, int)]
    d = g.choice(static)
    size = g.sizes_of(x)[d]
    first = g.integer(0, size)
    return aten(g, name, b, b.ref(x), str(g.choice([[size], [first, size - first]])), str(d))


@special("_conj", "view_as_complex", "view_as_complex_copy")
def from_complex(g, name):
    x = g.tensor((1, 2), (torch.float32,))
    if name.startswith("_conj"):
        y = g.add_node("torch.fft.rfft({0})", [x], "fft_rfft")
    else:
        y = g.add_node("torch.stack([{0}, {0} + 1.0], -1)", [x], "stack.default")
    y = g.add_node(f"aten.{name}({{0}})", [y], name)
    return g.add_node(g.choice(["torch.view_as_real({0})", "{0}.real", "{0}.imag", "{0}.abs()"]), [y], "view_as_real")


@special("unflatten")
def unflatten(g, name):
    b = Builder()
    x = g.tensor((1, 2, 3))
    return aten(g, name, b, b.ref(x), str(a_dim(g, x)), g.choice(["[1, -1]", "[-1, 1]", "[-1, 2]", "[1, -1, 1]"]))
