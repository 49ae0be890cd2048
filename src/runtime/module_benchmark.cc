// What a Module adds to ExecuTorch's own Method: the difference of the two on the same program,
// which does almost nothing.

#include <fstream>
#include <iterator>

#include <benchmark/benchmark.h>
#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/extension/memory_allocator/malloc_memory_allocator.h>
#include <executorch/runtime/executor/program.h>

#include "runtime/platform.h"
#include "slipway/module.h"

namespace slipway {
namespace {

namespace et = executorch::runtime;

const std::string kPath = std::string(SLIPWAY_TEST_DATA) + "/runtime/add.pte";

void BM_ModuleRun(benchmark::State& state) {
  const Method method = *Module::load(kPath)->method();
  const std::vector<Value> inputs(2, *Tensor::zeros(DType::kFloat32, {2, 3}));
  for (auto _ : state) {
    auto outputs = method.run(inputs);
    if (!outputs.ok()) return state.SkipWithError(outputs.error().message().c_str());
    benchmark::DoNotOptimize(outputs);
  }
}
BENCHMARK(BM_ModuleRun);

void BM_ExecuTorchExecute(benchmark::State& state) {
  runtime::initialize_platform();
  std::ifstream stream(kPath, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(stream)),
                          std::istreambuf_iterator<char>());
  executorch::extension::BufferDataLoader loader(bytes.data(), bytes.size());
  auto program = et::Program::load(&loader);
  executorch::extension::MallocMemoryAllocator allocator;
  executorch::extension::MallocMemoryAllocator scratch;
  alignas(16) uint8_t planned_bytes[64];
  et::Span<uint8_t> planned_span(planned_bytes, sizeof planned_bytes);
  et::HierarchicalAllocator planned({&planned_span, 1});
  et::MemoryManager memory(&allocator, &planned, &scratch);
  auto method = program->load_method("forward", &memory);
  if (!method.ok()) return state.SkipWithError("the method does not load");
  float input[6] = {};
  float outputs[2][6];
  int32_t sizes[2] = {2, 3};
  int32_t strides[2] = {3, 1};
  uint8_t dim_order[2] = {0, 1};
  executorch::aten::TensorImpl impl(executorch::aten::ScalarType::Float, 2, sizes, input, dim_order,
                                    strides);
  for (size_t i = 0; i < 2; ++i) {
    if (method->set_input(et::EValue(executorch::aten::Tensor(&impl)), i) != et::Error::Ok ||
        method->set_output_data_ptr(outputs[i], sizeof outputs[i], i) != et::Error::Ok) {
      return state.SkipWithError("binding fails");
    }
  }
  for (auto _ : state) {
    if (method->execute() != et::Error::Ok) return state.SkipWithError("execution fails");
  }
}
BENCHMARK(BM_ExecuTorchExecute);

void BM_ModuleLoad(benchmark::State& state) {
  for (auto _ : state) {
    auto module = Module::load(kPath);
    if (!module.ok() || !module->method()->prepare().ok())
      return state.SkipWithError("loading fails");
  }
}
BENCHMARK(BM_ModuleLoad);

}  // namespace
}  // namespace slipway
