// What a compile knows of an engine: the half of its description that only the compiler links.
// Defined in <engine>/builder, and listed in engine_list/list.inc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_source.h"
#include "engine/record.h"
#include "engine_build/builder.h"
#include "engine_build/job.h"
#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway::engine_build {

using OptionValues = std::vector<std::pair<std::string, std::string>>;  // as EngineChoice has them

// An engine with the options of one compile.
class Compiler {
 public:
  virtual ~Compiler() = default;

  // One for each target: every partition is built by each, and the first one says what can be
  // built.
  const std::vector<std::unique_ptr<Builder>>& builders() const { return builders_; }

  // The sizes that its engines serve, by symbol, inclusive; the program then has no others.
  virtual std::map<std::string, std::pair<int64_t, int64_t>> size_limits() const { return {}; }

  // Called with all of its engines in a file, whose records may be completed.
  virtual void finish(const std::vector<engine::Engine*>& /*engines*/) const {}

 protected:
  std::vector<std::unique_ptr<Builder>> builders_;
};

// An engine that a program came with.
struct FoundEngine {
  engine::Engine engine;
  std::string node;     // what called it: "execute_engine (some.operator)"
  std::string warning;  // what the user should know of it; mostly empty
};

// One as it is there, which need not be sound.
struct ListedEngine {
  std::string node;
  Result<engine::Engine> engine;
  Status runs_here = {};  // as far as its record says
  std::string warning = {};
};

// What writing an exported program takes besides it, where it calls engines.
struct ArchiveCalls {
  // The operators of the calls, by target, and the names of their parameters. They give lists of
  // tensors.
  std::map<std::string, std::vector<std::string>> operators;
  // The records of engines that are custom objects, by ir::Input::target: made as they are written.
  std::map<std::string, ByteSource> objects;
  // Calls that the program had already.
  size_t found = 0;
  // What it calls, equal ones once.
  size_t engines = 0;
  uint64_t engine_bytes = 0;
};

// A program that is one call of an engine, ir::kCallEngine 0.
struct BareProgram {
  ir::Program program;
  engine::Engine engine;
};

struct CompilerDescription {
  const char* name;  // as engine::Description has it
  std::span<const EngineOption> options;
  // Errors of options begin with "option '<name>'"; names and repetitions are checked before. That
  // the engine's library is missing is said later, by Builder::fingerprint().
  Result<std::unique_ptr<Compiler>> (*make)(const OptionValues& options, const BuildOptions& build);
  // Does the jobs that its builders give to a Worker. Null: there are none.
  JobHandler handle_job = nullptr;
  // Whether addresses decide about the bytes of an engine, so that each needs a new process.
  bool process_for_each_engine = false;
  // Ends of the names of files that are bare engines: ".engine".
  std::span<const char* const> bare_extensions = {};

  // Takes the engines that another tool built into a program, as it came from the archive: the i-th
  // is called by ir::kCallEngine `first_engine` + i afterwards. Null: nobody does that.
  Result<std::vector<FoundEngine>> (*take_engines)(ir::Program& program,
                                                   size_t first_engine) = nullptr;

  // The same engines, in that order, of a program that stays as it is. Null where take_engines is.
  std::vector<ListedEngine> (*list_engines)(const ir::Program& program) = nullptr;

  // The counterpart of take_engines, for a program that is written as an archive: calls of that
  // tool's take the place of each ir::kCallEngine, which calls one of `engines` by index, and those
  // that the program has already get the form that the options ask for. Null: archives hold no
  // engines of this kind.
  Result<ArchiveCalls> (*put_engines)(ir::Program& program, std::span<const engine::Engine> engines,
                                      const OptionValues& options) = nullptr;

  // The program that a bare engine is, which is to run on this machine. The options are those with
  // EngineOption::is_for_machines. Null: a bare engine does not say what it takes.
  Result<BareProgram> (*open_bare)(const OwnedSpan& engine, const OptionValues& options) = nullptr;

  // Command lines for the tool's help.
  std::span<const char* const> examples = {};

  // What of it is on this machine: names and texts of a table.
  std::vector<std::pair<std::string, std::string>> (*state)();
  // Whether this machine runs an engine, of which the record is what is known besides: a text for
  // people, or an error that says why not. The options are those with
  // EngineOption::is_for_machines. Null: nothing but the delegate can tell.
  Result<std::string> (*check_machine)(std::span<const std::byte> engine,
                                       const engine::EngineRecord& record,
                                       const OptionValues& options) = nullptr;
};

}  // namespace slipway::engine_build
