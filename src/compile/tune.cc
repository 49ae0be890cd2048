#include "compile/tune.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <set>
#include <span>
#include <thread>
#include <unistd.h>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/median.h"
#include "base/piece_writer.h"
#include "base/processor.h"
#include "base/temporary_file.h"
#include "base/try.h"
#include "compile/compilers.h"
#include "compile/example_inputs.h"
#include "compile/program_impl.h"
#include "compile/symbol_bounds.h"
#include "engine/json.h"
#include "engine/tuning_json.h"
#include "engine_build/engine_cache.h"
#include "slipway/version.h"

namespace slipway {

namespace {

// How many parts of the fastest cut are tried on another engine, those of most nodes first.
constexpr size_t kMostMoves = 8;
// A move that saves less is not worth its place in the file.
constexpr double kWorthAMove = 0.98;

constexpr size_t kWarmUps = 2;
constexpr size_t kFewestTurns = 3;
constexpr size_t kMostTurns = 100;
constexpr size_t kCallsATurn = 10;
constexpr std::chrono::milliseconds kTimeOfTurn{30};
constexpr std::chrono::milliseconds kPause{10};
constexpr std::chrono::duration<double> kTimeForEach{1.0};

struct Candidate {
  CompileOptions options;
  engine::Cut cut;
  std::optional<BuiltMethods> built = {};
  std::shared_ptr<std::vector<std::string>> warnings = std::make_shared<std::vector<std::string>>();
};

// "first,second"
std::string name_of(const engine::Cut& cut) {
  std::string name = fmt::format("{}", fmt::join(cut.engines, ","));
  if (!cut.exclude_nodes.empty()) {
    name += fmt::format(" without {} node(s)", cut.exclude_nodes.size());
  }
  return name;
}

// The options for some of the engines. What is kept from others has no effect then.
Candidate candidate_of(const CompileOptions& options, std::vector<EngineChoice> engines,
                       const std::vector<std::string>& exclude_nodes = {}) {
  Candidate candidate = {.options = options, .cut = {}};
  CompileOptions& own = candidate.options;
  own.destination.clear();
  own.on_step = nullptr;
  own.on_warning = [warnings = candidate.warnings](const std::string& warning) {
    warnings->push_back(warning);
  };
  std::set<std::string> absent;
  for (const EngineChoice& engine : options.engines) absent.insert(engine.name);
  for (const EngineChoice& engine : engines) {
    absent.erase(engine.name);
    candidate.cut.engines.push_back(engine.name);
  }
  own.engines = std::move(engines);
  for (auto* excluded : {&own.exclude_ops, &own.exclude_nodes}) {
    std::erase_if(*excluded, [&](const std::string& text) {
      return absent.contains(text.substr(0, text.find(':')));
    });
  }
  candidate.cut.exclude_nodes = exclude_nodes;
  own.exclude_nodes.insert(exclude_nodes.begin(), exclude_nodes.end());
  return candidate;
}

// Each engine alone, and each order of all of them, that of the list first.
std::vector<Candidate> candidates_of(const CompileOptions& options) {
  std::vector<Candidate> candidates;
  for (const EngineChoice& engine : options.engines) {
    candidates.push_back(candidate_of(options, {engine}));
  }
  std::vector<size_t> order(options.engines.size());
  std::iota(order.begin(), order.end(), size_t{0});
  do {
    std::vector<EngineChoice> engines;
    engines.reserve(order.size());
    for (const size_t engine : order) engines.push_back(options.engines[engine]);
    candidates.push_back(candidate_of(options, std::move(engines)));
  } while (std::next_permutation(order.begin(), order.end()));
  return candidates;
}

// The parts of a program and their engines: candidates that have the same are alike.
using Parts = std::vector<std::pair<std::string, std::vector<std::string>>>;
Parts parts_of(const BuiltMethods& built) {
  Parts parts;
  for (const pte::Method& method : built.methods()) {
    for (size_t i = 0; i < method.engines.size(); ++i) {
      parts.emplace_back(method.engines[i].record.engine, method.engine_nodes[i]);
    }
    parts.emplace_back();
  }
  return parts;
}

size_t count_outside(const BuiltMethods& built) {
  size_t count = 0;
  for (const pte::Method& method : built.methods()) count += method.outside.size();
  return count;
}

// What the calls take, a list for each method.
using Inputs = std::vector<std::vector<Value>>;

// The file is gone from its folder as soon as it is mapped.
Result<Contender> load(const BuiltMethods& built, const Inputs& inputs) {
  std::string folder = temporary_folder() + "/slipway-tune-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) {
    return io_error("can't make a folder in {} for programs to time", temporary_folder());
  }
  const std::string file = folder + "/program.pte";
  auto module = [&]() -> Result<Module> {
    SLIPWAY_ASSIGN_OR_RETURN(const PieceList pieces, built.emit());
    SLIPWAY_RETURN_IF_ERROR(write_file(file, pieces, {}));
    return Module::load(file);
  }();
  ::unlink(file.c_str());
  ::rmdir(folder.c_str());
  if (!module.ok()) return module.error();
  Contender contender = {.module = *std::move(module), .calls = {}};
  for (size_t i = 0; i < inputs.size(); ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(Method method, contender.module.method(built.methods()[i].name));
    SLIPWAY_RETURN_IF_ERROR(method.prepare());
    contender.calls.emplace_back(std::move(method), inputs[i]);
  }
  return contender;
}

Status call(const Contender& contender) {
  for (const auto& [method, inputs] : contender.calls) {
    const auto outputs = method.run(inputs);
    if (!outputs.ok()) return outputs.error();
  }
  return {};
}

// Runs what was built, and notes the times or why there are none.
void time_candidates(const std::vector<Candidate*>& candidates, const Inputs& inputs,
                     const Stopwatch& stopwatch) {
  std::vector<Contender> contenders;
  std::vector<Candidate*> loaded;
  for (Candidate* candidate : candidates) {
    auto contender = load(*candidate->built, inputs);
    if (!contender.ok()) {
      candidate->cut.failure = contender.error().message();
      continue;
    }
    contenders.push_back(*std::move(contender));
    loaded.push_back(candidate);
  }
  const std::vector<Result<double>> times = stopwatch(contenders);
  for (size_t i = 0; i < loaded.size(); ++i) {
    engine::Cut& cut = loaded[i]->cut;
    if (times[i].ok()) {
      cut.milliseconds = *times[i];
    } else {
      cut.failure = times[i].error().message();
    }
  }
}

bool is_timed(const Candidate& candidate) {
  return candidate.built && candidate.cut.failure.empty();
}

// Whether another cut of the program may be built where this error comes of one.
bool is_of_cut(ErrorCode code) {
  return code == ErrorCode::kUnsupported || code == ErrorCode::kResourceExhausted ||
         code == ErrorCode::kInternal;
}

// A search among cuts.
class Search {
 public:
  Search(const NamedPrograms& methods, const CompileOptions& options, Inputs inputs,
         const Stopwatch& stopwatch)
      : methods_(methods), options_(options), inputs_(std::move(inputs)), stopwatch_(stopwatch) {}

