// Holds src/schema/kernel_types.txt to the kernels that are linked: each is called with tensors of
// each type.
#include "schema/kernel_types.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/exec_aten/exec_aten.h>
#include <executorch/runtime/core/memory_allocator.h>
#include <executorch/runtime/kernel/kernel_runtime_context.h>
#include <executorch/runtime/kernel/operator_registry.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/half.h"
#include "runtime/element_types.h"
#include "runtime/platform.h"
#include "schema/schema.h"

namespace slipway::runtime {
namespace {

namespace aten = executorch::aten;
using schema::BaseType;
using schema::Parameter;
using schema::Schema;
using Integers = std::vector<int64_t>;

// What a call has for a parameter: of all kernels, or of one where the name alone does not say.
const std::map<std::string, Integers>& lists() {
  static const auto* const kLists = new std::map<std::string, Integers>{
      {"size", {2, 2, 2, 2}},
      {"dim", {0}},
      {"dims", {0}},
      {"aten::permute_copy.out dims", {0, 1, 2, 3}},
      {"kernel_size", {2, 2}},
      {"aten::as_strided_copy.out stride", {8, 4, 2, 1}},
      {"stride", {1, 1}},
      {"padding", {0, 0}},
      {"aten::reflection_pad1d.out padding", {1, 1}},
      {"aten::reflection_pad2d.out padding", {1, 1, 1, 1}},
      {"aten::reflection_pad3d.out padding", {1, 1, 1, 1, 1, 1}},
      {"aten::replication_pad1d.out padding", {1, 1}},
      {"aten::replication_pad2d.out padding", {1, 1, 1, 1}},
      {"aten::replication_pad3d.out padding", {1, 1, 1, 1, 1, 1}},
      {"pad", {1, 1}},
      {"dilation", {1, 1}},
      {"output_padding", {0, 0}},
      {"output_size", {2, 2}},
      {"repeats", {1, 1, 1, 1}},
      {"split_sizes", {1, 1}},
      {"shifts", {1}},
      {"normalized_shape", {2}},
  };
  return *kLists;
}

const std::map<std::string, int64_t>& integers() {
  static const auto* const kIntegers = new std::map<std::string, int64_t>{
      {"group", 1},       {"groups", 1},
      {"N", 2},           {"C", 2},
      {"HxW", 4},         {"k", 1},
      {"dim1", 1},        {"upscale_factor", 1},
      {"length", 1},      {"size", 1},
      {"step", 1},        {"downscale_factor", 2},
      {"end", 2},         {"other", 1},
      {"value", 1},       {"split_size", 1},
      {"alpha", 1},       {"min", 1},
      {"exponent", 1},    {"quant_max", 127},
      {"self", 1},        {"fill_value", 1},
      {"s", 1},           {"scale", 1},
      {"input_scale", 1}, {"negative_slope", 1},
      {"max_val", 1},
  };
  return *kIntegers;
}

// The dimensions of tensors that have not four, by kernel, or kernel and parameter.
const std::map<std::string, int>& ranks() {
  static const auto* const kRanks = new std::map<std::string, int>{
      {"aten::addmm.out", 2},
      {"aten::mm.out", 2},
      {"aten::bmm.out", 3},
      {"aten::linear.out weight", 2},
      {"aten::_pdist_forward.out", 2},
      {"aten::t_copy.out", 2},
      {"aten::reflection_pad1d.out", 3},
      {"aten::replication_pad1d.out", 3},
      {"aten::embedding.out weight", 2},
      {"aten::_native_batch_norm_legit_no_training.out running_mean", 1},
      {"aten::_native_batch_norm_legit_no_training.out running_var", 1},
      {"aten::_native_batch_norm_legit.out running_mean", 1},
      {"aten::_native_batch_norm_legit.out running_var", 1},
      {"aten::_native_batch_norm_legit_no_training.out out1", 1},
      {"aten::_native_batch_norm_legit_no_training.out out2", 1},
      {"aten::_native_batch_norm_legit.no_stats_out save_mean", 1},
      {"aten::_native_batch_norm_legit.no_stats_out save_invstd", 1},
      {"aten::native_group_norm.out out1", 2},
      {"aten::native_group_norm.out out2", 2},
      {"aten::fill.Tensor_out value", 0},
      {"aten::select_scatter.out src", 3},
      {"aten::_local_scalar_dense self", 0},
      {"repeats", 1},
      {"index", 1},
      {"indices", 1},
      {"aten::gather.out index", 4},
      {"aten::scatter.src_out index", 4},
      {"aten::scatter.value_out index", 4},
      {"aten::scatter_add.out index", 4},
  };
  return *kRanks;
}

// Of results that don't take the size that they are to have.
const std::map<std::string, std::vector<aten::SizesType>>& exact_sizes() {
  static const auto* const kSizes = new std::map<std::string, std::vector<aten::SizesType>>{
      {"aten::_upsample_bilinear2d_aa.out", {2, 2, 2, 2}},
      {"aten::split_copy.Tensor_out", {1, 2, 2, 2}},
      {"aten::unbind_copy.int_out", {2, 2, 2}},
  };
  return *kSizes;
}

// What no call here fits: another rule than the element type decides, or nothing of ours calls it.
bool is_left_out(const Schema& kernel) {
  static const std::set<std::string> kLeftOut = {
      "aten::_native_batch_norm_legit",  // trains
      "aten::convolution_backward",
      "aten::native_dropout",
      // Of complex numbers, which have rules of their own.
      "aten::_conj_physical",
      "aten::_fft_c2r",
      "aten::_fft_r2c",
      "aten::view_as_real_copy",
      "aten::max_pool2d_with_indices_backward",
      "et_copy::_d2h_copy",
      "et_copy::_h2d_copy",
  };
  const bool is_primitive = kernel.name.starts_with("executorch_prim::");
  const bool gives_number = kernel.returns.size() == 1 && !kernel.returns[0].list &&
                            kernel.returns[0].base != BaseType::kTensor;
  return is_primitive || gives_number || kernel.name.ends_with("_") ||
         (kLeftOut.contains(kernel.name) && kernel.overload != "no_stats_out") ||
         kernel.name.starts_with("quantized_decomposed::");
}

template <class Map>
const typename Map::mapped_type* setting(const Map& map, const std::string& kernel,
                                         const std::string& name) {
  for (const std::string& key : {kernel + " " + name, kernel, name}) {
    if (const auto it = map.find(key); it != map.end()) return &it->second;
  }
  return nullptr;
}

// Of what kind the numbers beside tensors are, which promote the operands' type.
enum class Number { kInteger, kFloat, kBool };

// One call's values, with all that they refer to.
class Call {
 public:
  Call(const Schema& kernel, std::optional<DType> in, DType out, int out_rank, Number numbers)
      : name_(kernel.name + "." + kernel.overload), numbers_(numbers) {
    if (kernel.overload.empty()) name_ = kernel.name;
    size_t outs = 0;
    for (const Parameter& parameter : kernel.parameters) {
      if (parameter.is_out) {
        add_out(parameter, out, out_rank, outs++);
      } else {
        add(parameter, in, out);
      }
    }
    // The last value is what the kernel returns, which ours don't read.
    values_.push_back(values_.back());
    for (et::EValue& value : values_) pointers_.push_back(&value);
  }

