// Loading and running a compiled program.
//
//   auto module = slipway::Module::load("model.pte");
//   if (!module.ok()) { std::cerr << module.error().message() << "\n"; return 1; }
//   auto method = module->method();
//   if (!method.ok()) { std::cerr << method.error().message() << "\n"; return 1; }
//   auto outputs = method->run({input});
//
// Threads: one Module and its Methods, all together, serve one thread at a time. Several Modules,
// also of the same file, may be loaded and run in several threads at once; they share ExecuTorch's
// thread pool. An isolated one (LoadOptions::isolate) keeps the same rules: its process has threads
// of its own, and is started without a fork of this one.
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

#include "slipway/export.h"
#include "slipway/profile.h"
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
  // The data file (.ptd) with the engines that are outside of the program. Without it the one that
  // the program names, beside the program's file, or where it names none, that of the file's name
  // with .ptd in place of .pte. A program that is in memory needs it. An error where no engine is
  // outside.
  std::string data_file = {};
  // Compare every segment with the manifest's checksum before running: reads the whole file. What
  // is in a data file its delegate compares when a method is prepared.
  bool verify_checksums = false;
  // Read the file into memory instead of mapping it. What is checked then is what runs, whatever
  // happens to the file. Of no effect on a program that is in memory already.
  bool copy = false;
  // How long a run may take: it is stopped before the first instruction past that, with
  // kResourceExhausted. A kernel or an engine that is at work is not interrupted. Without a limit,
  // a program runs to its end, but one with a loop that counts to no known number has five seconds
  // and ten million instructions.
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
  // The device that engines run on which may run on several, such as "cuda:1", whatever the file
  // says.
  std::string device = {};
  // How many bytes of its weights an engine keeps on its device, of those that it can stream from
  // the host: each engine of the file, whatever the file says. Without it the file's own budget,
  // or else what the engine's library chooses.
  std::optional<uint64_t> weight_streaming_budget = std::nullopt;
  // The same of all engines of a method together, in proportion to what each can stream. Not both.
  std::optional<uint64_t> weight_streaming_total = std::nullopt;
  // Whether engines of equal bytes and settings share their weights, in the whole process. Without
  // it those on a device do, and a budget that is changed then is that of all of them. Those on the
  // host do where it is true: their calls wait for each other, but with
  // PerformanceHint::kThroughput as many go on at once as the engine has threads.
  std::optional<bool> share_engines = std::nullopt;
  // Engines of all modules that have this work in one memory of the device, one at a time. Without
  // it each method has such a memory for its own engines.
  bool share_scratch = false;
  // Whether an engine of a GPU runs as a CUDA graph, which is recorded at the second call with the
  // same sizes and addresses, whatever the file says. Without it the file's own choice, or no.
  std::optional<bool> cuda_graphs = std::nullopt;
  // Called, by the thread that prepares a method, with what the user should know although the
  // method runs: an engine that another version of its library built, or for another device; a
  // device or a budget above that none of its engines takes.
  std::function<void(const std::string&)> on_warning = nullptr;
  // Make that an error, kUnavailable.
  bool require_same_environment = false;
  // Called after each run that gave outputs, by its thread, with where its time went. Engines that
  // can tell of their layers do so then, which may take some time of its own; without it nothing is
  // measured. An error where the module is isolated.
  std::function<void(const RunProfile&)> on_profile = nullptr;
};

// ExecuTorch's kernels and delegates share one pool of threads in the process, for all modules: how
// many threads it has, and how many it is to have. Not while anything runs. kUnavailable where the
// pool does not take that number.
SLIPWAY_API uint32_t kernel_threads();
SLIPWAY_API Status set_kernel_threads(uint32_t count);

class Method;

