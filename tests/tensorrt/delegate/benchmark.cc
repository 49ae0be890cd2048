// TensorRT's delegate on a GPU, with the stand-in for TensorRT's runtime, whose own time is a
// kernel's: what a call costs above it, how fast tensors of the host get there and back, and how
// fast and with how much memory of the host engines are loaded. Skipped where there is no GPU.

#include <atomic>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <thread>
#include <unistd.h>

#include <benchmark/benchmark.h>

#include "base/mapped_file.h"
#include "base/memory_limit_test.h"
#include "base/try.h"
#include "pte/emitter/emitted_program_test.h"
#include "tensorrt/delegate/delegate_test.h"
#include "tensorrt/format/description.h"
#include "tensorrt/library/runtime.h"

namespace slipway::tensorrt {
namespace {

// Null without a GPU.
cuda::DevicePointer gpu() {
  ::setenv("SLIPWAY_CUDA_DRIVER", "libcuda.so.1", 1);
  runtime::initialize_platform();
  use_stand_in_runtime(SLIPWAY_STAND_IN_TENSORRT, kT11);
  static const auto* const opened = new Result<cuda::DevicePointer>(cuda::Device::open(0));
  return opened->ok() ? **opened : nullptr;
}

std::string plan_for(const cuda::DevicePointer& device, const std::string& lines) {
  return stand_in_plan(lines, device->info().capability);
}

// As ExecuTorch holds it.
class RawEngine {
 public:
  explicit RawEngine(std::string blob, bool with_graphs = false) : blob_(std::move(blob)) {
    static_cast<void>(runtime::require_backend(kBackend));
    backend_ = et::get_backend_class(kBackend);
    et::FreeableBuffer processed(blob_.data(), blob_.size(), nullptr);
    et::BackendOption graphs{};
    std::strcpy(graphs.key, kGraphsOption);
    graphs.value = with_graphs;
    et::BackendInitContext context(nullptr, nullptr, "forward", nullptr, {&graphs, 1});
    handle_ = *backend_->init(context, &processed, {});
  }
  ~RawEngine() { backend_->destroy(handle_); }
  bool run(std::vector<et::EValue*>& values) {
    et::BackendExecutionContext context;
    return backend_->execute(context, handle_, {values.data(), values.size()}) == et::Error::Ok;
  }

