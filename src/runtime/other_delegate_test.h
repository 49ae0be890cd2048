// A delegate that another program brought under a name of ours, for tests.
#pragma once

#include <executorch/runtime/backend/interface.h>

namespace slipway::runtime {

class OtherDelegate final : public executorch::runtime::BackendInterface {
 public:
  bool is_available() const override { return true; }
  executorch::runtime::Result<executorch::runtime::DelegateHandle*> init(
      executorch::runtime::BackendInitContext&, executorch::runtime::FreeableBuffer*,
      executorch::runtime::ArrayRef<executorch::runtime::CompileSpec>) const override {
    return executorch::runtime::Error::NotSupported;
  }
  executorch::runtime::Error execute(
      executorch::runtime::BackendExecutionContext&, executorch::runtime::DelegateHandle*,
      executorch::runtime::Span<executorch::runtime::EValue*>) const override {
    return executorch::runtime::Error::NotSupported;
  }
};

}  // namespace slipway::runtime
