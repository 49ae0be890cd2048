#include "xnnpack/builder/writer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <type_traits>

#include "base/error.h"
#include "base/half.h"
#include "base/try.h"

namespace slipway::xnnpack {
namespace {

namespace xnn = fb_xnnpack;

constexpr uint32_t kInputFlag = 1;   // XNN_VALUE_FLAG_EXTERNAL_INPUT
constexpr uint32_t kOutputFlag = 2;  // XNN_VALUE_FLAG_EXTERNAL_OUTPUT
constexpr uint64_t kAlignment = 16;  // of each constant, as ExecuTorch writes them
// XNNPACK's kernels may read that far past what they are given (XNN_EXTRA_BYTES).
constexpr uint64_t kSpare = 128;
constexpr uint16_t kHeaderSize = 30;
constexpr uint32_t kTables = 32;

constexpr uint64_t aligned(uint64_t size) { return (size + kAlignment - 1) & ~(kAlignment - 1); }

uint64_t elements_of(const Sizes& sizes) {
  uint64_t count = 1;
  for (const int64_t size : sizes) count *= static_cast<uint64_t>(size);
  return count;
}

bool is_as_it_lies(const View& view) {
  int64_t stride = 1;
  for (size_t i = view.sizes.size(); i-- > 0;) {
    if (view.sizes[i] != 1 && view.strides[i] != stride) return false;
    stride *= view.sizes[i];
  }
  return true;
}

template <class T>
bool are_equal(const std::shared_ptr<const std::vector<T>>& a,
               const std::shared_ptr<const std::vector<T>>& b) {
  return a == b || (a != nullptr && b != nullptr && a->size() == b->size() &&
                    std::memcmp(a->data(), b->data(), a->size() * sizeof(T)) == 0);
}

template <float (*read)(uint16_t)>
struct Half {
  uint16_t bits;
  operator float() const { return read(bits); }
};

// Sends the view's elements, which are of type From, in its order.
template <class From, class To>
Status send(const View& view, std::span<const std::byte> bytes, const ByteSink& sink) {
  constexpr bool kConverts = !std::is_same_v<From, To>;
  const bool scales = view.factors != nullptr && std::is_same_v<To, float>;
  if (!kConverts && !scales && is_as_it_lies(view)) {
    return sink(bytes.first(elements_of(view.sizes) * sizeof(To)));
  }
  constexpr size_t kChunk = 16384;
  std::vector<To> chunk;
  chunk.reserve(kChunk);
  std::vector<int64_t> at(view.sizes.size(), 0);
  int64_t offset = 0;
  for (uint64_t left = elements_of(view.sizes); left > 0; --left) {
    From held = {};
    std::memcpy(&held, bytes.data() + static_cast<size_t>(offset) * sizeof held, sizeof held);
    To element = held;
    if constexpr (kConverts) element = static_cast<To>(held - view.zero_point);
    if (scales) {
      size_t place = view.factors->size() == 1 ? 0 : static_cast<size_t>(at[view.scaled_dim]);
      if (view.group != 0) {
        place = place * static_cast<size_t>(view.sizes[view.grouped_dim] / view.group) +
                static_cast<size_t>(at[view.grouped_dim] / view.group);
      }
      element = static_cast<To>(static_cast<float>(element) * view.factors->at(place));
    }
    chunk.push_back(element);
    if (chunk.size() == kChunk || left == 1) {
      SLIPWAY_RETURN_IF_ERROR(sink(std::as_bytes(std::span(chunk))));
      chunk.clear();
    }
    for (size_t i = at.size(); i-- > 0;) {
      offset += view.strides[i];
      if (++at[i] < view.sizes[i]) break;
      offset -= view.strides[i] * view.sizes[i];
      at[i] = 0;
    }
  }
  return {};
}

// Sends the levels of four bits of a matrix.
Status send_nibbles(const View& view, std::span<const std::byte> bytes, const ByteSink& sink) {
  constexpr int kShift = 8;
  const auto nibble = [&](int64_t row, int64_t column) -> int {
    if (column == view.sizes[1]) return kShift;
    const int64_t offset = row * view.strides[0] + column * view.strides[1];
    return static_cast<int8_t>(bytes[static_cast<size_t>(offset)]) + kShift;
  };
  std::vector<std::byte> line(static_cast<size_t>(view.sizes[1] + 1) / 2);
  for (int64_t row = 0; row < view.sizes[0]; ++row) {
    for (size_t i = 0; i < line.size(); ++i) {
      const int low = nibble(row, static_cast<int64_t>(2 * i));
      const int high = nibble(row, static_cast<int64_t>(2 * i + 1));
      if (((low | high) & ~0xF) != 0) return internal_error("a level has more than four bits");
      line[i] = static_cast<std::byte>(low | high << 4);
    }
    SLIPWAY_RETURN_IF_ERROR(sink(line));
  }
  return {};
}

}  // namespace

Sizes contiguous_strides(const Sizes& sizes) {
  Sizes strides(sizes.size(), 1);
  for (size_t i = sizes.size(); i-- > 1;) strides[i - 1] = strides[i] * sizes[i];
  return strides;
}

bool View::operator==(const View& other) const {
  return initializer == other.initializer && sizes == other.sizes && strides == other.strides &&
         dtype == other.dtype && scaled_dim == other.scaled_dim && zero_point == other.zero_point &&
         group == other.group && grouped_dim == other.grouped_dim && is_narrow == other.is_narrow &&
         are_equal(bytes, other.bytes) && are_equal(factors, other.factors);
}

View permuted(const View& view, const Sizes& order) {
  View result = view;
  for (size_t i = 0; i < order.size(); ++i) {
    result.sizes[i] = view.sizes[static_cast<size_t>(order[i])];
    result.strides[i] = view.strides[static_cast<size_t>(order[i])];
    if (static_cast<size_t>(order[i]) == view.scaled_dim) result.scaled_dim = i;
    if (static_cast<size_t>(order[i]) == view.grouped_dim) result.grouped_dim = i;
  }
  return result;
}

View as_images(View view) {
  if (view.sizes.size() == 3) {
    view.sizes.insert(view.sizes.begin() + 2, 1);
    view.strides.insert(view.strides.begin() + 2, 0);
    if (view.scaled_dim == 2) view.scaled_dim = 3;
  }
  return view;
}

flatbuffers::Offset<flatbuffers::Vector<uint32_t>> Writer::list(const Sizes& items) {
  return builder_.CreateVector(std::vector<uint32_t>(items.begin(), items.end()));
}

Writer::Parameters Writer::parameters(const Type& type) {
  if (!type.quantization) {
    if (type.numbers == DType::kFloat16) return {xnn::XNNDatatype::xnn_datatype_fp16};
    if (type.numbers == DType::kBFloat16) return {xnn::XNNDatatype::xnn_datatype_bf16};
    return {};
  }
  const Quantization& levels = *type.quantization;
  return {xnn::XNNDatatype::xnn_datatype_qint8, xnn::XNNQuantParams::PerTensorQuant,
          xnn::CreatePerTensorQuant(builder_, levels.scale, levels.zero_point).Union()};
}

void Writer::define(const Sizes& sizes, uint32_t data, uint32_t place, uint32_t flags, uint32_t id,
                    const Parameters& parameters) {
  const auto tensor =
      xnn::CreateXNNTensorValue(builder_, parameters.type, static_cast<uint32_t>(sizes.size()),
                                list(sizes), data, place, flags, id);
  if (parameters.kind == xnn::XNNQuantParams::NONE) {
    values_.push_back(
        xnn::CreateXValue(builder_, xnn::XValueUnion::XNNTensorValue, tensor.Union()));
    return;
  }
  const auto value =
      xnn::CreateXNNQuantizedTensorValue(builder_, tensor, parameters.kind, parameters.table);
  values_.push_back(
      xnn::CreateXValue(builder_, xnn::XValueUnion::XNNQuantizedTensorValue, value.Union()));
}

uint32_t Writer::tensor(const Sizes& sizes, const Type& type) {
  define(sizes, 0, kNone, 0, next_id_, parameters(type));
  return next_id_++;
}

uint64_t Writer::Data::nbytes() const {
  if (form == Form::kNibbles) {
    return static_cast<uint64_t>(view.sizes[0]) * ((static_cast<uint64_t>(view.sizes[1]) + 1) / 2);
  }
  const bool as_floats = form == Form::kFloats;
  return elements_of(view.sizes) * (as_floats ? sizeof(float) : dtype_size(view.dtype));
}

uint32_t Writer::put(Data data) {
  const auto found = std::find(constants_.begin(), constants_.end(), data);
  const auto index = static_cast<uint32_t>(found - constants_.begin()) + 1;
  if (found == constants_.end()) {
    data_.push_back(xnn::CreateConstantDataOffset(builder_, data_end_, data.nbytes()));
    data_end_ += aligned(data.nbytes());
    constants_.push_back(std::move(data));
  }
  return index;
}

uint32_t Writer::constant(const View& view, const Sizes& dims) {
  define(dims, put({view, Form::kFloats}), kNone, 0, next_id_, {});
  return next_id_++;
}

uint32_t Writer::filter(const View& view, const Sizes& dims) {
  if (view.dtype != DType::kFloat16 || view.factors != nullptr) return constant(view, dims);
  return weight(dims, put({view, Form::kAsIs}), parameters({std::nullopt, view.dtype}));
}

uint32_t Writer::levels(const View& view, const Sizes& dims, const std::vector<float>& scales,
                        std::optional<size_t> scaled_dim) {
  using Type = xnn::XNNDatatype;
  const bool is_wide = view.dtype == DType::kInt32;
  const uint32_t data = put({view, Form::kAsIs});
  Parameters quantized = {};
  if (!scaled_dim) {
    quantized = {is_wide ? Type::xnn_datatype_qint32 : Type::xnn_datatype_qint8,
                 xnn::XNNQuantParams::PerTensorQuant,
                 xnn::CreatePerTensorQuant(builder_, scales.front(), 0).Union()};
  } else {
    quantized = {
        is_wide ? Type::xnn_datatype_qcint32 : Type::xnn_datatype_qcint8,
        xnn::XNNQuantParams::PerChannelQuant,
        xnn::CreatePerChannelQuantDirect(builder_, &scales, static_cast<int>(*scaled_dim)).Union()};
  }
  return weight(dims, data, quantized);
}

uint32_t Writer::weight(const Sizes& dims, uint32_t data, const Parameters& parameters) {
  define(dims, data, kNone, 0, next_id_, parameters);
  return next_id_++;
}

uint32_t Writer::nibbles(const View& view, const std::vector<float>& scales) {
  const uint32_t data = put({view, Form::kNibbles});
  return weight(view.sizes, data,
                {xnn::XNNDatatype::xnn_datatype_qcint4, xnn::XNNQuantParams::PerChannelQuant,
                 xnn::CreatePerChannelQuantDirect(builder_, &scales, 0).Union()});
}

uint32_t Writer::nibbles_in_groups(const View& view, const std::vector<uint16_t>& scales) {
  const auto count = static_cast<int64_t>(scales.size());
  const View of_scales = {nullptr, {count}, {1}, bytes_of(scales), DType::kBFloat16};
  const uint32_t scale_data = put({of_scales, Form::kAsIs});
  const uint32_t data = put({view, Form::kNibbles});
  // The delegate reads the list, too.
  const auto listed = builder_.CreateVector(std::vector<float>());
  const auto group = static_cast<int32_t>(view.group);
  return weight(view.sizes, data,
                {xnn::XNNDatatype::xnn_datatype_qbint4, xnn::XNNQuantParams::PerChannelGroupQuant,
                 xnn::CreatePerChannelGroupQuant(builder_, listed, 0, group, scale_data,
                                                 static_cast<uint32_t>(count))
                     .Union()});
}

uint32_t Writer::rows(const Sizes& sizes) {
  define(
      sizes, 0, kNone, 0, next_id_,
      Parameters{xnn::XNNDatatype::xnn_datatype_qdint8, xnn::XNNQuantParams::PerTokenDynamicQuant,
                 xnn::CreatePerTokenDynamicQuant(builder_, 1).Union()});
  return next_id_++;
}

void Writer::input(uint32_t place, const Sizes& sizes, const Type& type) {
  inputs_.push_back(place);
  define(sizes, 0, place, kInputFlag, place, parameters(type));
}

void Writer::output(uint32_t place, const Sizes& sizes, const Type& type) {
  outputs_.push_back(place);
  define(sizes, 0, place, kOutputFlag, place, parameters(type));
}

void Writer::transpose(uint32_t from, const Sizes& order, uint32_t to) {
  node(xnn::XNodeUnion::XNNStaticTranspose,
       xnn::CreateXNNStaticTranspose(builder_, static_cast<uint32_t>(order.size()), list(order),
                                     from, to));
}

void Writer::reshape(uint32_t from, const Sizes& sizes, uint32_t to) {
  node(xnn::XNodeUnion::XNNStaticReshape,
       xnn::CreateXNNStaticReshape(builder_, static_cast<uint32_t>(sizes.size()), list(sizes), from,
                                   to));
}

void Writer::slice(uint32_t from, const Sizes& offsets, const Sizes& sizes, uint32_t to) {
  const auto starts = list(offsets);
  node(xnn::XNodeUnion::XNNStaticSlice,
       xnn::CreateXNNStaticSlice(builder_, static_cast<uint32_t>(sizes.size()), starts, list(sizes),
                                 from, to));
}

uint32_t Writer::pad(uint32_t from, const Sizes& before, const Sizes& after, float fill,
                     uint32_t to) {
  const auto starts = list(before);
  node(xnn::XNodeUnion::XNNStaticConstantPad,
       xnn::CreateXNNStaticConstantPad(builder_, starts, list(after), fill, from, to));
  return to;
}

Status Writer::write(const BytesOf& bytes, const ByteSink& sink) {
  const auto root = xnn::CreateXNNGraphDirect(
      builder_, "0", &nodes_, &values_, static_cast<uint32_t>(inputs_.size() + outputs_.size()),
      &inputs_, &outputs_, nullptr, nullptr, &data_);
  builder_.Finish(root, xnn::XNNGraphIdentifier());
  const uint64_t tables = builder_.GetSize();
  const uint64_t constants = kTables + aligned(tables);
  if (constants > UINT32_MAX) return unsupported("its graph has more than 4 GiB without weights");

  std::array<std::byte, kTables> header = {};
  std::memcpy(header.data() + 4, "XH00", 4);
  const auto put = [&](size_t at, auto number) {
    std::memcpy(header.data() + at, &number, sizeof number);
  };
  put(8, kHeaderSize);
  put(10, kTables);
  put(14, static_cast<uint32_t>(tables));
  put(18, static_cast<uint32_t>(constants));
  put(22, data_end_ + kSpare);

  PieceList pieces;
  pieces.add(OwnedSpan{header, nullptr});
  pieces.add(OwnedSpan{std::as_bytes(std::span(builder_.GetBufferPointer(), tables)), nullptr});
  pieces.pad_to(constants);
  for (const Data& data : constants_) {
    pieces.add(data.nbytes(), [&](const ByteSink& to) {
      const View& view = data.view;
      const std::span<const std::byte> held =
          view.initializer == nullptr ? std::span(*view.bytes) : bytes(*view.initializer);
      if (data.form == Form::kNibbles) return send_nibbles(view, held, to);
      if (view.dtype == DType::kFloat32) return send<float, float>(view, held, to);
      if (view.dtype == DType::kInt32) return send<int32_t, int32_t>(view, held, to);
      const bool as_floats = data.form == Form::kFloats;
      if (as_floats && view.dtype == DType::kFloat16) {
        return send<Half<from_float16>, float>(view, held, to);
      }
      if (as_floats && view.dtype == DType::kBFloat16) {
        return send<Half<from_bfloat16>, float>(view, held, to);
      }
      if (is_half(view.dtype)) return send<uint16_t, uint16_t>(view, held, to);
      return as_floats ? send<int8_t, float>(view, held, to) : send<int8_t, int8_t>(view, held, to);
    });
    pieces.align(kAlignment);
  }
  pieces.pad_to(constants + data_end_ + kSpare);
  return pieces.write(sink);
}

}  // namespace slipway::xnnpack
