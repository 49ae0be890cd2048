// Makes functional nodes with the result types that PyTorch would give them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "ir/graph.h"
#include "slipway/result.h"

namespace slipway::ir {

// A number as an operator's argument.
using Scalar = std::variant<SymInt, double, bool>;
Argument to_argument(const Scalar& scalar);
// The number that an argument of the schema's type Scalar, int, float or bool holds, if it does.
std::optional<Scalar> to_scalar(const Argument& argument);
// Requires a scalar that is not a symbolic expression.
double to_double(const Scalar& scalar);

// The right side of a binary operator: a tensor or a number.
class Operand {
 public:
  Operand(Value* tensor) : content_(tensor) {}             // NOLINT(google-explicit-constructor)
  Operand(Scalar number) : content_(std::move(number)) {}  // NOLINT(google-explicit-constructor)
  Operand(SymInt number)
      : content_(Scalar(std::move(number))) {}               // NOLINT(google-explicit-constructor)
  Operand(int number) : content_(Scalar(SymInt(number))) {}  // NOLINT(google-explicit-constructor)
  Operand(int64_t number)
      : content_(Scalar(SymInt(number))) {}             // NOLINT(google-explicit-constructor)
  Operand(double number) : content_(Scalar(number)) {}  // NOLINT(google-explicit-constructor)
  Operand(bool number) : content_(Scalar(number)) {}    // NOLINT(google-explicit-constructor)

  // Null for a number.
  Value* tensor() const {
    return std::holds_alternative<Value*>(content_) ? std::get<Value*>(content_) : nullptr;
  }
  // Requires a number.
  const Scalar& number() const { return std::get<Scalar>(content_); }

 private:
  std::variant<Value*, Scalar> content_;
};

// The sizes of a broadcast; an error when two constants differ. Where a symbol meets another size
// than 1, both are taken to be equal, as PyTorch's guards have ensured, and a constant is
// preferred.
Result<std::vector<SymInt>> broadcast_sizes(std::span<const SymInt> a, std::span<const SymInt> b);

// Adds nodes at one place of a graph. Every method returns results that can be used at once. When
// arguments do not fit (a dimension out of range, sizes that do not multiply), status() keeps the
// first such error, and the method returns a 0-dim tensor so that the caller may go on and check
// once at the end.
//
// Dimensions may be negative, as in PyTorch. Results have no strides: they count as contiguous.
class OpBuilder {
 public:
  // New nodes go before `before` (null: at the end) and take their trace from `origin` (may be
  // null).
  OpBuilder(Graph& graph, Node* before, const Node* origin)
      : graph_(graph), before_(before), origin_(origin) {}

  Graph& graph() const { return graph_; }
  const Status& status() const { return status_; }
  // Keeps the error, unless there is one already; for callers that find something that does not
  // fit.
  void fail(Error error);

  // Any operator, with known results. Arguments that the operator's schema has after the given ones
  // take their defaults.
  Node* node(const std::string& op, std::vector<Argument> args);
  Value* call(const std::string& op, std::vector<Argument> args, TensorType type);
  Value* call(const std::string& op, std::vector<Argument> args, DType dtype,
              std::vector<SymInt> sizes);

  // ---- Element by element, with broadcasting and promotion.
  // A number as `b` gives the .Scalar overload.
  Value* add(Value* a, const Operand& b, const Scalar& alpha = SymInt(1));  // a + alpha * b
  Value* sub(Value* a, const Operand& b, const Scalar& alpha = SymInt(1));
  Value* rsub(Value* a, const Scalar& b);  // b - a
  Value* mul(Value* a, const Operand& b);
  Value* div(Value* a, const Operand& b);                                    // true division
  Value* div_mode(Value* a, const Operand& b, const std::string& rounding);  // "floor", "trunc"
  Value* remainder(Value* a, const Operand& b);
  Value* pow(Value* base, const Operand& exponent);
  Value* pow(const Scalar& base, Value* exponent);
  Value* maximum(Value* a, Value* b);
  Value* minimum(Value* a, Value* b);
  Value* atan2(Value* a, Value* b);
  Value* eq(Value* a, const Operand& b);
  Value* ne(Value* a, const Operand& b);
  Value* lt(Value* a, const Operand& b);
  Value* le(Value* a, const Operand& b);
  Value* gt(Value* a, const Operand& b);
  Value* ge(Value* a, const Operand& b);
  Value* logical_and(Value* a, Value* b);
  Value* logical_or(Value* a, Value* b);
  Value* logical_not(Value* x);
  Value* where(Value* condition, Value* a, Value* b);
  Value* masked_fill(Value* x, Value* mask, const Scalar& value);
  // Either bound may be missing, not both.
  Value* clamp(Value* x, const std::optional<Scalar>& min, const std::optional<Scalar>& max);
  Value* clamp_tensor(Value* x, Value* min, Value* max);  // null: no bound

