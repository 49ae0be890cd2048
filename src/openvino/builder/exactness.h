// What OpenVINO's CPU plugin computes exactly, by operator and element type: one table, from which
// the choice of nodes and the documentation derive. Integers live in 32 bits there, and many
// operators compute them in float32.
//
// Everything here is immutable or a pure function: any thread may call it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/program.h"
#include "partition/integer_ranges.h"

namespace slipway::openvino {

// Sets of element types: float32, int32 and int64, int8 and uint8, bool.
using Types = uint8_t;
inline constexpr Types kFloat = 1;
inline constexpr Types kInt = 2;
inline constexpr Types kByte = 4;
inline constexpr Types kBool = 8;

// Where the integers of an operator go, its operands and results alike.
enum class Integers : uint8_t {
  kMoved,         // only copied: exact in 32 bits
  kIn32Bits,      // computed in 32 bits
  kInFloat,       // computed in float32: exact up to 2^24
  kInFloatTwice,  // the same, with the sum of two in between: exact up to 2^23
};

struct Exactness {
  const char* targets;  // separated by spaces; ".default" may be left out
  Types types;          // that tensors among operands and results may have; 0: not taken
  Integers integers;    // for kInt
  int index_argument;   // argument whose values are places in a dimension; -1: none
  const char* why_not;  // for types 0: the reason
  const char* note;     // what else stays outside, for the documentation
};
std::span<const Exactness> exactness_table();
// All targets of an entry, with their overloads.
std::vector<std::string> targets(const Exactness& entry);
// The entry of "aten.add.Tensor", or null.
const Exactness* find_exactness(std::string_view target);

// The table as a part of a Markdown page.
std::string document_exactness();

// Why the plugin would not compute a node exactly; nothing where it does. With
// `allow_reduced_precision` the other floating-point types and unproven integers are no reason.
std::optional<std::string> why_inexact(const ir::Program& program, const ir::Node& node,
                                       const partition::IntegerRanges& ranges,
                                       bool allow_reduced_precision);

}  // namespace slipway::openvino
