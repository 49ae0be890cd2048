// Runs that engines of a device leave to be waited for.
#include <algorithm>
#include <set>
#include <utility>

#include "base/queued_run.h"
#include "runtime/caller_choices.h"
#include "runtime/method.h"
#include "runtime/module_impl.h"
#include "runtime/queueable.h"

namespace slipway::runtime {
namespace {

class Works final : public QueuedRun {
 public:
  std::optional<void*> stream() const override { return stream_; }
  void add(std::unique_ptr<QueuedWork> work, void* stream) override {
    works_.push_back(std::move(work));
    stream_ = stream;
  }

  bool is_done() const {
    return std::all_of(works_.begin(), works_.end(),
                       [](const auto& work) { return work->is_done(); });
  }
  // Of all of it, the first error.
  et::Error finish() {
    et::Error first = et::Error::Ok;
    for (const auto& work : works_) {
      const auto error = static_cast<et::Error>(work->finish());
      if (first == et::Error::Ok) first = error;
    }
    return first;
  }

 private:
  std::vector<std::unique_ptr<QueuedWork>> works_;
  std::optional<void*> stream_;
};

}  // namespace

class LoadedMethod::Queued final : public QueuedCall {
 public:
  Queued(LoadedMethod& method, std::span<const Value> inputs)
      : method_(method), inputs_(inputs.begin(), inputs.end()) {
    const QueueGuard guard(works_);
    started_ = method_.start(inputs_);
  }

  bool is_done() const override { return works_.is_done(); }
  Result<std::vector<Value>> finish() override {
    LogCapture log;
    const et::Error error = works_.finish();
    if (!started_.ok()) return started_.error();
    if (error != et::Error::Ok) return method_.failure(error, log.text());
    return method_.outputs(inputs_);
  }

 private:
  LoadedMethod& method_;
  const std::vector<Value> inputs_;
  Works works_;
  Status started_;
};

std::unique_ptr<QueuedCall> LoadedMethod::queue(std::span<const Value> inputs) {
  if (!can_be_queued_) {
    std::set<size_t> written;
    for (const Binding& binding : bindings_) {
      if (binding.mutated) written.insert(plan_.inputs[binding.index]);
    }
    can_be_queued_ = !time_limit_ && !tracer_ &&
                     can_be_queued(file_, name_, plan_, device_state_, written, program_id());
  }
  if (!*can_be_queued_) return nullptr;
  return std::make_unique<Queued>(*this, inputs);
}

}  // namespace slipway::runtime
