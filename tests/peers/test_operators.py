"""Every operator that the compiler takes, in small modules, against eager PyTorch.

Each case is exported, once as it is (training IR) and once decomposed to core operators, compiled as
two methods of one file, and run on each set of inputs.
"""


import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import slipway_cli
from function_module import Function

CASES = []
TOLERANCE = {torch.float16: 4e-3, torch.bfloat16: 4e-2}


class Case:
    def __init__(self, name, module, inputs, dynamic, tolerance):
        self.name, self.module, self.dynamic, self.tolerance = name, module, dynamic, tolerance
        self.inputs = inputs


def case(name, module, *inputs, dynamic=None, tolerance=1e-5):
    """`inputs` are sets of inputs, each a tuple; with `dynamic` the sizes may differ between sets."""
    inputs = [i if isinstance(i, tuple) else (i,) for i in inputs]
    if not isinstance(module, nn.Module):
        module = Function(module)
    assert name not in {c.name for c in CASES}, name
    CASES.append(Case(name, module.eval(), inputs, dynamic, tolerance))


torch.manual_seed(0)
R = torch.randn
NAN, INF = float("nan"), float("inf")
ODD = torch.tensor([0.0, -0.0, 1.0, -1.5, 0.49, 2.5, -3.5, 30.0, -30.0, NAN, INF, -INF])
DYN = ({0: torch.export.Dim("n", min=4, max=16)},)


def I(low, high, *size):  # noqa: E743
    return torch.randint(low, high, size)


def B(*size):
    return R(*size) > 0


# ---- One tensor, element by element
for name in (
    "abs acos acosh asin asinh atan atanh ceil cos cosh deg2rad erf erfc exp exp2 expm1 floor frac isfinite isinf "
    "isnan isneginf isposinf log log10 log1p log2 logical_not logit nan_to_num neg positive rad2deg reciprocal round "
    "rsqrt sgn sigmoid sign signbit sin sinc sinh sqrt square tan tanh trunc"
).split():
    case(f"unary_{name}", getattr(torch, name), ODD.clone(), R(12))
for name in "hardsigmoid hardswish silu mish relu relu6 selu celu elu gelu softplus softsign tanhshrink logsigmoid \
hardshrink softshrink hardtanh leaky_relu".split():
    case(f"activation_{name}", getattr(F, name), ODD.nan_to_num(posinf=9.0, neginf=-9.0) if name == "gelu" else ODD.clone(), R(12) * 4)
