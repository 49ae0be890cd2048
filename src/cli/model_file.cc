#include "cli/model_file.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/progress.h"
#include "base/try.h"
#include "compile/bare_engine.h"
#include "engine_list/compilers/registry.h"
#include "engine_list/registry.h"
#include "slipway/compile.h"
#include "slipway/inspect.h"

namespace slipway::cli {

Result<std::map<std::string, int64_t>> parse_sizes(const char* option,
                                                   const std::vector<std::string>& texts) {
  std::map<std::string, int64_t> sizes;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    const std::string number = equals == std::string::npos ? "" : text.substr(equals + 1);
    const char* end = number.data() + number.size();
    int64_t value = 0;
    const auto parsed = std::from_chars(number.data(), end, value);
    if (equals == 0 || number.empty() || parsed.ec != std::errc() || parsed.ptr != end ||
        value < 0) {
      return invalid_argument("{} {}: expected SIZE=NUMBER, such as s77=64 or x.0=64", option,
                              text);
    }
    if (!sizes.emplace(text.substr(0, equals), value).second) {
      return invalid_argument("{} {}: {} is given twice", option, text, text.substr(0, equals));
    }
  }
  return sizes;
}

namespace {

// As the program that it is.
Result<Module> load_bare_engine(const std::string& path, LoadOptions options,
                                const std::vector<std::string>& bounds,
                                const EngineOptions& engine) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, MappedFile::open(path));
  const engine::Description* kind = engine_list::find_bare_engine(file->bytes());
  if (kind == nullptr) return invalid_file("{} changed while it was read", path);
  const auto* compiler = engine_list::find_compiler(kind->name);
  if (compiler == nullptr || compiler->open_bare == nullptr) {
    return unsupported("{} is a bare {}: run it with {}", path, kind->bare_engine,
                       kind->bare_engine_tools);
  }
  if (!bounds.empty()) {
    return invalid_argument("{} is compiled already: --bound is for archives (.pt2)", path);
  }
  engine_build::OptionValues values;
  SLIPWAY_ASSIGN_OR_RETURN(const bool is_all, engine.take_load_options(options));
  if (!is_all) {
    SLIPWAY_ASSIGN_OR_RETURN(const CompileOptions given, engine.to_compile_options());
    const auto own =
        std::find_if(given.engines.begin(), given.engines.end(),
                     [&](const EngineChoice& choice) { return choice.name == kind->name; });
    if (own == given.engines.end()) {
      return invalid_argument("{} is a bare {}: of the options of engines it takes --engine {}'s",
                              path, kind->bare_engine, kind->name);
    }
    SLIPWAY_RETURN_IF_ERROR(engine.check_for_built(path, kind->name));
    values = own->options;
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Artefact artefact,
                           wrap_engine({file->bytes(), file}, path, *compiler, values));
  SLIPWAY_ASSIGN_OR_RETURN(auto bytes, artefact.to_memory());
  return Module::load(std::move(bytes), path, options);
}

}  // namespace

void add_data_file(const Command& command, std::string& path) {
  command
      .add_option("--data-file", path,
                  "The .ptd with the engines that are outside of the program, where it lies "
                  "elsewhere than beside it")
      .type_name("FILE");
}

void add_sizes(const Command& command, std::vector<std::string>& sizes) {
  command
      .add_option("--size", sizes,
                  "SIZE=NUMBER for a dynamic size of random inputs: s77=8, x.0=8 for the first "
                  "dimension of input x, or n=8 for an integer; may be repeated")
      .type_name("SIZE=NUMBER")
      .one_at_a_time();
}

Result<Module> load_module(const std::string& path, const LoadOptions& options,
                           const std::vector<std::string>& bounds, const EngineOptions& engine) {
  SLIPWAY_ASSIGN_OR_RETURN(FileKind kind, file_kind(path));
  if (kind == FileKind::kEngine) return load_bare_engine(path, options, bounds, engine);
  if (kind == FileKind::kProgram) {
    LoadOptions load = options;
    SLIPWAY_ASSIGN_OR_RETURN(const bool is_all, engine.take_load_options(load));
    if (bounds.empty() && is_all) return Module::load(path, load);
    return invalid_argument(
        "{} is compiled already: --bound and the options of engines are for archives (.pt2), but "
        "for --weight-streaming-budget, --weight-streaming-total and --cuda-graphs",
        path);
  }
  SLIPWAY_ASSIGN_OR_RETURN(CompileOptions compile_options, engine.to_compile_options());
  fmt::print("engine: {}\n", engines_text(compile_options.engines));
  std::fflush(stdout);
  Progress progress;
  progress.step("reading " + path);
  SLIPWAY_ASSIGN_OR_RETURN(Program program, Program::load(path));
  SLIPWAY_ASSIGN_OR_RETURN(compile_options.bounds, parse_sizes("--bound", bounds));
  compile_options.on_step = [&](const std::string& step) { progress.step(step); };
  SLIPWAY_ASSIGN_OR_RETURN(Artefact artefact, compile(program, compile_options));
  progress.finish();
  SLIPWAY_ASSIGN_OR_RETURN(auto bytes, artefact.to_memory());
  return Module::load(std::move(bytes), path, options);
}

}  // namespace slipway::cli
