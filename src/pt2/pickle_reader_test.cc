#include "pt2/pickle_reader.h"

#include <gtest/gtest.h>

#include "pt2/archive_test.h"
#include "pt2/weights.h"

namespace slipway::pt2 {
namespace {

using namespace std::string_literals;

std::string problem_of(const std::string& pickle) {
  const auto tensors = read_tensor_dict(std::as_bytes(std::span<const char>(pickle)), "data.pkl");
  return tensors.ok() ? "" : tensors.error().message();
}

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\nlacks " << part;
}

// A file of torch.save, as it would lie within an archive.
Result<Weights> read_saved(const std::string& file) {
  const auto mapped = MappedFile::open(SLIPWAY_TEST_DATA "/pt2/" + file);
  if (!mapped.ok()) return mapped.error();
  const std::string bytes = text_of({(*mapped)->bytes(), nullptr});
  auto archive = ZipReader::open(own_bytes(make_zip({{"w.pt", bytes}})), "m.pt2");
  if (!archive.ok()) return archive.error();
  return read_torch_save(*archive, "w.pt");
}

TEST(PickleReader, ReadsTheTensorsOfAStateDict) {
  const auto weights = read_saved("state.pt");
  ASSERT_TRUE(weights.ok()) << weights.error().message();
  const auto& tensors = weights->tensors;
  EXPECT_EQ(tensors.size(), 7U);

  const ir::ConstantData& weight = tensors.at("weight");
  EXPECT_EQ(weight.dtype, DType::kFloat32);
  EXPECT_EQ(weight.sizes, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(weight.strides, (std::vector<int64_t>{1, 2}));
  const auto contiguous = weight.to_contiguous();
  float values[4];
  std::memcpy(values, contiguous.data(), sizeof(values));
  EXPECT_EQ(values[1], 3.0F);
  EXPECT_EQ(values[2], 2.0F);

  EXPECT_EQ(tensors.at("half").dtype, DType::kFloat16);
  EXPECT_EQ(tensors.at("eighth").dtype, DType::kFloat8E4M3FN);
  EXPECT_EQ(tensors.at("wide").dtype, DType::kUInt16);
  EXPECT_EQ(tensors.at("buffer").dtype, DType::kInt64);
  EXPECT_EQ(tensors.at("empty").sizes, (std::vector<int64_t>{0, 3}));
  EXPECT_EQ(tensors.at("tied").storage.bytes.data(), tensors.at("half").storage.bytes.data());
}

TEST(PickleReader, ExecutesNothing) {
  const auto callback = read_saved("callback.pt");
  ASSERT_FALSE(callback.ok());
  EXPECT_EQ(callback.error().code(), ErrorCode::kUnsupported);
  expect_contains(callback.error().message(), "__builtin__.print");
  expect_contains(callback.error().message(), "m.pt2: w.pt");

  expect_contains(problem_of("\x80\2cos\nsystem\n(X\4\0\0\0true.tR."s), "os.system");
  // The old call of a global by its text, and the import of protocol 4.
  expect_contains(problem_of("\x80\2(ios\nsystem\n."s), "opcode 0x69");
  expect_contains(problem_of("\x80\2\x93."s), "opcode 0x93");
  // Known names that are no functions, and functions without their arguments.
  expect_contains(problem_of("\x80\2ctorch\nFloatStorage\n)R."s), "calls what can't be called");
  expect_contains(problem_of("\x80\2ctorch._utils\n_rebuild_tensor_v2\n)R."s), "too few");
  expect_contains(problem_of("\x80\2ctorch._utils\n_rebuild_parameter\n)R."s), "unexpected");
  expect_contains(problem_of("\x80\2ctorch\nfloat\n."s), "torch.float,");
}

TEST(PickleReader, RefusesViewsThatAreNotData) {
  const auto lazy = read_saved("conjugated.pt");
  ASSERT_FALSE(lazy.ok());
  expect_contains(lazy.error().message(), "resolve_conj");
}

TEST(PickleReader, RefusesDamage) {
  expect_contains(problem_of(""), "cut short");
  expect_contains(problem_of("\x80\2"s), "cut short");
  expect_contains(problem_of("\x80\4}."s), "protocol 4");
  expect_contains(problem_of("\x80\2."s), "more values than it has");
  expect_contains(problem_of("\x80\2N."s), "does not hold a dict");
  expect_contains(problem_of("\x80\2}t."s), "no mark");
  expect_contains(problem_of("\x80\2}(K\1u."s), "no dict");
  expect_contains(problem_of("\x80\2]K\1K\2s."s), "no dict");
  expect_contains(problem_of("\x80\2}K\1a."s), "no list");
  expect_contains(problem_of("\x80\2h\7."s), "memo");
  expect_contains(problem_of("\x80\2K\1Q."s), "no storage");
  expect_contains(problem_of("\x80\2X\xff\xff\xff\xffz."s), "cut short");
  expect_contains(problem_of("\x80\2\x8a\x09"s + std::string(9, '\1') + "."), "64 bits");
  expect_contains(problem_of("\x80\2N}b."s), "attributes");
  // Taking from below a mark.
  expect_contains(problem_of("\x80\2}(0."s), "more values than it has");
  EXPECT_EQ(problem_of("\x80\2}."s), "");
  // A dict that holds itself ties a knot, and nothing follows it.
  EXPECT_EQ(problem_of("\x80\2}q\0h\0h\0s."s), "");
}

// A small pickle can name one large value over and over.
TEST(PickleReader, BoundsWhatRepeats) {
  expect_contains(problem_of("\x80\2}"s + std::string(3 << 20, ']') + "."), "too many opcodes");
  // An untyped storage and a tensor of it in slot 1, and a long key in slot 0.
  const std::string storage =
      "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"
      "0NNtQ"s;
  const std::string tensor = "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + "K\0))NNtRq\1"s;
  const auto dict_with = [&](const std::string& key, size_t times) {
    std::string pickle = "\x80\2"s + tensor + "X"s;
    append<uint32_t>(pickle, static_cast<uint32_t>(key.size()));
    pickle += key + "q\0}("s;
    for (size_t i = 0; i < times; ++i) pickle += "h\0h\1"s;
    return pickle + "u."s;
  };
  expect_contains(problem_of(dict_with(std::string(1 << 20, 'k'), 1000)), "too long");
  const std::string repeated = dict_with("key", 1000);
  const auto tensors = read_tensor_dict(std::as_bytes(std::span<const char>(repeated)), "data.pkl");
  ASSERT_TRUE(tensors.ok()) << tensors.error().message();
  ASSERT_EQ(tensors->size(), 1U);
  EXPECT_EQ(tensors->front().first, "key");
}

TEST(PickleReader, SurvivesTruncationAndFlips) {
  const auto mapped = MappedFile::open(SLIPWAY_TEST_DATA "/pt2/state.pt");
  ASSERT_TRUE(mapped.ok());
  auto zip = ZipReader::open(OwnedSpan{(*mapped)->bytes(), *mapped}, "state.pt");
  ASSERT_TRUE(zip.ok());
  auto entry = zip->read("state/data.pkl");
  ASSERT_TRUE(entry.ok());
  const std::string pickle = text_of(*entry);
  EXPECT_EQ(problem_of(pickle), "");
  for (size_t i = 0; i < pickle.size(); ++i) {
    EXPECT_NE(problem_of(pickle.substr(0, i)), "");
    for (const char flip : {'\x01', '\x20', '\x80', '\xff'}) {
      std::string flipped = pickle;
      flipped[i] = static_cast<char>(flipped[i] ^ flip);
      problem_of(flipped);
    }
  }
}

}  // namespace
}  // namespace slipway::pt2
