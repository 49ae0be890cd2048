"""Small programs, by name, that together use every operator that is lowered to ONNX."""

import math

import torch
import torch.nn.functional as F

from table import DIM, case, f, i, u

aten = torch.ops.aten

# ---- Element by element.
SPECIAL = torch.tensor([0.0, -0.0, 1.0, -1.0, 1e-8, -1e-8, 1e-3, 3.7, -3.7, 20.0, -20.0, math.inf, -math.inf])
for name in "abs neg exp expm1 sin cos tan sinh cosh tanh asinh atan erf sigmoid floor ceil round trunc sign frac square".split():
    values = SPECIAL[:11] if name in ("tan", "sinh", "cosh", "frac") else SPECIAL
    case(name, getattr(torch, name), torch.cat([values, f(20)]))
for name in "log log2 log10 log1p sqrt rsqrt reciprocal".split():
    case(name, getattr(torch, name), torch.cat([torch.tensor([1e-7, 1e-3, 1.0, 7.5, 1e4, math.inf]), u(20)]))
for name in "asin acos atanh".split():
    case(name, getattr(torch, name), torch.cat([u(20), -u(20)]))
case("acosh", torch.acosh, u(20) * 5 + 1)
case("erfc_exp2", lambda x: torch.special.erfc(x) + torch.exp2(x), f(20))
case("nan_tests", lambda x: (torch.isnan(x), torch.isinf(x), torch.isfinite(x)), torch.tensor([0, math.nan, math.inf, -math.inf, 1]))
case("nan_tests_int", lambda x: (torch.isnan(x), torch.isinf(x), torch.isfinite(x)), i(9, 4))
case("nan_to_num", torch.nan_to_num, torch.tensor([0, math.nan, math.inf, -math.inf, 1]))
case("round_half", torch.round, torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5]))
case("round_decimals", lambda x: torch.round(x, decimals=2), f(20))
case("int_functions", lambda x: (torch.exp(x), torch.sqrt(x), torch.sigmoid(x), torch.floor(x), torch.abs(x), -x, torch.sign(x)), i(5, 7))
case("logical_not", torch.logical_not, f(5).round())
case("bitwise_not", lambda x, y: (~x, ~y), i(9, 5), i(2, 5).bool())
case("clamp", lambda x: (x.clamp(-0.5, 0.5), x.clamp(min=0.1), x.clamp(max=0.1)), f(4, 5))
case("clamp_int", lambda x: (x.clamp(2, 6), x.clamp(min=3), x.clamp(2.5, 7.5)), i(10, 8))
case("clamp_tensor", lambda x, a, b: torch.clamp(x, a, b), f(4, 5), f(5) - 1, f(5) + 1)
case("clamp_min_max", lambda x: (torch.clamp_min(x, 0.2), torch.clamp_max(x, 0.2)), f(9))
case("to", lambda x: (x.to(torch.int64), x.to(torch.bool), x.to(torch.int32), x.double(), x.to(torch.uint8)), torch.tensor([0.0, 1.9, 2.5, 200.7]))
case("to_negative", lambda x: (x.to(torch.int64), x.to(torch.int8)), torch.tensor([-1.9, -0.5, 3.999]))
case("int_to", lambda x: (x.to(torch.float32), x.to(torch.int8), x.to(torch.bool)), torch.tensor([0, 1, 127, 128, 300, -200]))
case("copy", lambda x, y: aten.copy(x, y), f(3, 4), i(9, 4))