  // The fastest of the whole cuts; null where none was timed. An error where none can be built.
  Result<Candidate*> try_cuts() {
    candidates_ = candidates_of(options_);
    std::map<Parts, std::string> seen;
    std::vector<Candidate*> built;
    std::optional<Error> error;
    for (Candidate& candidate : candidates_) {
      if (const Status status = build(candidate); !status.ok()) {
        // What the user got wrong, or the machine lacks, does not choose for them.
        if (!is_of_cut(status.error().code())) return status.error();
        if (!error) error = status.error();
        continue;
      }
      const auto [same, is_new] = seen.emplace(parts_of(*candidate.built), name_of(candidate.cut));
      if (is_new) {
        built.push_back(&candidate);
      } else {
        candidate.cut.failure = "the parts are those of " + same->second;
      }
    }
    if (built.empty()) return *error;
    step(fmt::format("time {} cut(s)", built.size()));
    time_candidates(built, inputs_, stopwatch_);
    Candidate* best = nullptr;
    for (Candidate* candidate : built) {
      if (!is_timed(*candidate)) continue;
      if (best == nullptr || candidate->cut.milliseconds < best->cut.milliseconds) best = candidate;
    }
    Candidate& as_given = candidates_[options_.engines.size()];
    fallback_ = as_given.built ? &as_given : built.front();
    if (best == nullptr) why_not_ = built.front()->cut.failure;
    return best;
  }

