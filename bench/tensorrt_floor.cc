// What building an engine takes by TensorRT itself: its parser, its builder and its stream writer,
// with weights by reference.
//
// usage: tensorrt_floor MODEL.onnx DATA ENGINE CAPABILITY [INITIALIZER:OFFSET:SIZE]...
// The initializers are those that lie in DATA. Weight streaming is on, and the engine is for the
// one compute capability.

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

#include <fmt/core.h>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/try.h"
#include "tensorrt/library/builder.h"
#include "tensorrt/library/parser.h"

namespace slipway {
namespace {

struct Reference {
  std::string name;
  uint64_t offset = 0;
  uint64_t size = 0;
};

Reference parse_reference(const std::string& text) {
  const size_t size = text.rfind(':');
  const size_t offset = text.rfind(':', size - 1);
  return {text.substr(0, offset), std::strtoull(text.c_str() + offset + 1, nullptr, 10),
          std::strtoull(text.c_str() + size + 1, nullptr, 10)};
}

Status build(const std::vector<std::string>& arguments) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto model, MappedFile::open(arguments[0]));
  SLIPWAY_ASSIGN_OR_RETURN(const auto data, MappedFile::open(arguments[1]));
  SLIPWAY_ASSIGN_OR_RETURN(const auto library, tensorrt::Library::open());
  SLIPWAY_ASSIGN_OR_RETURN(const auto builder, tensorrt::Builder::create(library));
  SLIPWAY_ASSIGN_OR_RETURN(const auto network, builder.make_network());
  SLIPWAY_ASSIGN_OR_RETURN(auto parser, tensorrt::Parser::create(network));
  SLIPWAY_RETURN_IF_ERROR(parser.load_model(model->bytes()));
  for (size_t i = 4; i < arguments.size(); ++i) {
    const Reference reference = parse_reference(arguments[i]);
    if (reference.offset > data->bytes().size() ||
        reference.size > data->bytes().size() - reference.offset) {
      return invalid_argument("{} is not within {}", arguments[i], arguments[1]);
    }
    SLIPWAY_RETURN_IF_ERROR(parser.load_initializer(
        reference.name, data->bytes().subspan(reference.offset, reference.size)));
  }
  SLIPWAY_RETURN_IF_ERROR(parser.parse());
  SLIPWAY_ASSIGN_OR_RETURN(auto config, builder.make_config());
  config.clear_flag(tensorrt::BuilderFlag::kTf32);
  config.set_flag(tensorrt::BuilderFlag::kWeightStreaming);
  const std::vector<int> capabilities = {std::atoi(arguments[3].c_str())};
  SLIPWAY_RETURN_IF_ERROR(config.set_compute_capabilities(capabilities));

  const int file = ::open(arguments[2].c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) return errno_error(errno, arguments[2]);
  SLIPWAY_RETURN_IF_ERROR(
      builder.build(network, config, [&](std::span<const std::byte> bytes) -> Status {
        while (!bytes.empty()) {
          const ssize_t count = ::write(file, bytes.data(), bytes.size());
          if (count < 0) return errno_error(errno, arguments[2]);
          bytes = bytes.subspan(static_cast<size_t>(count));
        }
        return {};
      }));
  if (::fsync(file) != 0) return errno_error(errno, arguments[2]);
  ::close(file);
  return {};
}

}  // namespace
}  // namespace slipway

int main(int count, char** words) {
  if (count < 5) {
    fmt::print(
        stderr,
        "usage: tensorrt_floor MODEL.onnx DATA ENGINE CAPABILITY [INITIALIZER:OFFSET:SIZE]...\n");
    return 2;
  }
  const slipway::Status built = slipway::build({words + 1, words + count});
  if (built.ok()) return 0;
  fmt::print(stderr, "tensorrt_floor: {}\n", built.error().message());
  return 1;
}
