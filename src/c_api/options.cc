#include "c_api/options.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/try.h"
#include "c_api/error.h"

namespace slipway::c_api {
namespace {

constexpr const char* kFlag = "true|false";

Status read(std::string_view text, bool& to) {
  if (text != "true" && text != "false") return invalid_argument("it is true or false");
  to = text == "true";
  return {};
}

template <class T>
requires std::is_integral_v<T> Status read(std::string_view text, T& to) {
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, to);
  if (!text.empty() && parsed.ec == std::errc() && parsed.ptr == end) return {};
  return invalid_argument("it is a whole number");
}

Status read(std::string_view text, std::string& to) {
  to = text;
  return {};
}

Status read(std::string_view text, std::set<std::string>& to) {
  to.emplace(text);
  return {};
}

template <class T>
Status read(std::string_view text, std::optional<T>& to) {
  return read(text, to.emplace());
}

Status read(std::string_view text, std::optional<std::chrono::milliseconds>& to) {
  int64_t count = 0;
  SLIPWAY_RETURN_IF_ERROR(read(text, count));
  to.emplace(count);
  return {};
}

// "s77=512"
Status read(std::string_view text, std::map<std::string, int64_t>& to) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos) {
    return invalid_argument("it is a size, '=' and a number: s77=512");
  }
  return read(text.substr(equals + 1), to[std::string(text.substr(0, equals))]);
}

Status read(std::string_view text, std::vector<EngineChoice>& to) {
  SLIPWAY_ASSIGN_OR_RETURN(to, parse_engines(std::string(text)));
  return {};
}

template <class T>
using Names = std::initializer_list<std::pair<std::string_view, T>>;

template <class T>
Status choose(std::string_view text, T& to, const Names<T>& names) {
  for (const auto& [name, value] : names) {
    if (name == text) {
      to = value;
      return {};
    }
  }
  return invalid_argument("there is no such value");
}

Status read(std::string_view text, EngineCheck& to) {
  return choose(text, to,
                {{"off", EngineCheck::kOff},
                 {"small", EngineCheck::kSmall},
                 {"outside", EngineCheck::kOutside},
                 {"fail", EngineCheck::kFail}});
}

Status read(std::string_view text, Output& to) {
  return choose(text, to,
                {{"pte", Output::kPte},
                 {"library", Output::kLibrary},
                 {"aoti", Output::kAotiPackage},
                 {"engine", Output::kEngine},
                 {"onnx", Output::kOnnx},
                 {"engine_onnx", Output::kEngineOnnx},
                 {"pt2", Output::kArchive}});
}

Status read(std::string_view text, std::optional<PerformanceHint>& to) {
  return choose(
      text, to.emplace(),
      {{"latency", PerformanceHint::kLatency}, {"throughput", PerformanceHint::kThroughput}});
}

template <class Options>
struct Entry {
  slipway_option_info info;
  Status (*set)(Options& options, std::string_view text);
};

// The reader of a member.
template <auto member, class Options>
Status set(Options& options, std::string_view text) {
  return read(text, options.*member);
}