  bool succeeds(et::OpFunction function) {
    std::vector<uint8_t> scratch(1 << 16);
    et::MemoryAllocator allocator(static_cast<uint32_t>(scratch.size()), scratch.data());
    et::KernelRuntimeContext context(nullptr, &allocator);
    const LogCapture log;
    try {
      function(context, et::Span<et::EValue*>(pointers_.data(), pointers_.size()));
    } catch (const Aborted&) {
      return false;
    }
    return context.failure_state() == et::Error::Ok;
  }

 private:
  aten::Tensor tensor(DType dtype, std::vector<aten::SizesType> sizes, bool is_dynamic) {
    const auto rank = static_cast<uint8_t>(sizes.size());
    auto& memory = memory_.emplace_back();
    memory.sizes = std::move(sizes);
    aten::StridesType stride = 1;
    memory.strides.resize(rank);
    memory.order.resize(rank);
    for (uint8_t d = rank; d-- > 0;) {
      memory.strides[d] = stride;
      memory.order[d] = d;
      stride *= memory.sizes[d];
    }
    memory.bytes.resize(static_cast<size_t>(stride) * dtype_size(dtype));
    fill_with_ones(dtype, memory.bytes);
    memory.impl.emplace(
        *to_executorch(dtype), rank, memory.sizes.data(), memory.bytes.data(), memory.order.data(),
        memory.strides.data(),
        is_dynamic ? aten::TensorShapeDynamism::DYNAMIC_BOUND : aten::TensorShapeDynamism::STATIC);
    return aten::Tensor(&*memory.impl);
  }

