"""The same operators on other types and at the edges of values and sizes: what an engine that takes a shortcut gets wrong."""

import math

import torch
import torch.nn.functional as F

from table import DIM, case, f, i, u

aten = torch.ops.aten
NAN, INF = math.nan, math.inf
TYPES = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float64": torch.float64,
    "int64": torch.int64,
    "int32": torch.int32,
    "int16": torch.int16,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "bool": torch.bool,
}
# Kernels may round between steps that PyTorch computes in float32, or the other way round: two units in the last place.
HALF = {
    "float16": {"tolerance": 2e-3, "reason": "two units in the last place of float16"},
    "bfloat16": {"tolerance": 1.6e-2, "reason": "two units in the last place of bfloat16"},
}
EDGES = torch.tensor([NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 2.5, -3.5, 1e-30, -1e-30, 1e30, -1e30])
LARGE = torch.tensor([2**24, 2**24 + 1, -(2**24) - 1, 2**31 - 1, 2**31, -(2**31), 2**31 + 1, 3_000_000_000, 2**53 + 1, 2**62, -(2**62), 7])

# ---- Integers that don't fit into fewer bits, or into a float.
case("int64_add_3e9", lambda x, y: (x + y, x - y, x * 3, -x), torch.tensor([3_000_000_000, -3_000_000_000]), torch.tensor([3_000_000_000, 5]))
case("int64_sums", lambda x: (x.sum(), x.sum(1), x.sum(0, keepdim=True), x[0].sum(), x.cumsum(1), (x > 5).sum(0)), LARGE.reshape(3, 4) // 5)
case("int64_sum_past_32_bits", lambda x: (x.sum(), x.sum(0), x.cumsum(0), x.amax(), x.amin(0)), torch.full((4, 2), 2_000_000_000))
case("int64_arithmetic", lambda x: (x + 1, x - 1, x // 3, x % 1000, x.abs(), torch.maximum(x, x * 0 + 5), x.clamp(-5, 2**40)), LARGE)
case("int64_compare", lambda x, y: (x == y, x < y, x >= y, x != y, x > 2**31, x == 2**24), LARGE, LARGE + 1)
case("int64_bits", lambda x, y: (x & y, x | y, x ^ y, ~x), LARGE, LARGE.flip(0))
case("int64_where", lambda c, x, y: (torch.where(c, x, y), x.masked_fill(c, 2**40)), torch.tensor([True, False] * 6), LARGE, LARGE.flip(0))
case("int64_moved", lambda x: (x.reshape(3, 4).t(), x[2:5], x.flip(0), torch.cat([x, x]), x.roll(3), F.pad(x, (1, 1), value=2**33), x.repeat(2)), LARGE)
case("int64_gather", lambda x, a: (x.gather(0, a), x[a], x.index_select(0, a), x.scatter(0, a, x[:4] + 2**40)), LARGE, torch.tensor([3, 11, 0, 7]))
case("int64_sorted", lambda x: (*x.sort(), *x.topk(3), x.argmax(), x.argmin()), LARGE)
case("int64_product", lambda x, y: (x @ y, x.prod(), x.prod(0)), torch.tensor([[2**20, 3], [5, 2**21]]), torch.tensor([[2**20, 1], [7, 2**12]]))
case("int64_to_float", lambda x: (x.float(), x.double(), x / 3, x * 1.0), LARGE)
case("int64_narrowed", lambda x: (x.int(), x.to(torch.int16), x.to(torch.int8), x.to(torch.uint8), x.bool()), LARGE)
case("int64_parameter", lambda x: x + LARGE, torch.arange(12))
case("int64_from_int32", lambda x: (x.long() * x, x.sum(), x.long() + 1), torch.tensor([2**31 - 1, -(2**31), 2**24 + 1], dtype=torch.int32))
case("int64_from_sizes", lambda x: (torch.arange(x.shape[0]) * 3_000_000_000, x + torch.arange(x.shape[0]).float()), f(5), dynamic=({0: DIM("n")},), more=[(f(9),)])
case("int32_around_2_24", lambda x: (x + 1, x.float(), x == x + 1, x - 1, x * 2), torch.tensor([2**24 - 1, 2**24, 2**24 + 1, 2**30 + 1], dtype=torch.int32))
case("int32_wraps", lambda x: (x + x, x * 2, -x, x - 5), torch.tensor([2**31 - 1, -(2**31), 2**30], dtype=torch.int32))
for dtype in (torch.int32, torch.int64):
    least, most = torch.iinfo(dtype).min, torch.iinfo(dtype).max
    case(f"{str(dtype)[6:]}_floors", lambda x, y: (x // y, torch.div(x, y, rounding_mode="floor"), x // 3, y // -5), torch.tensor([least, least + 1, most, most - 1, least, 0, -1], dtype=dtype), torch.tensor([3, 7, -2, -3, most, -4, least], dtype=dtype))
for name in ("int8", "uint8", "int16"):
    limits = torch.iinfo(TYPES[name])
    values = torch.tensor([limits.max, limits.min, limits.max - 1, limits.min + 1, 100, 3], dtype=TYPES[name])
    case(f"{name}_wraps", lambda x, y: (x + y, x - y, x * y, x + 1), values, values.flip(0))
    case(f"{name}_other", lambda x, y: (torch.maximum(x, y), torch.minimum(x, y), x == y, x < y, x // 3, x & y, x.float(), x.long(), torch.where(x > y, x, y)), values, values.flip(0))
    case(f"{name}_reduced", lambda x: (x.sum(), x.amax(), x.amin(0), x.sum(0, dtype=torch.int32), x.argmax(), x.cumsum(0)), values)
case("uint8_from_float", lambda x: (x.to(torch.uint8), (x * 0.5).to(torch.uint8), x.to(torch.int8)), torch.tensor([0.0, 1.5, 99.9, 127.0]))
case("uint8_image", lambda x, w: (F.conv2d(x.float() / 255, w), x.permute(0, 2, 3, 1)), i(256, 1, 3, 5, 5).to(torch.uint8), f(2, 3, 3, 3))

# ---- Every type through the same few operators.
for name, dtype in TYPES.items():
    half = HALF.get(name, {})
    x, y = (f(3, 4) * 4).to(dtype), (f(4) * 4).to(dtype)
    case(f"moved_{name}", lambda x: (x.t(), x[1:, ::2], x[-1], x.flatten(), x.unsqueeze(1).expand(3, 2, 4), torch.cat([x, x], 1), torch.stack([x, x]), x.repeat(2, 1), x.flip(0), x.roll(1, 1), F.pad(x, (1, 1))), x)
    case(f"read_{name}", lambda x, a: (x[a], x.index_select(1, a), x.gather(1, a[None]), F.embedding(a, x), x[:, a]), x, torch.tensor([0, 2, 1]))
    case(f"written_{name}", lambda x, a, v: (x.index_put((a,), v), x.index_copy(0, a, v), x.slice_scatter(v, 0, 1), x.select_scatter(v[0], 0, -1), x.scatter(0, a[:, None].expand(2, 4), v)), x, torch.tensor([2, 0]), x[:2] + x[1:])
    case(f"chosen_{name}", lambda c, x, y: (torch.where(c, x, y), x.masked_fill(c, 1), torch.where(c, x, x.flip(0))), i(2, 3, 4).bool(), x, y)
    case(f"compared_{name}", lambda x, y: (x == y, x != y, x < y, x >= y, x.bool(), torch.logical_and(x, y), torch.logical_not(x)), x, y)
    case(f"made_{name}", lambda x: (torch.zeros_like(x), torch.full_like(x, 1), x.new_ones(2)), x)
    if name != "bool":
        case(f"arithmetic_{name}", lambda x, y: (x + y, x * y, x - y, x + 2, x * 3, 2 - x, x.abs(), torch.maximum(x, y), torch.minimum(x, y), x.clamp(1, 3), F.relu(x)), x, y, **half)
        case(f"reduced_{name}", lambda x: (x.sum(), x.sum(0), x.amax(1), x.amin(0, keepdim=True), x.argmax(1), x.cumsum(1)), x, **half)
        case(f"sorted_{name}", lambda x: (*x.sort(1), *x.topk(2), x.argsort(0)), torch.tensor([[3, 1, 0, 2], [1, 5, 4, 7]]).to(dtype))
    if name == "uint8":
        case("to_every_type_uint8", lambda x: tuple(x.to(other) for other in TYPES.values()), x.abs())
    elif name != "bool":
        case(f"to_every_type_{name}", lambda x: tuple(x.to(other) for other in TYPES.values() if other != torch.uint8), torch.tensor([0, 1, 3, 100, -7]).to(dtype), **half)
for name in ("float16", "bfloat16", "float64"):
    dtype, half = TYPES[name], HALF.get(name, {})
    sums = {"tolerance": 10 * half["tolerance"], "reason": "kernels add in the type itself, PyTorch in float32"} if half else {}
    x, w = f(2, 3, 4).to(dtype), f(4, 5).to(dtype)
    case(f"matmul_{name}", lambda x, w: (x @ w, torch.bmm(x, x.mT), F.linear(x, w.t(), x[0, 0, :1].expand(5))), x, w, **half)
    case(f"functions_{name}", lambda x: (x.exp(), x.tanh(), x.sigmoid(), x.sqrt(), x.sin(), x.log(), x.reciprocal(), x.pow(2), F.gelu(x), F.silu(x)), u(3, 4).to(dtype), **half)
    case(f"softmax_{name}", lambda x: (x.softmax(-1), x.log_softmax(0)), x, **half)
    case(f"layer_norm_{name}", lambda x, w: F.layer_norm(x, (4,), w, w), x, f(4).to(dtype), **half)
    case(f"conv_{name}", lambda x, w: F.conv2d(x, w, padding=1), f(1, 2, 5, 5).to(dtype), f(3, 2, 3, 3).to(dtype), **sums)
    case(f"pool_{name}", lambda x: (F.max_pool2d(x, 2), F.avg_pool2d(x, 2), x.mean((2, 3))), f(1, 2, 4, 6).to(dtype), **half)
    case(f"attention_{name}", F.scaled_dot_product_attention, f(1, 2, 4, 8).to(dtype), f(1, 2, 4, 8).to(dtype), f(1, 2, 4, 8).to(dtype), **half)
case("int32_matmul", torch.matmul, i(99, 3, 4, low=-99).int(), i(99, 4, 2, low=-99).int())
case("double_precision", lambda x: (x + 1e-12, x * (1 + 1e-12), x - 1, x.exp(), (x - 1) * 1e12, x.sum(), x / 3, x.sqrt(), x.pow(3) - 1), torch.tensor([1.0 + 1e-12, 1.0 - 1e-13, 1.0], dtype=torch.float64))
case("double_reduced", lambda x: (x.sum(1), x.mean(1), x.mean(), x.var(1), x.std(0), x.prod(1), x.norm(), x.cumsum(1), x.logsumexp(1), x.softmax(1), torch.linalg.vector_norm(x, dim=1)), f(3, 40).double() / 3)
case("double_normalized", lambda x, w: (F.layer_norm(x, (5, 4), w, w), F.group_norm(x, 2), F.instance_norm(x), F.rms_norm(x, (4,)), F.batch_norm(x, w[:, 0][:4], w[:, 1][:4].abs())), f(2, 4, 5, 4).double() / 3, f(5, 4).double())
case("double_layers", lambda x, w, v: (F.conv1d(x, w), F.avg_pool1d(x, 2), F.max_pool1d(x, 2), F.interpolate(x, scale_factor=2, mode="linear"), F.linear(x, v)), f(2, 4, 6).double() / 3, f(3, 4, 2).double(), f(3, 6).double())
case("double_adaptive_pool", lambda x: F.adaptive_avg_pool1d(x, 3), f(2, 4, 6).double() / 3, tolerance=1.0, reason="ExecuTorch's kernel adds in float32; of float64, a hundred thousandth is allowed")
case("double_activations", lambda x: (F.gelu(x), F.silu(x), F.elu(x), F.softplus(x), F.mish(x), F.leaky_relu(x), x.sigmoid(), x.tanh(), x.erf(), F.hardswish(x), x.sin(), x.atan(), x.expm1(), x.exp2(), F.logsigmoid(x), F.gelu(x, approximate="tanh")), f(20).double() / 3)
case("double_compare", lambda x: (x == 1.0, x > 1.0, torch.where(x > 1.0, x - 1.0, x * 0)), torch.tensor([1.0 + 1e-14, 1.0, 1.0 - 1e-14], dtype=torch.float64))
case("double_range", lambda x: (x * 1e200, x.abs().sqrt(), x / 1e100), torch.tensor([1e100, -1e-300, 1e-320], dtype=torch.float64))
case("double_inside", lambda x: ((x.double() + 1e-10 - 1).float() * 1e10, (x.double() * 1e300 / 1e299).float()), torch.ones(3))
case("int64_inside", lambda x: ((x.long() * 3_000_000_000 // 1_000_000_000).float(), (x.long() << 33) >> 32), torch.tensor([1.0, 2.0, 7.0]))
case("half_rounds_inside", lambda x: ((x.half() + 1).float(), (x.bfloat16() * 3).float(), (x.half() * 300).half().float()), torch.tensor([1e-4, 0.3333, 2049.0, 300.0]))

# ---- Types that meet.
case("promoted_floats", lambda h, b, x, d: (h + b, h * x, b - x, x + d, h + d, torch.maximum(h, x)), f(4).half(), f(4).bfloat16(), f(4), f(4).double(), **HALF["bfloat16"])
case("promoted_integers", lambda a, b, c, d, e: (a + b, b * c, a - c, d + a, e + a, e * d, c // b.clamp(min=1), torch.where(e, a, c)), i(9, 4).to(torch.int8), i(9, 4).to(torch.int16), i(9, 4).int(), i(9, 4), i(2, 4).bool())
case("promoted_both", lambda n, x, h: (n + x, n * h, x / n, n - 1.5, h + 2, torch.pow(x, n), n > x, torch.where(n > 1, n, x)), i(5, 4, low=1), f(4), f(4).half(), **HALF["float16"])
case("promoted_0dim", lambda x, n, d, t: (x + d, n + t, n * t, x * t, n / d), f(3), i(9, 3), torch.tensor(2.5, dtype=torch.float64), torch.tensor(3, dtype=torch.int32))
case("promoted_bytes", lambda a, b: (a + b, a * b, a - b), torch.tensor([200, 100, 7], dtype=torch.uint8), torch.tensor([-100, 100, -7], dtype=torch.int8))

# ---- NaN and infinities.
for name in "relu relu6 gelu silu sigmoid tanh leaky_relu elu softplus hardtanh hardsigmoid hardswish mish softsign logsigmoid".split():
    # At infinities the others give NaN or not, as the width of PyTorch's vectors has it.
    values = EDGES if name in "relu sigmoid tanh leaky_relu elu softplus hardtanh relu6 hardsigmoid logsigmoid".split() else EDGES[EDGES.abs() != INF]
    case(f"edges_{name}", getattr(F, name) if name not in ("tanh", "sigmoid") else getattr(torch, name), torch.cat([values, values.flip(0)]))
case("edges_exp", lambda x: x.exp(), EDGES)
case("edges_functions", lambda x: (x.abs(), -x, x.sqrt(), x.floor(), x.ceil(), x.trunc(), x.round(), x.erf(), x.atan(), x.reciprocal(), x.square()), EDGES)
case("edges_logarithms", lambda x: (x.log(), x.log2(), x.log1p(), x.rsqrt()), EDGES)
case("edges_arithmetic", lambda x, y: (x + y, x - y, x * y, x / y), EDGES[:, None].clone(), EDGES)
case("edges_divided", lambda x, y: (torch.div(x, y, rounding_mode="trunc"), torch.fmod(x, y)), EDGES[:8, None].clone(), torch.tensor([NAN, 2.0, -0.5, 3.0]))
case("edges_extrema", lambda x, y: (torch.maximum(x, y), torch.minimum(x, y), x.clamp(-1, 1), x.clamp(min=0), torch.clamp(x, max=y)), EDGES[:, None].clone(), EDGES)
case("infinite_extrema", lambda x, y: (torch.maximum(x, y), torch.minimum(x, y), x.clamp(-1, 1), x.clamp(min=0), torch.clamp(x, max=y), F.relu(x), F.hardtanh(x), F.relu6(x)), EDGES[1:, None].clone(), EDGES[1:])
case("edges_compared", lambda x, y: (x == y, x < y, x <= y, x > y, x >= y, x != y), EDGES[:, None].clone(), EDGES)
case("edges_reduced", lambda x: (x.sum(1), x.mean(1), x.prod(1), x.any(1), x.amax(1), x.amin(1), x.max()), torch.tensor([[1.0, NAN, 2.0], [INF, 1.0, -2.0], [INF, -INF, 0.0], [0.0, 1.0, 2.0]]))
case("edges_infinite_max", lambda x: (x.amax(1), x.amin(1), *x.max(1), x.argmin(1)), torch.tensor([[1.0, INF, 2.0], [-INF, 1.0, -2.0], [-INF, -INF, -INF]]))
case("edges_softmax", lambda x: (x.softmax(1), x.log_softmax(1)), torch.tensor([[1.0, NAN, 2.0], [INF, 1.0, 2.0], [-INF, -INF, -INF]]))
case("infinite_softmax", lambda x: (x.softmax(1), x.log_softmax(1)), torch.tensor([[-INF, 1.0, 2.0], [1e30, -1e30, 0.0], [200.0, 201.0, 199.0], [-INF, -INF, 3.0]]))
case("edges_logsumexp", lambda x: x.logsumexp(1), torch.tensor([[-INF, 1.0, 2.0], [1e30, -1e30, 0.0], [200.0, 201.0, 199.0], [1.0, NAN, 0.0], [-INF, -INF, -INF], [INF, 1.0, 2.0]]))
case("edges_matmul", torch.matmul, torch.tensor([[1.0, INF], [NAN, 1.0], [0.0, 2.0]]), torch.tensor([[1.0, 2.0], [3.0, -4.0]]))
case("edges_pow", lambda x, y: (x**y, x**2, x**0.5, x**-1), EDGES[:9, None].clone(), torch.tensor([0.0, 1.0, 2.0, -1.0, 0.5]))
case("edges_chosen", lambda x, y: (torch.where(x > 0, x, y), torch.where(torch.isnan(x), y, x), x.masked_fill(x != x, 3.0), torch.nan_to_num(x, 1.0, 2.0, -2.0)), EDGES, EDGES.flip(0))
case("edges_max_pool", lambda x: F.max_pool2d(x, 2), torch.tensor([[1.0, NAN, 5.0, -1.0], [2.0, 3.0, 1.0, INF]])[None, None])
case("edges_max_pool_infinite", lambda x: F.max_pool2d(x, 2), torch.tensor([[1.0, 0.0, -INF, -INF], [2.0, -INF, -INF, -INF]])[None, None])
case("edges_avg_pool", lambda x: (F.avg_pool2d(x, 2), F.adaptive_avg_pool2d(x, 1)), torch.tensor([[1.0, NAN, -INF, -INF], [2.0, 3.0, -INF, -INF]])[None, None])
case("edges_layer_norm", lambda x: F.layer_norm(x, (3,)), torch.tensor([[1.0, NAN, 2.0], [5.0, 5.0, 5.0], [1e10, -1e10, 0.0]]))
case("edges_topk", lambda x: (*x.topk(2), *x.sort()), torch.tensor([[1.0, INF, -INF, 2.0], [-0.5, -INF, 7.0, INF]]))
case("edges_sorted", lambda x: (*x.topk(3), *x.topk(2, largest=False), *x.sort(), *x.sort(-1, descending=True), x.argsort(stable=True)), torch.tensor([[1.0, NAN, INF, -INF, 3.4028234663852886e38], [-INF, -2.0, 1.0, INF, NAN]]))
case("edges_sorted_halves", lambda x: (*x.topk(3), *x.sort(), x.median(1).values, x.kthvalue(2).values), torch.tensor([[1.0, NAN, INF, -INF, 65504.0], [-INF, -2.0, 1.0, INF, 0.0]], dtype=torch.float16))
case("edges_quantile", lambda x: (x.quantile(0.3, 1), x.nanquantile(0.3, 1), x.median(1).values, x.msort()), torch.tensor([[1.0, NAN, 5.0, -INF, 2.0, NAN], [-INF, -2.0, 1.0, INF, 0.0, 3.0]]))
case("edges_to_bool", lambda x: (x.bool(), torch.logical_not(x), torch.logical_and(x, x), x.any(), x.all()), EDGES)
case("int32_to_bool", lambda x: (x.bool(), x.logical_not(), torch.logical_and(x, x + 1), torch.minimum(x, x * 0).any(1), x.long().bool(), torch.where(x.bool(), x, 1)), torch.tensor([[-(2**31), 0, 1], [2**31 - 1, -1, 5]], dtype=torch.int32))
case("places_to_bool", lambda x: (x.topk(2).indices.bool(), x.sort(-1).indices.any(-1), x.argmax(1, keepdim=True).all(), torch.logical_and(x.max(1, keepdim=True).indices, x), x.argmin(1, keepdim=True).int().logical_not()), torch.tensor([[0.5, 0.1, 0.7, 0.2], [0.3, 0.9, 0.4, 0.8], [0.25, 0.75, 0.15, 0.35]]), dynamic=({0: DIM("b", min=1, max=8)},), more=[(torch.tensor([[4.0, 1.0, 2.0, 3.0]]),)])
case("edges_cast", lambda x: (x.double(), x.half(), x.bfloat16()), torch.tensor([NAN, INF, -INF, -0.0, 65504.0, 1e-8]))
case("edges_moved", lambda x: (x.reshape(13, 1), x[2:], torch.cat([x, x]), x.flip(0), F.pad(x, (1, 1), value=INF), x.roll(1)), EDGES)
case("negative_zero", lambda x, y: (1 / x, 1 / (-x), 1 / (x * y), torch.atan2(x, -y), 1 / x.round(), 1 / (x + x)), torch.tensor([0.0, -0.0]), torch.tensor([1.0, 1.0]))
case("subnormal", lambda x: (x * 0.5, x + x), torch.tensor([1e-38, 3e-38, -1e-38]))

# ---- Nothing at all: dimensions of no elements.
case("empty_element", lambda x, y: (x + y, x.exp(), F.relu(x), x > 0, torch.where(x > 0, x, y), x.double()), torch.zeros(0, 3), f(3))
case("empty_views", lambda x: (x.reshape(3, 0), x.flatten(), x.t(), x.unsqueeze(0), x.view(0), x.expand(2, 0, 3)), torch.zeros(0, 3))
case("empty_reduced", lambda x: (x.sum(), x.sum(0), x.sum(1), x.prod(0), x.any(), x.all(0), x.mean(1)), torch.zeros(0, 3))
case("empty_extrema", lambda x: (x.amax(1), x.amin(1)), torch.zeros(0, 3))
case("empty_matmul", lambda x, w: (x @ w, F.linear(x, w.t()), w.t() @ x.t()), torch.zeros(0, 3), f(3, 4))
case("empty_inner", torch.matmul, torch.zeros(2, 0), torch.zeros(0, 3))
case("empty_joined", lambda x, y: (torch.cat([x, y]), torch.stack([x, x]), y[2:2], y[5:], x[:, 1]), torch.zeros(0, 3), f(2, 3))
case("empty_read", lambda x, a: (x[a], x.index_select(0, a), F.embedding(a, x)), f(4, 3), torch.zeros(0, dtype=torch.int64))
case("empty_softmax", lambda x: (x.softmax(1), F.layer_norm(x, (3,))), torch.zeros(0, 3))
case("empty_int", lambda x: (x + 1, x.sum(), x.float(), x.reshape(2, 0)), torch.zeros(0, 2, dtype=torch.int64))
case("empty_conv", lambda x, w: F.conv2d(x, w), torch.zeros(0, 3, 5, 5), f(2, 3, 3, 3))
case("empty_dynamic", lambda x, w: (x @ w, x.sum(0), F.relu(x), x.softmax(1), torch.cat([x, x])), f(2, 3), f(3, 4), dynamic=({0: DIM("n", min=0, max=8)}, None), more=[(f(5, 3), f(3, 4)), (torch.zeros(0, 3), f(3, 4)), (f(1, 3), f(3, 4))])

# ---- Sizes that vary.
N = DIM("n", max=32)
T = DIM("t", min=2, max=32)
case("dynamic_elementwise", lambda x, y: (x + y, x * 2, F.gelu(x), x.softmax(-1), torch.maximum(x, y)), f(2, 3), f(2, 3), dynamic=({0: N, 1: T}, {0: N, 1: T}), more=[(f(1, 2), f(1, 2)), (f(7, 5), f(7, 5))])
case("dynamic_broadcast", lambda x, y: x[:, None] * y[None] + x.shape[0], f(3), f(4), dynamic=({0: N}, {0: T}), more=[(f(1), f(2)), (f(9), f(5))])
case("dynamic_linear", lambda x, w, b: F.relu(F.linear(x, w, b)).mean(1), f(2, 3, 4), f(5, 4), f(5), dynamic=({0: N, 1: T}, None, None), more=[(f(1, 2, 4), f(5, 4), f(5)), (f(6, 9, 4), f(5, 4), f(5))])
case("dynamic_conv", lambda x, w: F.max_pool2d(F.relu(F.conv2d(x, w, padding=1)), 2), f(3, 3, 8, 10), f(4, 3, 3, 3), dynamic=({0: N, 2: DIM("h", min=4, max=32), 3: DIM("w", min=4, max=32)}, None), more=[(f(2, 3, 5, 7), f(4, 3, 3, 3))])
case("dynamic_norms", lambda x, w: (F.layer_norm(x, (4,), w), F.rms_norm(x, (4,), w), F.normalize(x, dim=-1)), f(2, 3, 4), f(4), dynamic=({0: N, 1: T}, None), more=[(f(5, 7, 4), f(4))])
case("dynamic_mask", lambda x: torch.ones(x.shape[0], x.shape[0], dtype=torch.bool).tril() & (x > 0), f(4), dynamic=({0: T},), more=[(f(9),)])
case("dynamic_positions", lambda a, w: F.embedding(a, w) + F.embedding(torch.arange(a.shape[1]), w), i(20, 2, 5), f(33, 4), dynamic=({0: N, 1: T}, None), more=[(i(20, 1, 9), f(33, 4))])
case("dynamic_heads", lambda x: x.view(x.shape[0], x.shape[1], 2, 4).transpose(1, 2).reshape(x.shape[0] * 2, x.shape[1], 4), f(2, 3, 8), dynamic=({0: N, 1: T},), more=[(f(3, 7, 8),)])
case("dynamic_attention_mask", lambda q, m: F.scaled_dot_product_attention(q, q, q, m[:, None, None]), f(2, 2, 5, 8), torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]).bool(), dynamic=({0: N, 2: T}, {0: N, 1: T}), more=[(f(1, 2, 3, 8), torch.tensor([[True, True, False]]))])
case("dynamic_last", lambda x: (x[:, -1], x[:, :-1], x.narrow(1, x.shape[1] - 2, 2), x.select(1, -2)), f(2, 5, 3), dynamic=({0: N, 1: DIM("t", min=3, max=32)},), more=[(f(4, 8, 3),)])
case("dynamic_recurrent", lambda x, w, r, b: torch.lstm(x, (torch.zeros(1, x.shape[0], 3), torch.zeros(1, x.shape[0], 3)), (w, r, b, b), True, 1, 0.0, False, False, True), f(2, 5, 4), f(12, 4), f(12, 3), f(12), dynamic=({0: N}, None, None, None), more=[(f(3, 5, 4), f(12, 4), f(12, 3), f(12))])
case("dynamic_reduced", lambda x: (x.sum(0), x.mean(1), x.amax(0), x.var(1), x.argmax(1), x.cumsum(0)), f(3, 4), dynamic=({0: N, 1: T},), more=[(f(6, 9),), (f(1, 2),)])
case("dynamic_int", lambda a, b: (a + b, a * b, a.sum(), a.float() / 2), i(99, 4), i(99, 4), dynamic=({0: N}, {0: N}), more=[(i(99, 9) + 3_000_000_000, i(99, 9))])

# ---- Indices from the end, and repeated ones.
case("negative_index", lambda x, a: (x[a], x[:, a], x[a, a], x[-1, -2]), f(5, 6), torch.tensor([-1, -5, 2, -3]))
case("negative_index_put", lambda x, a, v: (x.index_put((a,), v), x.index_put((a,), v, accumulate=True)), f(5, 4), torch.tensor([-1, 0, -3]), f(3, 4))
case("repeated_index_put", lambda x, a, v: x.index_put((a,), v, accumulate=True), f(5, 4), torch.tensor([1, 1, -4, 0]), f(4, 4))
case("repeated_scatter_add", lambda x, a, v: (x.scatter_add(0, a, v), x.index_add(0, a[:, 0], v)), f(4, 3), torch.tensor([[0, 1, 2], [0, 1, 3], [0, 0, 3]]), f(3, 3))
case("index_put_number", lambda x, m: (x.masked_fill(m, 2.0), torch.where(m, x * 2, x), x.index_put((torch.tensor([0, 2]), torch.tensor([1, 1])), torch.tensor(9.0))), f(4, 3), i(2, 4, 3).bool())
case("index_put_int64", lambda x, a, v: (x.index_put((a,), v), x.index_put((a,), v, accumulate=True)), LARGE.clone(), torch.tensor([-1, 0]), torch.tensor([2**40, 2**33]))

# ---- Half types: what each operator gives is rounded, and nothing else.
HALVES = {name: TYPES[name] for name in ("float16", "bfloat16")}
for name, dtype in HALVES.items():
    half = HALF[name]
    unit = 2.0 ** (-10 if name == "float16" else -7)
    exact = torch.arange(1, 1 + 2**-7, 2**-12).float()
    ties = torch.cat([1 + unit * torch.arange(0, 40).float() / 4, exact])
    scales = 2.0 ** torch.tensor([-24, -23, -16, -15, -14, -13, -3, 0, 5, 14, 15])
    limits = torch.tensor([65504.0, 65519.996, 65520.0, 65536.0, 1e30, 3e38, 3.3961775e38, INF, NAN, 0.0, 6e-8, 3e-8, 2.9e-8, 1e-30, 2049.0, 2051.0])
    values = torch.cat([(ties[None] * scales[:, None]).flatten(), limits])
    values = torch.cat([values, -values, values[: 128 - (2 * values.numel()) % 128]]).reshape(1, 32, -1, 4)
    # The sign of zeros shows in their inverses. Within a fused part and without one; a dynamic size is fused otherwise.
    rounds = lambda x, dtype=dtype: (x.to(dtype).float(), x.to(dtype).float().reciprocal(), ((x.to(dtype) + 0).float() * 2).abs())  # noqa: E731
    case(f"rounds_{name}", rounds, values)
    case(f"rounds_dynamic_{name}", rounds, values, dynamic=({2: DIM("n", max=64)},), more=[(values[:, :, :7],)])
    x, y = f(4, 5).to(dtype), f(5).to(dtype)
    special = torch.tensor([INF, -INF, NAN, 0.0, -0.0, 65504.0, -65504.0, 6e-5, 0.3333, -1.0, 2049.0, 1e-7]).to(dtype)
    case(f"numbers_{name}", lambda x, m: ((1.0 - m) * -1e9, x * 1e5, (x * 1e5) / 1e5, x + 0.1, 0.1 - x, x * 0.1, x / 0.3, x < 0.1, x == 0.1, x.clamp(-0.1, 0.1), torch.where(x > 0, x, 0.1), x.masked_fill(x > 0.1, -1e4), torch.full_like(x, 0.1), x.abs() ** 0.3, F.pad(x, (1, 1), value=0.1), F.hardshrink(x, 0.3), F.threshold(x, 0.1, 0.7)), x, torch.tensor([0.0, 1, 0, 1, 1]).to(dtype), **half)
    case(f"numbers_kept_{name}", lambda x, y: (torch.addcmul(x, x, y, value=0.3), torch.addcdiv(x, x, y, value=0.3), torch.lerp(x, y, 0.3), F.softplus(x, 2.3), F.elu(x, 0.7), F.leaky_relu(x, 0.3), torch.add(x, y, alpha=0.3), x * torch.tensor(0.3)), x, y, **half)
    case(f"special_{name}", lambda x: (x + x, x * x, x * 0.3, x.reciprocal(), (x * 0.5).reciprocal(), x - x, x.half() + 1, x.bfloat16() + 1, -x, x.abs(), x * 1e5, x.sqrt(), x.isnan(), x.isinf(), x > 0), special, **half)
    case(f"empty_{name}", lambda x: (x + 1, x.sum(0), x * 0.1, x.float(), x.softmax(1)), torch.zeros(0, 3).to(dtype))
    case(f"dynamic_{name}", lambda x, w: (x + 0.1, x * 0.1, x.softmax(-1), x @ w, x.mean(1), x.sum(0), F.layer_norm(x, (5,)), torch.cat([x, x]) * 0.3, x * x.shape[0]), f(3, 5).to(dtype), f(5, 4).to(dtype), dynamic=({0: DIM("n", max=32)}, None), more=[(f(9, 5).to(dtype), f(5, 4).to(dtype)), (f(1, 5).to(dtype), f(5, 4).to(dtype))], **half)
    case(f"layers_{name}", lambda x, w, b: F.max_pool2d(F.relu(F.batch_norm(F.conv2d(x, w, padding=1), b, b.abs() + 1, b, b)), 2).mean((2, 3)), f(1, 3, 8, 8).to(dtype), f(4, 3, 3, 3).to(dtype), f(4).to(dtype), **half)
    case(f"resized_{name}", lambda x: (F.interpolate(x, scale_factor=2), F.interpolate(x, scale_factor=2, mode="bilinear"), F.adaptive_avg_pool2d(x, (3, 2)), F.avg_pool2d(x, 2)), f(1, 2, 7, 8).to(dtype), **half)
    case(f"scattered_{name}", lambda x, a, v: (x.scatter_add(0, a, v), x.index_add(0, a[:, 0], v), x.scatter_reduce(0, a, v, "amax"), x.index_put((a[:, 0],), v, accumulate=True)), f(4, 3).to(dtype), torch.tensor([[0, 1, 2], [0, 1, 3], [0, 0, 3]]), f(3, 3).to(dtype), **half)
    case(f"attention_mask_{name}", lambda q, m: (F.scaled_dot_product_attention(q, q, q, m), F.scaled_dot_product_attention(q, q, q, is_causal=True)), f(1, 2, 6, 8).to(dtype), torch.ones(6, 6, dtype=torch.bool).tril(), **half)
case("half_overflow_inside", lambda x: ((x.half() * 1e5).float(), (x.half() * 1e5 / 1e5).float(), (x.half() + x.half()).float(), ((x.bfloat16() + 1) - 1).float()), torch.tensor([0.5, 0.7, -60000.0, 1e-3, 40000.0]))
case("empty_epsilons", lambda x: (F.normalize(x), x / (x.sum(-1, keepdim=True) + 1e-8), (x + 1e-8).log()), torch.zeros(2, 4))

# ---- Infinities stay where they are.
picture = f(1, 2, 7, 9)
picture[0, 0, 0, 0], picture[0, 1, 3, 3], picture[0, 0, 6, 8] = INF, -INF, NAN
case("edges_adaptive_avg_pool", lambda x: (F.adaptive_avg_pool2d(x, (3, 4)), F.adaptive_avg_pool2d(x, (5, 2))), picture)
case("edges_unfold", lambda x: (F.unfold(x, (2, 3), padding=1, stride=2), F.unfold(x, 3, dilation=2)), picture)
case("adaptive_avg_pool_edges_dynamic", lambda x: F.adaptive_avg_pool2d(x, (3, 2)), f(1, 2, 8, 9), dynamic=({2: DIM("h", min=4, max=32), 3: DIM("w", min=4, max=32)},), more=[(picture,)])
case("attention_overflow", F.scaled_dot_product_attention, f(1, 1, 3, 64) * 3e18, f(1, 1, 4, 64) * 3e18, f(1, 1, 4, 64))

# ---- Sizes and places of resized pictures.
for scale in (0.57, 1.7, 2.01, 2.0, 1.005):
    name = f"resize_{scale}".replace(".", "_")
    case(name + "_nearest", lambda x, s=scale: (F.interpolate(x, scale_factor=s), F.interpolate(x, scale_factor=s, mode="nearest-exact")), f(1, 1, 100, 10))
    case(name + "_small", lambda x, s=scale: F.interpolate(x, scale_factor=s), f(1, 1, 50, 10))
case("resize_0_57_linear", lambda x: (F.interpolate(x, scale_factor=0.57, mode="bilinear"), F.interpolate(x, scale_factor=0.57, mode="bicubic"), F.interpolate(x, scale_factor=0.57, mode="bilinear", align_corners=True), F.interpolate(x, scale_factor=0.57, mode="bilinear", recompute_scale_factor=True)), f(1, 1, 50, 10), tolerance=2e-5, reason="places are computed in float32")
case("resize_to_sizes", lambda x: (F.interpolate(x, size=(7, 13)), F.interpolate(x, size=(41, 20), mode="nearest-exact"), F.interpolate(x[:, 0], size=13)), f(1, 1, 20, 10))
case("resize_dynamic", lambda x: (F.interpolate(x, scale_factor=0.5), F.interpolate(x, scale_factor=2, mode="bilinear")), f(1, 1, 20, 10), dynamic=({2: DIM("h", min=4, max=64)},), more=[(f(1, 1, 13, 10),)])

# ---- Masks of int64 that a caller gives: no engine may count them in fewer bits.
WIDE = torch.tensor([0, 1, 5, 2**24 - 1, 2**24 + 1, 2**31, 2**32, 2**32 + 5, 2**40, 2**62, -1, -(2**31) - 1, -(2**32), -(2**62), 2**63 - 1, -(2**63)]).reshape(2, 8)
SEQUENCE = DIM("s", min=1, max=64)
case("mask_compared", lambda m: (m != 0, m == 0, m > 5, m < 0, m <= -1, m >= 7, m.bool(), m.logical_not(), m.t() != 5, m[:, None] > 2**24 - 1, m == 2**32, m.view(-1).bool()), WIDE)
case("mask_as_float", lambda m: (m.float(), m.half(), m.to(torch.bfloat16), m * 2.5, m / 3, 1.0 - m, m[:, 1:].float() * 2, m.expand(3, 2, 8).float(), (m / m).isnan(), torch.where(m > 0, 1.0, 0.0)), WIDE)
case("mask_dynamic", lambda m, x: (((1.0 - m[:, None, None, :].to(torch.float32)) * -1e4 + x).softmax(-1), x.masked_fill(m[:, None, None, :] == 0, -1e9), (1 - m) * -1e4), torch.tensor([[1, 1, 0], [2**32, 0, -(2**40)]]), f(2, 2, 3, 3),
     dynamic=({0: DIM("n", min=0, max=16), 1: SEQUENCE}, {0: DIM("n", min=0, max=16), 3: SEQUENCE}), more=[(torch.zeros(1, 1, dtype=torch.int64), f(1, 2, 3, 1)), (torch.zeros(0, 1, dtype=torch.int64), f(0, 2, 3, 1))])
case("mask_of_tokens", lambda i, w: (F.embedding(i, w) * (i != 0)[..., None], i.float()), torch.tensor([[3, 1, 0], [2, 0, 0]]), f(4, 3))

# ---- Products and means over nothing.
K = DIM("k", min=0, max=16)
over_nothing = lambda x, y: (F.relu(x @ y), F.linear(x, y.t(), x.new_ones(3)).tanh(), torch.addmm(y.sum(0), x, y, alpha=2), torch.baddbmm(x.new_ones(1, 1, 3), x[None], y[None]).exp(), torch.einsum("ij,jk->ki", x, y).abs(), (x @ y[:, :1]).t() + 2.5, torch.mv(x, y[:, 0]).sigmoid() * 2)  # noqa: E731
case("product_over_nothing", over_nothing, f(2, 3), f(3, 3), dynamic=({1: K}, {0: K}), more=[(torch.zeros(2, 0), torch.zeros(0, 3)), (f(2, 1), f(1, 3))])
case("mean_of_nothing", lambda x: (x.mean(0), x.var(0), *torch.var_mean(x, 0), x.mean((0, 1))), f(2, 3), dynamic=({0: K},), more=[(torch.zeros(0, 3),), (f(1, 3),)])

# ---- Shapes of nothing: what is moved, pooled and padded over a size that is 0 at run time.
M = DIM("m", min=0, max=16)
moved_nothing = lambda x, w: (F.channel_shuffle(x, 2), F.pixel_shuffle(x, 2), x.movedim(-2, 0), x.flatten(2), x.flatten(0, 1), x.unflatten(1, (2, -1)), torch.linalg.matmul(x, w), F.linear(x[..., :1], w[:1, :1], w[0, :1]), x.transpose(1, 2).reshape(x.shape[0], x.shape[2], 24), x[:, :1].squeeze(1))  # noqa: E731
case("moved_nothing", moved_nothing, f(2, 4, 3, 6), f(6, 3), dynamic=({0: K, 2: M}, None), more=[(torch.zeros(0, 4, 0, 6), f(6, 3)), (torch.zeros(0, 4, 2, 6), f(6, 3)), (torch.zeros(2, 4, 0, 6), f(6, 3))])
layers_of_nothing = lambda x, w: (F.max_pool2d(x, 2), F.avg_pool2d(x, 3, padding=1), F.pad(x, (1, 2, 1, 0), mode="reflect"), F.adaptive_avg_pool2d(x, 2), F.conv2d(x, w).relu(), F.interpolate(x, scale_factor=2, mode="bilinear"))  # noqa: E731
case("layers_of_nothing", layers_of_nothing, f(2, 4, 6, 6), f(3, 4, 3, 3), dynamic=({0: K}, None), more=[(torch.zeros(0, 4, 6, 6), f(3, 4, 3, 3)), (f(1, 4, 6, 6), f(3, 4, 3, 3))])
case("group_norm_of_nothing", lambda x, w: F.group_norm(x, 2, w, w), f(2, 4, 3, 3), f(4), dynamic=({0: K}, None), more=[(torch.zeros(0, 4, 3, 3), f(4)), (f(1, 4, 3, 3), f(4))])
case("pooled_nothing", lambda x: (F.adaptive_avg_pool1d(x, 1), F.adaptive_avg_pool1d(x[None], 1)), f(4, 3), dynamic=({1: K},), more=[(torch.zeros(4, 0),), (f(4, 1),)])
case("aminmax_kept", lambda x: (*torch.aminmax(x), *aten.aminmax.default(x, keepdim=True), *torch.aminmax(x, dim=1, keepdim=True)), f(3, 4))
case("logarithm_of_a_negative_constant", lambda x: (torch.xlogy(x, torch.tensor(-0.5)), x * torch.tensor([-1.0]).log(), x + torch.tensor(-2.0).sqrt()), f(3), dynamic=({0: DIM("n", min=1, max=8)},), more=[(torch.tensor([0.0, NAN]),)])

# ---- 64-bit integers that a runtime takes through floats.
case("int64_remainders", lambda x, y: (torch.fmod(x, y), torch.fmod(x, 1000), torch.remainder(x, y)), LARGE, torch.tensor([7, -3, 2**31 + 1, 2**53 + 3, 5, 2**40, -7, 11, 2, 2**53, 3, 2**62]))
case("int64_powers", lambda x: (x**4, x**5, x**7, x**31, (x % 5) ** 20), LARGE)
case("int64_signs", lambda x: (x.sign(), torch.sgn(-x)), LARGE)
case("int64_places", lambda x: (x.argmax(1), x.argmin(0), x.argmax(), *x.max(1), *x.min(0), x.argmax(1, keepdim=True)), torch.tensor([[2**53, 2**53 + 1, 2**53], [2**62 + 1, 2**62 + 2, 2**62 + 2], [-(2**53) - 1, -(2**53), -(2**53) - 2]]))
case("safe_softmax_of_a_number", lambda x, y: (aten._safe_softmax(x, -1), aten._safe_softmax(y, 0)), torch.tensor(1.0), torch.tensor(-INF))
bags = lambda w, a, o: (*(aten.embedding_bag.padding_idx(w, a, o, False, mode, False, None, False, None)[0] for mode in (0, 1)), F.embedding_bag(a.reshape(1, -1).expand(2, -1), w, mode="mean"))  # noqa: E731
case("embedding_bags_of_indices_that_are_given", bags, f(9, 4), i(9, 7), torch.tensor([0, 3, 3, 5]))
case("clamp_bools", lambda a, b: (torch.clamp(a, a), torch.clamp(a, max=b)), torch.tensor([True, False, True]), torch.tensor([True, True, False]))

# ---- What PyTorch composes, and torch.export leaves whole.
RISING = torch.tensor([[0.5, 1.0, 4.0, -2.0, 3.5], [2.0, INF, -1.0, 0.0, 7.0], [NAN, 1.0, -INF, -INF, 2.5], [8.0, -3.0, 1e30, -1e30, 0.25]])
STEPS = torch.tensor([0.0, 1.0, 4.0, 4.5, 7.0])
case("gradient", lambda x: (*torch.gradient(x), *torch.gradient(x, dim=1), *torch.gradient(x, spacing=2.0, dim=0), *torch.gradient(x, dim=(-1, 0)), *torch.gradient(x, spacing=[0.5, 3.0]), *torch.gradient(x, spacing=[2.0, 4.0], dim=(1, 0))), RISING)
case("gradient_of_second_order", lambda x, s: (*torch.gradient(x, edge_order=2), *torch.gradient(x, spacing=0.25, dim=0, edge_order=2), *torch.gradient(x, spacing=(s,), dim=1, edge_order=2), *torch.gradient(x, spacing=3, dim=(0, 1), edge_order=2)), RISING, STEPS)
case("gradient_by_points", lambda x, s: (*torch.gradient(x, spacing=(s[:4], s)), *torch.gradient(x, spacing=(s,), dim=1), *torch.gradient(x, spacing=(s, s[:4]), dim=(1, 0))), RISING, STEPS)
case("gradient_of_integers", lambda x, y, z: (*torch.gradient(x), *torch.gradient(y, spacing=0.5), *torch.gradient(x, edge_order=2), *torch.gradient(z, dim=0), *torch.gradient(z[:1], dim=1)), torch.tensor([7, 2**20, -3, 5]), torch.tensor([1, 100, -100], dtype=torch.int8), RISING[:2].double())
QUANTILES = torch.tensor([0.0, 0.1, 0.3, 0.5, 0.75, 1.0])
HOW = ("linear", "lower", "higher", "midpoint", "nearest")
case("nanquantile", lambda x: tuple(torch.nanquantile(x, q, dim, keepdim=dim == 0, interpolation=how) for how in HOW for q, dim in ((0.3, 1), (0.5, 0), (0.9, None), (0.0, 1), (1.0, -2))), RISING)
case("nanquantile_of_some", lambda x, q: (torch.nanquantile(x, q), torch.nanquantile(x, q, 1), torch.nanquantile(x, q, 0, keepdim=True), torch.nanquantile(x, q[3], 1, keepdim=True), torch.nanquantile(x[None], q, 1), torch.nanquantile(x[0, 0], q, 0)), RISING, QUANTILES)
case("nanquantile_of_nothing_but_nan", lambda x, q: (torch.nanquantile(x, q, 1), torch.nanquantile(x, 0.5, 1), torch.nanquantile(x[1:], 0.5), torch.nanquantile(x[:1, :1], q, 0)), torch.tensor([[NAN, NAN, NAN], [NAN, 1.0, NAN]]), QUANTILES)
case("quantile", lambda x: tuple(torch.quantile(x, q, dim, keepdim=dim == 0, interpolation=how) for how in HOW for q, dim in ((0.3, 1), (0.5, 0), (0.9, None), (0.0, 1), (1.0, -2))), RISING)
case("quantile_of_some", lambda x, q: (torch.quantile(x, q), torch.quantile(x, q, 1), torch.quantile(x, q, 0, keepdim=True), torch.quantile(x, q[3], 1, interpolation="nearest"), torch.quantile(x[None].double(), q.double(), 2), torch.quantile(x[0, :1], q, 0)), RISING, QUANTILES)
case("quantile_of_eleven", lambda x: tuple(torch.quantile(x, q, interpolation=how) for how in HOW for q in (0.1, 0.15, 0.2, 0.25, 0.3, 0.6, 0.7, 0.9)), torch.tensor([3.0, -1.0, 4.0, 1.5, -9.0, 2.5, 6.0, 5.0, 3.5, INF, 8.0]))
case("combinations", lambda x, y: (torch.combinations(x), torch.combinations(x, 3), torch.combinations(x, 3, with_replacement=True), torch.combinations(x, 1), torch.combinations(y, 2), torch.combinations(y, 5), torch.combinations(x[:1]), torch.combinations(x[:1], 2, with_replacement=True)), torch.tensor([3.0, NAN, -0.0, INF, -1.0]), torch.tensor([7, 2**40, -3]))
case("narrow_by_a_tensor", lambda x, y: (torch.narrow(x, 0, torch.tensor(1), 2), torch.narrow(x, 1, torch.tensor(-2), 2), torch.narrow(x, 1, torch.tensor(3, dtype=torch.int32), 0), torch.narrow(y, 0, torch.tensor(0), 1)), RISING, torch.tensor([5]))
case("conjugate_transpose", lambda x, y: (x.H, y.H, torch.view_as_real(torch.complex(x, -x).H.resolve_conj())), RISING, torch.tensor([[1, 2]]))
case("vander", lambda x, n: (torch.vander(x), torch.vander(x, 3), torch.vander(x, 6, increasing=True), torch.vander(x, 1), torch.vander(x[:1], 0), torch.vander(n), torch.vander(n[:1]), torch.vander(n > 2, 3)), torch.tensor([2.0, -0.5, INF, NAN, -0.0]), torch.tensor([3, -2, 2**20]))
case("linalg_vander", lambda x, n: (torch.linalg.vander(x), torch.linalg.vander(x, N=2), torch.linalg.vander(x[0], N=7), torch.linalg.vander(n), torch.linalg.vander(n.int(), N=4)), RISING, torch.tensor([3, -2, 2**20]))
case("linalg_vander_of_any_batch", lambda x: torch.linalg.vander(x, N=4), RISING, dynamic=({0: DIM("k", min=0, max=16)},), more=[(RISING[:1],), (RISING[:0],)])
case("norm_except_dim", lambda x: tuple(torch.norm_except_dim(y, p, dim) for y in (x, x.reshape(2, 2, 5)) for p in (1, 2, 3, 0) for dim in (-1, 0, 1)) + tuple(torch.norm_except_dim(x[0], p, dim) for p in (2, 1) for dim in (-1, 0)), torch.tensor([[0.5, 1.0, 4.0, -2.0, 3.5], [2.0, INF, -1.0, 0.0, 7.0], [NAN, 1.0, -INF, -3.0, 2.5], [8.0, -3.0, 0.0, -0.0, 0.25]]))
case("tensor_split", lambda x: (*torch.tensor_split(x, 3), *torch.tensor_split(x, 7, 1), *torch.tensor_split(x, (1, 3)), *torch.tensor_split(x, (3, 1, -1), 1), *torch.tensor_split(x, (0, 9), -1), *torch.tensor_split(x, ()), *torch.tensor_split(x, torch.tensor(3), 1)), RISING)
case("tensor_split_by_a_tensor", lambda x: torch.tensor_split(x, torch.tensor([1, 3])), RISING)
PLANES = torch.tensor([[[0.5, 1.0, 4.0, -2.0], [2.0, -1.0, 0.0, 7.0]], [[8.0, -3.0, 1.5, 0.25], [-6.0, 2.5, 0.75, 1.0]], [[3.0, -0.5, 9.0, -4.0], [1.25, 5.0, -7.0, 2.0]]])
SHAPES = (lambda n: dict(), lambda n: dict(norm="ortho"), lambda n: dict(norm="forward"), lambda n: dict(s=(n, n + 1), dim=(0, 2)), lambda n: dict(s=(3, -1)), lambda n: dict(s=(1, 1)), lambda n: dict(dim=(1, 0), norm="ortho"))
case("hermitian_transforms", lambda x, y: tuple(t(z, **sizes(5)) for z in (x, torch.complex(x, y)) for t in (torch.fft.hfft2, torch.fft.hfftn) for sizes in SHAPES) + (torch.fft.hfftn(x, dim=(1,)),), PLANES, PLANES.flip(2) * 0.5)
case("hermitian_transforms_back", lambda x: tuple(torch.view_as_real(t(x, **sizes(5)).resolve_conj()) for t in (torch.fft.ihfft2, torch.fft.ihfftn) for sizes in SHAPES) + (torch.view_as_real(torch.fft.ihfftn(x.long(), dim=(1,)).resolve_conj()),), PLANES)
