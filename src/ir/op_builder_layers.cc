// What computes over dimensions: reductions, products, normalization, pooling and resizing.
#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "ir/op_builder.h"
#include "ir/promotion.h"

namespace slipway::ir {

namespace {

std::vector<SymInt> reduced_sizes(const Value* x, const std::vector<int64_t>& dims, bool keepdim) {
  std::vector<SymInt> sizes;
  for (int64_t i = 0; i < x->rank(); ++i) {
    bool reduced = std::find(dims.begin(), dims.end(), i) != dims.end();
    if (!reduced) {
      sizes.push_back(x->sizes()[static_cast<size_t>(i)]);
    } else if (keepdim) {
      sizes.emplace_back(1);
    }
  }
  return sizes;
}

Argument optional_dtype(std::optional<DType> dtype) {
  return dtype ? Argument(*dtype) : Argument(None());
}

Argument optional_tensor(Value* value) { return value ? Argument(value) : Argument(None()); }

struct Window {
  SymInt kernel, stride, padding, dilation;
};

SymInt window_output(const SymInt& size, const Window& w, bool ceil_mode) {
  SymInt room = size + w.padding * 2 - w.dilation * (w.kernel - 1) - 1;
  if (!ceil_mode) return SymInt::floordiv(room, w.stride) + 1;
  SymInt rounded_up = SymInt::floordiv(room + w.stride - 1, w.stride) + 1;
  // The last window starts within the input or the padding before it.
  return SymInt::min(rounded_up, SymInt::floordiv(size + w.padding - 1, w.stride) + 1);
}

// [N, C, H, W] or [C, H, W] with H and W replaced.
std::vector<SymInt> with_image(const Value* x, const SymInt& height, const SymInt& width) {
  std::vector<SymInt> sizes = x->sizes();
  sizes[sizes.size() - 2] = height;
  sizes[sizes.size() - 1] = width;
  return sizes;
}

bool is_image(const Value* x) { return x->rank() == 3 || x->rank() == 4; }

// One number stands for both; nothing else but two is left.
std::optional<std::vector<SymInt>> pair_of(const std::vector<SymInt>& values) {
  if (values.size() == 1) return std::vector<SymInt>{values[0], values[0]};
  if (values.size() == 2) return values;
  return std::nullopt;
}

}  // namespace

Value* OpBuilder::reduce(const char* op, Value* x, std::vector<int64_t> dims, bool keepdim,
                         std::optional<DType> dtype, bool takes_dtype) {
  if (dims.empty()) {
    dims.resize(static_cast<size_t>(x->rank()));
    std::iota(dims.begin(), dims.end(), 0);
  }
  dims = checked_dims(x, dims, op);
  std::vector<Argument> args = {x, std::vector<SymInt>(dims.begin(), dims.end()), keepdim};
  DType result = dtype.value_or(x->dtype());
  if (takes_dtype) args.push_back(optional_dtype(dtype));
  return call(op, std::move(args), result, reduced_sizes(x, dims, keepdim));
}

Value* OpBuilder::sum(Value* x, std::vector<int64_t> dims, bool keepdim,
                      std::optional<DType> dtype) {
  if (!dtype && accumulation_type(x->dtype()) != x->dtype()) dtype = DType::kInt64;
  return reduce("aten.sum.dim_IntList", x, std::move(dims), keepdim, dtype, true);
}
Value* OpBuilder::mean(Value* x, std::vector<int64_t> dims, bool keepdim,
                       std::optional<DType> dtype) {
  return reduce("aten.mean.dim", x, std::move(dims), keepdim, dtype, true);
}
Value* OpBuilder::amax(Value* x, std::vector<int64_t> dims, bool keepdim) {
  return reduce("aten.amax.default", x, std::move(dims), keepdim, {}, false);
}
Value* OpBuilder::amin(Value* x, std::vector<int64_t> dims, bool keepdim) {
  return reduce("aten.amin.default", x, std::move(dims), keepdim, {}, false);
}

Value* OpBuilder::var(Value* x, std::vector<int64_t> dims, const Scalar& correction, bool keepdim) {
  if (dims.empty()) {
    dims.resize(static_cast<size_t>(x->rank()));
    std::iota(dims.begin(), dims.end(), 0);
  }
  dims = checked_dims(x, dims, "var");
  return call("aten.var.correction",
              {x, std::vector<SymInt>(dims.begin(), dims.end()), to_argument(correction), keepdim},
              x->dtype(), reduced_sizes(x, dims, keepdim));
}

Value* OpBuilder::any(Value* x, int64_t dim, bool keepdim) {
  dim = checked_dim(x, dim, "any");
  DType dtype = x->dtype() == DType::kUInt8 ? DType::kUInt8 : DType::kBool;
  return call("aten.any.dim", {x, SymInt(dim), keepdim}, dtype, reduced_sizes(x, {dim}, keepdim));
}
Value* OpBuilder::any(Value* x) {
  DType dtype = x->dtype() == DType::kUInt8 ? DType::kUInt8 : DType::kBool;
  return call("aten.any.default", {x}, dtype, {});
}

Value* OpBuilder::prod(Value* x, int64_t dim, bool keepdim, std::optional<DType> dtype) {
  dim = checked_dim(x, dim, "prod");
  return call("aten.prod.dim_int", {x, SymInt(dim), keepdim, optional_dtype(dtype)},
              dtype.value_or(accumulation_type(x->dtype())), reduced_sizes(x, {dim}, keepdim));
}

std::pair<Value*, Value*> OpBuilder::extremum(const char* op, Value* x, int64_t dim, bool keepdim) {
  dim = checked_dim(x, dim, op);
  std::vector<SymInt> sizes = reduced_sizes(x, {dim}, keepdim);
  Node* result = node(op, {x, SymInt(dim), keepdim});
  Value* values = graph_.add_output(result, TensorType{x->dtype(), sizes, {}});
  return {values, graph_.add_output(result, TensorType{DType::kInt64, sizes, {}})};
}
std::pair<Value*, Value*> OpBuilder::max_dim(Value* x, int64_t dim, bool keepdim) {
  return extremum("aten.max.dim", x, dim, keepdim);
}
std::pair<Value*, Value*> OpBuilder::min_dim(Value* x, int64_t dim, bool keepdim) {
  return extremum("aten.min.dim", x, dim, keepdim);
}

std::pair<Value*, Value*> OpBuilder::topk(Value* x, const SymInt& k, int64_t dim, bool largest,
                                          bool sorted) {
  dim = checked_dim(x, dim, "topk");
  std::vector<SymInt> sizes = x->sizes();
  if (!sizes.empty()) sizes[static_cast<size_t>(dim)] = k;
  Node* result = node("aten.topk.default", {x, k, SymInt(dim), largest, sorted});
  Value* values = graph_.add_output(result, TensorType{x->dtype(), sizes, {}});
  return {values, graph_.add_output(result, TensorType{DType::kInt64, sizes, {}})};
}

Value* OpBuilder::cumsum(Value* x, int64_t dim, std::optional<DType> dtype) {
  dim = checked_dim(x, dim, "cumsum");
  return call("aten.cumsum.default", {x, SymInt(dim), optional_dtype(dtype)},
              dtype.value_or(accumulation_type(x->dtype())), x->sizes());
}
Value* OpBuilder::softmax(Value* x, int64_t dim) {
  dim = checked_dim(x, dim, "softmax");
  return call("aten._softmax.default", {x, SymInt(dim), false}, x->dtype(), x->sizes());
}
Value* OpBuilder::log_softmax(Value* x, int64_t dim) {
  dim = checked_dim(x, dim, "log_softmax");
  return call("aten._log_softmax.default", {x, SymInt(dim), false}, x->dtype(), x->sizes());
}

// ---- Products.

Value* OpBuilder::mm(Value* a, Value* b) {
  if (a->rank() != 2 || b->rank() != 2 || !may_equal(a->sizes()[1], b->sizes()[0])) {
    return failed(invalid_file("mm: {} and {} do not multiply", format_sizes(a->sizes()),
                               format_sizes(b->sizes())));
  }
  return call("aten.mm.default", {a, b}, a->dtype(), {a->sizes()[0], b->sizes()[1]});
}

Value* OpBuilder::bmm(Value* a, Value* b) {
  if (a->rank() != 3 || b->rank() != 3 || !may_equal(a->sizes()[2], b->sizes()[1]) ||
      !may_equal(a->sizes()[0], b->sizes()[0])) {
    return failed(invalid_file("bmm: {} and {} do not multiply", format_sizes(a->sizes()),
                               format_sizes(b->sizes())));
  }
  return call("aten.bmm.default", {a, b}, a->dtype(),
              {a->sizes()[0], a->sizes()[1], b->sizes()[2]});
}

Value* OpBuilder::linear(Value* x, Value* weight, Value* bias) {
  if (x->rank() == 0 || weight->rank() != 2 || !may_equal(x->sizes().back(), weight->sizes()[1])) {
    return failed(invalid_file("linear: an input {} does not fit a weight {}",
                               format_sizes(x->sizes()), format_sizes(weight->sizes())));
  }
  std::vector<SymInt> sizes = x->sizes();
  sizes.back() = weight->sizes()[0];
  return call("aten.linear.default", {x, weight, optional_tensor(bias)}, x->dtype(),
              std::move(sizes));
}

Value* OpBuilder::convolution(Value* x, Value* weight, Value* bias, std::vector<SymInt> stride,
                              std::vector<SymInt> padding, std::vector<SymInt> dilation,
                              bool transposed, std::vector<SymInt> output_padding,
                              const SymInt& groups) {
  size_t spatial = stride.size();
  bool fits = x->sizes().size() == spatial + 2 && weight->sizes().size() == spatial + 2 &&
              padding.size() == spatial && dilation.size() == spatial &&
              (!transposed || output_padding.size() == spatial);
  for (const SymInt& step : stride) fits = fits && step != SymInt(0);
  if (!fits) {
    return failed(invalid_file("convolution: an input {}, a weight {} and a stride {} do not fit",
                               format_sizes(x->sizes()), format_sizes(weight->sizes()),
                               format_sizes(stride)));
  }
  std::vector<SymInt> sizes = x->sizes();
  sizes[1] = transposed ? weight->sizes()[1] * groups : weight->sizes()[0];
  for (size_t i = 0; i < spatial; ++i) {
    SymInt& size = sizes[i + 2];
    const SymInt& kernel = weight->sizes()[i + 2];
    if (transposed) {
      size = (size - 1) * stride[i] - padding[i] * 2 + dilation[i] * (kernel - 1) +
             output_padding[i] + 1;
    } else {
      size = window_output(size, {kernel, stride[i], padding[i], dilation[i]}, false);
    }
  }
  return call("aten.convolution.default",
              {x, weight, optional_tensor(bias), stride, padding, dilation, transposed,
               output_padding, groups},
              x->dtype(), std::move(sizes));
}

// ---- Normalization.

Value* OpBuilder::native_layer_norm(Value* x, std::vector<SymInt> normalized_shape, Value* weight,
                                    Value* bias, double eps) {
  if (normalized_shape.size() > x->sizes().size()) {
    return failed(invalid_file("native_layer_norm: {} has fewer dimensions than {}",
                               format_sizes(x->sizes()), format_sizes(normalized_shape)));
  }
  std::vector<SymInt> statistics = x->sizes();
  std::fill(statistics.end() - static_cast<int64_t>(normalized_shape.size()), statistics.end(),
            SymInt(1));
  Node* result = node("aten.native_layer_norm.default",
                      {x, normalized_shape, optional_tensor(weight), optional_tensor(bias), eps});
  Value* normalized = graph_.add_output(result, TensorType{x->dtype(), x->sizes(), {}});
  graph_.add_output(result, TensorType{x->dtype(), statistics, {}});
  graph_.add_output(result, TensorType{x->dtype(), statistics, {}});
  return normalized;
}

Value* OpBuilder::native_group_norm(Value* x, Value* weight, Value* bias, int64_t groups,
                                    double eps) {
  if (x->rank() < 2) {
    return failed(invalid_file("native_group_norm: {} has no channels", format_sizes(x->sizes())));
  }
  const std::vector<SymInt>& sizes = x->sizes();
  SymInt pixels = ir::numel(std::span(sizes).subspan(2));
  Node* result =
      node("aten.native_group_norm.default", {x, optional_tensor(weight), optional_tensor(bias),
                                              sizes[0], sizes[1], pixels, SymInt(groups), eps});
  std::vector<SymInt> statistics = {sizes[0], SymInt(groups)};
  Value* normalized = graph_.add_output(result, TensorType{x->dtype(), sizes, {}});
  graph_.add_output(result, TensorType{x->dtype(), statistics, {}});
  graph_.add_output(result, TensorType{x->dtype(), statistics, {}});
  return normalized;
}

Value* OpBuilder::batch_norm(Value* x, Value* weight, Value* bias, Value* mean, Value* var,
                             double momentum, double eps) {
  Node* result =
      node("aten._native_batch_norm_legit_no_training.default",
           {x, optional_tensor(weight), optional_tensor(bias), mean, var, momentum, eps});
  Value* normalized = graph_.add_output(result, TensorType{x->dtype(), x->sizes(), {}});
  graph_.add_output(result, TensorType{x->dtype(), {0}, {}});
  graph_.add_output(result, TensorType{x->dtype(), {0}, {}});
  return normalized;
}

// ---- Images.

Value* OpBuilder::avg_pool2d(Value* x, const std::vector<SymInt>& kernel,
                             const std::vector<SymInt>& stride, const std::vector<SymInt>& padding,
                             bool ceil_mode, bool count_include_pad,
                             std::optional<int64_t> divisor_override) {
  auto k = pair_of(kernel);
  auto s = stride.empty() ? k : pair_of(stride);
  auto p = pair_of(padding);
  if (!is_image(x) || !k || !s || !p || (*s)[0] == SymInt(0) || (*s)[1] == SymInt(0)) {
    return failed(
        invalid_file("avg_pool2d: the arguments do not fit {}", format_sizes(x->sizes())));
  }
  SymInt height = window_output(x->sizes().end()[-2], {(*k)[0], (*s)[0], (*p)[0], 1}, ceil_mode);
  SymInt width = window_output(x->sizes().back(), {(*k)[1], (*s)[1], (*p)[1], 1}, ceil_mode);
  Argument divisor = divisor_override ? Argument(SymInt(*divisor_override)) : Argument(None());
  return call("aten.avg_pool2d.default", {x, *k, *s, *p, ceil_mode, count_include_pad, divisor},
              x->dtype(), with_image(x, height, width));
}

std::pair<Value*, Value*> OpBuilder::max_pool2d_with_indices(
    Value* x, const std::vector<SymInt>& kernel, const std::vector<SymInt>& stride,
    const std::vector<SymInt>& padding, const std::vector<SymInt>& dilation, bool ceil_mode) {
  auto k = pair_of(kernel);
  auto s = stride.empty() ? k : pair_of(stride);
  auto p = pair_of(padding);
  auto d = pair_of(dilation);
  if (!is_image(x) || !k || !s || !p || !d || (*s)[0] == SymInt(0) || (*s)[1] == SymInt(0)) {
    Value* nothing =
        failed(invalid_file("max_pool2d: the arguments do not fit {}", format_sizes(x->sizes())));
    return {nothing, nothing};
  }
  SymInt height =
      window_output(x->sizes().end()[-2], {(*k)[0], (*s)[0], (*p)[0], (*d)[0]}, ceil_mode);
  SymInt width = window_output(x->sizes().back(), {(*k)[1], (*s)[1], (*p)[1], (*d)[1]}, ceil_mode);
  std::vector<SymInt> sizes = with_image(x, height, width);
  Node* result = node("aten.max_pool2d_with_indices.default", {x, *k, *s, *p, *d, ceil_mode});
  Value* values = graph_.add_output(result, TensorType{x->dtype(), sizes, {}});
  return {values, graph_.add_output(result, TensorType{DType::kInt64, sizes, {}})};
}

Value* OpBuilder::adaptive_avg_pool2d(Value* x, std::vector<SymInt> output_size) {
  auto size = pair_of(output_size);
  if (!is_image(x) || !size) {
    return failed(invalid_file("adaptive_avg_pool2d: {} does not fit {}", format_sizes(output_size),
                               format_sizes(x->sizes())));
  }
  return call("aten._adaptive_avg_pool2d.default", {x, *size}, x->dtype(),
              with_image(x, (*size)[0], (*size)[1]));
}

}  // namespace slipway::ir
