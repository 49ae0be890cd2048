#include "tensorrt/archive/serialized_engine.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/error.h"
#include "base/printable.h"
#include "base/temporary_file.h"
#include "base/try.h"
#include "engine_build/spool.h"

namespace slipway::tensorrt {

namespace {

enum Item : size_t {
  kAbiVersion,
  kName,
  kDevice,
  kPlan,
  kInputs,
  kOutputs,
  kHardwareCompatible,
  kMetadata,
  kTargetPlatform,
  kOutputAllocator,
  kAllocationStrategy,
  kSeveralDevices,
  kAliases,
};

static_assert(kPlan == kPlanItem);

// Each version added an item.
struct Abi {
  std::string_view version;
  size_t items;
};
constexpr Abi kAbis[] = {{"7", 10}, {"8", 11}, {"9", 12}, {"10", 13}};

// No text has no parts.
Result<std::vector<std::string>> split(std::string_view text, char separator) {
  constexpr ptrdiff_t kMost = 65536;
  if (std::count(text.begin(), text.end(), separator) >= kMost) {
    return invalid_file("it has more than {} names", kMost);
  }
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
    if (text.empty()) parts.emplace_back();
  }
  return parts;
}

Result<bool> flag(std::string_view text, const char* what) {
  if (text == "0" || text == "1") return text == "1";
  return invalid_file("its {} is '{}', neither 0 nor 1", what, printable_start(text));
}

// id%major%minor%type%name
Status read_device(std::string_view text, SerializedEngine& engine) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> parts, split(text, '%'));
  const auto number = [&](size_t i) -> std::optional<int32_t> {
    int32_t value = 0;
    if (i >= parts.size()) return std::nullopt;
    const char* end = parts[i].data() + parts[i].size();
    const auto [stop, error] = std::from_chars(parts[i].data(), end, value);
    if (error != std::errc() || stop != end || value < 0) return std::nullopt;
    return value;
  };
  const auto id = number(0);
  const auto major = number(1);
  const auto minor = number(2);
  if (parts.size() != 5 || !id || !major || !minor) {
    return invalid_file("its device is '{}', and not id%major%minor%type%name",
                        printable_start(text));
  }
  engine.device_id = *id;
  // 0.0 where it was not known.
  if (*major > 0) engine.capability = fmt::format("sm_{}{}", *major, *minor);
  engine.device_name = printable(parts[4]);
  return {};
}

Status read_aliases(std::string_view text, SerializedEngine& engine) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> aliases, split(text, '%'));
  for (const std::string& alias : aliases) {
    SLIPWAY_ASSIGN_OR_RETURN(std::vector<std::string> parts, split(alias, '@'));
    if (parts.size() != 3) {
      return invalid_file("its alias '{}' is not output@input@kind", printable_start(alias));
    }
    engine.aliases.push_back({std::move(parts[0]), std::move(parts[1]), std::move(parts[2])});
  }
  return {};
}

bool is_plan(std::string_view bytes) {
  return bytes.starts_with("ftrt") || bytes.starts_with("vtrt");
}

Result<OwnedSpan> read_plan(std::string_view item, const std::shared_ptr<const void>& owner) {
  if (is_plan(item)) return OwnedSpan{std::as_bytes(std::span(item)), owner};
  engine_build::Spool spool({temporary_folder()});
  SLIPWAY_RETURN_IF_ERROR(
      decode_base64(item, [&](std::span<const std::byte> bytes) { return spool.append(bytes); }));
  return spool.finish();
}

}  // namespace

Result<SerializedEngine> read_serialized_engine(std::span<const std::string_view> items,
                                                const std::shared_ptr<const void>& owner,
                                                const OwnedSpan* plan) {
  if (items.empty()) return invalid_file("it is empty");
  SerializedEngine engine;
  engine.abi_version = items[kAbiVersion];
  const Abi* abi = nullptr;
  for (const Abi& known : kAbis) {
    if (known.version == items[kAbiVersion]) abi = &known;
  }
  if (abi == nullptr) {
    return unsupported(
        "it is of Torch-TensorRT's ABI '{}', and Slipway reads {} to {}: export it again with a "
        "version of Torch-TensorRT that writes one of these",
        printable_start(items[kAbiVersion]), std::begin(kAbis)->version,
        std::rbegin(kAbis)->version);
  }
  if (items.size() != abi->items) {
    return invalid_file("it has {} items, and an engine of ABI {} has {}", items.size(),
                        abi->version, abi->items);
  }
  const auto item = [&](size_t i) { return i < items.size() ? items[i] : std::string_view(); };
  engine.name = printable(item(kName));
  SLIPWAY_RETURN_IF_ERROR(read_device(item(kDevice), engine));
  SLIPWAY_ASSIGN_OR_RETURN(engine.inputs, split(item(kInputs), '%'));
  SLIPWAY_ASSIGN_OR_RETURN(engine.outputs, split(item(kOutputs), '%'));
  SLIPWAY_ASSIGN_OR_RETURN(engine.hardware_compatible,
                           flag(item(kHardwareCompatible), "hardware compatibility"));
  engine.metadata = item(kMetadata);
  engine.target_platform = printable_start(item(kTargetPlatform));
  SLIPWAY_ASSIGN_OR_RETURN(engine.needs_output_allocator,
                           flag(item(kOutputAllocator), "need of an output allocator"));
  if (abi->items > kSeveralDevices) {
    SLIPWAY_ASSIGN_OR_RETURN(engine.needs_several_devices,
                             flag(item(kSeveralDevices), "need of several devices"));
  }
  SLIPWAY_RETURN_IF_ERROR(read_aliases(item(kAliases), engine));
  if (plan != nullptr) {
    engine.plan = *plan;
  } else {
    SLIPWAY_ASSIGN_OR_RETURN(engine.plan, read_plan(item(kPlan), owner));
  }
  if (engine.plan.bytes.empty()) return invalid_file("it has no plan");
  return engine;
}

}  // namespace slipway::tensorrt
