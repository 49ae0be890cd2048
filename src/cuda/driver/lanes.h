// Threads that share a piece of work, kept for the next one: to start them takes longer than to
// copy some megabytes.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>

namespace slipway::cuda {

// Any thread may share out work at any time.
class Lanes {
 public:
  // The process's.
  static Lanes& get();
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  // Calls work(0) to work(count - 1), each once, in this thread and as many others as there are,
  // and returns when all are through. `work` does not throw.
  void run(size_t count, const std::function<void(size_t)>& work);

 private:
  struct Job;

  Lanes() = default;
  void start_threads(size_t count);
  void serve();
  // Does one of the job's calls, with the lock given back meanwhile. There must be one.
  void call(Job& job, std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job*> jobs_;  // with calls that nobody has taken
  size_t threads_ = 0;
};

}  // namespace slipway::cuda