  // aten.<name>.default of one tensor: abs, neg, exp, log, sqrt, sin, relu, sign, floor, isnan, ...
  // Those that are only defined on real numbers turn integers into float32; isnan, isinf,
  // isfinite, signbit and logical_not give bools.
  Value* unary(std::string_view name, Value* x);
  Value* abs(Value* x) { return unary("abs", x); }
  Value* neg(Value* x) { return unary("neg", x); }
  Value* exp(Value* x) { return unary("exp", x); }
  Value* log(Value* x) { return unary("log", x); }
  Value* log1p(Value* x) { return unary("log1p", x); }
  Value* sqrt(Value* x) { return unary("sqrt", x); }
  Value* rsqrt(Value* x) { return unary("rsqrt", x); }
  Value* reciprocal(Value* x) { return unary("reciprocal", x); }
  Value* sigmoid(Value* x) { return unary("sigmoid", x); }
  Value* tanh(Value* x) { return unary("tanh", x); }
  Value* erf(Value* x) { return unary("erf", x); }
  Value* relu(Value* x) { return unary("relu", x); }
  Value* sin(Value* x) { return unary("sin", x); }
  Value* cos(Value* x) { return unary("cos", x); }
  Value* floor(Value* x) { return unary("floor", x); }
  Value* round(Value* x) { return unary("round", x); }
  Value* trunc(Value* x) { return unary("trunc", x); }
  Value* sign(Value* x) { return unary("sign", x); }
  Value* isnan(Value* x) { return unary("isnan", x); }
  Value* isinf(Value* x) { return unary("isinf", x); }
  Value* gelu(Value* x, const std::string& approximate = "none");  // or "tanh"
  Value* leaky_relu(Value* x, const Scalar& negative_slope);
  Value* elu(Value* x, const Scalar& alpha, const Scalar& scale, const Scalar& input_scale);
  // x itself where it has the type already.
  Value* to_dtype(Value* x, DType dtype);

  // ---- Making tensors.
  Value* full(std::vector<SymInt> sizes, const Scalar& value, DType dtype);
  Value* zeros(std::vector<SymInt> sizes, DType dtype) { return full(std::move(sizes), 0, dtype); }
  Value* ones(std::vector<SymInt> sizes, DType dtype) { return full(std::move(sizes), 1, dtype); }
  Value* full_like(Value* x, const Scalar& value);
  Value* full_like(Value* x, const Scalar& value, DType dtype);
  Value* scalar_tensor(const Scalar& value, DType dtype);  // 0-dim
  // Integers only; the sizes of other ranges depend on rounding.
  Value* arange(const SymInt& start, const SymInt& end, const SymInt& step = 1,
                DType dtype = DType::kInt64);
  Value* arange(const SymInt& end, DType dtype = DType::kInt64) { return arange(0, end, 1, dtype); }

  // ---- Shapes. By the operators that copy, as kernels do: aten.view_copy, aten.permute_copy, ...;
  // what only adds, drops or merges dimensions is a view_copy.
  Value* view(Value* x, std::vector<SymInt> sizes);  // one size may be -1
  Value* permute(Value* x, std::vector<int64_t> dims);
  Value* transpose(Value* x, int64_t a, int64_t b);
  Value* unsqueeze(Value* x, int64_t dim);
  // A dimension whose size is not 1 stays.
  Value* squeeze(Value* x, int64_t dim);
  Value* squeeze(Value* x, std::vector<int64_t> dims);
  Value* expand(Value* x, std::vector<SymInt> sizes);  // -1 keeps a size
  // start and end as Python takes them: negative ones count from the end, both are clamped.
  Value* slice(Value* x, int64_t dim, const SymInt& start, const SymInt& end,
               const SymInt& step = 1);
  Value* narrow(Value* x, int64_t dim, const SymInt& start, const SymInt& length);  // by slice
  Value* select(Value* x, int64_t dim, const SymInt& index);
  Value* cat(const std::vector<Value*>& tensors, int64_t dim);
  Value* stack(const std::vector<Value*>& tensors, int64_t dim);
  std::vector<Value*> split_with_sizes(Value* x, const std::vector<SymInt>& sizes, int64_t dim);
  // Pieces of `size`, the last one smaller; needs a constant number of pieces.
  std::vector<Value*> split(Value* x, const SymInt& size, int64_t dim);
  std::vector<Value*> unbind(Value* x, int64_t dim);  // needs a constant size
  Value* repeat(Value* x, std::vector<SymInt> repeats);
  Value* flip(Value* x, std::vector<int64_t> dims);
  Value* roll(Value* x, std::vector<SymInt> shifts, std::vector<int64_t> dims);
  Value* diagonal(Value* x, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1);
  // Pairs (before, after) from the last dimension on, as in PyTorch.
  Value* constant_pad_nd(Value* x, std::vector<SymInt> pad, const Scalar& value = 0.0);

