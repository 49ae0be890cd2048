// A run whose engines queue their work on a device and leave the wait for it to whoever called.
#pragma once

#include <memory>
#include <optional>

namespace slipway {

// What an engine has queued. It is finished before the engine is destroyed or runs again.
class QueuedWork {
 public:
  QueuedWork() = default;
  virtual ~QueuedWork() = default;
  QueuedWork(const QueuedWork&) = delete;
  QueuedWork& operator=(const QueuedWork&) = delete;

  // Whether finish() would return at once. Any thread may ask, also while another finishes it.
  virtual bool is_done() const = 0;
  // Waits, and brings results to where the call wants them. 0, or an error of ExecuTorch's, whose
  // reason is logged.
  virtual int finish() = 0;
};

// Runtime and delegate are in libraries of their own: the runtime's is behind
//   extern "C" void slipway_use_caller_queue(slipway::QueuedRun* (*get)());
// of the delegate, where `get` gives that of this thread, or null: the engine waits itself.
class QueuedRun {
 public:
  QueuedRun() = default;
  virtual ~QueuedRun() = default;
  QueuedRun(const QueuedRun&) = delete;
  QueuedRun& operator=(const QueuedRun&) = delete;

  // That of the engine before, which the next one's work is queued on, too; nothing for the first.
  virtual std::optional<void*> stream() const = 0;
  virtual void add(std::unique_ptr<QueuedWork> work, void* stream) = 0;
};

}  // namespace slipway
