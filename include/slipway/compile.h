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

#include "slipway/program.h"
#include "slipway/result.h"
#include "slipway/tensorrt_options.h"

namespace slipway {

enum class EngineKind : uint8_t {
  kNone,      // ExecuTorch's kernels run everything.
  kOpenVino,  // Intel's OpenVINO runs what it computes exactly, ExecuTorch's kernels the rest.
  kTensorRt,  // NVIDIA's TensorRT or TensorRT-RTX, likewise.
};

// "openvino", "none": as the command line has them, the default first.
std::vector<std::string> engine_names();
const char* engine_name(EngineKind kind);
Result<EngineKind> parse_engine(const std::string& name);
// "abs-sinking": the rules against faults of engines (docs/openvino.md).
std::vector<std::string> rule_names();

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

struct CompileOptions {
  EngineKind engine = EngineKind::kOpenVino;
  // Operators ("aten.cos", "aten.cos.default") and nodes (by name) that stay on kernels.
  std::set<std::string> exclude_ops;
  std::set<std::string> exclude_nodes;
  // Groups of fewer nodes than this stay on kernels.
  size_t min_partition_size = 1;
  // An error, which lists them, when nodes would stay on kernels.
  bool require_full = false;
  // The engine may compute types with less precision than their own (docs/openvino.md).
  bool allow_reduced_precision = false;
  // Outputs lie in the program's planned memory. Without, whoever runs the file must bind memory to
  // each output before the first run; slipway::Module and ExecuTorch's Python runtime do.
  bool alloc_graph_output = true;
  EngineCheck check = EngineCheck::kSmall;
  TensorRtOptions tensorrt;
  // "2025.4": engines that ExecuTorch's own OpenVINO delegate runs, with that version of OpenVINO;
  // ours runs them, too. Empty: for the version that builds them.
  std::string openvino_compat;
  // Rules against faults of an engine that are left off (rule_names), to see what they are for.
  std::set<std::string> disabled_rules;
  // The folder of the cache of engines; empty: none. Engines of equal parts of a model are taken
  // from there.
  std::string cache;
  // The largest value of a size that the archive leaves unbounded, or a smaller one than its own. A
  // size is named by its symbol ("s77") or by a dimension of an input ("x.0").
  std::map<std::string, int64_t> bounds;
  // Check the program after every pass; a failure is an internal error that names the pass.
  bool verify_passes = false;
  // Called as each step begins: "functionalize", "plan memory".
  std::function<void(const std::string&)> on_step;
  // Called with what the user should know although the work goes on: a damaged cache entry, nodes
  // that the engine refused.
  std::function<void(const std::string&)> on_warning;
};

// A compiled program that is not written yet. Holds the weights as spans of the archive.
class Artefact {
 public:
  // Writes atomically. `progress` receives the bytes written and the total.
  Status save(const std::string& path,
              const std::function<void(uint64_t, uint64_t)>& progress = {}) const;
  Result<std::vector<std::byte>> to_memory() const;
  uint64_t size() const;

  class Impl;
  explicit Artefact(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<const Impl> impl_;
};

Result<Artefact> compile(const Program& program, const CompileOptions& options = {});
// Several methods in one file: equal constants are shared, mutable buffers are each method's own.
Result<Artefact> compile(const std::vector<std::pair<std::string, const Program*>>& methods,
                         const CompileOptions& options = {});

// The bare engine of a program that an engine takes as a whole, for trtexec and others. The error
// for any other program says how it would be cut.
Result<Artefact> compile_to_engine(const Program& program, const CompileOptions& options);

// Lowers a program to ONNX and writes it: weights go to `path`.data when they are past 2 GB. A
// buffer that the program changes is an input with a default value and a further output, after the
// program's own. Without an engine (kNone) the model is for any tool (opset 20). With one it is
// what that engine would be given of the program if it took all of it: lowered for the engine, in
// the precision of `options.tensorrt`. Options besides these have no effect, and the engine's
// library need not be there.
Status save_onnx(const Program& program, const std::string& path, const CompileOptions& options);
// Without an engine.
Status save_onnx(const Program& program, const std::string& path);

}  // namespace slipway