# ---- Two operands.
case("add", lambda x, y: (torch.add(x, y, alpha=2), x + 1, 2 + x, x - y, torch.sub(x, y, alpha=0.5), 3 - x, torch.rsub(x, y)), f(2, 3), f(3))
case("mixed", lambda x, y, z: (x + y, x * z, y + z, y * 2.5, y / 2, z + 1, z * 1.5, x - y), f(2, 3), i(9, 3), i(2, 3).bool())
case("mixed_0dim", lambda x, y: (x + y, x * y), i(9, 3), torch.tensor(2.5))
case("mixed_widths", lambda x, y, z: (x + y, x * z, y * z), i(9, 3).int(), i(9, 3), f(3).double())
case("small_ints", lambda x, y: (x + y, x * y, x - y, x // 3, torch.maximum(x, y), x > y, x.sum(), x & y), torch.tensor([100, -100, 7], dtype=torch.int8), torch.tensor([100, -100, 3], dtype=torch.int8))
case("bytes", lambda x, y: (x + y, x * y, x - y), torch.tensor([200, 100, 7], dtype=torch.uint8), torch.tensor([100, 200, 8], dtype=torch.uint8))
case("bool_arithmetic", lambda x, y: (x + y, x * y, x | y, x & y, x ^ y, torch.maximum(x, y)), i(2, 8).bool(), i(2, 8).bool())
INTEGERS = torch.tensor([7, -7, 7, -7, 6, -6, 0, 1])
DIVISORS = torch.tensor([2, 2, -2, -2, 3, 3, 5, -5])
DIVIDE = lambda x, y: (  # noqa: E731
    torch.div(x, y),
    torch.div(x, y, rounding_mode="floor"),
    torch.div(x, y, rounding_mode="trunc"),
    torch.remainder(x, y),
    torch.fmod(x, y),
    torch.floor_divide(x, y),
)
case("divide_int", DIVIDE, INTEGERS, DIVISORS)
case("divide_float", DIVIDE, torch.cat([INTEGERS.float(), f(20) * 5]), torch.cat([DIVISORS.float(), f(20)]))
case("divide_mixed", DIVIDE, INTEGERS, DIVISORS.float() + 0.25)
case("divide_scalar", lambda x, y: (x / 3, x // 3, x % 3, y % -3, y // -3, torch.fmod(y, 3), torch.div(y, 2, rounding_mode="trunc"), y / 2, x % -2.5, torch.fmod(x, 2.5)), f(9) * 5, INTEGERS)
case("remainder_scalar_tensor", lambda y: torch.remainder(7, y), DIVISORS)
case("pow", lambda x, y: (x**2, x**3, x**0.5, x**-1, x**-0.5, x**y, 2**y, x**2.5, x**0), u(7) * 3, f(7))
case("pow_int", lambda x: (x**2, x**3, 2**x, x**x, x**0.5), i(5, 6, low=1))
case("extrema", lambda x, y: (torch.maximum(x, y), torch.minimum(x, y), torch.max(x, y), torch.min(x, y)), f(4, 5), f(5))
ANGLES = torch.tensor([0.0, -0.0, 1.0, -1.0, 3.0, -3.0, math.inf, -math.inf])
case("atan2", lambda y, x: torch.atan2(y, x), ANGLES[:, None].clone(), ANGLES)
case("hypot", torch.hypot, f(9), f(9))
COMPARE = lambda x, y: (x == y, x != y, x < y, x <= y, x > y, x >= y)  # noqa: E731
case("compare_int", COMPARE, i(3, 20), i(3, 20))
case("compare_float", COMPARE, f(20).round(), f(20).round())
case("compare_bool", COMPARE, i(2, 20).bool(), i(2, 20).bool())
case("compare_mixed", COMPARE, i(3, 20), f(20).round())
case("compare_nan", COMPARE, torch.tensor([math.nan, 1.0, math.inf]), torch.tensor([math.nan, math.nan, math.inf]))
case("compare_scalar", lambda x, y: (x == 1, x != 1, x < 0.5, x <= 1, x > 1, x >= 1.5, y > 0, y == 0.0), i(3, 20), f(20))
case("logical", lambda x, y: (torch.logical_and(x, y), torch.logical_or(x, y), torch.logical_xor(x, y)), f(9).round(), i(2, 9))
case("bitwise", lambda x, y: (x & y, x | y, x ^ y, x & 3, x | 8, x ^ 5), i(100, 9), i(100, 9))
case("shifts", lambda x, y: (x << y, x >> y, x << 2, x >> 1), i(100, 9, low=-100), i(5, 9))
case("where", lambda c, x, y, z: (torch.where(c, x, y), torch.where(c, x, 0.0), torch.where(c, z, 1.5), torch.where(c, c, ~c)), i(2, 3, 4).bool(), f(3, 4), f(4), i(9, 3, 4))
case("masked_fill", lambda c, x, y, m: (x.masked_fill(c, -math.inf), y.masked_fill(c, 3), m.masked_fill(c, True), x.masked_fill(c, torch.tensor(2.0))), i(2, 3, 4).bool(), f(3, 4), i(9, 3, 4), i(2, 3, 4).bool())
case("addcmul", lambda x, y, z: (torch.addcmul(x, y, z, value=0.5), torch.addcdiv(x, y, z, value=2), torch.lerp(x, y, 0.3)), f(3, 4), f(3, 4), u(4))
case("dynamic_scalar", lambda x: x * x.shape[0] + x.shape[1] // 2, f(4, 6), dynamic=({0: DIM("a"), 1: DIM("b")},), more=[(f(3, 5),)])

# ---- Activations.
for name in "relu gelu silu relu6 hardtanh hardsigmoid hardswish leaky_relu elu selu celu softplus mish logsigmoid softsign tanhshrink hardshrink softshrink".split():
    case("f_" + name, getattr(F, name), f(4, 25) * 4)
case("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), f(40) * 4)
case("relu_int", F.relu, i(5, 9, low=-5))
case("activation_options", lambda x: (F.leaky_relu(x, 0.3), F.elu(x, 0.5), F.celu(x, 0.7), F.softplus(x, 2, 5), F.hardtanh(x, -2, 0.5), F.threshold(x, 0.1, 20.0)), f(40) * 4)
case("elu_scales", lambda x: aten.elu(x, 1.5, 1.2, 0.7), f(40))
case("prelu", F.prelu, f(2, 3, 4), torch.tensor([0.1, 0.2, 0.3]))
case("prelu_one", F.prelu, f(2, 3, 4), torch.tensor([0.1]))
case("glu", lambda x: (F.glu(x, -1), F.glu(x, 1)), f(2, 4, 6))
case("softmax", lambda x: (x.softmax(-1), x.softmax(1), x.log_softmax(0), F.softmax(x, 1, dtype=torch.float64)), f(2, 3, 4))
case("softmax_int", lambda x: F.softmax(x, 0, dtype=torch.float32), i(5, 6))
case("softmax_0dim", lambda x: (x.softmax(0), x.log_softmax(0)), torch.tensor(2.0))

# ---- Matrix products.
case("matmul", lambda a, b, v: (a @ b, a @ v, v @ b, v @ v), f(4, 5), f(5, 5), f(5))
case("matmul_batched", torch.matmul, f(2, 1, 4, 5), f(3, 5, 6))
case("matmul_int", torch.matmul, i(9, 3, 4), i(9, 4, 2))
case("bmm", torch.bmm, f(2, 3, 4), f(2, 4, 5))
case("linear", F.linear, f(2, 3, 4), f(5, 4), f(5))
case("linear_2d", F.linear, f(3, 4), f(5, 4), f(5))
case("linear_1d", F.linear, f(4), f(5, 4))
case("addmm", lambda b, x, y: (torch.addmm(b, x, y), torch.addmm(b, x, y, beta=0.5, alpha=2), torch.addmm(b, x, y, beta=0)), f(5), f(3, 4), f(4, 5))
case("baddbmm", lambda b, x, y: (torch.baddbmm(b, x, y, beta=0.5, alpha=2), torch.addbmm(b, x, y)), f(3, 5), f(2, 3, 4), f(2, 4, 5))
case("mv_dot_outer", lambda m, v: (torch.mv(m, v), torch.dot(v, v), torch.outer(v, v), torch.addmv(v[:3], m, v)), f(3, 4), f(4))
case("einsum", lambda x, y: torch.einsum("bij,bjk->bik", x, y), f(2, 3, 4), f(2, 4, 5))
for p in (0.0, 1.0, 2.0, 3.0, math.inf):
    case(f"cdist_{p:g}", lambda x, y, p=p: aten._cdist_forward(x, y, p, None), f(2, 3, 4), f(2, 5, 4))

# ---- Convolutions.
case("conv1d", lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=1), f(2, 3, 10), f(4, 3, 3), f(4))
case("conv2d", lambda x, w, b: F.conv2d(x, w, b, stride=(2, 1), padding=(1, 2), dilation=(1, 2)), f(2, 4, 9, 10), f(6, 4, 3, 3), f(6))
case("conv2d_groups", lambda x, w: F.conv2d(x, w, groups=2, padding=1), f(2, 4, 9, 10), f(6, 2, 3, 3))
case("conv2d_same", lambda x, w: F.conv2d(x, w, padding="same", dilation=2), f(2, 4, 9, 10), f(6, 4, 4, 3))
case("conv2d_valid", lambda x, w: F.conv2d(x, w, padding="valid"), f(2, 4, 9, 10), f(6, 4, 4, 3))
case("conv2d_unbatched", lambda x, w: F.conv2d(x, w), f(4, 9, 10), f(6, 4, 3, 3))
case("conv3d", lambda x, w: F.conv3d(x, w, padding=1), f(1, 2, 5, 6, 7), f(3, 2, 3, 3, 3))
case("conv_transpose1d", lambda x, w: F.conv_transpose1d(x, w, stride=2, padding=1, output_padding=1), f(2, 3, 7), f(3, 4, 3))
case("conv_transpose2d", lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1, groups=2, dilation=2), f(2, 4, 5, 6), f(4, 3, 3, 3), f(6))
case("conv_transpose3d", lambda x, w: F.conv_transpose3d(x, w, stride=2), f(1, 2, 3, 4, 5), f(2, 3, 2, 2, 2))
case("conv2d_dynamic", lambda x, w: F.conv2d(x, w, stride=2), f(2, 3, 9, 9), f(4, 3, 3, 3), dynamic=({0: DIM("n"), 2: DIM("h", min=5), 3: DIM("w", min=5)}, None), more=[(f(3, 3, 12, 7), f(4, 3, 3, 3))])
case("col2im", lambda x: F.fold(x, (5, 6), 2, padding=1, stride=2), f(2, 12, 12))
case("im2col", lambda x: F.unfold(x, (2, 3), padding=1, stride=2, dilation=1), f(2, 3, 5, 6))

# ---- Pooling.
case("max_pool1d", lambda x: F.max_pool1d(x, 3, 2, 1), f(2, 3, 10))
case("max_pool_no_channels", lambda x: F.adaptive_max_pool2d(x, 2), torch.zeros(0, 4, 4))
case("max_pool2d", lambda x: F.max_pool2d(x, 3, 2, 1), f(2, 3, 10, 11))
case("max_pool2d_dilated", lambda x: F.max_pool2d(x, 2, 1, 0, 2), f(2, 3, 10, 11))
for size in (5, 6, 7, 8):
    case(f"max_pool2d_ceil_{size}", lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), f(1, 2, size, size + 3))
    case(f"avg_pool2d_ceil_{size}", lambda x: (F.avg_pool2d(x, 3, 2, 1, ceil_mode=True), F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False), F.avg_pool2d(x, 2, 3, 1, ceil_mode=True), F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, divisor_override=5)), f(1, 2, size, size + 3))
case("max_pool2d_indices", lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True), f(2, 3, 10, 11))
case("max_pool2d_indices_ceil", lambda x: F.max_pool2d(x, 2, 2, 0, ceil_mode=True, return_indices=True), f(2, 3, 7, 9))
case("max_pool2d_unbatched", lambda x: F.max_pool2d(x, 2), f(3, 8, 8))
case("max_pool3d", lambda x: F.max_pool3d(x, 2, 2), f(1, 2, 4, 6, 6))
case("max_pool2d_int", lambda x: F.max_pool2d(x, 2), i(99, 1, 2, 4, 4))
case("max_pool2d_dynamic", lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), f(1, 2, 8, 9), dynamic=({2: DIM.AUTO, 3: DIM.AUTO},), more=[(f(1, 2, 7, 12),), (f(1, 2, 6, 5),)])
case("avg_pool1d", lambda x: F.avg_pool1d(x, 3, 2, 1), f(2, 3, 10))
case("avg_pool2d", lambda x: (F.avg_pool2d(x, 3, 2, 1), F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), F.avg_pool2d(x, 2), F.avg_pool2d(x, 3, 2, 1, divisor_override=4)), f(2, 3, 10, 11))
case("avg_pool3d", lambda x: F.avg_pool3d(x, 2, 2, 1), f(1, 2, 4, 6, 6))
case("avg_pool2d_dynamic", lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True), f(1, 2, 8, 9), dynamic=({2: DIM.AUTO, 3: DIM.AUTO},), more=[(f(1, 2, 7, 12),), (f(1, 2, 6, 5),)])
case("adaptive_avg_pool", lambda x: (F.adaptive_avg_pool2d(x, 1), F.adaptive_avg_pool2d(x, (2, 3)), F.adaptive_avg_pool2d(x, (3, 5)), F.adaptive_avg_pool2d(x, (None, 2))), f(2, 3, 8, 9))
case("adaptive_avg_pool1d", lambda x: (F.adaptive_avg_pool1d(x, 1), F.adaptive_avg_pool1d(x, 3)), f(2, 3, 8))
case("adaptive_avg_pool3d", lambda x: (F.adaptive_avg_pool3d(x, 1), F.adaptive_avg_pool3d(x, (2, 3, 3))), f(1, 2, 4, 5, 6))
case("adaptive_avg_pool_dynamic", lambda x: F.adaptive_avg_pool2d(x, (3, 2)), f(1, 2, 8, 9), dynamic=({2: DIM("h", min=4), 3: DIM("w", min=4)},), more=[(f(1, 2, 7, 12),)])
case("adaptive_max_pool", lambda x: F.adaptive_max_pool2d(x, (3, 2)), f(1, 2, 8, 9))