case("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), R(3, 5))
case("elu_alpha", lambda x: F.elu(x, 0.7), R(3, 5))
case("celu_alpha", lambda x: F.celu(x, 0.7), R(3, 5))
case("hardtanh_bounds", lambda x: F.hardtanh(x, -0.3, 0.6), R(3, 5))
case("softplus_beta", lambda x: F.softplus(x, beta=2.0, threshold=3.0), R(3, 5) * 3)
case("threshold", lambda x: F.threshold(x, 0.1, -2.0), ODD.clone())
case("rrelu", lambda x: F.rrelu(x, 0.1, 0.3), R(3, 5))
case("prelu_channels", nn.PReLU(5, init=0.3), R(2, 5, 4))
case("prelu_one", nn.PReLU(), R(2, 5, 4))
case("glu", lambda x: F.glu(x, 1), R(2, 6, 3))
case("silu_inplace", lambda x: F.silu(x + 0, inplace=True), R(4))
case("round_decimals", lambda x: torch.round(x, decimals=2), R(3, 5) * 10)
case("round_decimals_negative", lambda x: torch.round(x, decimals=-1), R(3, 5) * 100)
case("clamp", lambda x: x.clamp(-0.5, 0.5), R(3, 5))
case("clamp_min", lambda x: x.clamp(min=0.1), R(3, 5))
case("clamp_max", lambda x: x.clamp_max(0.1), R(3, 5))
case("clamp_tensor", lambda x, a, b: torch.clamp(x, a, b), (R(3, 5), -R(5).abs(), R(3, 1).abs()))
case("clamp_int", lambda x: x.clamp(2, 5), I(0, 9, 3, 5))
case("clamp_uint8", lambda x: x.clamp(-3, 5), I(0, 9, 3, 5).to(torch.uint8))
case("clamp_int_float", lambda x: x.clamp(0.5, 3.5), I(0, 9, 3, 5))
case("clip", lambda x: torch.clip(x, -0.2, 0.2), R(3, 5))
case("nan_to_num_values", lambda x: torch.nan_to_num(x, 1.0, 2.0, 3.0), ODD.clone())
case("logit_eps", lambda x: torch.logit(x, 0.01), torch.rand(3, 5))
case("unary_int", lambda x: (x.exp(), x.sqrt(), x.abs(), x.neg(), x.sigmoid(), x.square(), x.sign()), I(0, 4, 6))
case("unary_bool", lambda x: (~x, x.logical_not(), x.float(), x.sum()), B(6))
case("unary_float64", lambda x: (x.exp(), F.silu(x), F.gelu(x), x.tanh(), x.erf()), R(5).double())
for dtype in (torch.float16, torch.bfloat16):
    short = str(dtype)[6:]
    case(f"{short}_elementwise", lambda x: (F.silu(x), F.gelu(x), x.exp(), x * 2, x + x, x.sigmoid()), R(7).to(dtype))
    case(f"{short}_linear", nn.Linear(6, 4).to(dtype), R(3, 6).to(dtype))
    case(f"{short}_softmax", lambda x: x.softmax(-1), R(3, 6).to(dtype))
    case(f"{short}_norm", nn.LayerNorm(6).to(dtype), R(3, 6).to(dtype))
    case(f"{short}_matmul", lambda a, b: a @ b, (R(2, 3, 4).to(dtype), R(2, 4, 5).to(dtype)))
    case(f"{short}_convert", lambda x: (x.float(), x.double(), x.to(torch.int32)), R(7).to(dtype))
    case(f"{short}_logit", lambda x: torch.logit(x), torch.rand(7).to(dtype))
    case(f"{short}_conv", nn.Conv2d(3, 4, 3).to(dtype), R(1, 3, 6, 6).to(dtype))

# ---- Two tensors
A34, B34 = R(3, 4), R(3, 4)
for name in "add sub mul div maximum minimum fmax fmin atan2 fmod remainder hypot logaddexp logaddexp2 eq ne lt le gt ge \
copysign true_divide".split():
    case(f"binary_{name}", getattr(torch, name), (A34.clone(), B34.clone()), (R(3, 4), R(3, 4)))
case("binary_broadcast", lambda a, b: (a + b, a * b, a - b, a / b, torch.maximum(a, b)), (R(2, 1, 4), R(3, 1)))
case("binary_alpha", lambda a, b: (torch.add(a, b, alpha=2), torch.sub(a, b, alpha=0.5), torch.rsub(a, b, alpha=3)), (R(4), R(4)))
case("binary_nan", lambda a, b: (torch.maximum(a, b), torch.fmax(a, b), torch.fmin(a, b)), (ODD.clone(), ODD.flip(0)))
case("binary_mixed_types", lambda a, b, c: (a + b, a * c, b + c, b / 2, b // c, a > b), (R(4), I(1, 5, 4), I(1, 5, 4).to(torch.int32)))
case("binary_half_float", lambda a, b: (a + b, a * b), (R(4).half(), R(4)))
case("binary_bool", lambda a, b: (a & b, a | b, a ^ b, a.logical_and(b), a.logical_or(b), a.logical_xor(b), a + b, a * b), (B(6), B(6)))
case("binary_int", lambda a, b: (a & b, a | b, a ^ b, a << b, a >> b, a // b, a % b, a * b, a - b), (I(-9, 9, 6), I(1, 4, 6)))
case("numbers", lambda x: (x + 1, x - 2, x * 3, x / 4, 1 - x, 2 / x, x**2, 2**x, x // 0.7, x % 0.7, -x, x > 0, x == 1), R(6))
case("numbers_int", lambda x: (x + 1, x - 2, x * 3, x / 4, 1 - x, x**2, 2**x, x // 2, x % 3, x + 1.5, x * 0.5, x > 2, x >= 2), I(1, 6, 6))
case("numbers_bool", lambda x: (x + 1, x * 2, x + 1.5, x & True, x == True, 1 - x.long()), B(6))  # noqa: E712
case("zero_dim", lambda x, y: (x + y, x * y, x / y, x - y), (R(4), torch.tensor(2.0)), (R(4), torch.tensor(-3.0)))
case("pow", lambda x, y: (x.abs() ** y, x**3, x.abs() ** 0.5, x.abs() ** -0.5, x**-1, x.abs() ** 1.7, x**1), (R(5), R(5)))
case("pow_int", lambda x: (x**2, x**3, torch.pow(2, x), x**0), I(0, 6, 5))
case("float_power", lambda x: torch.float_power(x, 2), R(5))
case("div_modes", lambda a, b: tuple(torch.div(a, b, rounding_mode=m) for m in (None, "floor", "trunc")), (R(6) * 5, R(6)))
case("div_modes_int", lambda a, b: tuple(torch.div(a, b, rounding_mode=m) for m in ("floor", "trunc")), (I(-9, 9, 6), I(1, 4, 6)))
case("div_modes_number", lambda a: tuple(torch.div(a, 0.7, rounding_mode=m) for m in (None, "floor", "trunc")), R(6) * 5)
case("floor_divide", lambda a, b: (torch.floor_divide(a, b), a // 2), (R(6) * 5, R(6)))
case("where", lambda x: (torch.where(x > 0, x, 0.0), torch.where(x > 0, 1, x), torch.where(x > 0, 1.0, 2.0), torch.where(x > 0, x, -x)), R(6))
case("where_broadcast", lambda c, a, b: torch.where(c, a, b), (B(3, 1), R(1, 4), R(4)))
case("where_types", lambda c, a, b: torch.where(c, a, b), (B(4), R(4), I(0, 5, 4)))
case("masked_fill", lambda x, m: (x.masked_fill(m, 1.5), x.masked_fill(m, torch.tensor(2.0)), x.masked_fill(~m, -INF)), (R(3, 4), B(3, 1)))
case("xlogy", torch.xlogy, (torch.tensor([0.0, 0.0, 1.0, 2.0]), torch.tensor([NAN, 0.0, 2.0, 0.5])))
case("heaviside", torch.heaviside, (ODD.clone(), R(12)))
case("lerp", lambda a, b, w: (torch.lerp(a, b, 0.3), torch.lerp(a, b, 0.8), torch.lerp(a, b, w)), (R(5), R(5), torch.rand(5)))
case("addcmul_addcdiv", lambda x, a, b: (torch.addcmul(x, a, b, value=0.5), torch.addcdiv(x, a, b), torch.addcdiv(x, a, b, value=2)), (R(5), R(5), R(5)))
case("isclose", lambda a: torch.isclose(a, a + 1e-9), R(5))
case("ldexp", torch.ldexp, (R(5), I(0, 4, 5)))
case("losses", lambda a, b: (F.mse_loss(a, b), F.l1_loss(a, b, reduction="sum"), F.mse_loss(a, b, reduction="none")), (R(5), R(5)))
case("copysign_number", lambda x: torch.copysign(x, -1.0), R(5))

# ---- Reductions
X = R(2, 3, 4)
case("sum", lambda x: (x.sum(), x.sum(1), x.sum((0, 2)), x.sum(1, keepdim=True), x.sum(0, dtype=torch.float64)), X.clone())
case("sum_int", lambda x: (x.sum(), x.sum(1), x.bool().sum(0)), I(0, 5, 2, 3))
case("mean", lambda x: (x.mean(), x.mean(1), x.mean((0, 2), keepdim=True), x.mean((), keepdim=True)), X.clone())
case("extremes", lambda x: (x.amax(1), x.amin((0, 1)), x.amax(), x.max(), x.min(), *x.max(1), *x.min(2, keepdim=True)), X.clone())
case("aminmax", lambda x: (*torch.aminmax(x), *torch.aminmax(x, dim=1)), X.clone())
case("arg_extremes", lambda x: (x.argmax(), x.argmin(1), x.argmax(-1, keepdim=True)), X.clone())
case("prod", lambda x: (x.prod(), x.prod(1), x.prod(2, keepdim=True)), X.clone())
case("any_all", lambda x: (x.any(), x.any(1), x.all(), x.all(1, keepdim=True), (x > 0).any((0, 1))), I(0, 2, 2, 3, 4).bool())
case("any_all_float", lambda x: (x.any(0), x.all(0)), I(0, 2, 4, 3).float())
case("var_std", lambda x: (x.var(), x.std(), x.var(1), x.std((0, 2)), x.var(1, unbiased=False), x.std(1, correction=0, keepdim=True)), X.clone())
case("var_mean", lambda x: (*torch.var_mean(x, 1), *torch.std_mean(x, (0, 2), keepdim=True), *torch.var_mean(x)), X.clone())
case("norms", lambda x: (x.norm(), x.norm(dim=1), x.norm(1, 1), x.norm(INF, 1), x.norm(3, (0, 1)), x.norm(0, 2)), X.clone())
case("linalg_norms", lambda x: (torch.linalg.vector_norm(x), torch.linalg.vector_norm(x, 1, 1, True), torch.linalg.norm(x[0]), torch.linalg.matrix_norm(x)), X.clone())
case("normalize", lambda x: F.normalize(x, dim=1), X.clone())
case("logsumexp", lambda x: (x.logsumexp(1), x.logsumexp((0, 2), keepdim=True)), X.clone(), X.clone() * 100)
case("logsumexp_infinite", lambda x: x.logsumexp(0), torch.tensor([[-INF, 1.0, INF], [-INF, 2.0, 3.0]]))
case("softmax", lambda x: (x.softmax(1), x.softmax(-1), x.log_softmax(0), F.softmin(x, 1)), X.clone())
case("softmax_types", lambda x: (x.softmax(1, dtype=torch.float64), x.double().log_softmax(1), x.half().softmax(-1, dtype=torch.float32)), X.clone(), tolerance=1e-3)
case("nan_reductions", lambda x: (torch.nansum(x), torch.nansum(x, 1), torch.nanmean(x, 1)), torch.tensor([[1.0, NAN, 2.0], [3.0, 4.0, NAN]]))
case("count_nonzero", lambda x: (torch.count_nonzero(x), torch.count_nonzero(x, dim=1)), I(0, 2, 3, 4))
case("cumulative", lambda x: (x.cumsum(1), x.cumprod(1), torch.logcumsumexp(x, 1), x.cumsum(0, dtype=torch.float64)), X.clone())
case("cumulative_extremes", lambda x: (*torch.cummax(x, 1), *torch.cummin(x, 2)), X.clone())
case("cumsum_int", lambda x: (x.cumsum(0), x.bool().cumsum(0)), I(0, 3, 5))
case("trace", torch.trace, R(4, 4))
case("distances", lambda a, b: (F.cosine_similarity(a, b, dim=1), F.pairwise_distance(a, b), torch.dist(a, b), torch.cdist(a, b)), (R(4, 5), R(4, 5)))
case("reduce_zero_dim", lambda x: (x.sum(), x.mean(), x.max(), x.amax(), x.any(), x.softmax(0), x.cumsum(0), x.prod()), torch.tensor(3.0))
case("reduce_dynamic", lambda x: (x.sum(0), x.mean(0), x.softmax(0), x.var(0), x.argmax(0), x.amax(), x.logsumexp(0)), R(5, 4), R(9, 4), dynamic=DYN)

# ---- Orders
case("sort", lambda x: (*x.sort(), *x.sort(1, descending=True), x.argsort(0), x.msort()), X.clone())
case("sort_stable", lambda x: (*x.sort(stable=True), *x.sort(stable=True, descending=True), x.argsort(stable=True), x.sort()[0]), I(0, 4, 3, 40), I(0, 4, 3, 40))
case("sort_bool", lambda x: x.sort()[0], B(9))
case("sort_nan", lambda x: x.sort()[0], ODD.clone())
case("topk", lambda x: (*x.topk(2, 1), *x.topk(1, 0, largest=False)), X.clone())
case("topk_int", lambda x: x.topk(3)[0], torch.randperm(9))
case("median", lambda x: (x.median(), *x.median(1), *x.median(2, keepdim=True), *x.kthvalue(2, 1)), X.clone())
case("median_nan", lambda x: x.median(0)[0], torch.tensor([[1.0, 2.0], [NAN, 4.0], [5.0, 6.0]]))
case("quantile", lambda x: (x.quantile(0.3, 1), x.quantile(0.5), x.quantile(0.25, 0, keepdim=True, interpolation="nearest")), X.clone())
case("sort_dynamic", lambda x: (*x.sort(0), *x.topk(2, 0)), R(5, 4), R(9, 4), dynamic=DYN)

# ---- Shapes
case("views", lambda x: (x.view(6, 4), x.reshape(-1), x.flatten(1), x.unflatten(2, (2, 2)), x[None], x.unsqueeze(-1), x[:, :1].squeeze(1), x.squeeze()), X.clone())
case("permutations", lambda x: (x.permute(2, 0, 1), x.transpose(0, 2), x.mT, x.movedim(0, 2), x.swapaxes(0, 1), x[0].t(), x[0].T), X.clone())
case("permute_of_permute", lambda x: x.permute(2, 0, 1).transpose(1, 2).contiguous() + 1, X.clone())
case("expand", lambda x: (x.expand(4, 2, 3, 4), x[:, :1].expand(-1, 5, -1), x[:, :1].broadcast_to(2, 3, 4), x[:1].expand_as(x)), X.clone())
case("slices", lambda x: (x[:, 1:], x[..., ::2], x[:, -2:], x[1], x[:, :, -1], x[:, 0:10], x.narrow(1, 1, 2), x[0:0]), X.clone())
case("splits", lambda x: (*x.split(2, 1), *x.chunk(2, 2), *x.unbind(0), *x.split([1, 2], 1), *torch.tensor_split(x, 3, 2), *torch.hsplit(x, 3)), X.clone())
case("joins", lambda x, y: (torch.cat([x, y], 1), torch.stack([x, y], -1), torch.hstack([x, y]), torch.vstack([x, y]), torch.dstack([x, y]), torch.column_stack([x[0], y[0]])), (X.clone(), X.clone()))
case("joins_vectors", lambda x, y: (torch.hstack([x, y]), torch.vstack([x, y]), torch.dstack([x, y]), torch.column_stack([x, y])), (R(3), R(3)))
case("cat_types", lambda x, y: (torch.cat([x, y]), torch.stack([x, y])), (R(3), I(0, 5, 3)))
case("cat_int32_float", lambda x, y: torch.cat([y, x]), (R(3), I(0, 5, 3).to(torch.int32)))
case("cat_empty", lambda x: torch.cat([x, x[:, :0]], 1), R(3, 4))
case("repeats", lambda x: (x.repeat(2, 1, 3), x.repeat(2, 1, 1, 1), x.tile(2), x.repeat_interleave(2, 1), x.repeat_interleave(2)), X.clone())
case("repeat_interleave_tensor", lambda x: x.repeat_interleave(torch.tensor([1, 0, 2]), 1, output_size=3), X.clone())
case("flips", lambda x: (x.flip(0, 2), x.fliplr(), x.flipud(), x.rot90(1, (1, 2)), x.rot90(2), x.rot90(-1)), X.clone())
case("roll", lambda x: (x.roll(1, 0), x.roll((1, -2), (1, 2)), x.roll(3), x.roll(-1, 2)), X.clone())
case("unfold", lambda x: x.unfold(2, 2, 1), X.clone())
case("diagonals", lambda x: (x.diagonal(1, 1, 2), torch.diag(x[0, 0]), torch.diag(x[0], 1), torch.diag_embed(x[0]), torch.diag_embed(x[0], 1, 0, 2), torch.diagflat(x[0])), X.clone())
case("as_strided", lambda x: (x.as_strided((2, 2), (3, 1), 1), x.as_strided((2, 12), (12, 1))), X.clone())
case("pixel_shuffle", lambda x: (F.pixel_shuffle(x, 2), F.pixel_unshuffle(x, 2), F.channel_shuffle(x, 2)), R(1, 8, 4, 4))
case("meshgrid", lambda x, y: (*torch.meshgrid(x, y, indexing="ij"), *torch.meshgrid(x, y, indexing="xy")), (R(3), R(4)))
case("views_dynamic", lambda x: (x.view(-1, 2), x.flatten(), x.unsqueeze(1), x.transpose(0, 1), x.reshape(x.shape[0], 2, 2), x[1:], x[:, 1:3]), R(5, 4), R(9, 4), dynamic=DYN)
case("split_dynamic", lambda x: (*x.reshape(-1, 2, 2).split(1, 1), *x.view(x.shape[0] * 2, 2).chunk(2, 1)), R(5, 4), R(9, 4), dynamic=DYN)
case("cat_dynamic", lambda x: (torch.cat([x, x]), torch.stack([x, x], 1), x.repeat(2, 1), x.expand(2, -1, -1), x.roll(1, 0), x.flip(0)), R(5, 4), R(9, 4), dynamic=DYN)
case("expand_dynamic", lambda x: torch.zeros(1, 4).expand(x.shape[0], -1) + x, R(5, 4), R(9, 4), dynamic=DYN)

# ---- New tensors
case("creation", lambda x: (torch.zeros(2, 3), torch.ones(3), torch.full((2,), 7), torch.full((2,), 0.5), torch.eye(3), torch.eye(2, 4), x + torch.arange(4)), R(4))
case("creation_like", lambda x: (torch.zeros_like(x), torch.ones_like(x, dtype=torch.int64), torch.full_like(x, 2), x.new_zeros(2), x.new_ones(2, 2), x.new_full((3,), 1.5), torch.empty_like(x).fill_(3)), R(4))
case("aranges", lambda x: (x[0] + torch.arange(5), x[0] + torch.arange(2, 9, 3), x[0] + torch.arange(0.5, 3), x[0] + torch.arange(5, 0, -2)), R(4))
case("ranges", lambda x: (x[0] + torch.linspace(-1, 2, 7), x[0] + torch.linspace(3, 1, 4), x[0] + torch.logspace(0, 2, 5), x[0] + torch.linspace(0, 1, 1)), R(4), tolerance=1e-4)
case("windows", lambda x: (x[0] + torch.hann_window(8), x[0] + torch.hamming_window(8), x[0] + torch.hann_window(8, periodic=False)), R(4))
case("triangles", lambda x: (x.tril(), x.triu(), x.triu(1), x.tril(-1), x.triu(-1), torch.ones(3, 3).triu() + x[0, 0]), R(2, 3, 3))
case("triangles_infinite", lambda x: torch.full((3, 3), -INF).triu(1) + x, R(3, 3))
case("one_hot", lambda x: F.one_hot(x, 5), I(0, 5, 2, 3))
case("triangle_indices", lambda x: (x[tuple(torch.triu_indices(3, 4, 1))], x[tuple(torch.tril_indices(3, 4))], torch.tril_indices(4, 3, -1, dtype=torch.int32), torch.triu_indices(3, 4, 7), torch.triu_indices(0, 4), torch.tril_indices(3, 0), torch.triu_indices(1, 1), torch.tril_indices(400, 500, 9)), torch.arange(12.0).reshape(3, 4))
case("creation_dynamic", lambda x: (torch.zeros(x.shape[0], 2), torch.arange(x.shape[0]), torch.ones(x.shape[0], x.shape[0]).tril(), x.new_full((x.shape[0],), 2.0)), R(5, 4), R(9, 4), dynamic=DYN)
case("size_as_number", lambda x: (x * x.shape[0], x + x.shape[0], x / x.shape[0], torch.full((2,), x.shape[0])), R(5, 4), R(9, 4), dynamic=DYN)
case("size_arithmetic", lambda x: (x.new_zeros(x.shape[0] * 2 + 1, 2), x[: x.shape[0] - 2], x.repeat_interleave(2, 0)), R(5, 4), R(9, 4), dynamic=DYN)

# ---- Indices
J = torch.tensor([2, 0])
case("index_select", lambda x, i: (x.index_select(1, i), x[:, i], x[:, i.to(torch.int32)], x[:, [0, -1]]), (X.clone(), J.clone()))
case("index", lambda x, i: (x[i[:, None] % 2, i], x[:, i, 1], x[i % 2, :, i], x[..., i]), (X.clone(), J.clone()))
case("index_mask", lambda x: (x[x > 0], x[:, x[0] > 0]), X.clone(), X.clone())
case("index_mask_static", lambda x: torch.where(x > 0, x, torch.zeros_like(x)), X.clone())
case("nonzero", lambda x: (x.nonzero(), x.nonzero().float() * 2), R(3, 4), R(3, 4))
case("nonzero_by_dim", lambda x: torch.where(x > 0), R(3, 4), R(3, 4))
case("argwhere", lambda x: torch.argwhere(x > 0), R(3, 4))
case("masked_select", lambda x, m: x.masked_select(m), (R(3, 4), B(3, 4)))
case("masked_scatter", lambda x, m, s: x.masked_scatter(m, s), (R(3, 4), B(3, 4), R(12)))
case("gather", lambda x, i: (x.gather(1, i), torch.take_along_dim(x, i, 1)), (R(3, 4), I(0, 4, 3, 2)))
case("take", lambda x, i: (x.take(i), torch.take_along_dim(x, i.flatten() % 12)), (R(3, 4), I(-5, 5, 2, 2)))
case("index_put", lambda x, i, v: (x.index_put((i,), v), x.index_put((i,), v, accumulate=True), x.index_put((i,), torch.tensor(1.0))), (R(2, 2), torch.tensor([1, 0]), R(2, 2)))
case("index_put_mask", lambda x: x.index_put((x > 0,), torch.tensor(-1.0)), R(3, 4))
case("index_assign", lambda x: _assigned(x), R(3, 4))
case("index_copy", lambda x, i, s: (x.index_copy(0, i, s), x.index_add(0, i, s, alpha=2), x.index_fill(0, i, 5.0)), (R(3, 4), J.clone(), R(2, 4)))
case("index_copy_inner", lambda x, i, s: (x.index_copy(1, i, s), x.index_add(1, i, s)), (R(3, 4), J.clone(), R(3, 2)))
case("scatter", lambda x, i, s: (x.scatter(1, i, s), x.scatter(1, i, 2.5), x.scatter_add(1, i, s)), (R(3, 4), I(0, 4, 3, 2), R(3, 2)))
case("scatter_old_reduce", lambda x, i, s: (x.scatter(1, i, s, reduce="add"), x.scatter(1, i, s, reduce="multiply")), (R(3, 4), I(0, 4, 3, 2), R(3, 2)))
MANY = torch.export.Dim("many", max=16)
for how in ("sum", "mean", "amax", "amin", "prod"):
    case(f"scatter_reduce_{how}", lambda x, i, s, how=how: (x.scatter_reduce(1, i, s, how), x.scatter_reduce(1, i, s, how, include_self=False)), (R(3, 4), I(0, 4, 3, 5), R(3, 5)))
    case(f"scatter_reduce_{how}_small", lambda x, i, s, how=how: (x.scatter_reduce(0, i, s, how), x.scatter_reduce(0, i, s, how, include_self=False)), (ODD.view(4, 3).clone(), I(0, 4, 7, 2), ODD.repeat(2)[:21].view(7, 3)), (R(4, 3), I(3, 4, 7, 2), R(7, 3)))
    if how != "sum":
        reduced = lambda x, i, s, how=how: tuple(x.index_reduce(1, i, s, how, include_self=keep) for keep in (True, False))  # noqa: E731
        case(f"index_reduce_{how}", reduced, (R(3, 4, 2), I(0, 4, 9), R(3, 9, 2)), (R(3, 4, 2), I(2, 3, 9), R(3, 9, 2)))
        case(f"index_reduce_{how}_types", lambda x, i, s, how=how: (x.index_reduce(0, i.int(), s, how), x.double().index_reduce(0, i, s.double(), how, include_self=False), x.half().index_reduce(0, i, s.half(), how)), (R(5), I(0, 5, 3), R(3)))
        case(f"index_reduce_{how}_int", lambda x, i, s, how=how: (x.index_reduce(-1, i, s, how), x.int().index_reduce(-1, i, s.int(), how, include_self=False)), (I(-9, 9, 2, 3), I(0, 3, 8), I(-4, 4, 2, 8)))
        case(f"index_reduce_{how}_dynamic", lambda x, i, s, how=how: (x.index_reduce(0, i, s, how), x.index_reduce(0, i, s, how, include_self=False)), (R(3, 2), I(0, 3, 5), R(5, 2)), (R(3, 2), I(0, 3, 16), R(16, 2)), (R(3, 2), I(0, 3, 0), R(0, 2)), (R(3, 2), I(1, 2, 1), R(1, 2)), dynamic=(None, {0: MANY}, {0: MANY}))
case("index_reduce_odd", lambda x, i, s: tuple(x.index_reduce(0, i, s, how) for how in ("amax", "amin", "prod", "mean")), (ODD.clone(), I(0, 12, 24), ODD.repeat(2)))
case("index_reduce_0dim", lambda x, i, s: (x.index_reduce(0, i, s, "amax"), x.index_reduce(0, i, s, "prod", include_self=False)), (R(()), I(0, 1, 1), R(())))
case("slice_scatter", lambda x, s: (x.slice_scatter(s, 1, 1, 3), x.select_scatter(s[:, 0], 1, 2), x.slice_scatter(s, 1, 0, 4, 2)), (R(3, 4), R(3, 2)))
case("diagonal_scatter", lambda x, s: (x.diagonal_scatter(s), x.diagonal_scatter(s[:2], 1)), (R(3, 3), R(3)))
case("embedding", nn.Embedding(10, 4, padding_idx=1), I(0, 10, 2, 3), I(0, 10, 2, 3))
case("embedding_int32", nn.Embedding(10, 4), I(0, 10, 2, 3).to(torch.int32))
case("embedding_bag", nn.EmbeddingBag(10, 4, mode="mean"), (I(0, 10, 7), torch.tensor([0, 2, 5])))
case("embedding_bag_sum", nn.EmbeddingBag(10, 4, mode="sum"), I(0, 10, 3, 2))
case("bucketize", lambda x, b: (torch.bucketize(x, b), torch.bucketize(x, b, right=True), torch.searchsorted(b, x)), (R(3, 4), torch.tensor([-1.0, 0.0, 0.5])))
case("searchsorted", lambda s, x: (torch.searchsorted(s, x), torch.searchsorted(s, x, side="right", out_int32=True)), (R(2, 5).sort()[0], R(2, 3)))
case("isin", lambda x: torch.isin(x, torch.tensor([1, 3])), I(0, 5, 6))
case("isin_number", lambda x, y: (torch.isin(x, 3), torch.isin(x, 2.5, invert=True), torch.isin(y, -0.0), torch.isin(2, x), torch.isin(NAN, y), torch.isin(1.0, x, invert=True)), (I(0, 5, 2, 3), ODD.clone()))
case("isin_nothing", lambda x: (torch.isin(1.0, x), torch.isin(x, 2.0)), R(5), torch.zeros(0), dynamic=({0: torch.export.Dim("n", max=8)},))

# ---- Bits
case("bits_of_integers", lambda x: (x.view(torch.uint8), x.view(torch.int16), x.view(torch.int32), x.view(torch.int64), x.view(torch.uint8).view(torch.int8)), I(-(1 << 62), 1 << 62, 2, 3), torch.tensor([[-1, 0, 1], [-(1 << 63), (1 << 63) - 1, 255]]))
case("integers_of_bits", lambda x: (x.view(torch.int16), x.view(torch.int32), x.view(torch.int64), x.view(torch.int8).view(torch.int16)), I(0, 256, 3, 16).byte(), torch.full((3, 16), 255).byte())
case("bits_of_bools", lambda x: (x.view(torch.uint8), x.view(torch.int8)), B(2, 8))
case("bits_of_complex", lambda x: (torch.view_as_real(x.view(torch.complex64)) * 2, torch.view_as_complex(x.view(3, 2, 2)).view(torch.float32) + 1), R(3, 4))

# ---- Counts
PLACES = ({0: torch.export.Dim("n", max=16)},)


def _bins(x, most=9, **options):
    counts = torch.bincount(x, **options)
    torch._check(counts.shape[0] <= most)
    return counts


case("bincount", _bins, I(0, 9, 7), I(0, 4, 16), I(8, 9, 1), torch.zeros(0, dtype=torch.int64), dynamic=PLACES)
case("bincount_at_least", lambda x: _bins(x, minlength=5), I(0, 9, 7), I(0, 2, 3), torch.zeros(0, dtype=torch.int64), dynamic=PLACES)
case("bincount_first", lambda x, y: (torch.bincount(x, minlength=4)[:4], torch.bincount(x, y, minlength=6)[:6], torch.bincount(x, minlength=2)[1]),
     (torch.tensor([1, 3, 3, 900, 7, 0]), R(6)), (torch.tensor([0, 0, 5, 4, 4, 1]), R(6)))
for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32):
    case(f"bincount_{str(dtype)[6:]}", lambda x, dtype=dtype: (torch.bincount(x.to(dtype), minlength=3)[:3], torch.bincount(x.to(dtype), x, minlength=7)[:7]), I(0, 9, 20))
case("bincount_of_bytes", lambda x: torch.bincount(x), I(0, 256, 40).byte(), I(0, 3, 40).byte())
case("bincount_weights", lambda x, w: (_bins(x, weights=w), _bins(x, weights=w.double()), _bins(x, weights=w.long())), (I(0, 9, 12), R(12)))
case("histc", lambda x: (torch.histc(x, 4, -1, 1), torch.histc(x, 7), torch.histc(x * 0 + 2, 3), torch.histc(x, 1, 0, 0.5)), R(3, 5), R(3, 5))
case("histc_edges", lambda x: (torch.histc(x, 4, -1.5, 2.5), torch.histc(x.double(), 30, -30, 30), torch.histc(x.half(), 5, -4, 4), torch.histc(x.bfloat16(), 5, -4, 4)), ODD.clone())
case("histc_dynamic", lambda x: (torch.histc(x, 4), torch.histc(x, 4, 0, 2)), R(9), torch.zeros(0), R(1), dynamic=PLACES)
case("unique", lambda x: torch.unique(x, return_inverse=True, return_counts=True), I(0, 5, 3, 4), I(0, 2, 3, 4), I(3, 4, 3, 4))
case("unique_values", lambda x: (torch.unique(x), torch.unique(x, sorted=False), torch.unique(x > 0), torch.unique(x.round(), dim=0)), ODD[ODD == ODD], R(11), R(11).round())
case("unique_dynamic", lambda x: (*torch.unique(x, return_inverse=True), *torch.unique_consecutive(x, return_counts=True)), I(0, 5, 9), torch.zeros(0, dtype=torch.int64), I(0, 5, 1), I(0, 2, 16), dynamic=PLACES)
case("unique_rows", lambda x: (*torch.unique(x, dim=0, return_inverse=True, return_counts=True), *torch.unique(x, dim=1, return_counts=True), torch.unique(x > 1, dim=-1), torch.unique(x.float(), dim=0)), I(0, 2, 9, 3), I(0, 3, 9, 3))
case("unique_rows_deep", lambda x: (*torch.unique(x, dim=1, return_inverse=True), *torch.unique_consecutive(x, dim=1, return_inverse=True, return_counts=True)), I(0, 2, 2, 12, 2), I(0, 1, 2, 12, 2))
case("unique_rows_dynamic", lambda x: torch.unique(x, dim=0, return_inverse=True, return_counts=True), I(0, 2, 9, 2), I(0, 2, 1, 2), I(0, 2, 16, 2), dynamic=PLACES)
case("unique_consecutive", lambda x: (*torch.unique_consecutive(x, return_inverse=True, return_counts=True), torch.unique_consecutive(x.flatten(), dim=0)), I(0, 2, 3, 4), I(0, 2, 3, 4))
case("unique_consecutive_floats", lambda x: torch.unique_consecutive(x, return_counts=True), torch.stack([ODD, ODD.abs()]))
case("index_dynamic", lambda x: (x[torch.arange(x.shape[0] - 1)], x.gather(1, x.argsort(1)), x[-1]), R(5, 4), R(9, 4), dynamic=DYN)


def _assigned(x):
    y = x.clone()
    y[:, 1] = 2.0
    y[0, ::2] += 1
    y[:, [2, 3]] = y[:, [3, 2]]
    y[y < 0] = 0
    return y


# ---- Products
for a, b in (((4,), (4,)), ((3, 4), (4,)), ((4,), (4, 3)), ((2, 3), (3, 4)), ((2, 3, 4), (4, 5)), ((2, 3, 4), (4,)),
             ((4,), (2, 4, 3)), ((2, 3, 4), (2, 4, 5)), ((5, 1, 3, 4), (2, 4, 3)), ((3, 4), (2, 4, 5)), ((2, 2, 3, 4), (1, 4, 5)),
             ((0, 4), (4, 5)), ((2, 0), (0, 3))):
    case(f"matmul_{'x'.join(map(str, a))}_{'x'.join(map(str, b))}", torch.matmul, (R(*a), R(*b)))
case("matmul_int", torch.matmul, (I(0, 5, 2, 3), I(0, 5, 3, 4)))
case("products", lambda a, b, v: (torch.mm(a, b), torch.mv(a, v), torch.dot(v, v), torch.outer(v, v), torch.inner(v, v), torch.kron(a, b), torch.vdot(v, v)), (R(3, 4), R(4, 3), R(4)))
case("addmm", lambda c, a, b: (torch.addmm(c, a, b), torch.addmm(c[0], a, b, beta=2, alpha=0.5), torch.addmm(c, a, b, beta=0)), (R(3, 5), R(3, 4), R(4, 5)))
case("addmm_transposed", lambda c, a, b: (torch.addmm(c, a, b.t()), torch.mm(a, b.t()), a @ b.mT), (R(5), R(3, 4), R(5, 4)))
case("baddbmm", lambda c, a, b: (torch.baddbmm(c, a, b), torch.baddbmm(c, a, b, beta=0.5, alpha=2), torch.addbmm(c[0], a, b), torch.bmm(a, b)), (R(2, 3, 5), R(2, 3, 4), R(2, 4, 5)))
case("addmv_addr", lambda c, m, v, w: (torch.addmv(c, m, v, beta=0.5), torch.addr(m, c, v, alpha=2)), (R(3), R(3, 4), R(4), R(3)))
case("linear", nn.Linear(4, 5), R(3, 4), R(3, 4))
case("linear_vector", nn.Linear(4, 5), R(4))
case("linear_4d", nn.Linear(4, 5, bias=False), R(2, 2, 3, 4))
case("linear_dynamic", nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)), R(3, 4), R(9, 4), dynamic=({0: torch.export.Dim("n", min=2, max=16)},))
case("bilinear", nn.Bilinear(3, 4, 5), (R(2, 3), R(2, 4)))
case("multi_dot", lambda a, b, c: torch.linalg.multi_dot([a, b, c]), (R(2, 3), R(3, 4), R(4, 2)))
case("cross", lambda a, b: (torch.linalg.cross(a, b), torch.cross(a, b, dim=1)), (R(4, 3), R(4, 3)))
case("tensordot", lambda a, b: (torch.tensordot(a, b, 2), torch.tensordot(a, b, ([2], [1]))), (R(2, 3, 4), R(3, 4, 5)))
for equation, *sizes in (("ij,jk->ik", (2, 3), (3, 4)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), ("ij->ji", (2, 3)), ("ij->", (2, 3)),
                         ("ii->i", (3, 3)), ("ii", (3, 3)), ("i,j->ij", (3,), (4,)), ("bhid,bhjd->bhij", (2, 2, 3, 4), (2, 2, 5, 4)),
                         ("bhij,bhjd->bihd", (2, 2, 3, 5), (2, 2, 5, 4)), ("...ij,...jk->...ik", (2, 3, 4), (2, 4, 5)),
                         ("bld,dn->bln", (2, 3, 4), (4, 5)), ("bd,bd->b", (3, 4), (3, 4)), ("abc,cd,de->abe", (2, 3, 4), (4, 5), (5, 2)),
                         ("b n c, n c d -> b n d", (2, 3, 4), (3, 4, 5)), ("...d,d->...", (2, 3, 4), (4,)), ("nctkv,vw->nctkw", (1, 2, 3, 2, 4), (4, 4))):
    case(f"einsum_{equation.replace(' ', '').replace('->', '_to_').replace(',', '_').replace('...', 'E')}", lambda *t, e=equation: torch.einsum(e, *t), tuple(R(*s) for s in sizes))

# ---- Attention
Q, K, V = R(2, 4, 5, 8), R(2, 4, 6, 8), R(2, 4, 6, 8)
MASK = B(5, 6)
MASK[2] = False
MASK[0, 0] = True
attention = F.scaled_dot_product_attention
case("attention", attention, (Q.clone(), K.clone(), V.clone()))
case("attention_scale", lambda q, k, v: attention(q, k, v, scale=0.3), (Q.clone(), K.clone(), V.clone()))
case("attention_causal", lambda q, k, v: attention(q, k, v, is_causal=True), (Q.clone(), K.clone(), V.clone()))
case("attention_bool_mask", lambda q, k, v, m: attention(q, k, v, attn_mask=m), (Q.clone(), K.clone(), V.clone(), MASK.clone()))
case("attention_float_mask", lambda q, k, v, m: attention(q, k, v, attn_mask=m), (Q.clone(), K.clone(), V.clone(), torch.zeros(5, 6).masked_fill(~MASK, -INF)))
case("attention_batch_mask", lambda q, k, v, m: attention(q, k, v, attn_mask=m), (Q.clone(), K.clone(), V.clone(), B(2, 1, 1, 6)))
WIDTH = {3: torch.export.Dim("width", min=1, max=16)}
case("attention_dynamic_width", lambda q, k: attention(q, k, k), (R(1, 2, 3, 4), R(1, 2, 5, 4)), (R(1, 2, 3, 7), R(1, 2, 5, 7)), dynamic=(WIDTH, WIDTH))
case("attention_3d", attention, (R(2, 5, 8), R(2, 6, 8), R(2, 6, 4)))
case("attention_2d", attention, (R(5, 8), R(6, 8), R(6, 8)))
case("attention_broadcast", attention, (R(2, 4, 5, 8), R(1, 4, 6, 8), R(1, 4, 6, 8)))
case("attention_groups", lambda q, k, v: attention(q, k, v, is_causal=True, enable_gqa=True), (R(2, 4, 6, 8), R(2, 2, 6, 8), R(2, 2, 6, 8)))
case("attention_groups_mask", lambda q, k, v, m: attention(q, k, v, attn_mask=m, enable_gqa=True), (R(2, 4, 5, 8), R(2, 2, 6, 8), R(2, 2, 6, 8), MASK.clone()))
case("attention_dynamic", lambda q: attention(q, q, q, is_causal=True), R(5, 2, 4, 8), R(7, 2, 4, 8), dynamic=DYN)
L2 = torch.export.Dim("length", min=2, max=16)
case("attention_dynamic_length", lambda q: attention(q, q, q, is_causal=True), R(1, 2, 4, 8), R(1, 2, 9, 8), dynamic=({2: L2},))


class SelfAttention(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True, **options)

    def forward(self, x):
        return self.attention(x, x, x)


case("multihead_attention", SelfAttention(), R(2, 5, 8))
case("transformer_encoder", nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), R(2, 5, 8), tolerance=1e-4)
case("transformer_decoder", nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), (R(2, 5, 8), R(2, 4, 8)), tolerance=1e-4)

# ---- Normalization
case("layer_norm", nn.LayerNorm(6), R(3, 6))
case("layer_norm_2d", nn.LayerNorm((3, 4), elementwise_affine=False), R(2, 3, 4))
case("layer_norm_dynamic", nn.LayerNorm(6), R(3, 6), R(9, 6), dynamic=({0: torch.export.Dim("n", min=2, max=16)},))
case("batch_norm_1d", nn.BatchNorm1d(4), R(3, 4), R(3, 4))
case("batch_norm_1d_length", nn.BatchNorm1d(4), R(3, 4, 5))
case("batch_norm_legit", lambda x, m, v: torch.ops.aten._native_batch_norm_legit.default(x, None, None, m, v, False, 0.1, 1e-5)[0], (R(3, 4, 5), R(4), R(4) ** 2 + 1))
case("batch_norm_impl_index", lambda x, m, v: torch.ops.aten._batch_norm_impl_index.default(x, None, None, m, v, False, 0.1, 1e-5, False)[0], (R(3, 4, 5), R(4), R(4) ** 2 + 1))
case("batch_norm_2d", nn.BatchNorm2d(4), R(3, 4, 5, 5))
case("batch_norm_3d", nn.BatchNorm3d(4), R(2, 4, 3, 3, 3))
case("batch_norm_plain", nn.BatchNorm2d(4, affine=False), R(3, 4, 5, 5))
case("batch_norm_no_statistics", nn.BatchNorm2d(4, track_running_stats=False), R(3, 4, 5, 5))
case("instance_norm", nn.InstanceNorm2d(4, affine=True), R(2, 4, 5, 5))
case("instance_norm_1d", nn.InstanceNorm1d(4), R(2, 4, 5))
case("instance_norm_statistics", nn.InstanceNorm2d(4, track_running_stats=True), R(2, 4, 5, 5))
case("group_norm", nn.GroupNorm(2, 4), R(2, 4, 5, 5))
case("group_norm_plain", nn.GroupNorm(2, 4, affine=False), R(2, 4, 6))
case("rms_norm", nn.RMSNorm(6), R(3, 6))
case("rms_norm_eps", lambda x: F.rms_norm(x, (3, 4), eps=1e-6), R(2, 3, 4))
case("local_response_norm", nn.LocalResponseNorm(3), R(2, 6, 4, 4))
case("weight_norm", nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)), R(2, 4))
case("batch_norm_trained", nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU6()), R(1, 3, 6, 6))

# ---- Convolutions
case("conv1d", nn.Conv1d(4, 6, 3, stride=2, padding=1), R(2, 4, 9))
case("conv1d_groups", nn.Conv1d(4, 6, 3, dilation=2, groups=2, bias=False), R(2, 4, 9))
case("conv2d", nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0)), R(2, 4, 7, 6))
case("conv2d_pointwise", nn.Conv2d(4, 6, 1), R(2, 4, 7, 6))
case("conv2d_depthwise", nn.Conv2d(4, 4, 3, padding=1, groups=4), R(2, 4, 7, 6))
case("conv2d_same", nn.Conv2d(4, 6, 4, padding="same"), R(2, 4, 7, 6))
case("conv2d_same_dilated", nn.Conv2d(4, 6, (3, 2), padding="same", dilation=2), R(2, 4, 7, 6))
case("conv2d_valid", nn.Conv2d(4, 6, 3, padding="valid"), R(2, 4, 7, 6))
case("conv2d_reflect", nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), R(2, 4, 7, 6))
case("conv2d_circular", nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"), R(2, 4, 7, 6))
case("conv2d_unbatched", nn.Conv2d(4, 6, 3), R(4, 7, 6))
case("conv2d_dynamic", nn.Conv2d(4, 6, 3, stride=2, padding=1), R(1, 4, 7, 8), R(1, 4, 12, 9), dynamic=({2: torch.export.Dim("h", min=4, max=32), 3: torch.export.Dim("w", min=4, max=32)},))
case("conv3d", nn.Conv3d(2, 3, (2, 3, 3), stride=(2, 1, 1), padding=1), R(1, 2, 5, 6, 6))
case("conv3d_groups", nn.Conv3d(4, 4, 2, groups=2, dilation=(2, 1, 1), bias=False), R(2, 4, 5, 4, 4))
case("conv_transpose1d", nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1), R(2, 4, 9))
case("conv_transpose2d", nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1), R(2, 4, 5, 6))
case("conv_transpose2d_groups", nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2, bias=False), R(2, 4, 5, 6))
case("conv_transpose2d_dilated", nn.ConvTranspose2d(4, 6, 3, dilation=2), R(2, 4, 5, 6))
case("conv_transpose3d", nn.ConvTranspose3d(2, 3, 3, stride=2, padding=1, output_padding=1), R(1, 2, 3, 4, 4))
case("conv_transpose3d_plain", nn.ConvTranspose3d(2, 3, (2, 3, 3), dilation=(2, 1, 1)), R(1, 2, 3, 4, 4))

