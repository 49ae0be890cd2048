// What this machine has for Slipway.

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "base/processor.h"
#include "base/shared_library.h"
#include "engine_build/helper.h"
#include "engine_list/compilers/registry.h"
#include "engine_list/registry.h"
#include "runtime/backends.h"
#include "runtime/platform.h"
#include "runtime/requirements.h"
#include "runtime/worker.h"
#include "slipway/inspect.h"
#include "slipway/version.h"

namespace slipway {
namespace {

// Those of the instruction sets that kernels and engines choose by. AMX and the half types decide
// what an engine computes in.
constexpr const char* kFeatures[] = {
    "sse4_2",      "avx2",        "fma",         "f16c",     "avx_vnni", "avx512f",
    "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16",
    "amx_fp16",    "asimd",       "asimddp",     "i8mm",     "bf16",     "sve"};

std::string cpu_features() {
  if (processor_features().empty()) return "/proc/cpuinfo does not say which instruction sets";
  const std::string features = processor_features(kFeatures);
  return features.empty() ? "none that matter" : features;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> describe_machine() {
  std::vector<std::pair<std::string, std::string>> rows;
  rows.emplace_back("slipway", version());
  rows.emplace_back(
      "cpu", fmt::format("{} threads; {}", std::thread::hardware_concurrency(), cpu_features()));
  runtime::initialize_platform();
  const std::string folder = executorch_folder();
  rows.emplace_back("ExecuTorch", (folder.empty() ? "linked into the program" : folder) +
                                      fmt::format("; {} kernel threads", runtime::thread_count()));
  rows.emplace_back("kernels", fmt::format("{} registered", runtime::registered_kernels()));
  rows.emplace_back("engine none", "ready: ExecuTorch's kernels run everything");
  for (const engine_build::CompilerDescription* compiler : engine_list::compilers()) {
    for (auto& row : compiler->state()) rows.push_back(std::move(row));
  }
  const std::string helper = engine_build::find_helper();
  rows.emplace_back("engine helper",
                    helper.empty()
                        ? "missing: engines are built in the process that compiles; keep "
                          "libexec/slipway/slipway-build-engine beside bin or lib"
                        : "ready: engines are built by " + helper);
  const std::string worker = find_program(runtime::kWorker);
  rows.emplace_back("isolated modules",
                    worker.empty()
                        ? "missing: keep libexec/slipway/slipway-worker beside bin or lib"
                        : "ready: they run in " + worker);
  for (const engine::Description* engine : engine_list::descriptions()) {
    const Status status = runtime::require_backend(engine->backend);
    rows.emplace_back(fmt::format("files with {}", engine->backend),
                      status.ok() ? "run" : "don't run: " + status.error().message());
  }
  return rows;
}

}  // namespace slipway
