#include "tensorrt/delegate/budget.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <variant>

#include <executorch/runtime/platform/log.h>

#include "base/error.h"
#include "base/printable.h"
#include "base/try.h"
#include "tensorrt/delegate/refuse.h"

namespace slipway::tensorrt {
namespace {

namespace et = executorch::runtime;

Result<int64_t> parse_or_refuse(std::string_view text, const char* what) {
  const auto budget = parse_budget(text);
  if (budget) return *budget;
  return invalid_file("{} {} is '{}', and must be a number of bytes: decimal digits alone", what,
                      kBudget, printable(text));
}

// Nothing where the option is not there, or empty.
Result<std::optional<int64_t>> from_option(const et::BackendInitContext& context) {
  const et::BackendOption* found = nullptr;
  for (const et::BackendOption& option : context.runtime_specs()) {
    if (std::string_view(option.key) != kBudget) continue;
    if (found != nullptr) return invalid_file("the load option {} is there twice", kBudget);
    found = &option;
  }
  if (found == nullptr) return std::optional<int64_t>();
  if (const int* number = std::get_if<int>(&found->value)) {
    if (*number >= 0) return std::optional<int64_t>(*number);
    return invalid_file("the load option {} is {}, which is below 0", kBudget, *number);
  }
  const auto* text = std::get_if<std::array<char, et::kMaxOptionValueLength>>(&found->value);
  if (text == nullptr) {
    return invalid_file("the load option {} must be a text of decimal digits, or an int", kBudget);
  }
  const std::string_view value(text->data(),
                               std::find(text->begin(), text->end(), '\0') - text->begin());
  if (value.empty()) {
    // ExecuTorch's log knows no warnings.
    ET_LOG(Error, "%s: the load option %s is empty, as if it were not there", kTitle, kBudget);
    return std::optional<int64_t>();
  }
  SLIPWAY_ASSIGN_OR_RETURN(const int64_t budget, parse_or_refuse(value, "the load option"));
  return std::optional<int64_t>(budget);
}

Result<std::optional<int64_t>> from_specs(et::ArrayRef<et::CompileSpec> specs) {
  std::optional<int64_t> budget;
  for (const et::CompileSpec& spec : specs) {
    if (std::string_view(spec.key) != kBudget) continue;
    if (budget) return invalid_file("the file has the compile spec {} twice", kBudget);
    const std::string_view text(static_cast<const char*>(spec.value.buffer), spec.value.nbytes);
    SLIPWAY_ASSIGN_OR_RETURN(budget, parse_or_refuse(text, "the file's compile spec"));
  }
  return budget;
}

}  // namespace

std::optional<int64_t> parse_budget(std::string_view text) {
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(),
                                                   [](char c) { return c >= '0' && c <= '9'; });
  int64_t budget = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), budget);
  if (!digits || parsed.ec != std::errc()) return std::nullopt;
  return budget;
}

Result<std::optional<int64_t>> requested_budget(const et::BackendInitContext& context,
                                                et::ArrayRef<et::CompileSpec> specs) {
  // The file's is read in any case: a wrong one is an error of the file, whatever the option says.
  SLIPWAY_ASSIGN_OR_RETURN(const auto stored, from_specs(specs));
  SLIPWAY_ASSIGN_OR_RETURN(const auto option, from_option(context));
  return option ? option : stored;
}

Status apply_budget(Engine& engine, std::optional<int64_t> requested) {
  const int64_t streamable = engine.streamable_weights();
  if (streamable == 0) {
    if (requested) {
      ET_LOG(Error,
             "%s: a weight-streaming budget was asked for, and the engine has no weights that can "
             "be streamed: it was built without the option 'weight_streaming'",
             kTitle);
    }
    return {};
  }
  if (requested) {
    const int64_t budget = std::min(*requested, streamable);
    SLIPWAY_ASSIGN_OR_RETURN(const bool done, engine.set_weight_budget(budget));
    if (done) return {};
    return engine.error(
        ErrorCode::kInternal,
        fmt::format("the weight-streaming budget of {} bytes can't be had", budget));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const int64_t automatic, engine.automatic_weight_budget());
  SLIPWAY_ASSIGN_OR_RETURN(const bool done,
                           engine.set_weight_budget(std::clamp<int64_t>(automatic, 0, streamable)));
  if (done) return {};
  SLIPWAY_ASSIGN_OR_RETURN(const bool streams_all, engine.set_weight_budget(0));
  if (streams_all) return {};
  return engine.error(ErrorCode::kInternal, "no weight-streaming budget can be had, not even 0");
}

}  // namespace slipway::tensorrt