# ---- Pooling, windows, resizing
IMAGE = R(2, 3, 8, 9)
case("max_pool2d", nn.MaxPool2d(3, 2, 1), IMAGE.clone())
case("max_pool2d_ceil", nn.MaxPool2d(2, ceil_mode=True), IMAGE.clone())
case("max_pool2d_dilated", nn.MaxPool2d((3, 2), stride=1, dilation=(1, 2)), IMAGE.clone())
case("max_pool2d_indices", nn.MaxPool2d(2, return_indices=True), IMAGE.clone())
case("max_pool1d", nn.MaxPool1d(3, 2), R(2, 3, 9))
case("max_pool3d", nn.MaxPool3d(2, ceil_mode=True), R(1, 2, 5, 6, 7))
case("max_pool_unbatched", nn.MaxPool2d(2), R(3, 8, 9))
case("max_unpool1d", lambda x: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2), R(2, 3, 8))
case("max_unpool2d", lambda x: F.max_unpool2d(*F.max_pool2d(x, 3, 2, return_indices=True), 3, 2, output_size=(8, 9)), IMAGE.clone(), -IMAGE.abs())
case("max_unpool2d_unbatched", lambda x, i: F.max_unpool2d(x, i, 2), (R(2, 2, 2), torch.tensor([0, 5, 10, 15]).view(1, 2, 2).repeat(2, 1, 1)))
case("max_unpool2d_dynamic", lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), R(2, 3, 4, 6), R(1, 3, 4, 6), R(5, 3, 4, 6), dynamic=({0: torch.export.Dim("n", max=8)},))
case("max_unpool3d", lambda x, i: F.max_unpool3d(x, i, 2), F.max_pool3d(R(1, 2, 4, 6, 4), 2, return_indices=True), F.max_pool3d(R(1, 2, 4, 6, 4), 2, return_indices=True))
case("avg_pool2d", nn.AvgPool2d(3, 2, 1), IMAGE.clone())
case("avg_pool2d_ceil", nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), IMAGE.clone())
case("avg_pool2d_divisor", nn.AvgPool2d(2, divisor_override=3), IMAGE.clone())
case("avg_pool1d", nn.AvgPool1d(3, 2, 1), R(2, 3, 9))
case("avg_pool3d", nn.AvgPool3d(2, padding=1, count_include_pad=False), R(1, 2, 5, 6, 7))
case("adaptive_avg_pool2d", nn.AdaptiveAvgPool2d((3, 4)), IMAGE.clone())
case("adaptive_avg_pool2d_one", nn.AdaptiveAvgPool2d(1), IMAGE.clone())
case("adaptive_avg_pool2d_keep", nn.AdaptiveAvgPool2d((None, 3)), IMAGE.clone())
case("adaptive_avg_pool1d", nn.AdaptiveAvgPool1d(4), R(2, 3, 9))
case("adaptive_avg_pool3d", nn.AdaptiveAvgPool3d((2, 3, 4)), R(1, 2, 5, 6, 7))
case("adaptive_avg_pool3d_one", nn.AdaptiveAvgPool3d(1), R(1, 2, 5, 6, 7))
case("adaptive_max_pool2d", nn.AdaptiveMaxPool2d((3, 4)), IMAGE.clone())
case("adaptive_max_pool2d_even", nn.AdaptiveMaxPool2d((4, 3), return_indices=True), IMAGE.clone())
case("adaptive_max_pool1d", nn.AdaptiveMaxPool1d(4), R(2, 3, 9))
case("adaptive_max_pool2d_one", nn.AdaptiveMaxPool2d(1), IMAGE.clone())
case("fold_unfold", lambda x: F.unfold(x, (3, 2), padding=1, stride=2), IMAGE.clone())
case("fold", lambda x: F.fold(x, (6, 7), (3, 2), padding=1, stride=(2, 1)), R(2, 12, 24))
case("pad_constant", lambda x: (F.pad(x, (1, 2)), F.pad(x, (1, 0, 2, 1), value=1.5), F.pad(x, (-1, 2, 0, -1))), IMAGE.clone())
case("pad_int_bool", lambda x: (F.pad(x, (1, 2), value=3), F.pad(x.bool(), (1, 2), value=True)), I(0, 3, 2, 4))
case("pad_reflect", lambda x: (F.pad(x, (1, 2), mode="reflect"), F.pad(x[None], (1, 2, 2, 0), mode="reflect")), R(2, 5, 6))
case("pad_replicate", lambda x: (F.pad(x, (1, 2), mode="replicate"), F.pad(x[None], (1, 2, 2, 0), mode="replicate")), R(2, 5, 6))
case("pad_circular", lambda x: (F.pad(x, (1, 2), mode="circular"), F.pad(x[None], (1, 2, 2, 0), mode="circular")), R(2, 5, 6))
case("pad_3d", lambda x: (F.pad(x, (1, 1, 1, 0, 0, 1), mode="reflect"), F.pad(x, (1, 1, 1, 0, 0, 1), mode="replicate")), R(1, 2, 4, 5, 6))
for mode in ("nearest", "bilinear", "bicubic", "nearest-exact"):
    align = (False, True) if mode in ("bilinear", "bicubic") else (None,)
    for a in align:
        short = f"{mode}{'_aligned' if a else ''}"
        case(f"resize_{short}_size", lambda x, m=mode, a=a: F.interpolate(x, (11, 5), mode=m, align_corners=a), IMAGE.clone(), tolerance=1e-4)
        case(f"resize_{short}_scale", lambda x, m=mode, a=a: F.interpolate(x, scale_factor=(1.7, 2.0), mode=m, align_corners=a), IMAGE.clone(), tolerance=1e-4)
