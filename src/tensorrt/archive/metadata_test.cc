#include "tensorrt/archive/metadata.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace slipway::tensorrt {
namespace {

const EngineNote kNote = {"slipway 1.2.3", "TensorRT-RTX 1.7.1", "sm_80,sm_86"};

std::string metadata(const EngineNote& note) {
  ir::Graph graph;
  ir::Value* x = graph.add_input("x", {DType::kFloat32, {ir::SymInt::symbol("s77"), 4}, {}});
  const auto text = write_metadata({"x"}, {x}, {x}, note);
  return text.ok() ? *text : text.error().message();
}

TEST(Metadata, HasANote) {
  EXPECT_EQ(note_of(metadata(kNote)), kNote);
  EXPECT_EQ(note_of(metadata({})), EngineNote());
  // Of Torch-TensorRT itself, and of nobody.
  EXPECT_EQ(note_of("gAJ9KFgOAAAAaW5vdXRfc3ltZXhwcnN9KFgGAAAAaW5wdXRzXWUu"), EngineNote());
  EXPECT_EQ(note_of("bWV0YQ=="), EngineNote());
  EXPECT_EQ(note_of("no Base64"), EngineNote());
}

TEST(Metadata, SaysHowSizesAreScaled) {
  ir::Graph graph;
  const ir::SymInt size = ir::SymInt::scale(ir::SymInt::symbol("s77"), 0.57);
  ir::Value* x = graph.add_input("x", {DType::kFloat32, {size}, {}});
  const auto text = write_metadata({"x"}, {x}, {x}, kNote);
  ASSERT_TRUE(text.ok());
  std::string pickle;
  ASSERT_TRUE(decode_base64(*text, [&](std::span<const std::byte> bytes) -> Status {
                pickle.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                return {};
              }).ok());
  for (const char* part : {"TruncToInt", "Mul", "Float('0.56999999999999995', precision=53)",
                           "ToFloat", "Symbol('s77', positive=True, integer=True)"}) {
    EXPECT_NE(pickle.find(part), std::string::npos) << part;
  }
}

TEST(Metadata, TakesNoHarmFromDamage) {
  const std::string whole = metadata(kNote);
  for (size_t size = 0; size < whole.size(); ++size) {
    const EngineNote note = note_of(whole.substr(0, size));
    EXPECT_TRUE(note == kNote || note == EngineNote()) << size;
  }
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int bit : {0, 1, 5}) {
      std::string flipped = whole;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      const EngineNote note = note_of(flipped);
      EXPECT_LE(note.tool_version.size() + note.target.size(), whole.size());
    }
  }
}

}  // namespace
}  // namespace slipway::tensorrt
