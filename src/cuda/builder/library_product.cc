#include "cuda/builder/library_product.h"

#include <algorithm>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "cuda/builder/generator.h"
#include "cuda/builder/layout.h"
#include "cuda/builder/library_step.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

// Of what the library has for a product, where there are to be several ways.
constexpr uint32_t kMostRanks = 4;
constexpr int64_t kWorkspace = int64_t{32} << 20;
// From so many rows, columns and terms on it is reckoned to be faster than tiles.
constexpr int64_t kRowsOfLibrary = 1024;
constexpr int64_t kMany = 256;

// The first value behind the sums that is of the half type; what is added before: a bias for each
// column, and another value of the half type in memory.
struct Rounded {
  const Value* value = nullptr;
  const Value* bias = nullptr;
  std::optional<uint32_t> c;
};

const onnx::Node* only_reader(const Generator& generator, const Value& value) {
  const auto readers = generator.readers(value.name);
  return readers.size() == 1 && !value.output ? readers.front() : nullptr;
}

// A constant of the half type, one for each column, that is read as float32.
const Value* bias_of(const Generator& generator, const onnx::Node& node, const Value& sums,
                     const TiledProduct& p) {
  for (const std::string& name : node.inputs) {
    const Value* const other = generator.find(name);
    const Value* const row =
        other == nullptr || other == &sums ? nullptr : constant_row(*other, p.n, p.type);
    if (row != nullptr) return row;
  }
  return nullptr;
}

// Where what is rounded is added to another such value, and then rounded again: that, rounded once.
// The sum is nearer to the true one than the program's.
std::optional<Rounded> with_sum(const Generator& generator, const TiledProduct& p, Rounded made,
                                const Value* target) {
  const auto next = [&](const Value* value, const char* op) -> const onnx::Node* {
    const onnx::Node* const reader = value == target ? nullptr : only_reader(generator, *value);
    return reader != nullptr && reader->op_type == op ? reader : nullptr;
  };
  const onnx::Node* const cast = next(made.value, "Cast");
  const Value* const term = cast == nullptr ? nullptr : generator.find(cast->outputs.front());
  const onnx::Node* const add = term == nullptr ? nullptr : next(term, "Add");
  if (add == nullptr) return std::nullopt;
  const bool is_first = add->inputs.front() == term->name;
  const Value* const other = generator.find(add->inputs.at(is_first ? 1 : 0));
  const Value* const sum = generator.find(add->outputs.front());
  if (other == nullptr || sum == nullptr || other->sizes != term->sizes) return std::nullopt;
  const onnx::Node* const rounds = next(sum, "Cast");
  if (rounds == nullptr) return std::nullopt;
  made.value = generator.find(rounds->outputs.front());
  made.c = memory_of(generator, *other, p.type);
  if (!made.c || made.value == nullptr || made.value->dtype != p.type) return std::nullopt;
  return made;
}

// Whether the target's memory is what the library writes.
bool is_given(const Generator& generator, const Value& target, const Rounded& rounded) {
  return has_elements_of(target, *rounded.value) && target.order == Order::kAsGiven &&
         !generator.is_of_caller(*target.buffer);
}

std::optional<Rounded> rounded(const Generator& generator, const TiledProduct& p,
                               const Value* target) {
  if (p.sums == nullptr) return std::nullopt;
  const Value* value = p.sums;
  Rounded made;
  const onnx::Node* reader = only_reader(generator, *value);
  if (reader != nullptr && reader->op_type == "Add" && value != target) {
    made.bias = bias_of(generator, *reader, *value, p);
    if (made.bias == nullptr) return std::nullopt;
    value = generator.find(reader->outputs.front());
    reader = value == nullptr ? nullptr : only_reader(generator, *value);
  }
  if (reader == nullptr || reader->op_type != "Cast" || value == target) return std::nullopt;
  made.value = generator.find(reader->outputs.front());
  if (made.value == nullptr || made.value->dtype != p.type) return std::nullopt;
  // The caller's memory is written by a kernel, which reads another value.
  const auto is_of_library = [&](const Rounded& all) {
    return all.value != target || is_given(generator, *target, all);
  };
  const auto sum = with_sum(generator, p, made, target);
  if (sum && is_of_library(*sum)) return sum;
  return is_of_library(made) ? std::optional(made) : std::nullopt;
}

const SymInt& line_stride(const TiledOperand& operand) {
  return operand.along_k ? *operand.row_stride : *operand.k_stride;
}

bool reaches(const SymInt& size, int64_t least) { return size.constant().value_or(least) >= least; }

}  // namespace

LibraryWays library_ways(Kernel& kernel, const TiledProduct& p) {
  const Generator& generator = kernel.generator();
  if (!generator.ways().with_cublaslt || !is_half(p.type)) return {};
  if (ir::numel(p.batch) != SymInt(1) || p.k.constant().value_or(0) == 0) return {};
  if (!is_whole(generator, p.a) || !is_whole(generator, p.b)) return {};
  if (!rounded(generator, p, kernel.target())) return {};
  return {std::min(generator.ways().candidates, kMostRanks),
          reaches(p.m, kRowsOfLibrary) && reaches(p.n, kMany) && reaches(p.k, kMany)};
}

void emit_library_product(Kernel& kernel, const TiledProduct& p, uint8_t rank) {
  Generator& generator = kernel.generator();
  const Rounded result = rounded(generator, p, kernel.target()).value();
  kernel.alternative().plan = rank == 0 ? "cuBLASLt" : fmt::format("cuBLASLt, algorithm {}", rank);
  const bool is_all = is_given(generator, *kernel.target(), result);
  table::ProductT product;
  product.type = scalar_type(p.type);
  product.m = generator.number(p.m);
  product.n = generator.number(p.n);
  product.k = generator.number(p.k);
  product.a = *p.a.buffer;
  product.b = *p.b.buffer;
  product.bias = result.bias == nullptr ? 0 : generator.constant(*result.bias) + 1;
  product.c = result.c ? *result.c + 1 : 0;
  product.d = is_all ? *kernel.target()->buffer
                     : generator.scratch(p.m * p.n * static_cast<int64_t>(dtype_size(p.type)));
  product.workspace = generator.scratch(kWorkspace);
  product.a_stride = generator.number(line_stride(p.a));
  product.b_stride = generator.number(line_stride(p.b));
  product.a_lies_along_k = p.a.along_k;
  product.b_lies_along_k = p.b.along_k;
  product.rank = rank;
  const uint32_t d = product.d;
  emit_library_step(kernel, std::move(product), generator.value(result.value->name), d,
                    Order::kAsGiven);
}

}  // namespace slipway::cuda
