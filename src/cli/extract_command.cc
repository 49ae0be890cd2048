// slipway extract: an engine's bytes, for the library's own tools.

#include <algorithm>
#include <memory>
#include <span>
#include <string>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file_writer.h"
#include "base/mapped_file.h"
#include "base/piece_writer.h"
#include "base/try.h"
#include "cli/commands.h"
#include "cli/model_file.h"
#include "cli/text.h"
#include "engine/manifest.h"
#include "engine_list/registry.h"
#include "inspect/pte_summary.h"
#include "pte/format/program_generated.h"
#include "pte/reader/reader.h"
#include "slipway/inspect.h"

namespace slipway::cli {
namespace {

namespace fb = executorch_flatbuffer;

struct Options {
  std::string file;
  std::string output;
  std::string method = "forward";
  uint32_t engine = 0;
  std::string target;
};

// "sm_80,sm_86 and sm_120"
std::string targets_of(const engine::ManifestEngine& engine) {
  std::string text = engine.record.target.empty() ? "no target" : engine.record.target;
  for (const engine::ManifestEngine& variant : engine.variants) {
    text += " and " + variant.record.target;
  }
  return printable(text);
}

// One that the manifest describes, checked against its checksum.
Result<std::span<const std::byte>> described_engine(const pte::File& file, const Options& options,
                                                    const engine::ManifestEngine& engine) {
  const engine::ManifestEngine* chosen = &engine;
  if (!options.target.empty() && options.target != engine.record.target) {
    const auto variant = std::find_if(engine.variants.begin(), engine.variants.end(),
                                      [&](const engine::ManifestEngine& candidate) {
                                        return candidate.record.target == options.target;
                                      });
    if (variant == engine.variants.end()) {
      return not_found("engine {} of {} is there for {}, not for {}", options.engine, options.file,
                       targets_of(engine), options.target);
    }
    chosen = &*variant;
  }
  SLIPWAY_RETURN_IF_ERROR(file.verify_engine(chosen->segment));
  SLIPWAY_ASSIGN_OR_RETURN(const auto bytes, file.segment(chosen->segment));
  return bytes.subspan(chosen->header_size);
}

// Of a file that another tool made.
Result<std::span<const std::byte>> foreign_engine(const pte::File& file, const Options& options,
                                                  const fb::BackendDelegate& delegate) {
  if (!options.target.empty()) {
    return not_found("{} has no manifest that says what its engines are for: leave out --target",
                     options.file);
  }
  const auto data = inspection::delegate_data(file, delegate);
  const engine::Description* known = engine_list::find_backend(delegate.id()->str());
  if (known == nullptr || known->engine_of == nullptr) return data;
  auto engine = known->engine_of(data);
  if (engine.ok()) return engine;
  return engine.error().with_context(fmt::format("engine {} of {}", options.engine, options.file));
}

Status extract(const Options& options) {
  SLIPWAY_ASSIGN_OR_RETURN(const FileKind kind, file_kind(options.file));
  if (kind != FileKind::kProgram) {
    return kind == FileKind::kArchive
               ? invalid_file("{} is an archive and has no engines: compile it first", options.file)
               : invalid_file("{} is a bare engine already", options.file);
  }
  SLIPWAY_ASSIGN_OR_RETURN(const FileIdentity input, FileIdentity::of(options.file));
  SLIPWAY_RETURN_IF_ERROR(input.check_not_output(options.output));
  SLIPWAY_ASSIGN_OR_RETURN(auto mapped, MappedFile::open(options.file));
  const auto mapped_bytes = mapped->bytes();
  SLIPWAY_ASSIGN_OR_RETURN(pte::File file, pte::File::read({mapped_bytes, std::move(mapped)},
                                                           options.file, {.trust = true}));
  const fb::ExecutionPlan* plan = file.plan(options.method);
  if (plan == nullptr) {
    return not_found("{} has no method '{}'; `slipway inspect` lists them", options.file,
                     options.method);
  }
  const size_t count = plan->delegates() == nullptr ? 0 : plan->delegates()->size();
  if (options.engine >= count) {
    return not_found("{} of {} has {}: there is no engine {}", options.method, options.file,
                     count_text(count, "engine"), options.engine);
  }
  const fb::BackendDelegate& delegate = *plan->delegates()->Get(options.engine);
  const engine::ManifestMethod* described = file.described(options.method);
  SLIPWAY_ASSIGN_OR_RETURN(
      const auto bytes, described == nullptr
                            ? foreign_engine(file, options, delegate)
                            : described_engine(file, options, described->engines[options.engine]));
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
  command->add_option("--target", options->target,
                      "The one for these machines, as inspect calls them, such as sm_80,sm_86");
  command->add_option("-o,--output", options->output, "The file to write")->required();
  command->footer("\nExample:\n  slipway extract model.pte --engine 0 -o model.engine");
  command->callback([options, &action] { action = [options] { return extract(*options); }; });
}

}  // namespace slipway::cli
