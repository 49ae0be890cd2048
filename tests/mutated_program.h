// For tests: a .pte of ours with parts mutated and every checksum made right again, so that what
// lies behind them is reached.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "mutants.h"
#include "pte/reader/reader.h"
#include "slipway/slipway.h"

namespace slipway::mutants {

inline std::string read_text(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}
inline std::string data_path(const std::string& name) {
  return std::string(SLIPWAY_TEST_DATA) + "/" + name;
}
inline std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}
inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A .pte of ours whose checksums are known by what they are of.
class ProgramFile {
 public:
  explicit ProgramFile(std::string file) : file_(std::move(file)) {
    const auto read = pte::File::read({bytes_of(file_), nullptr}, "original");
    EXPECT_TRUE(read.ok()) << read.error().message();
    program_size_ = read->program_size();
    const auto bytes = *read->named_data(std::string(engine::kManifestKey));
    manifest_ = offset_of(bytes);
    manifest_size_ = bytes.size();
    for (const auto& segment : read->manifest()->segments) {
      const size_t offset = offset_of(*read->segment(segment.index));
      segments_.emplace_back(offset, segment.size);
      if (segment.content == "engine") engines_.emplace_back(offset, segment.size);
    }
  }

  const std::string& file() const { return file_; }
  std::string with_mutated_program(Random& random) const {
    std::string file = file_;
    mutate_bytes(file, 0, program_size_, random);
    put_right(file, 0, program_size_);
    return file;
  }
  std::string with_mutated_segment(Random& random) const { return with_mutated(segments_, random); }
  std::string with_mutated_engine(Random& random) const { return with_mutated(engines_, random); }
  std::string with_mutated_manifest(Random& random) const {
    std::string file = file_;
    mutate_json_in_place(file, manifest_ + 1, manifest_ + manifest_size_ - kTail, random);
    put_manifest_right(file);
    return file;
  }

 private:
  using Places = std::vector<std::pair<size_t, size_t>>;  // offset and size of each
  static constexpr size_t kTail = sizeof(",\"xxh3\":\"\"}") - 1 + kXxh3HexDigits;

  std::string with_mutated(const Places& places, Random& random) const {
    std::string file = file_;
    if (places.empty()) return file;
    const auto [offset, size] = places[below(random, places.size())];
    mutate_bytes(file, offset, offset + size, random);
    put_right(file, offset, size);
    return file;
  }
  size_t offset_of(std::span<const std::byte> part) const {
    return static_cast<size_t>(part.data() - bytes_of(file_).data());
  }
  // Puts the new checksum where the old one is; equal parts have equal ones.
  void put_right(std::string& file, size_t offset, size_t size) const {
    const std::string before = xxh3_hex(bytes_of(file_).subspan(offset, size));
    const std::string after = xxh3_hex(bytes_of(file).subspan(offset, size));
    const size_t at = file.find(before, manifest_);
    if (at != std::string::npos) file.replace(at, after.size(), after);
    put_manifest_right(file);
  }
  void put_manifest_right(std::string& file) const {
    const size_t size = manifest_size_ - kTail;
    file.replace(manifest_ + size + sizeof(",\"xxh3\":\"") - 1, kXxh3HexDigits,
                 xxh3_hex(bytes_of(file).subspan(manifest_, size)));
  }

  std::string file_;
  size_t program_size_ = 0;
  size_t manifest_ = 0;
  size_t manifest_size_ = 0;
  Places segments_;
  Places engines_;
};

// An archive of tests/data, compiled in memory.
inline std::string compiled(const std::string& archive, const char* engine) {
  CompileOptions options;
  options.engines = *parse_engines(engine);
  const auto program = slipway::Program::load(data_path("golden/" + archive));
  EXPECT_TRUE(program.ok()) << program.error().message();
  const auto bytes = compile(*program, options)->to_memory();
  EXPECT_TRUE(bytes.ok()) << bytes.error().message();
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

}  // namespace slipway::mutants
