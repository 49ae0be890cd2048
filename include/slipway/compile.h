// Compiling a program ahead of time.
//
//   auto program = slipway::Program::load("model.pt2");
//   auto artefact = slipway::compile(*program, {});
//   auto saved = artefact->save("model.pte");
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "slipway/export.h"
#include "slipway/program.h"
#include "slipway/result.h"

namespace slipway {

// An option of an engine.
struct EngineOption {
  const char* name;        // "weight_streaming_budget"
  const char* value = "";  // what it takes, such as "BYTES"; empty: "true" or "false"
  const char* help = "";
  bool is_repeated = false;      // may be given several times
  bool is_for_models = false;    // has an effect on ONNX models, too
  bool is_for_machines = false;  // says where the engine's library is
  bool is_for_loading = false;   // LoadOptions has it, too, for what is compiled already
  bool is_for_programs = false;  // has an effect on exported programs with engines alone
};

// As users name them, the default first.
SLIPWAY_API std::vector<std::string> engine_names();
// Those of the engine; none where there is no such engine.
SLIPWAY_API std::vector<EngineOption> engine_options(const std::string& engine);

// An engine that takes parts of a program, and its options: names and values of engine_options(),
// in any order.
struct EngineChoice {
  std::string name;
  std::vector<std::pair<std::string, std::string>> options = {};
};
// Names with commas between them as a list of engines without options, and "none" as the empty one.
SLIPWAY_API Result<std::vector<EngineChoice>> parse_engines(const std::string& names);

// Whether each engine is imported and run on generated inputs, and its outputs compared with those
// of ExecuTorch's kernels, before anything is written. What differs stays outside, but for kFail.
enum class EngineCheck : uint8_t {
  kOff,
  kSmall,    // where a run takes at most kMostCheckedMultiplyAdds, so that no compile takes long
  kOutside,  // all
  kFail,     // all, and a difference is an error
};
// Of an engine at given sizes, counted ahead of time: no clock decides what a file holds.
inline constexpr uint64_t kMostCheckedMultiplyAdds = 1'000'000;

// What a compile makes.
enum class Output : uint8_t {
  // A .pte file, for slipway::Module and for ExecuTorch.
  kPte,
  // A shared library with such a file in it, for programs that call slipway/slipway_model.h.
  kLibrary,
  // A package of AOTInductor (.pt2) with such a library in it, for PyTorch's
  // torch._inductor.aoti_load_package and AOTIModelPackageLoader: for its device cuda where an
  // engine of a GPU is in it, and else for cpu.
  kAotiPackage,
  // The bare engine of a program that the one engine of the list takes as a whole, for trtexec and
  // others. The error for any other program says how it would be cut.
  kEngine,
  // An ONNX model of the whole program for any tool (opset 20), with its sizes symbolic. A buffer
  // that the program changes is an input with a default value and a further output, after the
  // program's own. Weights past 2 GB lie in a second file, `path`.data.
  kOnnx,
  // The ONNX model that the one engine of the list would be given if it took all of the program:
  // lowered for that engine, whose library need not be there, as those of its options say that are
  // for models.
  kEngineOnnx,
  // An archive of torch.export (.pt2), for PyTorch and for other compiles: without engines the
  // program as it was read, but for its bounds; with those of the one engine of the list in place
  // of its parts, as another tool that PyTorch loads has them. Not every engine has such a tool.
  kArchive,
};

// An option that has no effect on the output that is asked for is an error, the default list of
// engines aside.
struct CompileOptions {
  Output output = Output::kPte;
  // By priority: each node goes to the first one that takes it. ExecuTorch's kernels run the rest,
  // and everything without an engine.
  std::vector<EngineChoice> engines = {{engine_names().front()}};
  // Operators ("aten.cos", "aten.cos.default") and nodes (by name) that stay on kernels, or out of
  // one engine ("<engine>:aten.cos").
  std::set<std::string> exclude_ops = {};
  std::set<std::string> exclude_nodes = {};
  // Groups of fewer nodes than this stay on kernels, also where a later engine would take them.
  size_t min_partition_size = 1;
  // An error, which lists them, when nodes would stay on kernels. What may be left for those are
  // copies of bytes: an output that is an input, a constant or another output.
  bool require_full = false;
  // The engine may compute types with less precision than their own (docs of the engine).
  bool allow_reduced_precision = false;
  // Outputs lie in the program's planned memory. Without, whoever runs the file must bind memory to
  // each output before the first run; slipway::Module and ExecuTorch's Python runtime do.
  bool alloc_graph_output = true;
  // Mutable buffers, and what is between engines, are planned in the memory of the GPU whose
  // engines alone use them, and bound there without copies (ExecuTorch's
  // enable_non_cpu_memory_planning). slipway::Module keeps such buffers there in any case; this is
  // for ExecuTorch's own runtimes, which refuse the file unless a device allocator has been
  // registered with them.
  bool non_cpu_memory_planning = false;
  // Methods share mutable buffers: a buffer of one name that any of them changes is one buffer, in
  // all that have it, with one type, one shape and one initial value (ExecuTorch's
  // share_mutable_buffers). What has its name in one method alone is that method's own.
  bool share_buffers = false;
  EngineCheck check = EngineCheck::kSmall;
  // The folder of the cache of engines; empty: none. Engines of equal parts of a model are taken
  // from there.
  std::string cache = {};
  // Where save() will write a .pte file or a bare engine, if that is known: without a cache, a
  // large engine is built there and not copied. Empty: engines are built in $TMPDIR, or /tmp.
  std::string destination = {};
  // The name of a data file, "engines" or "engines.ptd", that save() writes beside a .pte file: the
  // engines lie there, of the kinds whose delegates find them there, and not in the .pte. Empty:
  // they are in the .pte. Programs in one folder need names of their own: save() replaces a data
  // file only if the new one has its engines, too, or it is of the program that is replaced.
  std::string external_engines = {};
  // The largest value of a size that the archive leaves unbounded, or a smaller one than its own. A
  // size is named by its symbol ("s77") or by a dimension of an input ("x.0").
  std::map<std::string, int64_t> bounds = {};
  // Where the random numbers begin that the program draws: a module gives the same ones each time
  // that it is loaded, and others at each run.
  uint64_t seed = 0;
  // Try each of `engines` alone and all in each order, on this machine, and take what runs fastest,
  // whatever the order given; parts of it may go to a later engine where that is faster yet. Builds
  // the program several times and runs it some seconds for each. What was tried is in the file, and
  // a load on a machine with another processor says so. With a cache the choice is kept for the
  // next compile alike.
  bool tune = false;
  // The sizes with which it is run, named as bounds are; without, those of the export. Random
  // numbers are the inputs: integers from 0 to 3.
  std::map<std::string, int64_t> tune_sizes = {};
  // Check the program after every pass; a failure is an internal error that names the pass.
  bool verify_passes = false;
  // on_program is called after each of these steps (step_names() of the output) with the program as
  // text.
  std::set<std::string> print_after = {};
  std::function<void(const std::string& step, const std::string& program)> on_program = {};
  // A folder, made where it is missing, for what each builder is given: an ONNX model for each
  // partition, target and try, "<number>.<engine>.onnx", and for several methods in a folder each.
  // Those of an earlier compile are removed from it.
  std::string dump_partitions = {};
  // Called as each step begins: "functionalize", "plan memory".
  std::function<void(const std::string&)> on_step = {};
  // Called with what the user should know although the work goes on: a damaged cache entry, nodes
  // that the engine refused.
  std::function<void(const std::string&)> on_warning = {};
};

// What a compile made, which is not written yet. Holds the weights as spans of the archive.
// Immutable: may be saved by several threads at once. Copies share what they hold.
class Artefact {
 public:
  // Writes atomically. Two files are both written and checked before either replaces an older one;
  // the weights or engines get their name first, so that there is never a new model without them.
  // `progress` receives the bytes written and the total.
  SLIPWAY_API Status save(const std::string& path,
                          const std::function<void(uint64_t, uint64_t)>& progress = {}) const;
  // The bytes of the file; an error where save() writes two.
  SLIPWAY_API Result<std::vector<std::byte>> to_memory() const;
  // The bytes that save() writes. Of two files it is their sum; of an ONNX model for the path
  // "model.onnx", since it names the file of its weights.
  SLIPWAY_API uint64_t size() const;

  class Impl;

 private:
  explicit Artefact(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

// The steps after which a program can be looked at, in their order.
SLIPWAY_API std::vector<std::string> step_names(Output output = Output::kPte);

// Compiles a program to what CompileOptions::output says; the method of a .pte file is "forward".
SLIPWAY_API Result<Artefact> compile(const Program& program, const CompileOptions& options = {});
// Several methods in one .pte file: equal constants are shared, mutable buffers are each method's
// own without CompileOptions::share_buffers. Other outputs hold one program.
SLIPWAY_API Result<Artefact> compile(
    const std::vector<std::pair<std::string, const Program*>>& methods,
    const CompileOptions& options = {});

// A program that is compiled already (a .pte file, or what else holds one) as another file that
// holds one; nothing of it is changed.
SLIPWAY_API Result<Artefact> repack(const std::string& path, Output output);

}  // namespace slipway
