#include "xnnpack/format/graph.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <unordered_set>

#include "base/checked.h"
#include "base/error.h"
#include "base/load.h"
#include "base/try.h"
#include "pte/format/limits.h"
#include "pte/format/vectors.h"
#include "xnnpack/format/nodes.h"

namespace slipway::xnnpack {
namespace {

namespace xnn = fb_xnnpack;
using Type = xnn::XNNDatatype;
using pte::count;
using pte::kMaxTableDepth;
using pte::kMaxTables;
using pte::kStepsOfOne;
using pte::view;

constexpr uint32_t kNoId = UINT32_MAX;  // XNN_INVALID_VALUE_ID
constexpr uint32_t kMaxEnds = 4096;     // what ExecuTorch allows
constexpr uint32_t kInputFlag = 1;      // XNN_VALUE_FLAG_EXTERNAL_INPUT
constexpr uint32_t kOutputFlag = 2;     // XNN_VALUE_FLAG_EXTERNAL_OUTPUT
constexpr size_t kIdentifier = 4;  // where a flatbuffer's identifier and the header's magic are
constexpr size_t kAlignment = 16;  // of a flatbuffer

// What nodes may make, beside what goes in, is there, and comes out.
constexpr uint64_t kSpareMemory = uint64_t{64} << 20;
constexpr uint64_t kMostGrowth = 1024;

struct Parts {
  std::span<const std::byte> graph;
  // Nothing where constants are in the graph, as they were before there was a header.
  std::optional<std::span<const std::byte>> constants;
};

Result<Parts> split(std::span<const std::byte> blob) {
  constexpr size_t kHeader = 30;
  if (blob.size() < kHeader) return invalid_file("it is cut short");
  if (std::memcmp(blob.data() + kIdentifier, "XH00", 4) != 0) return Parts{blob, std::nullopt};
  const auto graph = load<uint32_t>(blob, 10);
  const auto graph_size = load<uint32_t>(blob, 14);
  const auto constants = load<uint32_t>(blob, 18);
  const auto constants_size = load<uint64_t>(blob, 22);
  if (load<uint16_t>(blob, 8) != kHeader || graph < kHeader ||
      !range_fits(graph, graph_size, blob.size()) ||
      !range_fits(constants, constants_size, blob.size()) ||
      constants < uint64_t{graph} + graph_size) {
    return invalid_file("its header is damaged, or it is cut short");
  }
  return Parts{blob.subspan(graph, graph_size), blob.subspan(constants, constants_size)};
}

struct Element {
  uint64_t bits = 0;
  std::optional<DType> dtype;  // of a call's argument
};

std::optional<Element> element_of(Type type) {
  switch (type) {
    case Type::xnn_datatype_fp32:
      return Element{32, DType::kFloat32};
    case Type::xnn_datatype_fp16:
      return Element{16, DType::kFloat16};
    case Type::xnn_datatype_bf16:
      return Element{16, DType::kBFloat16};
    case Type::xnn_datatype_qint8:
      return Element{8, DType::kInt8};
    case Type::xnn_datatype_quint8:
      return Element{8, DType::kUInt8};
    case Type::xnn_datatype_int32:
      return Element{32, DType::kInt32};
    case Type::xnn_datatype_qcint8:
    case Type::xnn_datatype_qdint8:
      return Element{8, std::nullopt};
    case Type::xnn_datatype_qint32:
    case Type::xnn_datatype_qcint32:
      return Element{32, std::nullopt};
    case Type::xnn_datatype_qcint4:
    case Type::xnn_datatype_qbint4:
      return Element{4, std::nullopt};
    default:
      return std::nullopt;
  }
}

class GraphReader {
 public:
  GraphReader(const xnn::XNNGraph& graph, std::optional<std::span<const std::byte>> constants,
              const engine::BlobSurroundings& surroundings)
      : graph_(graph), constants_(constants), surroundings_(surroundings) {}

