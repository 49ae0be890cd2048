// Where an archive of torch.export keeps the parts of a program.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "pt2/zip_reader.h"
#include "slipway/result.h"

namespace slipway::pt2 {

// Names of entries.
struct ArchiveLayout {
  std::string root;   // "model/"; empty in the flat layout of torch 2.7
  std::string model;  // the graph, as JSON
  // Either configurations of single records or, in older archives, files of torch.save.
  bool pickled = false;
  std::string state;
  std::string constants;
  std::string sample_inputs;  // which need not be there
};

// An error for a zip file that torch.export.save did not write, and for versions other than its.
Result<ArchiveLayout> find_layout(ZipReader& archive);

// The bytes of an entry.
std::string_view as_text(const OwnedSpan& span);

// The document keeps nothing of the archive.
Result<std::unique_ptr<JsonDocument>> read_json(ZipReader& archive, const std::string& entry);

}  // namespace slipway::pt2
