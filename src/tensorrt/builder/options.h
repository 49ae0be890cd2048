// What TensorRT engines are built with.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine_build/compiler.h"
#include "onnx/precision.h"
#include "slipway/compile.h"
#include "slipway/result.h"
#include "tensorrt/archive/call_writer.h"

namespace slipway::tensorrt {

// The sizes that an engine serves, and the one that it is tuned for.
struct ProfileRange {
  int64_t min = 1;
  int64_t opt = 1;
  int64_t max = 1;
};

using onnx::Precision;

struct Options {
  std::string library;               // as LibraryOptions::path
  std::vector<std::string> targets;  // one engine for each: "sm_80,sm_86"; empty: one for all
  // By symbol: its range in each profile, the last one in all that follow, too.
  std::map<std::string, std::vector<ProfileRange>> profiles;

  // How many bytes of weights may stay on the device: of each engine, or in total; not both.
  std::optional<bool> weight_streaming;
  std::optional<uint64_t> weight_streaming_budget;
  std::optional<uint64_t> weight_streaming_total;

  std::optional<bool> cuda_graphs;

  std::optional<uint64_t> workspace;
  std::optional<int> optimization_level;
  Precision precision = Precision::kModel;
  std::set<std::string> keep_fp32;

  CallForm calls;  // in exported programs

  bool streams_weights() const {
    return weight_streaming.value_or(weight_streaming_budget || weight_streaming_total);
  }
};

// The table of them.
std::span<const EngineOption> option_table();

// The error names the option and what it takes.
Result<Options> parse_options(const engine_build::OptionValues& values);

}  // namespace slipway::tensorrt
