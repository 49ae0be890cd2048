#include "base/base64.h"

#include <string>

#include <gtest/gtest.h>

#include "base/piece_writer.h"

namespace slipway {
namespace {

std::string encoded(ByteSource bytes) {
  PieceList pieces;
  pieces.add(encode_base64(std::move(bytes)));
  const auto written = write_to_memory(pieces);
  if (!written.ok()) return written.error().message();
  return {reinterpret_cast<const char*>(written->data()), written->size()};
}

std::string decoded(std::string_view text) {
  std::string bytes;
  const Status status = decode_base64(text, [&](std::span<const std::byte> piece) -> Status {
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return {};
  });
  return status.ok() ? bytes : status.error().message();
}

TEST(Base64, IsThatOfTheStandard) {
  EXPECT_EQ(encoded(own_bytes(std::string())), "");
  EXPECT_EQ(encoded(own_bytes(std::string("f"))), "Zg==");
  EXPECT_EQ(encoded(own_bytes(std::string("fo"))), "Zm8=");
  EXPECT_EQ(encoded(own_bytes(std::string("foo"))), "Zm9v");
  EXPECT_EQ(encoded(own_bytes(std::string("foobar"))), "Zm9vYmFy");
}

// However the bytes come: in chunks that end between three bytes, or in one that is large.
TEST(Base64, DoesNotDependOnTheChunks) {
  std::string bytes;
  for (size_t i = 0; i < 300001; ++i) bytes += static_cast<char>(i * 37 + i / 251);
  const std::string whole = encoded(own_bytes(bytes));
  EXPECT_EQ(decoded(whole), bytes);
  for (const size_t chunk : {1U, 2U, 4U, 100000U}) {
    const ByteProducer producer = [&](const ByteSink& sink) -> Status {
      for (size_t i = 0; i < bytes.size(); i += chunk) {
        const std::string_view piece = std::string_view(bytes).substr(i, chunk);
        const Status status = sink(std::as_bytes(std::span(piece)));
        if (!status.ok()) return status;
      }
      return {};
    };
    EXPECT_EQ(encoded(ByteSource(bytes.size(), producer)), whole) << chunk;
  }
}

}  // namespace
}  // namespace slipway
