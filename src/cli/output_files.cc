#include "cli/output_files.h"

#include <cctype>
#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>
#include <unistd.h>

#include <fmt/core.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/piece_writer.h"
#include "base/printable.h"
#include "base/try.h"
#include "engine/json.h"
#include "inspect/value_json.h"
#include "slipway/npy.h"

namespace slipway::cli {
namespace {

constexpr size_t kLongestName = 200;

DType stored_dtype(DType dtype) {
  if (dtype == DType::kBFloat16) return DType::kUInt16;
  if (dtype == DType::kComplex32) return DType::kUInt32;
  if (is_floating_point(dtype) && dtype_size(dtype) == 1) return DType::kUInt8;
  return dtype;
}

// A link would lead out of the folder.
void remove_link(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_symlink(path, ignored)) std::filesystem::remove(path, ignored);
}

Status write_tensor(const std::string& path, Tensor tensor) {
  remove_link(path);
  const DType dtype = stored_dtype(tensor.dtype());
  SLIPWAY_ASSIGN_OR_RETURN(Tensor stored,
                           Tensor::borrow(tensor.data(), tensor.nbytes(), dtype, tensor.sizes()));
  return write_npy(path, stored);
}

Status check_not_inputs(const std::string& path, const std::vector<FileIdentity>& inputs) {
  for (const FileIdentity& input : inputs) SLIPWAY_RETURN_IF_ERROR(input.check_not_output(path));
  return {};
}

Status make_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return errno_error(error.value(), folder + ": can't make the folder");
  return {};
}

}  // namespace

Status check_folder(const std::string& folder) {
  // Of those above the first one that is there decides.
  std::error_code error;
  std::filesystem::path found = std::filesystem::absolute(folder, error);
  while (!std::filesystem::exists(found, error) && found.has_relative_path()) {
    found = found.parent_path();
  }
  int failed = 0;
  if (!std::filesystem::is_directory(found, error)) {
    failed = ENOTDIR;
  } else if (::access(found.c_str(), W_OK | X_OK) != 0) {
    failed = errno;
  }
  if (failed == 0) return {};
  return errno_error(failed,
                     fmt::format("{}: no files can be written there: {}", folder, found.string()));
}

std::string file_name_of(const std::string& name) {
  std::string result;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        std::isalnum(byte) != 0 || c == '_' || c == '-' || (c == '.' && !result.empty());
    if (plain && byte < 0x80) {
      result += c;
    } else {
      result += fmt::format("%{:02X}", byte);
    }
  }
  if (result.empty()) return "%";
  if (result.size() <= kLongestName) return result;
  return result.substr(0, kLongestName - kXxh3HexDigits - 2) + "%~" +
         xxh3_hex(std::as_bytes(std::span(name)));
}

Status write_tensors(const std::string& folder,
                     const std::vector<std::pair<std::string, Tensor>>& tensors,
                     const std::vector<FileIdentity>& inputs) {
  std::map<std::string, std::string> taken;
  for (const auto& [name, tensor] : tensors) {
    std::string key = file_name_of(name);
    for (char& c : key) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const auto [other, is_new] = taken.emplace(key, name);
    if (!is_new) {
      return unsupported("{}: '{}' and '{}' would be one file: {}.npy", folder,
                         printable(other->second), printable(name), file_name_of(name));
    }
    SLIPWAY_RETURN_IF_ERROR(
        check_not_inputs(fmt::format("{}/{}.npy", folder, file_name_of(name)), inputs));
  }
  SLIPWAY_RETURN_IF_ERROR(make_folder(folder));
  for (const auto& [name, tensor] : tensors) {
    SLIPWAY_RETURN_IF_ERROR(
        write_tensor(fmt::format("{}/{}.npy", folder, file_name_of(name)), tensor));
  }
  return {};
}

Status write_outputs(const std::string& folder, const std::vector<Value>& values,
                     const std::vector<ValueInfo>& infos, const Tree& tree,
                     const std::vector<FileIdentity>& inputs) {
  for (size_t i = 0; i < values.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(check_not_inputs(fmt::format("{}/{}.npy", folder, i), inputs));
  }
  SLIPWAY_RETURN_IF_ERROR(check_not_inputs(folder + "/outputs.json", inputs));
  SLIPWAY_RETURN_IF_ERROR(make_folder(folder));
  engine::OrderedJson outputs = engine::OrderedJson::array();
  for (size_t i = 0; i < values.size(); ++i) {
    engine::OrderedJson output;
    output["name"] = infos[i].name;
    output["type"] = inspection::type_name(values[i]);
    if (const auto* tensor = std::get_if<Tensor>(&values[i])) {
      const std::string file = fmt::format("{}.npy", i);
      SLIPWAY_RETURN_IF_ERROR(write_tensor(fmt::format("{}/{}", folder, file), *tensor));
      output["shape"] = tensor->sizes();
      output["file"] = file;
      const DType stored = stored_dtype(tensor->dtype());
      if (stored != tensor->dtype()) output["stored_as"] = dtype_name(stored);
    } else {
      output["value"] = inspection::literal_json(values[i]);
    }
    outputs.push_back(std::move(output));
  }
  engine::OrderedJson json;
  json["tree"] = inspection::tree_json(tree);
  json["outputs"] = std::move(outputs);
  const std::string path = folder + "/outputs.json";
  remove_link(path);
  return write_file(path, engine::dump_json(json, 2) + "\n");
}

}  // namespace slipway::cli
