// One engine in memory: a model that OpenVINO imported, perhaps shared, and its own request, which
// runs it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <executorch/runtime/core/error.h>
#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/span.h>

#include "delegate/arguments.h"
#include "delegate/backend.h"
#include "openvino/delegate/model.h"
#include "openvino/delegate/output_sizes.h"
#include "openvino/shim/shim.h"
#include "openvino/shim/size_inputs.h"

namespace slipway::openvino {

class Engine : public delegate::Engine {
 public:
  // `size_inputs`: which inputs are sizes, and what they can be; run() refuses others. Where no
  // output has elements by `output_sizes`, OpenVINO is not asked. Null after an error.
  static std::unique_ptr<Engine> load(ModelPointer model, std::vector<SizeInput> size_inputs,
                                      OutputSizes output_sizes);
  ~Engine() override;

  // Outputs are resized to the shapes that come out.
  executorch::runtime::Error run(executorch::runtime::Span<executorch::runtime::EValue*> arguments,
                                 executorch::runtime::EventTracer* tracer) override;

  // The value that OpenVINO uses for one of its properties; empty if it has none.
  std::string property(const char* name) const;

 private:
  Engine() = default;
  executorch::runtime::Error infer(
      executorch::runtime::Span<executorch::runtime::EValue*> arguments);
  void tell_layers(executorch::runtime::EventTracer& tracer);
  executorch::runtime::Error check_sizes() const;
  // After bind(): whether no output has elements, and what their sizes are then.
  bool gives_nothing();
  executorch::runtime::Error bind(size_t index, executorch::runtime::EValue& value);
  executorch::runtime::Error take_output(size_t index, executorch::runtime::EValue& value);
  size_t output_count() const { return arguments_->count() - arguments_->input_count(); }
  // An output of dynamic shape, which OpenVINO computes in memory of its own.
  bool is_made_inside(size_t index) const {
    return index >= arguments_->input_count() && !arguments_->port(index).is_static();
  }

  ModelPointer model_;
  shim::Request* request_ = nullptr;
  std::optional<delegate::Arguments> arguments_;
  std::vector<SizeInput> size_inputs_;
  OutputSizes output_sizes_;
  // One an argument; kept, so that a call allocates nothing.
  std::vector<std::vector<int64_t>> sizes_;
  std::vector<shim::Tensor> tensors_;
  uint64_t told_runs_ = 0;              // by tell_layers()
  std::vector<uint64_t> first_layers_;  // what it read in the first of them
  std::vector<OutputSizes::Sizes>
      empty_sizes_;  // of the call, where an output may have no elements
};

}  // namespace slipway::openvino
