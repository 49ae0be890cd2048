#include "tensorrt/archive/serialized_engine.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <utility>

#include <fmt/ranges.h>

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

const Abi* find_abi(std::string_view version) {
  for (const Abi& known : kAbis) {
    if (known.version == version) return &known;
  }
  return nullptr;
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

// Older programs have other names of Windows.
std::string platform_name(std::string text) {
  constexpr std::string_view kOlder = "win_";
  if (text.starts_with(kOlder)) text.replace(0, kOlder.size(), "windows_");
  return text;
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

// Names with separators between them would be read as others.
Result<std::string> join(const std::vector<std::string>& names, std::string_view separators) {
  for (const std::string& name : names) {
    if (name.empty() || name.find_first_of(separators) != std::string::npos) {
      return invalid_argument(
          "its binding '{}' can't be named in a program of Torch-TensorRT, which puts {} between "
          "names: rename it in the model",
          printable_start(name), fmt::join(separators, " and "));
    }
  }
  return fmt::format("{}", fmt::join(names, "%"));
}

// id%major%minor%type%name; the type of a GPU is 0, and so is a capability that is not known.
Result<std::string> write_device(const SerializedEngine& engine) {
  if (engine.device_name.find('%') != std::string::npos) {
    return invalid_argument("its GPU '{}' can't be named in a program of Torch-TensorRT",
                            printable_start(engine.device_name));
  }
  int capability = 0;
  if (const std::string_view text = engine.capability; text.starts_with("sm_")) {
    std::from_chars(text.data() + 3, text.data() + text.size(), capability);
  }
  return fmt::format("{}%{}%{}%0%{}", engine.device_id, capability / 10, capability % 10,
                     engine.device_name);
}

Result<std::string> write_aliases(const SerializedEngine& engine) {
  std::vector<std::string> records;
  for (const SerializedAlias& alias : engine.aliases) {
    SLIPWAY_RETURN_IF_ERROR(join({alias.output, alias.input, alias.kind}, "%@"));
    records.push_back(fmt::format("{}@{}@{}", alias.output, alias.input, alias.kind));
  }
  return fmt::format("{}", fmt::join(records, "%"));
}

Status check_fits(const SerializedEngine& engine, const Abi& abi) {
  const auto lacks = [&](const char* what) {
    return unsupported("it {}, which Torch-TensorRT's ABI {} has no item for: write ABI {}", what,
                       abi.version, kNewestAbi);
  };
  if (engine.allocates_dynamically && abi.items <= kAllocationStrategy) {
    return lacks("takes its scratch memory at each call");
  }
  if (engine.needs_several_devices && abi.items <= kSeveralDevices) {
    return lacks("is for several GPUs");
  }
  if (!engine.aliases.empty() && abi.items <= kAliases) {
    return lacks("writes an output into the memory of an input");
  }
  return {};
}

}  // namespace

Result<SerializedEngine> read_serialized_engine(std::span<const std::string_view> items,
                                                const std::shared_ptr<const void>& owner,
                                                const OwnedSpan* plan) {
  if (items.empty()) return invalid_file("it is empty");
  SerializedEngine engine;
  engine.abi_version = items[kAbiVersion];
  const Abi* const abi = find_abi(items[kAbiVersion]);
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
  engine.target_platform = platform_name(printable_start(item(kTargetPlatform)));
  SLIPWAY_ASSIGN_OR_RETURN(engine.needs_output_allocator,
                           flag(item(kOutputAllocator), "need of an output allocator"));
  if (abi->items > kAllocationStrategy) {
    SLIPWAY_ASSIGN_OR_RETURN(engine.allocates_dynamically,
                             flag(item(kAllocationStrategy), "allocation strategy"));
  }
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

std::vector<std::string_view> known_abis() {
  std::vector<std::string_view> versions;
  for (const Abi& abi : kAbis) versions.push_back(abi.version);
  return versions;
}

Result<std::vector<std::string>> write_serialized_engine(const SerializedEngine& engine) {
  const Abi* const abi = find_abi(engine.abi_version);
  if (abi == nullptr) {
    return invalid_argument("Torch-TensorRT's ABI '{}' is not one of {}",
                            printable_start(engine.abi_version), fmt::join(known_abis(), ", "));
  }
  SLIPWAY_RETURN_IF_ERROR(check_fits(engine, *abi));
  std::vector<std::string> items(kAliases + 1);
  items[kAbiVersion] = engine.abi_version;
  items[kName] = engine.name;
  SLIPWAY_ASSIGN_OR_RETURN(items[kDevice], write_device(engine));
  SLIPWAY_ASSIGN_OR_RETURN(items[kInputs], join(engine.inputs, "%"));
  SLIPWAY_ASSIGN_OR_RETURN(items[kOutputs], join(engine.outputs, "%"));
  items[kHardwareCompatible] = engine.hardware_compatible ? "1" : "0";
  items[kMetadata] = engine.metadata;
  items[kTargetPlatform] = engine.target_platform;
  items[kOutputAllocator] = engine.needs_output_allocator ? "1" : "0";
  items[kAllocationStrategy] = engine.allocates_dynamically ? "1" : "0";
  items[kSeveralDevices] = engine.needs_several_devices ? "1" : "0";
  SLIPWAY_ASSIGN_OR_RETURN(items[kAliases], write_aliases(engine));
  items.resize(abi->items);
  return items;
}

}  // namespace slipway::tensorrt
