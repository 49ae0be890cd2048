// Symbolic integers as values: each expression computed once, from the sizes of tensors, where it
// is first needed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/sym_int.h"
#include "slipway/result.h"

namespace slipway::ir {

// Whoever derives from it makes instructions or nodes; tensors and integers are numbers of its own.
// Not thread-safe.
class SymbolValues {
 public:
  enum class Operation : uint8_t { kAdd, kSub, kMul, kFloorDiv, kMod, kMin, kMax };

  explicit SymbolValues(const SymbolRanges& ranges) : ranges_(ranges) { scopes_.emplace_back(); }
  virtual ~SymbolValues() = default;
  SymbolValues(const SymbolValues&) = delete;
  SymbolValues& operator=(const SymbolValues&) = delete;

  // What is defined or computed between the two may not run, so it is forgotten at the end.
  void enter_branch() { scopes_.emplace_back(); }
  void leave_branch() { scopes_.pop_back(); }

  // The sizes of a tensor that exists from here on.
  void define_sizes(int32_t tensor, const std::vector<SymInt>& sizes);
  // `value` holds `expression` from here on.
  void define(const SymInt& expression, int32_t value);
  // Whether every symbol in it is known here.
  bool can_compute(const SymInt& expression) const;

  // The value that holds `expression`, computed here unless it is a constant or is known already.
  // An error names a symbol that nothing defines.
  Result<int32_t> value(const SymInt& expression);

 protected:
  virtual int32_t constant(int64_t number) = 0;
  virtual int32_t size(int32_t tensor, int64_t dim) = 0;
  // Whether kMod is Python's where operands are negative, whose sign follows the divisor. Else it
  // is asked for only where neither can be.
  virtual bool has_pythons_remainder() const { return false; }
  virtual int32_t binary(Operation operation, int32_t a, int32_t b) = 0;
  // SymInt::scale().
  virtual Result<int32_t> scale(int32_t a, double factor) = 0;

 private:
  // size == factor * symbol + offset, for dimension `dim` of `tensor`.
  struct Source {
    int32_t tensor = 0;
    int64_t dim = 0;
    int64_t factor = 1;
    int64_t offset = 0;
  };
  struct Scope {
    std::map<std::string, Source> sources;
    std::map<SymInt, int32_t> values;
  };

  std::optional<int32_t> known(const SymInt& expression) const;
  const Source* source(const std::string& symbol) const;
  Result<int32_t> compute(const SymInt& expression);
  Result<int32_t> compute_factor(const SymInt::Factor& factor);
  int32_t compute_symbol(const Source& source);
  bool is_non_negative(const SymInt& expression) const;

  const SymbolRanges& ranges_;
  std::vector<Scope> scopes_;
};

}  // namespace slipway::ir
