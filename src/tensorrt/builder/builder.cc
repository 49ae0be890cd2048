#include "tensorrt/builder/builder.h"

#include "base/error.h"

namespace slipway::tensorrt {

namespace {

class TensorRtBuilder : public build::Builder {
 public:
  Result<std::string> fingerprint() const override {
    return unavailable("this version of Slipway builds no TensorRT engines");
  }
  onnx::LoweringOptions lowering() const override { return {}; }
  std::optional<std::string> why_unsupported(const ir::Program&, const ir::Node&,
                                             const partition::IntegerRanges&) const override {
    return "this version of Slipway builds no TensorRT engines";
  }
  Result<build::Outcome> build(const onnx::Graph&, const ByteSink&) const override {
    return unavailable("this version of Slipway builds no TensorRT engines");
  }
};

}  // namespace

std::unique_ptr<build::Builder> make_builder(const TensorRtOptions&, const std::string&) {
  return std::make_unique<TensorRtBuilder>();
}

}  // namespace slipway::tensorrt
