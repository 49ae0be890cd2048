// slipway inspect: what a file holds.

#include <memory>
#include <string>

#include <fmt/core.h>

#include "base/try.h"
#include "cli/commands.h"
#include "cli/model_file.h"
#include "slipway/inspect.h"

namespace slipway::cli {
namespace {

struct InspectArguments {
  std::string file;
  bool json = false;
  bool graph = false;
  bool trust = false;
  std::string data_file;
};

Status inspect_file(const InspectArguments& options) {
  SLIPWAY_ASSIGN_OR_RETURN(
      const FileInfo file,
      inspect(options.file, {.trust = options.trust, .data_file = options.data_file}));
  if (options.json) {
    fmt::print("{}\n", file.to_json());
  } else {
    fmt::print("{}", file.to_text({.graph = options.graph, .graph_hint = "--graph shows them"}));
  }
  return {};
}

}  // namespace

void add_inspect(const Command& tool, Action& action) {
  auto options = std::make_shared<InspectArguments>();
  const Command command =
      tool.add_command("inspect", "Show what a .pt2, .pte or .engine file holds");
  command.add_option("FILE", options->file, "The file; its content decides, not its name")
      .required();
  command.add_flag("--json", options->json, "Print JSON");
  command.add_flag("--graph", options->graph,
                   "Print the graph, or the instructions and the nodes of each engine, too");
  add_data_file(command, options->data_file);
  command.add_flag("--trust", options->trust, "Show files with operators that Slipway can't check");
  command.footer(
      "\nExamples:\n  slipway inspect model.pt2 --graph\n  slipway inspect model.pte --json");
  command.on_parsed([options, &action] { action = [options] { return inspect_file(*options); }; });
}

}  // namespace slipway::cli
