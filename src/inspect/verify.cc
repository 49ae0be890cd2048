// Whether a file is sound, and whether this machine runs it.

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "base/error.h"
#include "base/guard.h"
#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/try.h"
#include "compile/engines.h"
#include "engine/manifest.h"
#include "engine_list/compilers/registry.h"
#include "engine_list/registry.h"
#include "inspect/file_info.h"
#include "pte/reader/reader.h"
#include "runtime/data_file.h"
#include "runtime/plan.h"
#include "runtime/requirements.h"
#include "slipway/inspect.h"
#include "slipway/program.h"

namespace slipway {
namespace {

using Outcome = Check::Outcome;
using Checks = std::vector<Check>;

Check passed_or_failed(std::string name, const Status& status, const std::string& detail) {
  return status.ok() ? Check{std::move(name), Outcome::kPassed, detail}
                     : Check{std::move(name), Outcome::kFailed, status.error().message()};
}

Status check_options(const VerifyOptions& options) {
  for (const EngineChoice& engine : options.engines) {
    const std::vector<EngineOption> known = engine_options(engine.name);
    for (const auto& given : engine.options) {
      const std::string& name = given.first;
      const bool is_known =
          std::any_of(known.begin(), known.end(), [&](const EngineOption& option) {
            return option.name == name && option.is_for_machines;
          });
      if (is_known) continue;
      return invalid_argument("the engine '{}' has no option '{}' that says where its library is",
                              engine.name, name);
    }
  }
  return {};
}

Result<pte::File> read_program(const std::string& path, const VerifyOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(auto mapped, MappedFile::open(path));
  const auto bytes = mapped->bytes();
  return pte::File::read({bytes, std::move(mapped)}, path, {.trust = options.trust});
}

// The compiler of the engine, if it can tell whether this machine runs it.
const engine_build::CompilerDescription* checker_of(const std::string& engine) {
  const auto* compiler = engine_list::find_compiler(engine);
  return compiler == nullptr || compiler->check_machine == nullptr ? nullptr : compiler;
}

Check check_engine(const engine_build::CompilerDescription& compiler, std::string name,
                   std::span<const std::byte> engine, const engine::EngineRecord& record,
                   const VerifyOptions& options) {
  engine_build::OptionValues values;
  for (const EngineChoice& choice : options.engines) {
    if (choice.name == compiler.name) values = choice.options;
  }
  const auto checked = compiler.check_machine(engine, record, values);
  return checked.ok() ? Check{std::move(name), Outcome::kPassed, *checked}
                      : Check{std::move(name), Outcome::kFailed, checked.error().message()};
}

// Each engine of a method, and those for other targets: one that this machine runs is enough.
void check_engines(const pte::File& file, const std::optional<ptd::DataFile>& data,
                   const engine::ManifestMethod& method, const VerifyOptions& options,
                   Checks& checks) {
  for (size_t i = 0; i < method.engines.size(); ++i) {
    const engine::ManifestEngine& engine = method.engines[i];
    const auto* compiler = checker_of(engine.record.engine);
    if (compiler == nullptr) continue;
    std::vector<const engine::ManifestEngine*> candidates = {&engine};
    for (const engine::ManifestEngine& variant : engine.variants) candidates.push_back(&variant);
    for (const engine::ManifestEngine* candidate : candidates) {
      const std::string& target = candidate->record.target;
      std::string name =
          fmt::format("engine {} of {}{}{}", i, method.name, target.empty() ? "" : ", ", target);
      if (!candidate->external_key.empty()) {
        if (!data) continue;  // which is said
        checks.push_back(check_engine(*compiler, std::move(name),
                                      *data->find(candidate->external_key), candidate->record,
                                      options));
        continue;
      }
      const auto bytes = file.segment(candidate->segment);
      if (!bytes.ok() || bytes->size() < candidate->header_size) {
        checks.push_back({std::move(name), Outcome::kFailed, "its segment is not in the file"});
        continue;
      }
      checks.push_back(check_engine(*compiler, std::move(name),
                                    bytes->subspan(candidate->header_size), candidate->record,
                                    options));
    }
  }
}

void check_program(const pte::File& file, const std::optional<ptd::DataFile>& data,
                   const VerifyOptions& options, Checks& checks) {
  for (const std::string& method : runtime::method_names(file)) {
    const Status status = runtime::check_requirements(file, method);
    checks.push_back(
        passed_or_failed("machine, " + method, status, "every operator and backend is here"));
    if (!status.ok()) continue;
    for (std::string& difference : runtime::environment_differences(file, method)) {
      checks.push_back({"environment, " + method, Outcome::kWarning, std::move(difference)});
    }
  }
  if (!file.manifest()) return;
  for (const engine::ManifestMethod& method : file.manifest()->methods) {
    check_engines(file, data, method, options, checks);
  }
}

Result<Checks> check_bare_engine(const std::string& path, const VerifyOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto mapped, MappedFile::open(path));
  const engine::Description* kind = engine_list::find_bare_engine(mapped->bytes());
  const auto* compiler = kind == nullptr ? nullptr : checker_of(kind->name);
  if (compiler == nullptr) {
    return Checks{{"plan", Outcome::kSkipped, "nothing here can tell whether it runs"}};
  }
  return Checks{check_engine(*compiler, "plan", mapped->bytes(), {}, options)};
}

// Compares the engines with the manifest's digests: reads them.
Status check_digests(const pte::File& file, const ptd::DataFile& data) {
  std::map<std::string, std::string> digests;  // of keys
  for (const runtime::ExternalEngine& engine : runtime::external_engines(file)) {
    if (engine.sha256.empty()) continue;
    std::string& digest = digests[engine.key];
    if (digest.empty()) digest = sha256_hex(*data.find(engine.key));
    if (digest == engine.sha256) continue;
    return invalid_file(
        "{}: {} of {} does not have its SHA-256; the file is damaged: copy it again, or compile "
        "the model again",
        data.name(), engine.name, file.name());
  }
  return {};
}

// The data file of a program whose engines are outside of it, where it can be used.
std::optional<ptd::DataFile> check_data_file(const pte::File& file, const std::string& path,
                                             const VerifyOptions& options, Checks& checks) {
  auto data = runtime::open_data_file(file, path, options.data_file);
  if (!data.ok()) {
    checks.push_back({"data file", Outcome::kFailed, data.error().message()});
    return std::nullopt;
  }
  if (*data) {
    checks.push_back(
        {"data file", Outcome::kPassed, (*data)->name() + " has the engines of the program"});
  }
  return *std::move(data);
}

Checks verify_program(const std::string& path, const VerifyOptions& options) {
  const auto file = read_program(path, options);
  if (!file.ok()) return {{"structure", Outcome::kFailed, file.error().message()}};
  Checks checks = {
      {"structure", Outcome::kPassed, "every offset, index and argument is in its place"}};
  const Status checksums = file->verify_checksums();
  if (!checksums.ok() && checksums.error().code() == ErrorCode::kNotFound) {
    checks.push_back({"checksums", Outcome::kSkipped, "none: the file has no manifest"});
  } else {
    checks.push_back(
        passed_or_failed("checksums", checksums, "the program and every segment match"));
  }
  const auto data = check_data_file(*file, path, options, checks);
  if (data) {
    checks.push_back(passed_or_failed("checksums of the data file", check_digests(*file, *data),
                                      "every engine of the program has its SHA-256"));
  }
  check_program(*file, data, options, checks);
  return checks;
}

Checks verify_archive(const std::string& path, const VerifyOptions& options) {
  const auto loaded = Program::load(path);
  Checks checks = {
      passed_or_failed("archive", loaded.ok() ? Status() : loaded.error(),
                       "checksums of all entries match, and the program is well-formed")};
  if (!loaded.ok()) return checks;
  const auto engines = list_engines(*loaded);
  for (size_t i = 0; i < engines.size(); ++i) {
    const engine_build::ListedEngine& listed = engines[i];
    const std::string name = fmt::format("engine {}", i);
    const Status sound = listed.engine.ok() ? listed.runs_here : listed.engine.error();
    if (!sound.ok()) {
      checks.push_back({name, Outcome::kFailed, listed.node + ": " + sound.error().message()});
      continue;
    }
    if (!listed.warning.empty()) checks.push_back({name, Outcome::kWarning, listed.warning});
    const engine::Engine& engine = *listed.engine;
    const auto* compiler = checker_of(engine.record.engine);
    if (compiler == nullptr) continue;
    checks.push_back(check_engine(*compiler, name, engine.bytes.bytes, engine.record, options));
  }
  return checks;
}

}  // namespace