case("resize_linear", lambda x: (F.interpolate(x, 13, mode="linear"), F.interpolate(x, scale_factor=2.0, mode="linear"), F.interpolate(x, 13, mode="nearest")), R(2, 3, 9))
case("resize_trilinear", lambda x: (F.interpolate(x, (4, 7, 5), mode="trilinear"), F.interpolate(x, scale_factor=2.0, mode="nearest"), F.interpolate(x, (4, 7, 5), mode="trilinear", align_corners=True)), R(1, 2, 3, 4, 5))
case("resize_antialias", lambda x: F.interpolate(x, (4, 5), mode="bilinear", antialias=True), IMAGE.clone())
case("resize_dynamic", lambda x: F.interpolate(x, scale_factor=2.0, mode="bilinear"), R(1, 2, 5, 6), R(1, 2, 9, 6), dynamic=({2: torch.export.Dim("h", min=4, max=16)},))
for m in ("bilinear", "nearest", "bicubic"):
    for p in ("zeros", "border", "reflection"):
        case(f"grid_sample_{m}_{p}", lambda x, g, m=m, p=p: F.grid_sample(x, g, mode=m, padding_mode=p, align_corners=False), (IMAGE.clone(), R(2, 4, 5, 2)), tolerance=1e-4)
case("affine_grid", lambda t: (F.affine_grid(t, (2, 3, 4, 5), align_corners=False), F.affine_grid(t, (2, 3, 4, 5), align_corners=True)), R(2, 2, 3))

