// Runs files by ExecuTorch's own C++ API, as a program that knows nothing of Slipway would.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "slipway/result.h"
#include "slipway/tensor.h"

namespace slipway {

// The flat outputs of the last of so many runs of `forward`, copied, by an
// executorch::extension::Module that is loaded anew and has no output set. The backends that the
// file needs must have been opened.
Result<std::vector<Value>> run_by_executorch(std::span<const std::byte> file,
                                             std::span<const Value> inputs, int runs = 1);

// The methods of a file in one executorch::extension::Module with shared memory arenas, all of them
// loaded before the first runs.
class ExecutorchModule {
 public:
  ExecutorchModule(std::span<const std::byte> file, const std::vector<std::string>& methods);
  ~ExecutorchModule();
  ExecutorchModule(const ExecutorchModule&) = delete;
  ExecutorchModule& operator=(const ExecutorchModule&) = delete;

  // Its flat outputs, copied.
  Result<std::vector<Value>> run(const std::string& method, std::span<const Value> inputs);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
