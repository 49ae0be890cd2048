#include "passes/autocast.h"

#include <set>

#include "base/half.h"
#include "schema/operator_name.h"

namespace slipway::passes {
namespace {

using Names = std::set<std::string_view>;

// The lists of PyTorch's page on torch.amp, "Autocast Op Reference", for CPU and CUDA together, by
// the names that exported programs have. On which of them a device agrees is seen in the result.
const Names& lower_precision() {
  static const Names kNames = {"__matmul__",
                               "_convolution",
                               "addbmm",
                               "addmm",
                               "addmv",
                               "addr",
                               "baddbmm",
                               "bmm",
                               "chain_matmul",
                               "conv1d",
                               "conv2d",
                               "conv3d",
                               "conv_tbc",
                               "conv_transpose1d",
                               "conv_transpose2d",
                               "conv_transpose3d",
                               "convolution",
                               "einsum",
                               "gru",
                               "gru_cell",
                               "linalg_multi_dot",
                               "linalg_vecdot",
                               "linear",
                               "lstm",
                               "lstm_cell",
                               "matmul",
                               "mm",
                               "mv",
                               "prelu",
                               "rnn_relu",
                               "rnn_relu_cell",
                               "rnn_tanh",
                               "rnn_tanh_cell",
                               "scaled_dot_product_attention"};
  return kNames;
}

const Names& float32() {
  static const Names kNames = {"acos",
                               "adaptive_avg_pool3d",
                               "asin",
                               "avg_pool3d",
                               "binary_cross_entropy",
                               "binary_cross_entropy_with_logits",
                               "cdist",
                               "cosh",
                               "cosine_embedding_loss",
                               "cosine_similarity",
                               "cross_entropy_loss",
                               "cumprod",
                               "cumsum",
                               "dist",
                               "erfinv",
                               "exp",
                               "expm1",
                               "fft_fft",
                               "fft_fft2",
                               "fft_fftn",
                               "fft_hfft",
                               "fft_ifft",
                               "fft_ifft2",
                               "fft_ifftn",
                               "fft_ihfft",
                               "fft_irfft",
                               "fft_irfft2",
                               "fft_irfftn",
                               "fft_rfft",
                               "fft_rfft2",
                               "fft_rfftn",
                               "grid_sampler",
                               "grid_sampler_2d",
                               "grid_sampler_3d",
                               "group_norm",
                               "hinge_embedding_loss",
                               "huber_loss",
                               "kl_div",
                               "l1_loss",
                               "layer_norm",
                               "linalg_matrix_norm",
                               "linalg_norm",
                               "linalg_vector_norm",
                               "log",
                               "log10",
                               "log1p",
                               "log2",
                               "log_softmax",
                               "logsumexp",
                               "margin_ranking_loss",
                               "max_pool3d",
                               "max_unpool2d",
                               "max_unpool3d",
                               "mse_loss",
                               "multi_margin_loss",
                               "multilabel_margin_loss",
                               "nanquantile",
                               "native_layer_norm",
                               "nll_loss",
                               "nll_loss2d",
                               "nll_loss_nd",
                               "norm",
                               "nuclear_norm",
                               "pdist",
                               "poisson_nll_loss",
                               "polar",
                               "pow",
                               "prod",
                               "quantile",
                               "reciprocal",
                               "reflection_pad1d",
                               "reflection_pad2d",
                               "renorm",
                               "replication_pad1d",
                               "replication_pad2d",
                               "replication_pad3d",
                               "rsqrt",
                               "sinh",
                               "smooth_l1_loss",
                               "soft_margin_loss",
                               "softmax",
                               "softplus",
                               "stft",
                               "sum",
                               "tan",
                               "trace",
                               "triplet_margin_loss",
                               "upsample_bicubic2d",
                               "upsample_bilinear2d",
                               "upsample_linear1d",
                               "upsample_nearest1d",
                               "upsample_nearest2d",
                               "upsample_nearest3d",
                               "upsample_trilinear3d",
                               "view_as_complex"};
  return kNames;
}

const Names& widest() {
  static const Names kNames = {"addcdiv", "addcmul",   "atan2",      "bilinear",  "cat",
                               "cross",   "dot",       "index_copy", "index_put", "scatter_add",
                               "stack",   "tensordot", "vdot"};
  return kNames;
}

}  // namespace

bool autocast_casts(std::string_view op, DType result) {
  op = schema::aten_name(op);
  if (is_half(result)) return lower_precision().contains(op);
  const bool is_wide = result == DType::kFloat32 || result == DType::kComplex64;
  return is_wide && (float32().contains(op) || widest().contains(op));
}

}  // namespace slipway::passes