  Result<std::vector<engine::BlobEnd>> read() {
    if (graph_.xvalues() == nullptr || graph_.xnodes() == nullptr) {
      return invalid_file("its values or its nodes are missing");
    }
    if (graph_.num_externs() > kMaxEnds) {
      return invalid_file("it has {} inputs and outputs", graph_.num_externs());
    }
    SLIPWAY_RETURN_IF_ERROR(surroundings_.count_steps(
        kStepsOfOne * (uint64_t{graph_.xvalues()->size()} + graph_.xnodes()->size())));
    for (uint32_t i = 0; i < graph_.xvalues()->size(); ++i) {
      if (auto status = read_value(*graph_.xvalues()->Get(i)); !status.ok()) {
        return status.error().with_context(fmt::format("value {}", i));
      }
    }
    const auto memory = checked_add(kSpareMemory, memory_ * kMostGrowth);
    SLIPWAY_RETURN_IF_ERROR(check_nodes(graph_, values_, *memory));
    std::vector<engine::BlobEnd> ends;
    for (const auto& [end, id] : ends_) {
      const Value& value = values_.at(id);
      if (!value.there) return invalid_file("no node makes output {}", end);
      const DType dtype = value.is_indices ? DType::kInt64 : *element_of(value.type)->dtype;
      ends.push_back({end, value.output, dtype, value.sizes});
    }
    return ends;
  }

 private:
  Status read_value(const xnn::XValue& value) {
    const auto* quantized = value.xvalue_union_as_XNNQuantizedTensorValue();
    const auto* tensor =
        quantized != nullptr ? quantized->tensor_value() : value.xvalue_union_as_XNNTensorValue();
    if (tensor == nullptr) return invalid_file("it is no tensor");
    const auto element = element_of(tensor->datatype());
    if (!element) {
      return unsupported("its type is {}, which is not supported",
                         static_cast<int>(tensor->datatype()));
    }
    if (tensor->dq_datatype() != Type::xnn_datatype_invalid) {
      return unsupported("it is quantized in the way of before 2024, which is not supported");
    }
    Value read;
    read.type = tensor->datatype();
    if (count(tensor->dims()) != tensor->num_dims() || tensor->num_dims() > kMaxRank) {
      return invalid_file("it has {} dimensions, and {} sizes", tensor->num_dims(),
                          count(tensor->dims()));
    }
    if (tensor->dims() != nullptr)
      read.sizes.assign(tensor->dims()->begin(), tensor->dims()->end());
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t elements, count_elements(read.sizes));
    if (tensor->constant_buffer_idx() != 0) {
      SLIPWAY_RETURN_IF_ERROR(check_data(tensor->constant_buffer_idx(), bytes_of(read, *element)));
      read.constant = read.there = true;
    }
    SLIPWAY_RETURN_IF_ERROR(read_ends(*tensor, *element, read));
    SLIPWAY_RETURN_IF_ERROR(check_quantization(quantized, read));
    // Saturated: what is too much stays so.
    memory_ = std::min(uint64_t{1} << 44, memory_ + elements * sizeof(float));
    if (tensor->id_out() == kNoId || !values_.emplace(tensor->id_out(), std::move(read)).second) {
      return invalid_file("its id, {}, is taken", tensor->id_out());
    }
    return {};
  }

  // Rows of four bits begin at a byte.
  static uint64_t bytes_of(const Value& value, const Element& element) {
    std::vector<uint64_t> sizes = value.sizes;
    if (element.bits == 4 && !sizes.empty()) sizes.back() += sizes.back() % 2;
    const auto elements = count_elements(sizes);
    return elements.ok() ? (*elements * element.bits + 7) / 8 : UINT64_MAX;
  }

  Status check_data(uint32_t index, uint64_t needed) const {
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t available, data_size(index));
    if (available < needed) {
      return invalid_file("its data has {} bytes, and it needs {}", available, needed);
    }
    return {};
  }

