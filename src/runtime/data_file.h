// Engines that a program has outside of itself, in a data file (.ptd).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <executorch/runtime/core/named_data_map.h>

#include "ptd/data_file.h"
#include "pte/reader/reader.h"
#include "slipway/module.h"
#include "slipway/result.h"

namespace slipway::runtime {

struct ExternalEngine {
  std::string name;  // "engine 0 of forward"
  std::string key;
  // Known where the program has a manifest.
  std::optional<uint64_t> size = std::nullopt;
  std::string sha256 = {};
};

// Those of all methods; several may have one key.
std::vector<ExternalEngine> external_engines(const pte::File& file);

// Where the data file of a program is, whose file is at `path`; empty where none of its engines is
// outside. LoadOptions::data_file is before what the program says. An error where nothing says it:
// a program in memory has no path.
Result<std::string> find_data_file(const pte::File& file, const std::string& path,
                                   const std::string& given);

// Of bytes that were read from there: whether they are a data file with these engines.
Result<ptd::DataFile> read_data_file(OwnedSpan bytes, const std::string& name,
                                     const pte::File& file);
// Maps it first. For a program at `path`, nothing where no engine is outside of it; `given` as
// above.
Result<std::optional<ptd::DataFile>> open_data_file(const pte::File& file, const std::string& path,
                                                    const std::string& given);
// An error about the file that find_data_file() gave, and what helps; `remedy` says what else does.
Error missing_data_file(const pte::File& file, const Error& error, const char* remedy);

// A data file as ExecuTorch wants it. The file must outlive it.
class DataMap final : public executorch::runtime::NamedDataMap {
 public:
  explicit DataMap(const ptd::DataFile& file) : file_(file) {}

  executorch::runtime::Result<const executorch::runtime::TensorLayout> get_tensor_layout(
      std::string_view key) const override;
  executorch::runtime::Result<executorch::runtime::FreeableBuffer> get_data(
      std::string_view key) const override;
  executorch::runtime::Error load_data_into(std::string_view key, void* buffer,
                                            size_t size) const override;
  executorch::runtime::Result<uint32_t> get_num_keys() const override;
  executorch::runtime::Result<const char*> get_key(uint32_t index) const override;

 private:
  const ptd::DataFile& file_;
};

}  // namespace slipway::runtime
