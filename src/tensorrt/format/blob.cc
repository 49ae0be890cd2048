#include "tensorrt/format/blob.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <set>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/json.h"
#include "base/try.h"
#include "engine/json.h"
#include "engine/record.h"

namespace slipway::tensorrt {
namespace {

using engine::array_to_json;
using engine::OrderedJson;

constexpr std::string_view kMagic = "TR01";
// Readers that know of no aliases refuse this one.
constexpr std::string_view kMagicWithAliases = "TR02";
constexpr uint32_t kPlanAlignment = 16;
// What a hostile file can ask for.
constexpr JsonDocument::Limits kLimits = {
    .text = size_t{64} << 20, .values = size_t{1} << 20, .bytes_per_further_value = SIZE_MAX};
constexpr const char* kKvCacheUpdate = "kv_cache_update";
constexpr size_t kMaxBindings = 1 << 16;
constexpr size_t kMaxText = 1 << 16;
constexpr size_t kMaxRank = 8;  // TensorRT's

struct Header {
  char magic[4];
  uint32_t metadata_offset;
  uint32_t metadata_size;
  uint32_t plan_offset;
  uint64_t plan_size;
  uint8_t reserved[8];
};
static_assert(sizeof(Header) == 32 && std::endian::native == std::endian::little);

std::string_view magic_of(const Metadata& metadata) {
  return metadata.aliased_io.empty() ? kMagic : kMagicWithAliases;
}

Binding read_binding(JsonValue json) {
  Binding binding;
  binding.name = json["name"].to_string();
  binding.dtype = json.find("dtype").to_string();
  binding.shape = json.find("shape").to_ints();
  binding.is_input = json["is_input"].to_bool();
  return binding;
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Status check_bindings(const Metadata& metadata) {
  if (metadata.io_bindings.size() > kMaxBindings) {
    return invalid_file("it has {} bindings", metadata.io_bindings.size());
  }
  std::set<std::string_view> names;
  for (const Binding& binding : metadata.io_bindings) {
    if (binding.name.empty() || binding.name.size() > kMaxText) {
      return invalid_file("a binding has a name of {} bytes", binding.name.size());
    }
    if (!names.insert(binding.name).second) {
      return invalid_file("binding '{}' is there twice", binding.name);
    }
    const bool known_sizes = std::all_of(binding.shape.begin(), binding.shape.end(),
                                         [](int64_t size) { return size >= -1; });
    if (binding.shape.size() > kMaxRank || !known_sizes) {
      return invalid_file("binding '{}' has a shape that no tensor of TensorRT has", binding.name);
    }
  }
  return {};
}

Status check_aliases(const Metadata& metadata) {
  // The bindings that aliases may still name.
  std::set<std::pair<std::string_view, bool>> free;
  for (const Binding& binding : metadata.io_bindings) {
    free.emplace(binding.name, binding.is_input);
  }
  for (const Alias& alias : metadata.aliased_io) {
    if (free.erase({alias.output, false}) == 0 || free.erase({alias.input, true}) == 0) {
      return invalid_file(
          "output '{}' is said to be in the memory of input '{}': one of them is no such binding, "
          "or has an alias already",
          alias.output, alias.input);
    }
  }
  return {};
}

Result<Metadata> read_metadata(std::string_view text) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto document, JsonDocument::parse(text, "it", kLimits));
  const JsonValue json = document->root();
  Metadata metadata;
  for (const JsonValue binding : json["io_bindings"].items()) {
    metadata.io_bindings.push_back(read_binding(binding));
  }
  for (const JsonValue alias : json.find("aliased_io").items()) {
    const JsonValue kind = alias.find("kind");
    metadata.aliased_io.push_back({alias["output"].to_string(), alias["input"].to_string(),
                                   kind.is_absent() ? kKvCacheUpdate : kind.to_string()});
  }
  metadata.hardware_compatible = json.find("hardware_compatible").to_bool();
  metadata.device_id = json.find("device_id").to_int();
  metadata.serialized_metadata = json.find("serialized_metadata").to_string();
  metadata.target_platform = json.find("target_platform").to_string();
  metadata.engine_sha256 = json.find("engine_sha256").to_string();
  metadata.engine_target = json.find("engine_target").to_string();
  const JsonValue key = json.find("engine_key");
  metadata.engine_key = key.to_string();
  SLIPWAY_RETURN_IF_ERROR(document->status());
  for (const std::string* text :
       {&metadata.target_platform, &metadata.engine_target, &metadata.engine_key}) {
    if (text->size() > kMaxText) return invalid_file("it has a text of {} bytes", text->size());
  }
  if (metadata.device_id < std::numeric_limits<int32_t>::min() ||
      metadata.device_id > std::numeric_limits<int32_t>::max()) {
    return invalid_file("its device is {}", metadata.device_id);
  }
  if (!key.is_absent() && metadata.engine_key.empty()) {
    return invalid_file("its plan has an empty key (engine_key)");
  }
  if (!metadata.engine_sha256.empty() && !is_sha256(metadata.engine_sha256)) {
    return invalid_file("its plan's SHA-256 is no such number");
  }
  SLIPWAY_RETURN_IF_ERROR(check_bindings(metadata));
  SLIPWAY_RETURN_IF_ERROR(check_aliases(metadata));
  return metadata;
}

// Whether it is of Torch-TensorRT 2.12, which wrote a list of texts: their number, and each behind
// its length. The first is the ABI's number.
bool is_list_of_texts(const Header& header) {
  uint32_t count = 0;
  std::memcpy(&count, header.magic, sizeof count);
  const uint32_t length = header.metadata_offset;
  char first = 0;
  std::memcpy(&first, &header.metadata_size, sizeof first);
  return count >= 8 && count <= 16 && (length == 1 || length == 2) && first >= '0' && first <= '9';
}

Status check_header(const Header& header, uint64_t size) {
  const std::string_view magic(header.magic, sizeof header.magic);
  if (magic != kMagic && magic != kMagicWithAliases) {
    if (is_list_of_texts(header)) {
      return invalid_file(
          "it is a list of texts, as Torch-TensorRT 2.12 wrote engines, and not {} or {}: export "
          "the program again with Torch-TensorRT 2.13 or later, or give its archive (.pt2) to "
          "Slipway",
          kMagic, kMagicWithAliases);
    }
    return invalid_file("it begins with neither {} nor {}", kMagic, kMagicWithAliases);
  }
  const uint64_t metadata_end = uint64_t{header.metadata_offset} + header.metadata_size;
  if (header.metadata_offset < sizeof(Header) || metadata_end > header.plan_offset) {
    return invalid_file(
        "its metadata, {} bytes at {}, is not between its header and its plan at {}",
        header.metadata_size, header.metadata_offset, header.plan_offset);
  }
  if (header.plan_offset % kPlanAlignment != 0) {
    return invalid_file("its plan is at {}, which is not a multiple of {}", header.plan_offset,
                        kPlanAlignment);
  }
  if (!range_fits(header.plan_offset, header.plan_size, size)) {
    return invalid_file("its plan, {} bytes at {}, is not within its {} bytes", header.plan_size,
                        header.plan_offset, size);
  }
  return {};
}

Result<Metadata> read_metadata(const Header& header, std::span<const std::byte> bytes) {
  SLIPWAY_RETURN_IF_ERROR(check_header(header, bytes.size()));
  const auto text = bytes.subspan(header.metadata_offset, header.metadata_size);
  auto metadata = read_metadata({reinterpret_cast<const char*>(text.data()), text.size()});
  if (!metadata.ok()) return metadata.error().with_context("its metadata");
  return metadata;
}

}  // namespace

