#include "onnx/serializer.h"

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/try.h"
#include "onnx/model.pb.h"

namespace slipway::onnx {

namespace {

// Smaller constants are inline, so that shape inference sees them.
constexpr uint64_t kInlineBelow = 1024;
// Field numbers of ModelProto.graph, GraphProto.initializer and TensorProto.raw_data.
constexpr uint32_t kGraphField = 7;
constexpr uint32_t kInitializerField = 5;
constexpr uint32_t kRawDataField = 9;

void set_type(const ValueType& value, proto::ValueInfoProto* info) {
  info->set_name(value.name);
  auto* type = info->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx_type(value.dtype));
  auto* shape = type->mutable_shape();
  for (const ir::SymInt& size : value.sizes) {
    auto* dim = shape->add_dim();
    if (auto known = size.constant()) {
      dim->set_dim_value(*known);
    } else {
      dim->set_dim_param(size.to_string());
    }
  }
}

void set_graph(const Graph& graph, proto::GraphProto* message);

void set_attribute(const std::string& name, const Attribute& value,
                   proto::AttributeProto* message) {
  message->set_name(name);
  if (const auto* v = std::get_if<int64_t>(&value)) {
    message->set_type(proto::AttributeProto::INT);
    message->set_i(*v);
  } else if (const auto* v = std::get_if<float>(&value)) {
    message->set_type(proto::AttributeProto::FLOAT);
    message->set_f(*v);
  } else if (const auto* v = std::get_if<std::string>(&value)) {
    message->set_type(proto::AttributeProto::STRING);
    message->set_s(*v);
  } else if (const auto* v = std::get_if<std::vector<int64_t>>(&value)) {
    message->set_type(proto::AttributeProto::INTS);
    for (int64_t item : *v) message->add_ints(item);
  } else if (const auto* v = std::get_if<std::vector<float>>(&value)) {
    message->set_type(proto::AttributeProto::FLOATS);
    for (float item : *v) message->add_floats(item);
  } else if (const auto* v = std::get_if<std::vector<std::string>>(&value)) {
    message->set_type(proto::AttributeProto::STRINGS);
    for (const std::string& item : *v) message->add_strings(item);
  } else if (const auto* v = std::get_if<std::shared_ptr<Graph>>(&value)) {
    message->set_type(proto::AttributeProto::GRAPH);
    set_graph(**v, message->mutable_g());
  }
}

void set_node(const Node& node, proto::NodeProto* message) {
  message->set_name(node.name);
  message->set_op_type(node.op_type);
  for (const std::string& input : node.inputs) message->add_input(input);
  for (const std::string& output : node.outputs) message->add_output(output);
  for (const auto& [name, value] : node.attributes) {
    set_attribute(name, value, message->add_attribute());
  }
  if (!node.target.empty()) {
    message->set_doc_string(node.target + " (" + node.origin + ")" +
                            (node.stack_trace.empty() ? "" : "; " + node.stack_trace));
  }
}

// All but the initializers.
void set_graph(const Graph& graph, proto::GraphProto* message) {
  message->set_name(graph.name);
  for (const ValueType& input : graph.inputs) set_type(input, message->add_input());
  for (const ValueType& output : graph.outputs) set_type(output, message->add_output());
  for (const ValueType& value : graph.values) set_type(value, message->add_value_info());
  for (const Node& node : graph.nodes) set_node(node, message->add_node());
}

void clear_provenance(proto::GraphProto* message) {
  for (proto::NodeProto& node : *message->mutable_node()) {
    node.clear_doc_string();
    for (proto::AttributeProto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) clear_provenance(attribute.mutable_g());
    }
  }
}

void set_model(const Graph& graph, proto::ModelProto* message) {
  // The first version of the format that knows the operators.
  message->set_ir_version(graph.opset <= 20 ? 9 : graph.opset <= 22 ? 10 : 11);
  message->set_producer_name("slipway");
  auto* opset = message->add_opset_import();
  opset->set_domain("");
  opset->set_version(graph.opset);
}

// All but the data.
void set_tensor(const Initializer& initializer, proto::TensorProto* message) {
  message->set_name(initializer.name);
  message->set_data_type(onnx_type(initializer.dtype));
  for (int64_t size : initializer.sizes) message->add_dims(size);
}

constexpr const char* kLocation = "location";
constexpr const char* kOffset = "offset";

void set_external(const Initializer& initializer, const ExternalData& external,
                  proto::TensorProto* message) {
  set_tensor(initializer, message);
  message->set_data_location(proto::TensorProto::EXTERNAL);
  const auto add = [&](const char* key, std::string value) {
    auto* entry = message->add_external_data();
    entry->set_key(key);
    entry->set_value(std::move(value));
  };
  add(kLocation, external.location);
  add(kOffset, std::to_string(external.offset));
  add("length", std::to_string(initializer.data.size()));
}

Status set_inline(const Initializer& initializer, proto::TensorProto* message) {
  set_tensor(initializer, message);
  std::string* data = message->mutable_raw_data();
  const auto append = [&](std::span<const std::byte> bytes) -> Status {
    data->append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  };
  return initializer.data.write(append);
}

std::string varint(uint64_t value) {
  std::string result;
  while (value >= 0x80) {
    result.push_back(static_cast<char>((value & 0x7f) | 0x80));
    value >>= 7;
  }
  result.push_back(static_cast<char>(value));
  return result;
}

