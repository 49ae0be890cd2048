// What each builder is given, as ONNX models for whoever wants to see it.
#pragma once

#include <string>

#include "onnx/graph.h"
#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway {

// Writes "<number>.<engine>.onnx" into option 'dump_partitions', in the order of the calls; without
// the option, nothing. For one thread.
class PartitionDump {
 public:
  explicit PartitionDump(const CompileOptions& options) : options_(options) {}

  // Makes the folder, and removes what an earlier compile dumped there.
  Status begin() const;
  Status write(const onnx::Graph& graph, const std::string& engine);

 private:
  const CompileOptions& options_;
  int written_ = 0;
};

}  // namespace slipway
