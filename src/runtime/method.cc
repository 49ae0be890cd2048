#include "runtime/method.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <limits>

#include "base/checked.h"
#include "base/error.h"
#include "base/try.h"
#include "pte/format/layout.h"
#include "runtime/backends.h"
#include "runtime/element_types.h"
#include "runtime/requirements.h"

namespace slipway::runtime {
namespace {

namespace aten = executorch::aten;

// How many instructions a program may run at once whose loops are not known to end: a damaged one
// could loop forever.
constexpr size_t kMostSteps = 10'000'000;
constexpr std::chrono::milliseconds kLoopTime(5'000);
// What execute() gives after so many; it never is a step's error.
constexpr et::Error kEndless = et::Error::EndOfMethod;

}  // namespace

LoadedMethod::LoadedMethod(const pte::File& file, std::string name, Signature& signature,
                           SharedState& shared, const std::atomic<bool>& is_cancelled)
    : file_(file),
      name_(std::move(name)),
      signature_(signature),
      shared_(shared),
      is_cancelled_(is_cancelled) {}

std::string LoadedMethod::description() const {
  return fmt::format("{} of {}", name_, file_.name());
}

Result<std::unique_ptr<LoadedMethod>> LoadedMethod::load(
    const pte::File& file, const et::Program& program, const et::NamedDataMap* data,
    const std::string& name, Signature& signature, SharedState& shared, const LoadOptions& options,
    const std::atomic<bool>& is_cancelled) {
  SLIPWAY_RETURN_IF_ERROR(file.verify_engines(name));
  SLIPWAY_RETURN_IF_ERROR(check_requirements(file, name));
  for (const std::string& difference : environment_differences(file, name)) {
    if (options.require_same_environment) return unavailable("{}", difference);
    if (options.on_warning) options.on_warning(difference);
  }
  for (const std::string& warning : options_without_effect(file, name, options)) {
    if (options.on_warning) options.on_warning(warning);
  }
  std::unique_ptr<LoadedMethod> loaded(
      new LoadedMethod(file, name, signature, shared, is_cancelled));
  loaded->time_limit_ = options.time_limit;
  SLIPWAY_ASSIGN_OR_RETURN(loaded->plan_, read_plan(file, name));
  loaded->on_profile_ = options.on_profile;
  if (loaded->on_profile_) loaded->tracer_.emplace(file, name);
  SLIPWAY_RETURN_IF_ERROR(loaded->check_memory(options));
  SLIPWAY_RETURN_IF_ERROR(loaded->allocate(program, data, options));
  SLIPWAY_RETURN_IF_ERROR(loaded->bind_outputs());
  SLIPWAY_RETURN_IF_ERROR(loaded->prepare_inputs());
  if (const auto& flag = loaded->plan_.first_run) {
    // No run brings initial values to a device: whoever writes to the state before the first one
    // sees them, and is heard.
    loaded->planned_spans_[flag->first].data()[flag->second] = 0;
  }
  const Status placed =
      loaded->device_state_.place(file, name, loaded->plan_, loaded->program_id(), *loaded->method_,
                                  shared, loaded->buffers_->planned, options.on_warning);
  if (!placed.ok()) return placed.error().with_context(loaded->description());
  return loaded;
}

Status LoadedMethod::check_memory(const LoadOptions& options) const {
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  uint64_t total = 0;
  const auto count = [&](uint64_t size) { total = checked_add(total, size).value_or(kMost); };
  for (const uint64_t size : plan_.planned_sizes) count(size);
  for (const auto& size : plan_.output_sizes) count(size.value_or(0));
  const uint64_t limit = memory_limit(options);
  if (total <= limit) return {};
  return resource_exhausted(
      "{} asks for {} MiB of memory for its tensors, and {} MiB are allowed: raise the limit "
      "(option 'memory_limit') if that much is meant",
      description(), total / kMiB, limit / kMiB);
}

Status LoadedMethod::allocate(const et::Program& program, const et::NamedDataMap* data,
                              const LoadOptions& options) {
  for (size_t i = 0; i < plan_.planned_sizes.size(); ++i) {
    const uint64_t size = plan_.planned_sizes[i];
    const std::string what = fmt::format("planned memory of {}", description());
    if (const auto device = plan_.planned_devices[i]) {
      SLIPWAY_ASSIGN_OR_RETURN(auto memory, plan_on_device(size, *device, what));
      planned_spans_.push_back(memory.as_span());
      planned_devices_.emplace_back(et::etensor::DeviceType::CUDA, *device);
      buffers_->on_device.push_back(std::move(memory));
      continue;
    }
    planned_devices_.emplace_back(et::etensor::DeviceType::CPU, 0);
    if (i + 1 == pte::kSharedMemoryId && shared_.memory) {
      planned_spans_.emplace_back(reinterpret_cast<uint8_t*>(shared_.memory->data()), size);
      buffers_->shared = shared_.memory;
      continue;
    }
    SLIPWAY_ASSIGN_OR_RETURN(Memory memory, Memory::allocate(size, what));
    planned_spans_.emplace_back(reinterpret_cast<uint8_t*>(memory.data()), memory.size());
    buffers_->planned.push_back(std::move(memory));
  }
  planned_memory_.emplace(
      et::Span<et::Span<uint8_t>>(planned_spans_.data(), planned_spans_.size()),
      et::Span<const et::etensor::Device>(planned_devices_.data(), planned_devices_.size()));
  memory_manager_.emplace(&method_allocator_, &*planned_memory_, &temporary_allocator_);

  const std::string context = fmt::format("{} can't be prepared", description());
  LogCapture log;
  try {
    // load() has compared the engines of a file with a manifest.
    LoadOptions given = options;
    // Shared ones read their bytes in place, which those of an inline one can't outlive.
    if (given.share_engines == true && has_inline_engine(file_, name_)) given.share_engines.reset();
    BackendSettings settings(given, program_id(), file_.manifest().has_value());
    const et::LoadBackendOptionsMap map = settings.map();
    auto method = program.load_method(name_.c_str(), &*memory_manager_,
                                      tracer_ ? &*tracer_ : nullptr, data, &map);
    if (!method.ok()) {
      const Error error = translate(method.error(), context, log.text());
      return make_error(error.code(), "{}{}", error.message(), other_delegates(file_, name_));
    }
    method_.emplace(std::move(*method));
    std::string said = log.text();
    const Status finished = finish_program(program_id(), said);
    if (!finished.ok()) return finished.error().with_context(context);
    // No error, such as a budget that no engine can have.
    for (const std::string& message : messages_of(said)) {
      if (options.on_warning) options.on_warning(fmt::format("{}: {}", description(), message));
    }
  } catch (const Aborted&) {
    return invalid_file("{}: {}", context, first_reason(log.text()));
  }
  return {};
}

std::string LoadedMethod::program_id() const { return std::to_string(id_); }

Result<uint64_t> LoadedMethod::weight_budget(const LoadOptions& change) const {
  auto budget = runtime::weight_budget(program_id(), change);
  if (!budget.ok()) return budget.error().with_context(description());
  return budget;
}

Status LoadedMethod::prepare_inputs() {
  for (size_t i = 0; i < signature_.inputs().size(); ++i) {
    const ValueInfo& info = signature_.inputs()[i];
    if (const auto* literal = std::get_if<LiteralInfo>(&info.type)) {
      SLIPWAY_RETURN_IF_ERROR(set_literal(i, literal->value));
      continue;
    }
    if (const auto* integer = std::get_if<IntegerInfo>(&info.type)) {
      SLIPWAY_RETURN_IF_ERROR(set_literal(i, integer->value));
      chosen_integers_.push_back(i);
      continue;
    }
    const TensorInfo& tensor = *info.tensor();
    Binding& binding = bindings_.emplace_back();
    const size_t rank = tensor.sizes.size();
    binding.index = i;
    binding.mutated = tensor.mutated;
    binding.type = *to_executorch(tensor.dtype);
    binding.sizes.resize(rank);
    binding.strides.resize(rank);
    for (size_t d = 0; d < rank; ++d) {
      binding.dim_order.push_back(static_cast<aten::DimOrderType>(d));
    }
  }
  return {};
}

// The program holds the value already, but ExecuTorch wants to hear it once.
Status LoadedMethod::set_literal(size_t index, const Value& literal) {
  et::EValue value;
  aten::ArrayRef<char> text;
  if (const auto* integer = std::get_if<int64_t>(&literal)) value = et::EValue(*integer);
  if (const auto* real = std::get_if<double>(&literal)) value = et::EValue(*real);
  if (const auto* boolean = std::get_if<bool>(&literal)) value = et::EValue(*boolean);
  if (const auto* string = std::get_if<std::string>(&literal)) {
    text = aten::ArrayRef<char>(string->data(), string->size());
    value = et::EValue(&text);
  }
  LogCapture log;
  const et::Error error = method_->set_input(value, index);
  if (error == et::Error::Ok) return {};
  return translate(error, fmt::format("{}: input {} can't be set", description(), index),
                   log.text());
}

Status LoadedMethod::set_inputs(std::span<const Value> inputs,
                                const std::vector<void*>& addresses) {
  for (size_t b = 0; b < bindings_.size(); ++b) {
    Binding& binding = bindings_[b];
    const Tensor& tensor = std::get<Tensor>(inputs[binding.index]);
    aten::StridesType stride = 1;
    for (size_t i = binding.sizes.size(); i-- > 0;) {
      binding.sizes[i] = static_cast<aten::SizesType>(tensor.sizes()[i]);
      binding.strides[i] = stride;
      stride *= std::max<aten::SizesType>(binding.sizes[i], 1);
    }
    aten::TensorImpl impl(binding.type, static_cast<ssize_t>(binding.sizes.size()),
                          binding.sizes.data(), addresses[b], binding.dim_order.data(),
                          binding.strides.data());
    const et::Error error = method_->set_input(et::EValue(aten::Tensor(&impl)), binding.index);
    if (error != et::Error::Ok) {
      return make_error(ErrorCode::kInvalidArgument, "input {} '{}' is refused ({})", binding.index,
                        signature_.inputs()[binding.index].name, error_name(error));
    }
  }
  set_chosen_integers(inputs);
  return {};
}

// set_input takes an integer only if it is the one in the file. mutable_input is deprecated.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
void LoadedMethod::set_chosen_integers(std::span<const Value> inputs) {
  for (const size_t index : chosen_integers_) {
    method_->mutable_input(index) = et::EValue(signature_.chosen_integer(index, inputs[index]));
  }
}
#pragma GCC diagnostic pop

// step() is marked experimental, by the attribute for deprecation.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
et::Error LoadedMethod::execute() {
  const Loops& loops = plan_.loops;
  const bool is_limited = loops.any || time_limit_;
  if (has_failed_) {
    const et::Error error = method_->execute();
    has_failed_ = error != et::Error::Ok;
    return error;
  }
  using Clock = std::chrono::steady_clock;
  const bool ends = !loops.any || loops.most_steps;
  const auto end = ends && !time_limit_ ? Clock::time_point::max()
                                        : Clock::now() + time_limit_.value_or(kLoopTime);
  const uint64_t most = loops.any ? loops.most_steps.value_or(kMostSteps) : UINT64_MAX;
  // The last step only finds that there is no instruction left.
  for (uint64_t i = 0; i <= most; ++i) {
    late_ = end != Clock::time_point::max() && Clock::now() >= end;
    stopped_ = is_cancelled_.load(std::memory_order_relaxed);
    if (late_ || stopped_) {
      broken_ = true;
      return kEndless;
    }
    const et::Error error = method_->step();
    if (error == et::Error::EndOfMethod) return method_->reset_execution();
    if (error == et::Error::Ok) continue;
    // The next step would go on where this one stopped.
    (is_limited ? broken_ : has_failed_) = true;
    return error;
  }
  broken_ = true;
  return kEndless;
}
#pragma GCC diagnostic pop

Error LoadedMethod::failure(et::Error error, const std::string& log) const {
  if (stopped_) return cancelled("{} was cancelled (Method::cancel)", description());
  if (late_) {
    return resource_exhausted(
        "{} was stopped after {} ms: give it a longer time limit (option 'time_limit') if it is "
        "meant to run longer",
        description(), time_limit_.value_or(kLoopTime).count());
  }
  if (error == kEndless) {
    return invalid_file("{} stopped after {} instructions: its loop does not end", description(),
                        plan_.loops.most_steps.value_or(kMostSteps));
  }
  // "KernelCall failed at instruction 0:3 in operator aten::add.out: 0x12", or "CALL_DELEGATE
  // execute failed at instruction 3: 0x12"
  constexpr std::string_view kKernel = "KernelCall failed at instruction ";
  constexpr std::string_view kDelegate = "CALL_DELEGATE execute failed at instruction ";
  const size_t kernel = log.find(kKernel);
  const size_t delegate = log.find(kDelegate);
  size_t chain = 0;
  size_t instruction = 0;
  char op[128] = "";
  std::string_view name;
  if (kernel != std::string::npos &&
      std::sscanf(log.c_str() + kernel + kKernel.size(), "%zu:%zu in operator %126s", &chain,
                  &instruction, op) == 3) {
    name = op;
    if (name.ends_with(':')) name.remove_suffix(1);
  } else if (delegate != std::string::npos &&
             std::sscanf(log.c_str() + delegate + kDelegate.size(), "%zu", &instruction) == 1) {
    name = "a call of an engine";
  }
  std::string where;
  if (!name.empty()) {
    const std::string origin = instruction_origin(file_, name_, instruction);
    where = fmt::format(" at instruction {}, {}", instruction, name);
    if (!origin.empty()) where += fmt::format(" (from {})", origin);
  }
  return translate(error, fmt::format("{} failed{}", description(), where), log);
}

Result<std::vector<Value>> LoadedMethod::run(std::span<const Value> inputs) {
  if (tracer_) tracer_->begin();
  SLIPWAY_RETURN_IF_ERROR(start(inputs));
  auto results = outputs(inputs);
  if (tracer_ && results.ok()) on_profile_(tracer_->end());
  return results;
}

Status LoadedMethod::start(std::span<const Value> inputs) {
  if (auto status = signature_.check(inputs); !status.ok()) {
    return status.error().with_context(description());
  }
  if (auto status = check_devices(inputs); !status.ok()) {
    return status.error().with_context(description());
  }
  if (auto status = device_state_.to_users(); !status.ok()) {
    return status.error().with_context(description());
  }
  // Before the first is set: ExecuTorch copies an input that is planned, over an old output.
  const auto addresses = input_data(inputs);
  if (!addresses.ok()) return addresses.error().with_context(description());
  LogCapture log;
  try {
    if (auto status = set_inputs(inputs, *addresses); !status.ok()) {
      return make_error(status.error().code(), "{}: {}: {}", description(),
                        status.error().message(), first_reason(log.text()));
    }
    const et::Error error = execute();
    if (error != et::Error::Ok) return failure(error, log.text());
  } catch (const Aborted&) {
    broken_ = true;
    return unsupported("{} failed: {}", description(), first_reason(log.text()));
  }
  return {};
}

Result<std::vector<std::pair<std::string, Tensor>>> LoadedMethod::state() {
  if (const Status there = device_state_.to_host(); !there.ok()) {
    return there.error().with_context(description());
  }
  return state_on_host();
}

Result<std::vector<std::pair<std::string, Tensor>>> LoadedMethod::state_on_host() {
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (size_t i = 0; i < plan_.state.size(); ++i) {
    const Plan::State& state = plan_.state[i];
    LogCapture log;
    auto attribute = method_->get_attribute(state.name);
    if (!attribute.ok()) return translate(attribute.error(), description(), log.text());
    const auto dtype = from_executorch(attribute->scalar_type());
    if (!dtype) return unsupported("{}: {} has no type of ours", description(), state.name);
    void* const on_host = device_state_.host(i);
    SLIPWAY_ASSIGN_OR_RETURN(
        Tensor tensor,
        Tensor::share(buffers_, on_host != nullptr ? on_host : attribute->mutable_data_ptr(),
                      attribute->nbytes(), *dtype,
                      {attribute->sizes().begin(), attribute->sizes().end()}));
    tensors.emplace_back(state.name, std::move(tensor));
  }
  return tensors;
}

Status LoadedMethod::reset_state() {
  device_state_.drop();
  SLIPWAY_ASSIGN_OR_RETURN(auto tensors, state_on_host());
  for (size_t i = 0; i < tensors.size(); ++i) {
    Tensor& tensor = tensors[i].second;
    if (tensor.nbytes() == 0) continue;
    if (plan_.state[i].initial.empty()) {
      std::memset(tensor.data(), 0, tensor.nbytes());
    } else {
      std::memcpy(tensor.data(), plan_.state[i].initial.data(), tensor.nbytes());
    }
  }
  return {};
}

}  // namespace slipway::runtime