  Result<uint64_t> data_size(uint32_t index) const {
    if (!constants_) {
      if (index >= count(graph_.constant_buffer())) return missing_data();
      const auto* storage = graph_.constant_buffer()->Get(index)->storage();
      return storage == nullptr ? Result<uint64_t>(missing_data()) : uint64_t{storage->size()};
    }
    if (index >= count(graph_.constant_data())) return missing_data();
    const xnn::ConstantDataOffset& data = *graph_.constant_data()->Get(index);
    if (data.named_key() != nullptr) {
      if (const auto size = surroundings_.named_size(view(data.named_key()))) return *size;
      return missing_data();
    }
    if (!range_fits(data.offset(), data.size(), constants_->size())) {
      return invalid_file("its data is not within the constants");
    }
    return data.size();
  }
  static Error missing_data() { return invalid_file("its data is not in the file"); }

  Status read_ends(const xnn::XNNTensorValue& tensor, const Element& element, Value& value) {
    const uint32_t flags = tensor.flags();
    if (flags == 0) {
      if (tensor.external_id() == kNoId) return {};
      return invalid_file("it is neither an input nor an output, and has the place of one");
    }
    if ((flags != kInputFlag && flags != kOutputFlag) || value.constant) {
      return invalid_file("it has to be one of an input, an output and a constant");
    }
    if (tensor.external_id() >= graph_.num_externs()) {
      return invalid_file("it is input or output {} of {}", tensor.external_id(),
                          graph_.num_externs());
    }
    if (!element.dtype) return invalid_file("no input or output has its type");
    if (!places_.insert(tensor.external_id()).second) {
      return invalid_file("input or output {} is there twice", tensor.external_id());
    }
    ends_.emplace_back(tensor.external_id(), tensor.id_out());
    value.output = flags == kOutputFlag;
    value.there = !value.output;
    return {};
  }

  Status check_quantization(const xnn::XNNQuantizedTensorValue* quantized, Value& value) {
    using Kind = xnn::XNNQuantParams;
    const Kind kind = quantized == nullptr ? Kind::NONE : quantized->quant_params_type();
    if (kind != Kind::NONE && quantized->quant_params() == nullptr) {
      return invalid_file("its quantization is missing");
    }
    switch (value.type) {
      case Type::xnn_datatype_qint8:
      case Type::xnn_datatype_quint8:
      case Type::xnn_datatype_qint32:
        if (kind != Kind::PerTensorQuant) break;
        SLIPWAY_RETURN_IF_ERROR(check_zero_point(
            value.type, quantized->quant_params_as_PerTensorQuant()->zero_point()));
        return check_scale(quantized->quant_params_as_PerTensorQuant()->scale());
      case Type::xnn_datatype_qcint8:
      case Type::xnn_datatype_qcint32:
      case Type::xnn_datatype_qcint4:
        if (kind != Kind::PerChannelQuant) break;
        return check_channels(*quantized->quant_params_as_PerChannelQuant(), value);
      case Type::xnn_datatype_qbint4:
        if (kind != Kind::PerChannelGroupQuant) break;
        return check_groups(*quantized->quant_params_as_PerChannelGroupQuant(), value);
      case Type::xnn_datatype_qdint8: {
        if (kind != Kind::PerTokenDynamicQuant || value.constant) break;
        const auto dims = quantized->quant_params_as_PerTokenDynamicQuant()->num_nonbatch_dims();
        if (dims < 1 || static_cast<size_t>(dims) > value.sizes.size()) {
          return invalid_file("its scales are of {} of {} dimensions", dims, value.sizes.size());
        }
        value.row_dims = static_cast<uint64_t>(dims);
        return {};
      }
      default:
        if (quantized == nullptr) return {};
    }
    return invalid_file("its type, {}, does not go with its quantization",
                        static_cast<int>(value.type));
  }

  static Status check_scale(float scale) {
    if (std::isnormal(scale) && scale > 0) return {};
    return invalid_file("its scale is {}", scale);
  }

