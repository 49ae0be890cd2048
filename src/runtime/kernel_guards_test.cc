#include "runtime/kernel_guards.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "pte/format/scalar_types.h"
#include "pte/reader/program_test.h"
#include "slipway/module.h"

namespace slipway::runtime {
namespace {

struct File {
  const char* name;
  const char* reason;  // null: it runs
};

void PrintTo(const File& file, std::ostream* out) { *out << file.name; }

class KernelGuards : public testing::TestWithParam<File> {};

// Files of one call each, whose arguments end ExecuTorch's kernel by a signal.
TEST_P(KernelGuards, StandBeforeKernelsThatEndTheProcess) {
  const std::string path =
      std::string(SLIPWAY_TEST_DATA) + "/hostile/kernel_" + GetParam().name + ".pte";
  auto module = Module::load(path);
  ASSERT_TRUE(module.ok()) << module.error().message();
  const Method method = *module->method();
  const auto sizes = method.example_sizes();
  std::vector<Value> inputs;
  for (size_t i = 0; i < sizes.size(); ++i) {
    auto tensor = Tensor::zeros(method.inputs()[i].tensor()->dtype, sizes[i]);
    ASSERT_TRUE(tensor.ok());
    inputs.emplace_back(std::move(*tensor));
  }
  for (int repeat = 0; repeat < 2; ++repeat) {
    const auto outputs = method.run(inputs);
    EXPECT_EQ(outputs.ok(), GetParam().reason == nullptr);
    if (outputs.ok() || GetParam().reason == nullptr) continue;
    EXPECT_NE(outputs.error().message().find(GetParam().reason), std::string::npos)
        << outputs.error().message();
  }
}

constexpr int kByte = 0;
constexpr int kInt = 3;
constexpr int kLong = 4;
constexpr int kHalf = 5;
constexpr int kFloat = 6;
constexpr int kDouble = 7;
constexpr int kComplex = 9;
constexpr int kBool = 11;

struct OfType {
  int type;
  std::vector<int32_t> sizes;
  // Of integers; a float32 is NaN instead. Where there are fewer, they are 0.
  std::vector<int64_t> numbers = {};
};
struct Result {
  OfType tensor;
  bool is_argument = false;  // the next result lies over it
  std::optional<std::vector<uint8_t>> dim_order = std::nullopt;
};
using Argument = std::variant<std::monostate, OfType, Result, int64_t, bool, double,
                              std::vector<int64_t>, std::vector<OfType>, std::vector<uint8_t>>;

struct BadCall {
  const char* kernel;
  const char* overload;
  std::vector<Argument> arguments;
  const char* reason;
};

void PrintTo(const BadCall& call, std::ostream* out) { *out << call.kernel << ": " << call.reason; }

// A program of one call. All its integers are found by the run: what the reader can see of them it
// refuses at load.
class CallBuilder {
 public:
  explicit CallBuilder(const BadCall& call) {
    std::vector<int32_t> args;
    for (const Argument& argument : call.arguments) args.push_back(value(argument));
    args.push_back(outs_.size() == 1 ? outs_[0] : program_.tensors(outs_));
    program_.memories = {0, int64_t{1} << 15};
    program_.constants(program_.segment(" "), {0});
    program_.kernel(call.kernel, call.overload, args);
  }
  std::vector<std::byte> file() { return program_.build(); }
  const std::vector<Value>& inputs() const { return inputs_; }

 private:
  int32_t value(const Argument& argument) {
    if (const auto* tensor = std::get_if<OfType>(&argument)) return input(*tensor);
    if (const auto* result = std::get_if<Result>(&argument)) return out(*result);
    if (const auto* number = std::get_if<int64_t>(&argument)) return integer(*number);
    if (const auto* flag = std::get_if<bool>(&argument)) return program_.flag(*flag);
    if (const auto* number = std::get_if<double>(&argument)) return program_.number(*number);
    if (const auto* flags = std::get_if<std::vector<uint8_t>>(&argument)) {
      return program_.flags(*flags);
    }
    if (const auto* numbers = std::get_if<std::vector<int64_t>>(&argument)) {
      std::vector<int64_t> items;
      for (const int64_t number : *numbers) items.push_back(integer(number));
      return program_.ints(items);
    }
    if (const auto* tensors = std::get_if<std::vector<OfType>>(&argument)) {
      std::vector<int32_t> items;
      for (const OfType& tensor : *tensors) items.push_back(input(tensor));
      return program_.tensors(items);
    }
    return program_.none();
  }