  static void fill_with_ones(DType dtype, std::vector<uint8_t>& bytes) {
    std::array<uint8_t, 16> one = {1};
    const auto set = [&](auto value) { std::memcpy(one.data(), &value, sizeof(value)); };
    if (dtype == DType::kFloat32) set(1.0F);
    if (dtype == DType::kFloat64) set(1.0);
    if (dtype == DType::kFloat16) set(to_float16(1.0F));
    if (dtype == DType::kBFloat16) set(to_bfloat16(1.0F));
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = one.at(i % dtype_size(dtype));
  }

  void add_out(const Parameter& parameter, DType out, int rank, size_t number) {
    if (const auto it = ranks().find(name_ + " " + parameter.name); it != ranks().end()) {
      rank = it->second;
    }
    std::vector<aten::SizesType> sizes(static_cast<size_t>(rank), 1);
    if (rank > 0) sizes[0] = 256;
    if (const auto it = exact_sizes().find(name_); it != exact_sizes().end()) sizes = it->second;
    const bool is_index = number > 0 && (parameter.name.find("ind") != std::string::npos ||
                                         parameter.name == "max_values");
    const DType dtype = is_index ? DType::kInt64 : out;
    if (!parameter.type.list) {
      values_.emplace_back(tensor(dtype, std::move(sizes), true));
      return;
    }
    add_tensors({tensor(dtype, sizes, true), tensor(dtype, sizes, true)});
  }

  void add_tensors(const std::vector<aten::Tensor>& tensors) {
    auto& list = tensor_lists_.emplace_back();
    for (const aten::Tensor& each : tensors) {
      list.pointers.push_back(&list.items.emplace_back(each));
      list.unwrapped.push_back(each);
    }
    list.boxed.emplace(list.pointers.data(), list.unwrapped.data(),
                       static_cast<int>(tensors.size()));
    values_.emplace_back(&*list.boxed);
  }

  void add_integers(const Integers& numbers) {
    auto& list = integer_lists_.emplace_back();
    for (const int64_t number : numbers) {
      list.pointers.push_back(&list.items.emplace_back(number));
    }
    list.unwrapped = numbers;
    list.boxed.emplace(list.pointers.data(), list.unwrapped.data(),
                       static_cast<int>(numbers.size()));
    values_.emplace_back(&*list.boxed);
  }

  void add_optional_tensors(const aten::Tensor& tensor) {
    auto& list = optional_lists_.emplace_back();
    list.pointers.push_back(&list.items.emplace_back(tensor));
    list.unwrapped.emplace_back(tensor);
    list.boxed.emplace(list.pointers.data(), list.unwrapped.data(), 1);
    values_.emplace_back(&*list.boxed);
  }

