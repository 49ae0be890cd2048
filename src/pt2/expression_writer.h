// Symbolic integers as archives have them: sympy's srepr, and what PyTorch saw at the export.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/json.h"
#include "base/json_writer.h"
#include "ir/sym_int.h"

namespace slipway::pt2 {

// PyTorch's name of a function of two integers, which kScale is not.
const char* sympy_function(ir::SymInt::Function function);
// "Symbol('s0', positive=True, integer=True)": torch.export has sizes of inputs positive, and says
// nothing of integers out of data ("u0").
std::string sympy_symbol(const std::string& name);
// "Float('0.5', precision=53)"
std::string sympy_float(double number);

// Not thread-safe.
class ExpressionWriter {
 public:
  // `hints`: of symbols. They are moved into their ranges: PyTorch loads no archive that has
  // others.
  ExpressionWriter(std::map<std::string, int64_t> hints, const ir::SymbolRanges& ranges);

  // Learns the texts and assumptions of a graph of the archive that the program was read from, and
  // of those within it. The document must outlive the writer.
  void learn(JsonValue graph);

  // Whether the hint of a symbol in them has moved, so that the archive's own texts are of no use.
  bool has_moved(std::span<const ir::SymInt> expressions) const;
  bool has_moved() const { return !moved_.empty(); }

  // {"as_int": 5} or {"as_expr": ...}: the archive's own text for an expression that it has.
  void write(const ir::SymInt& expression, JsonWriter& json) const;

 private:
  void learn_sym_int(JsonValue sym_int);
  void append(const ir::SymInt& expression, std::string& text) const;
  void append(const ir::SymInt::Factor& factor, std::string& text) const;
  std::string symbol(const std::string& name) const;

  std::unordered_set<std::string_view> seen_;
  std::map<ir::SymInt, JsonValue> known_;
  std::map<std::string, std::string> symbols_;  // by name: "Symbol('s0', positive=True, ...)"
  std::map<std::string, int64_t> hints_;        // of symbols
  std::set<std::string> moved_;                 // those that have other hints than in the archive
};

}  // namespace slipway::pt2
