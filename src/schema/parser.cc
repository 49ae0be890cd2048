#include <charconv>

#include "base/error.h"
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

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Schema> parse() {
    Schema schema;
    schema.text = text_;
    schema.name = identifier(":");
    if (schema.name.find("::") == std::string::npos) return error("a name with :: is expected");
    if (take('.')) schema.overload = identifier();
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
    if (position_ != text_.size()) return error("text after the end");
    return schema;
  }

 private:
  Error error(std::string_view what) const {
    return invalid_file("operator schema \"{}\": {} (at character {})", text_, what, position_);
  }

  void skip_spaces() {
    while (position_ < text_.size() && text_[position_] == ' ') ++position_;
  }
  bool take(char c) {
    skip_spaces();
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }
  char peek() {
    skip_spaces();
    return position_ < text_.size() ? text_[position_] : '\0';
  }

  std::string identifier(std::string_view more = "") {
    skip_spaces();
    size_t begin = position_;
    auto is_part = [&](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || more.find(c) != std::string_view::npos;
    };
    while (position_ < text_.size() && is_part(text_[position_])) ++position_;
    return std::string(text_.substr(begin, position_ - begin));
  }

  // Tensor(a!)[], int[2]?, Tensor?[], Tensor(a)?, str
  Result<Type> type() {
    Type type;
    type.name = identifier(".");
    if (type.name.empty()) return error("a type is expected");
    type.base = base_type(type.name);
    while (true) {
      if (peek() == '(') {
        size_t end = text_.find(')', position_);
        if (end == std::string_view::npos) return error("an alias does not end");
        // "a -> *" is a's view that may land in a list: "a".
        std::string_view alias = text_.substr(position_ + 1, end - position_ - 1);
        type.alias = alias.substr(0, alias.find(' '));
        position_ = end + 1;
      } else if (take('[')) {
        if (type.list) return error("a list of lists");
        type.list = true;
        type.optional_items = type.optional;
        type.optional = false;
        std::string size = identifier();
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
    parameter.name = identifier();
    if (parameter.name.empty()) return error("a parameter has no name");
    if (take('=')) {
      SLIPWAY_ASSIGN_OR_RETURN(parameter.default_value, default_value(parameter.type));
    }
    return parameter;
  }

  Result<Default> default_value(const Type& type) {
    if (take('[')) return list_default(type);
    if (peek() == '"' || peek() == '\'') {
      char quote = text_[position_++];
      size_t end = text_.find(quote, position_);
      if (end == std::string_view::npos) return error("a text does not end");
      std::string text(text_.substr(position_, end - position_));
      position_ = end + 1;
      return Default(std::move(text));
    }
    std::string token = identifier("+-.");
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
        SLIPWAY_ASSIGN_OR_RETURN(Default value, scalar_default(identifier("+-."), item));
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
      identifier();  // Results may be named.
      result.push_back(std::move(only));
      return result;
    }
    if (take(')')) return result;
    do {
      SLIPWAY_ASSIGN_OR_RETURN(Type one, type());
      identifier();
      result.push_back(std::move(one));
    } while (take(','));
    if (!take(')')) return error("a comma or a closing parenthesis is expected");
    return result;
  }

  std::string_view text_;
  size_t position_ = 0;
};

}  // namespace

Result<Schema> parse(std::string_view text) { return Parser(text).parse(); }

}  // namespace slipway::schema
