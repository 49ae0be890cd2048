#include "openvino/builder/job.h"

#include <cstdint>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/try.h"
#include "onnx/serializer.h"
#include "openvino/library/library.h"

namespace slipway::openvino {

namespace {

using Json = nlohmann::json;

// What OpenVINO's ONNX reader takes for an address in this process.
constexpr const char* kMemoryLocation = "*/_ORT_MEM_ADDR_/*";
// Of a request to compile; one without asks for the version.
constexpr const char* kProperties = "properties";

Result<std::string> run(const build::Job& job, build::Worker* worker, const ByteSink& sink) {
  return worker != nullptr ? worker->run(job, run_job, sink) : run_job(job, sink);
}

}  // namespace

Result<std::string> version(build::Worker* worker) {
  return run({kJobLibrary, Json::object().dump()}, worker, {});
}

Status compile(build::Job job, const std::map<std::string, std::string>& properties,
               build::Worker* worker, const ByteSink& sink) {
  job.library = kJobLibrary;
  job.request = Json{{kProperties, properties}}.dump();
  SLIPWAY_RETURN_IF_ERROR(run(job, worker, sink));
  return {};
}

Result<std::string> run_job(const build::Job& job, const ByteSink& sink) {
  const Json request = Json::parse(job.request);
  SLIPWAY_ASSIGN_OR_RETURN(const Library* library, Library::open());
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
  if (!build::lacks_memory(compiled.error().message())) return compiled.error();
  return resource_exhausted("there is not enough memory to build an engine: {}",
                            compiled.error().message());
}

}  // namespace slipway::openvino