# ---- Resizing.
case("upsample_nearest", lambda x: (F.interpolate(x, scale_factor=2), F.interpolate(x, size=(7, 5)), F.interpolate(x, scale_factor=(1.5, 0.7)), F.interpolate(x, size=(7, 5), mode="nearest-exact")), f(1, 2, 4, 6))
case("upsample_bilinear", lambda x: (F.interpolate(x, scale_factor=2, mode="bilinear"), F.interpolate(x, size=(7, 5), mode="bilinear"), F.interpolate(x, size=(7, 5), mode="bilinear", align_corners=True), F.interpolate(x, scale_factor=1.7, mode="bilinear")), f(1, 2, 4, 6))
case("upsample_bicubic", lambda x: (F.interpolate(x, scale_factor=2, mode="bicubic"), F.interpolate(x, size=(7, 5), mode="bicubic", align_corners=True)), f(1, 2, 4, 6))
case("upsample_1d_3d", lambda x, y: (F.interpolate(x, scale_factor=2, mode="linear"), F.interpolate(x, scale_factor=2), F.interpolate(y, scale_factor=2, mode="trilinear"), F.interpolate(y, scale_factor=2)), f(1, 2, 5), f(1, 2, 3, 4, 5))
case("upsample_ops", lambda x: (aten.upsample_nearest2d.vec(x, None, [2.0, 2.0]), aten.upsample_bilinear2d.vec(x, [7, 9], False, None), aten.upsample_bilinear2d(x, [7, 9], True)), f(1, 2, 4, 6))
case("upsample_dynamic", lambda x: (F.interpolate(x, scale_factor=2, mode="bilinear"), F.interpolate(x, size=(x.shape[2] * 2, x.shape[3] + 1), mode="bilinear")), f(1, 2, 4, 6), dynamic=({2: DIM("h"), 3: DIM("w")},), more=[(f(1, 2, 5, 3),)])
case("grid_sample", lambda x, g: tuple(F.grid_sample(x, g, mode, padding, align_corners=a) for mode in ("bilinear", "nearest", "bicubic") for padding in ("zeros", "border", "reflection") for a in (True, False)), f(1, 2, 5, 6), u(1, 3, 4, 2) * 2.4 - 1.2)