 private:
  std::string blob_;
  et::BackendInterface* backend_;
  et::DelegateHandle* handle_;
};

Metadata metadata_of(int64_t size) {
  Metadata metadata;
  metadata.io_bindings = {{"x", "float32", {size}, true}, {"y", "float32", {size}, false}};
  return metadata;
}

std::string line_of(const std::string& size) {
  return "input x float32 " + size + "\noutput y x 2 1\n";
}

// What TensorRT's own enqueue and the wait for it take.
void BM_Enqueue(benchmark::State& state) {
  const auto device = gpu();
  if (!device) return state.SkipWithError("no GPU");
  const auto current = device->make_current();
  const auto runtime = Runtime::create(*Library::open({.with_parser = false}));
  const std::string plan = plan_for(device, line_of("1024"));
  auto engine = runtime->deserialize(std::as_bytes(std::span(plan)));
  auto context = engine->create_context();
  const auto stream = cuda::Stream::create(device);
  cuda::DeviceBuffer memory(device);
  if (!memory.reserve(8192).ok()) return state.SkipWithError("no memory");
  static_cast<void>(context->set_address("x", reinterpret_cast<void*>(memory.address())));
  static_cast<void>(context->set_address("y", reinterpret_cast<void*>(memory.address() + 4096)));
  for (auto _ : state) {
    if (!context->enqueue(stream->handle()).ok() || !stream->wait().ok()) {
      return state.SkipWithError("no run");
    }
  }
}
BENCHMARK(BM_Enqueue)->Unit(benchmark::kMicrosecond)->UseRealTime();

// The same engine through the delegate: tensors of the GPU, of static or dynamic sizes, with or
// without CUDA graphs.
void BM_Call(benchmark::State& state) {
  const auto device = gpu();
  if (!device) return state.SkipWithError("no GPU");
  const bool is_dynamic = state.range(0) != 0;
  RawEngine engine(blob_of(metadata_of(is_dynamic ? -1 : 1024),
                           plan_for(device, line_of(is_dynamic ? "1..1024" : "1024"))),
                   state.range(1) != 0);
  DeviceFloats in(std::vector<float>(1024, 1));
  DeviceFloats out(std::vector<float>(1024, 0));
  TestTensor x({1024}, {}, aten::ScalarType::Float, in.data());
  TestTensor y({1024}, {}, aten::ScalarType::Float, out.data());
  std::vector<et::EValue*> values = {x.value(), y.value()};
  for (auto _ : state) {
    if (!engine.run(values)) return state.SkipWithError("no run");
  }
}
BENCHMARK(BM_Call)
    ->ArgNames({"dynamic", "graphs"})
    ->ArgsProduct({{0, 1}, {0, 1}})
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

void set_rate(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * (state.range(0) << 20));
}

// The driver's copy of memory that is pinned as a whole: what staging is held to.
void BM_PinnedCopy(benchmark::State& state) {
  const auto device = gpu();
  if (!device) return state.SkipWithError("no GPU");
  const auto size = static_cast<size_t>(state.range(0)) << 20;
  const bool up = state.range(1) != 0;
  const auto current = device->make_current();
  const auto stream = cuda::Stream::create(device);
  cuda::DeviceBuffer there(device);
  cuda::PinnedBuffer here(device);
  if (!there.reserve(size).ok() || !here.reserve(size).ok()) {
    return state.SkipWithError("no memory");
  }
  const cuda::Functions& call = device->driver().call();
  for (auto _ : state) {
    const int code = up ? call.copy_to_device(there.address(), here.data(), size, stream->handle())
                        : call.copy_to_host(here.data(), there.address(), size, stream->handle());
    if (code != 0 || !stream->wait().ok()) return state.SkipWithError("no copy");
  }
  set_rate(state);
}
BENCHMARK(BM_PinnedCopy)
    ->ArgNames({"MiB", "up"})
    ->ArgsProduct({{1, 16, 256}, {1, 0}})
    ->UseRealTime();

// A call whose input (up) or output is of the host.
void BM_Staging(benchmark::State& state) {
  const auto device = gpu();
  if (!device) return state.SkipWithError("no GPU");
  const size_t count = (static_cast<size_t>(state.range(0)) << 20) / sizeof(float);
  const bool up = state.range(1) != 0;
  const auto size = static_cast<aten::SizesType>(count);
  RawEngine engine(blob_of(metadata_of(size), plan_for(device, line_of(std::to_string(count)))));
  cuda::DeviceBuffer there(device);
  if (!there.reserve(count * sizeof(float)).ok()) return state.SkipWithError("no memory");
  TestTensor on_host({size}, std::vector<float>(count, 1));
  TestTensor on_device({size}, {}, aten::ScalarType::Float,
                       reinterpret_cast<void*>(there.address()));
  std::vector<et::EValue*> values = {on_host.value(), on_device.value()};
  if (!up) std::swap(values[0], values[1]);
  for (auto _ : state) {
    if (!engine.run(values)) return state.SkipWithError("no run");
  }
  set_rate(state);
}
BENCHMARK(BM_Staging)->ArgNames({"MiB", "up"})->ArgsProduct({{1, 16, 256}, {1, 0}})->UseRealTime();

// The most of anonymous_size() while it lives, looked at every millisecond.
class Peak {
 public:
  ~Peak() { stop(); }
  int64_t stop() {
    is_over_ = true;
    if (thread_.joinable()) thread_.join();
    return peak_;
  }

