// Archives with engines: no plan is held in memory, in whatever form it is there, and one may be of
// any size.
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/memory_limit_test.h"
#include "base/piece_writer.h"
#include "base/sparse_file_test.h"
#include "base/test_folder.h"
#include "base/try.h"
#include "compile/artefact.h"
#include "pt2/archive_test.h"
#include "pt2/program_writer.h"
#include "pt2/zip_writer.h"
#include "slipway/slipway.h"
#include "tensorrt/archive/call_writer.h"
#include "tensorrt/archive/calls.h"

namespace slipway {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kAllowance = 64 * kMiB;

// A program of one call of Torch-TensorRT's placeholder, whose plan is a buffer.
const std::string kBuffer = SLIPWAY_TEST_DATA "/golden/engine_noop_tensor_slot.pt2";

// Bytes that deflating makes no shorter, again and again.
ByteSource make_plan(uint64_t blocks) {
  constexpr size_t kBlock =
      3 * kMiB;  // whole groups of Base64, far longer than a deflater's memory
  auto block = std::make_shared<std::vector<std::byte>>(kBlock);
  uint32_t state = 1;
  for (std::byte& byte : *block) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<std::byte>(state >> 24);
  }
  return {blocks * kBlock, [block, blocks](const ByteSink& sink) -> Status {
            for (uint64_t i = 0; i < blocks; ++i) SLIPWAY_RETURN_IF_ERROR(sink(*block));
            return {};
          }};
}

std::string digest_of(const ByteSource& bytes) {
  Sha256 hash;
  const Status written = bytes.write([&](std::span<const std::byte> chunk) {
    hash.update(chunk);
    return Status();
  });
  return written.ok() ? hash.hex() : "";
}

// The program with the plan as a text among the arguments, as Torch-TensorRT up to 2.12 has it.
struct TextProgram {
  explicit TextProgram(ByteSource plan) : text(encode_base64(std::move(plan))) {
    constexpr const char* kTensor = R"({"as_tensor": {"name": "b__trt_engine_0"}}, "kind": 1})";
    constexpr const char* kText = R"({"as_string": ")";
    constexpr const char* kEnd = R"("}, "kind": 1})";
    entries = pt2::entries_of(kBuffer);
    for (pt2::TestEntry& entry : entries) {
      if (!entry.name.ends_with("model.json")) continue;
      const size_t at = entry.data.find(kTensor);
      if (at == std::string::npos) continue;
      before = entry.data.substr(0, at) + kText;
      after = kEnd + entry.data.substr(at + std::strlen(kTensor));
      entry.data.clear();
      model = &entry;
    }
  }

  // As PyTorch stores it.
  Status store(const std::string& path) const {
    const std::string root = entries.front().name.substr(0, entries.front().name.find('/'));
    pt2::ZipWriter zip(root);
    for (const pt2::TestEntry& entry : entries) {
      const std::string name = entry.name.substr(root.size() + 1);
      if (&entry != model) {
        zip.add(name, entry.data);
        continue;
      }
      PieceList pieces;
      pieces.add(own_bytes(std::string(before)));
      pieces.add(text);
      pieces.add(own_bytes(std::string(after)));
      zip.add(name, source_of(std::move(pieces)));
    }
    PieceList archive;
    archive.add(std::move(zip).finish());
    return write_file(path, archive);
  }

  // As tools do that zip it again.
  Status deflate(const std::string& path) {
    PieceList pieces;
    pieces.add(text);
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, write_to_memory(pieces));
    model->data = before;
    model->data.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    model->data += after;
    model->method = 8;
    return write_file(path, pt2::make_zip(entries));
  }

  ByteSource text;
  std::vector<pt2::TestEntry> entries;
  pt2::TestEntry* model = nullptr;
  std::string before;
  std::string after;
};

class EngineArchiveTest : public testing::Test {
 protected:
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "sanitizers need memory of their own";
  }

  // Compiles an archive in a process of its own, with no more memory than that, and has what came
  // out say what it holds.
  void compile_within_limits(const std::string& from, const std::string& to,
                             const CompileOptions& options) {
    SCOPED_TRACE(to);
    in_child([&]() -> std::string {
      if (!limit_data(kAllowance)) return "no limit";
      const auto program = Program::load(folder_ / from);
      if (!program.ok()) return program.error().message();
      const auto artefact = compile(*program, options);
      if (!artefact.ok()) return artefact.error().message();
      const Status saved = artefact->save(folder_ / to);
      if (!saved.ok()) return saved.error().message();
      const auto info = inspect(folder_ / to);
      if (!info.ok()) return info.error().message();
      const auto engine = extract(folder_ / to, folder_ / "plan");
      return engine.ok() ? "" : engine.error().message();
    });
    const auto plan = MappedFile::open(folder_ / "plan");
    ASSERT_TRUE(plan.ok()) << plan.error().message();
    EXPECT_EQ(sha256_hex((*plan)->bytes()), digest_);
  }

  static CompileOptions to_pte() {
    CompileOptions options;
    options.engines.clear();
    return options;
  }
  static CompileOptions to_archive(std::vector<std::pair<std::string, std::string>> form) {
    CompileOptions options;
    options.output = Output::kArchive;
    options.engines = {{"tensorrt", std::move(form)}};
    return options;
  }

  TestFolder folder_;
  std::string digest_;  // of the plan
};

