#include "openvino/builder/exactness.h"

namespace slipway::openvino {

namespace {

constexpr Types kReal = kFloat | kInt | kByte | kBool;  // integers only become float32
constexpr Types kAll = kFloat | kInt | kByte | kBool;

constexpr Exactness taken(const char* targets, Types types, Integers integers = Integers::kIn32Bits,
                          const char* note = "") {
  return {targets, types, integers, -1, "", note};
}
constexpr Exactness moved(const char* targets, int index_argument = -1, const char* note = "") {
  return {targets, kAll, Integers::kMoved, index_argument, "", note};
}
constexpr Exactness refused(const char* targets, const char* why_not) {
  return {targets, 0, Integers::kMoved, -1, why_not, ""};
}

constexpr const char* kTies = "where equal elements are to keep their order";

constexpr Exactness kTable[] = {
    // Element by element.
    taken("aten.exp aten.log aten.sqrt aten.sin aten.cos aten.tan aten.asin aten.acos aten.atan "
          "aten.sinh aten.cosh aten.tanh aten.asinh aten.acosh aten.atanh aten.erf "
          "aten.special_erf aten.special_expit aten.arcsin aten.arctan aten.arccos aten.sigmoid "
          "aten.reciprocal aten.rsqrt aten.expm1 aten.special_expm1 aten.exp2 aten.special_exp2 "
          "aten.log1p aten.special_log1p aten.log2 aten.log10 "
          "aten.deg2rad aten.rad2deg",
          kReal),
    taken("aten.floor aten.ceil aten.round aten.trunc aten.fix aten.abs aten.neg aten.negative "
          "aten.sign aten.sgn aten.square",
          kFloat | kInt),
    taken("aten.round.decimals aten.frac aten.nan_to_num", kFloat),
    taken("aten.isnan aten.isinf aten.isfinite", kFloat | kInt | kBool),
    taken("aten.signbit", kFloat | kInt | kBool, Integers::kInFloat),
    taken("aten.logical_not aten.logical_and aten.logical_or aten.logical_xor", kAll),
    taken("aten.bitwise_not aten.bitwise_and.Tensor aten.bitwise_and.Scalar aten.bitwise_or.Tensor "
          "aten.bitwise_or.Scalar aten.bitwise_xor.Tensor aten.bitwise_xor.Scalar "
          "aten.__and__.Tensor aten.__and__.Scalar aten.__or__.Tensor aten.__or__.Scalar "
          "aten.__xor__.Tensor aten.__xor__.Scalar",
          kInt | kBool),
    moved("aten._to_copy aten.to.dtype aten.to.dtype_layout aten.to.device aten.to.other "
          "aten.type_as aten.float aten.alias aten.clone aten.contiguous aten.detach "
          "aten.lift_fresh_copy aten.lift_fresh aten.positive aten.resolve_conj aten.resolve_neg "
          "aten._conj aten.conj aten.dropout aten.feature_dropout aten.alpha_dropout "
          "aten.native_dropout aten.copy",
          -1, "float32 to int64"),
    taken("aten.clamp aten.clamp.Tensor aten.clip aten.clamp_min aten.clamp_min.Tensor "
          "aten.clamp_max aten.clamp_max.Tensor",
          kFloat | kInt),

    // Two operands.
    taken("aten.add.Tensor aten.add.Scalar aten.sub.Tensor aten.sub.Scalar aten.subtract.Tensor "
          "aten.rsub.Tensor aten.rsub.Scalar aten.mul.Tensor aten.mul.Scalar aten.multiply.Tensor "
          "aten.maximum aten.minimum aten.max.other aten.min.other",
          kFloat | kInt | kBool),
    taken("aten.div.Tensor aten.div.Scalar aten.true_divide.Tensor aten.divide.Tensor", kReal),
    taken("aten.div.Tensor_mode aten.div.Scalar_mode aten.floor_divide aten.floor_divide.Scalar "
          "aten.fmod.Tensor aten.fmod.Scalar aten.remainder.Tensor aten.remainder.Scalar "
          "aten.remainder.Scalar_Tensor",
          kInt, Integers::kInFloatTwice, "float32, whose quotient is rounded"),
    taken("aten.pow.Tensor_Tensor aten.pow.Tensor_Scalar aten.pow.Scalar", kFloat | kInt,
          Integers::kIn32Bits, "integer results but for exponents up to 3"),
    taken("aten.atan2 aten.arctan2 aten.hypot aten.addcmul aten.addcdiv aten.lerp.Scalar "
          "aten.lerp.Tensor",
          kFloat),
    taken("aten.eq.Tensor aten.eq.Scalar aten.ne.Tensor aten.ne.Scalar aten.lt.Tensor "
          "aten.lt.Scalar aten.le.Tensor aten.le.Scalar aten.gt.Tensor aten.gt.Scalar "
          "aten.ge.Tensor aten.ge.Scalar aten.less.Tensor aten.less.Scalar aten.less_equal.Tensor "
          "aten.less_equal.Scalar aten.greater.Tensor aten.greater.Scalar "
          "aten.greater_equal.Tensor aten.greater_equal.Scalar aten.not_equal.Tensor "
          "aten.not_equal.Scalar",
          kAll, Integers::kInFloat),
    refused("aten.bitwise_left_shift.Tensor aten.bitwise_left_shift.Tensor_Scalar "
            "aten.bitwise_right_shift.Tensor aten.bitwise_right_shift.Tensor_Scalar "
            "aten.__lshift__.Scalar aten.__rshift__.Scalar aten.__lshift__.Tensor "
            "aten.__rshift__.Tensor",
            "powers of two are computed in float32"),
    taken("aten.where.self aten.where.ScalarSelf aten.where.ScalarOther aten.where.Scalar "
          "aten.masked_fill.Scalar aten.masked_fill.Tensor",
          kAll),

    // Activations.
    taken("aten.relu", kFloat | kInt),
    taken("aten.gelu aten.silu aten.hardtanh aten.relu6 aten.hardsigmoid aten.hardswish "
          "aten.leaky_relu aten.elu aten.selu aten.celu aten.softplus aten.mish aten.log_sigmoid "
          "aten.log_sigmoid_forward aten.prelu aten._prelu_kernel aten.tanhshrink aten.softsign "
          "aten.hardshrink aten.softshrink aten.threshold aten.glu",
          kFloat),
    taken("aten._softmax aten.softmax.int aten._log_softmax aten.log_softmax.int "
          "aten._safe_softmax",
          kReal),

    // Layers.
    taken("aten.mm aten.bmm aten.matmul aten.mv aten.dot aten.vdot aten.linear aten.addmm "
          "aten.addmv aten.baddbmm aten.addbmm aten.outer aten.ger aten.einsum "
          "aten._cdist_forward aten.cdist",
          kFloat),
    taken("aten.convolution aten._convolution aten.conv1d aten.conv2d aten.conv3d "
          "aten.conv1d.padding aten.conv2d.padding aten.conv3d.padding aten.conv_transpose1d "
          "aten.conv_transpose2d.input aten.conv_transpose3d.input aten.im2col",
          kFloat),
    refused("aten.col2im", "it has no Col2Im"),
    taken("aten.max_pool1d aten.max_pool2d aten.max_pool3d aten.max_pool1d_with_indices "
          "aten.max_pool2d_with_indices aten.max_pool3d_with_indices",
          kFloat | kInt, Integers::kInFloat),
    taken("aten.avg_pool1d aten.avg_pool2d aten.avg_pool3d aten.adaptive_avg_pool1d "
          "aten.adaptive_avg_pool2d aten.adaptive_avg_pool3d aten._adaptive_avg_pool2d "
          "aten._adaptive_avg_pool3d aten.adaptive_max_pool1d aten.adaptive_max_pool2d "
          "aten.adaptive_max_pool3d",
          kFloat),
    taken("aten.upsample_nearest1d aten.upsample_nearest1d.vec aten.upsample_nearest2d "
          "aten.upsample_nearest2d.vec aten.upsample_nearest3d aten.upsample_nearest3d.vec "
          "aten._upsample_nearest_exact1d aten._upsample_nearest_exact1d.vec "
          "aten._upsample_nearest_exact2d aten._upsample_nearest_exact2d.vec "
          "aten._upsample_nearest_exact3d aten._upsample_nearest_exact3d.vec "
          "aten.upsample_linear1d aten.upsample_linear1d.vec aten.upsample_bilinear2d "
          "aten.upsample_bilinear2d.vec aten.upsample_trilinear3d aten.upsample_trilinear3d.vec "
          "aten.upsample_bicubic2d aten.upsample_bicubic2d.vec",
          kFloat),
    taken("aten.grid_sampler_2d aten.grid_sampler_3d aten.grid_sampler", kFloat,
          Integers::kIn32Bits),
    taken("aten.layer_norm aten.native_layer_norm aten.rms_norm aten.batch_norm "
          "aten.native_batch_norm aten._native_batch_norm_legit "
          "aten._native_batch_norm_legit_no_training aten._native_batch_norm_legit.no_stats "
          "aten.group_norm aten.native_group_norm aten.instance_norm",
          kFloat),
    taken("aten.scaled_dot_product_attention aten._scaled_dot_product_flash_attention_for_cpu",
          kFloat | kBool),
    taken("aten.lstm.input aten.gru.input aten.rnn_tanh.input aten.rnn_relu.input", kFloat),

    // Reductions, sorting and scans.
    taken("aten.sum aten.sum.dim_IntList aten.count_nonzero aten.count_nonzero.dim_IntList", kAll,
          Integers::kInFloat),
    taken("aten.amax aten.amin aten.max aten.min aten.max.dim aten.min.dim aten.aminmax "
          "aten.argmax aten.argmin",
          kFloat | kInt | kBool, Integers::kInFloat),
    taken("aten.any aten.any.dim aten.any.dims aten.all aten.all.dim aten.all.dims", kAll),
    taken("aten.mean aten.mean.dim aten.prod aten.prod.dim_int aten.var aten.var.dim "
          "aten.var.correction aten.std aten.std.dim aten.std.correction aten.var_mean "
          "aten.var_mean.dim aten.var_mean.correction aten.std_mean aten.std_mean.dim "
          "aten.std_mean.correction aten.logsumexp aten.linalg_vector_norm aten.norm.Scalar "
          "aten.norm.ScalarOpt_dim aten.norm.ScalarOpt_dim_dtype",
          kFloat),
    taken("aten.cumsum", kFloat | kInt | kBool),
    taken("aten.topk aten.sort aten.sort.stable aten.argsort aten.argsort.stable", kFloat | kInt,
          Integers::kIn32Bits, kTies),

    // Shapes.
    moved("aten.view aten.reshape aten._unsafe_view aten.flatten.using_ints aten.unflatten.int "
          "aten.squeeze aten.squeeze.dim aten.squeeze.dims aten.view_as aten.reshape_as aten.ravel "
          "aten.atleast_1d aten.atleast_2d aten.view_copy aten.squeeze_copy.dim "
          "aten.squeeze_copy.dims aten.permute aten.permute_copy aten.transpose.int aten.swapaxes "
          "aten.swapdims aten.t aten.mT aten.adjoint aten.transpose_copy.int aten.movedim.int "
          "aten.movedim.intlist aten.moveaxis.int aten.moveaxis.intlist aten.unsqueeze "
          "aten.unsqueeze_copy aten.expand aten.expand_as aten.broadcast_to aten.expand_copy "
          "aten.slice.Tensor aten.slice_copy.Tensor aten.narrow aten.narrow_copy aten.select.int "
          "aten.select_copy.int aten.cat aten.concat aten.concatenate aten.hstack aten.vstack "
          "aten.stack aten.split.Tensor aten.split.sizes aten.split_with_sizes aten.chunk "
          "aten.tensor_split.sections aten.tensor_split.indices aten.split_with_sizes_copy "
          "aten.unbind.int aten.repeat aten.tile aten.repeat_interleave.self_int aten.flip "
          "aten.roll aten.as_strided aten.as_strided_copy aten.diagonal aten.diagonal_copy "
          "aten.diag_embed aten.diag aten.unfold aten.unfold_copy aten.pixel_shuffle "
          "aten.pixel_unshuffle aten.channel_shuffle aten.meshgrid aten.meshgrid.indexing "
          "aten.broadcast_tensors aten.tril aten.triu"),
    moved("aten.constant_pad_nd aten.pad", -1,
          "circular padding; integers beyond 2^24 as the padding's value"),
    taken("aten.reflection_pad1d aten.reflection_pad2d aten.reflection_pad3d "
          "aten.replication_pad1d aten.replication_pad2d aten.replication_pad3d",
          kFloat),

    // By index.
    moved("aten.embedding aten.index.Tensor aten._unsafe_index.Tensor aten.take", 1),
    moved("aten.index_select aten.gather", 2),
    moved("aten.nonzero aten.masked_select"),
    taken("aten._embedding_bag aten._embedding_bag_forward_only aten.embedding_bag "
          "aten.embedding_bag.padding_idx",
          kFloat | kInt, Integers::kInFloat),
    taken("aten.one_hot", kInt, Integers::kInFloat),
    moved("aten.index_put aten._unsafe_index_put", 1, "accumulation but by one vector of places"),
    moved("aten.index_copy aten.index_fill.int_Scalar aten.index_fill.int_Tensor", 2),
    {"aten.index_add aten.scatter.src aten.scatter.value aten.scatter.reduce "
     "aten.scatter.value_reduce aten.scatter_add aten.scatter_reduce.two",
     kFloat | kInt, Integers::kIn32Bits, 2, "",
     "`scatter_reduce` of floats with amax or amin, where NaN would be lost; sums and products of "
     "half types, which PyTorch rounds at each step"},
    moved("aten.slice_scatter aten.select_scatter"),

    // Making tensors.
    moved("aten.zeros aten.zeros_like aten.new_zeros aten.empty.memory_format aten.empty_like "
          "aten.new_empty aten.empty_strided aten.new_empty_strided aten.empty_permuted aten.zero "
          "aten.ones aten.ones_like aten.new_ones aten.full aten.full_like aten.new_full "
          "aten.fill.Scalar aten.fill.Tensor aten.scalar_tensor aten.arange aten.arange.start "
          "aten.arange.start_step aten.linspace aten.eye aten.eye.m"),
    taken("aten.tril_indices aten.triu_indices", kInt, Integers::kMoved),

    // Quantization.
    taken(
        "quantized_decomposed.quantize_per_tensor quantized_decomposed.quantize_per_tensor.tensor "
        "quantized_decomposed.dequantize_per_tensor "
        "quantized_decomposed.dequantize_per_tensor.tensor "
        "quantized_decomposed.quantize_per_channel quantized_decomposed.dequantize_per_channel",
        kFloat | kInt | kByte, Integers::kInFloat),
    refused("quantized_decomposed.dequantize_per_channel_group slipway.fake_quantize_rows",
            "written as its parts"),

    // Numbers and control flow.
    taken("aten.sym_size.int aten.sym_numel _operator.floordiv _operator.mod torch.sym_max "
          "torch.sym_min torch.sym_int math.trunc math.floor math.ceil _operator.add _operator.sub "
          "_operator.mul _operator.truediv _operator.pow _operator.lt _operator.gt _operator.le "
          "_operator.ge _operator.eq _operator.ne _operator.and_ _operator.or_ _operator.neg "
          "torch.sym_not _operator.not_ torch.sym_float aten._assert_scalar "
          "aten._assert_tensor_metadata aten.sym_constrain_range "
          "aten.sym_constrain_range_for_size",
          kAll),
    refused("aten._local_scalar_dense aten.item aten._assert_async.msg",
            "the program needs the number itself"),
    taken("higher_order.cond", kFloat | kInt | kBool, Integers::kIn32Bits,
          "branches with a node that stays outside"),
};

}  // namespace

std::span<const Exactness> exactness_table() { return kTable; }

}  // namespace slipway::openvino