  int32_t input(const OfType& given) {
    pte::TestTensor tensor;
    tensor.scalar_type = given.type;
    tensor.sizes = given.sizes;
    const int32_t value = program_.tensor(tensor);
    program_.inputs.push_back(value);
    const auto dtype = pte::dtype_of(static_cast<pte::fb::ScalarType>(given.type));
    auto made = Tensor::zeros(*dtype, {given.sizes.begin(), given.sizes.end()});
    for (size_t i = 0; i < given.numbers.size(); ++i) {
      if (given.type == kLong) made->data_as<int64_t>()[i] = given.numbers[i];
      if (given.type == kInt) made->data_as<int32_t>()[i] = static_cast<int32_t>(given.numbers[i]);
      if (given.type == kFloat) made->data_as<float>()[i] = std::nanf("");
    }
    inputs_.emplace_back(std::move(*made));
    return value;
  }

  int32_t out(const Result& result) {
    pte::TestTensor tensor;
    tensor.scalar_type = result.tensor.type;
    tensor.sizes = result.tensor.sizes;
    tensor.planned_at = planned_;
    tensor.name = nullptr;
    tensor.dim_order = result.dim_order;
    if (!result.is_argument) planned_ += 8192;
    const int32_t value = program_.tensor(tensor);
    if (result.is_argument) return value;
    outs_.push_back(value);
    program_.outputs.push_back(value);
    return value;
  }

  int32_t integer(int64_t number) {
    const int32_t element = input({kLong, {}, {number}});
    const int32_t value = program_.number(int64_t{0});
    program_.kernel("aten::_local_scalar_dense", "", {element, value});
    return value;
  }

