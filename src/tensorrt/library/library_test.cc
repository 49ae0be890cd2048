#include "tensorrt/library/library.h"

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "tensorrt/library/builder.h"
#include "tensorrt/library/runtime.h"

namespace slipway::tensorrt {
namespace {

namespace fs = std::filesystem;

// With copies of a library that claims a version, in folders of their own.
class LibraryTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              ("slipway_tensorrt_" +
               std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    ::unsetenv(kLibraryVariable);
    claim("10701");
  }
  void TearDown() override {
    ::unsetenv(kLibraryVariable);
    fs::remove_all(folder_);
  }

  static void claim(const char* version) { ::setenv("SLIPWAY_STAND_IN_VERSION", version, 1); }
  std::string place(const fs::path& name) const {
    fs::create_directories((folder_ / name).parent_path());
    fs::copy_file(SLIPWAY_TENSORRT_STAND_IN, folder_ / name);
    return folder_ / name;
  }

  fs::path folder_;
};

TEST_F(LibraryTest, OpensAFileOrAFolder) {
  const std::string file = place("one/renamed.so");
  const auto named = Library::open({file});
  ASSERT_TRUE(named.ok()) << named.error().message();
  EXPECT_EQ((*named)->version().name(), "TensorRT-RTX 1.7.1");
  EXPECT_EQ((*named)->path(), file);

  claim("110100");
  const std::string eleven = place("two/libnvinfer.so.11");
  const auto found = Library::open({folder_ / "two"});
  ASSERT_TRUE(found.ok()) << found.error().message();
  EXPECT_EQ((*found)->version().family, Family::kT11);
  EXPECT_EQ((*found)->path(), eleven);
}

TEST_F(LibraryTest, TheVariableComesAfterTheOption) {
  const std::string file = place("variable/libtensorrt_rtx.so.1");
  const std::string other = place("option/libtensorrt_rtx.so.1");
  ::setenv(kLibraryVariable, file.c_str(), 1);
  EXPECT_EQ((*Library::open())->path(), file);
  EXPECT_EQ((*Library::open({other}))->path(), other);
  ::setenv(kLibraryVariable, (folder_ / "variable").c_str(), 1);
  EXPECT_EQ((*Library::open())->path(), file);
}

TEST_F(LibraryTest, SaysThatWhatWasNamedIsMissing) {
  const auto file = Library::open({folder_ / "nothing.so"});
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(file.error().message(), (folder_ / "nothing.so").string() +
                                        ", which option 'tensorrt_lib' names, does not exist");
  ::setenv(kLibraryVariable, folder_.c_str(), 1);
  const auto folder = Library::open();
  ASSERT_FALSE(folder.ok());
  EXPECT_EQ(folder.error().message(),
            folder_.string() +
                ", which SLIPWAY_TENSORRT_LIB names, has none of libtensorrt_rtx.so.1, "
                "libnvinfer.so.11 and libnvinfer.so.10");
}

TEST_F(LibraryTest, RefusesOtherFamiliesByNameAndVersion) {
  const std::string file = place("libtensorrt_rtx.so.1");
  claim("10400");
  const auto old = Library::open({file});
  ASSERT_FALSE(old.ok());
  EXPECT_EQ(old.error().code(), ErrorCode::kUnsupported);
  EXPECT_EQ(old.error().message(), "TensorRT-RTX 1.4.0 at " + file +
                                       " is not supported: Slipway needs 1.5 or later (`make "
                                       "setup-tensorrt` gets TensorRT-RTX 1.7.1)");
  claim("120000");
  const auto unknown = Library::open({file});
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.error().message().find("TensorRT 12.0.0 at "), std::string::npos);
}

TEST_F(LibraryTest, RefusesWhatIsNoTensorrt) {
  const auto libc = Library::open({"/lib/x86_64-linux-gnu/libm.so.6"});
  ASSERT_FALSE(libc.ok());
  EXPECT_EQ(libc.error().message(),
            "/lib/x86_64-linux-gnu/libm.so.6 is no TensorRT: it lacks getInferLibVersion");
  const auto text = Library::open({SLIPWAY_TEST_DATA "/onnx/core_operators.txt"});
  ASSERT_FALSE(text.ok());
  EXPECT_EQ(text.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(text.error().message().find("invalid ELF header"), std::string::npos);
}

TEST_F(LibraryTest, FindsWhatSetUpMadeOrSaysHowToGetIt) {
  const fs::path program = folder_ / "build/release/tests";
  const auto missing = Library::open({.program_folder = program});
  if (missing.ok()) GTEST_SKIP() << "the loader finds " << (*missing)->path() << " first";
  EXPECT_EQ(missing.error().code(), ErrorCode::kUnavailable);
  for (const char* part :
       {"libtensorrt_rtx.so.1", "libnvinfer.so.11", "libnvinfer.so.10", "option 'tensorrt_lib'",
        "SLIPWAY_TENSORRT_LIB", "`make setup-tensorrt`"}) {
    EXPECT_NE(missing.error().message().find(part), std::string::npos) << part;
  }

  const std::string file = place(".deps/tensorrt-rtx/libtensorrt_rtx.so.1");
  const auto found = Library::open({.program_folder = program});
  ASSERT_TRUE(found.ok()) << found.error().message();
  EXPECT_EQ((*found)->path(), file);
  EXPECT_FALSE(Library::open({.program_folder = folder_ / "bin"}).ok());
}

TEST_F(LibraryTest, SaysWhatTheLibraryDoesNotMake) {
  const auto library = Library::open({place("libtensorrt_rtx.so.1")});
  ASSERT_TRUE(library.ok());
  const auto builder = Builder::create(*library);
  ASSERT_FALSE(builder.ok());
  EXPECT_EQ(builder.error().message(),
            "TensorRT-RTX 1.7.1 makes no builder on this machine, and TensorRT does not say why");
  const auto runtime = Runtime::create(*library);
  ASSERT_FALSE(runtime.ok());
  EXPECT_EQ(runtime.error().code(), ErrorCode::kUnavailable);
}

TEST_F(LibraryTest, AMissingParserIsAnErrorOnceItIsNeeded) {
  claim("101400");
  const auto library = Library::open({place("libnvinfer.so.10")});
  ASSERT_TRUE(library.ok());
  if (!(*library)->parser_path().empty()) GTEST_SKIP() << "the loader finds a parser";
  const Status parser = (*library)->require_parser();
  ASSERT_FALSE(parser.ok());
  EXPECT_NE(parser.error().message().find("put libnvonnxparser.so.10 beside it"), std::string::npos)
      << parser.error().message();
}

}  // namespace
}  // namespace slipway::tensorrt