  // Gives parts of the best to the next engine that takes them, one after another, for as long as
  // that is faster.
  Candidate* move_parts(Candidate* best) {
    struct Move {
      std::string engine;
      std::vector<std::string> nodes;
    };
    std::vector<Move> moves;
    size_t parts = 0;
    for (const auto& [engine, nodes] : parts_of(*best->built)) {
      if (engine.empty()) continue;
      ++parts;
      if (engine != best->cut.engines.back()) moves.push_back({engine, nodes});
    }
    // One that is all of the program is a whole cut.
    if (parts < 2) return best;
    std::stable_sort(moves.begin(), moves.end(),
                     [](const Move& a, const Move& b) { return a.nodes.size() > b.nodes.size(); });
    if (moves.size() > kMostMoves) moves.resize(kMostMoves);
    for (const Move& move : moves) {
      std::vector<std::string> excluded = best->cut.exclude_nodes;
      for (const std::string& node : move.nodes) {
        excluded.push_back(move.engine + ":" + node.substr(0, node.find(' ')));
      }
      moved_.push_back(
          std::make_unique<Candidate>(candidate_of(options_, best->options.engines, excluded)));
      Candidate* const candidate = moved_.back().get();
      if (!build(*candidate).ok()) continue;
      if (count_outside(*candidate->built) > count_outside(*best->built)) {
        moved_.pop_back();
        continue;
      }
      step(fmt::format("time {}", name_of(candidate->cut)));
      const double before = best->cut.milliseconds;
      time_candidates({best, candidate}, inputs_, stopwatch_);
      if (!best->cut.failure.empty()) {
        best->cut.failure.clear();
        best->cut.milliseconds = before;
      }
      const bool is_better = is_timed(*candidate) &&
                             candidate->cut.milliseconds < kWorthAMove * best->cut.milliseconds;
      if (is_better) best = candidate;
    }
    return best;
  }

  // What is built where nothing is timed: the list as it is given, if that can be.
  Candidate* fallback() const { return fallback_; }
  const std::string& why_not() const { return why_not_; }

  // All that was tried, the best first.
  std::vector<engine::Cut> cuts(const Candidate* best) const {
    std::vector<engine::Cut> cuts;
    const auto add = [&](const Candidate& candidate) {
      if (&candidate != best) cuts.push_back(candidate.cut);
    };
    for (const Candidate& candidate : candidates_) add(candidate);
    for (const auto& candidate : moved_) add(*candidate);
    std::stable_sort(cuts.begin(), cuts.end(), [](const engine::Cut& a, const engine::Cut& b) {
      if (a.failure.empty() != b.failure.empty()) return a.failure.empty();
      return a.milliseconds < b.milliseconds;
    });
    cuts.insert(cuts.begin(), best->cut);
    return cuts;
  }

 private:
  void step(const std::string& name) const {
    if (options_.on_step) options_.on_step(name);
  }
  Status build(Candidate& candidate) const {
    step("try " + name_of(candidate.cut));
    auto built = BuiltMethods::build(methods_, candidate.options);
    if (built.ok()) {
      candidate.built = *std::move(built);
      return {};
    }
    candidate.cut.failure = built.error().message();
    return built.error();
  }

