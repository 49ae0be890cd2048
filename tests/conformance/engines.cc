#include "engines.h"

#include <array>
#include <cstdlib>
#include <utility>

#include "cuda/builder/images.h"
#include "cuda/driver/stand_in_driver_test.h"
#include "openvino/builder/exactness.h"
#include "stand_in/builder/builder.h"

namespace slipway::conformance {
namespace {

constexpr std::array kNoKernel = {
    Exception{"core_grid_sampler_3d", "no kernel computes it and no rule expresses it by others"},
};

constexpr std::array kNanLostByXnnpack = {
    Exception{"edges_max_pool", "the maximum of a window goes on after NaN"},
};

// docs/cuda.md
constexpr const char* kBranch = "which branch it takes is decided by data";
constexpr const char* kSizesOfData = "the size of its result depends on data";
constexpr const char* kIsNumber = "its result is a number";
constexpr const char* kNotSupported = "the operator is not supported";
constexpr const char* kNothing = "";  // though other variants of the case leave some
constexpr const char* kOnlyShapes = "its partition would only give tensors other shapes";
constexpr std::array kOutsideOnCuda = {
    Exception{"aliases_dims", kOnlyShapes},
    Exception{"cond", kBranch},
    Exception{"cond_of_bool", kBranch},
    Exception{"cond_of_int", kBranch},
    Exception{"cond_of_uint8", kBranch},
    Exception{"conjugate_transpose", kNotSupported},
    Exception{"conjugate_transpose_with_first_constant", kOnlyShapes},
    Exception{"flip_roll_of_any_length", "is known only from data"},
    Exception{"hermitian_transforms", kNotSupported},
    Exception{"hermitian_transforms_back", kNotSupported},
    Exception{"index_mask", kSizesOfData},
    Exception{"index_mask_of_bool", kSizesOfData},
    Exception{"index_mask_of_int", kSizesOfData},
    Exception{"index_mask_of_uint8", kSizesOfData},
    Exception{"index_mask_shapes", kSizesOfData},
    Exception{"index_mask_shapes_of_bool", kSizesOfData},
    Exception{"index_mask_shapes_of_int", kSizesOfData},
    Exception{"index_mask_shapes_of_uint8", kSizesOfData},
    Exception{"local_scalar", kIsNumber},
    Exception{"local_scalar_with_rest_constant", kNothing},
    Exception{"local_scalar_of_int", kIsNumber},
    Exception{"local_scalar_of_uint8", kIsNumber},
    Exception{"nonzero", kSizesOfData},
    Exception{"nonzero_of_bool", kSizesOfData},
    Exception{"nonzero_of_int", kSizesOfData},
    Exception{"nonzero_of_uint8", kSizesOfData},
    Exception{"tensor_split_by_a_tensor", kSizesOfData},
    Exception{"views", kOnlyShapes},
    Exception{"views_dynamic", kOnlyShapes},
};

// docs/openvino.md
constexpr std::array kNanLostByOpenVino = {
    Exception{"edges_exp", "exp of NaN is infinite"},
    Exception{"edges_extrema", "maximum, minimum and clamp give the other operand"},
    Exception{"edges_hardsigmoid", "it is limited as clamp does it"},
    Exception{"edges_hardtanh", "it is limited as clamp does it"},
    Exception{"edges_logsumexp", "exp of NaN is infinite"},
    Exception{"edges_max_pool", "the maximum is that of the other numbers"},
    Exception{"edges_reduced", "extrema are those of the other numbers"},
    Exception{"edges_relu", "relu of NaN is 0"},
    Exception{"edges_relu6", "it is limited as clamp does it"},
    Exception{"edges_softmax", "the largest of a row is that of the other numbers"},
};

constexpr std::array kOtherOnOpenVino = {
    Exception{"edges_max_pool_infinite", "of nothing but -inf the maximum is the least number"},
    Exception{"negative_zero_of_any_length", "a zero times a negative number is positive"},
    Exception{"special_bfloat16_of_any_length", "a zero times a number is positive"},
    Exception{"special_float16_of_any_length", "a zero times a number is positive"},
};

constexpr std::array kWithoutCaseOnOpenVino = {
    Exception{"aten._log_softmax.default bool", "PyTorch computes it in floating point only"},
    Exception{"aten._log_softmax.default byte", "PyTorch computes it in floating point only"},
    Exception{"aten._log_softmax.default int", "PyTorch computes it in floating point only"},
    Exception{"aten._safe_softmax.default bool", "PyTorch computes it in floating point only"},
    Exception{"aten._safe_softmax.default byte", "PyTorch computes it in floating point only"},
    Exception{"aten._safe_softmax.default int", "PyTorch computes it in floating point only"},
    Exception{"aten._scaled_dot_product_flash_attention_for_cpu.default bool",
              "its mask is a number"},
    Exception{"aten._softmax.default bool", "PyTorch computes it in floating point only"},
    Exception{"aten._softmax.default byte", "PyTorch computes it in floating point only"},
    Exception{"aten._softmax.default int", "PyTorch computes it in floating point only"},
    Exception{"aten.aminmax.default int", "the range of its integers is not known"},
    Exception{"aten.arange.default bool", "PyTorch has no such kernel"},
    Exception{"aten.arange.start bool", "PyTorch has no such kernel"},
    Exception{"aten.arange.start_step bool", "PyTorch has no such kernel"},
    Exception{"aten.argmax.default bool", "PyTorch has no such kernel"},
    Exception{"aten.argmin.default bool", "PyTorch has no such kernel"},
    Exception{"aten.div.Tensor_mode int", "the range of its integers is not known"},
    Exception{"aten.empty.memory_format float", "with what fills it, it is a constant"},
    Exception{"aten.floor_divide.default int", "the range of its integers is not known"},
    Exception{"aten.linspace.default bool", "PyTorch has no such kernel"},
    Exception{"aten.masked_select.default", "the size of its result depends on data"},
    Exception{"aten.max_pool1d.default int", "PyTorch has no such kernel"},
    Exception{"aten.max_pool1d_with_indices.default",
              "places of unknown range are among its results"},
    Exception{"aten.max_pool3d.default int", "PyTorch has no such kernel"},
    Exception{"aten.max_pool3d_with_indices.default",
              "places of unknown range are among its results"},
    Exception{"aten.native_batch_norm.default", "its statistics have no elements"},
    Exception{"aten.nonzero.default", "the size of its result depends on data"},
    Exception{"aten.pow.Scalar int", "the range of its integers is not known"},
    Exception{"aten.pow.Tensor_Scalar int", "the range of its integers is not known"},
    Exception{"aten.rsub.Scalar bool", "PyTorch subtracts no bools"},
    Exception{"aten.rsub.Tensor bool", "PyTorch subtracts no bools"},
    Exception{"aten.sub.Scalar bool", "PyTorch subtracts no bools"},
    Exception{"aten.sub.Tensor bool", "PyTorch subtracts no bools"},
    Exception{"aten.subtract.Tensor bool", "PyTorch subtracts no bools"},
    Exception{"aten.where.Scalar byte", "its results are float32, int64 or bool"},
    Exception{"quantized_decomposed.dequantize_per_tensor.default int",
              "kernels quantize to 8 bits"},
    Exception{"quantized_decomposed.quantize_per_tensor.default int", "kernels quantize to 8 bits"},
};

std::set<std::string> declared_by_openvino() {
  constexpr std::pair<openvino::Types, const char*> kKinds[] = {{openvino::kFloat, "float"},
                                                                {openvino::kInt, "int"},
                                                                {openvino::kByte, "byte"},
                                                                {openvino::kBool, "bool"}};
  std::set<std::string> result;
  for (const openvino::Exactness& entry : openvino::exactness_table()) {
    for (const auto& [bit, kind] : kKinds) {
      if ((entry.types & bit) == 0) continue;
      for (const std::string& target : openvino::targets(entry)) result.insert(target + " " + kind);
    }
  }
  return result;
}

std::set<std::string> declared_by_stand_in() {
  std::set<std::string> result;
  for (const char* target : stand_in::supported_operators()) {
    result.insert(std::string(target) + " float");
  }
  return result;
}

std::optional<std::string> find_exactly(std::span<const Exception> exceptions,
                                        std::string_view test) {
  for (const Exception& exception : exceptions) {
    if (exception.test == test) return std::string(exception.reason);
  }
  return std::nullopt;
}

}  // namespace

Engine none() {
  return {"none", kNoKernel, {}, {}, [] { return std::set<std::string>(); }, {}};
}

Engine openvino() {
  return {"openvino",           kNoKernel,
          kNanLostByOpenVino,   kOtherOnOpenVino,
          declared_by_openvino, kWithoutCaseOnOpenVino};
}

Engine stand_in() { return {"stand_in", kNoKernel, {}, {}, declared_by_stand_in, {}}; }

Engine cuda() {
  Engine engine = {"cuda", {}, {}, {}, [] { return std::set<std::string>(); }, {}};
  engine.leaves_outside = kOutsideOnCuda;
  if (const char* target = std::getenv("SLIPWAY_CONFORMANCE_GPU")) {
    engine.options = {{"target", target}};
  } else {
    slipway::cuda::use_stand_in_driver(SLIPWAY_TEST_DRIVERS);
    slipway::cuda::set_source_as_image(true);
  }
  return engine;
}

Engine xnnpack() {
  Engine engine = {
      "xnnpack", kNoKernel, kNanLostByXnnpack, {}, [] { return std::set<std::string>(); }, {}};
  engine.check = EngineCheck::kOff;
  return engine;
}

std::optional<std::string> find(std::span<const Exception> exceptions, std::string_view test) {
  // What holds for a case holds for those of role_variants.py.
  for (const std::string_view role :
       {"_with_first_constant", "_with_rest_constant", "_of_any_length"}) {
    if (test.ends_with(role)) {
      if (auto own = find_exactly(exceptions, test)) return own;
      test.remove_suffix(role.size());
    }
  }
  return find_exactly(exceptions, test);
}

const char* type_kind(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "float";
    case DType::kInt32:
    case DType::kInt64:
      return "int";
    case DType::kInt8:
    case DType::kUInt8:
      return "byte";
    case DType::kBool:
      return "bool";
    default:
      return nullptr;
  }
}

}  // namespace slipway::conformance