  pte::TestProgram program_;
  std::vector<Value> inputs_;
  std::vector<int32_t> outs_;
  uint64_t planned_ = 0;
};

class BadCalls : public testing::TestWithParam<BadCall> {};

TEST_P(BadCalls, AreErrors) {
  CallBuilder call(GetParam());
  auto module = Module::load(call.file(), "call.pte");
  ASSERT_TRUE(module.ok()) << module.error().message();
  const auto outputs = module->method()->run(call.inputs());
  ASSERT_FALSE(outputs.ok());
  EXPECT_NE(outputs.error().message().find(GetParam().reason), std::string::npos)
      << outputs.error().message();
}

using Ints = std::vector<int64_t>;
const OfType kTable = {kByte, {4, 2}};
const OfType kScales = {kFloat, {4}};
const OfType kPictures = {kFloat, {1, 2, 4, 4}};
const OfType kEmptyPictures = {kFloat, {1, 2, 0, 4}};

BadCall embedding(const OfType& scales, const OfType& indices, const OfType& out,
                  const char* reason) {
  return {"quantized_decomposed::embedding_4bit",
          "out",
          {kTable, scales, {}, int64_t{-8}, int64_t{7}, indices, Result{out}},
          reason};
}
BadCall convolution(const Argument& bias, int64_t groups, const char* reason) {
  return {"aten::convolution",
          "out",
          {kPictures, OfType{kFloat, {3, 2, 1, 1}}, bias, Ints{1, 1}, Ints{0, 0}, Ints{1, 1}, false,
           Ints{0, 0}, groups, Result{{kFloat, {1, 3, 4, 4}}}},
          reason};
}
BadCall max_pool_backward(int64_t stride, const OfType& indices, const char* reason) {
  return {"aten::max_pool2d_with_indices_backward",
          "grad_input",
          {OfType{kFloat, {1, 2, 2, 2}}, kPictures, Ints{2, 2}, Ints{2, stride}, Ints{0, 0},
           Ints{1, 1}, false, indices, Result{kPictures}},
          reason};
}

INSTANTIATE_TEST_SUITE_P(
    Calls, BadCalls,
    testing::Values(
        BadCall{"aten::div",
                "out",
                {OfType{kFloat, {2}}, OfType{kComplex, {2}}, Result{{kComplex, {2}}}},
                "its complex types differ"},
        BadCall{"aten::div",
                "out",
                {OfType{kComplex, {2}}, OfType{kComplex, {1}}, Result{{kComplex, {2}}}},
                "its complex operands have different shapes"},
        BadCall{"aten::div",
                "out_mode",
                {OfType{kFloat, {2}}, OfType{kComplex, {2}}, {}, Result{{kFloat, {2}}}},
                "its complex types differ"},
        BadCall{"aten::remainder",
                "Scalar_out",
                {OfType{kInt, {2}, {INT32_MIN}}, INT64_MAX, Result{{kInt, {2}}}},
                "the least integer is divided by -1"},
        embedding({kHalf, {4}}, {kLong, {1}}, {kFloat, {1, 4}}, "its scales are of another type"),
        embedding(kScales, {kLong, {1}, {4}}, {kFloat, {1, 4}}, "an index lies outside"),
        embedding(kScales, {kLong, {1}, {-1}}, {kFloat, {1, 4}}, "an index lies outside"),
        embedding(kScales, {kLong, {1}}, {kFloat, {4}}, "another number of dimensions"),
        BadCall{"aten::_fft_c2r",
                "out",
                {OfType{kComplex, {2, 3}}, Ints{0, 7}, int64_t{0}, int64_t{4},
                 Result{{kFloat, {2, 4}}}},
                "its dimensions are out of range"},
        BadCall{
            "aten::_fft_c2r",
            "out",
            {OfType{kComplex, {2, 3}}, Ints{1}, int64_t{0}, int64_t{6}, Result{{kFloat, {2, 6}}}},
            "fewer frequencies"},
        BadCall{"aten::bmm",
                "out",
                {OfType{kFloat, {1, 2, 3}}, OfType{kFloat, {1, 1, 2}}, Result{{kFloat, {1, 2, 2}}}},
                "its matrices don't fit"},
        BadCall{"aten::bmm",
                "out",
                {OfType{kFloat, {2}}, OfType{kFloat, {2}}, Result{{kFloat, {2}}}},
                "batches of matrices"},
        BadCall{"aten::cumsum",
                "out",
                {OfType{kComplex, {2}}, int64_t{0}, {}, Result{{kFloat, {2}}}},
                "no sums"},
        BadCall{"aten::view_as_real_copy",
                "out",
                {OfType{kComplex, {2, 2}}, Result{{kFloat, {2, 2}}}},
                "another number of dimensions"},
        BadCall{"aten::cat",
                "out",
                {std::vector<OfType>{{kFloat, {0, 2}}, {kFloat, {3}}}, int64_t{0},
                 Result{{kFloat, {3, 2}}}},
                "different numbers of dimensions"},
        BadCall{"aten::cat",
                "out",
                {std::vector<OfType>{{kFloat, {8, 0}}, {kFloat, {1, 3}}}, int64_t{-1},
                 Result{{kFloat, {8, 3}}}},
                "different sizes"},
        BadCall{"aten::as_strided_copy",
                "out",
                {OfType{kFloat, {4}}, Ints{2}, Ints{1}, INT64_MAX, Result{{kFloat, {2}}}},
                "outside of its memory"},
        BadCall{"aten::diagonal_copy",
                "out",
                {OfType{kFloat, {2, 2}}, INT64_MIN, int64_t{0}, int64_t{1}, Result{{kFloat, {0}}}},
                "its offset is out of range"},
        BadCall{"dim_order_ops::_to_dim_order_copy",
                "out",
                {OfType{10, {2}}, false, {}, Result{{kComplex, {2}}}},
                "its complex types differ"},
        BadCall{"aten::upsample_nearest2d",
                "vec_out",
                {kEmptyPictures, Ints{2, 2}, {}, Result{{kFloat, {1, 2, 2, 2}}}},
                "no pixels"},
        BadCall{"aten::upsample_bilinear2d",
                "vec_out",
                {kEmptyPictures, Ints{2, 2}, false, {}, Result{{kFloat, {1, 2, 2, 2}}}},
                "no pixels"},
        BadCall{"aten::grid_sampler_2d",
                "out",
                {kEmptyPictures, OfType{kFloat, {1, 2, 2, 2}}, int64_t{0}, int64_t{0}, false,
                 Result{{kFloat, {1, 2, 2, 2}}}},
                "no pixels"},
        BadCall{"aten::pixel_shuffle",
                "out",
                {kPictures, int64_t{1} << 32, Result{{kFloat, {1, 2, 4, 4}}}},
                "its factor is not positive"},
        BadCall{"aten::pixel_unshuffle",
                "out",
                {kPictures, int64_t{0}, Result{{kFloat, {1, 2, 4, 4}}}},
                "its factor is not positive"},
        BadCall{"aten::avg_pool2d",
                "out",
                {kPictures,
                 Ints{2, 2},
                 Ints{2, 0},
                 Ints{0, 0},
                 false,
                 false,
                 {},
                 Result{{kFloat, {1, 2, 2, 2}}}},
                "of its window is not positive"},
        BadCall{"aten::max_pool2d_with_indices",
                "out",
                {kPictures, Ints{2, 2}, Ints{2, 0}, Ints{0, 0}, Ints{1, 1}, false,
                 Result{{kFloat, {1, 2, 2, 2}}}, Result{{kLong, {1, 2, 2, 2}}}},
                "of its window is not positive"},
        max_pool_backward(0, {kLong, {1, 2, 2, 2}}, "of its window is not positive"),
        max_pool_backward(2, {kLong, {1, 2, 2, 2}, {16}}, "outside of its picture"),
        max_pool_backward(2, {kLong, {1, 2, 2, 1}}, "don't fit its gradients"),
        convolution({}, 0, "its number of groups"),
        convolution(OfType{kFloat, {2}}, 1, "its bias doesn't fit"),
        convolution(OfType{kDouble, {3}}, 1, "its bias has another type"),
        BadCall{"aten::convolution_backward",
                "out",
                {OfType{kFloat, {1, 3, 4, 4}}, kPictures, OfType{kFloat, {3, 2, 1, 1}}, Ints{1},
                 Ints{1, 1}, Ints{0, 0}, Ints{1, 1}, false, Ints{0, 0}, int64_t{1},
                 std::vector<uint8_t>{1, 1, 1}, Result{kPictures}, Result{{kFloat, {3, 2, 1, 1}}},
                 Result{{kFloat, {1}}}},
                "its bias doesn't fit"},
        BadCall{"aten::repeat_interleave",
                "Tensor_out",
                {OfType{kLong, {2}, {-1, 2}}, {}, Result{{kLong, {1}}}},
                "repeats is negative"},
        BadCall{"aten::repeat_interleave",
                "Tensor_out",
                {OfType{kLong, {2}, {INT64_MAX, INT64_MAX}}, {}, Result{{kLong, {1}}}},
                "it repeats too often"},
        BadCall{"aten::topk",
                "values",
                {Result{{kFloat, {2, 4}}, true, std::vector<uint8_t>{1, 0}}, int64_t{2}, int64_t{1},
                 true, true, Result{{kFloat, {2, 2}}}, Result{{kLong, {2, 2}}}},
                "in another order"},
        BadCall{"aten::var_mean",
                "correction_out",
                {OfType{kFloat, {2}}, {}, {}, false, Result{{kFloat, {}}}, Result{{kHalf, {}}}},
                "its results have different types"},
        BadCall{
            "aten::scatter",
            "value_out",
            {OfType{kLong, {4}}, int64_t{0}, Result{{kLong, {4}}, true}, 1.0, Result{{kLong, {4}}}},
            "its result lies over"},
        BadCall{"aten::index_select",
                "out",
                {OfType{kLong, {4}}, int64_t{0}, Result{{kLong, {4}}, true}, Result{{kLong, {4}}}},
                "its result lies over"},
        BadCall{"aten::embedding",
                "out",
                {OfType{kLong, {4, 2}}, Result{{kLong, {2}}, true}, int64_t{-1}, false, false,
                 Result{{kLong, {2, 2}}}},
                "its result lies over"},
        BadCall{"aten::gather",
                "out",
                {OfType{kLong, {4}}, int64_t{0}, Result{{kLong, {4}}, true}, false,
                 Result{{kLong, {4}}}},
                "its result lies over"},
        BadCall{"aten::scatter_add",
                "out",
                {OfType{kLong, {4}}, int64_t{0}, OfType{kLong, {}}, OfType{kLong, {4}},
                 Result{{kLong, {4}}}},
                "its index has no dimensions"},
        BadCall{"aten::scatter_add",
                "out",
                {OfType{kLong, {4}}, int64_t{0}, Result{{kLong, {4}}, true}, OfType{kLong, {4}},
                 Result{{kLong, {4}}}},
                "its result lies over"},
        BadCall{"aten::scatter",
                "src_out",
                {OfType{kLong, {4}}, int64_t{0}, Result{{kLong, {4}}, true}, OfType{kLong, {4}},
                 Result{{kLong, {4}}}},
                "its result lies over"},
        BadCall{"aten::masked_scatter",
                "out",
                {OfType{kByte, {4}}, Result{{kBool, {4}}, true}, OfType{kByte, {4}},
                 Result{{kByte, {4}}}},
                "its result lies over"},
        BadCall{"aten::masked_select",
                "out",
                {OfType{kByte, {4}}, Result{{kBool, {4}}, true}, Result{{kByte, {4}}}},
                "its result lies over"},
        BadCall{"aten::nonzero",
                "out",
                {Result{{kLong, {4}}, true}, Result{{kLong, {4, 1}}}},
                "its result lies over"},
        BadCall{"quantized_decomposed::mixed_linear",
                "out",
                {OfType{kFloat, {2, 0}},
                 OfType{1, {3, 0}},
                 OfType{kFloat, {3}},
                 {},
                 {},
                 Result{{kFloat, {2, 3}}}},
                "no numbers to add up"},
        BadCall{"quantized_decomposed::choose_qparams",
                "Tensor_out",
                {OfType{kFloat, {0}}, int64_t{0}, int64_t{255}, 0.0, int64_t{0},
                 Result{{kDouble, {1}}}, Result{{kLong, {1}}}},
                "no numbers to find a scale for"},
        BadCall{"quantized_decomposed::choose_qparams",
                "Tensor_out",
                {OfType{kFloat, {2}}, int64_t{INT32_MIN}, int64_t{INT32_MAX}, 0.0, int64_t{0},
                 Result{{kDouble, {1}}}, Result{{kLong, {1}}}},
                "have no range"},
        BadCall{"quantized_decomposed::choose_qparams_per_token_asymmetric",
                "out",
                {OfType{kFloat, {600, 2}, Ints(1200)}, int64_t{1}, Result{{kDouble, {600, 1}}},
                 Result{{kLong, {600, 1}}}},
                "a number is NaN"}),
    [](const testing::TestParamInfo<BadCall>& info) { return std::to_string(info.index); });

INSTANTIATE_TEST_SUITE_P(
    Files, KernelGuards,
    testing::Values(File{"div_out", "its result is of an integer type"},
                    File{"remainder_Scalar_out", "integer division by zero"},
                    File{"log_softmax_out", nullptr},
                    File{"view_copy_out", "a size can't be inferred beside one of 0"},
                    File{"embedding_byte_out", "its scales don't fit its table"},
                    File{"embedding_byte_dtype_out", "its scales don't fit its table"},
                    File{"embedding_4bit_out", "its scales don't fit its table"},
                    File{"embedding_4bit_dtype_out", "its scales don't fit its table"},
                    File{"embedding_2bit_out", "its scales don't fit its table"},
                    File{"fft_c2r_out", "it takes complex numbers"}),
    [](const testing::TestParamInfo<File>& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace slipway::runtime
