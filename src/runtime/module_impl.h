// What a Module holds: a checked file, the signatures of its methods, and what runs them, in this
// process or in another.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/child_process.h"
#include "base/mapped_file.h"
#include "ptd/data_file.h"
#include "pte/reader/reader.h"
#include "runtime/signature.h"
#include "slipway/module.h"

namespace slipway {

namespace runtime {

// A run that goes on by itself on a device.
class QueuedCall {
 public:
  QueuedCall() = default;
  virtual ~QueuedCall() = default;
  QueuedCall(const QueuedCall&) = delete;
  QueuedCall& operator=(const QueuedCall&) = delete;

  // Whether finish() would return at once. Any thread may ask.
  virtual bool is_done() const = 0;
  // Waits, and gives what the run gives. Once.
  virtual Result<std::vector<Value>> finish() = 0;
};

}  // namespace runtime

class Module::Impl {
 public:
  struct Entry {
    std::string name;
    runtime::Signature signature;
  };

  virtual ~Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  const pte::File& file() const { return file_; }
  const LoadOptions& options() const { return options_; }
  std::vector<Entry>& methods() { return methods_; }
  // Whether a PendingRun is there, which the Module belongs to.
  std::atomic<bool> is_running{false};
  // Before a run begins, and from any thread while it goes on.
  void allow_runs() { is_cancelled_ = false; }
  void cancel() {
    is_cancelled_ = true;
    interrupt();
  }
  // Its position, or an error that names those there are.
  Result<size_t> find(const std::string& name) const;

  // As Method's, of the one at a position.
  virtual Status prepare(size_t method) = 0;
  virtual Result<std::vector<Value>> run(size_t method, std::span<const Value> inputs) = 0;
  // Starts a run where no thread has to wait for it: one of a method that is prepared, and that
  // engines alone run on one stream of a device. Null: there is a thread to be made.
  virtual std::unique_ptr<runtime::QueuedCall> queue(size_t /*method*/,
                                                     std::span<const Value> /*inputs*/) {
    return nullptr;
  }
  virtual Result<std::vector<std::pair<std::string, Tensor>>> state(size_t method) = 0;
  virtual Status reset_state(size_t method) = 0;
  virtual Status set_output(size_t method, size_t output, std::optional<Tensor> memory) = 0;
  virtual Result<Device> input_device(size_t method, size_t input) = 0;
  virtual Result<Device> output_device(size_t method, size_t output) = 0;
  // Of `change` the budgets of weights count; with neither it tells what is in force.
  virtual Result<uint64_t> weight_budget(size_t method, const LoadOptions& change) = 0;

 protected:
  Impl(pte::File file, const LoadOptions& options) : options_(options), file_(std::move(file)) {}
  // What does not look at is_cancelled() by itself is ended, by any thread.
  virtual void interrupt() {}
  const std::atomic<bool>& is_cancelled() const { return is_cancelled_; }
  // To be called before anything else.
  Status read_signatures();

 private:
  const LoadOptions options_;
  const pte::File file_;
  std::vector<Entry> methods_;
  std::atomic<bool> is_cancelled_{false};
};

namespace runtime {

// Runs a file in this process, with its data file where it has one.
Result<std::unique_ptr<Module::Impl>> open_here(pte::File file, std::optional<ptd::DataFile> data,
                                                const LoadOptions& options);

// Runs it in a process of its own. The descriptors are open on the two files.
struct Descriptors {
  Descriptor program;
  std::optional<Descriptor> data;
};
Result<std::unique_ptr<Module::Impl>> open_isolated(pte::File file, Descriptors descriptors,
                                                    const LoadOptions& options);

}  // namespace runtime
}  // namespace slipway
