// What TensorRT engines are built with.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace slipway {

// The sizes that an engine serves, and the one that it is tuned for.
struct ProfileRange {
  int64_t min = 1;
  int64_t opt = 1;
  int64_t max = 1;
};

enum class Precision : uint8_t { kModel, kFloat16, kBFloat16 };

struct TensorRtOptions {
  // The library, or the folder that it is in; empty: the environment variable
  // SLIPWAY_TENSORRT_LIB, the loader's path, what `make setup-tensorrt` brought.
  std::string library;
  // One engine for each: a list of compute capabilities, "sm_80,sm_86". Empty: one engine for all
  // that TensorRT-RTX supports, or for this machine's GPU.
  std::vector<std::string> targets;
  // By symbol. One that is not here is tuned for its largest value.
  std::map<std::string, ProfileRange> profiles;

  // How many bytes of weights may stay on the device; the rest is streamed. Bytes for each engine,
  // or in total; each below 2^63, and both at once are an error. Either implies weight_streaming;
  // false together with one of them is an error.
  std::optional<bool> weight_streaming;
  std::optional<uint64_t> weight_streaming_budget;
  std::optional<uint64_t> weight_streaming_total;

  std::optional<uint64_t> workspace;      // at most so many bytes; none: the library's own limit
  std::optional<int> optimization_level;  // 0 to 5; none: the library's own
  // Types are the model's own, or float32 becomes this one, but for softmax, norms, reductions,
  // exp, log and pow, and for the operators of keep_fp32 ("aten.linear").
  Precision precision = Precision::kModel;
  std::set<std::string> keep_fp32;
};

}  // namespace slipway