Result<Checks> verify(const std::string& path, const VerifyOptions& options) {
  return guarded(path, [&]() -> Result<Checks> {
    SLIPWAY_RETURN_IF_ERROR(check_options(options));
    SLIPWAY_ASSIGN_OR_RETURN(const FileKind kind, file_kind(path));
    SLIPWAY_RETURN_IF_ERROR(inspection::check_may_have_data_file(path, kind, options.data_file));
    if (kind == FileKind::kArchive) return verify_archive(path, options);
    if (kind == FileKind::kProgram) return verify_program(path, options);
    SLIPWAY_ASSIGN_OR_RETURN(Checks checks, check_bare_engine(path, options));
    if (checks[0].outcome != Outcome::kSkipped) {
      checks.push_back({"body", Outcome::kSkipped, "a bare plan has no checksum"});
    }
    return checks;
  });
}

Result<Checks> check_machine(const std::string& path, const VerifyOptions& options) {
  return guarded(path, [&]() -> Result<Checks> {
    SLIPWAY_RETURN_IF_ERROR(check_options(options));
    SLIPWAY_ASSIGN_OR_RETURN(const FileKind kind, file_kind(path));
    SLIPWAY_RETURN_IF_ERROR(inspection::check_may_have_data_file(path, kind, options.data_file));
    if (kind == FileKind::kArchive) {
      return invalid_file("{} is an archive, which no machine runs: compile it first", path);
    }
    if (kind == FileKind::kEngine) return check_bare_engine(path, options);
    SLIPWAY_ASSIGN_OR_RETURN(const pte::File file, read_program(path, options));
    Checks checks;
    const auto data = check_data_file(file, path, options, checks);
    check_program(file, data, options, checks);
    return checks;
  });
}

}  // namespace slipway
