#include "kernel_call.h"

#include <algorithm>
#include <deque>
#include <map>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "pte/format/scalar_types.h"
#include "pte/reader/program_test.h"
#include "slipway/tensor.h"

namespace slipway::mutants {
namespace {

using schema::BaseType;
using schema::Parameter;
using schema::Schema;
using Sizes = std::vector<int32_t>;

constexpr size_t kRedZone = 4096;

// The shapes of a kernel's tensors, results included, in the order of its parameters (a list counts
// as one): a letter is the same size throughout a call, a digit is itself, "*" is the shape that
// all have by default. Before a colon stands a type where only that will do: float32, float64 (d),
// int64 (l), bool, int8, uint8, complex64.
const std::map<std::string, std::vector<std::string_view>> kShapes = {
    {"aten::mm", {"ab", "bc", "ac"}},
    {"aten::bmm", {"nab", "nbc", "nac"}},
    {"aten::addmm", {"ac", "ab", "bc", "ac"}},
    {"aten::linear", {"nab", "cb", "c", "nac"}},
    {"aten::convolution", {"ncyx", "ochw", "o", "noyx"}},
    {"aten::convolution_backward", {"noyx", "ncyx", "ochw", "ncyx", "ochw", "o"}},
    {"aten::_native_batch_norm_legit_no_training", {"ncyx", "c", "c", "c", "c", "ncyx", "0", "0"}},
    {"aten::_native_batch_norm_legit", {"ncyx", "c", "c", "c", "c", "ncyx", "0", "0"}},
    {"aten::_native_batch_norm_legit.no_stats_out", {"ncyx", "c", "c", "ncyx", "c", "c"}},
    {"aten::native_group_norm", {"ncyx", "c", "c", "ncyx", "ng", "ng"}},
    {"aten::native_layer_norm", {"nyx", "x", "x", "nyx", "ny1", "ny1"}},
    {"aten::native_dropout", {"*", "*", "b:*"}},
    {"aten::embedding", {"ab", "l:nc", "ncb"}},
    {"aten::grid_sampler_2d", {"ncyx", "nhw2", "nchw"}},
    {"aten::_cdist_forward", {"nab", "ncb", "nac"}},
    {"aten::_pdist_forward", {"ab", "c"}},
    {"aten::_conj_physical", {"c:*", "c:*"}},
    {"aten::_fft_c2r", {"c:ab", "f:ac"}},
    {"aten::_fft_r2c", {"f:ab", "c:ac"}},
    {"aten::_adaptive_avg_pool2d", {"ncyx", "nchw"}},
    {"aten::avg_pool2d", {"ncyx", "nchw"}},
    {"aten::max_pool2d_with_indices", {"ncyx", "nchw", "l:nchw"}},
    {"aten::max_pool2d_with_indices_backward", {"nchw", "ncyx", "l:nchw", "ncyx"}},
    {"aten::upsample_bilinear2d", {"ncyx", "nchw"}},
    {"aten::upsample_nearest2d", {"ncyx", "nchw"}},
    {"aten::_upsample_bilinear2d_aa", {"ncyx", "nchw"}},
    {"aten::pixel_shuffle", {"ncyx", "nchw"}},
    {"aten::pixel_unshuffle", {"ncyx", "nchw"}},
    {"aten::reflection_pad1d", {"ncx", "ncw"}},
    {"aten::reflection_pad2d", {"ncyx", "nchw"}},
    {"aten::reflection_pad3d", {"nczyx", "ncdhw"}},
    {"aten::replication_pad1d", {"ncx", "ncw"}},
    {"aten::replication_pad2d", {"ncyx", "nchw"}},
    {"aten::replication_pad3d", {"nczyx", "ncdhw"}},
    {"aten::index_select", {"ayx", "l:n", "nyx"}},
    {"aten::index_put_", {"ayx", "l:n", "nyx"}},
    {"aten::index_put", {"ayx", "l:n", "nyx", "ayx"}},
    {"aten::select_scatter", {"ayx", "yx", "ayx"}},
    {"aten::select_copy", {"ayx", "yx"}},
    {"aten::masked_select", {"yx", "b:yx", "n"}},
    {"aten::nonzero", {"yx", "l:n2"}},
    {"aten::t_copy", {"ab", "ba"}},
    {"aten::transpose_copy", {"abc", "abc"}},
    {"aten::tril", {"nab", "nab"}},
    {"aten::diagonal_copy", {"nab", "nc"}},
    {"aten::unfold_copy", {"ab", "abc"}},
    {"aten::scalar_tensor", {""}},
    {"aten::arange", {"n"}},
    {"aten::repeat_interleave", {"l:n", "l:m"}},
    {"aten::stack", {"nab", "mnab"}},
    {"aten::unbind_copy", {"nab", "ab"}},
    {"aten::split_copy", {"nab", "nab"}},
    {"aten::split_with_sizes_copy", {"nab", "nab"}},
    {"aten::view_as_real_copy", {"c:ab", "f:ab2"}},
    {"aten::isnan", {"*", "b:*"}},
    {"aten::isinf", {"*", "b:*"}},
    {"aten::any", {"*", "b:*"}},
    {"aten::any.all_out", {"*", "b:"}},
    {"aten::argmax", {"*", "l:*"}},
    {"aten::argmin", {"*", "l:*"}},
    {"aten::max", {"*", "*", "l:*"}},
    {"aten::max.unary_out", {"*", ""}},
    {"aten::min", {"*", "*", "l:*"}},
    {"aten::min.unary_out", {"*", ""}},
    {"aten::prod.out", {"*", ""}},
    {"aten::mean.dtype_out", {"*", ""}},
    {"aten::fill.Tensor_out", {"*", "", "*"}},
    {"aten::topk", {"*", "*", "l:*"}},
    {"aten::_local_scalar_dense", {""}},
    {"executorch_prim::et_copy_index", {"nab", "ab"}},
    {"quantized_decomposed::add", {"u:ab", "u:ab", "u:ab"}},
    {"quantized_decomposed::embedding_byte", {"u:ab", "f:ag", "f:ag", "l:n", "f:nb"}},
    {"quantized_decomposed::embedding_4bit", {"u:ab", "f:ag", "f:ag", "l:n", "f:nc"}},
    {"quantized_decomposed::embedding_2bit", {"u:ab", "f:ag", "f:ag", "l:n", "f:nc"}},
    {"quantized_decomposed::choose_qparams", {"f:ab", "d:1", "l:1"}},
    {"quantized_decomposed::choose_qparams_per_token_asymmetric", {"f:ab", "d:a1", "l:a1"}},
    {"quantized_decomposed::quantize_per_channel", {"f:abc", "d:a", "l:a", "u:abc"}},
    {"quantized_decomposed::dequantize_per_channel", {"u:abc", "d:a", "l:a", "f:abc"}},
    {"quantized_decomposed::quantize_per_token", {"f:ab", "d:a1", "l:a1", "u:ab"}},
    {"quantized_decomposed::dequantize_per_token", {"u:ab", "d:a1", "l:a1", "f:ab"}},
    {"quantized_decomposed::quantize_per_tensor", {"f:ab", "u:ab"}},
    {"quantized_decomposed::dequantize_per_tensor", {"u:ab", "f:ab"}},
    {"quantized_decomposed::quantize_per_tensor.Tensor_out", {"f:ab", "d:1", "l:1", "u:ab"}},
    {"quantized_decomposed::dequantize_per_tensor.Tensor_out", {"u:ab", "d:1", "l:1", "f:ab"}},
    {"quantized_decomposed::mixed_linear", {"f:ab", "i:cb", "f:c", "f:c", "f:ac"}},
    {"quantized_decomposed::mixed_mm", {"f:ab", "i:bc", "f:b", "f:b", "f:ac"}},
};

std::string_view shape_of(std::string_view listed) {
  return listed.substr(listed.find(':') == 1 ? 2 : 0);
}

DType named_type(char letter) {
  switch (letter) {
    case 'f':
      return DType::kFloat32;
    case 'd':
      return DType::kFloat64;
    case 'l':
      return DType::kInt64;
    case 'b':
      return DType::kBool;
    case 'i':
      return DType::kInt8;
    case 'u':
      return DType::kUInt8;
    default:
      return DType::kComplex64;
  }
}

class Call {
 public:
  Call(const Schema& kernel, Random& random) : kernel_(kernel), random_(random) {
    constexpr std::array<size_t, 5> kOneOf = {1000, 60, 25, 10, 4};
    one_of_ = any_of(random_, kOneOf);
    rank_ = below(random_, 5);
    for (size_t i = 0; i < rank_; ++i) sizes_.push_back(size());
    constexpr std::array kUsual = {DType::kFloat32, DType::kFloat32, DType::kFloat32,
                                   DType::kInt64};
    dtype_ = odd(4) ? any_dtype() : any_of(random_, kUsual);
    shapes_ = kShapes.find(kernel_.name + "." + kernel_.overload);
    if (shapes_ == kShapes.end()) shapes_ = kShapes.find(kernel_.name);
    red_zone();
    draw();
  }

