#include "cuda/options/options.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <variant>

#include <executorch/runtime/platform/log.h>

#include "base/error.h"
#include "base/printable.h"
#include "base/try.h"

namespace slipway::cuda {
namespace {

namespace et = executorch::runtime;

enum class Said : uint8_t { kNothing, kNo, kYes };
std::atomic<Said> said{Said::kNothing};  // by the process

// The text of a compile spec.
Result<std::optional<std::string>> spec_of(CompileSpecs specs, const char* key) {
  std::optional<std::string> found;
  for (const et::CompileSpec& spec : specs) {
    if (std::string_view(spec.key) != key) continue;
    if (found) return invalid_file("the file has the compile spec {} twice", key);
    found.emplace(static_cast<const char*>(spec.value.buffer), spec.value.nbytes);
  }
  return found;
}

// -1 for what is no name of a GPU.
int index_of(std::string_view text) {
  if (text == "cuda") return 0;
  if (!text.starts_with("cuda:")) return -1;
  text.remove_prefix(std::string_view("cuda:").size());
  int index = -1;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), index);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() ? index : -1;
}

}  // namespace

Result<std::optional<bool>> flag_of(BackendOptions options, std::string_view key) {
  for (const et::BackendOption& option : options) {
    if (key != option.key) continue;
    const bool* const flag = std::get_if<bool>(&option.value);
    if (flag == nullptr) return invalid_argument("the option {} must be true or false", key);
    return std::optional<bool>(*flag);
  }
  return std::optional<bool>();
}

Result<std::optional<std::string>> text_of(BackendOptions options, std::string_view key) {
  for (const et::BackendOption& option : options) {
    if (key != option.key) continue;
    const auto* text = std::get_if<std::array<char, et::kMaxOptionValueLength>>(&option.value);
    if (text == nullptr) return invalid_argument("the option {} must be a text", key);
    return std::optional(std::string(text->data(), ::strnlen(text->data(), text->size())));
  }
  return std::optional<std::string>();
}

std::optional<int64_t> parse_bytes(std::string_view text) {
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(),
                                                   [](char c) { return c >= '0' && c <= '9'; });
  int64_t bytes = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (!digits || parsed.ec != std::errc()) return std::nullopt;
  return bytes;
}

Result<int64_t> parse_bytes(std::string_view text, const char* what, const char* key) {
  const auto bytes = parse_bytes(text);
  if (bytes) return *bytes;
  return invalid_file("{} {} is '{}', and must be a number of bytes: decimal digits alone", what,
                      key, printable(text));
}

Result<std::optional<int64_t>> bytes_of(BackendOptions options, const char* key,
                                        const char* title) {
  const et::BackendOption* found = nullptr;
  for (const et::BackendOption& option : options) {
    if (std::string_view(option.key) != key) continue;
    if (found != nullptr) return invalid_file("the load option {} is there twice", key);
    found = &option;
  }
  if (found == nullptr) return std::optional<int64_t>();
  if (const int* number = std::get_if<int>(&found->value)) {
    if (*number >= 0) return std::optional<int64_t>(*number);
    return invalid_file("the load option {} is {}, which is below 0", key, *number);
  }
  if (std::get_if<std::array<char, et::kMaxOptionValueLength>>(&found->value) == nullptr) {
    return invalid_file("the load option {} must be a text of decimal digits, or an int", key);
  }
  SLIPWAY_ASSIGN_OR_RETURN(const auto text, text_of({found, 1}, key));
  if (text->empty()) {
    // ExecuTorch's log knows no warnings.
    ET_LOG(Error, "%s: the load option %s is empty, as if it were not there", title, key);
    return std::optional<int64_t>();
  }
  SLIPWAY_ASSIGN_OR_RETURN(const int64_t bytes, parse_bytes(*text, "the load option", key));
  return std::optional<int64_t>(bytes);
}

Result<std::optional<int64_t>> bytes_of(CompileSpecs specs, const char* key) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto text, spec_of(specs, key));
  if (!text) return std::optional<int64_t>();
  SLIPWAY_ASSIGN_OR_RETURN(const int64_t bytes, parse_bytes(*text, "the file's compile spec", key));
  return std::optional<int64_t>(bytes);
}

Result<std::optional<int>> device_of(CompileSpecs specs, BackendOptions options, const char* key) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto stored, spec_of(specs, key));
  SLIPWAY_ASSIGN_OR_RETURN(const auto given, text_of(options, key));
  const auto& named = given ? given : stored;
  if (!named) return std::optional<int>();
  const int index = index_of(*named);
  if (index >= 0) return std::optional<int>(index);
  return invalid_file("the {} {} is '{}', and must be such as 'cuda:0'",
                      given ? "load option" : "file's compile spec", key, printable(*named));
}

Result<bool> wants_graphs(CompileSpecs specs, BackendOptions options, const char* key) {
  // The file's is read in any case: a wrong one is an error of the file, whatever the option says.
  SLIPWAY_ASSIGN_OR_RETURN(const auto stored, spec_of(specs, key));
  if (stored && *stored != "0" && *stored != "1") {
    return invalid_file("the file's compile spec {} is '{}', and must be 0 or 1", key,
                        printable(*stored));
  }
  std::optional<bool> given;
  for (const et::BackendOption& option : options) {
    if (std::string_view(option.key) != key) continue;
    if (given) return invalid_argument("the load option {} is there twice", key);
    const bool* const value = std::get_if<bool>(&option.value);
    if (value == nullptr) return invalid_argument("the option {} must be a bool", key);
    given = *value;
  }
  if (given) return *given;
  if (said == Said::kNo) return false;
  return stored ? *stored == "1" : said == Said::kYes;
}

void set_graphs(bool value) { said = value ? Said::kYes : Said::kNo; }

et::Error to_executorch(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return et::Error::InvalidArgument;
    case ErrorCode::kInvalidFile:
      return et::Error::InvalidProgram;
    case ErrorCode::kUnsupported:
      return et::Error::NotSupported;
    case ErrorCode::kNotFound:
    case ErrorCode::kUnavailable:
      return et::Error::NotFound;
    case ErrorCode::kResourceExhausted:
      return et::Error::MemoryAllocationFailed;
    case ErrorCode::kIo:
      return et::Error::AccessFailed;
    case ErrorCode::kCancelled:
    case ErrorCode::kInternal:
      return et::Error::Internal;
  }
  return et::Error::Internal;
}

}  // namespace slipway::cuda
