// Engines as Torch-TensorRT keeps them in exported programs: a list of texts, of which one is the
// plan.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "slipway/result.h"

namespace slipway::tensorrt {

// An output in the memory of an input; both are names of bindings.
struct SerializedAlias {
  std::string output;
  std::string input;
  std::string kind;  // "kv_cache_update" or "user"
};

struct SerializedEngine {
  std::string abi_version;  // of Torch-TensorRT: "7" to "10"
  std::string name;
  int64_t device_id = 0;
  std::string capability;   // of the GPU that it was built on: "sm_90"
  std::string device_name;  // "NVIDIA H200"
  OwnedSpan plan;
  std::vector<std::string> inputs;   // names of bindings, in the order in which they are given
  std::vector<std::string> outputs;  // likewise
  bool hardware_compatible = false;  // runs on other GPUs than that one
  std::string metadata;              // Torch-TensorRT's own
  std::string target_platform;       // "linux_x86_64"; empty where it is not said, and cut
  bool needs_output_allocator = false;
  bool allocates_dynamically = false;  // scratch memory, for each call
  bool needs_several_devices = false;
  std::vector<SerializedAlias> aliases;
};

// Which of the items is the plan.
inline constexpr size_t kPlanItem = 3;

// The list's items in their order; `plan` stands for that of the plan where it is a tensor, and is
// its bytes as they are. Else the item is Base64, or the plan's bytes: Base64 is decoded to an
// unlinked temporary file. kUnsupported for an ABI that is not known, kInvalidFile for what is
// wrong in another way.
Result<SerializedEngine> read_serialized_engine(std::span<const std::string_view> items,
                                                const std::shared_ptr<const void>& owner,
                                                const OwnedSpan* plan = nullptr);

// The ABI of Torch-TensorRT's newest version.
inline constexpr std::string_view kNewestAbi = "10";
// Those that are read and written.
std::vector<std::string_view> known_abis();

// The items of an engine of its ABI, in their order; that of the plan is left empty. kUnsupported
// for what that ABI has no item for, kInvalidArgument for names that its separators are in.
Result<std::vector<std::string>> write_serialized_engine(const SerializedEngine& engine);

}  // namespace slipway::tensorrt
