// Loading and running a compiled program.
//
//   auto module = slipway::Module::load("model.pte");
//   if (!module.ok()) { std::cerr << module.error().message() << "\n"; return 1; }
//   auto outputs = module->run({input});
//
// Threads: one Module serves one thread at a time. Several Modules, also of the same file, may be
// loaded and run in several threads at once; they share ExecuTorch's thread pool. An isolated one
// (LoadOptions::isolate) keeps the same rules: its process has threads of its own, and is started
// without a fork of this one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "slipway/result.h"
#include "slipway/tensor.h"
#include "slipway/tree.h"
#include "slipway/value_info.h"

namespace slipway {

// What an engine arranges its threads for: one call at a time that is quick, or several modules
// that together do much.
enum class PerformanceHint : uint8_t { kLatency, kThroughput };

struct LoadOptions {
  // Run files whose operators the checked reader does not know. The file's producer is then
  // trusted not to crash the process.
  bool trust = false;
  // Compare every segment with the manifest's checksum before running: reads the whole file.
  bool verify_checksums = false;
  // Read the file into memory instead of mapping it. What is checked then is what runs, whatever
  // happens to the file. Of no effect on a program that is in memory already.
  bool copy = false;
  // How long a run may take: it is stopped before the first instruction past that, with
  // kResourceExhausted. A kernel or an engine that is at work is not interrupted. Without a limit,
  // a program that jumps back has ten seconds and ten million instructions, and others run to
  // their end.
  std::optional<std::chrono::milliseconds> time_limit = std::nullopt;
  // Prepare and run methods in a process of the module's own, libexec/slipway/slipway-worker: what
  // ends that process, a crash of an engine on damaged data or a lack of memory, is an error of the
  // call, and the next call starts another one, whose state has its initial values. The time limit
  // is then one of every call, and what does not stop by itself is ended two seconds later. Inputs
  // and outputs are copied; the tensors of state() are those of the process that gave them.
  bool isolate = false;
  // What the planned memory and the outputs of a method may take together, in bytes. Without a
  // limit half of the machine's memory. Both are as large as the file says, whatever size it has
  // itself.
  std::optional<uint64_t> memory_limit = std::nullopt;
  // How many threads an engine may use, above 0; it chooses for itself without. ExecuTorch's
  // kernels share one pool in the process, which this leaves alone, but where the module is
  // isolated.
  std::optional<uint32_t> engine_threads = std::nullopt;
  std::optional<PerformanceHint> performance_hint = std::nullopt;
  // Called, by the thread that prepares a method, with what the user should know although the
  // method runs: an engine that another version of its library built, or for another device.
  std::function<void(const std::string&)> on_warning = nullptr;
  // Make that an error, kUnavailable.
  bool require_same_environment = false;
};

class Module {
 public:
  // Maps the file and checks its structure; no weight is read. The mapped file must not change
  // while the module lives: one that is cut ends the process (SIGBUS), and one that is overwritten
  // in place runs unchecked. To replace it as a whole, as a rename and all of Slipway's writers do,
  // is safe; so is LoadOptions::copy.
  static Result<Module> load(const std::string& path, const LoadOptions& options = {});
  // Runs a program that is in memory, such as Artefact::to_memory() gives. `name` is for messages.
  static Result<Module> load(std::vector<std::byte> bytes, const std::string& name,
                             const LoadOptions& options = {});

  Module(Module&&) noexcept;
  Module& operator=(Module&&) noexcept;
  ~Module();

  // In the file's order; "forward" unless compiled otherwise.
  std::vector<std::string> method_names() const;
  // Methods are prepared at their first use; this does it now. An error names what is missing: an
  // operator, a backend's library.
  Status load_method(const std::string& method = "forward");

  Result<std::vector<ValueInfo>> inputs(const std::string& method = "forward") const;
  Result<std::vector<ValueInfo>> outputs(const std::string& method = "forward") const;
  Result<Tree> input_tree(const std::string& method = "forward") const;
  Result<Tree> output_tree(const std::string& method = "forward") const;

  // The sizes of each input that make a small call: symbols are 1, or the least that they may be.
  // Literals have none.
  Result<std::vector<std::vector<int64_t>>> example_sizes(
      const std::string& method = "forward") const;

  // Runs a method on its flattened inputs. Literals may be std::monostate. Types and shapes are
  // checked first. Input tensors are read in place, and written to where TensorInfo::mutated; their
  // data must be aligned to the element's size (any allocator's memory is).
  //
  // Output tensors lie in the module's memory: valid until the next run of the same method or the
  // module's end, whichever comes first. Copy what must live longer.
  //
  // After an error the module can be used as before; the state is what the program had made of it
  // when it failed, or, where ExecuTorch stopped half-way, its initial value.
  Result<std::vector<Value>> run(std::span<const Value> inputs,
                                 const std::string& method = "forward");
  Result<std::vector<Value>> run(std::initializer_list<Value> inputs,
                                 const std::string& method = "forward");
  // Inputs by name; a tensor that is missing is an error, a literal may be left out.
  Result<std::vector<Value>> run(const std::map<std::string, Value>& inputs,
                                 const std::string& method = "forward");

  // The mutable buffers, by fully qualified name, as the last run left them. The tensors lie in the
  // module's memory; writing to one sets the state.
  Result<std::vector<std::pair<std::string, Tensor>>> state(const std::string& method = "forward");
  // Gives every mutable buffer its initial value again.
  Status reset_state(const std::string& method = "forward");

  class Impl;

 private:
  explicit Module(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
