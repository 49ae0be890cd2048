// Which tensors of a method may be in the memory of a CUDA device: those that only engines use
// which read and write it, and ExecuTorch's copies to and from there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace executorch_flatbuffer {
struct ExecutionPlan;
}  // namespace executorch_flatbuffer

namespace slipway::pte {

// Of a checked plan, which must outlive it.
class DeviceUses {
 public:
  explicit DeviceUses(const executorch_flatbuffer::ExecutionPlan& plan);

  // What uses a value's memory on the host, such as "aten::add.out at instruction 3"; empty where
  // nothing does.
  std::string obstacle(size_t value) const;
  // The delegates that use it, by their place in the plan's list.
  std::set<uint32_t> delegates(size_t value) const;

 private:
  static constexpr size_t kNone = SIZE_MAX;
  void note(int64_t value, size_t instruction);

  const executorch_flatbuffer::ExecutionPlan& plan_;
  std::vector<size_t> first_on_host_;  // an instruction, for each value
  std::map<size_t, std::set<uint32_t>> delegates_;
};

}  // namespace slipway::pte