  const NamedPrograms& methods_;
  const CompileOptions& options_;
  const Inputs inputs_;
  const Stopwatch& stopwatch_;
  std::vector<Candidate> candidates_;
  std::vector<std::unique_ptr<Candidate>> moved_;
  Candidate* fallback_ = nullptr;
  std::string why_not_;
};

// What the choice depends on, the processor among it; nothing where an engine's library is missing.
std::optional<std::string> key_of(const NamedPrograms& methods, const CompileOptions& options,
                                  const std::vector<std::map<std::string, int64_t>>& sizes) {
  const auto compilers = make_compilers(options);
  if (!compilers.ok()) return std::nullopt;
  engine::OrderedJson key = {{"tool", version()}, {"processor", processor_name()}};
  for (const auto& compiler : *compilers) {
    for (const auto& builder : compiler->builders()) {
      const auto fingerprint = builder->fingerprint();
      if (!fingerprint.ok()) return std::nullopt;
      key["engines"].push_back(*fingerprint);
    }
  }
  for (const EngineChoice& engine : options.engines) {
    key["options"].push_back({engine.name, engine.options});
  }
  for (size_t i = 0; i < methods.size(); ++i) {
    key["methods"].push_back(
        {methods[i].first, Program::Impl::of(*methods[i].second).source_sha256(), sizes[i]});
  }
  key["cut"] = {options.exclude_ops,  options.exclude_nodes,
                options.bounds,       options.min_partition_size,
                options.require_full, options.allow_reduced_precision,
                options.check};
  const std::string text = engine::dump_json(key);
  Sha256 hash;
  hash.update(std::as_bytes(std::span(text)));
  return hash.hex();
}

std::optional<engine::Tuning> find_choice(const engine_build::EngineCache& cache,
                                          const std::string& key) {
  const auto entry = cache.find(key);
  if (!entry) return std::nullopt;
  const auto bytes = entry->bytes.bytes;
  const auto document = JsonDocument::parse(
      std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()), "a choice");
  if (!document.ok()) return std::nullopt;
  engine::Tuning tuning = engine::read_tuning((*document)->root());
  if (!(*document)->status().ok()) return std::nullopt;
  return tuning;
}

// An entry like those of engines, with the choice in the place of an engine.
void keep_choice(const engine_build::EngineCache& cache, const std::string& key,
                 const engine::Tuning& tuning) {
  const std::string text = engine::dump_json(engine::tuning_to_json(tuning));
  const auto bytes = std::as_bytes(std::span(text));
  engine::EngineRecord record;
  record.engine = fmt::format("choice of {}", name_of(tuning.cuts.front()));
  record.device = tuning.processor;
  record.size = text.size();
  Sha256 hash;
  hash.update(bytes);
  record.sha256 = hash.hex();
  if (!cache.make_folder().ok()) return;
  auto file = TemporaryFile::create(cache.folder());
  if (!file.ok() || !file->append(bytes).ok()) return;
  cache.add(key, record, xxh3_hex(bytes), *file);
}

// The candidate of an earlier choice; nothing where it names other engines.
std::optional<Candidate> candidate_of(const CompileOptions& options, const engine::Cut& cut) {
  std::vector<EngineChoice> engines;
  for (const std::string& name : cut.engines) {
    const auto found =
        std::find_if(options.engines.begin(), options.engines.end(),
                     [&](const EngineChoice& engine) { return engine.name == name; });
    if (found == options.engines.end()) return std::nullopt;
    engines.push_back(*found);
  }
  return candidate_of(options, std::move(engines), cut.exclude_nodes);
}

BuiltMethods take(Candidate& candidate, const CompileOptions& options) {
  for (const std::string& warning : *candidate.warnings) {
    if (options.on_warning) options.on_warning(warning);
  }
  return *std::move(candidate.built);
}

}  // namespace

