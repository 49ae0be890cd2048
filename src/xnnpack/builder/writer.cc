#include "xnnpack/builder/writer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "base/error.h"
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
  if (view.factors != nullptr) return false;
  int64_t stride = 1;
  for (size_t i = view.sizes.size(); i-- > 0;) {
    if (view.sizes[i] != 1 && view.strides[i] != stride) return false;
    stride *= view.sizes[i];
  }
  return true;
}

bool are_equal(const Numbers& a, const Numbers& b) {
  return a == b || (a != nullptr && b != nullptr && a->size() == b->size() &&
                    std::memcmp(a->data(), b->data(), a->size() * sizeof(float)) == 0);
}

// Sends the view's elements in its order.
Status send(const View& view, std::span<const std::byte> bytes, const ByteSink& sink) {
  if (is_as_it_lies(view)) return sink(bytes.first(elements_of(view.sizes) * sizeof(float)));
  constexpr size_t kChunk = 16384;
  std::vector<float> chunk;
  chunk.reserve(kChunk);
  std::vector<int64_t> at(view.sizes.size(), 0);
  int64_t offset = 0;
  for (uint64_t left = elements_of(view.sizes); left > 0; --left) {
    float element = 0;
    std::memcpy(&element, bytes.data() + static_cast<size_t>(offset) * sizeof element,
                sizeof element);
    if (view.factors != nullptr) {
      element *= view.factors->at(static_cast<size_t>(at[view.scaled_dim]));
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

}  // namespace

bool View::operator==(const View& other) const {
  return initializer == other.initializer && sizes == other.sizes && strides == other.strides &&
         scaled_dim == other.scaled_dim && are_equal(numbers, other.numbers) &&
         are_equal(factors, other.factors);
}

View permuted(const View& view, const Sizes& order) {
  View result = view;
  for (size_t i = 0; i < order.size(); ++i) {
    result.sizes[i] = view.sizes[static_cast<size_t>(order[i])];
    result.strides[i] = view.strides[static_cast<size_t>(order[i])];
  }
  return result;
}

View as_images(View view) {
  if (view.sizes.size() == 3) {
    view.sizes.insert(view.sizes.begin() + 2, 1);
    view.strides.insert(view.strides.begin() + 2, 0);
  }
  return view;
}

flatbuffers::Offset<flatbuffers::Vector<uint32_t>> Writer::list(const Sizes& items) {
  return builder_.CreateVector(std::vector<uint32_t>(items.begin(), items.end()));
}

void Writer::define(const Sizes& sizes, uint32_t data, uint32_t place, uint32_t flags,
                    uint32_t id) {
  const auto tensor = xnn::CreateXNNTensorValue(builder_, xnn::XNNDatatype::xnn_datatype_fp32,
                                                static_cast<uint32_t>(sizes.size()), list(sizes),
                                                data, place, flags, id);
  values_.push_back(xnn::CreateXValue(builder_, xnn::XValueUnion::XNNTensorValue, tensor.Union()));
}

uint32_t Writer::tensor(const Sizes& sizes) {
  define(sizes, 0, kNone, 0, next_id_);
  return next_id_++;
}

uint32_t Writer::constant(const View& view, const Sizes& dims) {
  const auto found = std::find(views_.begin(), views_.end(), view);
  const auto index = static_cast<uint32_t>(found - views_.begin()) + 1;
  if (found == views_.end()) {
    const uint64_t size = elements_of(view.sizes) * sizeof(float);
    views_.push_back(view);
    data_.push_back(xnn::CreateConstantDataOffset(builder_, data_end_, size));
    data_end_ += aligned(size);
  }
  define(dims, index, kNone, 0, next_id_);
  return next_id_++;
}

void Writer::input(uint32_t place, const Sizes& sizes) {
  inputs_.push_back(place);
  define(sizes, 0, place, kInputFlag, place);
}

void Writer::output(uint32_t place, const Sizes& sizes) {
  outputs_.push_back(place);
  define(sizes, 0, place, kOutputFlag, place);
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
  for (const View& view : views_) {
    pieces.add(elements_of(view.sizes) * sizeof(float), [&](const ByteSink& to) {
      if (view.initializer == nullptr) {
        return send(view, std::as_bytes(std::span(*view.numbers)), to);
      }
      return send(view, bytes(*view.initializer), to);
    });
    pieces.align(kAlignment);
  }
  pieces.pad_to(constants + data_end_ + kSpare);
  return pieces.write(sink);
}

}  // namespace slipway::xnnpack
