#include "cuda/driver/lanes.h"

#include <algorithm>
#include <system_error>
#include <thread>

namespace slipway::cuda {

struct Lanes::Job {
  const std::function<void(size_t)>& work;
  size_t count;
  size_t taken = 0;
  size_t done = 0;
  std::condition_variable all_done = {};
};

Lanes& Lanes::get() {
  // Never destroyed: its threads wait for work until the process ends.
  static auto* const lanes = new Lanes;
  return *lanes;
}

void Lanes::start_threads(size_t count) {
  while (threads_ < count) {
    try {
      std::thread([this] { serve(); }).detach();
    } catch (const std::system_error&) {
      return;  // There are no more; the others do their part.
    }
    ++threads_;
  }
}

void Lanes::serve() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return !jobs_.empty(); });
    call(*jobs_.front(), lock);
  }
}

void Lanes::call(Job& job, std::unique_lock<std::mutex>& lock) {
  const size_t index = job.taken++;
  if (job.taken == job.count) std::erase(jobs_, &job);
  lock.unlock();
  job.work(index);
  lock.lock();
  if (++job.done == job.count) job.all_done.notify_all();
}

void Lanes::run(size_t count, const std::function<void(size_t)>& work) {
  if (count == 0) return;
  Job job{work, count};
  std::unique_lock<std::mutex> lock(mutex_);
  if (count > 1) {
    start_threads(count - 1);
    jobs_.push_back(&job);
    wake_.notify_all();
  }
  while (job.taken < count) call(job, lock);
  job.all_done.wait(lock, [&] { return job.done == count; });
}

}  // namespace slipway::cuda
