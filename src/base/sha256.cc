// Apart from the other hashes, so that a program which only runs models needs no OpenSSL.
#include <array>
#include <new>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/hash.h"

namespace slipway {

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
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

std::string sha256_hex(std::span<const std::byte> bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest = {};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

}  // namespace slipway
