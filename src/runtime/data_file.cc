#include "runtime/data_file.h"

#include <cstring>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/printable.h"
#include "base/try.h"
#include "engine_list/registry.h"
#include "pte/format/program_generated.h"

namespace slipway::runtime {
namespace {

namespace et = executorch::runtime;
namespace fb = executorch_flatbuffer;

std::string name_of(size_t engine, const std::string& method) {
  return fmt::format("engine {} of {}", engine, printable(method));
}

void add_described(const engine::ManifestMethod& method, std::vector<ExternalEngine>& found) {
  for (size_t i = 0; i < method.engines.size(); ++i) {
    const auto add = [&](const engine::ManifestEngine& engine) {
      if (engine.external_key.empty()) return;
      found.push_back(
          {name_of(i, method.name), engine.external_key, engine.record.size, engine.record.sha256});
    };
    add(method.engines[i]);
    for (const engine::ManifestEngine& variant : method.engines[i].variants) add(variant);
  }
}

// Of a file that another tool made. What the blob says wrongly its delegate refuses.
void add_foreign(const pte::File& file, const fb::ExecutionPlan& plan,
                 std::vector<ExternalEngine>& found) {
  for (uint32_t i = 0; plan.delegates() != nullptr && i < plan.delegates()->size(); ++i) {
    const fb::BackendDelegate& delegate = *plan.delegates()->Get(i);
    const engine::Description* known = engine_list::find_backend(delegate.id()->str());
    if (known == nullptr || known->external_key == nullptr) continue;
    const auto key = known->external_key(file.blob(delegate));
    if (!key.ok() || key->empty() || file.named_data(*key)) continue;
    found.push_back({name_of(i, plan.name()->str()), *key});
  }
}

}  // namespace

std::vector<ExternalEngine> external_engines(const pte::File& file) {
  std::vector<ExternalEngine> found;
  for (const fb::ExecutionPlan* plan : *file.program().execution_plan()) {
    const engine::ManifestMethod* described = file.described(plan->name()->str());
    if (described != nullptr) {
      add_described(*described, found);
    } else {
      add_foreign(file, *plan, found);
    }
  }
  return found;
}

Result<std::string> find_data_file(const pte::File& file, const std::string& path,
                                   const std::string& given) {
  if (external_engines(file).empty()) {
    if (given.empty()) return std::string();
    return invalid_argument("{} has no engine outside of it: leave out option 'data_file'",
                            file.name());
  }
  if (!given.empty()) return given;
  if (path.empty()) {
    return invalid_argument(
        "{} has engines outside of it, and is in memory: say where its data file (.ptd) is (option "
        "'data_file')",
        file.name());
  }
  std::filesystem::path beside(path);
  if (file.manifest() && !file.manifest()->data_file.empty()) {
    return beside.replace_filename(file.manifest()->data_file).string();
  }
  return beside.replace_extension(".ptd").string();
}

Error missing_data_file(const pte::File& file, const Error& error, const char* remedy) {
  return Error(error.code(),
               fmt::format("{} has engines outside of it: {}; put the file there that "
                           "was written with it{}",
                           file.name(), error.message(), remedy));
}

Result<ptd::DataFile> read_data_file(OwnedSpan bytes, const std::string& name,
                                     const pte::File& file) {
  SLIPWAY_ASSIGN_OR_RETURN(ptd::DataFile data, ptd::DataFile::read(std::move(bytes), name));
  for (const ExternalEngine& engine : external_engines(file)) {
    const auto found = data.find(engine.key);
    if (!found) {
      return invalid_file(
          "{} does not have {} of {} ('{}'): it belongs to another program, or to an earlier "
          "compile of it; put the file in its place that was written with the program",
          name, engine.name, file.name(), printable(engine.key));
    }
    if (engine.size && *engine.size != found->size()) {
      return invalid_file("{} has {} of {} with {} bytes, and not {}: get both files again", name,
                          engine.name, file.name(), found->size(), *engine.size);
    }
  }
  return data;
}

Result<std::optional<ptd::DataFile>> open_data_file(const pte::File& file, const std::string& path,
                                                    const std::string& given) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::string found, find_data_file(file, path, given));
  if (found.empty()) return std::optional<ptd::DataFile>();
  auto mapped = MappedFile::open(found);
  if (!mapped.ok()) return missing_data_file(file, mapped.error(), "");
  const auto bytes = (*mapped)->bytes();
  SLIPWAY_ASSIGN_OR_RETURN(ptd::DataFile data,
                           read_data_file({bytes, *std::move(mapped)}, found, file));
  return std::optional(std::move(data));
}

// Engines are no tensors.
et::Result<const et::TensorLayout> DataMap::get_tensor_layout(std::string_view) const {
  return et::Error::NotFound;
}

et::Result<et::FreeableBuffer> DataMap::get_data(std::string_view key) const {
  const auto bytes = file_.find(key);
  if (!bytes) return et::Error::NotFound;
  return et::FreeableBuffer(bytes->data(), bytes->size(), nullptr);
}

et::Error DataMap::load_data_into(std::string_view key, void* buffer, size_t size) const {
  const auto bytes = file_.find(key);
  if (!bytes) return et::Error::NotFound;
  if (size > bytes->size()) return et::Error::InvalidArgument;
  if (size > 0) std::memcpy(buffer, bytes->data(), size);
  return et::Error::Ok;
}

et::Result<uint32_t> DataMap::get_num_keys() const {
  return static_cast<uint32_t>(file_.entries().size());
}

et::Result<const char*> DataMap::get_key(uint32_t index) const {
  if (index >= file_.entries().size()) return et::Error::InvalidArgument;
  return file_.entries()[index].key.c_str();
}

}  // namespace slipway::runtime
