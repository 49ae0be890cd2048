#include "cuda/builder/kernel.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cuda/builder/generator.h"
#include "cuda/builder/layout.h"

namespace slipway::cuda {

namespace {

std::optional<int64_t> known(const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_name(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.';
  });
}

std::string joined(const Indices& at) { return fmt::format("{}", fmt::join(at, ",")); }

Indices without_ones(const Value& value, Indices at) {
  for (size_t i = 0; i < value.sizes.size(); ++i) {
    if (value.sizes[i] == ir::SymInt(1)) at.at(i) = "0";
  }
  return at;
}

std::string rounded(const std::string& text, DType dtype) {
  if (dtype == DType::kFloat16) return fmt::format("s_round_float16({})", text);
  if (dtype == DType::kBFloat16) return fmt::format("s_round_bfloat16({})", text);
  return text;
}

std::string key_of(const Value& value, const Indices& at) {
  return fmt::format("read {} {}", static_cast<const void*>(&value), joined(at));
}

std::string text_of(const Sizes& sizes) { return ir::format_sizes(sizes); }

}  // namespace

bool has_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat8E4M3FN:
    case DType::kFloat8E5M2:
    case DType::kFloat8E4M3FNUZ:
    case DType::kFloat8E5M2FNUZ:
    case DType::kFloat8E8M0:
      return false;
    default:
      return !is_complex(dtype);
  }
}

const char* c_type(DType dtype) { return is_half(dtype) ? "float" : memory_type(dtype); }

const char* memory_type(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return "bool";
    case DType::kUInt8:
      return "unsigned char";
    case DType::kInt8:
      return "signed char";
    case DType::kInt16:
      return "short";
    case DType::kUInt16:
    case DType::kFloat16:
    case DType::kBFloat16:
      return "unsigned short";
    case DType::kInt32:
      return "int";
    case DType::kUInt32:
      return "unsigned int";
    case DType::kInt64:
      return "long long";
    case DType::kUInt64:
      return "unsigned long long";
    case DType::kFloat64:
      return "double";
    default:
      return "float";
  }
}

std::string real_literal(double value, DType dtype) {
  const bool is_double = dtype == DType::kFloat64;
  if (std::isnan(value)) return is_double ? "s_nan()" : "s_nanf()";
  if (std::isinf(value)) {
    return fmt::format("({}{})", value < 0 ? "-" : "", is_double ? "s_inf()" : "s_inff()");
  }
  if (is_double) return fmt::format("({:a})", value);
  return fmt::format("({:a}f)", static_cast<float>(value));
}

std::string integer_literal(int64_t value, DType dtype) {
  if (dtype == DType::kBool) return value != 0 ? "true" : "false";
  if (dtype == DType::kInt64) {
    if (value == INT64_MIN) return "(-9223372036854775807LL - 1)";
    return fmt::format("({}LL)", value);
  }
  if (dtype == DType::kUInt64) return fmt::format("({}ULL)", static_cast<uint64_t>(value));
  if (value == INT32_MIN) return "(-2147483647 - 1)";
  return fmt::format("(({}){}LL)", c_type(dtype), value);
}

std::string plus(const std::string& a, const std::string& b) {
  const auto x = known(a);
  const auto y = known(b);
  if (x && y) return std::to_string(*x + *y);
  if (x == 0) return b;
  if (y == 0) return a;
  return fmt::format("({} + {})", a, b);
}

std::string minus(const std::string& a, const std::string& b) {
  const auto x = known(a);
  const auto y = known(b);
  if (x && y) return std::to_string(*x - *y);
  if (y == 0) return a;
  return fmt::format("({} - {})", a, b);
}

std::string times(const std::string& a, const std::string& b) {
  const auto x = known(a);
  const auto y = known(b);
  if (x && y) return std::to_string(*x * *y);
  if (x == 0 || y == 0) return "0";
  if (x == 1) return b;
  if (y == 1) return a;
  return fmt::format("({} * {})", a, b);
}

void Kernel::line(std::string_view text) {
  body_.append(2 * static_cast<size_t>(depth_), ' ');
  body_ += text;
  body_ += '\n';
}

void Kernel::open(std::string_view text) {
  line(fmt::format("{} {{", text));
  ++depth_;
  scopes_.emplace_back();
}