# ---- Normalization.
case("layer_norm", lambda x, w, b: (F.layer_norm(x, (4,), w, b), F.layer_norm(x, (3, 4)), F.layer_norm(x, (4,), w)), f(2, 3, 4), f(4), f(4))
case("native_layer_norm", lambda x, w, b: aten.native_layer_norm(x, [3, 4], w, b, 1e-5), f(2, 3, 4), f(3, 4), f(3, 4))
case("rms_norm", lambda x, w: (F.rms_norm(x, (4,), w), F.rms_norm(x, (4,))), f(2, 3, 4), f(4))
case("batch_norm", lambda x, m, v, w, b: (F.batch_norm(x, m, v, w, b), F.batch_norm(x, m, v)), f(2, 3, 4, 5), f(3), u(3), f(3), f(3))
case("batch_norm_1d", lambda x, m, v: F.batch_norm(x, m, v), f(4, 3), f(3), u(3))
case("batch_statistics", lambda x, w, b: aten._native_batch_norm_legit.no_stats(x, w, b, True, 0.1, 1e-5), f(2, 3, 4, 5), f(3), f(3))
case("group_norm", lambda x, w, b: (F.group_norm(x, 2, w, b), F.group_norm(x, 3)), f(2, 6, 4, 5), f(6), f(6))
case("native_group_norm", lambda x, w, b: aten.native_group_norm(x, w, b, 2, 6, 20, 3, 1e-5), f(2, 6, 4, 5), f(6), f(6))
case("instance_norm", lambda x, w, b: (F.instance_norm(x, weight=w, bias=b), F.instance_norm(x)), f(2, 3, 4, 5), f(3), f(3))

