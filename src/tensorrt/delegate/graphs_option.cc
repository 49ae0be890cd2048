#include "tensorrt/delegate/graphs_option.h"

#include <atomic>
#include <optional>
#include <string_view>
#include <variant>

#include "base/error.h"
#include "base/printable.h"

namespace slipway::tensorrt {
namespace {

namespace et = executorch::runtime;

enum class Said : uint8_t { kNothing, kNo, kYes };
std::atomic<Said> said{Said::kNothing};  // by the process

}  // namespace

Result<bool> wants_graphs(const et::BackendInitContext& context,
                          et::ArrayRef<et::CompileSpec> specs) {
  // The file's is read in any case: a wrong one is an error of the file, whatever the option says.
  std::optional<bool> stored;
  for (const et::CompileSpec& spec : specs) {
    if (std::string_view(spec.key) != kGraphsOption) continue;
    if (stored) return invalid_file("the file has the compile spec {} twice", kGraphsOption);
    const std::string_view text(static_cast<const char*>(spec.value.buffer), spec.value.nbytes);
    if (text != "0" && text != "1") {
      return invalid_file("the file's compile spec {} is '{}', and must be 0 or 1", kGraphsOption,
                          printable(text));
    }
    stored = text == "1";
  }
  std::optional<bool> given;
  for (const et::BackendOption& option : context.runtime_specs()) {
    if (std::string_view(option.key) != kGraphsOption) continue;
    if (given) return invalid_argument("the load option {} is there twice", kGraphsOption);
    const bool* const value = std::get_if<bool>(&option.value);
    if (value == nullptr) return invalid_argument("the option {} must be a bool", kGraphsOption);
    given = *value;
  }
  if (given) return *given;
  if (said == Said::kNo) return false;
  return stored.value_or(said == Said::kYes);
}

void set_graphs(bool value) { said = value ? Said::kYes : Said::kNo; }

}  // namespace slipway::tensorrt
