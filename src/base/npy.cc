#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/npy_pieces.h"
#include "base/try.h"

namespace slipway {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kMaxRank = 64;
constexpr size_t kMaxHeader = 1 << 16;
constexpr size_t kAlignment = 64;

struct TypeRow {
  DType dtype;
  std::string_view code;
};
constexpr std::array<TypeRow, 14> kTypes = {{
    {DType::kBool, "b1"},
    {DType::kUInt8, "u1"},
    {DType::kInt8, "i1"},
    {DType::kInt16, "i2"},
    {DType::kInt32, "i4"},
    {DType::kInt64, "i8"},
    {DType::kUInt16, "u2"},
    {DType::kUInt32, "u4"},
    {DType::kUInt64, "u8"},
    {DType::kFloat16, "f2"},
    {DType::kFloat32, "f4"},
    {DType::kFloat64, "f8"},
    {DType::kComplex64, "c8"},
    {DType::kComplex128, "c16"},
}};

struct Header {
  DType dtype = DType::kFloat32;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

// Reads the header's Python dictionary: three known keys, whose values are a string, a boolean and
// a tuple of integers.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : rest_(text) {}

  Result<Header> parse() {
    Header header;
    bool has_type = false;
    bool has_order = false;
    bool has_shape = false;
    if (!take('{')) return malformed();
    while (!take('}')) {
      SLIPWAY_ASSIGN_OR_RETURN(const std::string_view key, string());
      if (!take(':')) return malformed();
      if (key == "descr" && !has_type) {
        has_type = true;
        SLIPWAY_ASSIGN_OR_RETURN(header.dtype, type());
      } else if (key == "fortran_order" && !has_order) {
        has_order = true;
        SLIPWAY_ASSIGN_OR_RETURN(header.fortran_order, boolean());
      } else if (key == "shape" && !has_shape) {
        has_shape = true;
        SLIPWAY_ASSIGN_OR_RETURN(header.shape, shape());
      } else {
        return malformed();
      }
      if (!take(',') && !at('}')) return malformed();
    }
    skip_space();
    if (!rest_.empty() || !has_type || !has_order || !has_shape) return malformed();
    return header;
  }

 private:
  static Error malformed() { return invalid_file("the header is not a .npy header"); }

  void skip_space() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n')) rest_.remove_prefix(1);
  }
  bool at(char expected) {
    skip_space();
    return !rest_.empty() && rest_[0] == expected;
  }
  bool take(char expected) {
    if (!at(expected)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take(std::string_view word) {
    skip_space();
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  Result<std::string_view> string() {
    if (!at('\'') && !at('"')) return malformed();
    const size_t end = rest_.find(rest_[0], 1);
    if (end == std::string_view::npos) return malformed();
    const std::string_view text = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return text;
  }

  Result<bool> boolean() {
    if (take("True")) return true;
    if (take("False")) return false;
    return malformed();
  }

  Result<DType> type() {
    if (at('[')) return unsupported("structured types are not tensors");
    SLIPWAY_ASSIGN_OR_RETURN(const std::string_view text, string());
    if (text.empty()) return malformed();
    const std::string_view code = text.substr(1);
    const bool byte_order_fits = text[0] == '<' || text[0] == '|' || text[0] == '=';
    for (const TypeRow& row : kTypes) {
      if (byte_order_fits && row.code == code) return row.dtype;
    }
    return unsupported("type \"{}\" is not supported: save it as little-endian {}", text,
                       "bool, int, uint, float or complex");
  }

  Result<std::vector<int64_t>> shape() {
    std::vector<int64_t> sizes;
    if (!take('(')) return malformed();
    while (!take(')')) {
      skip_space();
      int64_t size = 0;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), size);
      if (error != std::errc() || size < 0 || sizes.size() == kMaxRank) return malformed();
      rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
      take('L');  // Python 2 wrote long integers so.
      sizes.push_back(size);
      if (!take(',') && !at(')')) return malformed();
    }
    return sizes;
  }

  std::string_view rest_;
};

// Splits a file into its header's text and its data.
Status split(std::span<const std::byte> bytes, std::string_view& header,
             std::span<const std::byte>& data) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kMagic)) return invalid_file("not a .npy file");
  if (bytes.size() < 10) return invalid_file("cut short in its header");
  const auto byte_at = [&](size_t i) { return std::to_integer<uint32_t>(bytes[i]); };
  const uint32_t major = byte_at(6);
  if (major < 1 || major > 3) return unsupported(".npy version {} is not supported", major);
  const size_t start = major == 1 ? 10 : 12;
  if (bytes.size() < start) return invalid_file("cut short in its header");
  size_t length = byte_at(8) | byte_at(9) << 8;
  if (major > 1) length |= byte_at(10) << 16 | byte_at(11) << 24;
  if (length > kMaxHeader) return invalid_file("a header of {} bytes is too long", length);
  if (!range_fits(start, length, bytes.size())) return invalid_file("cut short in its header");
  header = text.substr(start, length);
  data = bytes.subspan(start + length);
  return {};
}

