// slipway extract: an engine's bytes, for the library's own tools.

#include <memory>
#include <string>

#include <fmt/format.h>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/piece_writer.h"
#include "base/try.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "pte/format/program_generated.h"
#include "pte/reader/reader.h"

namespace slipway::cli {
namespace {

namespace fb = executorch_flatbuffer;

struct Options {
  std::string file;
  std::string output;
  std::string method = "forward";
  uint32_t engine = 0;
};

// Engines of other tools may lie among the program's tables.
Result<std::span<const std::byte>> bytes_of(const pte::File& file,
                                            const fb::BackendDelegate& delegate) {
  const fb::BackendDelegateDataReference& data = *delegate.processed();
  if (data.location() == fb::DataLocation::SEGMENT) return file.segment(data.index());
  const auto* bytes = file.program().backend_delegate_data()->Get(data.index())->data();
  return std::as_bytes(std::span(bytes->data(), bytes->size()));
}

Status extract(const Options& options) {
  SLIPWAY_ASSIGN_OR_RETURN(auto mapped, MappedFile::open(options.file));
  const auto mapped_bytes = mapped->bytes();
  SLIPWAY_ASSIGN_OR_RETURN(pte::File file, pte::File::read({mapped_bytes, std::move(mapped)},
                                                           options.file, {.trust = true}));
  const fb::ExecutionPlan* plan = file.plan(options.method);
  if (plan == nullptr) {
    return not_found("{} has no method '{}'; `slipway inspect` lists them", options.file,
                     options.method);
  }
  if (options.engine >= plan->delegates()->size()) {
    return not_found("{} of {} has {}: there is no engine {}", options.method, options.file,
                     count_text(plan->delegates()->size(), "engine"), options.engine);
  }
  SLIPWAY_RETURN_IF_ERROR(file.verify_engines(options.method));
  const fb::BackendDelegate& delegate = *plan->delegates()->Get(options.engine);
  SLIPWAY_ASSIGN_OR_RETURN(const auto bytes, bytes_of(file, delegate));
  SLIPWAY_RETURN_IF_ERROR(write_file(options.output, bytes));
  fmt::print("{}: engine {} of {}, {}\n", options.output, options.engine,
             printable(delegate.id()->str()), format_bytes(bytes.size()));
  return {};
}

}  // namespace

void add_extract(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("extract", "Write an engine of a .pte to a file of its own");
  command->add_option("FILE", options->file, "The .pte file")->required();
  command->add_option("--engine", options->engine, "Which engine, as inspect numbers them")
      ->capture_default_str();
  command->add_option("--method", options->method, "Of which method")->capture_default_str();
  command->add_option("-o,--output", options->output, "The file to write")->required();
  command->footer("\nExample:\n  slipway extract model.pte --engine 0 -o model.engine");
  command->callback([options, &action] { action = [options] { return extract(*options); }; });
}

}  // namespace slipway::cli
