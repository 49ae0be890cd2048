#include "base/file_content.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace slipway {
namespace {

constexpr const char* kExport =
    "Slipway takes what torch.export.save writes (.pt2): load the model in Python, then "
    "torch.export.save(torch.export.export(model.eval(), example_inputs), \"model.pt2\")";

struct Magic {
  std::string_view bytes;
  size_t at;
  const char* what;
};
using namespace std::string_view_literals;
constexpr Magic kMagics[] = {
    {"version https://git-lfs"sv, 0,
     "is a pointer of Git LFS in place of the file itself: run `git lfs pull`"},
    {"GGUF"sv, 0, "is a GGUF file, which has weights but no program"},
    {"\x89HDF\r\n\x1a\n"sv, 0, "is an HDF5 file, such as Keras writes"},
    {"\x7f"
     "ELF"sv,
     0, "is a program or a shared library"},
    {"\x1f\x8b"sv, 0, "is compressed by gzip: unpack it first"},
    {"\xfd"
     "7zXZ"sv,
     0, "is compressed by xz: unpack it first"},
    {"\x28\xb5\x2f\xfd"sv, 0, "is compressed by zstd: unpack it first"},
    {"ustar"sv, 257, "is a tar archive: unpack it first"},
    {"TFL3"sv, 4, "is a TensorFlow Lite model"},
    {"\x93NUMPY"sv, 0, "is a .npy array, an input of a model and no program"},
    {"<!DOCTYPE"sv, 0, "is a web page: the download went wrong"},
    {"<html"sv, 0, "is a web page: the download went wrong"},
};

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool is_pickle(std::string_view text) {
  return text.size() > 2 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5;
}

// Eight bytes with the length of the JSON that follows.
bool is_safetensors(std::string_view text) {
  uint64_t length = 0;
  if (text.size() < 10 || text[8] != '{') return false;
  std::memcpy(&length, text.data(), sizeof length);
  return length >= 2 && length <= text.size() - 8;
}

// The message begins with ir_version (field 1), and names a producer, a graph or an opset next.
bool is_onnx(std::string_view text) {
  if (text.size() < 8 || text[0] != '\x08' || text[1] < 1 || text[1] > 30) return false;
  return text[2] == '\x12' || text[2] == '\x3a' || text[2] == '\x42';
}

bool is_python(std::string_view text) {
  const std::string_view start = text.substr(0, 4096);
  const bool plain = std::none_of(start.begin(), start.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 && c != '\n' && c != '\r' && c != '\t';
  });
  if (!plain) return false;
  return start.starts_with("import ") || start.starts_with("from ") || start.starts_with("#!") ||
         start.starts_with("\"\"\"") || start.find("\nimport ") != std::string_view::npos ||
         start.find("\nfrom ") != std::string_view::npos;
}

}  // namespace

std::string describe_foreign_content(std::span<const std::byte> bytes) {
  const std::string_view text = as_text(bytes);
  for (const Magic& magic : kMagics) {
    if (text.size() > magic.at && text.substr(magic.at).starts_with(magic.bytes)) {
      return magic.what;
    }
  }
  if (is_pickle(text)) return std::string("is a pickle, such as torch.save wrote. ") + kExport;
  if (is_safetensors(text)) {
    return std::string("is a safetensors file, which has weights but no program. ") + kExport;
  }
  if (is_onnx(text)) {
    return std::string(
               "is an ONNX model, which Slipway writes but does not read: run it with ONNX "
               "Runtime. ") +
           kExport;
  }
  if (is_python(text)) return std::string("is Python source. ") + kExport;
  return {};
}

}  // namespace slipway