# ---- Reductions.
case("sum", lambda x: (x.sum(), x.sum(1), x.sum((0, 2), keepdim=True), x.sum(-1, dtype=torch.float64)), f(2, 3, 4))
case("sum_int", lambda x, y: (x.sum(), y.sum(), y.sum(0), x.sum(0, dtype=torch.float32)), i(9, 3, 4), i(2, 3, 4).bool())
case("mean", lambda x: (x.mean(), x.mean(1), x.mean((0, 2), keepdim=True)), f(2, 3, 4))
case("amax", lambda x: (x.amax(1), x.amin((0, 2), keepdim=True), x.amax(), x.max(), x.min()), f(2, 3, 4))
case("amax_int", lambda x, y: (x.amax(1), x.amin(0), y.amax(0), y.amin(1)), i(99, 3, 4), i(2, 3, 4).bool())
case("argmax", lambda x: (x.argmax(), x.argmax(1), x.argmin(-1, keepdim=True), x.argmin()), f(2, 3, 4))
case("argmax_ties", lambda x: (x.argmax(1), x.argmin(1)), i(2, 5, 6))
case("max_dim", lambda x: (*x.max(1), *x.min(-1, keepdim=True)), f(2, 3, 4))
case("aminmax", lambda x: (*torch.aminmax(x), *torch.aminmax(x, dim=1)), f(3, 4))
case("any_all", lambda x: (x.any(), x.any(1), x.any(0, keepdim=True), x.all(), x.all(1), torch.any(x, (0, 1))), i(2, 3, 4).bool())
case("any_float", lambda x: (x.any(), x.all(1)), f(3, 4).round())
case("any_empty", lambda x: (x.any(1), x.all(1), x.sum(1)), torch.zeros(3, 0))
case("prod", lambda x: (x.prod(), x.prod(1), x.prod(0, keepdim=True)), f(3, 4))
case("var", lambda x: (x.var(), x.var(1), x.var((0, 2), keepdim=True), x.std(1), x.var(1, correction=0), torch.var(x, 1, unbiased=False), aten.var.dim(x, [1], True, True)), f(2, 3, 4))
case("var_mean", lambda x: (*torch.var_mean(x, 1), *torch.std_mean(x, (0, 2), keepdim=True)), f(2, 3, 4))
case("var_dynamic", lambda x: x.var(0), f(5, 3), dynamic=({0: DIM("n", min=2)},), more=[(f(9, 3),)])
case("cumsum", lambda x, y: (x.cumsum(1), x.cumsum(-1), y.cumsum(0), y.bool().cumsum(0)), f(3, 4), i(9, 5))
case("topk", lambda x: (*x.topk(3), *x.topk(2, 0, largest=False)), f(4, 5))
case("topk_int", lambda x: x.topk(3)[0], i(99, 4, 5).int())
case("sort", lambda x: (*x.sort(), *x.sort(0, descending=True), x.argsort(1)), f(4, 5))
case("sort_stable", lambda x: (*x.sort(stable=True, dim=-1), *x.sort(stable=True, dim=0, descending=True)), i(3, 6, 7))
case("logsumexp", lambda x: (x.logsumexp(1), x.logsumexp((0, 1))), f(3, 4))
case("norm", lambda x: (x.norm(), torch.linalg.vector_norm(x, dim=1), torch.linalg.vector_norm(x, 1, 0), torch.linalg.vector_norm(x, math.inf), torch.linalg.vector_norm(x, 3), x.norm(dim=1, keepdim=True), F.normalize(x)), f(3, 4))
case("count_nonzero", lambda x: (torch.count_nonzero(x), torch.count_nonzero(x, 1)), f(3, 4).round())

