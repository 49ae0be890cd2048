#include "engine_build/compiler.h"

#include <memory>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/printable.h"
#include "base/try.h"
#include "tensorrt/archive/call_nodes.h"
#include "tensorrt/archive/call_writer.h"
#include "tensorrt/archive/calls.h"
#include "tensorrt/builder/bare_engine.h"
#include "tensorrt/builder/builder.h"
#include "tensorrt/builder/compile_specs.h"
#include "tensorrt/builder/job.h"
#include "tensorrt/builder/machine.h"
#include "tensorrt/builder/options.h"

namespace slipway::tensorrt {

namespace {

class TensorRtCompiler : public engine_build::Compiler {
 public:
  TensorRtCompiler(Options options, const engine_build::BuildOptions& build)
      : options_(std::move(options)) {
    std::vector<std::string> targets = options_.targets;
    if (targets.empty()) targets.emplace_back();
    for (const std::string& target : targets) {
      builders_.push_back(make_builder(options_, target, build));
    }
  }

  std::map<std::string, std::pair<int64_t, int64_t>> size_limits() const override {
    std::map<std::string, std::pair<int64_t, int64_t>> limits;
    for (const auto& [symbol, ranges] : options_.profiles) {
      auto& [min, max] = limits[symbol] = {ranges[0].min, ranges[0].max};
      for (const ProfileRange& range : ranges) {
        min = std::min(min, range.min);
        max = std::max(max, range.max);
      }
    }
    return limits;
  }

  void finish(const std::vector<engine::Engine*>& engines) const override {
    set_compile_specs(engines, options_);
  }

 private:
  const Options options_;
};

Result<std::unique_ptr<engine_build::Compiler>> make(const engine_build::OptionValues& values,
                                                     const engine_build::BuildOptions& build) {
  SLIPWAY_ASSIGN_OR_RETURN(Options options, parse_options(values));
  const std::string& platform = options.calls.platform;
  if (platform != kPlatform && platform != kWindowsPlatform) {
    return unsupported("option 'platform' {}: TensorRT builds for {} and {} here", platform,
                       kPlatform, kWindowsPlatform);
  }
  return std::unique_ptr<engine_build::Compiler>(
      std::make_unique<TensorRtCompiler>(std::move(options), build));
}

Result<engine_build::ArchiveCalls> put(ir::Program& program,
                                       std::span<const engine::Engine> engines,
                                       const engine_build::OptionValues& values) {
  SLIPWAY_ASSIGN_OR_RETURN(const Options options, parse_options(values));
  return put_engines(program, engines, options.calls);
}

Result<engine_build::BareProgram> open_bare(const OwnedSpan& plan,
                                            const engine_build::OptionValues& values) {
  SLIPWAY_ASSIGN_OR_RETURN(const Options options, parse_options(values));
  return program_of_plan(plan, options.library);
}

Result<std::string> check_machine(std::span<const std::byte> plan,
                                  const engine::EngineRecord& record,
                                  const engine_build::OptionValues& values) {
  SLIPWAY_ASSIGN_OR_RETURN(const Options options, parse_options(values));
  const auto platform = record.options.find(kPlatformOption);
  if (platform != record.options.end() && is_platform_known(platform->second) &&
      platform->second != kPlatform) {
    return unavailable("it is for {}, and this is {}", printable(platform->second), kPlatform);
  }
  return check_plan(plan, record.library_version, options.library);
}

constexpr const char* kExamples[] = {
    "slipway compile model.pt2 -o model.onnx --engine tensorrt --precision fp16",
    "slipway compile model.pt2 -o model.engine --engine tensorrt --target sm_86",
    "slipway compile model.pt2 -o engines.pt2 --engine tensorrt --target sm_86",
};
constexpr const char* kExtensions[] = {".engine", ".trt"};

}  // namespace

extern const engine_build::CompilerDescription kCompiler;
const engine_build::CompilerDescription kCompiler = {
    .name = kJobLibrary,
    .options = option_table(),
    .make = make,
    .handle_job = run_job,
    .process_for_each_engine = true,
    .bare_extensions = kExtensions,
    .take_engines = take_engines,
    .list_engines = list_engines,
    .put_engines = put,
    .open_bare = open_bare,
    .examples = kExamples,
    .state = machine_state,
    .check_machine = check_machine,
};

}  // namespace slipway::tensorrt
