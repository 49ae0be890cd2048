#include "tensorrt/builder/job.h"

#include <algorithm>
#include <span>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

#include <fmt/core.h>

#include "base/child_process.h"
#include "base/error.h"
#include "base/memory_shortage.h"
#include "base/try.h"
#include "engine/json.h"
#include "engine_build/parse_json.h"
#include "onnx/serializer.h"
#include "tensorrt/library/builder.h"

namespace slipway::tensorrt {

namespace {

using Json = engine::OrderedJson;

template <class T>
Json optional_to_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

template <class T>
std::optional<T> optional_from_json(const Json& json) {
  return json.is_null() ? std::nullopt : std::optional<T>(json.get<T>());
}

Json to_json(const BuildRequest& request) {
  Json profiles = Json::array();
  for (const std::vector<InputProfile>& profile : request.profiles) {
    Json inputs = Json::array();
    for (const InputProfile& input : profile) {
      inputs.push_back({input.input, input.min, input.opt, input.max});
    }
    profiles.push_back(std::move(inputs));
  }
  return {{"library", request.library},
          {"node_count", request.node_count},
          {"scales", request.scales},
          {"tf32", request.tf32},
          {"weight_streaming", request.weight_streaming},
          {"workspace", optional_to_json(request.workspace)},
          {"optimization_level", optional_to_json(request.optimization_level)},
          {"capabilities", request.capabilities},
          {"for_windows", request.for_windows},
          {"profiles", profiles}};
}

BuildRequest request_from_json(const Json& json) {
  BuildRequest request;
  request.library = json.at("library");
  request.node_count = json.at("node_count");
  request.scales = json.at("scales").get<std::set<std::string>>();
  request.tf32 = json.at("tf32");
  request.weight_streaming = json.at("weight_streaming");
  request.workspace = optional_from_json<uint64_t>(json.at("workspace"));
  request.optimization_level = optional_from_json<int>(json.at("optimization_level"));
  request.capabilities = json.at("capabilities").get<std::vector<int>>();
  request.for_windows = json.at("for_windows");
  for (const Json& profile : json.at("profiles")) {
    auto& inputs = request.profiles.emplace_back();
    for (const Json& input : profile) {
      inputs.push_back({input.at(0), input.at(1), input.at(2), input.at(3)});
    }
  }
  return request;
}

Json to_json(const BuildAnswer& answer) {
  Json errors = Json::array();
  for (const ParserError& error : answer.errors) {
    errors.push_back(
        {error.code, error.description, error.node, error.node_name, error.node_operator});
  }
  Json taken;
  if (answer.taken) {
    taken = Json::array();
    for (const Subgraph& subgraph : *answer.taken) {
      taken.push_back({subgraph.nodes, subgraph.certain});
    }
  }
  return {{"done", answer.done}, {"message", answer.message}, {"errors", errors}, {"taken", taken}};
}

BuildAnswer answer_from_json(const Json& json) {
  BuildAnswer answer;
  answer.done = json.at("done");
  answer.message = json.at("message");
  for (const Json& error : json.at("errors")) {
    answer.errors.push_back({error.at(0), error.at(1), error.at(2), error.at(3), error.at(4)});
  }
  if (!json.at("taken").is_null()) {
    answer.taken.emplace();
    for (const Json& subgraph : json.at("taken")) {
      answer.taken->push_back({subgraph.at(0).get<std::vector<int64_t>>(), subgraph.at(1)});
    }
  }
  return answer;
}

// What the parser would not take, by its own account; nothing where it takes all. It wants to see
// the files of constants, but looks at types and shapes only, and at the signs of scales: others
// may be zeros, which take neither disk nor memory. Constants are told apart by where they lie.
Result<std::optional<BuildAnswer>> query(const LibraryPointer& library,
                                         const engine_build::Job& job,
                                         const BuildRequest& request) {
  std::vector<uint64_t> starts;
  uint64_t end = 0;
  for (const auto bytes : job.constants) {
    starts.push_back(end);
    end += bytes.size();
  }
  const Descriptor file(::memfd_create("slipway constants", MFD_CLOEXEC));
  if (file.number() < 0) return errno_error(errno, "memory for a file can't be had");
  if (::ftruncate(file.number(), static_cast<off_t>(end)) != 0) {
    return errno_error(errno, fmt::format("a file of {} bytes can't be made", end));
  }
  const std::string path = fmt::format("/proc/self/fd/{}", file.number());
  Status written;
  const auto locate = [&](const std::string& name, uint64_t constant) {
    const uint64_t start = starts.at(constant);
    if (written.ok() && request.scales.contains(name)) {
      written = write_at(file.number(), job.constants.at(constant), start, "memory for a file");
    }
    return onnx::ExternalData{path, start};
  };
  SLIPWAY_ASSIGN_OR_RETURN(const std::string model, onnx::relocate(job.model, locate));
  if (!written.ok()) return written.error();
  SLIPWAY_ASSIGN_OR_RETURN(const tensorrt::Builder builder, tensorrt::Builder::create(library));
  SLIPWAY_ASSIGN_OR_RETURN(const Network network, builder.make_network());
  SLIPWAY_ASSIGN_OR_RETURN(Parser parser, Parser::create(network));
  auto taken = parser.query_support(std::as_bytes(std::span(model)));
  if (!taken.ok()) {
    if (taken.error().code() != ErrorCode::kUnsupported) return taken.error();
    return std::optional(BuildAnswer{false, taken.error().message(), {}, {}});
  }
  size_t count = 0;
  for (const Subgraph& subgraph : *taken) count += subgraph.nodes.size();
  if (count >= request.node_count) return std::optional<BuildAnswer>();
  return std::optional(BuildAnswer{false, "TensorRT's parser does not take all nodes",
                                   parser.errors(), std::move(*taken)});
}

Status configure(BuilderConfig& config, const BuildRequest& request) {
  if (!request.tf32) config.clear_flag(BuilderFlag::kTf32);
  if (request.weight_streaming) config.set_flag(BuilderFlag::kWeightStreaming);
  if (request.workspace) config.set_workspace_limit(*request.workspace);
  if (request.optimization_level) {
    SLIPWAY_RETURN_IF_ERROR(config.set_optimization_level(*request.optimization_level));
  }
  if (request.for_windows) SLIPWAY_RETURN_IF_ERROR(config.set_for_windows());
  if (request.capabilities.empty()) return {};
  return config.set_compute_capabilities(request.capabilities);
}

Status add_profile(const tensorrt::Builder& builder, BuilderConfig& config,
                   const std::vector<InputProfile>& inputs) {
  if (inputs.empty()) return {};
  SLIPWAY_ASSIGN_OR_RETURN(OptimizationProfile profile, builder.make_profile());
  for (const InputProfile& input : inputs) {
    SLIPWAY_RETURN_IF_ERROR(profile.set_shapes(input.input, input.min, input.opt, input.max));
  }
  return config.add_profile(profile);
}

Result<BuildAnswer> do_build(const engine_build::Job& job, const BuildRequest& request,
                             const ByteSink& sink) {
  SLIPWAY_ASSIGN_OR_RETURN(const LibraryPointer library, Library::open({.path = request.library}));
  SLIPWAY_ASSIGN_OR_RETURN(auto refused, query(library, job, request));
  if (refused) return std::move(*refused);

  SLIPWAY_ASSIGN_OR_RETURN(const tensorrt::Builder builder, tensorrt::Builder::create(library));
  SLIPWAY_ASSIGN_OR_RETURN(const Network network, builder.make_network());
  SLIPWAY_ASSIGN_OR_RETURN(Parser parser, Parser::create(network));
  std::vector<std::pair<std::string, uint64_t>> references;
  // TensorRT ignores where the data is said to be.
  SLIPWAY_RETURN_IF_ERROR(
      onnx::relocate(job.model, [&](const std::string& name, uint64_t constant) {
        references.emplace_back(name, constant);
        return onnx::ExternalData{"constants", 0};
      }));
  SLIPWAY_RETURN_IF_ERROR(parser.load_model(std::as_bytes(std::span(job.model))));
  for (const auto& [name, constant] : references) {
    SLIPWAY_RETURN_IF_ERROR(parser.load_initializer(name, job.constants.at(constant)));
  }
  if (const Status parsed = parser.parse(); !parsed.ok()) {
    return BuildAnswer{false, parsed.error().message(), parser.errors(), {}};
  }
  SLIPWAY_ASSIGN_OR_RETURN(BuilderConfig config, builder.make_config());
  if (const Status configured = configure(config, request); !configured.ok()) {
    // Of the options; kUnsupported would be of the model.
    const Error& error = configured.error();
    return error.code() == ErrorCode::kUnsupported ? Error(ErrorCode::kUnavailable, error.message())
                                                   : error;
  }
  for (const std::vector<InputProfile>& profile : request.profiles) {
    SLIPWAY_RETURN_IF_ERROR(add_profile(builder, config, profile));
  }
  if (const Status built = builder.build(network, config, sink); !built.ok()) {
    if (built.error().code() != ErrorCode::kUnsupported) return built.error();
    return BuildAnswer{false, built.error().message(), {}, {}};
  }
  return BuildAnswer{true, "", {}, {}};
}

}  // namespace

Result<BuildAnswer> build(engine_build::Job job, const BuildRequest& request,
                          engine_build::Worker* worker, const ByteSink& sink) {
  job.library = kJobLibrary;
  job.request = engine::dump_json(to_json(request));
  const auto text = worker != nullptr ? worker->run(job, run_job, sink) : run_job(job, sink);
  if (text.ok()) {
    SLIPWAY_ASSIGN_OR_RETURN(const Json answer, engine_build::parse_json(*text));
    return answer_from_json(answer);
  }
  if (text.error().code() != ErrorCode::kUnsupported) return text.error();
  return BuildAnswer{false, text.error().message(), {}, {}};
}

Result<std::string> run_job(const engine_build::Job& job, const ByteSink& sink) {
  SLIPWAY_ASSIGN_OR_RETURN(const Json request, engine_build::parse_json(job.request));
  SLIPWAY_ASSIGN_OR_RETURN(const BuildAnswer answer,
                           do_build(job, request_from_json(request), sink));
  if (!answer.done && lacks_memory(answer.message)) {
    return resource_exhausted("there is not enough memory to build an engine: {}", answer.message);
  }
  return engine::dump_json(to_json(answer));
}

}  // namespace slipway::tensorrt