std::vector<Result<double>> time_calls(const std::vector<Contender>& contenders) {
  using Clock = std::chrono::steady_clock;
  std::vector<Status> failed(contenders.size());
  for (size_t i = 0; i < contenders.size(); ++i) {
    for (size_t k = 0; k < kWarmUps && failed[i].ok(); ++k) failed[i] = call(contenders[i]);
  }
  std::vector<std::vector<double>> times(contenders.size());
  const auto started = Clock::now();
  const auto enough = kTimeForEach * static_cast<double>(contenders.size());
  for (size_t round = 0; round < kMostTurns; ++round) {
    if (round >= kFewestTurns && Clock::now() - started > enough) break;
    for (size_t i = 0; i < contenders.size(); ++i) {
      if (!failed[i].ok()) continue;
      // The threads of the one before go on spinning for a while, and a first call wakes its own.
      std::this_thread::sleep_for(kPause);
      failed[i] = call(contenders[i]);
      const auto turn = Clock::now();
      for (size_t k = 0; k < kCallsATurn && failed[i].ok(); ++k) {
        const auto begun = Clock::now();
        failed[i] = call(contenders[i]);
        times[i].push_back(std::chrono::duration<double, std::milli>(Clock::now() - begun).count());
        if (Clock::now() - turn > kTimeOfTurn) break;
      }
    }
  }
  std::vector<Result<double>> medians;
  for (size_t i = 0; i < contenders.size(); ++i) {
    if (failed[i].ok()) {
      medians.emplace_back(median(std::move(times[i])));
    } else {
      medians.emplace_back(failed[i].error());
    }
  }
  return medians;
}

Result<BuiltMethods> build_fastest(const NamedPrograms& methods, const CompileOptions& options,
                                   std::optional<engine::Tuning>& tuning,
                                   const Stopwatch& stopwatch) {
  std::vector<ir::Program> programs;
  for (const auto& [name, program] : methods) {
    programs.push_back(Program::Impl::of(*program).ir.clone());
  }
  SLIPWAY_RETURN_IF_ERROR(apply_bounds(programs, options.bounds));
  SLIPWAY_RETURN_IF_ERROR(check_bounded(programs));
  SLIPWAY_ASSIGN_OR_RETURN(const auto sizes, example_sizes(programs, options.tune_sizes));

  const engine_build::EngineCache cache(options.cache, options.on_warning);
  const auto key = options.cache.empty() ? std::nullopt : key_of(methods, options, sizes);
  if (auto known = key ? find_choice(cache, *key) : std::nullopt) {
    if (auto candidate = candidate_of(options, known->cuts.front())) {
      candidate->options.on_step = options.on_step;
      SLIPWAY_ASSIGN_OR_RETURN(candidate->built, BuiltMethods::build(methods, candidate->options));
      tuning = *std::move(known);
      return take(*candidate, options);
    }
  }

  Inputs inputs;
  for (size_t i = 0; i < programs.size(); ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(inputs.emplace_back(), example_inputs(programs[i], sizes[i]));
  }
  Search search(methods, options, std::move(inputs), stopwatch);
  SLIPWAY_ASSIGN_OR_RETURN(Candidate * best, search.try_cuts());
  if (best == nullptr) {
    Candidate& first = *search.fallback();
    if (options.on_warning) {
      options.on_warning(
          fmt::format("option 'tune' chose nothing, because no cut could be run "
                      "here; the engines are {}: {}",
                      name_of(first.cut), search.why_not()));
    }
    return take(first, options);
  }
  best = search.move_parts(best);
  tuning = engine::Tuning{.processor = processor_name(), .sizes = {}, .cuts = search.cuts(best)};
  for (const auto& own : sizes) tuning->sizes.insert(own.begin(), own.end());
  if (key) keep_choice(cache, *key, *tuning);
  return take(*best, options);
}

}  // namespace slipway
