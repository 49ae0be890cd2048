#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/try.h"
#include "ir/program.h"

namespace slipway::ir {

namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;

// The dimensions that have more than one element, with neighbours merged where one stride covers
// both; the last is the innermost.
struct Dimension {
  int64_t size;
  int64_t stride;
};

std::vector<Dimension> merged_dimensions(const ConstantData& data) {
  std::vector<Dimension> result;
  for (size_t i = 0; i < data.sizes.size(); ++i) {
    if (data.sizes[i] == 1) continue;
    Dimension inner{data.sizes[i], data.strides[i]};
    if (!result.empty() &&
        checked_mul_signed(inner.size, inner.stride) == std::optional(result.back().stride)) {
      result.back() = {result.back().size * inner.size, inner.stride};
    } else {
      result.push_back(inner);
    }
  }
  if (result.empty()) result.push_back({1, 1});
  return result;
}

template <class Element>
void copy_strided(const std::byte* from, int64_t stride, int64_t count, std::byte* to) {
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(to + i * sizeof(Element), from + i * stride * static_cast<int64_t>(sizeof(Element)),
                sizeof(Element));
  }
}

struct Element16 {
  std::byte bytes[16];
};

void copy_row(const std::byte* from, int64_t stride, int64_t count, size_t element_size,
              std::byte* to) {
  if (stride == 1) {
    std::memcpy(to, from, static_cast<size_t>(count) * element_size);
    return;
  }
  switch (element_size) {
    case 1:
      return copy_strided<uint8_t>(from, stride, count, to);
    case 2:
      return copy_strided<uint16_t>(from, stride, count, to);
    case 4:
      return copy_strided<uint32_t>(from, stride, count, to);
    case 8:
      return copy_strided<uint64_t>(from, stride, count, to);
    default:
      return copy_strided<Element16>(from, stride, count, to);
  }
}

Status lay_out(const ConstantData& data, const ByteSink& sink) {
  SLIPWAY_RETURN_IF_ERROR(data.check());
  size_t remaining = data.nbytes();
  if (remaining == 0) return {};
  size_t element_size = dtype_size(data.dtype);
  std::vector<Dimension> dimensions = merged_dimensions(data);
  const Dimension inner = dimensions.back();
  dimensions.pop_back();
  std::vector<int64_t> position(dimensions.size(), 0);
  int64_t row_start = data.storage_offset;
  int64_t column = 0;
  std::vector<std::byte> buffer(std::min(remaining, kChunkBytes));
  size_t filled = 0;
  while (remaining > 0) {
    size_t room = (buffer.size() - filled) / element_size;
    int64_t count = std::min<int64_t>(inner.size - column, static_cast<int64_t>(room));
    const std::byte* from = data.storage.bytes.data() + (row_start + column * inner.stride) *
                                                            static_cast<int64_t>(element_size);
    copy_row(from, inner.stride, count, element_size, buffer.data() + filled);
    size_t copied = static_cast<size_t>(count) * element_size;
    filled += copied;
    remaining -= copied;
    column += count;
    if (column == inner.size) {
      column = 0;
      for (size_t i = dimensions.size(); i-- > 0;) {
        row_start += dimensions[i].stride;
        if (++position[i] < dimensions[i].size) break;
        row_start -= dimensions[i].stride * dimensions[i].size;
        position[i] = 0;
      }
    }
    if (remaining == 0 || buffer.size() - filled < element_size) {
      SLIPWAY_RETURN_IF_ERROR(sink(std::span(buffer).first(filled)));
      filled = 0;
    }
  }
  return {};
}

}  // namespace

Status ConstantData::check() const {
  const auto size = contiguous_nbytes(dtype, sizes);
  if (!size.ok()) return invalid_file("{}", size.error().message());
  if (strides.size() != sizes.size()) {
    return invalid_file("a tensor of {} dimensions has {} strides", sizes.size(), strides.size());
  }
  if (storage_offset < 0) return invalid_file("storage offset {} is negative", storage_offset);
  if (*size == 0) return {};
  std::optional<int64_t> last = storage_offset;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (strides[i] < 0) return invalid_file("stride {} is negative", strides[i]);
    auto extent = checked_mul_signed(sizes[i] - 1, strides[i]);
    if (last && extent) last = checked_add_signed(*last, *extent);
    if (!extent) last.reset();
  }
  size_t elements = storage.bytes.size() / dtype_size(dtype);
  if (!last || static_cast<uint64_t>(*last) >= elements) {
    return invalid_file("{} with strides [{}] and offset {} reaches past its storage of {} bytes",
                        format_type(dtype, sizes), fmt::join(strides, ", "), storage_offset,
                        storage.bytes.size());
  }
  return {};
}

size_t ConstantData::nbytes() const {
  auto size = contiguous_nbytes(dtype, sizes);
  return size.ok() ? *size : 0;
}

bool ConstantData::is_contiguous() const {
  if (nbytes() == 0) return true;
  int64_t expected = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    if (sizes[i] == 1) continue;
    if (strides[i] != expected) return false;
    expected *= sizes[i];
  }
  return true;
}

std::span<const std::byte> ConstantData::bytes() const {
  size_t size = nbytes();
  if (size == 0) return {};
  return storage.bytes.subspan(static_cast<size_t>(storage_offset) * dtype_size(dtype), size);
}

ByteSource ConstantData::source() const {
  if (check().ok() && is_contiguous()) return OwnedSpan{bytes(), storage.owner};
  return {nbytes(), [data = *this](const ByteSink& sink) { return lay_out(data, sink); }};
}

std::vector<std::byte> ConstantData::to_contiguous() const {
  std::vector<std::byte> result;
  result.reserve(nbytes());
  Status status = source().write([&](std::span<const std::byte> bytes) -> Status {
    result.insert(result.end(), bytes.begin(), bytes.end());
    return {};
  });
  result.resize(status.ok() ? result.size() : 0);
  return result;
}

}  // namespace slipway::ir
