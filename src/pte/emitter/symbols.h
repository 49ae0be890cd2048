// Symbolic integers at run time: computed from the sizes of tensors, each where it is first needed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/sym_int.h"
#include "pte/emitter/plan_builder.h"
#include "slipway/result.h"

namespace slipway::pte {

class Symbols {
 public:
  Symbols(PlanBuilder& plan, const ir::SymbolRanges& ranges) : plan_(plan), ranges_(ranges) {
    scopes_.emplace_back();
  }

  // What is defined or computed between the two may not run, so it is forgotten at the end.
  void enter_branch() { scopes_.emplace_back(); }
  void leave_branch() { scopes_.pop_back(); }

  // The sizes of a tensor that exists from the next instruction on.
  void define_sizes(int32_t tensor, const std::vector<ir::SymInt>& sizes);
  // `value` holds `expression` from the next instruction on.
  void define(const ir::SymInt& expression, int32_t value);
  // Whether every symbol in it is known here.
  bool can_compute(const ir::SymInt& expression) const;

  // The value that holds `expression`, computed by instructions added now unless it is a constant
  // or is known already. An error names a symbol that nothing defines.
  Result<int32_t> value(const ir::SymInt& expression);

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
    std::map<ir::SymInt, int32_t> values;
  };

  std::optional<int32_t> known(const ir::SymInt& expression) const;
  const Source* source(const std::string& symbol) const;
  Result<int32_t> compute(const ir::SymInt& expression);
  Result<int32_t> compute_factor(const ir::SymInt::Factor& factor);
  int32_t compute_symbol(const Source& source);
  int32_t binary(const std::string& op, int32_t a, int32_t b);
  bool is_non_negative(const ir::SymInt& expression) const;

  PlanBuilder& plan_;
  const ir::SymbolRanges& ranges_;
  std::vector<Scope> scopes_;
};

}  // namespace slipway::pte