  std::string file() {
    const auto bytes = program_.build();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  const std::string& text() const { return text_; }

 private:
  bool odd(size_t one_of) { return below(random_, one_of) == 0; }
  bool deviates() { return odd(one_of_); }

  void draw() {
    std::vector<int32_t> args;
    std::vector<int32_t> outs;
    bool has_outs = false;
    for (const Parameter& parameter : kernel_.parameters) {
      text_ += fmt::format("{} ", parameter.name);
      args.push_back(argument(parameter));
      text_ += "; ";
      if (parameter.type.base == BaseType::kTensor) ++parameter_;
      if (!parameter.type.is_mutable()) continue;
      has_outs = true;
      for (const int32_t each : parameter.type.list ? items_ : std::vector{args.back()}) {
        if (is_returned(parameter)) outs.push_back(each);
        if (parameter.is_out || !odd(4)) program_.outputs.push_back(each);
      }
    }
    if (!has_outs) {
      args.push_back(program_.number(int64_t{0}));
    } else if (!kernel_.name.starts_with("executorch_prim::")) {
      args.push_back(outs.size() == 1 && !kernel_.parameters.back().type.list
                         ? outs[0]
                         : program_.tensors(outs));
    }
    program_.memories = {0, static_cast<int64_t>(planned_)};
    program_.constants(program_.segment(constants_), offsets_);
    program_.initial_values(program_.segment(std::string(kRedZone, static_cast<char>(kRedByte))),
                            {0, 0});
    program_.kernel(kernel_.name.c_str(), kernel_.overload.c_str(), args);
  }

  bool is_returned(const Parameter& parameter) const {
    return parameter.type.list || std::any_of(kernel_.returns.begin(), kernel_.returns.end(),
                                              [&](const schema::Type& type) {
                                                return type.alias == parameter.type.alias;
                                              });
  }

  // Now and then one that several threads share.
  int32_t size() {
    if (!is_large_ && odd(200)) {
      is_large_ = true;
      return 700;
    }
    constexpr std::array<int32_t, 12> kSizes = {0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 8};
    return any_of(random_, kSizes);
  }
  DType any_dtype() { return pte::kScalarTypes[below(random_, pte::kScalarTypes.size())].first; }

  Sizes letters(std::string_view shape) {
    Sizes sizes;
    for (const char letter : shape) {
      const bool is_digit = letter >= '0' && letter <= '9';
      const auto [at, is_new] = sizes_of_.try_emplace(letter, is_digit ? letter - '0' : 0);
      if (is_new && !is_digit) at->second = std::max(size(), deviates() ? 0 : 1);
      sizes.push_back(at->second);
    }
    return sizes;
  }

  // What kShapes says of the tensor that is drawn.
  std::string_view listed() const {
    const bool is_listed = shapes_ != kShapes.end() && parameter_ < shapes_->second.size();
    return is_listed ? shapes_->second[parameter_] : "*";
  }

  Sizes shape(bool is_out) {
    const std::string_view shape = shape_of(listed());
    Sizes sizes = shape == "*" ? sizes_ : letters(shape);
    if (shape == "*" && is_out && odd(kernel_.find("keepdim") ? 2 : kernel_.find("dim") ? 4 : 20)) {
      // As reductions and new dimensions have it.
      if (odd(2) && !sizes.empty()) {
        sizes.pop_back();
      } else {
        sizes.push_back(size());
      }
    }
    if (!deviates()) return sizes;
    switch (below(random_, 4)) {
      case 0:
        sizes.assign(below(random_, 7), 0);
        for (int32_t& each : sizes) each = size();
        break;
      case 1:
        if (!sizes.empty()) sizes[below(random_, sizes.size())] = size();
        break;
      case 2:
        if (!sizes.empty()) sizes[below(random_, sizes.size())] = 1;
        break;
      default:
        if (!sizes.empty()) sizes.erase(sizes.begin());
        break;
    }
    return sizes;
  }

  DType dtype(const std::string& name, bool is_out) {
    if (deviates()) return any_dtype();
    if (listed().find(':') == 1) return named_type(listed()[0]);
    if (is_out && odd(8)) {
      constexpr std::array kResults = {DType::kBool, DType::kInt64, DType::kFloat32};
      return any_of(random_, kResults);
    }
    if (name.starts_with("ind")) return DType::kInt64;
    if (name == "mask" || name == "condition") return odd(4) ? DType::kInt8 : DType::kBool;
    return dtype_;
  }

  // Bytes that must stay as they are, around all that lies in the planned memory.
  void red_zone() {
    zones_.push_back(fmt::format("zone{}", zones_.size()));
    pte::TestTensor zone;
    zone.scalar_type = 0;
    zone.sizes = {kRedZone};
    zone.data = 1;
    zone.planned_at = planned_;
    zone.name = zones_.back().c_str();
    program_.tensor(zone);
    planned_ += kRedZone;
  }

  int32_t planned(pte::TestTensor tensor, size_t nbytes) {
    planned_ = (planned_ + 15) / 16 * 16;
    tensor.planned_at = planned_;
    tensor.name = nullptr;
    const int32_t value = program_.tensor(tensor);
    planned_ += nbytes;
    red_zone();
    return value;
  }

  int32_t tensor(const Parameter& parameter) {
    const bool is_result = parameter.type.is_mutable();
    if (!is_result && !tensors_.empty() && deviates() && odd(3)) {
      text_ += "(again) ";
      return tensors_[below(random_, tensors_.size())];
    }
    if (is_result && !planned_tensors_.empty() && deviates() && odd(2)) {
      text_ += "(again) ";
      return planned_tensors_[below(random_, planned_tensors_.size())];
    }
    pte::TestTensor tensor;
    const DType type = dtype(parameter.name, parameter.is_out);
    tensor.scalar_type = static_cast<int>(*pte::scalar_type_of(type));
    tensor.sizes = shape(parameter.is_out);
    if (parameter.is_out && !odd(5)) {
      tensor.dynamism = 1;
      for (int32_t& each : tensor.sizes) each = std::max(each, odd(8) ? 0 : 6);
    } else if (odd(6)) {
      tensor.dynamism = 1;
    }
    if (deviates() && odd(4)) {
      std::vector<uint8_t> order(tensor.sizes.size());
      for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint8_t>(i);
      std::shuffle(order.begin(), order.end(), random_);
      tensor.dim_order = order;
    }
    size_t nbytes = dtype_size(type);
    for (const int32_t each : tensor.sizes) nbytes *= static_cast<size_t>(each);
    const bool is_planned = is_result || odd(12);
    const int32_t value = is_planned ? planned(tensor, nbytes) : program_.tensor(tensor);
    (is_planned ? planned_tensors_ : program_.inputs).push_back(value);
    tensors_.push_back(value);
    text_ +=
        fmt::format("{}[{}]{}{} ", dtype_name(type), fmt::join(tensor.sizes, ", "),
                    tensor.dynamism != 0 ? " at most" : "", tensor.dim_order ? " permuted" : "");
    return value;
  }

  int64_t integer(const std::string& name) {
    if (deviates()) return any_of(random_, kOddInts);
    const auto rank = std::max<int64_t>(1, static_cast<int64_t>(rank_));
    const auto is = [&](std::string_view part) { return name.find(part) != std::string::npos; };
    if (is("last_dim_size")) return between(random_, 1, 6);
    if (is("dim") || is("axis")) return between(random_, -rank, rank - 1);
    if (is("quant_min")) return odd(4) ? -128 : 0;
    if (is("quant_max")) return odd(4) ? 127 : 255;
    if (is("output_padding")) return 0;
    if (is("group")) return letters("g")[0];
    if (is("mode") || is("normalization")) return between(random_, 0, 2);
    if (is("step") || is("factor") || is("kernel") || is("stride") || is("dilation") ||
        is("split_size") || name == "divisor_override") {
      return between(random_, 1, 3);
    }
    if (is("pad") || is("repeats") || is("length") || name == "k") return between(random_, 0, 2);
    if (is("size") || is("shape")) return sizes_.empty() ? 1 : sizes_[below(random_, rank_)];
    if (name == "N") return letters("n")[0];
    if (name == "C") return letters("c")[0];
    if (name == "HxW") return int64_t{letters("y")[0]} * letters("x")[0];
    return between(random_, -1, 3);
  }

  // As the file says it, or as a run finds it.
  int32_t integer_value(int64_t number) {
    text_ += fmt::format("{} ", number);
    if (!odd(4)) return program_.number(number);
    pte::TestTensor element;
    element.scalar_type = 4;
    element.sizes = {};
    element.data = static_cast<uint32_t>(offsets_.size());
    offsets_.push_back(constants_.size());
    constants_.append(reinterpret_cast<const char*>(&number), sizeof(number));
    const int32_t tensor = program_.tensor(element);
    const int32_t value = program_.number(int64_t{0});
    program_.kernel("aten::_local_scalar_dense", "", {tensor, value});
    return value;
  }

  size_t plausible_count(const Parameter& parameter) {
    const std::string& name = parameter.name;
    if (name == "normalized_shape" || name == "bias_sizes") return 1;
    if (name == "output_size" || kernel_.name.starts_with("aten::convolution")) return 2;
    if (parameter.type.list_size > 0) return static_cast<size_t>(parameter.type.list_size);
    if (name == "size" || name == "dims" || name == "repeats" || name == "stride" ||
        name == "dim_order") {
      return rank_;
    }
    return below(random_, 3) * (name == "pad" ? 2 : 1);
  }

  int32_t integers(const Parameter& parameter) {
    const std::string& name = parameter.name;
    std::vector<int64_t> numbers;
    if (deviates()) {
      for (size_t count = below(random_, 8); count > 0; --count) numbers.push_back(integer(name));
    } else if (name == "normalized_shape") {
      numbers = {letters("x")[0]};
    } else if (name == "dims" || name == "dim_order") {
      for (size_t i = 0; i < rank_; ++i) numbers.push_back(static_cast<int64_t>(i));
      std::shuffle(numbers.begin(), numbers.end(), random_);
    } else if (name == "size") {
      numbers.assign(sizes_.begin(), sizes_.end());
    } else {
      for (size_t count = plausible_count(parameter); count > 0; --count) {
        numbers.push_back(integer(name));
      }
    }
    std::vector<int64_t> values;
    values.reserve(numbers.size());
    for (const int64_t number : numbers) values.push_back(integer_value(number));
    return program_.ints(values);
  }

  int32_t real(double number) {
    text_ += fmt::format("{} ", number);
    return program_.number(number);
  }

  int32_t scalar(const std::string& name) {
    switch (below(random_, 4)) {
      case 0:
        return program_.flag(odd(2));
      case 1:
        return real(any_of(random_, kOddDoubles));
      case 2:
        return integer_value(any_of(random_, kOddInts));
      default:
        return integer_value(integer(name));
    }
  }

  int32_t list(const Parameter& parameter) {
    const schema::Type& type = parameter.type;
    if (type.base == BaseType::kTensor) {
      items_.clear();
      const size_t count = deviates() ? below(random_, 6) : 1 + below(random_, 3);
      for (size_t i = 0; i < count; ++i) {
        const bool is_none = type.optional_items && odd(3);
        items_.push_back(is_none ? -1 : tensor(parameter));
      }
      return type.optional_items ? program_.optional_tensors(items_) : program_.tensors(items_);
    }
    if (type.base == BaseType::kBool) return program_.flags({odd(2), odd(2), odd(2)});
    if (type.base == BaseType::kInt) return integers(parameter);
    std::vector<double> numbers(deviates() ? below(random_, 5) : 2);
    for (double& each : numbers) {
      each = deviates() ? any_of(random_, kOddDoubles)
                        : 0.5 * static_cast<double>(1 + below(random_, 4));
      text_ += fmt::format("{} ", each);
    }
    return program_.doubles(numbers);
  }

  int32_t argument(const Parameter& parameter) {
    const schema::Type& type = parameter.type;
    if (type.optional && odd(2)) return program_.none();
    if (type.list) return list(parameter);
    switch (type.base) {
      case BaseType::kTensor:
        return tensor(parameter);
      case BaseType::kInt:
        return integer_value(integer(parameter.name));
      case BaseType::kFloat:
        return real(deviates() ? any_of(random_, kOddDoubles)
                               : 0.25 * static_cast<double>(below(random_, 9)));
      case BaseType::kBool:
        return program_.flag(odd(parameter.name == "non_blocking" ? 12 : 2));
      case BaseType::kScalar:
        return scalar(parameter.name);
      case BaseType::kString: {
        constexpr std::array<const char*, 6> kTexts = {"none", "tanh", "trunc", "floor", "", "x"};
        return program_.text(any_of(random_, kTexts));
      }
      case BaseType::kScalarType: {
        const bool is_quantized = kernel_.name.starts_with("quantized");
        const DType dtype = deviates() ? any_dtype() : is_quantized ? DType::kUInt8 : dtype_;
        const auto number = static_cast<int64_t>(*pte::scalar_type_of(dtype));
        return integer_value(deviates() ? any_of(random_, kOddInts) : number);
      }
      default:
        return integer_value(deviates() ? any_of(random_, kOddInts) : 0);
    }
  }

  const Schema& kernel_;
  Random& random_;
  pte::TestProgram program_;
  std::string text_;
  size_t one_of_ = 0;
  size_t rank_ = 0;
  Sizes sizes_;
  DType dtype_ = DType::kFloat32;
  bool is_large_ = false;
  std::map<char, int32_t> sizes_of_;  // by letter
  std::map<std::string, std::vector<std::string_view>>::const_iterator shapes_;
  size_t parameter_ = 0;  // among those that are tensors
  std::vector<int32_t> tensors_;
  std::vector<int32_t> planned_tensors_;
  std::vector<int32_t> items_;  // of the last list
  uint64_t planned_ = 0;
  std::string constants_;
  std::vector<uint64_t> offsets_ = {0};
  std::deque<std::string> zones_;  // their names
};

}  // namespace

KernelCall draw_kernel_call(const Schema& kernel, Random& random) {
  Call call(kernel, random);
  return {call.file(), call.text()};
}

}  // namespace slipway::mutants