TEST_F(EngineArchiveTest, PlansAsTextTakeNoMemory) {
  const ByteSource plan = make_plan(18);
  digest_ = digest_of(plan);
  const TextProgram program(plan);
  ASSERT_NE(program.model, nullptr);
  ASSERT_GT(program.text.size(), kAllowance);
  const Status stored = program.store(folder_ / "text.pt2");
  ASSERT_TRUE(stored.ok()) << stored.error().message();

  compile_within_limits("text.pt2", "model.pte", to_pte());
  compile_within_limits("text.pt2", "same.pt2", to_archive({{"cross_compile", "true"}}));
  {
    // The form is kept, the text as it was.
    const auto archive = pt2::read_program(folder_ / "same.pt2");
    ASSERT_TRUE(archive.ok()) << archive.error().message();
    const auto& call = *archive->graph->nodes().front();
    const auto* text = std::get_if<ir::LongText>(&call.arg(tensorrt::kPlanItem + 1));
    ASSERT_NE(text, nullptr);
    EXPECT_EQ(sha256_hex(text->bytes.bytes), digest_of(program.text));
  }
  // An object is a text, too, in either kind of pickle.
  for (const char* abi : {"7", "10"}) {
    const std::string name = std::string("object") + abi + ".pt2";
    compile_within_limits("text.pt2", name, to_archive({{"torch_tensorrt_abi", abi}}));
    compile_within_limits(name, "model.pte", to_pte());
    std::filesystem::remove(folder_ / name);
  }
}

// Nor does what is deflated, which can't be read where it lies.
TEST_F(EngineArchiveTest, DeflatedPlansTakeNoMemory) {
  const ByteSource plan = make_plan(18);
  digest_ = digest_of(plan);
  TextProgram program(plan);
  ASSERT_GT(program.text.size(), kAllowance);
  const Status deflated = program.deflate(folder_ / "deflated.pt2");
  ASSERT_TRUE(deflated.ok()) << deflated.error().message();
  compile_within_limits("deflated.pt2", "model.pte", to_pte());
  compile_within_limits("deflated.pt2", "same.pt2", to_archive({{"cross_compile", "true"}}));
}

// The call of the placeholder's program with another plan.
Result<ByteSource> archive_of(const OwnedSpan& plan) {
  SLIPWAY_ASSIGN_OR_RETURN(ir::Program program, pt2::read_program(kBuffer));
  SLIPWAY_ASSIGN_OR_RETURN(auto found, tensorrt::take_engines(program, 0));
  std::vector<engine::Engine> engines;
  for (auto& one : found) engines.push_back(std::move(one.engine));
  engines.front().bytes = plan;
  engines.front().record.size = plan.bytes.size();
  SLIPWAY_ASSIGN_OR_RETURN(const auto calls,
                           tensorrt::put_engines(program, engines, {.is_placeholder = true}));
  pt2::WriteOptions options;
  for (const auto& [op, names] : calls.operators) {
    options.operators[op] = {.parameters = names, .gives_list = true};
  }
  return pt2::write_program(program, options);
}

// Both files are holes but for some pages.
Status write_large(const OwnedSpan& plan, const std::string& archive, const std::string& output) {
  SLIPWAY_ASSIGN_OR_RETURN(ByteSource written, archive_of(plan));
  PieceList pieces;
  pieces.add(std::move(written));
  SLIPWAY_RETURN_IF_ERROR(write_sparse(pieces, archive));

  SLIPWAY_ASSIGN_OR_RETURN(const Program program, Program::load(archive));
  CompileOptions options;
  options.engines.clear();
  SLIPWAY_ASSIGN_OR_RETURN(const Artefact artefact, compile(program, options));
  return write_sparse(Artefact::Impl::of(artefact).pieces, output);
}

// Whether the plan lies in the file, which holds little else.
bool holds_once(const std::string& path, std::span<const std::byte> plan) {
  const auto file = MappedFile::open(path);
  EXPECT_TRUE(file.ok()) << path;
  if (!file.ok()) return false;
  const auto bytes = (*file)->bytes();
  EXPECT_LT(bytes.size(), plan.size() + 2 * kMiB);
  // It begins at a multiple of 16.
  for (size_t at = 0; at + plan.size() <= bytes.size(); at += 16) {
    if (std::memcmp(bytes.data() + at, plan.data(), 4096) == 0) {
      return std::memcmp(bytes.data() + at, plan.data(), plan.size()) == 0;
    }
  }
  return false;
}

// Of 5 GiB where SLIPWAY_LARGE_TESTS is set: that takes a minute of processor time.
TEST_F(EngineArchiveTest, ALargePlanGoesThroughABuffer) {
  const uint64_t size = std::getenv("SLIPWAY_LARGE_TESTS") != nullptr ? 5120 * kMiB : 256 * kMiB;
  const OwnedSpan plan = make_sparse(size + 1, "a plan that is mostly zeros");
  ASSERT_FALSE(plan.bytes.empty());
  const std::string archive = folder_ / "large.pt2";
  const std::string output = folder_ / "large.pte";
  in_child([&]() -> std::string {
    if (!limit_data(kAllowance)) return "no limit";
    const Status written = write_large(plan, archive, output);
    return written.ok() ? "" : written.error().message();
  });
  EXPECT_TRUE(holds_once(archive, plan.bytes));
  EXPECT_TRUE(holds_once(output, plan.bytes));
}

}  // namespace
}  // namespace slipway
