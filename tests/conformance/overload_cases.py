"""Operators called directly: aliases, overloads and core forms that torch's functions don't lead to."""

import math

import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401

from table import case, f, i, u

aten = torch.ops.aten
quantized = torch.ops.quantized_decomposed
X, Y = f(3, 4), f(3, 4)
A, B = i(9, 3, 4, low=1), i(5, 3, 4, low=1)

# ---- Other names of the same.
case("aliases_element", lambda x: (aten.arcsin(x), aten.arccos(x), aten.arctan(x), aten.fix(x * 5), aten.negative(x), aten.positive(x), aten.sgn(x), aten.special_erf(x), aten.special_expit(x), aten.special_expm1(x), aten.special_exp2(x), aten.special_log1p(x.abs()), aten.erfc(x), aten.deg2rad(x), aten.rad2deg(x)), u(3, 4) * 2 - 1)
case("aliases_clip", lambda x, y: (aten.clip(x, -0.5, 0.5), aten.clamp_min.Tensor(x, y), aten.clamp_max.Tensor(x, y)), X, Y)
case("aliases_arithmetic", lambda x, y: (aten.multiply.Tensor(x, y), aten.divide.Tensor(x, y), aten.true_divide.Tensor(x, y), aten.subtract.Tensor(x, y), aten.arctan2(x, y)), X, Y)
case("aliases_compared", lambda x, y: (aten.greater.Tensor(x, y), aten.greater_equal.Tensor(x, y), aten.less.Tensor(x, y), aten.less_equal.Tensor(x, y), aten.not_equal.Tensor(x, y)), A, B)
case("aliases_compared_scalar", lambda x: (aten.greater.Scalar(x, 3), aten.greater_equal.Scalar(x, 3), aten.less.Scalar(x, 3), aten.less_equal.Scalar(x, 3), aten.not_equal.Scalar(x, 3)), A)
case("aliases_joined", lambda x, y: (aten.concat([x, y]), aten.concatenate([x, y], 1), aten.vstack([x, y])), X, Y)
case("aliases_moved", lambda x: (aten.moveaxis.int(x, 0, 1), aten.moveaxis.intlist(x, [0, 1], [1, 2]), aten.movedim.intlist(x, [0], [2]), aten.swapdims(x, 0, 1), aten.adjoint(x), aten.ravel(x), aten.broadcast_to(x[:, :1], [2, 3, 4])), f(2, 3, 4))
case("aliases_same", lambda x: (aten.clone(x), aten.detach(x), aten.lift_fresh(x), aten.resolve_conj(x), aten.resolve_neg(x), aten.conj(x), aten.alias(x) + 1), X)
case("aliases_like", lambda x, y: (aten.view_as(x, y), aten.reshape_as(x, y), aten.type_as(x, y), aten.to.other(x, y)), f(3, 4), A)
case("aliases_dims", lambda x: (aten.atleast_1d(x), aten.atleast_2d(x), aten.squeeze_copy.dims(x[None], [0]), aten.unsqueeze_copy(x, 0)), f(3))
case("aliases_products", lambda v, w, m: (aten.ger(v, w), aten.vdot(v, v), aten.mm(m, m.t())), f(3), f(4), f(3, 4))
case("aliases_dropout", lambda x: (aten.dropout(x, 0.5, False), aten.feature_dropout(x, 0.5, False), aten.alpha_dropout(x, 0.5, False), aten.native_dropout(x, 0.5, False)[0]), X)
case("converted", lambda x: (aten._to_copy(x, dtype=torch.float64), aten.to.dtype_layout(x, dtype=torch.int32, layout=torch.strided, device=torch.device("cpu")), aten.to.device(x, torch.device("cpu"), torch.float64)), A)

