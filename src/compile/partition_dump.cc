#include "compile/partition_dump.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "base/error.h"
#include "base/try.h"
#include "onnx/serializer.h"

namespace slipway {

namespace {

namespace fs = std::filesystem;

// Whether it is a name that write() gives, or that of the weights beside it.
bool is_dumped(std::string_view name, const CompileOptions& options) {
  const size_t digits = std::min(name.find_first_not_of("0123456789"), name.size());
  if (digits < 3) return false;
  name.remove_prefix(digits);
  return std::any_of(options.engines.begin(), options.engines.end(),
                     [&](const EngineChoice& engine) {
                       const std::string model = fmt::format(".{}.onnx", engine.name);
                       return name == model || name == model + ".data";
                     });
}

}  // namespace

Status PartitionDump::begin() const {
  std::error_code error;
  fs::create_directories(options_.dump_partitions, error);
  for (fs::directory_iterator each(options_.dump_partitions, error), end; !error && each != end;
       each.increment(error)) {
    if (is_dumped(each->path().filename().string(), options_)) fs::remove(each->path(), error);
  }
  if (!error) return {};
  return invalid_argument("option 'dump_partitions': {}: {}", options_.dump_partitions,
                          error.message());
}

Status PartitionDump::write(const onnx::Graph& graph, const std::string& engine) {
  if (options_.dump_partitions.empty()) return {};
  if (written_ == 0) SLIPWAY_RETURN_IF_ERROR(begin());
  return onnx::save(graph,
                    fmt::format("{}/{:03}.{}.onnx", options_.dump_partitions, written_++, engine));
}

}  // namespace slipway
