// A tracer of ExecuTorch that looks at nothing: others take what they want of it.
#pragma once

#include <cstddef>

#include <executorch/runtime/core/event_tracer.h>

namespace slipway::runtime {

class SilentTracer : public executorch::runtime::EventTracer {
 public:
  executorch::runtime::EventTracerEntry start_profiling(
      const char* /*name*/, executorch::runtime::ChainID /*chain*/,
      executorch::runtime::DebugHandle /*handle*/) override {
    return {};
  }
  void end_profiling(executorch::runtime::EventTracerEntry /*entry*/) override {}
  executorch::runtime::EventTracerEntry start_profiling_delegate(
      const char* /*name*/, executorch::runtime::DelegateDebugIntId /*id*/) override {
    return {};
  }
  void end_profiling_delegate(executorch::runtime::EventTracerEntry /*entry*/,
                              const void* /*metadata*/, size_t /*size*/) override {}
  void log_profiling_delegate(const char* /*name*/, executorch::runtime::DelegateDebugIntId /*id*/,
                              et_timestamp_t /*start*/, et_timestamp_t /*end*/,
                              const void* /*metadata*/, size_t /*size*/) override {}
  void create_event_block(const char* /*name*/) override {}
  void track_allocation(executorch::runtime::AllocatorID /*id*/, size_t /*size*/) override {}
  executorch::runtime::AllocatorID track_allocator(const char* /*name*/) override { return 0; }
  executorch::runtime::Result<bool> log_evalue(
      const executorch::runtime::EValue& /*value*/,
      executorch::runtime::LoggedEValueType /*type*/) override {
    return false;
  }
  executorch::runtime::Result<bool> log_intermediate_output_delegate(
      const char* /*name*/, executorch::runtime::DelegateDebugIntId /*id*/,
      const executorch::aten::Tensor& /*output*/) override {
    return false;
  }
  executorch::runtime::Result<bool> log_intermediate_output_delegate(
      const char* /*name*/, executorch::runtime::DelegateDebugIntId /*id*/,
      const executorch::runtime::ArrayRef<executorch::aten::Tensor> /*output*/) override {
    return false;
  }
  executorch::runtime::Result<bool> log_intermediate_output_delegate(
      const char* /*name*/, executorch::runtime::DelegateDebugIntId /*id*/,
      const int& /*output*/) override {
    return false;
  }
  executorch::runtime::Result<bool> log_intermediate_output_delegate(
      const char* /*name*/, executorch::runtime::DelegateDebugIntId /*id*/,
      const bool& /*output*/) override {
    return false;
  }
  executorch::runtime::Result<bool> log_intermediate_output_delegate(
      const char* /*name*/, executorch::runtime::DelegateDebugIntId /*id*/,
      const double& /*output*/) override {
    return false;
  }
  void set_delegation_intermediate_output_filter(
      executorch::runtime::EventTracerFilterBase* /*filter*/) override {}
};

}  // namespace slipway::runtime