  void add(const Parameter& parameter, std::optional<DType> in, DType out) {
    const schema::Type& type = parameter.type;
    const bool is_bound = parameter.name == "min";
    if (type.base == BaseType::kTensor) {
      const auto other = schema::fixed_type_of(parameter.name);
      const DType dtype = other.value_or(in.value_or(out));
      if (type.optional && !type.list && !is_bound) {
        values_.emplace_back();
        return;
      }
      const int* rank = setting(ranks(), name_, parameter.name);
      std::vector<aten::SizesType> sizes(static_cast<size_t>(rank ? *rank : 4), 2);
      const aten::Tensor value = tensor(dtype, std::move(sizes), false);
      if (type.list && type.optional_items) return add_optional_tensors(value);
      if (type.list) return add_tensors({value, value});
      values_.emplace_back(value);
      return;
    }
    if (type.list) {
      const Integers* list = setting(lists(), name_, parameter.name);
      if (type.base == BaseType::kInt && list) return add_integers(*list);
      values_.emplace_back();
      return;
    }
    if (type.optional && !is_bound && parameter.name != "rounding_mode") {
      values_.emplace_back();
      return;
    }
    const int64_t* number = setting(integers(), name_, parameter.name);
    switch (type.base) {
      case BaseType::kFloat:
        values_.emplace_back(number ? static_cast<double>(*number) : 0.5);
        break;
      case BaseType::kBool:
        values_.emplace_back(false);
        break;
      case BaseType::kString: {
        static std::string floor = "floor";
        static std::string none = "none";
        std::string& text = parameter.name == "rounding_mode" ? floor : none;
        texts_.emplace_back(text.data(), text.size());
        values_.emplace_back(&texts_.back());
        break;
      }
      case BaseType::kScalar:
        if (numbers_ == Number::kInteger) values_.emplace_back(number ? *number : int64_t{0});
        if (numbers_ == Number::kFloat) values_.emplace_back(number ? 1.0 : 0.0);
        if (numbers_ == Number::kBool) values_.emplace_back(number != nullptr);
        break;
      default:
        values_.emplace_back(number ? *number : int64_t{0});
    }
  }

  struct Memory {
    std::vector<aten::SizesType> sizes;
    std::vector<aten::StridesType> strides;
    std::vector<aten::DimOrderType> order;
    std::vector<uint8_t> bytes;
    std::optional<aten::TensorImpl> impl;
  };
  template <class T>
  struct List {
    std::deque<et::EValue> items;
    std::vector<et::EValue*> pointers;
    std::vector<T> unwrapped;
    std::optional<et::BoxedEvalueList<T>> boxed;
  };

