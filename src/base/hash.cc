#include "base/hash.h"

#include <array>
#include <new>
#include <xxhash.h>
#include <zlib.h>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

namespace slipway {
namespace {

std::string hex_text(std::span<const unsigned char> digest) {
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

std::string hex_text(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  return hex_text(std::span<const unsigned char>(canonical.digest));
}

}  // namespace

uint32_t crc32(uint32_t crc, std::span<const std::byte> bytes) {
  return static_cast<uint32_t>(
      ::crc32_z(crc, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

struct Xxh3::State {
  XXH3_state_t xxh3;
};

Xxh3::Xxh3() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh3); }
Xxh3::~Xxh3() = default;
Xxh3::Xxh3(Xxh3&&) noexcept = default;
Xxh3& Xxh3::operator=(Xxh3&&) noexcept = default;

void Xxh3::update(std::span<const std::byte> bytes) {
  XXH3_128bits_update(&state_->xxh3, bytes.data(), bytes.size());
}

std::string Xxh3::hex() const { return hex_text(XXH3_128bits_digest(&state_->xxh3)); }

std::string xxh3_hex(std::span<const std::byte> bytes) {
  return hex_text(XXH3_128bits(bytes.data(), bytes.size()));
}

struct Sha256::State {
  State() : context(EVP_MD_CTX_new()) {
    // Only memory can be lacking.
    if (context == nullptr) throw std::bad_alloc();
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  EVP_MD_CTX* context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  if (EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> bytes) {
  EVP_DigestUpdate(state_->context, bytes.data(), bytes.size());
}

std::string Sha256::hex() const {
  const State copy;
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest = {};
  if (EVP_MD_CTX_copy_ex(copy.context, state_->context) != 1) throw std::bad_alloc();
  EVP_DigestFinal_ex(copy.context, digest.data(), nullptr);
  return hex_text(std::span<const unsigned char>(digest));
}

std::string sha256_hex(std::span<const std::byte> bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest = {};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return hex_text(std::span<const unsigned char>(digest));
}

}  // namespace slipway
