// Calls of every kernel with arguments that no compiler would give it: whatever the checked reader
// does not refuse must run to an end or an error, and touch nothing but its own memory. A long run:
//
//   SLIPWAY_MUTATIONS=10000 build/release/tests/tests_test --gtest_filter='*KernelCalls*'
#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "kernel_call.h"
#include "mutants.h"
#include "schema/schema.h"
#include "slipway/module.h"

namespace slipway::mutants {
namespace {

// Memory that begins or ends where nothing may be read.
class Fenced {
 public:
  Fenced(size_t size, bool in_front) {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    const size_t used = (size + page - 1) / page * page;
    size_ = used + page;
    data_ = static_cast<std::byte*>(
        ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ::mprotect(data_ + (in_front ? 0 : used), page, PROT_NONE);
    begin_ = data_ + (in_front ? page : used - size);
  }
  ~Fenced() { ::munmap(data_, size_); }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;
  std::byte* begin() const { return begin_; }

 private:
  std::byte* data_ = nullptr;
  std::byte* begin_ = nullptr;
  size_t size_ = 0;
};

template <class T>
void fill_with(Tensor& tensor, Random& random, bool is_odd) {
  T* data = tensor.data_as<T>();
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    const bool is_odd_one = is_odd && below(random, 3) == 0;
    if constexpr (std::is_integral_v<T>) {
      data[i] = static_cast<T>(is_odd_one ? any_of(random, kOddInts) : between(random, 0, 2));
    } else {
      data[i] = static_cast<T>(is_odd_one ? any_of(random, kOddDoubles)
                                          : 0.5 * static_cast<double>(between(random, -4, 4)));
    }
  }
}

void fill(Tensor& tensor, Random& random) {
  const bool is_odd = below(random, 2) == 0;
  switch (tensor.dtype()) {
    case DType::kInt64:
      return fill_with<int64_t>(tensor, random, is_odd);
    case DType::kInt32:
      return fill_with<int32_t>(tensor, random, is_odd);
    case DType::kInt16:
      return fill_with<int16_t>(tensor, random, is_odd);
    case DType::kFloat32:
      return fill_with<float>(tensor, random, is_odd);
    case DType::kFloat64:
      return fill_with<double>(tensor, random, is_odd);
    default:
      for (size_t i = 0; i < tensor.nbytes(); ++i) {
        const bool is_bool = tensor.dtype() == DType::kBool;
        tensor.data_as<uint8_t>()[i] =
            static_cast<uint8_t>(is_bool || !is_odd ? random() % 2 : random());
      }
  }
}

bool is_untouched(const Method& method) {
  const auto zones = method.state();
  if (!zones.ok()) return true;
  return std::all_of(zones->begin(), zones->end(), [](const auto& zone) {
    const auto bytes = zone.second.bytes();
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte each) { return each == kRedByte; });
  });
}

Use run_call(const std::string& file) {
  const auto bytes = std::as_bytes(std::span(file));
  auto module = Module::load(std::vector(bytes.begin(), bytes.end()), "call.pte");
  if (!module.ok()) return {kRefused, ""};
  const auto method = module->method("forward");
  if (!method.ok()) return {kRefused, ""};
  Random random(std::hash<std::string>()(file));
  std::vector<Value> inputs;
  std::vector<std::unique_ptr<Fenced>> memories;
  for (const ValueInfo& info : method->inputs()) {
    std::vector<int64_t> sizes;
    const TensorInfo& described = *info.tensor();
    for (const SizeInfo& size : described.sizes) {
      sizes.push_back(between(random, size.min, size.max));
    }
    const auto nbytes = contiguous_nbytes(described.dtype, sizes);
    if (!nbytes.ok()) return {kRefused, ""};
    memories.push_back(std::make_unique<Fenced>(*nbytes, below(random, 3) == 0));
    auto tensor = Tensor::borrow(memories.back()->begin(), *nbytes, described.dtype, sizes);
    fill(*tensor, random);
    inputs.emplace_back(std::move(*tensor));
  }
  const bool ran = method->run(inputs).ok();
  if (!is_untouched(*method)) return {kOverrun, ""};
  return {ran ? kRan : kRunError, file};
}

const schema::Schema& any_kernel(Random& random) {
  const auto& kernels = schema::kernels();
  return kernels[below(random, kernels.size())];
}

TEST(KernelCalls, EndInResultsOrErrorsWhateverTheArguments) {
  std::ifstream stream(std::string(SLIPWAY_TEST_DATA) + "/runtime/planned.pte", std::ios::binary);
  const std::string plain((std::istreambuf_iterator<char>(stream)),
                          std::istreambuf_iterator<char>());
  expect_no_crash(
      {"kernel calls", plain,
       [](Random& random) { return draw_kernel_call(any_kernel(random), random).file; }, run_call,
       [](Random& random) {
         const schema::Schema& kernel = any_kernel(random);
         return kernel.text + ": " + draw_kernel_call(kernel, random).text;
       }},
      12 * count_wanted());
}

}  // namespace
}  // namespace slipway::mutants