  // XNNPACK takes those of its types, and sums without one.
  static Status check_zero_point(Type type, int32_t zero_point) {
    const bool is_sum = type == Type::xnn_datatype_qint32;
    const int32_t least = type == Type::xnn_datatype_qint8 ? -128 : 0;
    const int32_t most = is_sum ? 0 : least + 255;
    if (zero_point >= least && zero_point <= most) return {};
    return invalid_file("its zero point, {}, is not in {} to {}", zero_point, least, most);
  }

  // `listed` or data of the file. ExecuTorch reads the list even where there is data.
  Status check_scales(const flatbuffers::Vector<float>* listed, uint32_t data, uint64_t width,
                      uint64_t needed) const {
    if (listed == nullptr) return invalid_file("its scales are missing");
    if (data != 0) return check_data(data, needed * width);
    if (listed->size() != needed) {
      return invalid_file("it has {} scales, and needs {}", listed->size(), needed);
    }
    SLIPWAY_RETURN_IF_ERROR(surroundings_.count_steps(needed));
    for (const float scale : *listed) SLIPWAY_RETURN_IF_ERROR(check_scale(scale));
    return {};
  }

  Status check_channels(const xnn::PerChannelQuant& quantization, const Value& value) const {
    const int32_t dim = quantization.channel_dim();
    if (dim < 0 || static_cast<size_t>(dim) >= value.sizes.size()) {
      return invalid_file("its scales are along dimension {} of {}", dim, value.sizes.size());
    }
    return check_scales(quantization.scale(), quantization.scale_buffer_idx(), sizeof(float),
                        value.sizes[static_cast<size_t>(dim)]);
  }

  Status check_groups(const xnn::PerChannelGroupQuant& quantization, const Value& value) const {
    const int32_t group = quantization.group_size();
    if (value.sizes.size() != 2 || quantization.channel_dim() != 0 || group <= 0 ||
        value.sizes[1] % static_cast<uint64_t>(group) != 0) {
      return invalid_file("its groups of {} do not fit its sizes", group);
    }
    const uint64_t groups = value.sizes[0] * (value.sizes[1] / static_cast<uint64_t>(group));
    if (quantization.scale_buffer_idx() != 0 && quantization.num_scales() != groups) {
      return invalid_file("it has {} scales, and needs {}", quantization.num_scales(), groups);
    }
    return check_scales(quantization.scale(), quantization.scale_buffer_idx(), sizeof(uint16_t),
                        groups);
  }

  const xnn::XNNGraph& graph_;
  std::optional<std::span<const std::byte>> constants_;
  const engine::BlobSurroundings& surroundings_;
  Values values_;
  std::unordered_set<uint32_t> places_;
  std::vector<std::pair<uint32_t, uint32_t>> ends_;  // place and id
  uint64_t memory_ = 0;
};

}  // namespace

Result<std::vector<engine::BlobEnd>> check_graph(std::span<const std::byte> blob,
                                                 const engine::BlobSurroundings& surroundings) {
  SLIPWAY_ASSIGN_OR_RETURN(const Parts parts, split(blob));
  auto bytes = parts.graph;
  std::vector<std::byte> aligned;
  if (reinterpret_cast<uintptr_t>(bytes.data()) % kAlignment != 0) {
    aligned.assign(bytes.begin(), bytes.end());
    bytes = aligned;
  }
  const auto identifier = [&](const char* text) {
    return bytes.size() > kIdentifier + 4 && std::memcmp(bytes.data() + kIdentifier, text, 4) == 0;
  };
  if (!identifier("XN00") && !identifier("XN01")) {
    return invalid_file("it is no graph of XNNPACK, or of another version");
  }
  flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(),
                                 kMaxTableDepth, kMaxTables);
  if (bytes.size() >= FLATBUFFERS_MAX_BUFFER_SIZE ||
      !verifier.VerifyBuffer<xnn::XNNGraph>(nullptr)) {
    return invalid_file("its tables are damaged or cut short");
  }
  return GraphReader(*flatbuffers::GetRoot<xnn::XNNGraph>(bytes.data()), parts.constants,
                     surroundings)
      .read();
}

}  // namespace slipway::xnnpack