# ---- Recurrent layers
for layer in (nn.LSTM, nn.GRU, nn.RNN):
    name = layer.__name__.lower()
    case(name, layer(3, 4), R(5, 2, 3), tolerance=1e-4)
    case(f"{name}_all_options", layer(3, 4, num_layers=2, bidirectional=True, batch_first=True), R(2, 5, 3), tolerance=1e-4)
    case(f"{name}_no_bias", layer(3, 4, bias=False), R(5, 3), tolerance=1e-4)
    case(f"{name}_long", layer(3, 4, num_layers=2, bidirectional=True, batch_first=True), R(2, 40, 3), tolerance=1e-4)
    case(f"{name}_long_unbatched", layer(3, 4, bias=False), R(17, 3), tolerance=1e-4)
    case(f"{name}_long_dynamic_batch", layer(3, 4), R(40, 5, 3), R(40, 1, 3), R(40, 8, 3), dynamic=({1: torch.export.Dim("b", min=1, max=8)},), tolerance=1e-4)
case("rnn_relu", nn.RNN(3, 4, nonlinearity="relu"), R(5, 2, 3))
case("lstm_projected", nn.LSTM(3, 4, proj_size=2, num_layers=2), R(5, 2, 3), tolerance=1e-4)
case("lstm_cell", nn.LSTMCell(3, 4), (R(2, 3), (R(2, 4), R(2, 4))))
case("gru_cell", nn.GRUCell(3, 4), (R(2, 3), R(2, 4)))
case("rnn_cell", nn.RNNCell(3, 4), (R(2, 3), R(2, 4)))