void Kernel::close() {
  --depth_;
  scopes_.pop_back();
  line("}");
}

std::string Kernel::fresh(std::string_view prefix) { return fmt::format("{}{}", prefix, names_++); }

std::string Kernel::let(const char* type, const std::string& expression) {
  if (is_name(expression)) return expression;
  const std::string key = fmt::format("let {} {}", type, expression);
  if (const std::string* name = find(key)) return *name;
  std::string name = fresh("t");
  if (run_at_ != 0 && follows(expression)) follow(name);
  line(fmt::format("const {} {} = {};", type, name, expression));
  remember(key, name);
  return name;
}

std::string Kernel::choose(const char* type, const std::vector<Choice>& choices) {
  if (choices.size() == 1) return choices.front().value();
  std::string name = fresh("t");
  line(fmt::format("{} {};", type, name));
  for (size_t i = 0; i < choices.size(); ++i) {
    const bool is_last = i + 1 == choices.size();
    open(i == 0    ? fmt::format("if ({})", choices[i].condition)
         : is_last ? "else"
                   : fmt::format("else if ({})", choices[i].condition));
    const std::string value = choices[i].value();
    line(fmt::format("{} = {};", name, value));
    close();
  }
  return name;
}

const std::string* Kernel::find(const std::string& key) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (const auto found = scope->find(key); found != scope->end()) return &found->second;
  }
  return nullptr;
}

std::string Kernel::argument(bool is_number, uint32_t index, const std::string& declaration,
                             std::string_view prefix) {
  const Argument argument{is_number, index};
  const auto found = std::find(arguments_.begin(), arguments_.end(), argument);
  const auto position = static_cast<size_t>(found - arguments_.begin());
  if (found == arguments_.end()) {
    arguments_.push_back(argument);
    argument_names_.push_back(fmt::format("{}{}", prefix, arguments_.size() - 1));
    types_.push_back(declaration);
  } else if (!declaration.starts_with("const")) {
    types_[position] = declaration;
  }
  return argument_names_[position];
}

std::string Kernel::number(const ir::SymInt& value) {
  if (const auto constant = value.constant()) return std::to_string(*constant);
  return argument(true, generator_.number(value), "const long long", "n");
}

std::string Kernel::buffer(uint32_t index, DType dtype, bool writes) {
  auto& list = writes ? writes_ : reads_;
  if (std::find(list.begin(), list.end(), index) == list.end()) list.push_back(index);
  // Buffers do not overlap: elements may be loaded while earlier ones are stored.
  return argument(false, index,
                  fmt::format("{}{}* __restrict__", writes ? "" : "const ", memory_type(dtype)),
                  "b");
}

std::string Kernel::flag(const std::string& text) {
  const auto [buffer_index, position] = generator_.flag(text);
  return fmt::format("({} + {})", buffer(buffer_index, DType::kInt32, true), position);
}

std::string Kernel::read(const Value& value, const Indices& given) {
  const Indices at = without_ones(value, given);
  const std::string key = key_of(value, at);
  if (const std::string* same = find(key)) return *same;
  std::string element;
  if (value.ints && (value.ints->size() <= 4 || !value.initializer)) {
    const auto item = [&](size_t i) {
      return fmt::format("(({}){})", c_type(value.dtype), number(value.ints->at(i)));
    };
    const std::string place = ravel(at, value.sizes);
    element = item(value.ints->size() - 1);
    if (const auto index = known(place)) {
      element = item(static_cast<size_t>(*index));
    } else {
      for (size_t i = value.ints->size() - 1; i-- > 0;) {
        element = fmt::format("({} == {} ? {} : {})", place, i, item(i), element);
      }
    }
  } else if (value.initializer) {
    const std::string place = ravel(at, value.sizes);
    if (const auto literal = generator_.literal(value)) {
      element = *literal;
    } else if (const auto progression = generator_.progression(value)) {
      element = fmt::format("(({}){})", c_type(value.dtype),
                            plus(times(place, std::to_string(progression->step)),
                                 std::to_string(progression->first)));
    } else {
      element = load(generator_.constant(value), value.dtype, place);
    }
  } else if (value.buffer) {
    element = load(*value.buffer, memory_dtype(value), place_of(value, at));
  } else {
    element = rounded(value.define(*this, at), value.dtype);
  }
  std::string name = let(c_type(value.dtype), element);
  remember(key, name);
  return name;
}

