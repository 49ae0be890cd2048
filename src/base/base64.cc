#include "base/base64.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <openssl/evp.h>

#include "base/error.h"
#include "base/try.h"

namespace slipway {

Status decode_base64(std::string_view text, const ByteSink& sink) {
  constexpr size_t kPiece = size_t{1} << 20;
  const std::unique_ptr<EVP_ENCODE_CTX, decltype(&EVP_ENCODE_CTX_free)> context(
      EVP_ENCODE_CTX_new(), EVP_ENCODE_CTX_free);
  if (!context) return resource_exhausted("there is no memory to decode Base64");
  EVP_DecodeInit(context.get());
  std::vector<unsigned char> bytes(std::min(text.size(), kPiece) + 64);
  const auto give = [&](int count) {
    return count == 0 ? Status()
                      : sink(std::as_bytes(std::span(bytes).first(static_cast<size_t>(count))));
  };
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view piece = rest.substr(0, kPiece);
    rest.remove_prefix(piece.size());
    // To OpenSSL it is the end of the text.
    if (piece.find('-') != std::string_view::npos) return invalid_file("it is not Base64");
    int count = 0;
    // 0: it ends here, so nothing may follow.
    const int more = EVP_DecodeUpdate(context.get(), bytes.data(), &count,
                                      reinterpret_cast<const unsigned char*>(piece.data()),
                                      static_cast<int>(piece.size()));
    if (more < 0 || (more == 0 && !rest.empty())) return invalid_file("it is not Base64");
    SLIPWAY_RETURN_IF_ERROR(give(count));
  }
  int count = 0;
  if (EVP_DecodeFinal(context.get(), bytes.data(), &count) < 0) {
    return invalid_file("it is not Base64, or cut short");
  }
  return give(count);
}

ByteSource encode_base64(ByteSource bytes) {
  const uint64_t size = (bytes.size() + 2) / 3 * 4;
  return {size, [bytes = std::move(bytes)](const ByteSink& sink) -> Status {
            constexpr size_t kPiece = size_t{3} << 14;
            std::vector<unsigned char> text(kPiece / 3 * 4 + 1);  // and OpenSSL's NUL
            std::vector<std::byte> rest;                          // fewer than three bytes
            const auto give = [&](std::span<const std::byte> piece) {
              const int count =
                  EVP_EncodeBlock(text.data(), reinterpret_cast<const unsigned char*>(piece.data()),
                                  static_cast<int>(piece.size()));
              return sink(std::as_bytes(std::span(text).first(static_cast<size_t>(count))));
            };
            SLIPWAY_RETURN_IF_ERROR(bytes.write([&](std::span<const std::byte> chunk) -> Status {
              if (!rest.empty()) {
                const size_t missing = std::min(3 - rest.size(), chunk.size());
                rest.insert(rest.end(), chunk.begin(),
                            chunk.begin() + static_cast<ptrdiff_t>(missing));
                chunk = chunk.subspan(missing);
                if (rest.size() < 3) return {};
                SLIPWAY_RETURN_IF_ERROR(give(rest));
                rest.clear();
              }
              while (chunk.size() >= 3) {
                const size_t count = std::min(chunk.size() / 3 * 3, kPiece);
                SLIPWAY_RETURN_IF_ERROR(give(chunk.first(count)));
                chunk = chunk.subspan(count);
              }
              rest.assign(chunk.begin(), chunk.end());
              return {};
            }));
            return rest.empty() ? Status() : give(rest);
          }};
}

}  // namespace slipway
