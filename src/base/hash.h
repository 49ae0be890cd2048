// Checksums and content hashes, all streaming.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace slipway {

// The CRC-32 of zip files. Start with 0.
uint32_t crc32(uint32_t crc, std::span<const std::byte> bytes);

// XXH3 with 128 bits (xxHash 0.8), as 32 lower-case hexadecimal digits in its canonical order.
class Xxh3 {
 public:
  Xxh3();
  ~Xxh3();
  Xxh3(Xxh3&&) noexcept;
  Xxh3& operator=(Xxh3&&) noexcept;
  void update(std::span<const std::byte> bytes);
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};
std::string xxh3_hex(std::span<const std::byte> bytes);
inline constexpr size_t kXxh3HexDigits = 32;

// SHA-256 as 64 lower-case hexadecimal digits.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(std::span<const std::byte> bytes);
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};
std::string sha256_hex(std::span<const std::byte> bytes);
inline constexpr size_t kSha256HexDigits = 64;

}  // namespace slipway
