#include "cuda/libraries/cublaslt.h"

#include <algorithm>
#include <dlfcn.h>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/shared_library.h"
#include "base/try.h"
#include "cuda/libraries/find_library.h"

namespace slipway::cuda {
namespace {

const LibraryPlaces kPlaces = {
    .title = "cuBLASLt",
    .names = {"libcublasLt.so.13", "libcublasLt.so.12"},
    .variable = kCublasLtVariable,
    .setup_folder = "cublas",
    .wheel_folder = "cublas",
    .remedy = "get it by `make setup-cuda` or `pip install nvidia-cublas==13.1.0.3`",
};

// Numbers of cublasLt.h and library_types.h.
constexpr int kFloat16 = 2;
constexpr int kBFloat16 = 14;
constexpr int kFloat32 = 0;
constexpr int kComputeFloat32 = 68;
constexpr int kTransposeA = 3;
constexpr int kTransposeB = 4;
constexpr int kEpilogue = 7;
constexpr int kBiasPointer = 8;
constexpr int kEpilogueBias = 4;
constexpr int kMostWorkspace = 1;
constexpr std::array kAlignments = {5, 6, 7, 8};  // of a, b, c, d
constexpr uint32_t kAlignment = 16;
constexpr int kMostAlgorithms = 16;
constexpr size_t kMostPlans = 1024;  // that are known at once
constexpr int kAllocFailed = 3;
constexpr int kNotSupported = 15;

using Owner = std::unique_ptr<void, int (*)(void*)>;

// Makes one of the library's descriptions.
template <class... Arguments>
Result<Owner> made(const CublasLt& library, int (*create)(void**, Arguments...),
                   int (*destroy)(void*), std::type_identity_t<Arguments>... arguments) {
  void* handle = nullptr;
  SLIPWAY_RETURN_IF_ERROR(library.check(create(&handle, arguments...), "cuBLASLt makes nothing"));
  return Owner(handle, destroy);
}

}  // namespace

// Its matrices lie column by column: a row-major d = a b is d' = b' a' there.
struct LibraryProducts::Plan {
  Owner product;
  Owner left;
  Owner right;
  Owner result;
  CublasLtAlgorithm algorithm;
};

Result<const CublasLt*> CublasLt::open() {
  SLIPWAY_ASSIGN_OR_RETURN(const std::string file, find_library(kPlaces));
  return loaded_once(file, &CublasLt::load);
}

Result<const CublasLt*> CublasLt::load(const std::string& file) {
  SLIPWAY_ASSIGN_OR_RETURN(OpenedLibrary library, OpenedLibrary::open(file));
  std::unique_ptr<CublasLt> loaded(new CublasLt());
#define SLIPWAY_CUBLASLT_FUNCTION(member, symbol, ...) \
  library.find(loaded->functions_.member, #symbol);
  SLIPWAY_CUBLASLT_FUNCTIONS(SLIPWAY_CUBLASLT_FUNCTION)
#undef SLIPWAY_CUBLASLT_FUNCTION
  library.find(loaded->functions_.version, "cublasLtGetVersion");
  library.find(loaded->functions_.error_text, "cublasLtGetStatusString");
  SLIPWAY_RETURN_IF_ERROR(library.check("cuBLASLt"));
  loaded->path_ = library.path();
  return loaded.release();
}

// 130100 is 13.1.0; before 13, 12 is 120xxx likewise.
std::string CublasLt::version_text() const {
  const size_t version = functions_.version();
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

Status CublasLt::check(int code, std::string_view what) const {
  if (code == 0) return {};
  const std::string message = fmt::format("{}: {}", what, functions_.error_text(code));
  if (code == kAllocFailed) return resource_exhausted("{}", message);
  if (code == kNotSupported) return unsupported("{}", message);
  return internal_error("{}", message);
}

Result<LibraryProducts> LibraryProducts::create(const CublasLt& library) {
  void* handle = nullptr;
  SLIPWAY_RETURN_IF_ERROR(library.check(library.call().create(&handle), "cuBLASLt does not start"));
  return LibraryProducts(library, handle);
}

LibraryProducts::LibraryProducts(const CublasLt& library, void* handle)
    : library_(&library), handle_(handle, library.call().destroy) {}
LibraryProducts::LibraryProducts(LibraryProducts&&) noexcept = default;
LibraryProducts::~LibraryProducts() = default;

Result<const LibraryProducts::Plan*> LibraryProducts::plan_of(const LibraryProduct& p) {
  const auto known = plans_.find(p);
  if (known != plans_.end()) return known->second.get();
  if (plans_.size() == kMostPlans) plans_.clear();
  const CublasLt::Functions& call = library_->call();
  const int type = p.is_bfloat16 ? kBFloat16 : kFloat16;
  const auto matrix = [&](int64_t rows, int64_t columns, int64_t stride) {
    return made(*library_, call.create_matrix, call.destroy_matrix, type,
                static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), stride);
  };
  SLIPWAY_ASSIGN_OR_RETURN(Owner product, made(*library_, call.create_product, call.destroy_product,
                                               kComputeFloat32, kFloat32));
  SLIPWAY_ASSIGN_OR_RETURN(
      Owner left, p.b_lies_along_k ? matrix(p.k, p.n, p.b_stride) : matrix(p.n, p.k, p.b_stride));
  SLIPWAY_ASSIGN_OR_RETURN(
      Owner right, p.a_lies_along_k ? matrix(p.k, p.m, p.a_stride) : matrix(p.m, p.k, p.a_stride));
  SLIPWAY_ASSIGN_OR_RETURN(Owner result, matrix(p.n, p.m, p.n));
  SLIPWAY_ASSIGN_OR_RETURN(Owner preference,
                           made(*library_, call.create_preference, call.destroy_preference));
  int code = 0;
  const auto set = [&](auto* function, void* of, int attribute, const auto& value) {
    if (code == 0) code = function(of, attribute, &value, sizeof value);
  };
  const int32_t left_turned = p.b_lies_along_k ? 1 : 0;
  const int32_t right_turned = p.a_lies_along_k ? 0 : 1;
  set(call.set_product, product.get(), kTransposeA, left_turned);
  set(call.set_product, product.get(), kTransposeB, right_turned);
  if (p.has_bias) set(call.set_product, product.get(), kEpilogue, int32_t{kEpilogueBias});
  set(call.set_preference, preference.get(), kMostWorkspace, p.workspace_bytes);
  for (const int attribute : kAlignments) {
    set(call.set_preference, preference.get(), attribute, kAlignment);
  }
  std::array<CublasLtHeuristic, kMostAlgorithms> found = {};
  int count = 0;
  if (code == 0) {
    code = call.find_algorithms(handle_.get(), product.get(), left.get(), right.get(), result.get(),
                                result.get(), preference.get(), p.rank + 1, found.data(), &count);
  }
  if (code == 0 && count == 0) code = kNotSupported;
  SLIPWAY_RETURN_IF_ERROR(
      library_->check(code, fmt::format("cuBLASLt {} does not multiply [{}, {}] by [{}, {}]",
                                        library_->version_text(), p.m, p.k, p.k, p.n)));
  const auto rank = static_cast<size_t>(std::min(int{p.rank}, count - 1));
  auto& added = plans_[p];
  added.reset(new Plan{std::move(product), std::move(left), std::move(right), std::move(result),
                       found.at(rank).algorithm});
  return added.get();
}

Status LibraryProducts::multiply(const LibraryProduct& p, const LibraryOperands& operands,
                                 const Stream& stream) {
  SLIPWAY_ASSIGN_OR_RETURN(const Plan* plan, plan_of(p));
  const CublasLt::Functions& call = library_->call();
  constexpr float kOne = 1;
  const float of_c = p.has_c ? 1 : 0;
  const auto at = [](Address address) { return reinterpret_cast<void*>(address); };
  void* const bias = at(operands.bias);
  int code = 0;
  if (p.has_bias) {
    code = call.set_product(plan->product.get(), kBiasPointer, static_cast<const void*>(&bias),
                            sizeof bias);
  }
  if (code == 0) {
    const Address c = p.has_c ? operands.c : operands.d;
    code = call.multiply(handle_.get(), plan->product.get(), &kOne, at(operands.b),
                         plan->left.get(), at(operands.a), plan->right.get(), &of_c, at(c),
                         plan->result.get(), at(operands.d), plan->result.get(), &plan->algorithm,
                         at(operands.workspace), p.workspace_bytes, stream.handle());
  }
  return library_->check(code, "cuBLASLt does not multiply");
}

}  // namespace slipway::cuda