class Module {
 public:
  // Maps the file and checks its structure; no weight is read. The mapped file must not change
  // while the module lives: one that is cut ends the process (SIGBUS), and one that is overwritten
  // in place runs unchecked. To replace it as a whole, as a rename and all of Slipway's writers do,
  // is safe; so is LoadOptions::copy.
  SLIPWAY_API static Result<Module> load(const std::string& path, const LoadOptions& options = {});
  // Runs a program that is in memory, such as Artefact::to_memory() gives. `name` is for messages.
  SLIPWAY_API static Result<Module> load(std::vector<std::byte> bytes, const std::string& name,
                                         const LoadOptions& options = {});

  SLIPWAY_API Module(Module&&) noexcept;
  SLIPWAY_API Module& operator=(Module&&) noexcept;
  SLIPWAY_API ~Module();

  // In the file's order; "forward" unless compiled otherwise.
  SLIPWAY_API std::vector<std::string> method_names() const;
  // kNotFound for a name that the file does not have.
  SLIPWAY_API Result<Method> method(const std::string& name) const;
  // The only one, or "forward" among several.
  SLIPWAY_API Result<Method> method() const;

  class Impl;

 private:
  explicit Module(std::unique_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

// A run that goes on while its caller does something else (Method::run_async). For one thread at a
// time, but for is_done().
class PendingRun {
 public:
  SLIPWAY_API PendingRun(PendingRun&&) noexcept;
  SLIPWAY_API PendingRun& operator=(PendingRun&&) noexcept;
  // Waits.
  SLIPWAY_API ~PendingRun();

  // Whether the run has come to its end, so that wait() returns at once. Any thread may ask, also
  // while another waits.
  SLIPWAY_API bool is_done() const;
  // Waits for the run, and gives what Method::run() would have given, error or outputs; after that
  // the Module can be used again. A second call is an error.
  SLIPWAY_API Result<std::vector<Value>> wait();

 private:
  friend class Method;
  struct State;
  struct Progress;
  PendingRun(std::unique_ptr<State> state, std::shared_ptr<Progress> progress);
  std::unique_ptr<State> state_;
  std::shared_ptr<Progress> progress_;
};

// A handle to a method, cheap to copy: all copies are the same method, with one state. It keeps
// what its Module holds (file, memory, process), and works as before when the Module is moved or
// gone.
class Method {
 public:
  // Moving copies, so that there is no empty Method.
  Method(const Method&) = default;
  Method& operator=(const Method&) = default;

  // What it is like may be asked by several threads at any time. References are valid while the
  // Module or a Method of it is there.
  SLIPWAY_API const std::string& name() const;
  SLIPWAY_API const std::vector<ValueInfo>& inputs() const;
  SLIPWAY_API const std::vector<ValueInfo>& outputs() const;
  SLIPWAY_API const Tree& input_tree() const;
  SLIPWAY_API const Tree& output_tree() const;

  // The sizes of each input that make a small call: symbols are 1, or the least that they may be.
  // Literals have none.
  SLIPWAY_API std::vector<std::vector<int64_t>> example_sizes() const;
  // The same where some sizes are these, named by a symbol ("s77") or by a dimension of an input
  // ("x.0"). kInvalidArgument for a name that there is not, and sizes that don't fit.
  SLIPWAY_API Result<std::vector<std::vector<int64_t>>> example_sizes(
      const std::map<std::string, int64_t>& sizes) const;

  // A method is prepared at its first use; this does it now. An error names what is missing: an
  // operator, a backend's library.
  SLIPWAY_API Status prepare() const;

  // Runs it on its flattened inputs. Literals may be std::monostate. Types and shapes are checked
  // first. Input tensors are read in place, and written to where TensorInfo::mutated; their data
  // must be aligned to the element's size (any allocator's memory is).
  //
  // An input may be in a CUDA device's memory (Tensor::device) where engines of that device alone
  // use it, who read it there, without a copy; it must be computed by then (slipway/cuda.h). Where
  // a kernel or an engine of the processor would use it, the run is kInvalidArgument.
  //
  // Output tensors lie in the module's memory: valid until the next run of the same method or the
  // end of the Module and its Methods, whichever comes first. Copy what must live longer, or say
  // where it is to be (set_output).
  //
  // After an error the method can be used as before; the state is what the program had made of it
  // when it failed, or, where ExecuTorch stopped half-way, its initial value.
  SLIPWAY_API Result<std::vector<Value>> run(std::span<const Value> inputs) const;
  SLIPWAY_API Result<std::vector<Value>> run(std::initializer_list<Value> inputs) const;
  // Inputs by name; a tensor that is missing is an error, a literal may be left out.
  SLIPWAY_API Result<std::vector<Value>> run(const std::map<std::string, Value>& inputs) const;

  // Has later runs write an output to this memory of the caller's, of the host or, where engines
  // of a CUDA device alone compute the output, of that device. `memory` is of the output's type and
  // has room for its largest sizes; run() gives the part of it that the output takes. Nothing:
  // to the module's memory again. No input of a run may be in it. kUnsupported for an output that
  // is an input, state, a constant, an earlier output, in memory of other tensors or no tensor, and
  // where the module is isolated.
  SLIPWAY_API Status set_output(size_t index, std::optional<Tensor> memory) const;

  // In whose memory an input of a run may be, or an output (set_output): that of the CUDA device
  // whose engines alone use it; else the host's, also of what is no tensor, and where the module is
  // isolated. Prepares the method.
  SLIPWAY_API Result<Device> input_device(size_t index) const;
  SLIPWAY_API Result<Device> output_device(size_t index) const;

  // Starts a run and returns. A method that is prepared and all of which engines of a GPU compute
  // on one stream is queued there, with an event behind it, and needs no thread: a single engine,
  // or several whose common tensors are in the GPU's memory. Others run in a thread of their own.
  // It sees what the guards of slipway/cuda.h chose in this thread. Until PendingRun::wait() has
  // returned, or the PendingRun is gone: inputs must stay where they are and as they are, what the
  // run writes to must not be read, and whatever else is asked of the Module or its Methods, but
  // what they are like, is kInvalidArgument.
  SLIPWAY_API Result<PendingRun> run_async(std::span<const Value> inputs) const;

  // Stops the run that was begun last, where it is not over: it ends before its next instruction,
  // as at its time limit, but with kCancelled, and its state has its initial value then. Any
  // thread may call it at any time; a kernel or an engine that is at work is not interrupted, but
  // where the module is isolated, whose process ends at once.
  SLIPWAY_API void cancel() const;

  // The mutable buffers, by fully qualified name, as the last run left them, of this method or of
  // another one of the Module that shares them (CompileOptions::share_buffers). The tensors lie in
  // the module's memory, of the host; writing to one before the next run sets the state. What
  // engines of a device alone use is kept there by runs, and copied when it is asked for: ask again
  // after each run.
  SLIPWAY_API Result<std::vector<std::pair<std::string, Tensor>>> state() const;
  // Gives every mutable buffer its initial value again, for all methods that share it.
  SLIPWAY_API Status reset_state() const;

  // How many bytes of weights the method's engines have on their device, all together, of those
  // that they can stream from the host. kUnsupported where none can.
  SLIPWAY_API Result<uint64_t> weight_streaming_budget() const;
  // Changes it, for each engine or for all together (LoadOptions), and gives what is in force then,
  // which is never more than can be streamed. The engines are made ready for runs again, which
  // takes long. After an error the old one is in force. A method that is prepared anew, because a
  // run was stopped half-way or its process has crashed, has the one that it was loaded with.
  SLIPWAY_API Result<uint64_t> set_weight_streaming_budget(uint64_t bytes) const;
  SLIPWAY_API Result<uint64_t> set_weight_streaming_total(uint64_t bytes) const;

 private:
  friend class Module;
  Method(std::shared_ptr<Module::Impl> module, size_t index)
      : module_(std::move(module)), index_(index) {}

  std::shared_ptr<Module::Impl> module_;
  size_t index_;
};

}  // namespace slipway