 private:
  std::atomic<bool> is_over_{false};
  int64_t peak_ = 0;
  std::thread thread_{[this] {
    while (!is_over_) {
      peak_ = std::max(peak_, anonymous_size());
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }};
};

// A file with an engine of so many bytes.
Status write_program(const cuda::DevicePointer& device, const std::string& path, uint64_t size) {
  const std::string plan = path + ".plan";
  const std::string text =
      plan_for(device, "input x float32 3\noutput y x 2 1\ndata " + std::to_string(size) + "\n");
  std::ofstream(plan, std::ios::binary) << text;
  std::filesystem::resize_file(plan, text.size() + size);
  SLIPWAY_ASSIGN_OR_RETURN(const auto mapped, MappedFile::open(plan));
  pte::ProgramToEmit p;
  p.output(p.call_sum({p.input("x", p.type({3}))}, {p.type({3})}, "y")->output());
  engine::Engine& engine = p.engines.back();
  engine.record.engine = "tensorrt";
  engine.record.backend = kBackend;
  engine.bytes = {mapped->bytes(), mapped};
  engine.record.size = engine.bytes.bytes.size();
  engine.record.sha256 = sha256_hex(engine.bytes.bytes);
  engine.record.inputs[0].name = "x";
  engine.record.outputs[0].name = "y";
  SLIPWAY_ASSIGN_OR_RETURN(engine.header, kDescription.header(engine.record));
  p.make_trees();
  SLIPWAY_ASSIGN_OR_RETURN(const auto pieces,
                           pte::emit({p.method()}, {.tool_version = "benchmark"}));
  SLIPWAY_RETURN_IF_ERROR(write_file(path, pieces));
  std::filesystem::remove(plan);
  return {};
}

std::string program_file(const cuda::DevicePointer& device, uint64_t mib) {
  std::string path = (std::filesystem::temp_directory_path() /
                      ("slipway_delegate_benchmark_" + std::to_string(mib) + ".pte"))
                         .string();
  if (!std::filesystem::exists(path)) {
    if (!write_program(device, path, mib << 20).ok()) std::filesystem::remove(path);
  }
  return path;
}

// From the file, in the system's cache, to a method that is ready.
void BM_Load(benchmark::State& state) {
  const auto device = gpu();
  if (!device) return state.SkipWithError("no GPU");
  const std::string path = program_file(device, static_cast<uint64_t>(state.range(0)));
  const auto load = [](const std::string& file) {
    auto module = Module::load(file);
    const bool ready = module.ok() && module->method()->prepare().ok();
    return ready ? std::optional<Module>(*std::move(module)) : std::nullopt;
  };
  // What the driver and a small engine take is below all others.
  const auto small = load(program_file(device, 0));
  const int64_t before = anonymous_size();
  Peak peak;
  for (auto _ : state) {
    if (!load(path)) return state.SkipWithError("no load");
  }
  state.counters["host_MiB"] = static_cast<double>(peak.stop() - before) / (1 << 20);
  state.SetBytesProcessed(state.iterations() * (state.range(0) << 20));
}
BENCHMARK(BM_Load)
    ->ArgName("MiB")
    ->Arg(1024)
    ->Arg(5120)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// The same file into a buffer, piece by piece.
void BM_ReadFile(benchmark::State& state) {
  const auto device = gpu();
  if (!device) return state.SkipWithError("no GPU");
  const std::string path = program_file(device, static_cast<uint64_t>(state.range(0)));
  std::vector<char> buffer(size_t{1} << 20);
  for (auto _ : state) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    while (::read(file, buffer.data(), buffer.size()) > 0) benchmark::DoNotOptimize(buffer.data());
    ::close(file);
  }
  state.SetBytesProcessed(state.iterations() * (state.range(0) << 20));
}
BENCHMARK(BM_ReadFile)
    ->ArgName("MiB")
    ->Arg(1024)
    ->Arg(5120)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// Its SHA-256, which a load computes.
void BM_Digest(benchmark::State& state) {
  const auto device = gpu();
  if (!device) return state.SkipWithError("no GPU");
  const auto file = MappedFile::open(program_file(device, static_cast<uint64_t>(state.range(0))));
  for (auto _ : state) benchmark::DoNotOptimize(sha256_hex((*file)->bytes()));
  state.SetBytesProcessed(state.iterations() * (state.range(0) << 20));
}
BENCHMARK(BM_Digest)->ArgName("MiB")->Arg(1024)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace slipway::tensorrt
