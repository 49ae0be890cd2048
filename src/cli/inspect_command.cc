// slipway inspect: what a file holds.

#include <memory>
#include <string>

#include <fmt/core.h>

#include "base/error.h"
#include "base/file_writer.h"
#include "base/mapped_file.h"
#include "base/piece_writer.h"
#include "base/try.h"
#include "cli/commands.h"
#include "cli/model_file.h"
#include "cli/text.h"
#include "slipway/inspect.h"

namespace slipway::cli {
namespace {

struct InspectArguments {
  std::string file;
  bool json = false;
  bool graph = false;
  bool trust = false;
  std::string data_file;
  std::string html;
  std::string profile;
};

Status write_html(const FileInfo& file, const InspectArguments& options) {
  HtmlOptions html;
  const bool is_printed = options.html == "-";
  if (!is_printed) {
    SLIPWAY_ASSIGN_OR_RETURN(const FileIdentity input, FileIdentity::of(options.file));
    SLIPWAY_RETURN_IF_ERROR(input.check_not_output(options.html));
  }
  if (!options.profile.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto profile, MappedFile::open(options.profile));
    const auto bytes = profile->bytes();
    html.profile.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  auto page = file.to_html(html);
  if (!page.ok()) {
    return options.profile.empty() ? page.error() : page.error().with_context(options.profile);
  }
  if (is_printed) {
    fmt::print("{}", *page);
    return {};
  }
  SLIPWAY_RETURN_IF_ERROR(write_file(options.html, *page));
  if (!options.json) {
    fmt::print("{}: a page of {}, for a browser\n", options.html, format_bytes(page->size()));
  }
  return {};
}

Status inspect_file(const InspectArguments& options) {
  if (!options.profile.empty() && options.html.empty()) {
    return invalid_argument("--profile is shown in a page: give --html, too");
  }
  if (options.html == "-" && options.json) {
    return invalid_argument("--json and --html - would both be printed: name a file for the page");
  }
  SLIPWAY_ASSIGN_OR_RETURN(
      const FileInfo file,
      inspect(options.file, {.trust = options.trust, .data_file = options.data_file}));
  if (!options.html.empty()) SLIPWAY_RETURN_IF_ERROR(write_html(file, options));
  if (options.json) {
    fmt::print("{}\n", file.to_json());
  } else if (options.html.empty()) {
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
  command
      .add_option("--html", options->html,
                  "Write a page for browsers instead, with the graph as a picture; - prints it")
      .type_name("FILE");
  command
      .add_option("--profile", options->profile,
                  "Show these times in the page: what `slipway run --profile x.json` wrote")
      .type_name("FILE");
  add_data_file(command, options->data_file);
  command.add_flag("--trust", options->trust, "Show files with operators that Slipway can't check");
  command.footer(
      "\nExamples:\n  slipway inspect model.pt2 --graph\n  slipway inspect model.pte --json\n"
      "  slipway inspect model.pte --html report.html");
  command.on_parsed([options, &action] { action = [options] { return inspect_file(*options); }; });
}

}  // namespace slipway::cli
