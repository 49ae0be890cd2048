#include "cuda/delegate/engine.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <executorch/runtime/platform/log.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/printable.h"
#include "base/try.h"
#include "cuda/delegate/images.h"
#include "cuda/delegate/products.h"
#include "cuda/delegate/refuse.h"
#include "cuda/driver/caller_choices.h"
#include "cuda/format/choices.h"
#include "cuda/format/steps.h"

namespace slipway::cuda {
namespace {

namespace et = executorch::runtime;
namespace aten = executorch::aten;

// Of a grid, that every GPU takes.
constexpr std::array<int64_t, 3> kMostBlocks = {(int64_t{1} << 31) - 1, 65535, 65535};

// A size is -1 where it is not the same in each call.
std::vector<delegate::Port> to_ports(const table::EngineT& engine,
                                     const std::vector<std::unique_ptr<table::PortT>>& ports) {
  std::vector<delegate::Port> made;
  for (const auto& port : ports) {
    std::vector<int64_t> sizes;
    for (const uint32_t size : port->sizes) {
      const table::NumberT& number = *engine.numbers[size];
      sizes.push_back(number.kind == table::NumberKind::Constant ? number.value : -1);
    }
    made.push_back({static_cast<aten::ScalarType>(port->type), std::move(sizes)});
  }
  return made;
}

Status first_error(const Status& first, const Status& second) {
  return first.ok() ? second : first;
}

std::string text_of_step(const std::string& kernel, const std::string& origin) {
  return origin.empty() ? fmt::format("kernel {}", kernel)
                        : fmt::format("kernel {} (from {})", kernel, printable(origin));
}

}  // namespace

Result<std::unique_ptr<LoadedEngine>> LoadedEngine::load(const DevicePointer& device, Blob blob,
                                                         Settings settings) {
  const auto weight_budget = settings.weight_budget;
  std::optional<LoadedImage> image;  // An engine that only copies has none.
  if (!blob.engine.kernels.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(LoadedImage loaded, load_image(device, blob));
    image.emplace(std::move(loaded));
  }
  SLIPWAY_ASSIGN_OR_RETURN(Stream stream, Stream::create(device));
  find_executorch_stream();
  std::unique_ptr<LoadedEngine> loaded(new LoadedEngine(
      device, std::move(blob.engine), std::move(image), std::move(stream), std::move(settings)));
  SLIPWAY_RETURN_IF_ERROR(loaded->check_choices());
  SLIPWAY_RETURN_IF_ERROR(loaded->find_functions());
  SLIPWAY_RETURN_IF_ERROR(loaded->load_weights(blob.constants, weight_budget));
  SLIPWAY_RETURN_IF_ERROR(loaded->nothing_.reserve(kAlignment));
  if (const size_t flags = loaded->engine_.flags.size() * sizeof(int32_t); flags > 0) {
    SLIPWAY_RETURN_IF_ERROR(loaded->flags_.reserve(flags));
    SLIPWAY_RETURN_IF_ERROR(loaded->flags_on_host_.reserve(flags));
  }
  return loaded;
}

LoadedEngine::LoadedEngine(const DevicePointer& device, table::EngineT engine,
                           std::optional<LoadedImage> image, Stream stream, Settings settings)
    : device_(device),
      program_device_(std::move(settings.program), device->info().index),
      xxh3_(std::move(settings.xxh3)),
      tuner_(settings.tuner),
      engine_(std::move(engine)),
      image_(std::move(image)),
      flags_(device),
      flags_on_host_(device),
      scratch_(device),
      nothing_(device),
      stream_(std::move(stream)),
      arguments_(kTitle, to_ports(engine_, engine_.inputs), to_ports(engine_, engine_.outputs)),
      has_element_(engine_.inputs.size()) {
  if (settings.with_graphs) graphs_.emplace(device);
  for (size_t i = 0; i < arguments_.count(); ++i) memory_.emplace_back(device_);
  for (const auto& number : engine_.numbers) {
    if (number->kind == table::NumberKind::Element) has_element_[number->a] = true;
  }
}

Status LoadedEngine::find_functions() {
  for (const std::string& kernel : engine_.kernels) {
    SLIPWAY_ASSIGN_OR_RETURN(functions_.emplace_back(), image_->module.find(kernel));
  }
  std::vector<uint32_t> shared(functions_.size());  // of a kernel's launches the most
  const Surroundings surroundings = here();
  for (const auto& step : engine_.steps) {
    const table::LaunchT* const launch = step.AsLaunch();
    if (launch == nullptr || !runs_in(step, surroundings)) continue;
    shared[launch->kernel] = std::max(shared[launch->kernel], launch->shared_bytes);
  }
  for (size_t i = 0; i < functions_.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(image_->module.allow_shared_bytes(functions_[i], shared[i]));
  }
  return {};
}

Status LoadedEngine::load_weights(std::span<const std::byte> constants,
                                  std::optional<uint64_t> budget) {
  if (constants.empty()) return {};
  WeightPlan plan = plan_weights(engine_, budget);
  if (budget && plan.bytes_on_device() > *budget) {
    ET_LOG(Error,
           "%s: weights take %llu bytes on the device at the least, and not the %llu asked for",
           kTitle, static_cast<unsigned long long>(plan.bytes_on_device()),
           static_cast<unsigned long long>(*budget));
  }
  SLIPWAY_ASSIGN_OR_RETURN(Weights weights, Weights::load(device_, std::move(plan), constants));
  weights_.emplace(std::move(weights));
  return {};
}

Error LoadedEngine::with_memory(const Error& error) const {
  const bool says_it = error.code() != ErrorCode::kResourceExhausted ||
                       error.message().find("free=") != std::string::npos;
  if (says_it) return error;
  return Error(error.code(), fmt::format("{}: {}", error.message(), device_->memory_text()));
}

et::Error LoadedEngine::read_inputs(Values values, CallSizes& sizes) {
  const size_t inputs = engine_.inputs.size();
  sizes.inputs.resize(inputs);
  sizes.elements.resize(inputs);
  for (size_t i = 0; i < inputs; ++i) {
    const et::Error checked = arguments_.check(i, *values[i]);
    if (checked != et::Error::Ok) return checked;
    const auto given = values[i]->toTensor().sizes();
    sizes.inputs[i].assign(given.begin(), given.end());
    const et::Error bound = bind(i, values);
    if (bound != et::Error::Ok) return bound;
  }
  return et::Error::Ok;
}

// Those that are on the device are waited for.
Status LoadedEngine::read_elements(Values values, CallSizes& sizes, const Stream& stream) {
  for (size_t i = 0; i < engine_.inputs.size(); ++i) {
    if (!has_element_[i]) continue;
    const aten::Tensor& tensor = values[i]->toTensor();
    if (tensor.numel() != 1) {
      return invalid_argument("{} has {} elements, and must have one", arguments_.label(i),
                              tensor.numel());
    }
    const void* const data = tensor.const_data_ptr();
    SLIPWAY_ASSIGN_OR_RETURN(const Place place, find_place(device_->driver(), data));
    if (place.kind != Place::Kind::kDevice) {
      sizes.elements[i] = *static_cast<const int64_t*>(data);
      continue;
    }
    Staging staging(device_);
    const Status queued =
        staging.download(reinterpret_cast<Address>(data), sizeof(int64_t), stream);
    SLIPWAY_RETURN_IF_ERROR(first_error(queued, stream.wait()));
    SLIPWAY_RETURN_IF_ERROR(staging.finish_download(&sizes.elements[i], sizeof(int64_t), stream));
  }
  return {};
}

Status LoadedEngine::set_sizes(CallSizes sizes) {
  const auto found = std::find_if(known_.begin(), known_.end(),
                                  [&](const Sizes& one) { return one.inputs == sizes; });
  if (found != known_.end()) {
    known_.splice(known_.begin(), known_, found);
    return {};
  }
  Sizes made;
  SLIPWAY_ASSIGN_OR_RETURN(made.numbers, evaluate(engine_, sizes));
  SLIPWAY_RETURN_IF_ERROR(check_numbers(made.numbers));
  SLIPWAY_ASSIGN_OR_RETURN(made.scratch, plan_scratch(engine_, made.numbers));
  made.inputs = std::move(sizes);
  made.id = next_id_++;
  if (known_.size() == Sizes::kMost) known_.pop_back();
  known_.push_front(std::move(made));
  return {};
}

// That sizes are none below 0, and grids such as devices take.
Status LoadedEngine::check_numbers(const std::vector<int64_t>& numbers) const {
  for (const auto& buffer : engine_.buffers) {
    if (numbers[buffer->bytes] < 0) {
      return invalid_argument("the sizes of the inputs lead to a buffer of {} bytes",
                              numbers[buffer->bytes]);
    }
  }
  for (const auto& step : engine_.steps) {
    if (const table::CopyT* const copy = step.AsCopy()) {
      const int64_t bytes = numbers[copy->bytes];
      if (bytes < 0 || bytes > numbers[engine_.buffers[copy->from]->bytes] ||
          bytes > numbers[engine_.buffers[copy->to]->bytes]) {
        return invalid_argument("a copy of {} bytes is not of its buffers' sizes", bytes);
      }
    }
    if (const table::ProductT* const product = step.AsProduct()) {
      SLIPWAY_RETURN_IF_ERROR(check_product(engine_, *product, numbers));
    }
    const table::LaunchT* const launch = step.AsLaunch();
    if (launch == nullptr) continue;
    for (size_t i = 0; i < launch->grid.size(); ++i) {
      const int64_t blocks = numbers[launch->grid[i]];
      if (blocks >= 0 && blocks <= kMostBlocks[i]) continue;
      return invalid_argument(
          "the sizes of the inputs lead to {} blocks of {} in dimension {}, and a GPU takes {}",
          blocks, text_of_step(engine_.kernels[launch->kernel], launch->origin), i, kMostBlocks[i]);
    }
  }
  return {};
}

Status LoadedEngine::check_inputs() const {
  const Sizes& call = known_.front();
  for (size_t i = 0; i < engine_.inputs.size(); ++i) {
    const std::vector<uint32_t>& expected = engine_.inputs[i]->sizes;
    for (size_t dimension = 0; dimension < expected.size(); ++dimension) {
      const int64_t wanted = call.numbers[expected[dimension]];
      if (wanted == call.inputs.inputs[i][dimension]) continue;
      return invalid_argument("{} has the sizes [{}], and dimension {} must be {}",
                              arguments_.label(i), fmt::join(call.inputs.inputs[i], ", "),
                              dimension, wanted);
    }
  }
  return {};
}

et::Error LoadedEngine::resize_outputs(Values values) {
  const Sizes& call = known_.front();
  for (size_t i = engine_.inputs.size(); i < values.size(); ++i) {
    const et::Error checked = arguments_.check(i, *values[i]);
    if (checked != et::Error::Ok) return checked;
    std::vector<int64_t> sizes;
    for (const uint32_t size : engine_.outputs[i - engine_.inputs.size()]->sizes) {
      sizes.push_back(call.numbers[size]);
    }
    if (std::any_of(sizes.begin(), sizes.end(), [](int64_t size) {
          return size < 0 || size > std::numeric_limits<aten::SizesType>::max();
        })) {
      return refuse(invalid_argument("the sizes of the inputs give {} the sizes [{}]",
                                     arguments_.label(i), fmt::join(sizes, ", ")));
    }
    const et::Error resized = arguments_.resize(i, values[i]->toTensor(), sizes);
    if (resized != et::Error::Ok) return resized;
    const et::Error bound = bind(i, values);
    if (bound != et::Error::Ok) return bound;
  }
  return et::Error::Ok;
}

et::Error LoadedEngine::bind(size_t index, Values values) {
  const aten::Tensor& tensor = values[index]->toTensor();
  void* data = nullptr;
  const et::Error found = arguments_.find_memory(index, tensor, &data);
  if (found != et::Error::Ok) return found;
  // Steps may read an input after they have written an output that lies there.
  const size_t inputs = engine_.inputs.size();
  bool is_over_input = false;
  for (size_t i = 0; i < inputs && index >= inputs; ++i) {
    is_over_input = is_over_input || values[i]->toTensor().const_data_ptr() == data;
  }
  const Status bound = memory_[index].bind(arguments_.label(index), data, tensor.nbytes(),
                                           nothing_.address(), {.is_apart = is_over_input});
  return bound.ok() ? et::Error::Ok : refuse(with_memory(bound.error()));
}

// A kernel may use all of a buffer: the tensor has to have that.
Status LoadedEngine::check_buffers() const {
  const Sizes& call = known_.front();
  for (const auto& buffer : engine_.buffers) {
    const bool is_input = buffer->home == table::Home::Input;
    if (!is_input && buffer->home != table::Home::Output) continue;
    const size_t index = buffer->position + (is_input ? 0 : engine_.inputs.size());
    const int64_t bytes = call.numbers[buffer->bytes];
    if (static_cast<uint64_t>(bytes) <= memory_[index].bytes()) continue;
    return invalid_argument("{} has {} bytes, and the engine uses {}", arguments_.label(index),
                            memory_[index].bytes(), bytes);
  }
  return {};
}

Address LoadedEngine::address_of(uint32_t index) const {
  const table::BufferT& buffer = *engine_.buffers[index];
  switch (buffer.home) {
    case table::Home::Input:
      return memory_[buffer.position].address();
    case table::Home::Output:
      return memory_[engine_.inputs.size() + buffer.position].address();
    case table::Home::Constant:
      return known_.front().numbers[buffer.bytes] == 0 ? nothing_.address()
                                                       : weights_->address_of(buffer.offset);
    case table::Home::Scratch:
      return scratch_.address() == 0 ? nothing_.address()
                                     : scratch_.address() + known_.front().scratch.offsets[index];
    case table::Home::Flags:
      return flags_.address() == 0 ? nothing_.address() : flags_.address();
  }
  return nothing_.address();
}

// Of no blocks or elements, or of an alternative that is not chosen.
bool LoadedEngine::is_left_out(const table::StepUnion& step) const {
  if (!is_chosen(engine_, step)) return true;
  const auto is_nothing = [&](uint32_t size) { return known_.front().numbers[size] == 0; };
  if (const table::ProductT* const product = step.AsProduct()) {
    return is_nothing(product->m) || is_nothing(product->n);
  }
  const table::LaunchT* const launch = step.AsLaunch();
  return launch != nullptr && std::any_of(launch->grid.begin(), launch->grid.end(), is_nothing);
}

Status LoadedEngine::queue(const table::LaunchT& launch, const Stream& stream, bool overlaps) {
  const std::vector<int64_t>& numbers = known_.front().numbers;
  std::array<unsigned, 3> grid = {};
  for (size_t i = 0; i < grid.size(); ++i) {
    grid[i] = static_cast<unsigned>(numbers[launch.grid[i]]);
  }
  std::vector<uint64_t> values;
  values.reserve(launch.arguments.size());
  for (const table::Argument& argument : launch.arguments) {
    values.push_back(argument.kind() == table::ArgumentKind::Buffer
                         ? address_of(argument.index())
                         : static_cast<uint64_t>(numbers[argument.index()]));
  }
  std::vector<void*> places;
  places.reserve(values.size());
  for (uint64_t& value : values) places.push_back(&value);
  const Driver& driver = device_->driver();
  const std::vector<uint32_t>& block = launch.block;
  LaunchAttribute overlap = {kOverlapAttribute, 1, {}};
  const LaunchConfig config = {{grid[0], grid[1], grid[2]},
                               {block[0], block[1], block[2]},
                               launch.shared_bytes,
                               stream.handle(),
                               &overlap,
                               overlaps ? 1U : 0U};
  return driver.check(
      driver.call().launch(&config, functions_[launch.kernel], places.data(), nullptr), [&] {
        return fmt::format("{} does not start on {}",
                           text_of_step(engine_.kernels[launch.kernel], launch.origin),
                           describe(device_->info()));
      });
}

Status LoadedEngine::queue(const table::CopyT& copy, const Stream& stream) {
  const int64_t bytes = known_.front().numbers[copy.bytes];
  if (bytes == 0) return {};
  const Driver& driver = device_->driver();
  return driver.check(driver.call().copy_on_device(address_of(copy.to), address_of(copy.from),
                                                   static_cast<size_t>(bytes), stream.handle()),
                      [&] { return fmt::format("{} bytes can't be copied on the device", bytes); });
}

Status LoadedEngine::queue_steps(const Stream& stream, StepTimes* times) {
  if (flags_.size() > 0) {
    const Driver& driver = device_->driver();
    SLIPWAY_RETURN_IF_ERROR(
        driver.check(driver.call().fill(flags_.address(), 0, engine_.flags.size() * sizeof(int32_t),
                                        stream.handle()),
                     "flags can't be cleared"));
  }
  if (weights_) SLIPWAY_RETURN_IF_ERROR(weights_->begin(stream));
  if (times != nullptr) SLIPWAY_RETURN_IF_ERROR(times->mark(stream));
  // A kernel may overlap with one, not with copies; and not where each is timed.
  const bool may_overlap =
      image_ && image_->overlaps && times == nullptr && !(weights_ && weights_->are_brought());
  bool overlaps = false;
  for (size_t i = 0; i < engine_.steps.size(); ++i) {
    if (weights_) SLIPWAY_RETURN_IF_ERROR(weights_->prepare(i, stream));
    const table::StepUnion& step = engine_.steps[i];
    if (!is_left_out(step)) {
      const table::LaunchT* const launch = step.AsLaunch();
      const table::ProductT* const product = step.AsProduct();
      const table::LibraryGraphT* const graph = step.AsLibraryGraph();
      SLIPWAY_RETURN_IF_ERROR(launch != nullptr    ? queue(*launch, stream, overlaps)
                              : product != nullptr ? queue(*product, stream)
                              : graph != nullptr   ? queue(*graph, stream)
                                                   : queue(*step.AsCopy(), stream));
      overlaps = launch != nullptr && may_overlap;
    }
    if (times != nullptr) SLIPWAY_RETURN_IF_ERROR(times->mark(stream));
  }
  return {};
}

Status LoadedEngine::queue_all(const Stream& stream, StepTimes* times) {
  const size_t inputs = engine_.inputs.size();
  for (size_t i = 0; i < inputs; ++i) SLIPWAY_RETURN_IF_ERROR(memory_[i].upload(stream));
  if (!graphs_ || times != nullptr) {
    SLIPWAY_RETURN_IF_ERROR(queue_steps(stream, times));
  } else {
    // A graph repeats a run with its addresses, and with all that follows from the sizes.
    std::vector<uint64_t> parameters = {known_.front().id, scratch_.address()};
    for (const CallMemory& memory : memory_) parameters.push_back(memory.address());
    SLIPWAY_RETURN_IF_ERROR(graphs_->run(
        parameters, stream, stream_, [&](const Stream& on) { return queue_steps(on, nullptr); },
        [](const Error& error) {
          ET_LOG(Error, "%s: it runs without a CUDA graph: %s", kTitle, error.message().c_str());
        }));
  }
  if (flags_.size() > 0) {
    const Driver& driver = device_->driver();
    SLIPWAY_RETURN_IF_ERROR(driver.check(
        driver.call().copy_to_host(flags_on_host_.data(), flags_.address(),
                                   engine_.flags.size() * sizeof(int32_t), stream.handle()),
        "flags don't come from the device"));
  }
  for (size_t i = inputs; i < memory_.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(memory_[i].download(memory_[i].address(), stream));
  }
  return {};
}

Status LoadedEngine::check_flags() const {
  const auto* const flags = static_cast<const int32_t*>(flags_on_host_.data());
  for (size_t i = 0; i < engine_.flags.size(); ++i) {
    if (flags[i] != 0) return invalid_argument("{}", printable(engine_.flags[i]));
  }
  return {};
}

// A step is named as the node that it begins with, and its kind is what ran.
Status LoadedEngine::tell_steps(et::EventTracer& tracer) const {
  SLIPWAY_ASSIGN_OR_RETURN(const auto durations, times_->durations());
  for (size_t i = 0; i < durations.size(); ++i) {
    const table::StepUnion& step = engine_.steps[i];
    if (step.AsCopy() != nullptr) {
      delegate::tell_layer(tracer, "copy", "copy on the device", durations[i]);
      continue;
    }
    if (!is_chosen(engine_, step)) continue;
    const table::LaunchT* const launch = step.AsLaunch();
    const std::string kernel = launch != nullptr                  ? engine_.kernels[launch->kernel]
                               : step.AsLibraryGraph() != nullptr ? "cudnnBackendExecute"
                                                                  : "cublasLtMatmul";
    const std::string origin(info_of(step).origin);
    delegate::tell_layer(tracer, origin.empty() ? kernel : origin, kernel, durations[i]);
  }
  return {};
}

et::Error LoadedEngine::run(Values values, et::EventTracer* tracer) {
  const et::Error counted = arguments_.check_count(values.size());
  if (counted != et::Error::Ok) return counted;
  const auto current = device_->make_current();
  if (!current.ok()) return refuse(current.error());
  if (tracer != nullptr && !times_) times_.emplace(device_);
  StepTimes* const times = tracer != nullptr ? &*times_ : nullptr;
  if (times != nullptr) times->clear();
  et::Error refused = et::Error::Ok;
  Status done;
  if (const std::optional<void*> chosen = caller_stream()) {
    const auto stream = Stream::borrow(device_, *chosen);
    done = stream.ok() ? run_on(*stream, values, times, refused) : Status(stream.error());
  } else {
    done = run_on(stream_, values, times, refused);
  }
  if (refused != et::Error::Ok) return refused;
  if (done.ok() && tracer != nullptr) done = tell_steps(*tracer);
  return done.ok() ? et::Error::Ok : refuse(with_memory(done.error()));
}

// What is wrong with an argument is logged, and is in `refused`.
Status LoadedEngine::run_on(const Stream& stream, Values values, StepTimes* times,
                            et::Error& refused) {
  CallSizes sizes;
  refused = read_inputs(values, sizes);
  if (refused != et::Error::Ok) return {};
  SLIPWAY_RETURN_IF_ERROR(read_elements(values, sizes, stream));
  SLIPWAY_RETURN_IF_ERROR(set_sizes(std::move(sizes)));
  SLIPWAY_RETURN_IF_ERROR(check_inputs());
  refused = resize_outputs(values);
  if (refused != et::Error::Ok) return {};
  SLIPWAY_RETURN_IF_ERROR(check_buffers());
  SLIPWAY_RETURN_IF_ERROR(scratch_.reserve(known_.front().scratch.bytes));
  Status queued;
  try {
    queued = queue_all(stream, times);
  } catch (...) {
    (void)stream.wait();
    throw;
  }
  if (!queued.ok() && weights_) weights_->settle();
  // After an error too: what was queued uses memory that the next call will.
  SLIPWAY_RETURN_IF_ERROR(first_error(queued, stream.wait()));
  SLIPWAY_RETURN_IF_ERROR(check_flags());
  for (size_t i = engine_.inputs.size(); i < memory_.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(memory_[i].finish(stream));
  }
  const auto find_tuner = std::exchange(tuner_, nullptr);
  engine::Tuner* const tuner = find_tuner == nullptr ? nullptr : find_tuner();
  return tuner == nullptr ? Status() : tune(*tuner);
}

}  // namespace slipway::cuda
