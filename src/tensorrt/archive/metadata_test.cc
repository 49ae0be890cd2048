#include "tensorrt/archive/metadata.h"

#include <gtest/gtest.h>

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