# ---- Signals
case("rfft", lambda x: torch.view_as_real(torch.fft.rfft(x)), R(2, 8), tolerance=1e-4)
case("rfft_length", lambda x: (torch.fft.rfft(x, 12).abs(), torch.fft.rfft(x, 6, norm="ortho").real, torch.fft.rfft(x).imag), R(2, 8), tolerance=1e-4)
case("irfft", lambda x: torch.fft.irfft(torch.fft.rfft(x)), R(2, 8), tolerance=1e-4)
case("stft", lambda x: torch.stft(x, 16, 4, window=torch.hann_window(16), return_complex=True).abs(), R(2, 64), tolerance=1e-4)
case("stft_real", lambda x: torch.view_as_real(torch.stft(x, 16, 4, 12, torch.hann_window(12), center=False, return_complex=True)), R(64), tolerance=1e-4)

# ---- Numbers and types
for dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
    case(
        f"shifts_{str(dtype).removeprefix('torch.')}",
        lambda x, n: (x << n, x >> n, 3 << n, -3 >> n, x[:1] >> n, x << 70, x >> 70, x << 300, x >> 300, x >> 2),
        (torch.tensor([1, -1, 2, 7, -8, 0, 100, 101]).to(dtype), torch.tensor([70, -1, 3, 64, 63, 5, 7, 8]).to(dtype)),
    )
case("conversions", lambda x: (x.int(), x.long(), x.double(), x.half(), x.bool(), x.to(torch.uint8), x.type_as(torch.zeros(1, dtype=torch.int16)), x.to(torch.bfloat16)), torch.tensor([0.0, 1.7, 2.2, 100.0]))
case("conversions_int", lambda x: (x.float(), x.bool(), x.to(torch.int8), x.to(torch.float64), x.half()), I(0, 9, 5))
case("channels_last", lambda x: x.to(memory_format=torch.channels_last) + 1, R(2, 3, 4, 5))
case("contiguous", lambda x: x.transpose(1, 2).contiguous().view(2, 12), R(2, 3, 4))
case("fake_quantize", lambda x: torch.fake_quantize_per_tensor_affine(x, 0.1, 3, -128, 127), R(3, 4) * 8)
case("fake_quantize_channels", lambda x: torch.fake_quantize_per_channel_affine(x, torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0, 1, 2], dtype=torch.int32), 0, -128, 127), R(3, 4) * 20)

