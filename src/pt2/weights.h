// Parameters, buffers, constants and custom objects, as an archive stores them.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/mapped_file.h"
#include "ir/program.h"
#include "pt2/zip_reader.h"
#include "slipway/result.h"

namespace slipway::pt2 {

// By fully qualified name. Tensors are spans of the archive; those that share a storage there share
// it here.
struct Weights {
  std::map<std::string, ir::ConstantData, std::less<>> tensors;
  std::map<std::string, OwnedSpan, std::less<>> objects;
};

// Of which names something is read; empty: of all.
using WeightFilter = std::function<bool(std::string_view name)>;

// torch 2.9 and newer: `config` is an entry such as "m/data/weights/model_weights_config.json", and
// the records lie beside it.
Result<Weights> read_payloads(ZipReader& archive, const std::string& config,
                              const WeightFilter& filter = {});

// torch 2.7 and 2.8: `entry` is a file of torch.save within the archive, a zip of its own with a
// pickled dict of tensors.
Result<Weights> read_torch_save(ZipReader& archive, const std::string& entry,
                                const WeightFilter& filter = {});

}  // namespace slipway::pt2