  // ---- Reading and writing by index.
  Value* gather(Value* x, int64_t dim, Value* index);
  Value* index_select(Value* x, int64_t dim, Value* index);
  // Null: the whole dimension. Masks are not accepted: their result's size is data.
  Value* index(Value* x, const std::vector<Value*>& indices);
  Value* index_put(Value* x, const std::vector<Value*>& indices, Value* values,
                   bool accumulate = false);
  Value* embedding(Value* weight, Value* indices);
  Value* scatter(Value* x, int64_t dim, Value* index, Value* src);
  Value* scatter_value(Value* x, int64_t dim, Value* index, const Scalar& value);
  Value* scatter_add(Value* x, int64_t dim, Value* index, Value* src);
  Value* slice_scatter(Value* x, Value* src, int64_t dim, const SymInt& start, const SymInt& end,
                       const SymInt& step = 1);
  Value* tril(Value* x, int64_t diagonal = 0);

  // ---- Reductions. No dims: all of them.
  Value* sum(Value* x, std::vector<int64_t> dims, bool keepdim = false,
             std::optional<DType> dtype = {});
  Value* mean(Value* x, std::vector<int64_t> dims, bool keepdim = false,
              std::optional<DType> dtype = {});
  Value* amax(Value* x, std::vector<int64_t> dims, bool keepdim = false);
  Value* amin(Value* x, std::vector<int64_t> dims, bool keepdim = false);
  Value* var(Value* x, std::vector<int64_t> dims, const Scalar& correction, bool keepdim = false);
  Value* any(Value* x, int64_t dim, bool keepdim = false);
  Value* any(Value* x);  // over everything
  Value* prod(Value* x, int64_t dim, bool keepdim = false, std::optional<DType> dtype = {});
  // (values, indices)
  std::pair<Value*, Value*> max_dim(Value* x, int64_t dim, bool keepdim = false);
  std::pair<Value*, Value*> min_dim(Value* x, int64_t dim, bool keepdim = false);
  std::pair<Value*, Value*> topk(Value* x, const SymInt& k, int64_t dim, bool largest = true,
                                 bool sorted = true);
  Value* cumsum(Value* x, int64_t dim, std::optional<DType> dtype = {});
  Value* softmax(Value* x, int64_t dim);      // aten._softmax
  Value* log_softmax(Value* x, int64_t dim);  // aten._log_softmax

  // ---- Products.
  Value* mm(Value* a, Value* b);
  Value* bmm(Value* a, Value* b);
  Value* linear(Value* x, Value* weight, Value* bias);  // bias may be null
  // For 1 to 3 spatial dimensions; lists hold one number for each. bias may be null.
  Value* convolution(Value* x, Value* weight, Value* bias, std::vector<SymInt> stride,
                     std::vector<SymInt> padding, std::vector<SymInt> dilation, bool transposed,
                     std::vector<SymInt> output_padding, const SymInt& groups);

  // ---- Normalization; weight and bias may be null. Only the normalized tensor is returned.
  Value* native_layer_norm(Value* x, std::vector<SymInt> normalized_shape, Value* weight,
                           Value* bias, double eps);
  Value* native_group_norm(Value* x, Value* weight, Value* bias, int64_t groups, double eps);
  // aten._native_batch_norm_legit_no_training
  Value* batch_norm(Value* x, Value* weight, Value* bias, Value* mean, Value* var, double momentum,
                    double eps);

  // ---- Pooling and resizing; images are [N, C, H, W] or [C, H, W] for pooling, [N, C, H, W] else.
  Value* avg_pool2d(Value* x, const std::vector<SymInt>& kernel, const std::vector<SymInt>& stride,
                    const std::vector<SymInt>& padding, bool ceil_mode, bool count_include_pad,
                    std::optional<int64_t> divisor_override);
  // (values, indices)
  std::pair<Value*, Value*> max_pool2d_with_indices(Value* x, const std::vector<SymInt>& kernel,
                                                    const std::vector<SymInt>& stride,
                                                    const std::vector<SymInt>& padding,
                                                    const std::vector<SymInt>& dilation,
                                                    bool ceil_mode);
  Value* adaptive_avg_pool2d(Value* x, std::vector<SymInt> output_size);

 private:
  // The checked dimension within [0, rank), or 0 after fail(). A 0-dim tensor counts as of rank 1.
  int64_t checked_dim(const Value* x, int64_t dim, const char* op);
  std::vector<int64_t> checked_dims(const Value* x, const std::vector<int64_t>& dims,
                                    const char* op);
  // A placeholder result after fail().
  Value* failed(Error error);
  std::vector<SymInt> broadcast(std::span<const SymInt> a, std::span<const SymInt> b,
                                const char* op);
  // "aten.<name>.Tensor" or ".Scalar", with `more` arguments after the two.
  Value* binary(const char* name, Value* a, const Operand& b, std::vector<Argument> more,
                std::optional<DType> dtype);
  Value* comparison(const char* name, Value* a, const Operand& b);
  Value* tensor_binary(const char* name, Value* a, Value* b, std::optional<DType> dtype = {});
  Value* reduce(const char* op, Value* x, std::vector<int64_t> dims, bool keepdim,
                std::optional<DType> dtype, bool takes_dtype);
  std::pair<Value*, Value*> extremum(const char* op, Value* x, int64_t dim, bool keepdim);

  Graph& graph_;
  Node* before_;
  const Node* origin_;
  Status status_;
};

}  // namespace slipway::ir