std::string Kernel::element_of(const Value& value, const std::string& expression) {
  return let(c_type(value.dtype), rounded(expression, value.dtype));
}

void Kernel::bind(const Value& value, const Indices& at, const std::string& expression) {
  remember(key_of(value, without_ones(value, at)), element_of(value, expression));
}

void Kernel::open_run() {
  run_at_ = body_.size();
  line("#pragma unroll");
  open("for (int e = 0; e < 8; ++e)");
  line("if (e >= count) break;");
}

void Kernel::close_run() {
  close();
  body_.insert(run_at_, run_declarations_);
  body_ += run_ends_;
  run_at_ = 0;
  run_declarations_.clear();
  run_ends_.clear();
  following_.clear();
}

bool Kernel::follows(std::string_view expression) const {
  const auto is_of_name = [](char c) { return std::isalnum(c) != 0 || c == '_'; };
  for (size_t i = 0; i < expression.size();) {
    size_t end = i;
    while (end < expression.size() && is_of_name(expression[end])) ++end;
    if (following_.contains(expression.substr(i, end - i))) return true;
    i = end + 1;
  }
  return false;
}

std::string Kernel::run_of(const char* what, uint32_t index, DType dtype,
                           const std::string& place) {
  constexpr size_t kHalf = 2;
  constexpr size_t kWord = 4;
  const size_t size = dtype_size(dtype);
  if (run_at_ == 0 || (size != kHalf && size != kWord) || !follows(place)) return "";
  std::string name = fresh("r");
  run_declarations_ += fmt::format("{:{}}{}<{}, Index, {}> {};\n", "", 2 * (depth_ - 1), what,
                                   memory_type(dtype), !generator_.is_of_caller(index), name);
  return name;
}

std::string Kernel::load(uint32_t index, DType dtype, const std::string& place) {
  const std::string memory = buffer(index, dtype, false);
  const std::string run = run_of("s_loads", index, dtype, place);
  std::string element = run.empty() ? fmt::format("{}[{}]", memory, place)
                                    : fmt::format("{}.load({}, {}, e, count)", run, memory, place);
  if (dtype == DType::kFloat16) return fmt::format("s_from_float16({})", element);
  if (dtype == DType::kBFloat16) return fmt::format("s_from_bfloat16({})", element);
  return element;
}

void Kernel::store(uint32_t index, DType dtype, const std::string& place,
                   const std::string& expression) {
  std::string element = expression;
  if (dtype == DType::kFloat16) element = fmt::format("s_to_float16({})", expression);
  if (dtype == DType::kBFloat16) element = fmt::format("s_to_bfloat16({})", expression);
  const std::string memory = buffer(index, dtype, true);
  const std::string run = run_of("s_stores", index, dtype, place);
  if (run.empty()) return line(fmt::format("{}[{}] = {};", memory, place, element));
  line(fmt::format("{}.store({}, {}, e, {});", run, memory, place, element));
  run_ends_ += fmt::format("{:{}}{}.end({});\n", "", 2 * (depth_ - 1), run, memory);
}

void Kernel::store(const Value& value, const Indices& at, const std::string& expression) {
  store(value.buffer.value(), memory_dtype(value), place_of(value, at), expression);
}

namespace {

// And back.
template <class T>
std::vector<T> tokens_first(std::vector<T> dimensions) {
  std::swap(dimensions.at(1), dimensions.at(2));
  return dimensions;
}

}  // namespace

std::string Kernel::place_of(const Value& value, const Indices& at) {
  if (value.order == Order::kAsGiven) return ravel(at, value.sizes);
  if (value.order == Order::kTokensFirst) return ravel(tokens_first(at), tokens_first(value.sizes));
  Indices front = at;
  Sizes sizes = value.sizes;
  front.erase(front.begin() + 1);
  sizes.erase(sizes.begin() + 1);
  return let("Index", plus(times(ravel(front, sizes), number(value.sizes[1])), at[1]));
}