# ---- Overloads.
case("scalar_overloads", lambda x: (aten.add.Scalar(x, 2, 3), aten.sub.Scalar(x, 2.0), aten.mul.Scalar(x, 2.5), aten.div.Scalar(x, 4), aten.div.Scalar_mode(x, 2, rounding_mode="floor"), aten.floor_divide.Scalar(x, 2)), A)
case("bitwise_overloads", lambda x, y: (aten.bitwise_and.Tensor(x, y), aten.bitwise_or.Tensor(x, y), aten.bitwise_xor.Tensor(x, y), aten.bitwise_and.Scalar(x, 6), aten.bitwise_or.Scalar(x, 6), aten.bitwise_xor.Scalar(x, 6)), A, B)
case("shift_overloads", lambda x, y: (aten.bitwise_left_shift.Tensor(x, y), aten.bitwise_right_shift.Tensor(x, y), aten.bitwise_left_shift.Tensor_Scalar(x, 2), aten.bitwise_right_shift.Tensor_Scalar(x, 1)), A, B)
case("where_overloads", lambda c, x: (aten.where.ScalarSelf(c, 1.5, x), aten.where.Scalar(c, 1.5, 2.0), aten.where.ScalarOther(c, x, -math.inf)), A > 4, X)
case("fill_overloads", lambda x, v: (aten.fill.Tensor(x, v), aten.zero(x), aten.index_fill.int_Tensor(x, 0, torch.tensor([0, 2]), v), aten.lerp.Tensor(x, x + 1, x)), X, torch.tensor(3.0))
case("eye_overload", lambda x: aten.eye.m(3, 4) + x, X)
case("reduced_overloads", lambda x: (aten.std(x), aten.std.correction(x, [1], correction=0), *aten.std_mean(x), *aten.std_mean.correction(x, [0], correction=1), aten.var(x), *aten.var_mean(x), *aten.var_mean.correction(x, [1], correction=0), aten.count_nonzero.dim_IntList(x, [0])), X)
case("all_overloads", lambda x: (aten.all.dims(x, [0, 1]), aten.all.dim(x, 1), aten.any.dims(x, [1])), A > 2)
case("norm_overloads", lambda x: (aten.norm.Scalar(x, 2), aten.norm.ScalarOpt_dim(x, 2, [1]), aten.norm.ScalarOpt_dim_dtype(x, 2, [1], False, dtype=torch.float64)), X)
case("argsort_stable", lambda x: aten.argsort.stable(x, stable=True, dim=1, descending=False), i(3, 3, 8))
case("split_overloads", lambda x: (*aten.split.sizes(x, [1, 2]), *aten.tensor_split.indices(x, [1, 3], 1), *aten.meshgrid([x[0], x[1]])), X)
case("copied_views", lambda x: (aten.as_strided_copy(x, [2, 3], [1, 4]), aten.diagonal_copy(x), aten.expand_copy(x[:, :1], [3, 4]), aten.permute_copy(x, [1, 0]), aten.select_copy.int(x, 0, 1), aten.slice_copy.Tensor(x, 1, 1, 3), aten.squeeze_copy.dim(x[None], 0), aten.transpose_copy.int(x, 0, 1), aten.unfold_copy(x, 1, 2, 1), aten.view_copy(x, [4, 3]), aten.narrow_copy(x, 1, 1, 2), *aten.split_with_sizes_copy(x, [1, 2])), X)
case("diag_embed", lambda x: (aten.diag_embed(x), aten.diag_embed(x, 1, 0, 2)), X)
case("scatter_value_reduce", lambda x, a: aten.scatter.value_reduce(x, 1, a, 2.5, reduce="add"), X, i(4, 3, 4))
case("unsafe_forms", lambda x, a: (aten._unsafe_view(x, [4, 3]), aten._unsafe_index.Tensor(x, [a]), aten._unsafe_index_put(x, [a], x[:2] * 2)), X, torch.tensor([2, 0]))
case("emptied", lambda x: (aten.empty.memory_format([2, 3]) * 0 == 0, aten.empty_like(x).zero_() + x, aten.new_empty(x, [2]).fill_(3.0), aten.empty_strided([2, 3], [3, 1]).fill_(1.0), aten.new_empty_strided(x, [2, 2], [2, 1]).fill_(2.0), aten.empty_permuted([2, 3], [0, 1]).fill_(4.0)), X)
case("signbit", aten.signbit, torch.tensor([-1.0, 1.0, -math.inf, 2.0]))
case("local_scalar", lambda x, n: (x * n.item(), x + aten._local_scalar_dense(n)), X, torch.tensor(2.5))
case("assertions", lambda x: (aten._assert_async.msg(x.sum() > -1e9, "the sum"), x + 1)[1], X)

