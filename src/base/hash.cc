#include "base/hash.h"

#include <xxhash.h>

#include <fmt/format.h>

namespace slipway {
namespace {

std::string hex_text(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  return fmt::format("{:02x}", fmt::join(canonical.digest, ""));
}

}  // namespace

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

}  // namespace slipway
