// slipway doctor: what this machine has for Slipway, and what to do for what is missing.

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/shared_library.h"
#include "build/helper.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "openvino/library/library.h"
#include "runtime/backends.h"
#include "runtime/platform.h"
#include "runtime/requirements.h"
#include "tensorrt/library/gpu.h"
#include "tensorrt/library/library.h"

namespace slipway::cli {
namespace {

// Those of the instruction sets that kernels and engines choose by. AMX and the half types decide
// what an engine computes in.
constexpr const char* kFeatures[] = {
    "sse4_2",      "avx2",        "fma",         "f16c",     "avx_vnni", "avx512f",
    "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16",
    "amx_fp16",    "asimd",       "asimddp",     "i8mm",     "bf16",     "sve"};

// As Linux names them in /proc/cpuinfo, of the first processor.
std::string cpu_features() {
  std::ifstream stream("/proc/cpuinfo");
  std::string line;
  std::set<std::string> flags;
  while (flags.empty() && std::getline(stream, line)) {
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    for (std::string word; words >> word;) flags.insert(word);
  }
  if (flags.empty()) return "/proc/cpuinfo does not say which instruction sets";
  std::vector<std::string> features;
  for (const char* feature : kFeatures) {
    if (flags.contains(feature)) features.emplace_back(feature);
  }
  return features.empty() ? "none that matter" : fmt::format("{}", fmt::join(features, " "));
}

std::string gpu_state(const Result<std::vector<tensorrt::Gpu>>& gpus) {
  if (!gpus.ok()) return gpus.error().message();
  std::vector<std::string> texts;
  for (const tensorrt::Gpu& gpu : *gpus) {
    texts.push_back(fmt::format("{}, compute capability {}", printable(gpu.name),
                                tensorrt::capability_text(gpu.capability)));
  }
  return texts.empty() ? "none" : fmt::format("{}", fmt::join(texts, "; "));
}

std::string tensorrt_state(const Result<std::vector<tensorrt::Gpu>>& gpus) {
  const auto library = tensorrt::Library::open();
  if (!library.ok()) return library.error().message();
  const tensorrt::Version version = (*library)->version();
  const Status parser = (*library)->require_parser();
  if (!parser.ok()) return parser.error().message();
  std::string text = fmt::format("ready to build: {}, {}", version.name(), (*library)->path());
  if (!gpus.ok()) return text;
  for (const tensorrt::Gpu& gpu : *gpus) {
    if (tensorrt::runs_on(version.family, gpu.capability)) continue;
    text += fmt::format("; its engines do not run on this GPU, which has compute capability {}",
                        tensorrt::capability_text(gpu.capability));
    break;
  }
  return text;
}

Status doctor(const std::string& version) {
  std::vector<std::vector<std::string>> rows;
  rows.push_back({"slipway", version});
  rows.push_back(
      {"cpu", fmt::format("{} threads; {}", std::thread::hardware_concurrency(), cpu_features())});
  runtime::initialize_platform();
  const std::string folder = executorch_folder();
  rows.push_back({"ExecuTorch", (folder.empty() ? "linked into the program" : folder) +
                                    fmt::format("; {} kernel threads", runtime::thread_count())});
  rows.push_back({"kernels", fmt::format("{} registered", runtime::registered_kernels())});
  rows.push_back({"engine none", "ready: ExecuTorch's kernels run everything"});
  const auto openvino = openvino::Library::open();
  rows.push_back({"engine openvino", openvino.ok()
                                         ? fmt::format("ready: OpenVINO {}, {}",
                                                       (*openvino)->version(), (*openvino)->path())
                                         : openvino.error().message()});
  const std::string helper = build::find_helper();
  rows.push_back({"engine helper",
                  helper.empty() ? "missing: engines are built in the process that compiles; keep "
                                   "libexec/slipway/slipway-build-engine beside bin or lib"
                                 : "ready: engines are built by " + helper});
  const auto gpus = tensorrt::find_gpus();
  rows.push_back({"gpu", gpu_state(gpus)});
  rows.push_back({"engine tensorrt", tensorrt_state(gpus)});
  for (const runtime::KnownBackend& backend : runtime::known_backends()) {
    const Status status = runtime::require_backend(backend.id);
    rows.push_back({fmt::format("files with {}", backend.id),
                    status.ok() ? "run" : "don't run: " + status.error().message()});
  }
  fmt::print("{}", format_table(rows));
  return {};
}

}  // namespace

void add_doctor(CLI::App& app, Action& action, const std::string& version) {
  CLI::App* command =
      app.add_subcommand("doctor", "Show which engines and libraries are here, and what to do");
  command->footer("\nExample:\n  slipway doctor");
  command->callback([version, &action] { action = [version] { return doctor(version); }; });
}

}  // namespace slipway::cli
