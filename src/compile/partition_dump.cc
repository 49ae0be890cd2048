#include "compile/partition_dump.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/try.h"
#include "onnx/serializer.h"

namespace slipway {

namespace {

namespace fs = std::filesystem;

// Whether it is a name that write() gives, or that of the weights beside it.
bool is_dumped(std::string_view name) {
  const size_t digits = std::min(name.find_first_not_of("0123456789"), name.size());
  if (digits < 3) return false;
  name.remove_prefix(digits);
  const std::vector<std::string> engines = engine_names();
  return std::any_of(engines.begin(), engines.end(), [&](const std::string& engine) {
    const std::string model = fmt::format(".{}.onnx", engine);
    return name == model || name == model + ".data";
  });
}

}  // namespace

Status PartitionDump::begin() const {
  const std::string& folder = options_.dump_partitions;
  if (folder.empty()) return {};
  std::error_code error;
  fs::create_directories(folder, error);
  std::vector<fs::path> dumped;
  auto each = error ? fs::directory_iterator() : fs::directory_iterator(folder, error);
  while (!error && each != fs::directory_iterator()) {
    if (is_dumped(each->path().filename().string())) dumped.push_back(each->path());
    each.increment(error);
  }
  for (const fs::path& path : dumped) {
    if (!error) fs::remove(path, error);
  }
  if (!error) return {};
  return invalid_argument("option 'dump_partitions': {}: {}", folder, error.message());
}

Status PartitionDump::write(const onnx::Graph& graph, const std::string& engine) {
  if (options_.dump_partitions.empty()) return {};
  return onnx::save(graph,
                    fmt::format("{}/{:03}.{}.onnx", options_.dump_partitions, written_++, engine));
}

}  // namespace slipway