// In the order in which Torch-TensorRT's reader looks for the fields.
std::string metadata_to_json(const Metadata& metadata) {
  OrderedJson json;
  json["io_bindings"] =
      array_to_json(metadata.io_bindings, [](const Binding& binding) -> OrderedJson {
        return {{"name", binding.name},
                {"dtype", binding.dtype},
                {"shape", binding.shape},
                {"is_input", binding.is_input}};
      });
  json["aliased_io"] = array_to_json(metadata.aliased_io, [](const Alias& alias) -> OrderedJson {
    return {{"output", alias.output}, {"input", alias.input}, {"kind", alias.kind}};
  });
  json["hardware_compatible"] = metadata.hardware_compatible;
  json["device_id"] = metadata.device_id;
  json["serialized_metadata"] = metadata.serialized_metadata;
  json["target_platform"] = metadata.target_platform;
  if (!metadata.engine_sha256.empty()) json["engine_sha256"] = metadata.engine_sha256;
  if (!metadata.engine_target.empty()) json["engine_target"] = metadata.engine_target;
  if (!metadata.engine_key.empty()) json["engine_key"] = metadata.engine_key;
  // ASCII alone, as Python writes it.
  return json.dump(-1, ' ', true, OrderedJson::error_handler_t::replace);
}

Result<std::vector<std::byte>> write_header(const Metadata& metadata, uint64_t plan_size) {
  const std::string text = metadata_to_json(metadata);
  const auto readable = read_metadata(text);
  if (!readable.ok() || *readable != metadata) {
    return invalid_argument("TensorRT's delegate can't be told of this plan: {}",
                            readable.ok() ? "a name is not UTF-8" : readable.error().message());
  }
  Header header = {};
  std::memcpy(header.magic, magic_of(metadata).data(), sizeof header.magic);
  header.metadata_offset = sizeof(Header);
  header.metadata_size = static_cast<uint32_t>(text.size());
  const uint64_t alignment =
      plan_size < engine::kLargeEngine ? kPlanAlignment : engine::kLargeEngineHeaderAlignment;
  const uint64_t size = *checked_align(sizeof(Header) + text.size(), alignment);
  header.plan_offset = static_cast<uint32_t>(size);
  header.plan_size = plan_size;
  header.reserved[0] = 1;
  if ((plan_size == 0) == metadata.engine_key.empty() || !checked_add(size, plan_size)) {
    return invalid_argument("a plan of TensorRT has {} bytes", plan_size);
  }
  std::vector<std::byte> bytes(size);
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + sizeof header, text.data(), text.size());
  return bytes;
}

