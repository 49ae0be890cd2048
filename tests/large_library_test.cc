// A model that is a shared library of more than 4 GiB, from C. Not with sanitizers, which have no
// library to run it.
#include <cstdlib>
#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "base/sparse_file_test.h"
#include "base/test_folder.h"
#include "compile/library_stub.h"
#include "model_library/library.h"
#include "pte/emitter/emitted_program_test.h"
#include "slipway/npy.h"

#ifdef SLIPWAY_RUN_MODEL_LIBRARY

namespace slipway {
namespace {

constexpr int64_t kRows = 1'220'704;
constexpr int64_t kColumns = 1024;

// Zeros, but for the last row.
ir::ConstantData make_table() {
  ir::ConstantData table;
  table.sizes = {kRows, kColumns};
  table.strides = {kColumns, 1};
  table.storage = make_sparse(kRows * kColumns * sizeof(float), "");
  auto* const numbers =
      reinterpret_cast<float*>(const_cast<std::byte*>(table.storage.bytes.data()));
  for (int64_t i = 0; i < kColumns; ++i) {
    numbers[(kRows - 1) * kColumns + i] = static_cast<float>(i);
  }
  return table;
}

TEST(LargeLibraryTest, RunsFromC) {
  const TestFolder folder;
  {
    pte::ProgramToEmit p;
    ir::Value* x = p.input("x", p.type({kColumns}));
    ir::Value* table = p.constant("table", make_table());
    ir::OpBuilder build = p.build();
    p.output(build.add(x, build.select(table, 0, ir::SymInt(kRows - 1))));
    p.make_trees();
    const auto program = pte::emit({p.method()}, {.tool_version = "test"});
    ASSERT_TRUE(program.ok()) << program.error().message();
    EXPECT_GT(program->size(), uint64_t{5'000'000'000});
    const Status written =
        write_sparse(model_library::make_library(library_stub(), *program), folder / "model.so");
    ASSERT_TRUE(written.ok()) << written.error().message();
  }
  auto x = Tensor::zeros(DType::kFloat32, {kColumns});
  ASSERT_TRUE(write_npy(folder / "x.npy", *x).ok());
  for (int64_t i = 0; i < kColumns; ++i) x->data_as<float>()[i] = static_cast<float>(i);
  ASSERT_TRUE(write_npy(folder / "y.npy", *x).ok());
  const std::string command = "SLIPWAY_C_LIBRARY='" SLIPWAY_C_LIBRARY
                              "' '" SLIPWAY_RUN_MODEL_LIBRARY "' '" +
                              folder / "model.so" + "' 1 float32='" + folder / "x.npy" +
                              "' -- float32='" + folder / "y.npy" + "'";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace slipway

#endif
