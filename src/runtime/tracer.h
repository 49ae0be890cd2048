// Takes the times of a run from ExecuTorch and from the delegates.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "pte/reader/reader.h"
#include "runtime/silent_tracer.h"
#include "slipway/profile.h"

namespace slipway::runtime {

// Of one method, which calls it by one thread at a time.
class Tracer final : public SilentTracer {
 public:
  // The method is in the file.
  Tracer(const pte::File& file, const std::string& method);

  // Around a run.
  void begin();
  RunProfile end();

  executorch::runtime::EventTracerEntry start_profiling(
      const char* name, executorch::runtime::ChainID chain,
      executorch::runtime::DebugHandle handle) override;
  void end_profiling(executorch::runtime::EventTracerEntry entry) override;
  executorch::runtime::EventTracerEntry start_profiling_delegate(
      const char* name, executorch::runtime::DelegateDebugIntId id) override;
  void end_profiling_delegate(executorch::runtime::EventTracerEntry entry, const void* metadata,
                              size_t size) override;
  // Delegates give what ran as `metadata`, a text, or nothing.
  void log_profiling_delegate(const char* name, executorch::runtime::DelegateDebugIntId id,
                              et_timestamp_t start, et_timestamp_t end, const void* metadata,
                              size_t size) override;

 private:
  using Clock = std::chrono::steady_clock;

  const std::string method_;
  std::shared_ptr<const std::vector<ProfiledInstruction>> instructions_;
  std::vector<size_t> chains_;  // the place of each chain's first instruction
  Clock::time_point begun_;
  std::vector<ProfiledCall> calls_;
};

}  // namespace slipway::runtime