Result<std::vector<std::byte>> write_external_header(std::span<const std::byte> header,
                                                     const std::string& key) {
  Header fields;
  if (header.size() < sizeof fields) return invalid_file("it is cut short");
  std::memcpy(&fields, header.data(), sizeof fields);
  fields.plan_size = 0;
  SLIPWAY_ASSIGN_OR_RETURN(Metadata metadata, read_metadata(fields, header));
  metadata.engine_key = key;
  return write_header(metadata, 0);
}

Result<Blob> read_blob(std::span<const std::byte> bytes) {
  Header header;
  if (bytes.size() < sizeof header) return invalid_file("it is cut short");
  std::memcpy(&header, bytes.data(), sizeof header);
  auto metadata = read_metadata(header, bytes);
  if (!metadata.ok()) return metadata.error();
  // The other way round is written too: aliases behind TR01.
  const std::string_view magic(header.magic, sizeof header.magic);
  if ((header.plan_size == 0) == metadata->engine_key.empty()) {
    return header.plan_size == 0
               ? invalid_file("its plan has no bytes, and no key of named data (engine_key)")
               : invalid_file("its plan is there, and somewhere else, too (engine_key)");
  }
  if (magic == kMagicWithAliases && metadata->aliased_io.empty()) {
    return invalid_file("it begins with {}, and has no aliases", magic);
  }
  return Blob{std::move(*metadata), bytes.subspan(header.plan_offset, header.plan_size)};
}

}  // namespace slipway::tensorrt
