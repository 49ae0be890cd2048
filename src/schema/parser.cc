#include <charconv>

#include "base/error.h"
#include "base/scanner.h"
#include "base/try.h"
#include "schema/schema.h"

namespace slipway::schema {

namespace {

BaseType base_type(std::string_view name) {
  static constexpr std::pair<std::string_view, BaseType> kTypes[] = {
      {"Tensor", BaseType::kTensor},  {"int", BaseType::kInt},
      {"SymInt", BaseType::kInt},     {"float", BaseType::kFloat},
      {"SymFloat", BaseType::kFloat}, {"bool", BaseType::kBool},
      {"SymBool", BaseType::kBool},   {"Scalar", BaseType::kScalar},
      {"str", BaseType::kString},     {"ScalarType", BaseType::kScalarType},
      {"Layout", BaseType::kLayout},  {"MemoryFormat", BaseType::kMemoryFormat},
      {"Device", BaseType::kDevice},  {"Generator", BaseType::kGenerator},
  };
  for (const auto& [known, type] : kTypes) {
    if (known == name) return type;
  }
  return BaseType::kOther;
}

class Parser : Scanner {
 public:
  using Scanner::Scanner;

  Result<Schema> parse() {
    Schema schema;
    schema.text = text();
    schema.name = word(":");
    if (schema.name.find("::") == std::string::npos) return error("a name with :: is expected");
    if (take('.')) schema.overload = word();
    if (!take('(')) return error("an opening parenthesis is expected");
    bool keyword_only = false;
    if (!take(')')) {
      do {
        if (take('*')) {
          keyword_only = true;
          continue;
        }
        SLIPWAY_ASSIGN_OR_RETURN(Parameter parameter, this->parameter());
        parameter.keyword_only = keyword_only;
        parameter.is_out = keyword_only && parameter.type.is_mutable();
        schema.parameters.push_back(std::move(parameter));
      } while (take(','));
      if (!take(')')) return error("a comma or a closing parenthesis is expected");
    }
    if (!take('-') || !take('>')) return error("-> is expected");
    SLIPWAY_ASSIGN_OR_RETURN(schema.returns, returns());
    skip_spaces();
    if (!at_end()) return error("text after the end");
    return schema;
  }

 private:
  Error error(std::string_view what) const {
    return invalid_file("operator schema \"{}\": {} (at character {})", text(), what, position());
  }

  // Tensor(a!)[], int[2]?, Tensor?[], Tensor(a)?, str
  Result<Type> type() {
    Type type;
    type.name = word(".");
    if (type.name.empty()) return error("a type is expected");
    type.base = base_type(type.name);
    while (true) {
      if (peek() == '(') {
        const size_t end = text().find(')', position());
        if (end == std::string_view::npos) return error("an alias does not end");
        // "a -> *" is a's view that may land in a list: "a".
        std::string_view alias = text().substr(position() + 1, end - position() - 1);
        type.alias = alias.substr(0, alias.find(' '));
        move_to(end + 1);
      } else if (take('[')) {
        if (type.list) return error("a list of lists");
        type.list = true;
        type.optional_items = type.optional;
        type.optional = false;
        const std::string_view size = word();
        std::from_chars(size.data(), size.data() + size.size(), type.list_size);
        if (!take(']')) return error("a closing bracket is expected");
      } else if (take('?')) {
        type.optional = true;
      } else {
        return type;
      }
    }
  }

  Result<Parameter> parameter() {
    Parameter parameter;
    SLIPWAY_ASSIGN_OR_RETURN(parameter.type, type());
    parameter.name = word();
    if (parameter.name.empty()) return error("a parameter has no name");
    if (take('=')) {
      SLIPWAY_ASSIGN_OR_RETURN(parameter.default_value, default_value(parameter.type));
    }
    return parameter;
  }

  Result<Default> default_value(const Type& type) {
    if (take('[')) return list_default(type);
    if (peek() == '"' || peek() == '\'') {
      const auto text = quoted();
      if (!text) return error("a text does not end");
      return Default(std::string(*text));
    }
    const std::string token(word("+-."));
    if (token.empty()) return error("a default is expected");
    if (token == "None") return Default(NoneDefault());
    return scalar_default(token, type);
  }

  Result<Default> scalar_default(const std::string& token, const Type& type) {
    if (token == "True" || token == "False") return Default(token == "True");
    int64_t integer = 0;
    const char* end = token.data() + token.size();
    if (auto [last, code] = std::from_chars(token.data(), end, integer);
        code == std::errc() && last == end) {
      // One number stands for every item of a list of fixed size.
      if (type.list && type.base == BaseType::kInt) {
        return Default(std::vector<int64_t>(static_cast<size_t>(type.list_size), integer));
      }
      if (type.base == BaseType::kFloat) return Default(static_cast<double>(integer));
      return Default(integer);
    }
    double number = 0;
    if (auto [last, code] = std::from_chars(token.data(), end, number);
        code == std::errc() && last == end) {
      return Default(number);
    }
    return Default(token);  // The name of an enumeration's member.
  }

  Result<Default> list_default(const Type& type) {
    std::vector<int64_t> integers;
    std::vector<double> numbers;
    std::vector<bool> bools;
    Type item = type;
    item.list = false;
    if (!take(']')) {
      do {
        SLIPWAY_ASSIGN_OR_RETURN(Default value, scalar_default(std::string(word("+-.")), item));
        if (auto* integer = std::get_if<int64_t>(&value)) {
          integers.push_back(*integer);
        } else if (auto* number = std::get_if<double>(&value)) {
          numbers.push_back(*number);
        } else if (auto* flag = std::get_if<bool>(&value)) {
          bools.push_back(*flag);
        } else {
          return error("a list holds what is neither a number nor a bool");
        }
      } while (take(','));
      if (!take(']')) return error("a closing bracket is expected");
    }
    if (type.base == BaseType::kFloat) return Default(std::move(numbers));
    if (type.base == BaseType::kBool) return Default(std::move(bools));
    return Default(std::move(integers));
  }

  Result<std::vector<Type>> returns() {
    std::vector<Type> result;
    if (!take('(')) {
      SLIPWAY_ASSIGN_OR_RETURN(Type only, type());
      word();  // Results may be named.
      result.push_back(std::move(only));
      return result;
    }
    if (take(')')) return result;
    do {
      SLIPWAY_ASSIGN_OR_RETURN(Type one, type());
      word();
      result.push_back(std::move(one));
    } while (take(','));
    if (!take(')')) return error("a comma or a closing parenthesis is expected");
    return result;
  }
};

}  // namespace

Result<Schema> parse(std::string_view text) { return Parser(text).parse(); }

}  // namespace slipway::schema