# ---- Where kernels alone would be wrong, or fail when they run.
EMPTY = ({0: torch.export.Dim("n", min=0, max=16)},)
LONG = torch.tensor([9007199254740993, -9007199254740993, 2**62 + 1, 7, -7])
HALF = torch.tensor([1.5, INF, -INF, 0.0, -2.0, 0.1, 1e4], dtype=torch.float16)
case("cat_beside_empty", lambda x: (torch.cat([x, x], 1), torch.cat([x, x], -1), x.roll(1, 1), F.pad(x, (1, 2)), torch.hstack([x, x + 1])), (R(3, 4, 2),), (R(0, 4, 2),), dynamic=EMPTY)
case("cat_of_empty", lambda x, y: (torch.cat([x, y], -1), torch.hstack([x, y]), x.roll(1, 0), torch.stack([x, y], 1)), (R(2, 0, 3), R(2, 0, 3)))
case("cat_half_empty", lambda x, y: torch.cat([x, y.expand(3, 4)], 0), (R(3, 4), R(1, 4)), (R(0, 4), R(1, 4)), dynamic=({0: torch.export.Dim("n", min=0, max=16)}, None))
case("unfold_empty", lambda x: F.unfold(x, (2, 2)), R(0, 2, 3, 5))
case("extremes_of_nothing", lambda x: (x.amax(1), x.amin((1, 2)), *torch.aminmax(x, dim=1), *x.max(2), x.argmin(1)), (R(3, 4, 2),), (R(0, 4, 2),), dynamic=EMPTY)
case("softmax_over_nothing", lambda x: (torch.log_softmax(x, 0), torch.softmax(x, 0), torch.log_softmax(x, 1), torch.softmax(x, 2)), (R(3, 4, 2),), (R(0, 4, 2),), dynamic=EMPTY)
case("log_softmax_beside_nothing", lambda x: torch.log_softmax(x, 0), (R(4, 3),), (R(4, 0),), dynamic=({1: torch.export.Dim("n", min=0, max=16)},))
case("sort_nothing", lambda x: (*torch.sort(x, stable=True, dim=0), x.argsort(0), *x.kthvalue(2, 1), *x.median(1)), (R(3, 4),), (R(0, 4),), dynamic=EMPTY)
case("median_of_nothing", lambda x: (x.median(), (x * 100).long().median()), (R(5),), (R(4),), (R(0),), dynamic=EMPTY)
case("quotients_of_long", lambda x, y: (torch.fmod(x, y), torch.remainder(x, y), torch.div(x, y, rounding_mode="floor"), torch.div(x, y, rounding_mode="trunc"), x // y), (LONG, torch.tensor([2, 2, 3, -2, 2])))
case("quotients_of_long_by_numbers", lambda x: (torch.fmod(x, 2), torch.div(x, -3, rounding_mode="trunc"), x // 7, x % -2, x.trunc(), x.floor(), x.ceil(), x.round()), LONG)
case("powers_of_long", lambda x: (x**4, x**5, x**16777217, x**0, x**1), torch.tensor([2, 3, 30011, -7, 1, -1, 0]))
case("powers_of_integers", lambda x, y: (torch.pow(x, y), torch.pow(3, y), torch.pow(x.int(), y.int()), torch.pow(x.to(torch.uint8), y.to(torch.uint8)), torch.pow(x, y.to(torch.int8))), (torch.tensor([2, 3, 30011, -7, 1, -1, 0, 2, 3]), torch.tensor([62, 40, 4, 21, 5, 3, 3, 70, 0])))
case("powers_of_integers_below_zero", torch.pow, (torch.tensor([2, 1, -1, -1, -5]), torch.tensor([-1, -2, -3, -2, -3])))
case("windows_of_padding", lambda x: (*F.max_pool2d(x, 2, 1, 1, 2, return_indices=True), F.max_pool1d(x[0], 2, 1, 1, 2), F.max_pool3d(x[:, None], 2, 1, 1, 2), F.max_pool2d(x.long(), 2, 1, 1, 2)), R(1, 2, 1, 3) - 9, R(1, 2, 1, 3))
case("windows_of_padding_dynamic", lambda x: F.max_pool2d(x, 2, 1, 1, 2, return_indices=True), (R(1, 2, 4, 3),), (R(1, 2, 1, 3),), (-R(1, 2, 2, 3).abs(),), dynamic=({2: torch.export.Dim("h", min=1, max=16)},))
case("zeros_have_no_sign", lambda x: (torch.signbit(-x.abs()), torch.signbit(x.abs()), torch.copysign(torch.ones_like(x), -x.abs())), torch.tensor([0.0, -0.0, 1.0, -1.0]))
for half in (torch.float16, torch.bfloat16):
    case(f"numbers_made_{half}".replace("torch.", ""), lambda x: (torch.ops.aten.rsub.Scalar(x, 1e5), x + 1e5, x - 1e39, 0.1 - x, x + 2049, torch.ops.aten.pow.Scalar(1e-8, x), torch.fmod(x, 0.3), x == 0.1, x < 0.1, x <= 1e5, x != 0.1, x >= 65519), HALF.to(half))
    case(f"numbers_kept_{half}".replace("torch.", ""), lambda x: (x * 1e5, x / 3e-5, x * 0.1, torch.div(x, 0.3, rounding_mode="floor"), F.leaky_relu(x, 0.123)), HALF.to(half)[2:])
    case(f"tensors_made_{half}".replace("torch.", ""), lambda x, y: (x + y, y - x, x == y, x * y), (HALF.to(half), torch.tensor(0.1)))
for half in (torch.float16, torch.bfloat16):
    line = torch.linspace(-12, 12, 97).to(half)
    case(f"rounded_once_{half}".replace("torch.", ""), lambda x: (F.softplus(x, 2.0), F.mish(x), torch.addcmul(x, x, x.flip(0), value=0.3), torch.addcdiv(x, x, x.flip(0) + 0.1, value=0.3), torch.lerp(x, x.flip(0), 0.3), torch.logaddexp(x, x.flip(0)), F.logsigmoid(x)), line)
    case(f"logit_{half}".replace("torch.", ""), lambda x: (torch.logit(x, 1e-6), torch.logit(x, 0.01)), torch.tensor([0.25, 0.5, 0.75, 0.3, 0.6]).to(half))
case("adaptive_avg_pool_double", lambda x: (F.adaptive_avg_pool1d(x[:, :, 0], 2), F.adaptive_avg_pool2d(x, (2, 3)), F.adaptive_avg_pool3d(x[None], (2, 3, 2))), torch.rand(2, 3, 4, 5, dtype=torch.float64) / 3, tolerance=1e-12)
case("gather_nothing", lambda x, i: x.gather(1, i), (R(1, 3, 4), torch.zeros(4, 0, 1, dtype=torch.int64)))
case("isclose_bool", torch.isclose, (torch.tensor([True, False, True]), torch.tensor([True, True, False])))
case("isclose_uint8", torch.isclose, (torch.tensor([1, 2, 3], dtype=torch.uint8), torch.tensor([2, 2, 1], dtype=torch.uint8)))
case("narrow_copy", lambda x: (torch.narrow_copy(x, -1, 1, 2), torch.narrow_copy(x, -2, 0, 2), torch.narrow(x, -1, -2, 2), torch.narrow(x, 1, -1, 1)), R(3, 4))
case("unfold_scalar", lambda x: (x.unfold(0, 1, 1), x.unfold(0, 0, 1)), torch.tensor(3.0))
case("variance_past_float32", lambda x: (x.var(1), *torch.var_mean(x, 1), x.var()), torch.tensor([[3e38, -3e38, 1.0], [1.0, 2.0, 3.0]]))
case("variance_of_scalar", lambda x: (x.var(), x.std(correction=0), *torch.var_mean(x)), torch.tensor(3.0))
case("instance_norm_double", lambda x, w: (F.instance_norm(x, weight=w, bias=w), F.batch_norm(x, None, None, w, w, True)), (torch.tensor([[[0.7375747004238151, 0.05742877582746083]]]).double().expand(2, 1, 2) * torch.tensor([1.0, 0.3]).double()[:, None, None], torch.ones(1).double()), tolerance=1e-12)
case("batch_norm_without_statistics", lambda x, w: torch.ops.aten.native_batch_norm.default(x, w, w, w, w, False, 0.1, 1e-5), (R(2, 3, 4), R(3).abs()))
case("masked_select_broadcast", lambda x, m: (torch.masked_select(x, m), torch.masked_select(m.float(), x > 0)), (R(4), R(3, 4) > -9), (R(4), R(3, 4) > 0))
case("xlogy_number", lambda x: (torch.xlogy(-1, x), torch.xlogy(x, 2), torch.xlogy(2, x.long())), R(4).abs() + 1)
case("antialiased_dynamic", lambda x: (F.interpolate(x, size=(4, 2), mode="bilinear", antialias=True), F.interpolate(x, scale_factor=0.6, mode="bilinear", antialias=True), F.interpolate(x, size=(4, 9), mode="bilinear", antialias=True, align_corners=True)), R(4, 2, 6, 7), R(5, 2, 6, 7), dynamic=DYN)

# ---- What the kernels compute otherwise than PyTorch
aten = torch.ops.aten
FAR = R(2, 4, 5, 6) * 0.1 + 100
case("norms_far_from_zero", lambda x: (F.group_norm(x, 2), F.instance_norm(x), F.batch_norm(x, None, None, training=True)), FAR, tolerance=1e-3)
case("norms_float64", lambda x, w, b: (F.group_norm(x, 2, w, b), F.instance_norm(x, None, None, w, b), F.batch_norm(x, None, None, w, b, True), F.layer_norm(x, [6]), F.batch_norm(x, w, b.abs(), w, b)), (FAR.double(), R(4).double(), R(4).double()), tolerance=1e-10)
EQUAL = torch.cat([torch.ones(1, 2, 3), R(1, 2, 3)])
case("norms_without_eps", lambda x: (torch.instance_norm(x, None, None, None, None, True, 0.1, 0.0, False), aten.native_group_norm(x, None, None, 2, 2, 3, 1, 0.0), torch.batch_norm(torch.ones_like(x), None, None, None, None, True, 0.1, 0.0, False)), EQUAL)
case("norm_statistics", lambda x: aten.native_group_norm(x, None, None, 2, 4, 30, 2, 1e-5), R(2, 4, 5, 6))
case("norms_dynamic", lambda x: (F.instance_norm(x), F.group_norm(x, 2)), R(4, 4, 5), R(9, 4, 5), dynamic=DYN)
for dtype in (torch.float16, torch.bfloat16):
    short = str(dtype)[6:]
    case(f"{short}_norms", lambda x: (F.instance_norm(x), F.batch_norm(x, torch.ones(4), torch.ones(4))), (R(2, 4, 5, 6) * 3 + 5).to(dtype))
    case(f"{short}_quotients", lambda x, y: (x // y, torch.div(x, y, rounding_mode="trunc"), x // 0.1, x // 0.0), (torch.linspace(1, 200, 300).to(dtype), torch.linspace(0.1, 3, 300).to(dtype)))
ZEROS = torch.tensor([0.0, -0.0, 1.0, -2.0, INF, NAN])
case("floor_division_of_numbers", lambda x, y: (x[:, None] // y, torch.div(x[:, None], y, rounding_mode="trunc"), x // 0.0, x // 3.0, 1 / (x // 8.0)), (ODD.clone(), ZEROS))
case("floor_division_float64", lambda x, y: (x[:, None] // y, x // 0.1), (ODD.double(), ZEROS.double()))
case("modulus_far", lambda z: (torch.complex(z, z.flip(0)).abs(), torch.hypot(z, z.flip(0)), torch.hypot(z.double() * 1e250, z.flip(0).double())), torch.tensor([1e30, INF, NAN, 0.0, 1e-30, -2.0, NAN, 3.0]))
case("variance_of_few", lambda x: (x.var(1, correction=3), x.var(1, correction=5), x.std(1, correction=7), torch.var_mean(x[:3], 1, correction=3), x[0, 0].var(), x[0, 0].var(correction=0)), torch.cat([R(2, 3), torch.ones(1, 3), torch.full((1, 3), INF)]))
case("variance_of_few_dynamic", lambda x: (x.var(0, correction=5), x.std(0)), R(4, 3), R(5, 3), R(6, 3), dynamic=DYN)
FAILING = torch.tensor([[INF, -1.0, -1.0], [INF, -0.75, NAN], [-0.99, 1e20, 1.2], [-0.95, -1.0, -0.5]])
case("distances_of_nan", lambda x: (torch.pdist(x, 0.0), torch.pdist(x, INF), torch.pdist(x, 1.0), torch.cdist(x, x[1:], 0.0)), FAILING)
case("softmax_of_nan_0dim", lambda x, y: (x.softmax(0), x.log_softmax(0), y.softmax(0), aten._safe_softmax(y, 0), aten._safe_softmax(-y.abs(), 0)), (torch.tensor(NAN), torch.tensor(INF)))
case("pooled_integers", lambda x: (F.avg_pool3d(x, 2), F.avg_pool3d(-x, (2, 3, 2), stride=1), F.avg_pool3d(x, 3, padding=1, divisor_override=5), F.avg_pool3d(x, 3, padding=1, ceil_mode=True, count_include_pad=False)), I(0, 50, 2, 3, 4, 5, 4))
case("avg_pool3d_divisor", lambda x: F.avg_pool3d(x, 2, padding=1, divisor_override=3), R(1, 2, 4, 5, 6))
case("bags_with_padding", lambda i, w: (F.embedding_bag(i, w, mode="mean", padding_idx=2), F.embedding_bag(i, w, mode="sum", padding_idx=-1), F.embedding_bag(i, w, mode="mean", padding_idx=0)), (torch.tensor([[0, 2, 3], [2, 2, 2], [4, 0, 4]]), R(5, 4)))
case("resize_float64", lambda x: (F.interpolate(x, size=(5, 3), mode="bilinear"), F.interpolate(x, scale_factor=1.7, mode="bicubic"), F.interpolate(x, size=(9, 11), mode="bilinear", align_corners=True), F.interpolate(x, size=(3, 4), mode="bilinear", antialias=True), F.interpolate(x[0], scale_factor=1.3, mode="linear"), F.interpolate(x[None], size=(3, 4, 9), mode="trilinear")), R(1, 2, 6, 7).double(), tolerance=1e-10)
case("numbers_of_other_types", lambda x, y: (torch.remainder(0.3, x), torch.remainder(7.5, y), torch.xlogy(0.3, x), torch.remainder(0.3, x[0])), (R(5).double().abs(), R(5).bfloat16().abs() + 0.5))
case("loss_unreduced", lambda x, y: (aten.l1_loss(x, y, 0), aten.l1_loss(x, y, 1), aten.l1_loss(x, y, 2), aten.l1_loss(x, y, 3)), (R(3, 4), R(3, 4)))
case("angle_of_infinities", lambda x: torch.angle(x), ODD[ODD.isnan().logical_not()])
case("transform_of_other_lengths", lambda x: torch.fft.rfft(x, 2, 0), R(4, 3), R(9, 3), R(6, 3), dynamic=DYN)
case("split_at_falling_indices", lambda x: x.tensor_split([3, 1, 9, -1]), R(5, 2))
case("results_without_elements", lambda x, i, j: (F.adaptive_avg_pool2d(x, (0, 2)), F.adaptive_max_pool2d(x[:0], 1), x.gather(3, i[..., None, None, None].expand(0, 2, 5, 3)), x[:0].index_select(1, j), x[:0].flatten().take(i), x[:, :0].sort(-1)[1], F.adaptive_avg_pool3d(x[:0], (1, 2, 2))), (R(2, 3, 5, 4), torch.zeros(0, dtype=torch.long), torch.tensor([2, 0])))
NONE = ({0: torch.export.Dim("n", min=0, max=16)},)
EMPTY = [(R(n, 3), R(3, 4), R(4, 3), R(4)) for n in (3, 0, 1)]
case("products_over_nothing", lambda x, w, v, b: (x @ w, F.linear(x, v), F.linear(x, v, b), x.T @ x, F.linear(x.T, x.T), F.linear(x.T, torch.cat([x.T, x.T], 0), torch.ones(6) + x.sum()), x[None].mT @ x[None]), *EMPTY, dynamic=NONE)
INDICES = [(R(4, 3), torch.arange(n) % 3, R(n, 3)) for n in (3, 0, 2)]
case("indices_of_nothing", lambda x, i, y: (x.gather(0, i[:, None].expand(-1, 2)), x.scatter(0, i[:, None], y), x.scatter(0, i[:, None], 5.0), x.scatter_add(0, i[:, None], y), y.index_select(1, i), y.index_select(0, i[:0]), F.pad(y, (1, 2)), F.pad(y[None], (0, 0, 0, 0, 1, 1))), *INDICES, dynamic=(None, {0: torch.export.Dim("n", min=0, max=16)}, {0: torch.export.Dim("n", min=0, max=16)}))
case("diagonal_of_nothing", lambda x: torch.diagonal_scatter(x, x.diagonal(1) * 2, 1), R(4, 3), R(0, 3), R(2, 3), dynamic=NONE)
case("types_that_kernels_lack", lambda a, b, c: (F.max_pool2d(a, 2), a.sort(-1)[0], b.cumsum(0), torch.isclose(c, ~c), b.flip(0), a.amax(-1), c.amax(0), F.relu(b), a.abs(), b.sign(), b.clamp(1, 3), c.float().mean(), c.roll(1)), (I(0, 9, 1, 4, 4).to(torch.uint8), I(-5, 5, 6).to(torch.int16), B(6)))

case("bags_of_maxima", lambda i, o, w: (F.embedding_bag(i, w, o, mode="max"), F.embedding_bag(i, w, o, mode="max", padding_idx=3), F.embedding_bag(i, w.bfloat16(), o, mode="max")), (torch.tensor([0, 3, 1, 3, 4]), torch.tensor([0, 1, 1, 3]), R(5, 4)))
case("put", lambda x, i, v: (aten.put(x, i, v), aten.put(x, i, v, True), aten.put(x, i[:0], v[:0])), (R(3, 4), torch.tensor([[1, -1], [5, 1]]), torch.full((2, 2), 2.0)))
case("nonzero_static", lambda x: (torch.nonzero_static(x, size=4, fill_value=9), torch.nonzero_static(x, size=30), torch.nonzero_static(x[0, 0], size=0), torch.nonzero_static(x[:0], size=3)), B(3, 4, 2))
HOLES = torch.where(R(5, 8) > 0.3, NAN, R(5, 8))
case("nanmedian", lambda x, y: (*(m for k in (False, True) for m in aten.nanmedian.dim(x, 1, k)), torch.nanmedian(x), torch.nanmedian(x[:0]), torch.nanmedian(x * NAN), torch.nanmedian(y), torch.nanmedian(y[0, 0])), (HOLES, I(0, 9, 3, 5)))
case("mode", lambda x, y: (*torch.ops.aten.mode(x, 1), *aten.mode(x, 0, True), *aten.mode(y), *aten.mode(y[0])), (I(0, 3, 4, 9), torch.tensor([INF, -INF, 0.0, -0.0, 3.0, 3.0])))
SHORT = torch.tensor([0.0, -0.0, 1.0, -1.0, 1.5, INF, -INF, NAN, 2.0**-126, 2.0**-149, -(2.0**-149), torch.finfo(torch.float32).max, 1e-40, 0.1])
case("nextafter", lambda x, y: torch.nextafter(x[:, None], y), (torch.cat([SHORT, R(20)]), torch.cat([SHORT, R(20)])), tolerance=0)
case("windows_of_other_shapes", lambda x: (*(x * w(8, p) for w in (torch.bartlett_window, torch.blackman_window) for p in (True, False)), torch.bartlett_window(1), torch.blackman_window(7, dtype=torch.float64)), R(8))
case("isin_many", lambda x, y, z, w: (torch.isin(x, y), torch.isin(x, y, invert=True), torch.isin(z, w)), (I(0, 100, 5, 40), I(0, 100, 3, 20), torch.cat([SHORT, R(30)]), torch.cat([R(30), SHORT])))
case("renorm", lambda x: (torch.renorm(x, 2, 0, 1.0), torch.renorm(x, 1, 1, 0.5), torch.renorm(x, INF, -1, 0.5), torch.renorm(x.half(), 2, 0, 1.0)), R(3, 4, 2))
case("block_diag", lambda x, y: torch.block_diag(x, y, x[0], x[0, 0]), (R(3, 4), I(0, 3, 2, 2)))
case("all_and_any_of_bools", lambda x: (aten._is_all_true(x), aten._is_any_true(x)), B(6), torch.ones(6, dtype=torch.bool), torch.zeros(6, dtype=torch.bool))
case("xlog1py_numbers", lambda x: (torch.special.xlog1py(x, 2.5), torch.special.xlog1py(1.5, x)), R(5).abs())


class Conditional(nn.Module):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda x: F.silu(x) @ x.T, lambda x: F.softplus(x).matmul(x.mT), (x,))


case("cond_decomposed_inside", Conditional(), R(3, 4).abs(), -R(3, 4).abs())


def flat(outputs):
    return [o for o in torch.utils._pytree.tree_leaves(outputs)]


def as_tensor(value, dtype):
    if isinstance(value, np.ndarray):
        tensor = torch.from_numpy(value) if value.dtype != np.uint16 or dtype == torch.uint16 else torch.from_numpy(value.view(np.int16)).view(dtype)
        return tensor
    return value


def check(case, file, method, folder):
    for inputs in case.inputs:
        expected = flat(case.module(*torch.utils._pytree.tree_map(lambda x: x.clone(), inputs)))
        got, _ = slipway_cli.run(file, flat(inputs), folder, "--method", method)
        assert len(got) == len(expected)
        for i, (a, b) in enumerate(zip(got, expected)):
            a = as_tensor(a, b.dtype)
            tolerance = TOLERANCE.get(b.dtype, case.tolerance)
            torch.testing.assert_close(
                a, b.detach(), rtol=tolerance, atol=tolerance, equal_nan=True, msg=lambda m: f"{method}, output {i}: {m}"
            )


@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_operator(case, tmp_path):
    with torch.no_grad():
        program = torch.export.export(case.module, case.inputs[0], dynamic_shapes=dynamic_shapes(case), strict=False)
        torch.export.save(program, tmp_path / "training.pt2")
        torch.export.save(program.run_decompositions(), tmp_path / "core.pt2")
        file = tmp_path / "model.pte"
        slipway_cli.call(
            "compile", f"training={tmp_path / 'training.pt2'}", f"core={tmp_path / 'core.pt2'}", "-o", file,
            "--engine", "none", "--verify-passes",
        )
        for method in ("training", "core"):
            check(case, file, method, tmp_path)


def dynamic_shapes(case):
    if case.dynamic is None:
        return None
    shapes = list(case.dynamic) + [None] * (len(case.inputs[0]) - len(case.dynamic))
    return (tuple(shapes),) if isinstance(case.module, Function) else tuple(shapes)


def test_indices_outside_are_errors(tmp_path):
    def reduced(x, i, s):
        return x.index_reduce(0, i, s, "amax", include_self=False)

    file = slipway_cli.compile(torch.export.export(Function(reduced), (R(3), I(0, 3, 4), R(4))), tmp_path)
    for wrong in (3, 4, -1):
        with pytest.raises(slipway_cli.ToolError):
            slipway_cli.run(file, [R(3), torch.tensor([0, wrong, wrong, 1]), R(4)], tmp_path)


def test_bits_of_floating_point_numbers_are_refused(tmp_path):
    program = torch.export.export(Function(lambda x: x.view(torch.int32)), (R(3),))
    with pytest.raises(slipway_cli.ToolError, match="no kernel reads the bits of float32 as int32"):
        slipway_cli.compile(program, tmp_path)


def test_what_bincount_does_not_count_is_an_error(tmp_path):
    file = slipway_cli.compile(torch.export.export(Function(_bins), (I(0, 9, 3),)), tmp_path)
    for wrong in ([0, -1, 2], [0, 9, 2]):
        with pytest.raises(slipway_cli.ToolError):
            slipway_cli.run(file, [torch.tensor(wrong)], tmp_path)
    file = slipway_cli.compile(torch.export.export(Function(lambda x: torch.bincount(x, minlength=3)[:3]), (I(0, 9, 3),)), tmp_path)
    with pytest.raises(slipway_cli.ToolError):
        slipway_cli.run(file, [torch.tensor([0, -1, 2])], tmp_path)


def test_bins_without_a_bound_are_refused_with_what_helps(tmp_path):
    program = torch.export.export(Function(lambda x: torch.bincount(x) * 2), (I(0, 9, 3),))
    with pytest.raises(slipway_cli.ToolError, match=r"number of bins u0 has no upper bound.*--bound u0=64.*minlength=n"):
        slipway_cli.compile(program, tmp_path)
    file = slipway_cli.compile(program, tmp_path, "--bound", "u0=10")
    [counts], _ = slipway_cli.run(file, [torch.tensor([1, 9, 1])], tmp_path)
    assert counts.tolist() == [0, 4, 0, 0, 0, 0, 0, 0, 0, 2]


def test_distinct_rows_along_a_negative_dimension_are_refused_with_what_helps(tmp_path):
    program = torch.export.export(Function(lambda x: torch.unique_consecutive(x, dim=-1)), (I(0, 2, 3, 4),))
    with pytest.raises(slipway_cli.ToolError, match="count dim from the front"):
        slipway_cli.compile(program, tmp_path)


def test_unsupported_operators_are_listed_once_each(tmp_path):
    def forward(x):
        return torch.special.bessel_j0(torch.special.i1(x) + torch.special.i1(x * 2))

    torch.export.save(torch.export.export(Function(forward), (R(3),)), tmp_path / "model.pt2")
    with pytest.raises(slipway_cli.ToolError) as refused:
        slipway_cli.call("compile", tmp_path / "model.pt2", "-o", tmp_path / "model.pte", "--engine", "none")
    text = str(refused.value)
    assert text.count("special_i1.default, 2 times") == 1
    assert text.count("special_bessel_j0.default, once") == 1
    assert "rewrite this line" in text
    assert "run_decompositions()" in text
    assert "test_operators.py" in text
    assert not (tmp_path / "model.pte").exists()
