#include "openvino/builder/job.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/error.h"
#include "base/memory_shortage.h"
#include "base/try.h"
#include "engine/json.h"
#include "engine_build/parse_json.h"
#include "onnx/serializer.h"
#include "openvino/library/library.h"

namespace slipway::openvino {

namespace {

using Json = engine::OrderedJson;

// What OpenVINO's ONNX reader takes for an address in this process.
constexpr const char* kMemoryLocation = "*/_ORT_MEM_ADDR_/*";
// Of a request to compile, and of one to run; one without either asks for the version.
constexpr const char* kProperties = "properties";
constexpr const char* kInputs = "inputs";

// The types of lists of tensors, [[["float32", [2, 3]], ...], ...].
Json describe(const std::vector<std::vector<Tensor>>& lists) {
  Json json = Json::array();
  for (const std::vector<Tensor>& list : lists) {
    Json types = Json::array();
    for (const Tensor& tensor : list) {
      types.push_back({dtype_name(tensor.dtype()), tensor.sizes()});
    }
    json.push_back(std::move(types));
  }
  return json;
}

// Tensors of these types, whose bytes `next` gives one after the other.
template <class Next>
Result<std::vector<std::vector<Tensor>>> read_tensors(const Json& json, const Next& next) {
  std::vector<std::vector<Tensor>> lists;
  for (const Json& types : json) {
    std::vector<Tensor>& list = lists.emplace_back();
    for (const Json& type : types) {
      const auto dtype = dtype_from_name(type.at(0).get<std::string>());
      if (!dtype) return internal_error("a tensor of another process has no type");
      SLIPWAY_ASSIGN_OR_RETURN(Tensor tensor,
                               Tensor::zeros(*dtype, type.at(1).get<std::vector<int64_t>>()));
      const std::span<const std::byte> bytes = next(tensor.nbytes());
      if (bytes.size() != tensor.nbytes()) {
        return internal_error("a tensor of another process is cut short");
      }
      if (!bytes.empty()) std::memcpy(tensor.data(), bytes.data(), bytes.size());
      list.push_back(std::move(tensor));
    }
  }
  return lists;
}

Result<std::string> do_run(const Library& library, const Json& types, const engine_build::Job& job,
                           const ByteSink& sink) {
  size_t constant = 1;
  SLIPWAY_ASSIGN_OR_RETURN(
      const auto inputs, read_tensors(types, [&](size_t) { return job.constants.at(constant++); }));
  SLIPWAY_ASSIGN_OR_RETURN(const auto outputs, library.run(job.constants.at(0), inputs));
  for (const std::vector<Tensor>& list : outputs) {
    for (const Tensor& tensor : list) SLIPWAY_RETURN_IF_ERROR(sink(tensor.bytes()));
  }
  return describe(outputs).dump();
}

Result<std::string> run(const engine_build::Job& job, engine_build::Worker* worker,
                        const ByteSink& sink) {
  return worker != nullptr ? worker->run(job, run_job, sink) : run_job(job, sink);
}

}  // namespace

Result<std::string> version(engine_build::Worker* worker) {
  return run({kJobLibrary, "{}"}, worker, {});
}

Status compile(engine_build::Job job, const std::map<std::string, std::string>& properties,
               engine_build::Worker* worker, const ByteSink& sink) {
  job.library = kJobLibrary;
  job.request = engine::dump_json(Json{{kProperties, properties}});
  SLIPWAY_RETURN_IF_ERROR(run(job, worker, sink));
  return {};
}

Result<std::vector<std::vector<Tensor>>> run_engine(std::span<const std::byte> engine,
                                                    const std::vector<std::vector<Tensor>>& inputs,
                                                    engine_build::Worker* worker) {
  engine_build::Job job = {
      kJobLibrary, engine::dump_json(Json{{kInputs, describe(inputs)}}), "", {engine}};
  for (const std::vector<Tensor>& list : inputs) {
    for (const Tensor& tensor : list) job.constants.push_back(tensor.bytes());
  }
  std::vector<std::byte> bytes;
  SLIPWAY_ASSIGN_OR_RETURN(const std::string answer,
                           run(job, worker, [&](std::span<const std::byte> chunk) -> Status {
                             bytes.insert(bytes.end(), chunk.begin(), chunk.end());
                             return {};
                           }));
  std::span<const std::byte> left = bytes;
  SLIPWAY_ASSIGN_OR_RETURN(const Json types, engine_build::parse_json(answer));
  return read_tensors(types, [&](size_t size) {
    const auto taken = left.first(std::min(size, left.size()));
    left = left.subspan(taken.size());
    return taken;
  });
}

Result<std::string> run_job(const engine_build::Job& job, const ByteSink& sink) {
  SLIPWAY_ASSIGN_OR_RETURN(const Json request, engine_build::parse_json(job.request));
  SLIPWAY_ASSIGN_OR_RETURN(const Library* library, Library::open());
  if (request.contains(kInputs)) return do_run(*library, request.at(kInputs), job, sink);
  if (!request.contains(kProperties)) return library->version();
  SLIPWAY_ASSIGN_OR_RETURN(const std::string model,
                           onnx::relocate(job.model, [&](const std::string&, uint64_t constant) {
                             return onnx::ExternalData{
                                 kMemoryLocation,
                                 reinterpret_cast<uintptr_t>(job.constants.at(constant).data())};
                           }));
  const Status compiled = library->compile(
      model, request.at(kProperties).get<std::map<std::string, std::string>>(), sink);
  if (compiled.ok()) return std::string();
  if (!lacks_memory(compiled.error().message())) return compiled.error();
  return resource_exhausted("there is not enough memory to build an engine: {}",
                            compiled.error().message());
}

}  // namespace slipway::openvino