// The tag and length of a field that holds bytes.
std::string field(uint32_t number, uint64_t size) {
  return varint((static_cast<uint64_t>(number) << 3) | 2) + varint(size);
}

uint64_t add_text(std::string text, PieceList& pieces) {
  return pieces.add(own_bytes(std::move(text)));
}

Result<std::string> to_text(const google::protobuf::MessageLite& message) {
  std::string text;
  if (!message.SerializeToString(&text)) {
    return unsupported("the graph without its constants is past the 2 GB of an ONNX message");
  }
  return text;
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\\') == std::string::npos && name.front() != '*';
}

}  // namespace

Result<std::string> serialize_by_reference(const Graph& graph, const Locate& locate) {
  proto::ModelProto model;
  set_model(graph, &model);
  set_graph(graph, model.mutable_graph());
  clear_provenance(model.mutable_graph());
  for (const Initializer& initializer : graph.initializers) {
    auto* tensor = model.mutable_graph()->add_initializer();
    if (initializer.data.size() < kInlineBelow) {
      SLIPWAY_RETURN_IF_ERROR(set_inline(initializer, tensor));
    } else {
      set_external(initializer, locate(initializer), tensor);
    }
  }
  return to_text(model);
}

Result<std::string> relocate(const std::string& model, const Relocate& locate) {
  proto::ModelProto message;
  if (!message.ParseFromString(model)) return invalid_file("this is no ONNX model");
  for (proto::TensorProto& tensor : *message.mutable_graph()->mutable_initializer()) {
    if (tensor.data_location() != proto::TensorProto::EXTERNAL) continue;
    proto::StringStringEntryProto* location = nullptr;
    proto::StringStringEntryProto* offset = nullptr;
    for (proto::StringStringEntryProto& entry : *tensor.mutable_external_data()) {
      if (entry.key() == kLocation) location = &entry;
      if (entry.key() == kOffset) offset = &entry;
    }
    uint64_t number = 0;
    if (location == nullptr || offset == nullptr ||
        std::from_chars(offset->value().data(), offset->value().data() + offset->value().size(),
                        number)
                .ec != std::errc()) {
      return invalid_file("{}: its data has no place", tensor.name());
    }
    const ExternalData external = locate(tensor.name(), number);
    location->set_value(external.location);
    offset->set_value(std::to_string(external.offset));
  }
  return to_text(message);
}

Result<ModelFiles> serialize(const Graph& graph, const std::string& data_name,
                             uint64_t max_inline) {
  if (!is_plain_name(data_name)) {
    return invalid_argument("'{}' is not a plain file name for a model's data", data_name);
  }
  std::vector<const Initializer*> initializers;
  for (const Initializer& initializer : graph.initializers) initializers.push_back(&initializer);
  for (const StateAlias& state : graph.states) {
    if (!state.initial.name.empty()) initializers.push_back(&state.initial);
  }
  uint64_t total = 0;
  for (const Initializer* initializer : initializers) total += initializer->data.size();
  const bool external = total > max_inline;

  ModelFiles files;
  proto::GraphProto body;
  set_graph(graph, &body);
  // The graph's bytes: its message, then each initializer, whose data comes last.
  struct Tensor {
    std::string head;
    const Initializer* data = nullptr;
  };
  std::vector<Tensor> tensors;
  for (const Initializer* initializer : initializers) {
    proto::TensorProto tensor;
    Tensor& entry = tensors.emplace_back();
    if (external && initializer->data.size() >= kInlineBelow) {
      files.data.align(64);
      set_external(*initializer, {data_name, files.data.add(initializer->data)}, &tensor);
      SLIPWAY_ASSIGN_OR_RETURN(std::string text, to_text(tensor));
      entry.head = field(kInitializerField, text.size()) + text;
    } else {
      set_tensor(*initializer, &tensor);
      SLIPWAY_ASSIGN_OR_RETURN(std::string text, to_text(tensor));
      text += field(kRawDataField, initializer->data.size());
      entry.head = field(kInitializerField, text.size() + initializer->data.size()) + text;
      entry.data = initializer;
    }
  }
  SLIPWAY_ASSIGN_OR_RETURN(std::string body_text, to_text(body));
  uint64_t size = body_text.size();
  for (const Tensor& tensor : tensors) {
    size += tensor.head.size() + (tensor.data ? tensor.data->data.size() : 0);
  }
  if (size > INT32_MAX) {
    return unsupported("the graph without its larger constants is past the 2 GB of ONNX");
  }
  proto::ModelProto model;
  set_model(graph, &model);
  SLIPWAY_ASSIGN_OR_RETURN(std::string model_text, to_text(model));
  add_text(model_text + field(kGraphField, size), files.model);
  add_text(std::move(body_text), files.model);
  for (Tensor& tensor : tensors) {
    add_text(std::move(tensor.head), files.model);
    if (tensor.data && tensor.data->data.size() > 0) files.model.add(tensor.data->data);
  }
  return files;
}

Status save(const Graph& graph, const std::string& path, uint64_t max_inline,
            const WriteProgress& progress, const FileCheck& check) {
  const std::filesystem::path data = data_path(path);
  SLIPWAY_ASSIGN_OR_RETURN(const ModelFiles files,
                           serialize(graph, data.filename().string(), max_inline));
  std::vector<FileToWrite> both;
  if (files.data.size() > 0) both.push_back({data.string(), &files.data, check});
  both.push_back({path, &files.model, check});
  return write_files(both, progress);
}

}  // namespace slipway::onnx
