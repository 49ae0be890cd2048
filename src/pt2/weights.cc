#include "pt2/weights.h"

#include <fmt/core.h>

#include "base/error.h"
#include "base/json.h"
#include "base/printable.h"
#include "base/try.h"
#include "pt2/archive_layout.h"
#include "pt2/pickle_reader.h"
#include "pt2/tensor_meta.h"

namespace slipway::pt2 {
namespace {

constexpr std::string_view kObjectPrefixes[] = {"custom_obj_", "opaque_obj_"};

// That every element lies within the storage. `where` names the tensor.
Status check_extent(const ir::ConstantData& data, const std::string& where) {
  if (data.nbytes() > 0 && data.storage.bytes.size() < dtype_size(data.dtype)) {
    return invalid_file(
        "{} has no data: the archive was saved from fake tensors; export the model with its real "
        "weights",
        where);
  }
  if (const Status fits = data.check(); !fits.ok()) return fits.error().with_context(where);
  return {};
}

bool is_object(std::string_view path) {
  for (const std::string_view prefix : kObjectPrefixes) {
    if (path.starts_with(prefix)) return true;
  }
  return false;
}

}  // namespace

Result<Weights> read_payloads(ZipReader& archive, const std::string& config,
                              const WeightFilter& filter) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto document, read_json(archive, config));
  const std::string folder = config.substr(0, config.rfind('/') + 1);

  Weights weights;
  std::map<std::string, OwnedSpan, std::less<>> records;
  std::map<std::string, std::string, std::less<>> object_paths;
  for (auto [name, payload] : document->root()["config"].members()) {
    if (filter && !filter(name)) continue;
    const std::string path = payload["path_name"].to_string();
    const JsonValue use_pickle = payload["use_pickle"];
    const bool pickled = use_pickle.to_bool();
    SLIPWAY_RETURN_IF_ERROR(document->status());
    if (pickled && !is_object(path)) {
      return payload.error(
          ErrorCode::kUnsupported,
          "is a tensor subclass, kept as a pickle: convert it to plain tensors "
          "before the export (unwrap_tensor_subclass), or what the export gives by "
          "run_decompositions()");
    }
    auto record = records.find(path);
    if (record == records.end()) {
      SLIPWAY_ASSIGN_OR_RETURN(OwnedSpan bytes, archive.read(folder + path));
      record = records.emplace(path, std::move(bytes)).first;
    }
    // Of tensors with one name it is the last one, as in Python.
    const auto other = object_paths.find(name);
    if (other != object_paths.end() || (pickled && weights.tensors.contains(std::string(name)))) {
      return payload.error(
          ErrorCode::kInvalidFile,
          fmt::format("is there twice, as {} and as {}",
                      other == object_paths.end() ? "a tensor" : printable_start(other->second),
                      pickled ? printable_start(path) : "a tensor"));
    }
    if (pickled) {
      object_paths.emplace(name, path);
      weights.objects.emplace(name, record->second);
      continue;
    }
    ir::ConstantData data = read_constant_meta(payload["tensor_meta"]);
    SLIPWAY_RETURN_IF_ERROR(document->status());
    data.storage = record->second;
    SLIPWAY_RETURN_IF_ERROR(
        check_extent(data, fmt::format("{}: \"{}\" in {}", archive.name(), name, folder + path)));
    weights.tensors.insert_or_assign(std::string(name), std::move(data));
  }
  SLIPWAY_RETURN_IF_ERROR(document->status());
  return weights;
}

Result<Weights> read_torch_save(ZipReader& archive, const std::string& entry,
                                const WeightFilter& filter) {
  SLIPWAY_ASSIGN_OR_RETURN(OwnedSpan bytes, archive.read(entry));
  const std::string name = fmt::format("{}: {}", archive.name(), entry);
  SLIPWAY_ASSIGN_OR_RETURN(ZipReader saved, ZipReader::open(std::move(bytes), name));

  // All entries lie in one folder, of any name.
  std::string root;
  for (const ZipEntry& candidate : saved.entries()) {
    if (candidate.name.ends_with("/data.pkl")) {
      root = candidate.name.substr(0, candidate.name.rfind('/') + 1);
    }
  }
  SLIPWAY_ASSIGN_OR_RETURN(const OwnedSpan pickle, saved.read(root + "data.pkl"));
  SLIPWAY_ASSIGN_OR_RETURN(const auto tensors,
                           read_tensor_dict(pickle.bytes, fmt::format("{}: data.pkl", name)));

  Weights weights;
  std::map<std::string, OwnedSpan, std::less<>> records;
  for (const auto& [key, tensor] : tensors) {
    if (filter && !filter(key)) continue;
    auto record = records.find(tensor.storage_key);
    if (record == records.end()) {
      SLIPWAY_ASSIGN_OR_RETURN(OwnedSpan storage,
                               saved.read(fmt::format("{}data/{}", root, tensor.storage_key)));
      record = records.emplace(tensor.storage_key, std::move(storage)).first;
    }
    ir::ConstantData data{.dtype = tensor.dtype,
                          .sizes = tensor.sizes,
                          .strides = tensor.strides,
                          .storage_offset = tensor.storage_offset,
                          .storage = record->second};
    SLIPWAY_RETURN_IF_ERROR(check_extent(data, fmt::format("{}: \"{}\"", name, key)));
    weights.tensors.insert_or_assign(key, std::move(data));
  }
  return weights;
}

}  // namespace slipway::pt2