// Copies data whose first index varies fastest to one whose last does.
void copy_from_fortran(std::span<const std::byte> source, Tensor& target) {
  const auto& sizes = target.sizes();
  const size_t element = dtype_size(target.dtype());
  std::vector<int64_t> strides(sizes.size(), 1);
  for (size_t i = 1; i < sizes.size(); ++i) strides[i] = strides[i - 1] * sizes[i - 1];
  std::vector<int64_t> index(sizes.size(), 0);
  auto* out = target.data_as<std::byte>();
  int64_t offset = 0;
  for (int64_t i = 0; i < target.numel(); ++i, out += element) {
    std::memcpy(out, source.data() + static_cast<size_t>(offset) * element, element);
    for (size_t dim = sizes.size(); dim-- > 0;) {
      offset += strides[dim];
      if (++index[dim] < sizes[dim]) break;
      offset -= strides[dim] * sizes[dim];
      index[dim] = 0;
    }
  }
}

Result<Tensor> read(std::span<const std::byte> bytes) {
  std::string_view header_text;
  std::span<const std::byte> data;
  SLIPWAY_RETURN_IF_ERROR(split(bytes, header_text, data));
  SLIPWAY_ASSIGN_OR_RETURN(const Header header, HeaderParser(header_text).parse());
  auto nbytes = contiguous_nbytes(header.dtype, header.shape);
  if (!nbytes.ok()) return invalid_file("{}", nbytes.error().message());
  if (*nbytes != data.size()) {
    return invalid_file("{} takes {} bytes, but the file has {} after its header",
                        format_type(header.dtype, header.shape), *nbytes, data.size());
  }
  SLIPWAY_ASSIGN_OR_RETURN(Tensor tensor, Tensor::zeros(header.dtype, header.shape));
  if (header.fortran_order && header.shape.size() > 1) {
    copy_from_fortran(data, tensor);
  } else if (!data.empty()) {
    std::memcpy(tensor.data(), data.data(), data.size());
  }
  if (header.dtype == DType::kBool) {
    // Other bytes than 0 and 1 are undefined behaviour where kernels load them as bool.
    auto* flags = tensor.data_as<uint8_t>();
    std::transform(flags, flags + tensor.nbytes(), flags, [](uint8_t flag) { return flag != 0; });
  }
  return tensor;
}

}  // namespace

Result<Tensor> read_npy(std::span<const std::byte> bytes, const std::string& name) {
  auto tensor = read(bytes);
  if (!tensor.ok()) return tensor.error().with_context(name);
  return tensor;
}

Result<Tensor> read_npy(const std::string& path) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, MappedFile::open(path));
  return read_npy(file->bytes(), path);
}

Result<PieceList> npy_pieces(const Tensor& tensor) {
  if (!tensor.device().is_cpu()) {
    return invalid_argument("the tensor is in the memory of {}: copy it to the host's first",
                            format_device(tensor.device()));
  }
  const auto* row = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeRow& candidate) {
    return candidate.dtype == tensor.dtype();
  });
  if (row == kTypes.end()) {
    return invalid_argument("a .npy file cannot hold {}", dtype_name(tensor.dtype()));
  }
  const char byte_order = dtype_size(tensor.dtype()) == 1 ? '|' : '<';
  std::string header = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}{}), }}",
                                   byte_order, row->code, fmt::join(tensor.sizes(), ", "),
                                   tensor.sizes().size() == 1 ? "," : "");
  // Spaces and a line's end fill up to the alignment; 10 bytes come before the header.
  header.resize(*checked_align(10 + header.size() + 1, kAlignment) - 10 - 1, ' ');
  header += '\n';
  std::string start(kMagic);
  start += {'\x01', '\x00', static_cast<char>(header.size() & 0xff),
            static_cast<char>(header.size() >> 8)};
  PieceList pieces;
  pieces.add(own_bytes(start + header));
  pieces.add(OwnedSpan{tensor.bytes(), std::make_shared<const Tensor>(tensor)});
  return pieces;
}

Status write_npy(const std::string& path, const Tensor& tensor) {
  auto pieces = npy_pieces(tensor);
  if (!pieces.ok()) return pieces.error().with_context(path);
  return write_file(path, *pieces);
}

}  // namespace slipway