Indices Kernel::unravel(const std::string& place, const Value& value) {
  if (value.order == Order::kAsGiven) return unravel(place, value.sizes);
  if (value.order == Order::kTokensFirst) {
    return tokens_first(unravel(place, tokens_first(value.sizes)));
  }
  Sizes sizes = value.sizes;
  sizes.erase(sizes.begin() + 1);
  Indices at = unravel(place, {ir::numel(sizes), value.sizes[1]});
  const std::string channel = at[1];
  at = unravel(at[0], sizes);
  at.insert(at.begin() + 1, channel);
  return at;
}

Indices Kernel::unravel(const std::string& place, const Sizes& sizes) {
  const size_t rank = sizes.size();
  Indices at(rank, "0");
  size_t first = 0;
  while (first < rank && sizes[first] == ir::SymInt(1)) ++first;
  std::string rest = place;
  for (size_t d = rank; d-- > first;) {
    if (sizes[d] == ir::SymInt(1)) continue;
    if (d == first) {
      at[d] = let("Index", rest);
      continue;
    }
    const std::string size = number(sizes[d]);
    at[d] = let("Index", fmt::format("{} % {}", rest, size));
    rest = let("Index", fmt::format("{} / {}", rest, size));
  }
  const std::string key = fmt::format("place {} {}", joined(at), text_of(sizes));
  if (!find(key)) remember(key, place);
  return at;
}

std::string Kernel::ravel(const Indices& at, const Sizes& sizes) {
  const std::string key = fmt::format("place {} {}", joined(at), text_of(sizes));
  if (const std::string* same = find(key)) return *same;
  std::string place = "0";
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == ir::SymInt(1)) continue;
    place = plus(times(place, number(sizes[d])), at.at(d));
  }
  place = known(place) ? place : let("Index", place);
  remember(key, place);
  return place;
}

std::string Kernel::checked(const std::string& index, const ir::SymInt& size, std::string& ok) {
  const std::string i = let("long long", index);
  const std::string n = number(size);
  ok = let("bool", fmt::format("{} >= -{} && {} < {}", i, n, i, n));
  line(fmt::format("if (!{}) *{} = 1;", ok, flag("an index is out of range")));
  return let("Index", fmt::format("{} ? ({} < 0 ? {} + {} : {}) : 0", ok, i, i, n, i));
}

std::string Kernel::thread_of(const ir::SymInt& count) {
  block_ = kBlock;
  set_grid(ir::SymInt::floordiv(count + (kBlock - 1), kBlock));
  std::string thread = let("Index", fmt::format("(Index)blockIdx.x * {} + threadIdx.x", kBlock));
  line(fmt::format("if ({} >= {}) return;", thread, number(count)));
  return thread;
}

void Kernel::set_grid(const ir::SymInt& x, const ir::SymInt& y, const ir::SymInt& z) {
  grid_ = {x, y, z};
}

std::string Kernel::attributes() const {
  if (cluster_ == 0 && residents_ == 1) return "";
  return fmt::format("__launch_bounds__({}, {}) {}", block_, residents_,
                     cluster_ == 0 ? "" : fmt::format("S_CLUSTER({}) ", cluster_));
}

std::string Kernel::source() const {
  std::string parameters;
  for (size_t i = 0; i < arguments_.size(); ++i) {
    std::string type = types_[i];
    const size_t promise = type.find(" __restrict__");
    if (loads_before_ && type.starts_with("const") && promise != std::string::npos &&
        !generator_.is_constant(arguments_[i].index)) {
      type.erase(promise);
    }
    parameters += fmt::format("{}{} {}", i == 0 ? "" : ", ", type, argument_names_[i]);
  }
  return fmt::format("({}) {{\n{}{}{}}}\n", parameters,
                     can_have_short_indices() ? "  typedef int Index;\n" : "",
                     waits_itself_ ? "" : "  s_wait_for_earlier();\n", body_);
}

// Sizes are literals then, and what they are of is in a buffer.
bool Kernel::can_have_short_indices() const {
  if (generator_.most_elements() >= kShortEnd) return false;
  const auto is_short = [&](const ir::SymInt& size) {
    return size.constant().value_or(kShortEnd) < kShortEnd;
  };
  if (!has_short_indices_ || !is_short(grid_[0] * block_)) return false;
  for (const Argument& argument : arguments_) {
    if (argument.is_number || !is_short(generator_.bytes(argument.index))) return false;
  }
  return true;
}

}  // namespace slipway::cuda
