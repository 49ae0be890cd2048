// A model of the CUDA engine whose tensors stay on the GPU, for bench/cuda_benchmark.py.
//
//   cuda_calls MODEL.pte CALLS INPUT.npy...
//     writes one line of JSON: milliseconds from the start of the process to the first result, of
//     another load in the same process, of copying as many bytes as the file has from pinned
//     memory; the median of CALLS calls by CUDA graphs, in microseconds, and of as many launches of
//     a graph of one memset; what 1,000 calls allocate by operator new, and by how much they make
//     the process's own memory and that of the GPU grow.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/median.h"
#include "base/memory_limit_test.h"
#include "cuda/driver/device.h"
#include "slipway/module.h"
#include "slipway/npy.h"

namespace {

std::atomic<uint64_t> allocations = 0;

}  // namespace

void* operator new(size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace {

using namespace slipway;  // NOLINT
using Clock = std::chrono::steady_clock;

void check(const Status& status) {
  if (status.ok()) return;
  std::cerr << "cuda_calls: " << status.error().message() << "\n";
  std::exit(1);
}
template <class T>
T take(Result<T> result) {
  if (!result.ok()) check(result.error());
  return std::move(*result);
}
void check(int code) {
  if (code == 0) return;
  std::cerr << "cuda_calls: the driver gives error " << code << "\n";
  std::exit(1);
}

double milliseconds(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}
template <class Call>
double median_microseconds(int calls, const Call& call) {
  std::vector<double> times;
  for (int i = 0; i < calls; ++i) {
    const auto start = Clock::now();
    call();
    times.push_back(1000 * milliseconds(start));
  }
  return median(std::move(times));
}

// Milliseconds since this process was started.
double age() {
  long long start = 0;
  std::FILE* const file = std::fopen("/proc/self/stat", "r");
  if (file == nullptr || std::fscanf(file,
                                     "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
                                     "%*u %*u %*d %*d %*d %*d %*d %*d %lld",
                                     &start) != 1) {
    return 0;
  }
  std::fclose(file);
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec) -
         1e3 * static_cast<double>(start) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

struct Loaded {
  Module module;
  Method method;
};
Loaded load(const std::string& path) {
  Module module = take(Module::load(path, {.cuda_graphs = true}));
  Method method = take(module.method());
  check(method.prepare());
  return {std::move(module), method};
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    std::cerr << "usage: cuda_calls MODEL.pte CALLS INPUT.npy...\n";
    return 2;
  }
  const std::string path = arguments[1];
  const int calls = std::atoi(arguments[2]);
  const Loaded loaded = load(path);
  const Method& method = loaded.method;
  const auto device = take(cuda::Device::open(0));
  const auto current = take(device->make_current());
  const cuda::Functions& driver = device->driver().call();
  const auto on_device = [&](const Tensor& tensor) {
    cuda::Address memory = 0;
    check(driver.allocate(&memory, std::max<size_t>(tensor.nbytes(), 1)));
    return take(Tensor::borrow(reinterpret_cast<void*>(memory), tensor.nbytes(),
                               tensor.dtype(),  // NOLINT
                               tensor.sizes(), {Device::Type::kCuda, 0}));
  };
  const auto stream = take(cuda::Stream::create(device));
  std::vector<Value> inputs;
  for (int i = 3; i < count; ++i) {
    const Tensor tensor = take(read_npy(arguments[i]));
    if (take(method.input_device(inputs.size())).is_cpu()) {
      inputs.emplace_back(tensor);
      continue;
    }
    Tensor copy = on_device(tensor);
    check(driver.copy_to_device(reinterpret_cast<cuda::Address>(copy.data()), tensor.data(),
                                tensor.nbytes(), stream.handle()));
    inputs.emplace_back(copy);
  }
  check(stream.wait());
  const std::vector<Value> first = take(method.run(inputs));
  const double from_start = age();
  size_t kept = 0;
  for (size_t i = 0; i < first.size(); ++i) {
    const auto* const tensor = std::get_if<Tensor>(&first[i]);
    if (tensor == nullptr || take(method.output_device(i)).is_cpu()) continue;
    if (method.set_output(i, on_device(*tensor)).ok()) ++kept;
  }
  const auto call = [&] { take(method.run(inputs)); };
  median_microseconds(20, call);
  const double of_call = median_microseconds(calls, call);

  void* graph = nullptr;
  void* bare = nullptr;
  cuda::Address memory = 0;
  check(driver.allocate(&memory, 64));
  check(driver.begin_capture(stream.handle(), 2));
  check(driver.fill(memory, 0, 64, stream.handle()));
  check(driver.end_capture(stream.handle(), &graph));
  check(driver.instantiate_graph(&bare, graph, 0));
  const double of_graph = median_microseconds(calls + 20, [&] {
    check(driver.launch_graph(bare, stream.handle()));
    check(stream.wait());
  });

  const auto free_memory = [&] {
    size_t free = 0;
    size_t total = 0;
    check(driver.memory_info(&free, &total));
    return static_cast<long long>(free);
  };
  const int64_t anonymous = anonymous_size();
  const long long free_before = free_memory();
  const uint64_t allocated = allocations;
  for (int i = 0; i < 1000; ++i) call();
  const uint64_t allocated_later = allocations;
  const long long taken = free_before - free_memory();
  const int64_t grown = (anonymous_size() - anonymous) / 1024;

  const uint64_t bytes = std::filesystem::file_size(path);
  constexpr uint64_t kChunk = 16 << 20;
  void* pinned = nullptr;
  check(driver.allocate_host(&pinned, kChunk, 0));
  std::fill_n(static_cast<char*>(pinned), kChunk, 1);
  check(driver.allocate(&memory, kChunk));
  const auto copying = Clock::now();
  for (uint64_t done = 0; done < bytes; done += kChunk) {
    check(driver.copy_to_device(memory, pinned, std::min(kChunk, bytes - done), stream.handle()));
  }
  check(stream.wait());
  const double of_copy = milliseconds(copying);
  std::vector<double> loads;
  for (int i = 0; i < 3; ++i) {
    const auto start = Clock::now();
    const Loaded again = load(path);
    loads.push_back(milliseconds(start));
  }
  std::sort(loads.begin(), loads.end());
  fmt::print(
      "{{\"process_to_first_result_ms\": {:.1f}, \"load_again_ms\": {:.1f}, \"copy_ms\": {:.1f}, "
      "\"call_us\": {:.1f}, \"graph_us\": {:.1f}, \"outputs_on_device\": {}, \"news_a_call\": "
      "{:.2f}, "
      "\"grown_kib\": {}, \"taken_on_gpu\": {}}}\n",
      from_start, loads[1], of_copy, of_call, of_graph, kept,
      static_cast<double>(allocated_later - allocated) / 1000, grown, taken);
  return 0;
}
