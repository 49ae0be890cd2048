// Threads of a block of a kernel, one after the other in one thread of the host: a thread gives way
// where it waits for others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace slipway::cuda {

// Of one block. For one thread at a time.
class Fibers {
 public:
  static constexpr size_t kWarp = 32;

  // Calls body(i) for each i of `count`, as if at once: the first one, and then from the last one
  // down, so that what depends on their order shows. False where some wait for what never comes.
  // Where the first of them never waits, the others are plain calls.
  bool run(size_t count, const std::function<void(size_t)>& body);
  // Called with the thread's number before it goes on.
  void set_resumed(std::function<void(size_t)> resumed) { resumed_ = std::move(resumed); }

  // Within body(): waits for all of the block that are still at work; for the lanes of the mask in
  // its warp, which must be at work.
  void wait_for_block();
  void wait_for_warp(unsigned mask);
  size_t current() const { return current_; }

 private:
  enum class State : uint8_t { kReady, kAtBlock, kAtWarp, kDone };
  struct Fiber {
    void* stack_pointer = nullptr;
    State state = State::kReady;
    unsigned mask = 0;
  };

  static void start();
  void prepare(size_t index);
  void resume(size_t index);
  void give_way(State state);
  bool release_warps(size_t count);
  bool release_block();

  std::vector<Fiber> fibers_;
  std::vector<std::unique_ptr<std::byte[]>> stacks_;
  const std::function<void(size_t)>* body_ = nullptr;
  std::function<void(size_t)> resumed_;
  void* host_stack_pointer_ = nullptr;
  size_t current_ = 0;
  bool is_plain_ = false;  // without fibers
  bool has_failed_ = false;
};

// That of the calling thread.
Fibers& fibers();

}  // namespace slipway::cuda
