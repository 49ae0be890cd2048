#include "tensorrt/archive/metadata.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "base/base64.h"
#include "base/piece_writer.h"
#include "base/printable.h"
#include "base/try.h"
#include "pt2/expression_writer.h"
#include "pt2/pickle_writer.h"

namespace slipway::tensorrt {

namespace {

using ir::SymInt;
using pt2::PickleWriter;

constexpr std::string_view kNoteKey = "slipway";
// Texts of a note are short.
constexpr size_t kMostNote = 4096;

// Of what sympy reads, in text.
void add_parsed(PickleWriter& pickle, std::string text) {
  pickle.add_global("sympy.core.sympify", "sympify");
  pickle.begin_tuple();
  pickle.add_text(std::move(text));
  pickle.end_tuple();
  pickle.call();
}

void add_expression(PickleWriter& pickle, const SymInt& expression);

constexpr const char* kFunctions = "torch.utils._sympy.functions";

// TruncToInt(factor * ToFloat(a)).
void add_scale(PickleWriter& pickle, const SymInt::Factor& factor) {
  pickle.add_global(kFunctions, "TruncToInt");
  pickle.begin_tuple();
  pickle.add_global("sympy.core.mul", "Mul");
  pickle.begin_tuple();
  add_parsed(pickle, pt2::sympy_float(factor.scale()));
  pickle.add_global(kFunctions, "ToFloat");
  pickle.begin_tuple();
  add_expression(pickle, factor.arguments.at(0));
  pickle.end_tuple();
  pickle.call();
  pickle.end_tuple();
  pickle.call();
  pickle.end_tuple();
  pickle.call();
}

void add_factor(PickleWriter& pickle, const SymInt::Factor& factor) {
  if (factor.is_symbol()) return add_parsed(pickle, pt2::sympy_symbol(factor.symbol));
  if (factor.is_scale()) return add_scale(pickle, factor);
  pickle.add_global(kFunctions, pt2::sympy_function(factor.function));
  pickle.begin_tuple();
  for (const SymInt& argument : factor.arguments) add_expression(pickle, argument);
  pickle.end_tuple();
  pickle.call();
}

// An int, or an expression of sympy.
void add_expression(PickleWriter& pickle, const SymInt& expression) {
  if (const auto constant = expression.constant()) return pickle.add_integer(*constant);
  pickle.add_global("sympy.core.add", "Add");
  pickle.begin_tuple();
  for (const SymInt::Term& term : expression.terms()) {
    pickle.add_global("sympy.core.mul", "Mul");
    pickle.begin_tuple();
    pickle.add_integer(term.coefficient);
    for (const SymInt::Factor& factor : term.factors) add_factor(pickle, factor);
    pickle.end_tuple();
    pickle.call();
  }
  pickle.end_tuple();
  pickle.call();
}

void add_tensors(PickleWriter& pickle, const std::vector<ir::Value*>& values,
                 const std::vector<std::string>* names) {
  pickle.begin_list();
  for (size_t i = 0; i < values.size(); ++i) {
    pickle.begin_dictionary();
    pickle.add_text(std::string("shape_exprs"));
    pickle.begin_list();
    for (const SymInt& size : values[i]->sizes()) add_expression(pickle, size);
    pickle.end_list();
    pickle.add_text(std::string("dtype"));
    pickle.add_global("torch", dtype_name(values[i]->dtype()));
    if (names != nullptr) {
      pickle.add_text(std::string("name"));
      pickle.add_text((*names)[i]);
    }
    pickle.end_dictionary();
  }
  pickle.end_list();
}

// What stands before the texts of a note, and after them.
std::string start_of_note() {
  std::string start = std::string("\x80\x04}(X") + static_cast<char>(kNoteKey.size());
  start.append(3, '\0');
  start += kNoteKey;
  return start + "](";
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A short text at the start of a pickle.
std::optional<std::string> take_text(std::string_view& pickle) {
  if (pickle.size() < 5 || pickle[0] != 'X') return std::nullopt;
  size_t size = 0;
  for (size_t i = 0; i < 4; ++i) size |= size_t{static_cast<uint8_t>(pickle[1 + i])} << (8 * i);
  if (size > kMostNote || size > pickle.size() - 5) return std::nullopt;
  std::string text(pickle.substr(5, size));
  pickle.remove_prefix(5 + size);
  return text;
}

}  // namespace

Result<std::string> write_metadata(const std::vector<std::string>& names,
                                   const std::vector<ir::Value*>& inputs,
                                   const std::vector<ir::Value*>& outputs, const EngineNote& note) {
  PickleWriter pickle(4);
  pickle.begin_dictionary();
  // First, where note_of() looks for it.
  pickle.add_text(std::string(kNoteKey));
  pickle.begin_list();
  for (const std::string& text : {note.tool_version, note.library_version, note.target}) {
    pickle.add_text(text);
  }
  pickle.end_list();
  pickle.add_text(std::string("inout_symexprs"));
  pickle.begin_dictionary();
  pickle.add_text(std::string("inputs"));
  add_tensors(pickle, inputs, &names);
  pickle.add_text(std::string("outputs"));
  add_tensors(pickle, outputs, nullptr);
  pickle.end_dictionary();
  pickle.add_text(std::string("output_tensors_are_unowned"));
  pickle.add_flag(false);
  pickle.end_dictionary();
  SLIPWAY_ASSIGN_OR_RETURN(auto bytes, write_to_memory(pickle.finish()));
  PieceList encoded;
  encoded.add(encode_base64(own_bytes(std::move(bytes))));
  SLIPWAY_ASSIGN_OR_RETURN(const auto text, write_to_memory(encoded));
  return std::string(as_text(text));
}

EngineNote note_of(std::string_view metadata) {
  const std::string start = start_of_note();
  std::string bytes;
  // A part of Base64 that ends between its groups of four stands for bytes by itself.
  const size_t most = (start.size() + 3 * (kMostNote + 5)) / 3 * 4;
  const Status decoded = decode_base64(metadata.substr(0, most), [&](auto piece) -> Status {
    bytes += as_text(piece);
    return {};
  });
  if (!decoded.ok() || !bytes.starts_with(start)) return {};
  std::string_view rest = std::string_view(bytes).substr(start.size());
  EngineNote note;
  for (std::string* text : {&note.tool_version, &note.library_version, &note.target}) {
    auto taken = take_text(rest);
    if (!taken) return {};
    *text = printable(*taken);
  }
  return rest.starts_with('e') ? note : EngineNote();
}

}  // namespace slipway::tensorrt