# ---- Core forms of layers.
IMAGE = f(2, 4, 6, 7)
case("core_softmax", lambda x: (aten._softmax(x, 1, False), aten._log_softmax(x, -1, False), aten._safe_softmax(x, 1), aten.log_sigmoid_forward(x)[0]), X)
case("core_prelu", lambda x, w: aten._prelu_kernel(x, w), IMAGE, f(1, 4, 1, 1))
case("core_convolution", lambda x, w, b: (aten.convolution(x, w, b, [2, 1], [1, 1], [1, 1], False, [0, 0], 2), aten._convolution(x, w, b, [1, 1], [0, 0], [1, 1], False, [0, 0], 2, False, False, True, True)), IMAGE, f(6, 2, 3, 3), f(6))
case("core_convolution_transposed", lambda x, w: aten.convolution(x, w, None, [2, 2], [1, 1], [1, 1], True, [1, 1], 1), IMAGE, f(4, 3, 3, 3))
case("convolutions_padded", lambda x, w, y, v: (aten.conv1d.padding(x, w, None, [1], "same"), aten.conv3d.padding(y, v, None, [1, 1, 1], "valid")), f(2, 3, 8), f(4, 3, 3), f(1, 2, 4, 5, 6), f(3, 2, 2, 2, 2))
case("core_batch_norm", lambda x, w, b, m, v: (aten._native_batch_norm_legit_no_training(x, w, b, m, v, 0.1, 1e-5)[0], aten.native_batch_norm(x, w, b, m, v, False, 0.1, 1e-5)[0]), IMAGE, f(4), f(4), f(4), u(4))
case("core_adaptive_pool", lambda x, y: (aten._adaptive_avg_pool2d(x, [2, 3]), aten._adaptive_avg_pool3d(y, [2, 1, 2])), IMAGE, f(1, 2, 4, 5, 6))
case("core_adaptive_max_pool", lambda x: aten.adaptive_max_pool1d(x, [4])[0], f(2, 3, 8))
case("core_adaptive_max_pool3d", lambda x: aten.adaptive_max_pool3d(x, [2, 1, 3])[0], f(1, 2, 4, 5, 6))
case("core_max_pool1d", lambda x: aten.max_pool1d_with_indices(x, [3], [2], [1]), f(2, 3, 8))
case("core_max_pool3d", lambda x: aten.max_pool3d_with_indices(x, [2, 2, 2], [2, 2, 2])[0], f(1, 2, 4, 4, 6))
case("core_pad", lambda x, y: (aten.constant_pad_nd(x, [1, 2, 0, 1], 1.5), aten.reflection_pad2d(x, [1, 2, 1, 0]), aten.replication_pad2d(x, [1, 2, 1, 0]), aten.reflection_pad1d(x[0], [2, 1]), aten.replication_pad1d(x[0], [2, 1]), aten.reflection_pad3d(y, [1, 0, 1, 1, 2, 1]), aten.replication_pad3d(y, [1, 0, 1, 1, 2, 1])), IMAGE, f(1, 2, 3, 4, 5))
case("core_upsample_nearest", lambda x, y, z: (aten.upsample_nearest1d(x, [9]), aten.upsample_nearest2d(y, [9, 5]), aten.upsample_nearest3d(z, [4, 6, 7]), aten._upsample_nearest_exact1d(x, [9]), aten._upsample_nearest_exact2d(y, [9, 5]), aten._upsample_nearest_exact3d(z, [4, 6, 7]), aten._upsample_nearest_exact1d.vec(x, [9], None), aten._upsample_nearest_exact3d.vec(z, [4, 6, 7], None)), f(1, 2, 5), IMAGE, f(1, 2, 3, 4, 5))
case("core_upsample_linear", lambda x, y, z: (aten.upsample_linear1d(x, [9], False), aten.upsample_bicubic2d(y, [9, 5], False), aten.upsample_trilinear3d(z, [4, 6, 7], True)), f(1, 2, 5), IMAGE, f(1, 2, 3, 4, 5))
case("core_grid_sampler", lambda x, g: (aten.grid_sampler_2d(x, g, 0, 0, False), aten.grid_sampler_2d(x, g, 1, 1, True)), IMAGE, u(2, 3, 5, 2) * 2.2 - 1.1)
case("core_grid_sampler_3d", lambda x, g: aten.grid_sampler_3d(x, g, 0, 0, False), f(1, 2, 3, 4, 5), u(1, 2, 3, 4, 3) * 2.2 - 1.1)
case("core_attention", lambda q, k: aten._scaled_dot_product_flash_attention_for_cpu(q, k, k, 0.0, True)[0], f(1, 2, 5, 8), f(1, 2, 5, 8))
case("core_cdist", lambda x, y: aten.cdist(x, y, 2.0), f(2, 3, 4), f(2, 5, 4))
case("embedding_bags", lambda w, a, o: (aten.embedding_bag(w, a, o)[0], aten.embedding_bag.padding_idx(w, a, o, False, 1, False, None, False, None)[0], aten._embedding_bag_forward_only(w, a, o)[0]), f(9, 4), torch.tensor([1, 4, 3, 8, 0]), torch.tensor([0, 2]))
case("quantized_by_tensors", lambda x, s, z: (quantized.quantize_per_tensor.tensor(x, s, z, -128, 127, torch.int8), quantized.dequantize_per_tensor.tensor((x * 9).to(torch.int8), s, z, -128, 127, torch.int8)), X, torch.tensor(0.05), torch.tensor(3))
