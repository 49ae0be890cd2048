// An engine's bytes, for the library's own tools.

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "base/error.h"
#include "base/file_writer.h"
#include "base/guard.h"
#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/piece_writer.h"
#include "base/printable.h"
#include "base/try.h"
#include "compile/engines.h"
#include "engine/manifest.h"
#include "engine_list/registry.h"
#include "inspect/file_info.h"
#include "inspect/pte_summary.h"
#include "inspect/text.h"
#include "pte/format/program_generated.h"
#include "pte/reader/reader.h"
#include "runtime/data_file.h"
#include "slipway/inspect.h"

namespace slipway {
namespace {

namespace fb = executorch_flatbuffer;

// "sm_80,sm_86 and sm_120"
std::string targets_of(const engine::ManifestEngine& engine) {
  std::string text = engine.record.target.empty() ? "no target" : engine.record.target;
  for (const engine::ManifestEngine& variant : engine.variants) {
    text += " and " + variant.record.target;
  }
  return printable(text);
}

// One that the manifest describes, checked against its checksum.
Result<std::span<const std::byte>> described_engine(const pte::File& file,
                                                    const std::optional<ptd::DataFile>& data,
                                                    const ExtractOptions& options,
                                                    const engine::ManifestEngine& engine) {
  const engine::ManifestEngine* chosen = &engine;
  if (!options.target.empty() && options.target != engine.record.target) {
    const auto variant = std::find_if(engine.variants.begin(), engine.variants.end(),
                                      [&](const engine::ManifestEngine& candidate) {
                                        return candidate.record.target == options.target;
                                      });
    if (variant == engine.variants.end()) {
      return not_found("engine {} of {} is there for {}, not for {}", options.engine, file.name(),
                       targets_of(engine), options.target);
    }
    chosen = &*variant;
  }
  SLIPWAY_RETURN_IF_ERROR(file.verify_engine(chosen->segment));
  SLIPWAY_ASSIGN_OR_RETURN(const auto bytes, file.segment(chosen->segment));
  if (chosen->external_key.empty()) return bytes.subspan(chosen->header_size);
  const auto external = *data->find(chosen->external_key);
  if (sha256_hex(external) == chosen->record.sha256) return external;
  return invalid_file("{}: engine {} of {} does not have its SHA-256; the file is damaged",
                      data->name(), options.engine, file.name());
}

// Of a file that another tool made.
Result<std::span<const std::byte>> foreign_engine(const pte::File& file,
                                                  const std::optional<ptd::DataFile>& data,
                                                  const ExtractOptions& options,
                                                  const fb::BackendDelegate& delegate) {
  if (!options.target.empty()) {
    return not_found(
        "{} has no manifest that says what its engines are for: leave out option 'target'",
        file.name());
  }
  const auto blob = file.blob(delegate);
  const engine::Description* known = engine_list::find_backend(delegate.id()->str());
  if (known == nullptr || known->engine_of == nullptr) return blob;
  const auto key = known->external_key == nullptr ? Result<std::string>(std::string())
                                                  : known->external_key(blob);
  if (key.ok() && !key->empty()) {
    if (const auto named = file.named_data(*key)) return *named;
    return *data->find(*key);
  }
  auto engine = known->engine_of(blob);
  if (engine.ok()) return engine;
  return engine.error().with_context(fmt::format("engine {} of {}", options.engine, file.name()));
}

// Whether the engine that is asked for is not in the program, as far as a manifest says that.
bool may_be_outside(const pte::File& file, const ExtractOptions& options) {
  const engine::ManifestMethod* described = file.described(options.method);
  if (described == nullptr || options.engine >= described->engines.size()) return true;
  const engine::ManifestEngine& engine = described->engines[options.engine];
  const auto is_outside = [](const engine::ManifestEngine& each) {
    return !each.external_key.empty();
  };
  return is_outside(engine) ||
         std::any_of(engine.variants.begin(), engine.variants.end(), is_outside);
}

Result<ExtractedEngine> extract_from(const pte::File& file,
                                     const std::optional<ptd::DataFile>& data,
                                     const std::string& output, const ExtractOptions& options) {
  const fb::ExecutionPlan* plan = file.plan(options.method);
  if (plan == nullptr) {
    return not_found("{} has no method '{}'; `slipway inspect` lists them", file.name(),
                     options.method);
  }
  const size_t count = plan->delegates() == nullptr ? 0 : plan->delegates()->size();
  if (options.engine >= count) {
    return not_found("{} of {} has {}: there is no engine {}", options.method, file.name(),
                     inspection::count_text(count, "engine"), options.engine);
  }
  const fb::BackendDelegate& delegate =
      *plan->delegates()->Get(static_cast<uint32_t>(options.engine));
  const engine::ManifestMethod* described = file.described(options.method);
  SLIPWAY_ASSIGN_OR_RETURN(
      const auto bytes,
      described == nullptr
          ? foreign_engine(file, data, options, delegate)
          : described_engine(file, data, options, described->engines[options.engine]));
  SLIPWAY_RETURN_IF_ERROR(write_file(output, bytes));
  return ExtractedEngine{delegate.id()->str(), bytes.size()};
}

// Of those that another tool built into a program.
Result<ExtractedEngine> extract_from_archive(const std::string& path, const std::string& output,
                                             const ExtractOptions& options) {
  if (options.method != ExtractOptions().method || !options.target.empty()) {
    return invalid_argument("{} is an archive: options 'method' and 'target' have no effect on it",
                            path);
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Program loaded, Program::load(path));
  const auto engines = list_engines(loaded);
  if (engines.empty()) {
    return invalid_file("{} is an archive and has no engines: compile it first", path);
  }
  if (options.engine >= engines.size()) {
    return not_found("{} has {}: there is no engine {}", path,
                     inspection::count_text(engines.size(), "engine"), options.engine);
  }
  const engine_build::ListedEngine& listed = engines[options.engine];
  if (!listed.engine.ok()) {
    return listed.engine.error().with_context(fmt::format("{}: {}", path, listed.node));
  }
  SLIPWAY_RETURN_IF_ERROR(write_file(output, listed.engine->bytes.bytes));
  return ExtractedEngine{listed.engine->record.backend, listed.engine->record.size};
}

}  // namespace

Result<ExtractedEngine> extract(const std::string& path, const std::string& output,
                                const ExtractOptions& options) {
  return guarded(path, [&]() -> Result<ExtractedEngine> {
    SLIPWAY_ASSIGN_OR_RETURN(const FileKind kind, file_kind(path));
    SLIPWAY_RETURN_IF_ERROR(inspection::check_may_have_data_file(path, kind, options.data_file));
    if (kind == FileKind::kEngine) return invalid_file("{} is a bare engine already", path);
    SLIPWAY_ASSIGN_OR_RETURN(const FileIdentity input, FileIdentity::of(path));
    SLIPWAY_RETURN_IF_ERROR(input.check_not_output(output));
    if (kind == FileKind::kArchive) return extract_from_archive(path, output, options);
    SLIPWAY_ASSIGN_OR_RETURN(auto mapped, MappedFile::open(path));
    const auto bytes = mapped->bytes();
    SLIPWAY_ASSIGN_OR_RETURN(const pte::File file,
                             pte::File::read({bytes, std::move(mapped)}, path, {.trust = true}));
    std::optional<ptd::DataFile> data;
    if (may_be_outside(file, options)) {
      SLIPWAY_ASSIGN_OR_RETURN(data, runtime::open_data_file(file, path, options.data_file));
    } else {
      SLIPWAY_RETURN_IF_ERROR(runtime::find_data_file(file, path, options.data_file));
    }
    if (data) {
      SLIPWAY_ASSIGN_OR_RETURN(const FileIdentity data_input, FileIdentity::of(data->name()));
      SLIPWAY_RETURN_IF_ERROR(data_input.check_not_output(output));
    }
    return extract_from(file, data, output, options);
  });
}

}  // namespace slipway
