#include "compile/large_values.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <unordered_map>

#include <fmt/core.h>

#include "base/checked.h"
#include "ir/queries.h"
#include "passes/rewrite.h"

namespace slipway {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
// What an engine may make of any constants: a mask of 4096 by 4096.
constexpr uint64_t kSmallConstant = 64 * kMiB;
// How many times what it is made of a constant may be, if it is larger than all that the program
// has: int8 weights as float64.
constexpr uint64_t kMostGrowth = 8;
// What another value may be in any case, and how many times all constants and inputs.
constexpr uint64_t kSmallValue = 16 * kMiB;
constexpr uint64_t kMostSpread = 1024;
// What a library may have to lay out while it builds, whatever the program has.
constexpr uint64_t kMost = 4096 * kMiB;
constexpr uint64_t kUncounted = std::numeric_limits<uint64_t>::max();

uint64_t multiply(uint64_t a, uint64_t b) { return checked_mul(a, b).value_or(kUncounted); }

uint64_t add(uint64_t a, uint64_t b) { return checked_add(a, b).value_or(kUncounted); }

// What the value takes with the largest sizes that `ranges` has; nothing if one has no largest.
std::optional<uint64_t> most_nbytes(const ir::Value* value, const ir::SymbolRanges& ranges) {
  if (!value->is_tensor()) return 0;
  uint64_t bytes = dtype_size(value->dtype());
  for (const ir::SymInt& size : value->sizes()) {
    const auto most = size.bounds(ranges).max;
    if (!most) return std::nullopt;
    bytes = multiply(bytes, static_cast<uint64_t>(std::max<int64_t>(*most, 0)));
  }
  return bytes;
}

// 0 for a value without fixed sizes: a builder lays nothing out for it.
uint64_t fixed_nbytes(const ir::Value* value) { return most_nbytes(value, {}).value_or(0); }

// With the constants.
uint64_t inputs_nbytes(const ir::Program& program) {
  uint64_t bytes = 0;
  for (const ir::Input& input : program.inputs) {
    if (input.value == nullptr) continue;
    bytes = add(bytes, most_nbytes(input.value, program.ranges).value_or(kUncounted));
  }
  return bytes;
}

}  // namespace

std::map<const ir::Node*, std::string> find_large_values(const ir::Program& program) {
  // Bytes of the constants that each value is made of, at most.
  std::unordered_map<const ir::Value*, uint64_t> made_of;
  uint64_t constants = 0;
  for (const auto& [value, input] : ir::constant_inputs(program)) {
    const uint64_t bytes = input->data->nbytes();
    made_of.emplace(value, bytes);
    constants = add(constants, bytes);
  }
  const uint64_t most =
      std::min(kMost, std::max(kSmallValue, multiply(kMostSpread, inputs_nbytes(program))));
  std::map<const ir::Node*, std::string> outside;
  std::set<const ir::Value*> large;
  for (const auto& node : program.graph->nodes()) {
    std::set<std::string> symbols;
    bool is_constant = passes::is_pure(*node);
    bool takes_large = false;
    uint64_t bytes_of_constants = 0;
    for (const ir::Argument& argument : node->args()) {
      ir::collect_symbols(argument, symbols);
      ir::Graph::for_each_value(argument, [&](const ir::Value* value) {
        const auto known = made_of.find(value);
        const bool is_input = !value->producer() && known == made_of.end();
        takes_large =
            takes_large || large.contains(value) || (is_input && fixed_nbytes(value) > kMost);
        is_constant = is_constant && known != made_of.end();
        if (is_constant) bytes_of_constants = add(bytes_of_constants, known->second);
      });
    }
    uint64_t bytes = 0;
    for (const ir::Value* output : node->outputs()) bytes = std::max(bytes, fixed_nbytes(output));
    bytes_of_constants = std::min(bytes_of_constants, constants);
    is_constant = is_constant && symbols.empty();
    if (is_constant) {
      for (const ir::Value* output : node->outputs()) made_of.emplace(output, bytes_of_constants);
    }
    if (takes_large) {
      outside.emplace(node.get(), "it takes what is too large for an engine to be made with");
    }
    const uint64_t allowed =
        is_constant
            ? std::max({kSmallConstant, constants, multiply(kMostGrowth, bytes_of_constants)})
            : most;
    if (bytes <= allowed) continue;
    large.insert(node->outputs().begin(), node->outputs().end());
    outside.emplace(node.get(),
                    is_constant
                        ? fmt::format("it makes {} MiB of constants alone, which the engine would "
                                      "hold",
                                      bytes / kMiB)
                        : fmt::format("it makes {} MiB, for which a builder of engines would take "
                                      "as much and more",
                                      bytes / kMiB));
  }
  return outside;
}

}  // namespace slipway
