#include "tensorrt/delegate/kernel_file.h"

#include <cstdlib>
#include <sys/stat.h>
#include <utility>

#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/piece_writer.h"

namespace slipway::tensorrt {
namespace {

constexpr std::string_view kMagic = "slipway kernels 1 ";

// Before the kernels: what it is, and their SHA-256.
std::string header_of(std::span<const std::byte> kernels) {
  return std::string(kMagic) + sha256_hex(kernels) + "\n";
}

std::string folder() {
  if (const char* given = std::getenv(kRuntimeCacheVariable)) return given;
  for (const auto& [variable, below] : {std::pair("XDG_CACHE_HOME", ""), {"HOME", "/.cache"}}) {
    const char* base = std::getenv(variable);
    if (base != nullptr && *base == '/')
      return base + std::string(below) + "/slipway/runtime_cache";
  }
  return {};
}

}  // namespace

std::string kernel_file_for(std::string_view key) {
  const std::string in = folder();
  return in.empty() ? in : in + "/" + sha256_hex(std::as_bytes(std::span(key))) + ".kernels";
}

std::optional<std::vector<std::byte>> read_kernel_file(const std::string& path) {
  const auto file = MappedFile::open(path);
  if (!file.ok()) return std::nullopt;
  const std::span<const std::byte> bytes = (*file)->bytes();
  const size_t length = header_of({}).size();
  if (bytes.size() < length) return std::nullopt;
  const std::span<const std::byte> kernels = bytes.subspan(length);
  const std::string header = header_of(kernels);
  const std::string_view found(reinterpret_cast<const char*>(bytes.data()), length);
  if (found != header) return std::nullopt;
  return std::vector<std::byte>(kernels.begin(), kernels.end());
}

void write_kernel_file(const std::string& path, std::span<const std::byte> kernels) {
  const std::string header = header_of(kernels);
  const auto first = std::as_bytes(std::span(header));
  std::vector<std::byte> bytes(first.begin(), first.end());
  bytes.insert(bytes.end(), kernels.begin(), kernels.end());
  // Folders are made for the user alone, as the XDG specification has it.
  const size_t name = path.rfind('/');
  for (size_t end = path.find('/', 1); end != std::string::npos && end <= name;
       end = path.find('/', end + 1)) {
    ::mkdir(path.substr(0, end).c_str(), 0700);
  }
  static_cast<void>(write_file(path, bytes));
}

}  // namespace slipway::tensorrt
