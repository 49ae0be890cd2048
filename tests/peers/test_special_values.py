"""Numbers, sizes and types that a kernel or an engine takes otherwise than PyTorch, unless it is asked in another way."""

import contextlib
import math
import pathlib
import sys

import pytest
import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401: its operators
import torch.nn.functional as F  # noqa: N812

from function_module import Function

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/fuzz_programs"))

from driver import Driver  # noqa: E402

inf, nan = math.inf, math.nan
aten, quantized = torch.ops.aten, torch.ops.quantized_decomposed
BAG = torch.nn.functional.embedding_bag
EVERY = ("none", "openvino", "onnx")
N = {0: torch.export.Dim("n", min=0, max=8)}
WIDE = torch.tensor([[1, -(2**31) + 1, 2, -16777217], [2**31 - 1, 6, 3, 2**31 - 2]], dtype=torch.int32)
TAIL = torch.tensor([-3.0, -1e-3, 0.0, 0.5, 2.0, 4.5, 6.0, 9.0, inf, -inf, nan])
STEPS = torch.tensor([-3.0, -1.0, 0.0, -0.0, 0.3, 1.75, 2.0, 9.0, inf, -inf, nan])
GRID = torch.tensor([[[0.3, -0.8], [nan, 0.2], [0.2, nan], [inf, -0.5], [0.7, -inf], [nan, -inf], [-2.6, 1.4]]])[None]
FAR = torch.tensor([[16.1488, 16.7419], [500.0, 500.5], [-3.0, 7.0]])

HUGE = torch.tensor([[inf, 3e38, 1e10, 1.0], [-inf, -3e38, -1e10, -1.0]])
LEVELS = (torch.int8, torch.uint8, torch.int16)
HOLES = torch.randn(1, 4, 8, 9, generator=torch.Generator().manual_seed(0))
HOLES[HOLES > 0.9], HOLES[HOLES < -1.2], HOLES[0, 0, 0, 1] = nan, -inf, inf

