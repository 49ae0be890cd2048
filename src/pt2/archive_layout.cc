#include "pt2/archive_layout.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "base/error.h"
#include "base/try.h"

namespace slipway::pt2 {
namespace {

// The entry's text, which must be `expected`.
Status expect_text(ZipReader& archive, const std::string& entry, std::string_view expected,
                   std::string_view remedy) {
  SLIPWAY_ASSIGN_OR_RETURN(const OwnedSpan found, archive.read(entry));
  if (as_text(found) == expected) return {};
  return unsupported("{}: {} is \"{}\" instead of \"{}\": {}", archive.name(), entry,
                     as_text(found).substr(0, 40), expected, remedy);
}

Error not_an_export(const ZipReader& archive) {
  for (const ZipEntry& entry : archive.entries()) {
    if (entry.name.ends_with("/data.pkl")) {
      return invalid_file(
          "{} was written by torch.save or torch.jit.save: export the model with "
          "torch.export.export and save that with torch.export.save",
          archive.name());
    }
  }
  return invalid_file("{} is a zip archive, but not one of torch.export.save", archive.name());
}

// The model's name: that of the one file in models/.
Result<std::string> model_name(const ZipReader& archive, const std::string& root) {
  const std::string folder = root + "models/";
  std::vector<std::string> names;
  bool is_package = false;
  for (const ZipEntry& entry : archive.entries()) {
    is_package = is_package || entry.name.starts_with(root + "data/aotinductor/");
    if (!entry.name.starts_with(folder) || !entry.name.ends_with(".json")) continue;
    names.push_back(entry.name.substr(folder.size(), entry.name.size() - folder.size() - 5));
  }
  if (names.empty() && is_package) {
    return unsupported(
        "{} is a package of AOTInductor, which PyTorch's own loaders take, and holds no exported "
        "program: give the archive of torch.export.save",
        archive.name());
  }
  if (names.empty()) {
    return invalid_file(
        "{} holds no exported program (nothing in {}): save one with torch.export.save",
        archive.name(), folder);
  }
  if (names.size() == 1) return names[0];
  // torch.export.save writes one model, of this name.
  if (std::find(names.begin(), names.end(), "model") != names.end()) return std::string("model");
  return unsupported("{} holds {} models and none is named \"model\": save each on its own",
                     archive.name(), names.size());
}

}  // namespace

std::string_view as_text(const OwnedSpan& span) {
  return {reinterpret_cast<const char*>(span.bytes.data()), span.bytes.size()};
}

Result<ArchiveLayout> find_layout(ZipReader& archive) {
  constexpr std::string_view kFlatModel = "serialized_exported_program.json";
  if (archive.find(kFlatModel) != nullptr) {
    return ArchiveLayout{.root = {},
                         .model = std::string(kFlatModel),
                         .pickled = true,
                         .state = "serialized_state_dict.pt",
                         .constants = "serialized_constants.pt",
                         .sample_inputs = "serialized_example_inputs.pt"};
  }
  if (archive.entries().empty()) return not_an_export(archive);
  const std::string& first = archive.entries()[0].name;
  const std::string root = first.substr(0, first.find('/') + 1);
  if (root.empty() || archive.find(root + "archive_format") == nullptr) {
    return not_an_export(archive);
  }
  SLIPWAY_RETURN_IF_ERROR(expect_text(archive, root + "archive_format", "pt2",
                                      "save the program with torch.export.save"));
  SLIPWAY_RETURN_IF_ERROR(expect_text(archive, root + "archive_version", "0",
                                      "save the program with torch 2.7 to 2.15"));
  if (archive.find(root + "byteorder") != nullptr) {
    SLIPWAY_RETURN_IF_ERROR(expect_text(archive, root + "byteorder", "little",
                                        "save the program on a little-endian machine"));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::string name, model_name(archive, root));
  ArchiveLayout layout{
      .root = root,
      .model = fmt::format("{}models/{}.json", root, name),
      .state = fmt::format("{}data/weights/{}_weights_config.json", root, name),
      .constants = fmt::format("{}data/constants/{}_constants_config.json", root, name),
      .sample_inputs = fmt::format("{}data/sample_inputs/{}.pt", root, name)};
  if (archive.find(layout.state) == nullptr) {
    const std::string older = fmt::format("{}data/weights/{}.pt", root, name);
    if (archive.find(older) != nullptr) {
      layout.pickled = true;
      layout.state = older;
      layout.constants = fmt::format("{}data/constants/{}.pt", root, name);
    }
  }
  return layout;
}

Result<std::unique_ptr<JsonDocument>> read_json(ZipReader& archive, const std::string& entry) {
  SLIPWAY_ASSIGN_OR_RETURN(OwnedSpan text, archive.read(entry));
  return JsonDocument::parse(std::move(text), fmt::format("{}: {}", archive.name(), entry));
}

}  // namespace slipway::pt2
