#include "inspect/graph_json.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pte/format/allocation.h"
#include "pte/format/program_generated.h"
#include "pte/format/scalar_types.h"
#include "pte/reader/state.h"
#include "pte/reader/value_uses.h"
#include "runtime/requirements.h"
#include "slipway/tensor.h"

namespace slipway::inspection {
namespace {

namespace fb = executorch_flatbuffer;
using Json = nlohmann::ordered_json;

Json tensor_json(const fb::Tensor& tensor) {
  std::vector<int64_t> sizes;
  if (tensor.sizes() != nullptr) sizes.assign(tensor.sizes()->begin(), tensor.sizes()->end());
  const auto dtype = pte::dtype_of(tensor.scalar_type());
  const bool is_constant = tensor.data_buffer_idx() != 0 && tensor.allocation_info() == nullptr;
  Json json = {{"kind", is_constant ? "constant" : "tensor"}};
  json["type"] = dtype ? format_type(*dtype, sizes) : fb::EnumNameScalarType(tensor.scalar_type());
  const auto bytes = dtype ? contiguous_nbytes(*dtype, sizes) : Result<size_t>(0);
  json["bytes"] = bytes.ok() ? *bytes : 0;
  if (const auto* place = tensor.allocation_info()) {
    json["buffer"] = place->memory_id();
    json["offset"] = pte::offset_of(*place);
  }
  return json;
}

Json value_json(const fb::EValue& value) {
  if (const auto* tensor = value.val_as_Tensor()) return tensor_json(*tensor);
  return {{"kind", fb::EnumNameKernelTypes(value.val_type())}};
}

}  // namespace

Json graph_json(const pte::File& file, const std::string& method) {
  const fb::ExecutionPlan& plan = *file.plan(method);
  std::vector<bool> is_used(plan.values()->size(), false);
  const auto note = [&](auto value) {
    is_used[static_cast<size_t>(value)] = true;
    return value;
  };
  Json json;
  for (const char* list : {"inputs", "outputs", "values", "calls"}) json[list] = Json::array();
  for (const int32_t input : *plan.inputs()) json["inputs"].push_back(note(input));
  for (const int32_t output : *plan.outputs()) json["outputs"].push_back(note(output));
  size_t index = 0;
  for (const pte::ValueUses& uses : pte::value_uses(plan)) {
    Json call;
    for (const char* list : {"reads", "writes"}) call[list] = Json::array();
    for (const uint32_t value : uses.reads) call["reads"].push_back(note(value));
    for (const uint32_t value : uses.writes) call["writes"].push_back(note(value));
    call["origin"] = runtime::instruction_origin(file, method, index++);
    json["calls"].push_back(std::move(call));
  }
  std::map<size_t, std::string_view> state;
  for (const pte::StateBuffer& buffer : pte::state_of(plan)) {
    state.emplace(note(buffer.value), buffer.name);
  }
  for (uint32_t i = 0; i < plan.values()->size(); ++i) {
    if (!is_used[i]) continue;
    Json value = {{"index", i}};
    value.update(value_json(*plan.values()->Get(i)));
    if (const auto name = state.find(i); name != state.end()) value["state"] = name->second;
    json["values"].push_back(std::move(value));
  }
  return json;
}

}  // namespace slipway::inspection