  std::string name_;
  Number numbers_;
  std::deque<Memory> memory_;
  std::deque<List<aten::Tensor>> tensor_lists_;
  std::deque<List<std::optional<aten::Tensor>>> optional_lists_;
  std::deque<List<int64_t>> integer_lists_;
  std::deque<aten::ArrayRef<char>> texts_;
  std::deque<et::EValue> values_;
  std::vector<et::EValue*> pointers_;
};

std::vector<DType> all_types() {
  std::vector<DType> types;
  for (const DType dtype :
       {DType::kBool, DType::kUInt8, DType::kInt8, DType::kInt16, DType::kInt32, DType::kInt64,
        DType::kUInt16, DType::kUInt32, DType::kUInt64, DType::kFloat16, DType::kBFloat16,
        DType::kFloat32, DType::kFloat64, DType::kFloat8E4M3FN, DType::kFloat8E5M2}) {
    types.push_back(dtype);
  }
  return types;
}

et::OpFunction function_of(const std::string& name) {
  for (const et::Kernel& kernel : et::get_registered_kernels()) {
    if (name == kernel.name_ && kernel.kernel_key_.is_fallback()) return kernel.op_;
  }
  return nullptr;
}

bool has_value_tensors(const Schema& kernel) {
  return std::any_of(kernel.parameters.begin(), kernel.parameters.end(), [](const Parameter& each) {
    return !each.is_out && each.type.base == BaseType::kTensor && !schema::fixed_type_of(each.name);
  });
}

bool has_numbers(const Schema& kernel) {
  return std::any_of(kernel.parameters.begin(), kernel.parameters.end(),
                     [](const Parameter& each) { return each.type.base == BaseType::kScalar; });
}

std::string names(const std::vector<DType>& types) {
  std::vector<std::string_view> list;
  list.reserve(types.size());
  for (const DType type : types) list.push_back(dtype_name(type));
  std::string text = fmt::format("{}", fmt::join(list, ","));
  for (const auto& [name, types_in_full] : schema::kTypeGroups) {
    const size_t at = text.find(types_in_full);
    if (at != std::string::npos) text.replace(at, types_in_full.size(), name);
  }
  return text;
}

// Which of these calls succeed. They are made in a child process, since some types end it: then the
// rest are made in another.
std::vector<bool> succeed(std::vector<std::function<bool()>> calls, const std::string& name) {
  std::vector<bool> results;
  while (results.size() < calls.size()) {
    std::array<int, 2> ends = {};
    if (::pipe(ends.data()) != 0) std::abort();
    const pid_t child = ::fork();
    if (child == 0) {
      for (size_t i = results.size(); i < calls.size(); ++i) {
        const char result = calls[i]() ? 1 : 0;
        if (::write(ends[1], &result, 1) != 1) std::abort();
      }
      ::_exit(0);
    }
    ::close(ends[1]);
    char result = 0;
    while (::read(ends[0], &result, 1) == 1) results.push_back(result == 1);
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (results.size() < calls.size()) {
      ADD_FAILURE() << name << " ends the process at call " << results.size();
      results.push_back(false);
    }
  }
  return results;
}

// "bool,integers -> float32; floats -> =", where = is the type of the operands.
std::string types_of(const Schema& kernel, const std::string& name) {
  const et::OpFunction function = function_of(name);
  if (function == nullptr) return "";
  const auto types = all_types();
  std::vector<std::optional<DType>> ins(types.begin(), types.end());
  if (!has_value_tensors(kernel)) ins = {std::nullopt};
  std::vector<std::function<bool()>> calls;
  // Of as many dimensions as its result has: once a call has succeeded, as many as that one had.
  std::vector<int> possible_ranks = {4, 0, 1, 2, 3, 5};
  for (const auto& in : ins) {
    for (const DType out : types) {
      calls.emplace_back([&kernel, &possible_ranks, in, out, function] {
        for (const int rank : possible_ranks) {
          for (const Number numbers : {Number::kInteger, Number::kFloat, Number::kBool}) {
            if (numbers != Number::kInteger && !has_numbers(kernel)) continue;
            if (!Call(kernel, in, out, rank, numbers).succeeds(function)) continue;
            possible_ranks = {rank};
            return true;
          }
        }
        return false;
      });
    }
  }
  const std::vector<bool> results = succeed(std::move(calls), name);
  if (std::find(results.begin(), results.end(), true) == results.end()) return "";
  std::vector<std::pair<std::string, std::vector<DType>>> groups;
  for (size_t i = 0; i < ins.size(); ++i) {
    const auto& in = ins[i];
    std::vector<DType> outs;
    for (size_t j = 0; j < types.size(); ++j) {
      if (results[i * types.size() + j]) outs.push_back(types[j]);
    }
    if (outs.empty()) continue;
    const bool is_same = outs.size() == 1 && in == outs[0];
    const std::string text = is_same ? "=" : names(outs);
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const auto& each) { return each.first == text; });
    if (group == groups.end()) group = groups.insert(groups.end(), {text, {}});
    if (in) group->second.push_back(*in);
  }
  std::vector<std::string> parts;
  for (const auto& [outs, of] : groups) {
    parts.push_back(of.empty() ? "-> " + outs : names(of) + " -> " + outs);
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

TEST(KernelTypes, AreThoseOfTheLinkedKernels) {
  initialize_platform();
  std::string text;
  std::vector<std::string> without;
  for (const Schema& kernel : schema::kernels()) {
    if (is_left_out(kernel)) continue;
    const std::string name =
        kernel.overload.empty() ? kernel.name : kernel.name + "." + kernel.overload;
    const std::string types = types_of(kernel, name);
    if (types.empty()) {
      without.push_back(name);
    } else {
      text += name + " " + types + "\n";
    }
  }
  EXPECT_EQ(fmt::format("{}", fmt::join(without, " ")), "") << "are called wrongly by this test";
  const std::string table(schema::kernel_types_text());
  if (table.ends_with(text)) return;
  const std::string path = testing::TempDir() + "kernel_types.txt";
  std::ofstream(path) << text;
  FAIL() << "src/schema/kernel_types.txt is not what the linked kernels take, which is in " << path;
}

}  // namespace
}  // namespace slipway::runtime