# Of each: the engines, the function, its sets of inputs, and which sizes are dynamic.
CASES = {
    "erfc_keeps_its_digits": (EVERY, lambda x: torch.special.erfc(x).log(), [(TAIL,)], None),
    "erfc_float64": (("none", "openvino"), lambda x: torch.special.erfc(x).log(), [(TAIL.double(),)], None),
    "erfc_float16": (EVERY, torch.special.erfc, [(TAIL.half(),)], None),
    "heaviside_of_erfc": (EVERY, lambda x: torch.heaviside(torch.special.erfc(x), x), [(TAIL[:8],)], None),
    "layer_norm_far_from_zero": (EVERY, lambda x: torch.nn.functional.layer_norm(x, [2], eps=0.0), [(FAR,)], None),
    "native_layer_norm_far_from_zero": (EVERY, lambda x: aten.native_layer_norm(x, [2], None, None, 0.0)[0], [(FAR,)], None),
    "rms_norm_of_bfloat16": (EVERY, lambda x: torch.nn.functional.rms_norm(x, [1]), [(torch.tensor([[0.0712890625], [1.0]], dtype=torch.bfloat16),)], None),
    "threshold_between_halves": (EVERY, lambda x: (torch.nn.functional.threshold(x, 0.3, 0.2), torch.nn.functional.threshold(-x, -0.3, 7.0)), [(torch.tensor([0.3, 0.29, 0.31, -1, nan]).half(),)], None),
    "stable_order_of_nan": (("none",), lambda x: (torch.argsort(x, stable=True), torch.sort(x, stable=True, descending=True)[1]), [(torch.tensor([nan, 1, nan, 0, nan, -0.0, 0]),)], None),
    "scattered_sums_of_halves": (("none", "openvino"), lambda x: (x.half().scatter_add(0, torch.zeros(3, dtype=torch.int64), torch.ones(3).half()), (x / 8).bfloat16().scatter_reduce(0, torch.zeros(3, dtype=torch.int64), torch.ones(3).bfloat16(), "mean")), [(torch.tensor([2048.0]),)], None),
    "half_beside_wider_number": (("none", "openvino"), lambda x: (x.half().mean() + x.mean(), x.bfloat16().mean() - x.mean(), torch.sub(x.half().sum(), x.double().sum(), alpha=2)), [(STEPS[:8],)], None),
    "norm_of_float16": (EVERY, lambda x: (x.norm(), torch.linalg.vector_norm(x), torch.dist(x, -x)), [(torch.full((40,), 60.0).half(),)], None),
    "dist_of_complex": (("none",), torch.dist, [(torch.tensor([1 + 2j, 3 - 1j]), torch.tensor([0.5j, 1 + 0j]))], None),
    "product_of_one_complex": (("none",), lambda x: torch.kron(x, x) * x[0], [(torch.tensor([1 + 2j]),)], None),
    "remainder_of_float64": (EVERY, lambda x, y: (torch.remainder(x, 0.3), torch.remainder(x, y), torch.remainder(-x, y), torch.fmod(x, 0.3)),
                             [(torch.tensor([1.0, -1.0, 0.0, 5.0], dtype=torch.float64), torch.tensor([0.3, 0.7, -0.1, inf], dtype=torch.float64))], None),
    "max_pool_keeps_nan": (("none",), lambda x: (F.max_pool2d(x, 2), F.max_pool2d(x, 3, 2, 1, ceil_mode=True), F.max_pool1d(x[:, 0], 17, 1, 8), F.adaptive_max_pool2d(x, (3, 2))),
                           [(HOLES.repeat(2, 1, 1, 1),), (HOLES,), (HOLES[:0],)], (N,)),
    "places_of_nan": (("none",), lambda x: (*F.max_pool2d(x, 2, return_indices=True), *F.max_pool2d(x, 3, 2, 1, return_indices=True), *F.max_pool2d(x, 2, 1, 1, 2, return_indices=True),
                                            *F.max_pool3d(x, 2, return_indices=True), *F.adaptive_max_pool2d(x, (3, 4), return_indices=True), *F.max_pool2d(x.half(), 2, return_indices=True), F.max_pool2d(x.double(), 2)),
                      [(HOLES,)], None),
    "quantized_infinities": (EVERY, lambda x, s, z: (*(quantized.quantize_per_tensor(x, 0.1, 3, torch.iinfo(dtype).min, torch.iinfo(dtype).max, dtype) for dtype in LEVELS),
                                                     quantized.quantize_per_tensor.tensor(x, s[0], z[0], -128, 127, torch.int8), quantized.quantize_per_channel(x, s, z, 0, -128, 127, torch.int8)),
                             [(HUGE, torch.tensor([0.1, 0.01]), torch.tensor([3, -4]))], None),
    "quantized_tokens": (("none", "openvino"), lambda x, s, z: (quantized.quantize_per_token(x, s, z, -128, 127, torch.int8), quantized.quantize_per_token(x, s.double(), z, -8, 7, torch.int8)),
                         [(HUGE, torch.tensor([[0.1], [0.01]]), torch.tensor([[3], [-4]]))], None),
    "addmm_without_self": (EVERY, lambda b, x, y: torch.addmm(b, x, y, beta=0, alpha=2), [(torch.full((2, 3), nan), torch.ones(2, 4), torch.ones(4, 3))], None),
    "linspace_wraps": (("none", "openvino"), lambda x: x + torch.linspace(-1, 1, 1, dtype=torch.uint8), [(torch.tensor([3], dtype=torch.uint8),)], None),
    "leaky_relu_of_infinity": (("none",), lambda x: torch.nn.functional.leaky_relu(x, -inf), [(torch.tensor([0.0, -0.0, 1.0, -2.0]),)], None),
    "elu_by_nothing": (EVERY, lambda x: aten.elu(x, 0, input_scale=-1.5), [(torch.tensor([17.5, -13.4, -0.5, 0.0]),)], None),
    "celu_of_float64": (EVERY, lambda x: torch.nn.functional.celu(x, 0.7), [(torch.tensor([1.0, -2.0, 0.0], dtype=torch.float64),)], None),
    "trunc_gives_negative_zero": (("none", "openvino"), lambda x: torch.trunc(x).rsqrt(), [(torch.tensor([-0.4, 0.4, 2.5, -0.0]),)], None),
    **{
        f"grid_{mode}_{padding}_{align}": (
            EVERY,
            lambda x, g, mode=mode, padding=padding, align=align: torch.nn.functional.grid_sample(x, g, mode, padding, align),
            [(torch.arange(24.0).reshape(1, 2, 3, 4).sin(), GRID)],
            None,
        )
        for mode in ("bilinear", "nearest", "bicubic")
        for padding in ("zeros", "border", "reflection")
        for align in (False, True)
    },
    "sign_of_nan": (EVERY, lambda x: (torch.sign(x), torch.sgn(x.double())), [(STEPS,)], None),
    "signbit_of_bools": (EVERY, torch.signbit, [(torch.tensor([True, False]),)], None),
    "median_of_nothing": (EVERY, lambda x: x.median(), [(torch.randn(n),) for n in (4, 0, 1, 5)], (N,)),
    "median_of_no_integers": (("none",), lambda x: x.median(), [(torch.arange(n) - 2,) for n in (4, 1, 5)], (N,)),
    "average_of_no_picture": (EVERY, lambda x: torch.nn.functional.adaptive_avg_pool2d(x, 1), [(torch.randn(n, 3, 2).movedim(0, 2)[None],) for n in (4, 0, 1)], ({3: N[0]},)),
    "fmod_of_nothing": (("none", "openvino"), lambda x: torch.fmod(torch.arange(x.shape[0]), x.shape[0]), [(torch.randn(n),) for n in (4, 0, 1)], (N,)),
    "triangle_of_int32": (EVERY, lambda x: (x.tril(), x.triu(1)), [(WIDE,), (WIDE[:1],)], (N,)),
    "choice_of_int32": (EVERY, lambda x: torch.where(torch.arange(x.shape[0])[:, None] > 0, x, 0), [(WIDE,), (WIDE[:1],)], (N,)),
    "rank_among_few": (EVERY, lambda b, x: (torch.bucketize(x, b), torch.bucketize(x, b, right=True, out_int32=True)), [(torch.tensor([-1.0, 0.0, 0.0, 2.0]), STEPS)], None),
    "rank_among_many": (EVERY, lambda b, x: (torch.bucketize(x, b), torch.searchsorted(b, x, right=True)),
                        [(torch.arange(-10, 11) / 4, STEPS[:n, None]) for n in (7, 0, 1)], (None, N)),
    "rank_among_rows": (EVERY, lambda b, x: (torch.searchsorted(b, x), torch.searchsorted(b.flip(-1), x, side="right", sorter=torch.arange(37).flip(0).expand(2, 37))),
                        [((torch.arange(74).reshape(2, 37) // 3) * 0.5 - 2, STEPS[:10].reshape(2, 5))], None),
    "bags_with_a_last_offset": (EVERY, lambda w, i, o: tuple(torch.nn.functional.embedding_bag(i, w, o, mode=mode, include_last_offset=True) for mode in ("sum", "mean")),
                                [(torch.randn(6, 3), torch.tensor([0, 5, 2, 2, 4, 1]), torch.tensor(o)) for o in ([0, 2, 2, 6], [0, 3, 4, 6])], None),
    "bags_of_every_kind": (EVERY, lambda w, i, o, f: (*(BAG(i, w, o, mode=mode, padding_idx=padding) for mode in ("sum", "mean", "max") for padding in (None, 2, -1)), BAG(i, w, o, mode="max", include_last_offset=True)[:2],
                                                      BAG(i, w, o, mode="sum", per_sample_weights=f)), [(torch.randn(6, 3), torch.tensor([0, 5, 2, 2, 4, 1]), torch.tensor(o), torch.randn(6)) for o in ([0, 2, 2, 6], [0, 0, 3, 6], [0, 1, 4, 5])], None),
    "bags_of_every_number": (EVERY, lambda w, i, o: tuple(BAG(i, w, o, mode=mode) for mode in ("sum", "mean", "max")), [(torch.randn(6, 3), torch.arange(n) % 6, torch.arange(m)) for n, m in ((7, 3), (8, 2), (2, 3))],
                             (None, {0: torch.export.Dim("n", min=2, max=8)}, {0: torch.export.Dim("m", min=2, max=8)})),
    "bags_that_are_even": (EVERY, lambda w, i, f: (*(BAG(i, w, mode=mode, padding_idx=padding) for mode in ("sum", "mean", "max") for padding in (None, 2, -1)), BAG(i, w, mode="sum", per_sample_weights=f)),
                           [(torch.randn(6, 3), (torch.arange(4 * n) * 5 % 6).reshape(n, 4).clamp(min=2), torch.randn(n, 4)) for n in (3, 1, 8)], (None, {0: torch.export.Dim("n", min=1, max=8)}, {0: torch.export.Dim("n", min=1, max=8)})),
    "rank_of_one_element": (EVERY, lambda x: (x.exp()[0] - torch.ones(1), x.relu()[:1].squeeze(0) + torch.ones(1, 1)), [(torch.tensor([2.5, -1.0]),)], None),
    "log1p_of_large_numbers": (EVERY, torch.log1p, [(torch.tensor([1e30, 3e38, 1e-30, -0.5, inf]),)], None),
    "largest_half": (EVERY, lambda x: torch.nan_to_num(x), [(torch.tensor([2.5, -inf, inf, nan]).half(),)], None),
    "largest_bfloat16": (("none", "openvino"), lambda x: torch.nan_to_num(x), [(torch.tensor([2.5, -inf, inf, nan]).bfloat16(),)], None),
    "abs_of_a_size": (EVERY, lambda x: (torch.full((), x.shape[0], dtype=torch.float32) - 4.5).abs() + x.sum(), [(torch.ones(n),) for n in (3, 7)], (N,)),
    "nearest_of_dynamic_sizes": (EVERY, lambda x, y: (torch.nn.functional.interpolate(x, size=(y.shape[0], 3)), torch.nn.functional.interpolate(x, size=(y.shape[0], 3), mode="nearest-exact")),
                                 [(torch.randn(1, 2, 30, 7), torch.zeros(n)) for n in (2, 7, 6, 1)], (None, N)),
    "floats_of_integers": (EVERY, lambda x: tuple(y for dtype in (torch.int64, torch.int32, torch.uint8, torch.bool) for y in (x.to(dtype).mean(-1, dtype=torch.float32), x.to(dtype).mean(dtype=torch.float32), x.to(dtype).prod(dtype=torch.float32))),
                           [(torch.tensor([[1.0, 0.0, 3.0], [250.0, 2.0, 7.0]]),)], None),
    "sizes_by_factors": (("none", "openvino"), lambda x: tuple(torch.nn.functional.interpolate(x, scale_factor=factor, mode=mode) for factor in (0.3, 1.1, 1.2) for mode in ("nearest", "nearest-exact", "bilinear")),
                         [(torch.randn(1, 2, n, 30),) for n in (23, 10, 20, 27, 28, 30, 64)], ({2: torch.export.Dim("n", min=8, max=64)},)),
    # Some multiples of these are rounded up to a whole number, and some are not.
    "sizes_by_rounded_factors": (("none", "openvino"), lambda x: tuple(torch.nn.functional.interpolate(x, scale_factor=(factor, 1.0), mode=mode).relu() for factor, mode in
                                                                       ((0.57, "nearest"), (0.57, "bilinear"), (0.7, "nearest"), (0.29, "nearest-exact"), (1.9, "bilinear"), (2.3, "nearest"))),
                                 [(torch.randn(1, 2, n, 3),) for n in range(10, 301)], ({2: torch.export.Dim("n", min=10, max=300)},)),
    "numbers_by_rounded_factors": (EVERY, lambda x: torch.zeros(torch.sym_int(x.shape[0] * 0.57)) + 1, [(torch.randn(n),) for n in range(10, 301)], ({0: torch.export.Dim("n", min=10, max=300)},)),
    "mean_of_scattered_integers": (EVERY, lambda x, i: x.scatter_reduce(1, i, x, "mean", include_self=False), [(WIDE, torch.zeros(2, 4, dtype=torch.int64))], None),
    "pdist_of_nothing": (("none",), lambda x: torch.pdist(x, inf), [(torch.zeros(3, 0).bfloat16(),)], None),
    "sinc_of_halves": (("none", "openvino"), torch.sinc, [(torch.tensor([1.0, 0.5, 0.0, 2.0]).half(),)], None),
    "average_of_no_channels": (("none",), lambda x: torch.nn.functional.adaptive_avg_pool2d(x, (1, 3)), [(torch.ones(n, n, 2, 1),) for n in (2, 0)], (N | {1: N[0]},)),
    "clamps_of_bools": (EVERY, lambda x: (aten.clamp_max(x, x), aten.clamp_min(x, ~x)), [(torch.tensor([True, False]),)], None),
    "bools_added_to_nothing": (EVERY, lambda x, y: (torch.add(x, y, alpha=False), torch.add(x, True, alpha=False), torch.add(x, y, alpha=True), aten.add.Scalar(x, True, False)), [(torch.tensor([True, False]), torch.tensor([True, True]))], None),
    "outer_of_bools": (EVERY, torch.outer, [(torch.tensor([True, False]), torch.tensor([False, True, True]))], None),
    "farthest_of_nothing": (EVERY, lambda x: (torch.cdist(x, x - 1, inf), aten._cdist_forward(x * 2, x, inf, None)), [(torch.ones(2, n),) for n in (4, 0, 1)], ({1: N[0]},)),
    "celu_of_halves": (EVERY, lambda x: torch.nn.functional.celu(x, 0.7), [(torch.tensor([1.0, -2.0, 0.0]).half(),)], None),
    "celu_of_infinity": (EVERY, lambda x: torch.nn.functional.celu(x, inf), [(torch.tensor([1.0, 2.5, 0.0, -0.0, -1.0, inf]),)], None),
    "gelu_of_float64": (EVERY, lambda x: torch.nn.functional.gelu(x, approximate="tanh"), [(torch.tensor([1.0, -2.0, 0.3], dtype=torch.float64),)], None),
    "huber_loss_of_infinities": (("none",), lambda x, y: torch.nn.functional.huber_loss(x, y, "none", delta=inf), [(torch.tensor([inf, 2.5]), torch.ones(2))], None),
    "halves_divided_by_one_number": (EVERY, lambda x, y: (torch.div(x, 0.3, rounding_mode="trunc"), torch.div(x, y[:1], rounding_mode="trunc"), torch.div(x, torch.tensor(0.3), rounding_mode="trunc"), torch.div(x, y, rounding_mode="trunc")),
                                     [(torch.tensor([-40.78125, 40.78125, 2.5]).half(), torch.tensor([0.7, 0.3, 1.7]).half())], None),
    "choice_beside_a_wider_number": (EVERY, lambda c, x, y: torch.where(c, x, y), [(torch.tensor([True, False]), torch.tensor([1.5, 2.5]).half(), torch.tensor(0.3))], None),
    "integers_added_by_a_fraction": (EVERY, lambda x: (aten.addcmul(x, x, x, value=0.5), aten.addcmul(x, x, x, value=2.5)), [(torch.tensor([3, 5, 1], dtype=torch.uint8),)], None),
    "leaky_relu_past_halves": (EVERY, lambda x: torch.nn.functional.leaky_relu(x, 1e5), [(torch.tensor([1.0, -1.0, -1e-3, 0.0]).half(),)], None),
    "counts_that_are_scaled": (EVERY, lambda x, c: ((x > 3).sum(-1) * 2, -(x > 3).sum(1), (x > 3).sum((1, 2)) + 1, x.to(torch.uint8).sum(-1) * 2, (x > 3).int().amax(-1) * 3, torch.searchsorted(c, x[:, 0], right=True) * 2,
                                                      x.count_nonzero(-1) - 1), [(torch.arange(16.0).reshape(4, 2, 2), torch.ones(2))], None),
    "counts_of_dynamic_sizes": (EVERY, lambda x: ((x > 3).sum(-1) * 2, (x > 3).sum(1) - 1), [(torch.arange(4.0 * n).reshape(n, 2, 2),) for n in (4, 0, 1, 6)], (N,)),
    "largest_of_large_integers": (EVERY, lambda x: x.amax(-1) & -2, [(WIDE.reshape(2, 2, 2),)], None),
    "adjoint_of_complex": (("none",), lambda x: (x.mH.abs(), torch.adjoint(x).angle(), torch.view_as_real(x.adjoint() * 2)), [(torch.tensor([[1 + 2j, 3 - 1j], [0.5j, 1 + 0j]]),)], None),
    "attention_adds_bools": (("none",), lambda q, m: aten._scaled_dot_product_attention_math(q, q * 2, q + 1, m)[0], [(torch.randn(1, 2, 3, 4), torch.tensor([[True, False, True]] * 3))], None),
    "weight_norm_of_a_row": (("none",), lambda v, g: torch._weight_norm(v, g, 0), [(torch.tensor([3.0, -2.0, 1e-30, 0.0]), torch.ones(4))], None),
    "norm_of_rows_of_one": (("none",), lambda x: (torch.linalg.vector_norm(x, dim=-1), x.norm(3, -1, True), torch.linalg.vector_norm(x, 0, dim=-1)), [(torch.tensor([[1e-30], [-1e30], [2.0], [0.0]]),)], None),
    "median_of_no_bytes": (("none",), lambda x: (x.to(torch.int8).median(), x.to(torch.uint8).median(), x.to(torch.int16).median()), [(torch.arange(n),) for n in (4, 0, 1, 5)], (N,)),
    "halves_to_a_small_power": (("none", "openvino"), lambda x: (x.pow(1e-8), x.pow(0.3)), [(torch.tensor([0.5, -0.25, 2.0, 0.0]).half(),)], None),
    "zeros_that_are_added_up": (("none",), lambda x: (x.cumsum(0).reciprocal(), x.logcumsumexp(0).reciprocal()), [(torch.tensor([-0.0, 2.0, -2.0]),)], None),
    "nothing_divided_by_zero": (("none",), lambda x, y: (torch.div(x, y, rounding_mode="floor"), torch.fmod(x, y), torch.remainder(x, y)),
                                [(torch.arange(n), torch.tensor([0 if n == 0 else 3])) for n in (4, 0, 1)], (N, None)),
    "narrow_from_the_end": (EVERY, lambda x: x.narrow(0, x.shape[0] - 2, 1), [(torch.randn(n, 2),) for n in (4, 1, 2, 6)], ({0: torch.export.Dim("n", min=1, max=8)},)),
    "elu_of_large_factors": (EVERY, lambda x: (aten.elu(x, 1, -1e9, 1e-8), aten.elu(x, 1e6)), [(torch.tensor([-0.126, 0.5, -1e-7, -3.0]),)], None),
    "celu_of_large_factors": (EVERY, lambda x: (torch.nn.functional.celu(x, 1e4), torch.nn.functional.celu(x, -1e9)), [(torch.tensor([-0.36, 0.5, -1e-3, -3.0]),), (torch.tensor([-0.36, 2.0, 0.0, -0.01]),)], None),
    "halves_times_nan": (("none", "openvino"), lambda x: (x * torch.tensor(nan).half(), x * torch.tensor([nan]).half(), x / torch.tensor(nan).half(), aten.xlogy(x.abs(), torch.tensor(nan).half())),
                         [(torch.tensor([1.0, -2.0]).half(),)], None),
    "channels_behind_reductions": (("none", "openvino"), lambda x: (torch.nn.functional.adaptive_avg_pool1d(x, 1).abs() - torch.arange(5.0)[:, None], x.mean(-1) * torch.arange(5.0), x.sum(0, keepdim=True) / torch.arange(1.0, 6)[:, None]),
                                   [(torch.randn(3, 5, 8),)], None),
    "integers_beside_quantized_numbers": (("openvino",), lambda x, i: (quantized.dequantize_per_tensor(quantized.quantize_per_tensor(x, 0.5, 3, -128, 127, torch.int8), 0.5, 3, -128, 127, torch.int8), torch.digamma(i), i.float()),
                                          [(torch.tensor([1.0, -2.0]), torch.tensor([2, 2**31, 2**53 + 1]))], None),
    "nothing_that_is_moved": (("none", "openvino"), lambda x, y: (x.unfold(0, 1, 1), y.t() * 2, torch.nn.functional.pixel_unshuffle(x, 1)), [(torch.ones(3, n, n, n), torch.randn(2, 1)) for n in (2, 0, 5)], ({1: N[0], 2: N[0], 3: N[0]}, None)),
    "lerp_by_infinity": (("none", "openvino"), lambda x: torch.lerp(x, torch.tensor([inf, 2.0]), torch.tensor([inf, 0.3])), [(torch.tensor([1.0, -3.0]),)], None),
    "mvlgamma_of_halves": (("none",), lambda x: torch.mvlgamma(x, 3), [(torch.tensor([1.75, 2.5, 8.0, 41.0]).half(),)], None),
    "decimals_of_halves": (("none", "openvino"), lambda x: (torch.round(x, decimals=2), torch.round(x, decimals=-1)), [(torch.tensor([0.4653, -1.2, 55.0, 1999.0]).half(),)], None),
    "clamp_by_nan": (("none", "openvino"), lambda x: (x.clamp(nan, 1.0), x.clip(max=nan), x.clamp_min(nan)), [(torch.tensor([0.5, -2.0, inf]),)], None),
    "bytes_that_wrap": (EVERY, lambda x: (torch.arange(250, 260, dtype=torch.uint8).float() + x, torch.arange(120, 140, 5, dtype=torch.int8).float()), [(torch.ones(1),)], None),
    "attention_over_no_width": (EVERY, lambda q, v: torch.nn.functional.scaled_dot_product_attention(q, q, v, scale=1.0), [(torch.randn(1, 2, 3, 0), torch.randn(1, 2, 3, 4))], None),
    "attention_with_a_mask_over_no_width": (("none", "openvino"), lambda q, m: torch.nn.functional.scaled_dot_product_attention(q, q, q, m, scale=1.0),
                                            [(torch.randn(1, 2, 3, n), torch.randn(1, 3)) for n in (4, 0, 1)], ({3: N[0]}, None)),
    "rank_of_one_choice": (EVERY, lambda x, y: (torch.where(x > 0, x, y)[:1].squeeze(0) + torch.ones(1, 1), (x * y + 1)[:1].view(()) - torch.ones(1)), [(torch.tensor([2.5, -1.0]), torch.tensor([1.0, 3.0]))], None),
    "running_extremes_of_zeros": (("none",), lambda x: (torch.signbit(torch.cummax(x, 0)[0]), torch.signbit(torch.cummin(x, 0)[0])),
                                  [(torch.tensor([-0.0, 0.0, -0.0, -0.0, 0.0]),)], None),
    "quantile_beside_infinity": (("none", "openvino"), lambda x: (x.quantile(0.25), x.quantile(0.5, interpolation="lower"), x.quantile(0.3, interpolation="higher")),
                                 [(torch.tensor([-inf, 1.0, 2.0, 3.0, inf]),), (torch.tensor([5.0, inf, inf, -1.0, 0.5]),)], None),
    "quantile_of_a_rounded_place": (("none", "openvino"), lambda x: (x.quantile(0.7, interpolation="lower"), x.quantile(0.9, interpolation="lower"), x.quantile(0.7, interpolation="nearest")),
                                    [(torch.arange(11.0),)], None),
    "large_factor": (EVERY, lambda x: ((x - 10) * 1e38, (x - 2.5) * inf, (x - 2.5) / 0.0, torch.lerp(torch.full_like(x, 0.5), x, inf)), [(torch.tensor([10.1, 9.9, -3.0]),)], None),
}


# PyTorch's own decomposition refuses these, or gives other numbers.
NOT_IN_CORE = {"integers_added_by_a_fraction", "celu_of_infinity", "weight_norm_of_a_row", "narrow_from_the_end"}


@pytest.mark.parametrize("dialect", ["training", "core"])
@pytest.mark.parametrize("name", CASES)
def test_gives_what_pytorch_gives(name, dialect, tmp_path):
    if dialect == "core" and name in NOT_IN_CORE:
        return
    engines, function, sets, dynamic = CASES[name]
    program = torch.export.export(Function(function), sets[0], dynamic_shapes=None if dynamic is None else (dynamic,), strict=False)
    torch.export.save(program.run_decompositions() if dialect == "core" else program, tmp_path / "program.pt2")
    for engine in engines:
        with contextlib.closing(Driver(ROOT / "build/release/fuzz_programs/program_driver", tmp_path)) as driver:
            found = driver.run(engine, tmp_path / "program.pt2", sets)
        assert not driver.refusals
        for inputs, outputs in zip(sets, found):
            expected = function(*inputs)
            assert not isinstance(outputs, str), (engine, outputs)
            for a, b in zip(outputs, expected if isinstance(expected, tuple) else (expected,), strict=True):
                bound = {torch.float64: 1e-9, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}.get(b.dtype, 1e-5)
                torch.testing.assert_close(a, b, rtol=bound, atol=bound, equal_nan=True, msg=lambda text: f"{engine}: {text}")
