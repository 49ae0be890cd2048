#include "pt2/weights_writer.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "base/error.h"
#include "pt2/argument_writer.h"
#include "pt2/signature_writer.h"
#include "pt2/tensor_meta.h"

namespace slipway::pt2 {
namespace {

constexpr std::string_view kZipMark = "PK\x03\x04";

void write_ints(const std::vector<int64_t>& items, JsonWriter& json) {
  json.begin_array();
  for (const int64_t item : items) json.begin_object().key("as_int").value(item).end_object();
  json.end_array();
}

bool is_zip(const ByteSource& record) {
  std::string start;
  // Stops it where there is enough, which is no error here.
  std::ignore = record.write([&](std::span<const std::byte> bytes) -> Status {
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    start.append(text, std::min(bytes.size(), kZipMark.size() - start.size()));
    return start.size() < kZipMark.size() ? Status() : internal_error("there is no more to read");
  });
  return start == kZipMark;
}

// Those of the archive that was read, or of a new tensor on `device`.
PayloadWriter::Properties properties_of(JsonValue payload, JsonValue tensor_meta,
                                        const ir::Device& device) {
  PayloadWriter::Properties properties{.device = device};
  const JsonValue is_parameter = payload.find("is_param");
  if (!is_parameter.is_none()) properties.is_parameter = is_parameter.to_bool();
  JsonValue meta = payload.find("tensor_meta");
  if (meta.is_none()) meta = tensor_meta;
  if (meta.is_none()) return properties;
  properties.requires_grad = meta["requires_grad"].to_bool();
  properties.device = {.type = meta["device"]["type"].to_string()};
  const JsonValue index = meta["device"].find("index");
  if (!index.is_none()) properties.device.index = index.to_int();
  return properties;
}

}  // namespace

void PayloadWriter::add_tensor(const std::string& name, const ir::ConstantData& data,
                               const Properties& properties, ZipWriter& zip) {
  const auto [record, is_new] = records_.try_emplace(
      std::tuple(data.storage.bytes.data(), data.storage.bytes.size(), data.dtype));
  if (is_new) {
    record->second = fmt::format("{}{}", prefix_, records_.size() - 1);
    zip.add(folder_ + record->second, ByteSource(data.storage));
  }
  json_.key(name).begin_object();
  json_.key("path_name").value(record->second);
  json_.key("is_param").value(properties.is_parameter);
  json_.key("use_pickle").value(false);
  json_.key("tensor_meta").begin_object();
  json_.key("dtype").value(scalar_type_of(data.dtype)).key("sizes");
  write_ints(data.sizes, json_);
  json_.key("requires_grad").value(properties.requires_grad).key("device");
  write_device(properties.device, json_);
  json_.key("strides");
  write_ints(data.strides, json_);
  json_.key("storage_offset").begin_object().key("as_int").value(data.storage_offset);
  json_.end_object().key("layout").value(kStridedLayout).end_object().end_object();
}

void PayloadWriter::add_object(const std::string& name, const ByteSource& record, ZipWriter& zip) {
  const std::string path = is_zip(record) ? fmt::format("custom_obj_{}", objects_++)
                                          : fmt::format("opaque_obj_{}", opaque_objects_++);
  zip.add(folder_ + path, record);
  json_.key(name).begin_object().key("path_name").value(path).key("is_param").value(false);
  json_.key("use_pickle").value(true).key("tensor_meta").null().end_object();
}

void PayloadWriter::finish(ZipWriter& zip) {
  json_.end_object().end_object();
  zip.add(folder_ + config_, json_.take());
}

void write_payloads(const ir::Program& program,
                    const std::map<const ir::Input*, std::string>& targets,
                    const ArchiveSource& source, const WriteOptions& options, ZipWriter& zip) {
  PayloadWriter state("data/weights/", "weight_", "model_weights_config.json");
  PayloadWriter constants("data/constants/", "tensor_", "model_constants_config.json");
  const JsonValue metas = source.graph_module()["graph"]["tensor_values"];

  const auto add_others = [&](const Weights& others, PayloadWriter& folder) {
    for (const auto& [name, data] : others.tensors) {
      folder.add_tensor(name, data, properties_of(source.payload(name), {}, options.device), zip);
    }
  };
  const auto add_objects = [&] {
    for (const ir::Input& input : program.inputs) {
      if (input.kind != ir::InputKind::kCustomObject) continue;
      const auto made = options.objects.find(input.target);
      constants.add_object(targets.at(&input),
                           made == options.objects.end() ? input.object : made->second, zip);
    }
    for (const auto& [name, record] : source.other_constants().objects) {
      constants.add_object(name, record, zip);
    }
  };
  const auto add_inputs = [&](bool is_state, PayloadWriter& folder) {
    for (const ir::Input& input : program.inputs) {
      if (!input.data || is_in_state(input) != is_state) continue;
      auto properties =
          properties_of(source.payload(input.target), metas.find(input.name), options.device);
      properties.is_parameter = input.kind == ir::InputKind::kParameter;
      folder.add_tensor(targets.at(&input), *input.data, properties, zip);
    }
  };

  add_inputs(true, state);
  add_others(source.other_state(), state);
  state.finish(zip);
  add_inputs(false, constants);
  add_others(source.other_constants(), constants);
  add_objects();
  constants.finish(zip);
}

}  // namespace slipway::pt2