using C = CompileOptions;
constexpr Entry<C> kCompileOptions[] = {
    {{"output", "pte|library|aoti|engine|onnx|engine_onnx|pt2", "what is made", false},
     set<&C::output, C>},
    {{"engines", "NAMES", "by priority, with commas between them, or none", false},
     set<&C::engines, C>},
    {{"exclude_ops", "OPERATOR", "stays on kernels: aten.cos, <engine>:aten.cos", true},
     set<&C::exclude_ops, C>},
    {{"exclude_nodes", "NAME", "stays on kernels: conv2d, <engine>:conv2d", true},
     set<&C::exclude_nodes, C>},
    {{"min_partition_size", "N", "smaller groups of nodes stay on kernels", false},
     set<&C::min_partition_size, C>},
    {{"require_full", kFlag, "an error when nodes would stay on kernels", false},
     set<&C::require_full, C>},
    {{"allow_reduced_precision", kFlag, "compute types with less precision than their own", false},
     set<&C::allow_reduced_precision, C>},
    {{"alloc_graph_output", kFlag, "outputs lie in planned memory", false},
     set<&C::alloc_graph_output, C>},
    {{"non_cpu_memory_planning", kFlag, "plan in GPUs' memory what their engines alone use", false},
     set<&C::non_cpu_memory_planning, C>},
    {{"share_buffers", kFlag, "methods share the mutable buffers of one name", false},
     set<&C::share_buffers, C>},
    {{"check", "off|small|outside|fail", "run each engine and compare it with kernels", false},
     set<&C::check, C>},
    {{"cache", "FOLDER", "of engines; empty: none", false}, set<&C::cache, C>},
    {{"external_engines", "NAME", "put engines into NAME.ptd beside the file", false},
     set<&C::external_engines, C>},
    {{"bounds", "SIZE=N", "the largest value of a size: s77=512, x.0=8", true}, set<&C::bounds, C>},
    {{"seed", "N", "where the random numbers begin that the program draws", false},
     set<&C::seed, C>},
    {{"tune", kFlag, "time each engine and each order of them, and keep the fastest", false},
     set<&C::tune, C>},
    {{"tune_sizes", "SIZE=N", "a size that is timed: s77=512, x.0=8", true},
     set<&C::tune_sizes, C>},
    {{"verify_passes", kFlag, "check the program after every pass", false},
     set<&C::verify_passes, C>},
    {{"dump_partitions", "FOLDER", "write what each engine is given as ONNX models", false},
     set<&C::dump_partitions, C>},
};

using L = LoadOptions;
constexpr Entry<L> kLoadOptions[] = {
    {{"trust", kFlag, "run files with operators that can't be checked", false}, set<&L::trust, L>},
    {{"data_file", "FILE", "the .ptd with the engines outside of the program", false},
     set<&L::data_file, L>},
    {{"verify_checksums", kFlag, "compare the whole file with its checksums", false},
     set<&L::verify_checksums, L>},
    {{"copy", kFlag, "read the file into memory instead of mapping it", false}, set<&L::copy, L>},
    {{"time_limit", "MILLISECONDS", "of a run", false}, set<&L::time_limit, L>},
    {{"isolate", kFlag, "run in a process of its own", false}, set<&L::isolate, L>},
    {{"memory_limit", "BYTES", "of planned memory and outputs", false}, set<&L::memory_limit, L>},
    {{"engine_threads", "N", "that an engine may use", false}, set<&L::engine_threads, L>},
    {{"performance_hint", "latency|throughput", "what an engine arranges its threads for", false},
     set<&L::performance_hint, L>},
    {{"device", "NAME", "that engines run on: cuda:1", false}, set<&L::device, L>},
    {{"weight_streaming_budget", "BYTES", "of weights on the device, for each engine", false},
     set<&L::weight_streaming_budget, L>},
    {{"weight_streaming_total", "BYTES", "of weights on the device, for all engines", false},
     set<&L::weight_streaming_total, L>},
    {{"share_engines", kFlag, "equal engines share their weights in the process", false},
     set<&L::share_engines, L>},
    {{"share_scratch", kFlag, "engines of all modules work in one memory, one at a time", false},
     set<&L::share_scratch, L>},
    {{"cuda_graphs", kFlag, "run engines of GPUs as CUDA graphs", false}, set<&L::cuda_graphs, L>},
    {{"require_same_environment", kFlag, "make warnings of versions and devices errors", false},
     set<&L::require_same_environment, L>},
};

template <class Entries>
std::vector<slipway_option_info> infos_of(const Entries& entries) {
  std::vector<slipway_option_info> infos;
  for (const auto& entry : entries) infos.push_back(entry.info);
  return infos;
}

Status check_texts(const slipway_option& option) {
  SLIPWAY_RETURN_IF_ERROR(check_given(option.name, "an option's name"));
  if (option.value == nullptr) return invalid_argument("option {} has no value", option.name);
  return {};
}

