// Loading a file with 350 MB of weights: the time to a ready method, and how many pages of the
// file the process touches meanwhile.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "ir/op_builder.h"
#include "ir/program.h"
#include "pte/emitter/emitter.h"
#include "slipway/module.h"

namespace slipway {
namespace {

constexpr int64_t kWidth = 3200;
constexpr int kLayers = 9;  // 9 * 3200 * 3200 * 4 bytes = 351 MiB

// A chain of linear layers whose weights differ in one number each, so that none is shared.
Status write_program(const std::string& path) {
  ir::Program program;
  ir::Graph& graph = *program.graph;
  std::vector<ir::Value*> weights;
  for (int i = 0; i < kLayers; ++i) {
    const std::string name = "weight" + std::to_string(i);
    std::vector<std::byte> bytes(kWidth * kWidth * sizeof(float));
    bytes[0] = static_cast<std::byte>(i + 1);
    ir::Input input;
    input.kind = ir::InputKind::kParameter;
    input.name = input.target = name;
    input.value = graph.add_input(name, {DType::kFloat32, {kWidth, kWidth}, {}});
    input.data = ir::ConstantData{
        DType::kFloat32, {kWidth, kWidth}, {kWidth, 1}, 0, own_bytes(std::move(bytes))};
    weights.push_back(input.value);
    program.inputs.push_back(std::move(input));
  }
  ir::Input x;
  x.name = "x";
  x.value = graph.add_input("x", {DType::kFloat32, {1, kWidth}, {}});
  ir::Value* value = x.value;
  program.inputs.push_back(std::move(x));
  ir::OpBuilder build(graph, nullptr, nullptr);
  for (ir::Value* weight : weights) value = build.linear(value, weight, nullptr);
  graph.outputs().emplace_back(value);
  program.outputs.emplace_back();
  program.input_tree.kind = program.output_tree.kind = Tree::Kind::kTuple;
  program.input_tree.children.emplace_back();
  program.output_tree.children.emplace_back();
  auto pieces = pte::emit({{"forward", &program, ""}}, {.tool_version = "benchmark"});
  if (!pieces.ok()) return pieces.error();
  return write_file(path, *pieces);
}

// RssFile of this process, in KiB: pages of mapped files that it has touched.
int64_t mapped_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssFile:")) return std::atoll(line.c_str() + 8);
  }
  return 0;
}

void BM_LoadToReadyMethod(benchmark::State& state) {
  const auto path = std::filesystem::temp_directory_path() / "slipway_load_benchmark.pte";
  if (const Status written = write_program(path); !written.ok()) {
    return state.SkipWithError(written.error().message().c_str());
  }
  int64_t touched = 0;
  for (auto _ : state) {
    const int64_t before = mapped_kib();
    auto module = Module::load(path);
    if (!module.ok()) return state.SkipWithError(module.error().message().c_str());
    if (const Status ready = module->method()->prepare(); !ready.ok()) {
      return state.SkipWithError(ready.error().message().c_str());
    }
    touched = std::max(touched, mapped_kib() - before);
  }
  state.counters["file_MiB"] = static_cast<double>(std::filesystem::file_size(path) >> 20);
  state.counters["touched_KiB"] = static_cast<double>(touched);
  std::filesystem::remove(path);
}
BENCHMARK(BM_LoadToReadyMethod)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace slipway