# ---- Shapes.
case("views", lambda x: (x.view(6, 4), x.reshape(-1), x.flatten(1), x.unflatten(2, (2, 2)), x.unsqueeze(0), x.unsqueeze(-1), x[None].squeeze(0), x.view(2, 3, 1, 4).squeeze(), x.view(1, 2, 3, 4, 1).squeeze((0, 4))), f(2, 3, 4))
case("views_dynamic", lambda x: (x.reshape(x.shape[0] * x.shape[1], 4), x.reshape(x.shape[1], -1, 2), x.flatten(), x.view(x.shape[0], x.shape[1], 2, 2), x.unsqueeze(1)), f(2, 3, 4), dynamic=({0: DIM("a"), 1: DIM("b")},), more=[(f(5, 2, 4),)])
case("permutations", lambda x: (x.permute(2, 0, 1), x.transpose(0, -1), x[0].t(), x.mT, x.movedim(0, 2), x.swapaxes(0, 1)), f(2, 3, 4))
case("expand", lambda x: (x.expand(3, 4), x.expand(2, -1, 4), x.expand(5, 3, 4)), f(3, 1))
case("expand_dynamic", lambda x, y: (x.expand(y.shape[0], -1), x.expand_as(y), x + y), f(1, 4), f(3, 4), dynamic=(None, {0: DIM("n")}), more=[(f(1, 4), f(6, 4))])
case("slice", lambda x: (x[1:], x[:, ::2], x[..., -2:], x[:, 1:-1], x[:100], x[5:2], x[:, :, 1:9:3]), f(5, 6, 7))
case("slice_dynamic", lambda x: (x[1:], x[:, : x.shape[1] // 2], x[-2:], x[: x.shape[0] - 1]), f(5, 6), dynamic=({0: DIM.AUTO, 1: DIM.AUTO},), more=[(f(7, 9),)])
case("narrow_select", lambda x: (x.narrow(1, 1, 3), x.select(0, 2), x[-1], x[:, -2], x[2, 3]), f(5, 6, 7))
case("cat_stack", lambda x, y: (torch.cat([x, y]), torch.cat([x, y], -1), torch.stack([x, y]), torch.stack([x, y], 1), torch.hstack([x, y])), f(3, 4), f(3, 4))
case("cat_mixed", lambda x, y: torch.cat([x, y]), f(3), i(9, 4))
case("split", lambda x: (*x.split(2), *x.split([1, 2, 3], 1), *x.chunk(3, 0), *torch.unbind(x, 0), *torch.tensor_split(x, 4, 1)), f(5, 6))
case("repeat", lambda x: (x.repeat(2, 3), x.repeat(2, 1, 1), x.tile(2), x.repeat_interleave(3, 1), x.repeat_interleave(2)), f(2, 3))
case("flip_roll", lambda x: (x.flip(0), x.flip(1, -1), x.roll(1), x.roll((1, -2), (0, 2)), x.roll(7, 1), x.roll(-1, -1)), f(3, 4, 5))
case("roll_dynamic", lambda x: (x.roll(2, 0), x.roll(-1, 1)), f(5, 6), dynamic=({0: DIM("a", min=3), 1: DIM("b", min=2)},), more=[(f(4, 9),)])
case("as_strided", lambda x: (x.as_strided((2, 3), (1, 2), 1), x.as_strided((4, 3), (3, 1)), aten.as_strided(x, [3, 2], [4, 1], 2)), f(4, 3))
case("diagonal", lambda x: (x.diagonal(), x.diagonal(1), x.diagonal(-1, 1, 2), x[0].diag()), f(4, 5, 5))
case("unfold", lambda x: (x.unfold(1, 3, 2), x.unfold(0, 2, 1)), f(4, 8))
case("pixel_shuffle", lambda x: (F.pixel_shuffle(x, 2), F.pixel_unshuffle(x, 2), F.channel_shuffle(x, 4)), f(2, 8, 4, 6))
case("meshgrid", lambda x, y: (*torch.meshgrid(x, y, indexing="ij"), *torch.meshgrid(x, y, indexing="xy"), *torch.broadcast_tensors(x[:, None], y)), f(3), f(4))
case("triangles", lambda x, y: (x.tril(), x.triu(1), x.tril(-1), y.tril(), y.bool().triu()), f(4, 5), i(9, 4, 4))

# ---- Padding.
case("pad", lambda x: (F.pad(x, (1, 2)), F.pad(x, (1, 2, 0, 3), value=2.5), F.pad(x, (1, 1, 2, 2), mode="reflect"), F.pad(x, (1, 1, 2, 2), mode="replicate"), F.pad(x, (1, 1, 2, 2), mode="circular"), F.pad(x, (-1, 1)), F.pad(x, (0, -2, -1, -1))), f(1, 2, 4, 5))
case("pad_types", lambda x, y: (F.pad(x, (1, 2), value=7), F.pad(y, (1, 2), value=True)), i(9, 3), i(2, 3).bool())
case("pad_more", lambda x, y: (F.pad(x, (1, 2), mode="reflect"), F.pad(x, (1, 2), mode="replicate"), F.pad(y, (1, 1, 1, 2, 2, 1), mode="reflect"), F.pad(y, (1, 1, 1, 2, 2, 1), mode="replicate")), f(1, 2, 4), f(1, 2, 3, 4, 5))

# ---- Index.
case("index", lambda x, a, b: (x[a], x[:, a], x[a, b], x[:, a, b], x[a, :, b], x[:, :, b], x[a[:, None], b]), f(4, 5, 6), torch.tensor([0, -1, 2]), torch.tensor([1, 3, -2]))
case("index_2d", lambda x, a: (x[a], x[:, a], x[a, a]), f(4, 5), i(4, 2, 3))
case("index_mask", lambda x, m, r: (x[m], x[r], x[:, r[:2].repeat(3)[:5]], x[r, 1]), f(4, 5), i(2, 4, 5).bool(), i(2, 4).bool())
case("index_mask_shapes", lambda x, m: x[m].sum() + torch.ones_like(x[m]), f(4, 5), i(2, 4, 5).bool())
case("nonzero", lambda x, m: (torch.nonzero(x), torch.masked_select(x, m), torch.masked_select(x, m[0])), f(4, 5).round(), i(2, 4, 5).bool())
case("index_select", lambda x, a: (x.index_select(1, a), x.index_select(0, a), torch.take(x, a)), f(4, 5), torch.tensor([3, 0, 0]))
case("embedding", F.embedding, i(9, 2, 3), f(9, 4))
case("gather", lambda x, a: (x.gather(1, a), x.gather(0, a % 3)), f(3, 5), i(5, 2, 4))
case("one_hot", lambda x: F.one_hot(x, 5), i(5, 2, 3))
for mode in range(3):
    case(f"embedding_bag_{mode}", lambda w, x, o, m=mode: aten._embedding_bag(w, x, o, False, m)[0], f(9, 4), i(9, 7), torch.tensor([0, 3, 3, 5]))
case("index_put", lambda x, a, b, v, w, s: (x.index_put((a,), v), x.index_put((a, b), w), aten.index_put(x, [None, b], s), aten.index_put(x, [None, None, a], s[0, 0, :3]), aten.index_put(x, [a, None, b], v[:, :, 0])), f(4, 5, 6), torch.tensor([0, -1, 2]), torch.tensor([1, 3, -2]), f(3, 5, 6), f(3, 6), f(4, 3, 6))
case("index_put_accumulate", lambda x, a, b, v: (x.index_put((a,), v, accumulate=True), aten.index_put(x, [None, a], v[:, 0], True), aten.index_put(x, [a, b], v[:, 0], True)), f(4, 4), torch.tensor([0, 0, 2]), torch.tensor([1, 1, 3]), f(3, 4))
case("index_put_mask", lambda x, m, r: (x.index_put((m,), torch.tensor(2.0)), aten.index_put(x, [r], torch.tensor([3.0]))), f(4, 5), i(2, 4, 5).bool(), i(2, 4).bool())
case("index_put_bool", lambda x, a: x.index_put((a,), torch.tensor(True)), i(2, 6).bool(), torch.tensor([0, 3]))
case("index_copy", lambda x, a, v: (x.index_copy(0, a, v), x.index_copy(1, a, v.t().contiguous()[:5, :2].new_ones(5, 2)), x.index_add(0, a, v, alpha=2), x.index_fill(1, a, 7.0)), f(5, 5), torch.tensor([3, 1]), f(2, 5))
case("scatter", lambda x, a, v: (x.scatter(1, a, v), x.scatter(0, a % 3, v), x.scatter(1, a, 2.5), x.scatter_add(1, a, v)), f(3, 5), torch.tensor([[0, 1, 4], [2, 3, 1]]), f(3, 4))
case("scatter_operation", lambda x, a, v: (x.scatter(1, a, v, reduce="add"), x.scatter(1, a, v, reduce="multiply")), f(3, 5), torch.tensor([[0, 1, 4], [2, 3, 1]]), f(3, 4))
for mode in ("sum", "prod", "mean", "amax", "amin"):
    case(f"scatter_reduce_{mode}", lambda x, a, v, m=mode: (x.scatter_reduce(1, a, v, m), x.scatter_reduce(1, a, v, m, include_self=False)), f(3, 5), i(5, 3, 4), f(3, 4))
case("slice_scatter", lambda x, v, w: (x.slice_scatter(v, 0, 1, 3), x.slice_scatter(v, 0, -2), x.slice_scatter(w, 1, 0, 6, 2), x.slice_scatter(x), x.slice_scatter(v, 0, 0, 2)), f(4, 6), f(2, 6), f(4, 3))
case("slice_scatter_dynamic", lambda x: x.slice_scatter(x[1:] * 2, 0, 1), f(4, 6), dynamic=({0: DIM("n", min=3)},), more=[(f(7, 6),)])
case("select_scatter", lambda x, v: (x.select_scatter(v, 0, 1), x.select_scatter(v, 0, -1), x.select_scatter(v[:4], 1, 2)), f(4, 6), f(6))

# ---- Making tensors.
case("full", lambda x: (torch.zeros(2, 3) + x, torch.ones(3, dtype=torch.int64) + x, torch.full((2, 2), 1.5) + x, torch.full_like(x, 3), torch.zeros_like(x), torch.ones_like(x), x.new_zeros(2), x.new_full((2,), 2), aten.fill(x, 4), torch.scalar_tensor(3.0) + x), torch.tensor(2.0))
case("full_dynamic", lambda x: (torch.zeros(x.shape[0], 2), torch.full((x.shape[0],), 7), torch.ones_like(x)), f(3, 4), dynamic=({0: DIM("n")},), more=[(f(5, 4),)])
case("arange", lambda x: (torch.arange(5) + x, torch.arange(2, 9, 3) + x, torch.arange(0.0, 1.0, 0.1) + x, torch.arange(5, 0, -2) + x, torch.linspace(0, 1, 7) + x, torch.eye(3) + x), torch.tensor(0.0))
case("arange_dynamic", lambda x: (torch.arange(x.shape[0]), torch.arange(1, x.shape[0], dtype=torch.float32), torch.arange(0, x.shape[0], 2), torch.eye(x.shape[0])), f(4), dynamic=({0: DIM.AUTO},), more=[(f(7),)])
case("triangle_indices", lambda x: (x[tuple(torch.triu_indices(4, 5, 1))], x[tuple(torch.tril_indices(4, 5, -1, dtype=torch.int32).long())]), torch.arange(20.0).reshape(4, 5))
TRIANGLES = [(4, 5), (5, 3, 2), (5, 3, -3), (3, 4, 7), (3, 4, -7), (0, 4), (3, 0), (1, 1), (1, 6, 1), (6, 1, -1)]
case("triangle_sizes", lambda x: (-x, *(make(*sizes, dtype=x.dtype) for make in (torch.tril_indices, torch.triu_indices) for sizes in TRIANGLES)), torch.tensor(2))

# ---- Attention.
Q, K, V = f(2, 4, 5, 8), f(2, 4, 6, 8), f(2, 4, 6, 8)
SDPA = F.scaled_dot_product_attention
MASK = i(2, 2, 1, 5, 6).bool()
MASK[..., 0] = True
case("attention", SDPA, Q, K, V)
case("attention_causal", lambda q, k, v: SDPA(q, k, v, is_causal=True), Q, K, V)
case("attention_bool", lambda q, k, v, m: SDPA(q, k, v, m), Q, K, V, MASK)
case("attention_float", lambda q, k, v, m: SDPA(q, k, v, m, scale=0.3), Q, K, V, f(5, 6))
EMPTY = MASK.clone()
EMPTY[0, 0, 2] = False
case("attention_empty_row", lambda q, k, v, m: SDPA(q, k, v, m), Q, K, V, EMPTY)
case("attention_grouped", lambda q, k, v: SDPA(q, k, v, enable_gqa=True), Q, f(2, 2, 6, 8), f(2, 2, 6, 8))
case("attention_3d", SDPA, f(2, 5, 8), f(2, 6, 8), f(2, 6, 3))
case("attention_dynamic", lambda q, k: SDPA(q, k, k, is_causal=True), f(2, 4, 5, 8), f(2, 4, 5, 8), dynamic=({0: DIM("b"), 2: DIM("t", min=2)}, {0: DIM("b"), 2: DIM("t", min=2)}), more=[(f(3, 4, 7, 8), f(3, 4, 7, 8))])

# ---- Recurrent networks.


def parameters(gates, width, hidden, layers=1, directions=1, biases=True):
    result = []
    for layer in range(layers):
        inputs = width if layer == 0 else hidden * directions
        for _ in range(directions):
            result += [f(gates * hidden, inputs), f(gates * hidden, hidden)]
            result += [f(gates * hidden), f(gates * hidden)] if biases else []
    return result


def recurrent(name, gates, state_count, layers, bidirectional, batch_first, biases, batched=True):
    directions = 2 if bidirectional else 1
    weights = parameters(gates, 4, 3, layers, directions, biases)
    x = f(2, 5, 4) if batched else f(5, 4)
    batch = (2 if batch_first else 5,) if batched else ()
    states = [f(layers * directions, *batch, 3) for _ in range(state_count)]

    def run(x, *states):
        state = states if state_count == 2 else states[0]
        args = (x, state, weights, biases, layers, 0.0, False, bidirectional, batch_first and batched)
        return getattr(torch, name)(*args)

    return run, x, *states


for name, gates, count in (("lstm", 4, 2), ("gru", 3, 1), ("rnn_tanh", 1, 1), ("rnn_relu", 1, 1)):
    case(name, *recurrent(name, gates, count, 1, False, True, True))
    case(name + "_deep", *recurrent(name, gates, count, 2, True, False, True))
    case(name + "_no_bias", *recurrent(name, gates, count, 1, False, False, False))
    if count == 1 and gates == 1:
        case(name + "_unbatched", *recurrent(name, gates, count, 1, False, False, True, batched=False))

# ---- Quantization.
import torch.ao.quantization.fx._decomposed  # noqa: E402, F401

quantized = torch.ops.quantized_decomposed


def quantize(x):
    q = quantized.quantize_per_tensor(x, 0.05, 3, -128, 127, torch.int8)
    narrow = quantized.quantize_per_tensor(x, 0.05, 3, -20, 20, torch.int8)
    unsigned = quantized.quantize_per_tensor(x, 0.05, 100, 0, 255, torch.uint8)
    return q, narrow, unsigned, quantized.dequantize_per_tensor(q, 0.05, 3, -128, 127, torch.int8)


def quantize_per_channel(x, scale, zero):
    q = quantized.quantize_per_channel(x, scale, zero, 1, -128, 127, torch.int8)
    return q, quantized.dequantize_per_channel(q, scale, zero, 1, -128, 127, torch.int8)


case("quantize", quantize, f(4, 5))
case("quantize_per_channel", quantize_per_channel, f(4, 3), u(3), torch.tensor([0, 3, -4]))

# ---- Sizes and control flow.
case("sizes", lambda x: (x.shape[0] * 2 + x.shape[1], x.numel(), x * (x.shape[0] % 3)), f(4, 5), dynamic=({0: DIM("a"), 1: DIM("b")},), more=[(f(7, 3),)])
case("integer_input", lambda x, n: (x * n + torch.ones(n, 3).sum(), n + 1), f(3), 5, dynamic=(None, DIM.DYNAMIC), more=[(f(3), 7)])
case("cond", lambda x: torch.cond(x.sum() > 0, lambda t: t.sin() + 1, lambda t: t.cos() * 2, (x,)), torch.ones(3), more=[(-torch.ones(3),)])


# ---- Large enough that kernels work on tiles of them: with vectors that are aligned and not, split sums, dynamic rows.
def whole(*sizes):
    """From -3 to 3: their sums are exact in any order."""
    return (torch.arange(math.prod(sizes)) * 7919 % 1009 % 7 - 3.0).reshape(sizes)


case("matmul_tiles", lambda a, b: (a @ b, a.half() @ b.half(), a.bfloat16() @ b.bfloat16(), b.half().t() @ a.half().t(), a.half()[:, 8:40] @ b.half()[8:40, :33]), whole(65, 72), whole(72, 50))
case("matmul_tiles_odd", lambda a, b: (a @ b, a.half() @ b.half()), whole(2, 1, 19, 37), whole(3, 37, 21))
case("matmul_tiles_split", lambda a, b: (a @ b, a.half() @ b.half()), whole(16, 512), whole(512, 24))
case("matmul_tiles_dynamic", lambda a, b: (a @ b, a.half() @ b.half()), whole(20, 40), whole(40, 16), dynamic=({0: DIM("rows")}, None), more=[(whole(33, 40), whole(40, 16))])
case("conv2d_tiles", lambda x, v, w: (F.conv2d(F.relu(F.conv2d(x, v, padding=(1, 2), stride=(1, 2))), w), F.conv2d(F.max_pool2d(F.conv2d(x.half(), v.half(), padding=1), 2), w.half())), whole(2, 16, 9, 11), whole(24, 16, 3, 3), whole(12, 24, 1, 1))
case("matmul_few_rows", lambda a, b, c: (a @ b, a @ c.t(), a.half() @ c.half().t(), a.bfloat16() @ b.bfloat16(), c @ a.t(), a[0] @ b, a.half()[:, None] @ c.half().t()), whole(3, 72), whole(72, 40), whole(40, 72))
case("matmul_few_rows_dynamic", lambda a, b, c: (a @ b, b.half().t() @ a.half().t(), c @ b.t()[:, :16].t()), whole(2, 64), whole(64, 40), whole(5, 16), dynamic=({1: DIM("k", min=16)}, {0: DIM("k", min=16)}, None), more=[(whole(2, 50), whole(50, 40), whole(5, 16))])


def quarters(*sizes):
    return whole(*sizes) / 4


# ---- Attention of half types, whose keys take several steps, or parts, each with queries that see few of them, or none.
SEEN = whole(20, 70) > -2
SEEN[3] = False
SEEN[4, :66] = False
ADDED = torch.where(SEEN, whole(20, 70), -math.inf)
ROUNDED = {"tolerance": 1e-2, "reason": "weights are rounded to the half type before they are multiplied"}
case("attention_halves", lambda q, k, v: (SDPA(q.half(), k.half(), v.half()), SDPA(q.bfloat16(), k.bfloat16(), v.bfloat16(), is_causal=True), SDPA(q[0].half(), k[0].half(), v[0].half(), scale=2)), quarters(2, 2, 20, 32), quarters(2, 2, 70, 32), quarters(2, 2, 70, 24), **ROUNDED)
case("attention_halves_masked", lambda q, k, v, seen, added: (SDPA(q.half(), k.half(), v.half(), seen), SDPA(q.half(), k.half(), v.half(), added.half())), quarters(1, 2, 20, 32), quarters(1, 2, 70, 32), quarters(1, 2, 70, 32), SEEN, ADDED, **ROUNDED)
case("attention_halves_grouped", lambda q, k, v: SDPA(q.half(), k.half(), v.half(), enable_gqa=True), quarters(1, 4, 1, 40), quarters(1, 2, 520, 40), quarters(1, 2, 520, 40), **ROUNDED)
case("attention_halves_dynamic", lambda q, k: SDPA(q.half(), torch.cat([k, -k], 2).half(), torch.cat([k, k], 2).half()), quarters(1, 2, 3, 16), quarters(1, 2, 50, 16), dynamic=({2: DIM("queries", min=2)}, {2: DIM("keys", min=2)}), more=[(quarters(1, 2, 64, 16), quarters(1, 2, 9, 16))], **ROUNDED)
case("attention_halves_unbounded", lambda q, k, v: SDPA(q.half(), k.half(), v.half()), quarters(1, 1, 17, 16) * torch.tensor([math.inf] + [1.0] * 16)[:, None], quarters(1, 1, 70, 16), torch.where(torch.arange(70 * 16).reshape(1, 1, 70, 16) % 97 == 5, math.inf, 1.0), **ROUNDED)