// Sets one that is in the table; whether it is.
template <class Options, class Entries>
Result<bool> set_option(const slipway_option& option, const Entries& entries,
                        std::set<std::string>& seen, Options& options) {
  for (const Entry<Options>& entry : entries) {
    if (std::string_view(option.name) != entry.info.name) continue;
    if (!seen.insert(option.name).second && !entry.info.is_repeated) {
      return invalid_argument("option {} is given twice", option.name);
    }
    const Status status = entry.set(options, option.value);
    if (!status.ok()) {
      return invalid_argument("option {} is '{}': {} ({})", option.name, option.value,
                              status.error().message(), entry.info.value);
    }
    return true;
  }
  return false;
}

// "<engine>.<name>": of an engine that is asked for.
Status add_engine_option(const slipway_option& option, std::vector<EngineChoice>& engines) {
  const std::string_view name = option.name;
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos) {
    return invalid_argument("there is no option {}; those of engines are <engine>.<name>",
                            option.name);
  }
  for (EngineChoice& engine : engines) {
    if (engine.name != name.substr(0, dot)) continue;
    engine.options.emplace_back(name.substr(dot + 1), option.value);
    return {};
  }
  return invalid_argument("option {} is of an engine that is not among the engines asked for",
                          option.name);
}

}  // namespace

Result<CompileOptions> to_compile_options(std::span<const slipway_option> options) {
  CompileOptions result;
  std::set<std::string> seen;
  std::vector<slipway_option> of_engines;
  for (const slipway_option& option : options) {
    SLIPWAY_RETURN_IF_ERROR(check_texts(option));
    SLIPWAY_ASSIGN_OR_RETURN(const bool is_set, set_option(option, kCompileOptions, seen, result));
    if (!is_set) of_engines.push_back(option);
  }
  for (const slipway_option& option : of_engines) {
    SLIPWAY_RETURN_IF_ERROR(add_engine_option(option, result.engines));
  }
  return result;
}

Result<LoadOptions> to_load_options(std::span<const slipway_option> options) {
  LoadOptions result;
  std::set<std::string> seen;
  for (const slipway_option& option : options) {
    SLIPWAY_RETURN_IF_ERROR(check_texts(option));
    SLIPWAY_ASSIGN_OR_RETURN(const bool is_set, set_option(option, kLoadOptions, seen, result));
    if (!is_set) return invalid_argument("there is no load option {}", option.name);
  }
  return result;
}

}  // namespace slipway::c_api

using namespace slipway;  // NOLINT(google-build-using-namespace)

namespace {

const slipway_option_info* give(const std::vector<slipway_option_info>& infos, size_t* count) {
  if (count != nullptr) *count = infos.size();
  return infos.data();
}

}  // namespace

const slipway_option_info* slipway_compile_options(size_t* count) {
  static const auto infos = c_api::infos_of(c_api::kCompileOptions);
  return give(infos, count);
}

const slipway_option_info* slipway_load_options(size_t* count) {
  static const auto infos = c_api::infos_of(c_api::kLoadOptions);
  return give(infos, count);
}

const slipway_option_info* slipway_engine_options(const char* engine, size_t* count) {
  static const auto tables = [] {
    std::map<std::string, std::vector<slipway_option_info>, std::less<>> result;
    for (const std::string& name : engine_names()) {
      auto& infos = result[name];
      for (const EngineOption& option : engine_options(name)) {
        const bool is_flag = *option.value == '\0';
        infos.push_back(
            {option.name, is_flag ? c_api::kFlag : option.value, option.help, option.is_repeated});
      }
    }
    return result;
  }();
  const auto found = engine == nullptr ? tables.end() : tables.find(std::string_view(engine));
  if (found != tables.end()) return give(found->second, count);
  if (count != nullptr) *count = 0;
  return nullptr;
}

const char* const* slipway_engine_names(size_t* count) {
  static const auto names = engine_names();
  static const auto texts = [] {
    std::vector<const char*> result;
    std::transform(names.begin(), names.end(), std::back_inserter(result),
                   [](const std::string& name) { return name.c_str(); });
    return result;
  }();
  if (count != nullptr) *count = texts.size();
  return texts.data();
}
