// slipway extract: an engine's bytes, for the library's own tools.

#include <cstdint>
#include <memory>
#include <string>

#include <fmt/core.h>

#include "base/error.h"
#include "base/try.h"
#include "cli/commands.h"
#include "cli/model_file.h"
#include "cli/text.h"
#include "slipway/inspect.h"

namespace slipway::cli {
namespace {

struct ExtractArguments {
  std::string file;
  std::string output;
  std::string method = ExtractOptions().method;
  uint32_t engine = 0;
  std::string target;
  std::string data_file;
};

Status extract_engine(const ExtractArguments& options) {
  if (options.output == "-") {
    return invalid_argument("an engine is not printed: name a file, or ./- for one of that name");
  }
  SLIPWAY_ASSIGN_OR_RETURN(const ExtractedEngine engine, extract(options.file, options.output,
                                                                 {.method = options.method,
                                                                  .engine = options.engine,
                                                                  .target = options.target,
                                                                  .data_file = options.data_file}));
  fmt::print("{}: engine {} of {}, {}\n", options.output, options.engine, printable(engine.backend),
             format_bytes(engine.bytes));
  return {};
}

}  // namespace

void add_extract(const Command& tool, Action& action) {
  auto options = std::make_shared<ExtractArguments>();
  const Command command = tool.add_command(
      "extract", "Write an engine of a .pte or of an archive to a file of its own");
  command.add_option("FILE", options->file, "The .pte file, or an archive that came with engines")
      .required();
  command.add_option("--engine", options->engine, "Which engine, as inspect numbers them")
      .show_default();
  command.add_option("--method", options->method, "Of which method").show_default();
  command.add_option("--target", options->target,
                     "The one for these machines, as inspect calls them, such as sm_80,sm_86");
  add_data_file(command, options->data_file);
  command.add_option("-o,--output", options->output, "The file to write").required();
  command.footer("\nExample:\n  slipway extract model.pte --engine 0 -o model.engine");
  command.on_parsed(
      [options, &action] { action = [options] { return extract_engine(*options); }; });
}

}  // namespace slipway::cli
