// For tests of the delegate: engines of graphs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "delegate/execution_test.h"
#include "onnx/serializer.h"
#include "openvino/library/library.h"

namespace slipway::openvino {

using Options = std::map<std::string, std::string>;
using Value = delegate::TestTensor;

inline std::vector<std::byte> compile(const onnx::Graph& graph, const Options& properties = {}) {
  const auto library = Library::open();
  EXPECT_TRUE(library.ok()) << library.error().message();
  const auto model = onnx::serialize_by_reference(graph, [](const onnx::Initializer& initializer) {
    const auto* data = initializer.data.span()->bytes.data();
    return onnx::ExternalData{"*/_ORT_MEM_ADDR_/*", reinterpret_cast<uint64_t>(data)};
  });
  EXPECT_TRUE(model.ok());
  std::vector<std::byte> blob;
  const Status status =
      (*library)->compile(*model, properties, [&](std::span<const std::byte> bytes) -> Status {
        blob.insert(blob.end(), bytes.begin(), bytes.end());
        return {};
      });
  EXPECT_TRUE(status.ok()) << status.error().message();
  return blob;
}

}  // namespace slipway::openvino
