// slipway::tune(): the fastest of the ways to compute that a file's engines have.

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/file_writer.h"
#include "base/guard.h"
#include "base/mapped_file.h"
#include "base/temporary_file.h"
#include "base/try.h"
#include "compile/engine_choices.h"
#include "compile/example_inputs.h"
#include "engine/tuner.h"
#include "engine_list/registry.h"
#include "pte/reader/reader.h"
#include "runtime/backends.h"
#include "slipway/tune.h"

namespace slipway {
namespace {

// By the checksums of engines.
class Collector final : public engine::Tuner {
 public:
  explicit Collector(const TuneOptions& options) : options_(options) {}

  void progress(size_t done, size_t total) override {
    if (options_.on_progress) options_.on_progress(done, total);
  }
  void found(const engine::FoundChoices& choices) override {
    found_.insert_or_assign(choices.xxh3, choices);
  }
  const engine::FoundChoices* find(const std::string& xxh3) const {
    const auto known = found_.find(xxh3);
    return known == found_.end() ? nullptr : &known->second;
  }

 private:
  const TuneOptions& options_;
  std::map<std::string, engine::FoundChoices> found_;
};

Result<std::vector<Value>> random_inputs(const Method& method, const TuneOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto sizes, method.example_sizes(options.sizes));
  std::mt19937_64 random;
  std::vector<Value> inputs(method.inputs().size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(inputs[i], random_value(method.inputs()[i], sizes[i], random));
  }
  return inputs;
}

Status run_methods(const std::string& path, const TuneOptions& options,
                   const std::set<std::string>& methods) {
  LoadOptions load;
  load.device = options.device;
  load.on_warning = options.on_warning;
  SLIPWAY_ASSIGN_OR_RETURN(const Module module, Module::load(path, load));
  for (const std::string& name : methods) {
    SLIPWAY_ASSIGN_OR_RETURN(const Method method, module.method(name));
    SLIPWAY_ASSIGN_OR_RETURN(const auto inputs, options.inputs ? options.inputs(method)
                                                               : random_inputs(method, options));
    const auto run = method.run(inputs);
    if (!run.ok()) return run.error();
  }
  return {};
}

// Each engine once.
std::vector<ChoosingEngine> wanted_engines(std::vector<ChoosingEngine> engines,
                                           const std::vector<std::string>& methods) {
  std::set<uint32_t> segments;
  std::erase_if(engines, [&](const ChoosingEngine& engine) {
    const bool is_wanted = methods.empty() || std::find(methods.begin(), methods.end(),
                                                        engine.method) != methods.end();
    return !is_wanted || !segments.insert(engine.segment).second;
  });
  return engines;
}

Error no_choices(const std::string& path) {
  std::string remedies;
  for (const engine::Description* known : engine_list::descriptions()) {
    if (known->choose != nullptr) remedies += std::string("; ") + known->choices_remedy;
  }
  return unsupported("{} has no engine with choices among ways to compute{}", path, remedies);
}

Result<std::vector<TunedEngine>> tune_file(const std::string& path, const std::string& output,
                                           const TuneOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto mapped, MappedFile::open(path));
  SLIPWAY_ASSIGN_OR_RETURN(const pte::File file, pte::File::read({mapped->bytes(), mapped}, path));
  if (file.bytes().size() != mapped->bytes().size()) {
    return unsupported("{} is a library: tune the .pte, and make the library of that", path);
  }
  for (const std::string& method : options.methods) {
    if (file.plan(method) == nullptr) return not_found("{} has no method '{}'", path, method);
  }
  SLIPWAY_ASSIGN_OR_RETURN(auto engines, choosing_engines(file));
  engines = wanted_engines(std::move(engines), options.methods);
  if (engines.empty()) return no_choices(path);
  // That there is a place for it is better known before than after.
  if (const auto place = TemporaryFile::create_beside(output); !place.ok()) return place.error();
  // New checksums must not hide damage.
  SLIPWAY_RETURN_IF_ERROR(file.verify_checksums());
  Collector collector(options);
  std::set<std::string> methods;
  {
    std::vector<runtime::TuningGuard> guards;
    std::set<std::string> backends;
    for (const ChoosingEngine& engine : engines) {
      methods.insert(engine.method);
      if (!backends.insert(engine.backend).second) continue;
      SLIPWAY_ASSIGN_OR_RETURN(auto guard, runtime::TuningGuard::create(engine.backend, collector));
      guards.push_back(std::move(guard));
    }
    SLIPWAY_RETURN_IF_ERROR(run_methods(path, options, methods));
  }
  std::vector<TunedEngine> tuned;
  std::map<uint32_t, engine::Choices> chosen;
  for (const ChoosingEngine& engine : engines) {
    const engine::FoundChoices* const found = collector.find(engine.xxh3);
    if (found == nullptr) continue;  // The method does not come to it.
    chosen[engine.segment] = found->choices;
    tuned.push_back(found->tuned);
    tuned.back().method = engine.method;
    tuned.back().engine = engine.index;
  }
  if (tuned.empty()) return unsupported("the methods of {} ran none of its engines", path);
  SLIPWAY_ASSIGN_OR_RETURN(const PieceList pieces, with_choices(file, chosen));
  SLIPWAY_RETURN_IF_ERROR(write_file(output, pieces, {}, [&](const OwnedSpan& bytes) -> Status {
    SLIPWAY_ASSIGN_OR_RETURN(const pte::File written, pte::File::read(bytes, output));
    return written.verify_checksums();
  }));
  return tuned;
}

}  // namespace

Result<std::vector<TunedEngine>> tune(const std::string& path, const std::string& output,
                                      const TuneOptions& options) {
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  return guarded(path, [&] { return tune_file(path, output, options); });
}

}  // namespace slipway
