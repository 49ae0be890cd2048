// The input is the model.json of an archive without weights. A program that is read can be
// printed and written.
#include <cstdint>

#include "pt2/archive_test.h"
#include "pt2/program_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto program = slipway::pt2::read_entries(
      {{.name = "m/archive_format", .data = "pt2"},
       {.name = "m/archive_version", .data = "0"},
       {.name = "m/models/model.json", .data = std::string(data, data + size)},
       {.name = "m/data/weights/model_weights_config.json", .data = R"({"config": {}})"},
       {.name = "m/data/constants/model_constants_config.json", .data = R"({"config": {}})"}});
  if (program.ok()) {
    (void)slipway::ir::print(*program);
    (void)slipway::pt2::write_program(*program);
  }
  return 0;
}
