#include "cuda/fibers.h"

#include <algorithm>

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "the switch of stacks is written for x86-64 and aarch64"
#endif

namespace slipway::cuda {
namespace {

constexpr size_t kStack = size_t{64} << 10;
// What a switch leaves on a stack, in words, and which of them is where to go on: a stack begins so
// that a function finds it as calls leave it.
#if defined(__x86_64__)
constexpr size_t kFrame = 8;
constexpr size_t kReturn = 6;
#else
constexpr size_t kFrame = 20;
constexpr size_t kReturn = 11;
#endif

}  // namespace

// Keeps the registers that a call has to keep on this stack, whose pointer goes to *from, and goes
// on with the other stack.
extern "C" void slipway_switch_stack(void** from, void* to);
asm(R"(
.text
.globl slipway_switch_stack
.hidden slipway_switch_stack
.type slipway_switch_stack, %function
slipway_switch_stack:
)"
#if defined(__x86_64__)
    R"(
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)"
#else
    R"(
  sub sp, sp, #160
  stp x19, x20, [sp]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
)"
#endif
    R"(
.size slipway_switch_stack, . - slipway_switch_stack
)");

Fibers& fibers() {
  thread_local Fibers own;
  return own;
}

void Fibers::start() {
  Fibers& self = fibers();
  (*self.body_)(self.current_);
  self.give_way(State::kDone);
}

void Fibers::prepare(size_t index) {
  while (stacks_.size() <= index) {
    stacks_.push_back(std::unique_ptr<std::byte[]>(new std::byte[kStack]));
  }
  auto top = reinterpret_cast<uintptr_t>(stacks_[index].get() + kStack) & ~uintptr_t{15};
  auto* const frame = reinterpret_cast<void**>(top) - kFrame;
  std::fill(frame, frame + kFrame, nullptr);
  frame[kReturn] = reinterpret_cast<void*>(&Fibers::start);
  fibers_[index] = {frame, State::kReady, 0};
}

void Fibers::resume(size_t index) {
  current_ = index;
  if (resumed_) resumed_(index);
  slipway_switch_stack(&host_stack_pointer_, fibers_[index].stack_pointer);
}

void Fibers::give_way(State state) {
  if (is_plain_) {
    // The first thread of the block met no such place.
    has_failed_ = true;
    return;
  }
  Fiber& fiber = fibers_[current_];
  fiber.state = state;
  slipway_switch_stack(&fiber.stack_pointer, host_stack_pointer_);
}

void Fibers::wait_for_block() { give_way(State::kAtBlock); }

void Fibers::wait_for_warp(unsigned mask) {
  if (!is_plain_) fibers_[current_].mask = mask;
  give_way(State::kAtWarp);
}

// Those whose lanes have all come.
bool Fibers::release_warps(size_t count) {
  bool any = false;
  for (size_t warp = 0; warp < count; warp += kWarp) {
    const size_t lanes = std::min(kWarp, count - warp);
    unsigned waiting = 0;
    unsigned done = 0;
    for (size_t lane = 0; lane < lanes; ++lane) {
      const State state = fibers_[warp + lane].state;
      if (state == State::kAtWarp) waiting |= 1U << lane;
      if (state == State::kDone) done |= 1U << lane;
    }
    const unsigned there = lanes == kWarp ? ~0U : (1U << lanes) - 1;
    for (size_t lane = 0; lane < lanes; ++lane) {
      Fiber& fiber = fibers_[warp + lane];
      if (fiber.state != State::kAtWarp) continue;
      if ((fiber.mask & there & ~(waiting | done)) != 0) continue;
      fiber.state = State::kReady;
      any = true;
    }
  }
  return any;
}

bool Fibers::release_block() {
  bool any = false;
  for (const Fiber& fiber : fibers_) {
    if (fiber.state == State::kAtWarp) return false;
    any |= fiber.state == State::kAtBlock;
  }
  for (Fiber& fiber : fibers_) {
    if (fiber.state == State::kAtBlock) fiber.state = State::kReady;
  }
  return any;
}

bool Fibers::run(size_t count, const std::function<void(size_t)>& body) {
  body_ = &body;
  has_failed_ = false;
  is_plain_ = false;
  fibers_.resize(count);
  prepare(0);
  resume(0);
  if (fibers_[0].state == State::kDone) {
    is_plain_ = true;
    for (current_ = count - 1; current_ > 0; --current_) body(current_);
    return !has_failed_;
  }
  for (size_t i = 1; i < count; ++i) prepare(i);
  while (true) {
    for (size_t i = count; i-- > 0;) {
      if (fibers_[i].state == State::kReady) resume(i);
    }
    if (release_warps(count) || release_block()) continue;
    return std::all_of(fibers_.begin(), fibers_.end(),
                       [](const Fiber& fiber) { return fiber.state == State::kDone; });
  }
}

}  // namespace slipway::cuda
