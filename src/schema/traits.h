// What layers have to know of operators that they don't compute (traits.txt): which ones only move
// elements, draw random numbers, or check something. There is no second list of these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::schema {

enum class Trait : uint8_t {
  kNone,
  // Every result is made of elements of the first argument, a tensor or a list of them.
  kSame,       // all in their order, in the same sizes
  kReshaped,   // all in their order, in other sizes
  kPermuted,   // with the dimensions in another order
  kExpanded,   // repeated along dimensions, without being copied
  kMoved,      // in any other way
  kConverted,  // all in their order, perhaps in another type
  // Others.
  kOther,       // an overload that does not do what others of its name do
  kRandom,      // gives other numbers at each run
  kAssertion,   // fails where something does not hold
  kConstraint,  // says what a number can be
};

// Of "aten.view_copy.default"; kNone for an operator that traits.txt does not have.
Trait trait_of(std::string_view op);

// Whether the results' elements are those of the first argument, in its type.
bool only_moves(std::string_view op);
// Whether argument `i` holds places of elements in the first argument.
bool is_index_argument(std::string_view op, size_t i);

// The names of a trait in the table, for tests.
std::vector<std::string> names_of(Trait trait);

}  // namespace slipway::schema
