// The functions of slipway/slipway_c.h, and tensors of DLPack.
#include <chrono>
#include <cstring>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "c_api/tensors.h"
#include "runtime/endless_program_test.h"
#include "slipway/npy.h"
#include "slipway/slipway_c.h"

namespace slipway::c_api {
namespace {

const std::string kFolder = std::string(SLIPWAY_TEST_DATA) + "/golden/";

struct Free {
  void operator()(slipway_error* error) const { slipway_error_free(error); }
  void operator()(slipway_module* module) const { slipway_module_free(module); }
  void operator()(slipway_method* method) const { slipway_method_free(method); }
  void operator()(slipway_run* run) const { slipway_run_free(run); }
  void operator()(DLManagedTensorVersioned* tensor) const { slipway_tensor_free(tensor); }
  void operator()(char* text) const { slipway_text_free(text); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

// "" for none.
std::string text_of(slipway_error* error) {
  const Owned<slipway_error> owned(error);
  return error == nullptr ? "" : slipway_error_message(error);
}

void expect_error(slipway_error* error, slipway_error_code code, const std::string& part) {
  const Owned<slipway_error> owned(error);
  ASSERT_NE(error, nullptr) << part;
  EXPECT_EQ(slipway_error_code_of(error), code);
  EXPECT_NE(std::string(slipway_error_message(error)).find(part), std::string::npos)
      << slipway_error_message(error);
}

using Options = std::vector<slipway_option>;

std::string compiled(const std::string& name, const Options& options = {{"engines", "none"}}) {
  std::string path = testing::TempDir() + "c_api_" + name + ".pte";
  EXPECT_EQ(text_of(slipway_compile((kFolder + name + ".pt2").c_str(), path.c_str(), options.data(),
                                    options.size(), nullptr, nullptr)),
            "");
  return path;
}

Owned<slipway_method> method_of(const std::string& name,
                                const Options& options = {{"engines", "none"}}) {
  slipway_module* module = nullptr;
  EXPECT_EQ(text_of(slipway_module_load(compiled(name, options).c_str(), nullptr, 0, nullptr,
                                        nullptr, &module)),
            "");
  const Owned<slipway_module> owned(module);
  EXPECT_EQ(slipway_module_method_count(module), 1u);
  EXPECT_STREQ(slipway_module_method_name(module, 0), "forward");
  EXPECT_EQ(slipway_module_method_name(module, 1), nullptr);
  slipway_method* method = nullptr;
  EXPECT_EQ(text_of(slipway_module_method(module, nullptr, &method)), "");
  EXPECT_STREQ(slipway_method_name(method), "forward");
  return Owned<slipway_method>(method);
}

slipway_value value_of(const Tensor& tensor) {
  slipway_value value{};
  value.kind = SLIPWAY_TENSOR;
  value.as.tensor = to_dlpack(tensor, nullptr);
  return value;
}

void expect_close(const DLManagedTensorVersioned& tensor, const Tensor& expected) {
  const auto given = from_dlpack(tensor);
  ASSERT_TRUE(given.ok()) << given.error().message();
  ASSERT_EQ(format_type(given->dtype(), given->sizes()),
            format_type(expected.dtype(), expected.sizes()));
  for (int64_t i = 0; i < expected.numel(); ++i) {
    EXPECT_NEAR(given->data_as<float>()[i], expected.data_as<float>()[i], 1e-5) << i;
  }
}

TEST(CApi, TreesAreAsPyTorchWritesThem) {
  const auto method = method_of("mlp");
  EXPECT_STREQ(slipway_method_output_spec(method.get()),
               R"([1, {"type": null, "context": null, "children_spec": []}])");
  const std::string inputs = slipway_method_input_spec(method.get());
  EXPECT_EQ(inputs.find(R"([1, {"type": "builtins.tuple")"), 0u) << inputs;
  EXPECT_NE(inputs.find("builtins.dict"), std::string::npos) << inputs;
  EXPECT_EQ(slipway_method_input_spec(nullptr), nullptr);
  EXPECT_EQ(slipway_method_output_spec(nullptr), nullptr);
}

TEST(CApi, RunsAndRunsAsynchronously) {
  const auto method = method_of("mlp");
  const Tensor input = read_npy(kFolder + "mlp.0.in0.npy").value();
  const Tensor expected = read_npy(kFolder + "mlp.0.out0.npy").value();
  EXPECT_EQ(text_of(slipway_method_prepare(method.get())), "");
  slipway_value in = value_of(input);
  slipway_value out{};
  ASSERT_EQ(text_of(slipway_method_run(method.get(), &in, 1, &out, 1)), "");
  ASSERT_EQ(out.kind, SLIPWAY_TENSOR);
  expect_close(*out.as.tensor, expected);
  slipway_values_free(&out, 1);
  EXPECT_EQ(out.kind, SLIPWAY_NONE);

  slipway_run* run = nullptr;
  ASSERT_EQ(text_of(slipway_method_run_async(method.get(), &in, 1, &run)), "");
  const Owned<slipway_run> owned(run);
  expect_error(slipway_method_prepare(method.get()), SLIPWAY_INVALID_ARGUMENT, "run");
  expect_error(slipway_run_wait(run, &out, 2), SLIPWAY_INVALID_ARGUMENT, "has 1 outputs");
  ASSERT_EQ(text_of(slipway_run_wait(run, &out, 1)), "");
  EXPECT_TRUE(slipway_run_is_done(run));
  expect_close(*out.as.tensor, expected);
  expect_error(slipway_run_wait(run, &out, 1), SLIPWAY_INVALID_ARGUMENT, "");
  slipway_values_free(&out, 1);
  slipway_values_free(&in, 1);
}

TEST(CApi, TellsTheDevicesOfTensorsAndTakesAStream) {
  const auto method = method_of("mlp");
  const Tensor expected = read_npy(kFolder + "mlp.0.out0.npy").value();
  for (const auto& device_of : {slipway_method_input_device, slipway_method_output_device}) {
    DLDevice device{kDLCUDA, 7};
    ASSERT_EQ(text_of(device_of(method.get(), 0, &device)), "");
    EXPECT_EQ(device.device_type, kDLCPU);
    EXPECT_EQ(device.device_id, 0);
    expect_error(device_of(method.get(), 1, &device), SLIPWAY_INVALID_ARGUMENT, "and none 1");
    expect_error(device_of(method.get(), 0, nullptr), SLIPWAY_INVALID_ARGUMENT, "device");
    expect_error(device_of(nullptr, 0, &device), SLIPWAY_INVALID_ARGUMENT, "method");
  }
  slipway_value in = value_of(read_npy(kFolder + "mlp.0.in0.npy").value());
  slipway_value out{};
  int stream = 0;
  ASSERT_EQ(text_of(slipway_method_run_on_stream(method.get(), &stream, &in, 1, &out, 1)), "");
  expect_close(*out.as.tensor, expected);
  expect_error(slipway_method_run_on_stream(nullptr, &stream, &in, 1, &out, 1),
               SLIPWAY_INVALID_ARGUMENT, "method");
  slipway_values_free(&out, 1);
  slipway_values_free(&in, 1);
}

TEST(CApi, LogsAndLimitsThreads) {
  std::string told;
  slipway_set_log(
      [](void* context, slipway_log_level level, const char* message) {
        if (level == SLIPWAY_LOG_INFO) *static_cast<std::string*>(context) += message;
      },
      &told, SLIPWAY_LOG_INFO);
  const auto method = method_of("mlp");
  ASSERT_EQ(text_of(slipway_method_prepare(method.get())), "");
  slipway_set_log(nullptr, nullptr, SLIPWAY_LOG_INFO);
  EXPECT_NE(told.find(": loaded"), std::string::npos) << told;
  EXPECT_NE(told.find("prepared in "), std::string::npos) << told;

  ASSERT_EQ(text_of(slipway_set_kernel_threads(1)), "");
  EXPECT_EQ(slipway_kernel_threads(), 1u);
  expect_error(slipway_set_kernel_threads(0), SLIPWAY_INVALID_ARGUMENT, "1 to 1024 threads");
  // Nothing runs.
  slipway_method_cancel(method.get());
  slipway_method_cancel(nullptr);
  ASSERT_EQ(text_of(slipway_method_prepare(method.get())), "");
}

TEST(CApi, CancelsARun) {
  const std::string path = testing::TempDir() + "c_api_endless.pte";
  const std::vector<std::byte> bytes = runtime::endless_program();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  const slipway_option option{"time_limit", "3600000"};
  slipway_module* module = nullptr;
  ASSERT_EQ(text_of(slipway_module_load(path.c_str(), &option, 1, nullptr, nullptr, &module)), "");
  const Owned<slipway_module> owned(module);
  slipway_method* raw = nullptr;
  ASSERT_EQ(text_of(slipway_module_method(module, nullptr, &raw)), "");
  const Owned<slipway_method> method(raw);
  auto run = std::async(std::launch::async, [&] {
    slipway_value input = value_of(*Tensor::zeros(DType::kFloat32, {2, 3}));
    slipway_value output{};
    slipway_error* error = slipway_method_run(method.get(), &input, 1, &output, 1);
    slipway_values_free(&input, 1);
    return error;
  });
  // It may not have begun.
  while (run.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
    slipway_method_cancel(method.get());
  }
  expect_error(run.get(), SLIPWAY_CANCELLED, "was cancelled");
}

TEST(CApi, SaysWhatAMethodTakes) {
  const auto method = method_of("mlp");
  ASSERT_EQ(slipway_method_input_count(method.get()), 1u);
  ASSERT_EQ(slipway_method_output_count(method.get()), 1u);
  const slipway_value_info* const info = slipway_method_input(method.get(), 0);
  EXPECT_EQ(info->kind, SLIPWAY_TENSOR);
  EXPECT_STREQ(info->type, "float32");
  ASSERT_EQ(info->rank, 2);
  EXPECT_LE(info->min_sizes[0], info->max_sizes[0]);
  EXPECT_EQ(std::string(info->text).substr(0, 8), "float32[");
  EXPECT_FALSE(info->is_mutated);
  EXPECT_EQ(slipway_method_input(method.get(), 1), nullptr);
  EXPECT_EQ(slipway_method_output(method.get(), 1), nullptr);
}

TEST(CApi, OutputsGoWhereTheCallerSays) {
  const auto method = method_of("mlp", {{"engines", "none"}, {"alloc_graph_output", "false"}});
  slipway_value in = value_of(read_npy(kFolder + "mlp.0.in0.npy").value());
  const Tensor expected = read_npy(kFolder + "mlp.0.out0.npy").value();
  slipway_value out{};
  ASSERT_EQ(text_of(slipway_method_run(method.get(), &in, 1, &out, 1)), "");
  const void* const before = out.as.tensor->dl_tensor.data;
  slipway_values_free(&out, 1);

  const slipway_value_info* const info = slipway_method_output(method.get(), 0);
  const Tensor memory =
      Tensor::zeros(DType::kFloat32, {info->max_sizes, info->max_sizes + info->rank}).value();
  const Owned<DLManagedTensorVersioned> given(to_dlpack(memory, nullptr));
  ASSERT_EQ(text_of(slipway_method_set_output(method.get(), 0, given.get())), "");
  ASSERT_EQ(text_of(slipway_method_run(method.get(), &in, 1, &out, 1)), "");
  EXPECT_EQ(out.as.tensor->dl_tensor.data, memory.data());
  expect_close(*out.as.tensor, expected);
  slipway_values_free(&out, 1);
  ASSERT_EQ(text_of(slipway_method_set_output(method.get(), 0, nullptr)), "");
  ASSERT_EQ(text_of(slipway_method_run(method.get(), &in, 1, &out, 1)), "");
  EXPECT_EQ(out.as.tensor->dl_tensor.data, before);
  slipway_values_free(&out, 1);
  slipway_values_free(&in, 1);
  expect_error(slipway_method_set_output(method.get(), 7, given.get()), SLIPWAY_INVALID_ARGUMENT,
               "");
}

// An address of a device is not read, and what would read it says so.
TEST(CApi, TensorsOfADeviceStayThere) {
  const auto method = method_of("mlp");
  const Tensor host = read_npy(kFolder + "mlp.0.in0.npy").value();
  slipway_value in = value_of(host);
  in.as.tensor->dl_tensor.device = {kDLCUDA, 1};
  in.as.tensor->dl_tensor.data = reinterpret_cast<void*>(4096);
  const auto tensor = from_dlpack(*in.as.tensor);
  ASSERT_TRUE(tensor.ok()) << tensor.error().message();
  EXPECT_EQ(format_device(tensor->device()), "cuda:1");
  const Owned<DLManagedTensorVersioned> back(to_dlpack(*tensor, nullptr));
  EXPECT_EQ(back->dl_tensor.device.device_type, kDLCUDA);
  EXPECT_EQ(back->dl_tensor.device.device_id, 1);
  slipway_value out{};
  expect_error(slipway_method_run(method.get(), &in, 1, &out, 1), SLIPWAY_INVALID_ARGUMENT, "");
  slipway_values_free(&in, 1);
}

// An output keeps the memory that it is in.
TEST(CApi, OutputsOutliveTheirMethod) {
  auto method = method_of("mlp");
  slipway_value in = value_of(read_npy(kFolder + "mlp.0.in0.npy").value());
  slipway_value out{};
  ASSERT_EQ(text_of(slipway_method_run(method.get(), &in, 1, &out, 1)), "");
  method.reset();
  expect_close(*out.as.tensor, read_npy(kFolder + "mlp.0.out0.npy").value());
  slipway_values_free(&out, 1);
  slipway_values_free(&in, 1);
}

TEST(CApi, StateIsReadWrittenAndReset) {
  const auto method = method_of("mutated_buffer");
  size_t count = 0;
  ASSERT_EQ(text_of(slipway_method_state_count(method.get(), &count)), "");
  ASSERT_GT(count, 0u);
  char* name = nullptr;
  DLManagedTensorVersioned* tensor = nullptr;
  ASSERT_EQ(text_of(slipway_method_state(method.get(), 0, &name, &tensor)), "");
  const Owned<char> owned_name(name);
  const Owned<DLManagedTensorVersioned> owned(tensor);
  EXPECT_STRNE(name, "");
  auto* const first = static_cast<float*>(tensor->dl_tensor.data);
  const float initial = *first;
  *first = initial + 1;
  ASSERT_EQ(text_of(slipway_method_reset_state(method.get())), "");
  DLManagedTensorVersioned* again = nullptr;
  char* same_name = nullptr;
  ASSERT_EQ(text_of(slipway_method_state(method.get(), 0, &same_name, &again)), "");
  const Owned<char> owned_same_name(same_name);
  const Owned<DLManagedTensorVersioned> owned_again(again);
  EXPECT_EQ(*static_cast<float*>(again->dl_tensor.data), initial);
  expect_error(slipway_method_state(method.get(), count, &name, &tensor), SLIPWAY_INVALID_ARGUMENT,
               "no buffer");
}

TEST(CApi, LoadsFromMemoryAndInspects) {
  const std::string path = compiled("mlp");
  char* json = nullptr;
  ASSERT_EQ(text_of(slipway_inspect_json(path.c_str(), &json)), "");
  const Owned<char> owned_json(json);
  EXPECT_EQ(*json, '{');
  char* text = nullptr;
  ASSERT_EQ(text_of(slipway_inspect_text(path.c_str(), &text)), "");
  const Owned<char> owned_text(text);
  EXPECT_NE(std::string(text).find("forward"), std::string::npos);
  const char damaged[] = "no program";
  slipway_module* module = nullptr;
  expect_error(slipway_module_load_memory(damaged, sizeof(damaged), "it", nullptr, 0, nullptr,
                                          nullptr, &module),
               SLIPWAY_INVALID_FILE, "it");
  EXPECT_EQ(module, nullptr);
}

TEST(CApi, WarningsReachTheirContext) {
  // No engine of the file takes one.
  const slipway_option device{"device", "cuda:0"};
  std::string warned;
  slipway_module* module = nullptr;
  ASSERT_EQ(text_of(slipway_module_load(
                compiled("mlp").c_str(), &device, 1,
                [](void* context, const char* message) {
                  *static_cast<std::string*>(context) += message;
                },
                &warned, &module)),
            "");
  const Owned<slipway_module> owned(module);
  slipway_method* method = nullptr;
  ASSERT_EQ(text_of(slipway_module_method(module, "forward", &method)), "");
  const Owned<slipway_method> owned_method(method);
  ASSERT_EQ(text_of(slipway_method_prepare(method)), "");
  EXPECT_NE(warned.find("option 'device' has no effect"), std::string::npos) << warned;
}

TEST(CApi, NullIsAnError) {
  slipway_module* module = nullptr;
  expect_error(slipway_module_load(nullptr, nullptr, 0, nullptr, nullptr, &module),
               SLIPWAY_INVALID_ARGUMENT, "path is NULL");
  expect_error(slipway_module_load("x", nullptr, 1, nullptr, nullptr, &module),
               SLIPWAY_INVALID_ARGUMENT, "options is NULL");
  expect_error(slipway_module_load("x", nullptr, 0, nullptr, nullptr, nullptr),
               SLIPWAY_INVALID_ARGUMENT, "module is NULL");
  expect_error(slipway_compile("x.pt2", nullptr, nullptr, 0, nullptr, nullptr),
               SLIPWAY_INVALID_ARGUMENT, "output is NULL");
  expect_error(slipway_method_run(nullptr, nullptr, 0, nullptr, 0), SLIPWAY_INVALID_ARGUMENT,
               "method is NULL");
  expect_error(slipway_run_wait(nullptr, nullptr, 0), SLIPWAY_INVALID_ARGUMENT, "run is NULL");
  slipway_error_free(nullptr);
  slipway_module_free(nullptr);
  slipway_method_free(nullptr);
  slipway_run_free(nullptr);
  slipway_tensor_free(nullptr);
  slipway_text_free(nullptr);
  slipway_values_free(nullptr, 3);
}

TEST(CApi, WrongValuesAreErrors) {
  const auto method = method_of("mlp");
  slipway_value out{};
  slipway_value in{};
  in.kind = SLIPWAY_TENSOR;
  expect_error(slipway_method_run(method.get(), &in, 1, &out, 1), SLIPWAY_INVALID_ARGUMENT,
               "value 0: its tensor is NULL");
  in.kind = static_cast<slipway_kind>(17);
  expect_error(slipway_method_run(method.get(), &in, 1, &out, 1), SLIPWAY_INVALID_ARGUMENT,
               "kind 17");
  in.kind = SLIPWAY_TEXT;
  in.as.text = nullptr;
  expect_error(slipway_method_run(method.get(), &in, 1, &out, 1), SLIPWAY_INVALID_ARGUMENT,
               "its text is NULL");
  in.as.text = "text";
  expect_error(slipway_method_run(method.get(), &in, 1, &out, 1), SLIPWAY_INVALID_ARGUMENT, "");
  expect_error(slipway_method_run(method.get(), &in, 1, &out, 3), SLIPWAY_INVALID_ARGUMENT,
               "has 1 outputs, and room is given for 3");
  EXPECT_EQ(out.kind, SLIPWAY_NONE);
}

TEST(CTensors, KeepTypeAndMemory) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    SCOPED_TRACE(std::string(dtype_name(dtype)));
    std::vector<std::byte> data(6 * dtype_size(dtype));
    const int64_t sizes[] = {2, 3};
    DLManagedTensorVersioned* tensor = nullptr;
    ASSERT_EQ(text_of(slipway_tensor_borrow(std::string(dtype_name(dtype)).c_str(), sizes, 2,
                                            data.data(), &tensor)),
              "");
    const Owned<DLManagedTensorVersioned> owned(tensor);
    EXPECT_EQ(size_t{tensor->dl_tensor.dtype.bits}, 8 * dtype_size(dtype));
    const auto back = from_dlpack(*tensor);
    ASSERT_TRUE(back.ok()) << back.error().message();
    EXPECT_EQ(back->dtype(), dtype);
    EXPECT_EQ(back->data(), data.data());
    EXPECT_EQ(back->sizes(), std::vector<int64_t>(std::begin(sizes), std::end(sizes)));
  }
}

// What other libraries hand over.
TEST(CTensors, OfOthersAreCheckedBeforeTheyAreRead) {
  std::vector<float> data(12);
  int64_t sizes[] = {2, 3};
  int64_t strides[] = {3, 1};
  DLManagedTensorVersioned tensor{};
  tensor.version = {1, 1};
  tensor.dl_tensor = {data.data(), {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, sizes, strides, 8};
  const auto whole = from_dlpack(tensor);
  ASSERT_TRUE(whole.ok()) << whole.error().message();
  EXPECT_EQ(whole->data(), data.data() + 2);

  const auto expect_refused = [](const DLManagedTensorVersioned& given, const char* part) {
    const auto read = from_dlpack(given);
    ASSERT_FALSE(read.ok()) << part;
    EXPECT_EQ(read.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(read.error().message().find(part), std::string::npos) << read.error().message();
  };
  auto other = tensor;
  other.version.major = 2;
  expect_refused(other, "version 2 of DLPack");
  other = tensor;
  other.dl_tensor.device.device_type = kDLCUDAManaged;
  expect_refused(other, "copy it to the host");
  other = tensor;
  other.dl_tensor.dtype.lanes = 4;
  expect_refused(other, "4 lanes");
  other = tensor;
  other.dl_tensor.dtype.bits = 4;
  expect_refused(other, "4 bits");
  other = tensor;
  other.dl_tensor.shape = nullptr;
  expect_refused(other, "no sizes");
  other = tensor;
  other.dl_tensor.data = nullptr;
  expect_refused(other, "no memory");
  int64_t transposed[] = {1, 2};
  other = tensor;
  other.dl_tensor.strides = transposed;
  expect_refused(other, "float32[2, 3] is not contiguous");
  int64_t huge[] = {int64_t{1} << 40, int64_t{1} << 40};
  other = tensor;
  other.dl_tensor.shape = huge;
  expect_refused(other, "");
  // Strides that don't matter.
  int64_t nothing[] = {0, 3};
  other = tensor;
  other.dl_tensor.shape = nothing;
  other.dl_tensor.strides = transposed;
  EXPECT_TRUE(from_dlpack(other).ok());
  int64_t one[] = {1, 1};
  other.dl_tensor.shape = one;
  EXPECT_TRUE(from_dlpack(other).ok());
}

TEST(CTensors, BorrowRefusesWhatIsNoTensor) {
  float data[2] = {};
  const int64_t sizes[] = {2};
  const int64_t negative[] = {-2};
  DLManagedTensorVersioned* tensor = nullptr;
  expect_error(slipway_tensor_borrow("float31", sizes, 1, data, &tensor), SLIPWAY_INVALID_ARGUMENT,
               "no type 'float31'");
  expect_error(slipway_tensor_borrow("float32", sizes, -1, data, &tensor), SLIPWAY_INVALID_ARGUMENT,
               "rank is -1");
  expect_error(slipway_tensor_borrow("float32", nullptr, 1, data, &tensor),
               SLIPWAY_INVALID_ARGUMENT, "sizes is NULL");
  expect_error(slipway_tensor_borrow("float32", sizes, 1, nullptr, &tensor),
               SLIPWAY_INVALID_ARGUMENT, "data is NULL");
  expect_error(slipway_tensor_borrow("float32", negative, 1, data, &tensor),
               SLIPWAY_INVALID_ARGUMENT, "");
  EXPECT_EQ(tensor, nullptr);
  EXPECT_EQ(text_of(slipway_tensor_borrow("float32", nullptr, 0, data, &tensor)), "");
  slipway_tensor_free(tensor);
}

// Values of every kind keep what they are on their way out and in.
TEST(CValues, GoOutAndIn) {
  const std::vector<Value> values = {{}, int64_t{-3}, 2.5, true, std::string("text")};
  std::vector<slipway_value> out(values.size());
  to_c(values, nullptr, out.data());
  const auto back = from_c(out);
  ASSERT_TRUE(back.ok()) << back.error().message();
  ASSERT_EQ(back->size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(format_value_type((*back)[i]), format_value_type(values[i]));
  }
  slipway_values_free(out.data(), out.size());
  for (const slipway_value& value : out) EXPECT_EQ(value.kind, SLIPWAY_NONE);
}

}  // namespace
}  // namespace slipway::c_api
