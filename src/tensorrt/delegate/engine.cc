#include "tensorrt/delegate/engine.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/try.h"
#include "cuda/driver/caller_choices.h"
#include "tensorrt/delegate/programs.h"
#include "tensorrt/delegate/refuse.h"

namespace slipway::tensorrt {
namespace {

namespace et = executorch::runtime;
namespace aten = executorch::aten;

constexpr size_t kAlignment = 256;  // TensorRT's, of memory that it is told

std::vector<delegate::Port> to_ports(const std::vector<IoTensor>& tensors) {
  std::vector<delegate::Port> ports;
  std::transform(tensors.begin(), tensors.end(), std::back_inserter(ports), to_port);
  return ports;
}

}  // namespace

Error with_memory(const Error& error, const cuda::Device& device) {
  const bool says_it = error.code() != ErrorCode::kResourceExhausted ||
                       error.message().find("free=") != std::string::npos;
  if (says_it) return error;
  return Error(error.code(), fmt::format("{}: {}", error.message(), device.memory_text()));
}

Result<std::unique_ptr<LoadedEngine>> LoadedEngine::make(std::shared_ptr<Plan> plan, Ports ports,
                                                         std::string program, bool shares_scratch,
                                                         bool with_graphs) {
  SLIPWAY_ASSIGN_OR_RETURN(cuda::Stream stream, cuda::Stream::create(plan->device()));
  cuda::find_executorch_stream();
  std::unique_ptr<LoadedEngine> loaded(new LoadedEngine(
      std::move(plan), std::move(stream), std::move(ports), std::move(program), shares_scratch));
  SLIPWAY_RETURN_IF_ERROR(loaded->nothing_.reserve(kAlignment));
  if (with_graphs) loaded->use_graphs();
  return loaded;
}

LoadedEngine::LoadedEngine(std::shared_ptr<Plan> plan, cuda::Stream stream, Ports ports,
                           std::string program, bool shares_scratch)
    : plan_(std::move(plan)),
      device_(plan_->device()),
      program_(std::move(program)),
      shares_scratch_(shares_scratch),
      stream_(std::move(stream)),
      ports_(std::move(ports)),
      profiles_(read_profiles(plan_->engine(), ports_.inputs)),
      arguments_(kTitle, to_ports(ports_.inputs), to_ports(ports_.outputs)),
      nothing_(device_) {
  for (size_t i = 0; i < arguments_.count(); ++i) slots_.emplace_back(device_);
  Programs::get().add(this);
}

LoadedEngine::~LoadedEngine() { Programs::get().remove(this); }

std::unique_lock<std::mutex> LoadedEngine::hold() {
  std::unique_lock lock(mutex_);
  if (const auto event = queued_.lock()) {
    if (const auto current = device_->make_current(); current.ok()) (void)event->wait();
  }
  return lock;
}

Result<int64_t> LoadedEngine::free_memory() const {
  SLIPWAY_ASSIGN_OR_RETURN(const auto current, device_->make_current());
  size_t free = 0;
  size_t total = 0;
  const int code = device_->driver().call().memory_info(&free, &total);
  SLIPWAY_RETURN_IF_ERROR(device_->driver().check(code, "the free memory is not known"));
  return static_cast<int64_t>(free);
}

Status LoadedEngine::give_budget(int64_t bytes) {
  if (streamable_weights() == 0 || plan_->contexts > 0) return {};
  SLIPWAY_ASSIGN_OR_RETURN(const auto current, device_->make_current());
  SLIPWAY_ASSIGN_OR_RETURN(bool done, plan_->engine().set_weight_budget(bytes));
  if (!done && plan_->budget.kind == Budget::Kind::kAutomatic) {
    bytes = 0;
    SLIPWAY_ASSIGN_OR_RETURN(done, plan_->engine().set_weight_budget(bytes));
  }
  if (done) return {};
  return with_memory(
      plan_->engine().error(
          ErrorCode::kInternal,
          fmt::format("the weight-streaming budget of {} bytes can't be had", bytes)),
      *device_);
}

Status LoadedEngine::make_context() {
  SLIPWAY_ASSIGN_OR_RETURN(const auto current, device_->make_current());
  if (scratch_ != nullptr) {
    SLIPWAY_ASSIGN_OR_RETURN(const int64_t size, plan_->engine().context_memory());
    const std::lock_guard<std::mutex> lock(scratch_->mutex);
    SLIPWAY_RETURN_IF_ERROR(scratch_->memory.reserve(static_cast<size_t>(size)));
  }
  auto context = plan_->create_context(scratch_ == nullptr);
  if (!context.ok()) return with_memory(context.error(), *device_);
  context_.emplace(*std::move(context));
  plan_->keep_kernels();
  profile_ = 0;
  ++plan_->contexts;
  return {};
}

void LoadedEngine::use_graphs() {
  const bool is_dynamic = std::any_of(ports_.inputs.begin(), ports_.inputs.end(),
                                      [](const IoTensor& input) { return input.is_dynamic(); });
  // It compiles kernels for a shape when it likes, while a graph is recorded, too.
  if (plan_->engine().version().family == Family::kRtx && is_dynamic) {
    ET_LOG(Error, "%s: TensorRT-RTX has no CUDA graphs of inputs of dynamic sizes", kTitle);
    return;
  }
  graphs_.emplace(device_);
}

void LoadedEngine::drop_context() {
  if (!context_) return;
  const auto current = device_->make_current();
  if (graphs_) graphs_->clear();
  context_.reset();
  layer_times_.reset();
  --plan_->contexts;
}

Result<std::unique_lock<std::mutex>> LoadedEngine::take_scratch() {
  if (scratch_ == nullptr) return std::unique_lock<std::mutex>();
  std::unique_lock<std::mutex> lock(scratch_->mutex);
  SLIPWAY_ASSIGN_OR_RETURN(const int64_t size, plan_->engine().context_memory());
  // Another engine may have failed to make it larger, and then it is gone.
  SLIPWAY_RETURN_IF_ERROR(scratch_->memory.reserve(static_cast<size_t>(size)));
  context_->set_memory(reinterpret_cast<void*>(scratch_->memory.address()), size);
  return lock;
}

const IoTensor& LoadedEngine::tensor(size_t index) const {
  return is_input(index) ? ports_.inputs[index] : ports_.outputs[index - ports_.inputs.size()];
}

et::Error LoadedEngine::report(const Status& status) const {
  return status.ok() ? et::Error::Ok : refuse(with_memory(status.error(), *device_));
}

// That the active profile serves the sizes of a call, which are in the slots.
et::Error LoadedEngine::check_bounds(bool is_pinned) const {
  for (size_t i = 0; i < ports_.inputs.size(); ++i) {
    const std::vector<int64_t>& sizes = slots_[i].sizes;
    const ShapeBounds& bounds = profiles_[static_cast<size_t>(profile_)][i];
    if (!ports_.inputs[i].is_dynamic()) continue;
    if (bounds.min.size() != sizes.size() || bounds.max.size() != sizes.size()) {
      return refuse(invalid_file("its plan has no profile for input '{}'", ports_.inputs[i].name));
    }
    if (serves(bounds, sizes)) continue;
    std::string ranges;
    for (const auto& profile : profiles_) {
      if (is_pinned && &profile != &profiles_[static_cast<size_t>(profile_)]) continue;
      ranges += fmt::format("{}[{}] to [{}]", ranges.empty() ? "" : ", or ",
                            fmt::join(profile[i].min, ", "), fmt::join(profile[i].max, ", "));
    }
    return refuse(invalid_argument(
        "{} has the sizes [{}], and {} for {}: compile the model with the sizes that it is to "
        "serve (option 'profile')",
        arguments_.label(i), fmt::join(sizes, ", "),
        is_pinned ? fmt::format("its caller's profile {} is", profile_) : "the engine is", ranges));
  }
  return et::Error::Ok;
}

et::Error LoadedEngine::set_profile(const cuda::Stream& stream) {
  std::vector<std::vector<int64_t>> sizes;
  if (profiles_.size() > 1) {
    for (const Argument& slot : slots_) sizes.push_back(slot.sizes);
  }
  const std::optional<int> pinned = cuda::caller_profile();
  const bool may_change = profiles_.size() > 1 || pinned;
  if (may_change) {
    const auto profile = choose_profile(profiles_, sizes, profile_, pinned);
    if (!profile.ok()) return refuse(profile.error());
    if (*profile != profile_) {
      Status set = context_->set_profile(*profile, stream.handle());
      // The next call may come on another stream.
      if (set.ok()) set = stream.wait();
      if (!set.ok()) return report(set);
      profile_ = *profile;
    }
  }
  return check_bounds(pinned && profiles_.size() > 1);
}

et::Error LoadedEngine::set_shapes(const cuda::Stream& stream, Values values) {
  bool is_dynamic = false;
  for (size_t i = 0; i < ports_.inputs.size(); ++i) {
    const et::Error checked = arguments_.check(i, *values[i]);
    if (checked != et::Error::Ok) return checked;
    if (!ports_.inputs[i].is_dynamic()) continue;
    is_dynamic = true;
    const auto sizes = values[i]->toTensor().sizes();
    slots_[i].sizes.assign(sizes.begin(), sizes.end());
  }
  const et::Error chosen = set_profile(stream);
  if (chosen != et::Error::Ok || !is_dynamic) return chosen;
  for (size_t i = 0; i < ports_.inputs.size(); ++i) {
    if (!ports_.inputs[i].is_dynamic()) continue;
    const Status set = context_->set_shape(ports_.inputs[i].name, slots_[i].sizes);
    if (!set.ok()) return report(set);
  }
  return report(context_->infer_shapes());
}

et::Error LoadedEngine::resize_outputs(Values values) {
  for (size_t i = ports_.inputs.size(); i < values.size(); ++i) {
    const et::Error checked = arguments_.check(i, *values[i]);
    if (checked != et::Error::Ok) return checked;
    const aten::Tensor& tensor = values[i]->toTensor();
    const std::vector<int64_t> sizes = context_->shape(this->tensor(i).name);
    if (std::any_of(sizes.begin(), sizes.end(), [](int64_t size) { return size < 0; })) {
      return refuse(unsupported("the sizes of {} depend on data, which the delegate does not run",
                                arguments_.label(i)));
    }
    // TensorRT shows a single element as [1].
    if (tensor.dim() == 0 && sizes == std::vector<int64_t>{1}) continue;
    const et::Error resized = arguments_.resize(i, tensor, sizes);
    if (resized != et::Error::Ok) return resized;
  }
  return et::Error::Ok;
}

// Of an output in the memory of an input, and of that: where the two are apart, one is copied.
bool LoadedEngine::is_with_its_alias(size_t index, Values values) const {
  const size_t inputs = ports_.inputs.size();
  for (size_t i = 0; i < ports_.aliases.size(); ++i) {
    const auto alias = ports_.aliases[i];
    if (!alias || (*alias != index && inputs + i != index)) continue;
    return values[*alias]->toTensor().const_data_ptr() ==
           values[inputs + i]->toTensor().const_data_ptr();
  }
  return true;
}

et::Error LoadedEngine::locate(size_t index, Values values) {
  const aten::Tensor& tensor = values[index]->toTensor();
  void* data = nullptr;
  const et::Error found = arguments_.find_memory(index, tensor, &data);
  if (found != et::Error::Ok) return found;
  // An output in the memory of an input needs none of its own.
  const bool has_alias = !is_input(index) && ports_.aliases[index - ports_.inputs.size()];
  const Status bound = slots_[index].memory.bind(
      arguments_.label(index), data, tensor.nbytes(), nothing_.address(),
      {.may_be_in_place = is_with_its_alias(index, values), .needs_copy = !has_alias});
  return bound.ok() ? et::Error::Ok : refuse(bound.error());
}

et::Error LoadedEngine::bind(Values values) {
  for (size_t i = 0; i < values.size(); ++i) {
    const et::Error located = locate(i, values);
    if (located != et::Error::Ok) return located;
    const auto alias = is_input(i) ? std::nullopt : ports_.aliases[i - ports_.inputs.size()];
    if (alias && slots_[*alias].memory.bytes() != slots_[i].memory.bytes()) {
      return refuse(invalid_file("{} is in the memory of {}, and of another size",
                                 arguments_.label(i), arguments_.label(*alias)));
    }
    const cuda::Address address = slots_[alias.value_or(i)].memory.address();
    const Status bound = context_->set_address(tensor(i).name, reinterpret_cast<void*>(address));
    if (!bound.ok()) return report(bound);
  }
  return et::Error::Ok;
}

// While it is profiled TensorRT waits for each run, which can't be recorded.
//
// A graph repeats a run with its addresses, those of scratch memory among them. It is of the
// context's shapes, and no longer right once the context has had others.
Status LoadedEngine::enqueue(const cuda::Stream& stream) {
  const auto queue = [&](const cuda::Stream& on) { return context_->enqueue(on.handle()); };
  if (!graphs_ || layer_times_) return queue(stream);
  std::vector<int64_t> shapes = {profile_};
  std::vector<uint64_t> parameters = {scratch_ == nullptr ? 0 : scratch_->memory.address()};
  for (const Argument& slot : slots_) {
    parameters.push_back(slot.memory.address());
    shapes.insert(shapes.end(), slot.sizes.begin(), slot.sizes.end());
  }
  if (shapes != graphs_shapes_) {
    graphs_->clear();
    graphs_shapes_ = std::move(shapes);
  }
  return graphs_->run(parameters, stream, stream_, queue, [&](const Error& error) {
    ET_LOG(Error, "%s: it runs without a CUDA graph: %s", kTitle, error.message().c_str());
  });
}

Status LoadedEngine::queue_all(const cuda::Stream& stream) {
  const size_t inputs = ports_.inputs.size();
  for (size_t i = 0; i < inputs; ++i) SLIPWAY_RETURN_IF_ERROR(slots_[i].memory.upload(stream));
  SLIPWAY_RETURN_IF_ERROR(enqueue(stream));
  for (size_t i = inputs; i < slots_.size(); ++i) {
    cuda::CallMemory& memory = slots_[i].memory;
    cuda::CallMemory& computed = slots_[ports_.aliases[i - inputs].value_or(i)].memory;
    const cuda::Address written = computed.address();
    // An input that an engine writes to has the value, wherever the output is.
    if (&computed != &memory && computed.is_copied_there()) {
      SLIPWAY_RETURN_IF_ERROR(computed.download(written, stream));
    }
    if (memory.is_copied()) {
      SLIPWAY_RETURN_IF_ERROR(memory.download(written, stream));
    } else if (memory.address() != written && memory.bytes() > 0) {
      SLIPWAY_RETURN_IF_ERROR(
          device_->driver().check(device_->driver().call().copy_on_device(
                                      memory.address(), written, memory.bytes(), stream.handle()),
                                  [&] { return arguments_.label(i) + " does not get its value"; }));
    }
  }
  return {};
}

// Outputs in the memory of inputs may be left out: the inputs are these, too.
std::vector<et::EValue*> LoadedEngine::with_aliases(Values values) const {
  std::vector<et::EValue*> whole(values.begin(), values.end());
  const size_t aliased =
      ports_.aliases.size() -
      static_cast<size_t>(std::count(ports_.aliases.begin(), ports_.aliases.end(), std::nullopt));
  if (aliased == 0 || values.size() + aliased != arguments_.count()) return whole;
  for (size_t i = 0; i < ports_.aliases.size(); ++i) {
    if (!ports_.aliases[i]) continue;
    whole.insert(whole.begin() + static_cast<ptrdiff_t>(ports_.inputs.size() + i),
                 values[*ports_.aliases[i]]);
  }
  return whole;
}

// Where a budget could be neither changed nor given back, there is no context; one that is profiled
// is not for runs that are not.
Status LoadedEngine::prepare_context(bool is_profiled) {
  if (layer_times_ && !is_profiled) drop_context();
  if (!context_) SLIPWAY_RETURN_IF_ERROR(make_context());
  if (!is_profiled) return {};
  if (!layer_times_) {
    layer_times_.emplace();
    context_->set_profiler(*layer_times_);
  }
  layer_times_->clear();
  return {};
}

et::Error LoadedEngine::run(Values given, et::EventTracer* tracer) {
  std::vector<et::EValue*> whole = with_aliases(given);
  const Values values(whole.data(), whole.size());
  const et::Error counted = arguments_.check_count(values.size());
  if (counted != et::Error::Ok) return counted;
  const auto held = hold();
  const auto current = device_->make_current();
  if (!current.ok()) return refuse(current.error());
  const Status prepared = prepare_context(tracer != nullptr);
  if (!prepared.ok()) return refuse(prepared.error());
  const et::Error error = run_here(values);
  if (error != et::Error::Ok || tracer == nullptr) return error;
  for (const LayerTimes::Layer& layer : layer_times_->layers()) {
    delegate::tell_layer(*tracer, layer.name, "", layer.duration);
  }
  return et::Error::Ok;
}

// After prepare_context().
et::Error LoadedEngine::run_here(Values values) {
  const auto scratch = take_scratch();
  if (!scratch.ok()) return refuse(with_memory(scratch.error(), *device_));
  // Those of other programs would work in its scratch memory before its work is done.
  QueuedRun* const queue = shares_scratch_ ? nullptr : cuda::caller_queue();
  std::optional<void*> chosen = cuda::caller_stream();
  if (queue != nullptr && queue->stream()) chosen = queue->stream();
  if (queue == nullptr && !chosen) return run_on(stream_, values);
  auto stream = cuda::Stream::borrow(device_, chosen.value_or(stream_.handle()));
  if (!stream.ok()) return refuse(stream.error());
  return queue == nullptr ? run_on(*stream, values) : leave(*queue, *std::move(stream), values);
}

et::Error LoadedEngine::run_on(const cuda::Stream& stream, Values values) {
  const et::Error queued = queue_on(stream, values);
  if (queued != et::Error::Ok) return queued;
  const Status done = stream.wait();
  return done.ok() ? collect(stream) : report(done);
}

et::Error LoadedEngine::queue_on(const cuda::Stream& stream, Values values) {
  const et::Error shaped = set_shapes(stream, values);
  if (shaped != et::Error::Ok) return shaped;
  for (const auto step : {&LoadedEngine::resize_outputs, &LoadedEngine::bind}) {
    const et::Error error = (this->*step)(values);
    if (error != et::Error::Ok) return error;
  }
  Status queued;
  try {
    queued = queue_all(stream);
  } catch (...) {
    (void)stream.wait();
    throw;
  }
  if (queued.ok()) return et::Error::Ok;
  // What was queued uses memory that the next call will.
  (void)stream.wait();
  return report(queued);
}

et::Error LoadedEngine::collect(const cuda::Stream& stream) {
  for (size_t i = ports_.inputs.size(); i < slots_.size(); ++i) {
    const Status got = slots_[i].memory.finish(stream);
    if (!got.ok()) return report(got);
  }
  return et::Error::Ok;
}

class LoadedEngine::Queued final : public QueuedWork {
 public:
  Queued(LoadedEngine& engine, cuda::Stream stream, std::shared_ptr<cuda::Event> event)
      : engine_(engine), stream_(std::move(stream)), event_(std::move(event)) {}

  bool is_done() const override { return event_->is_done(); }
  int finish() override {
    const auto held = std::unique_lock(engine_.mutex_);
    const auto current = engine_.device_->make_current();
    if (!current.ok()) return static_cast<int>(refuse(current.error()));
    const Status done = event_->wait();
    return static_cast<int>(done.ok() ? engine_.collect(stream_) : engine_.report(done));
  }

 private:
  LoadedEngine& engine_;
  cuda::Stream stream_;
  std::shared_ptr<cuda::Event> event_;
};

et::Error LoadedEngine::leave(QueuedRun& run, cuda::Stream stream, Values values) {
  auto event = cuda::Event::create(device_);
  if (!event.ok()) return refuse(event.error());
  const et::Error queued = queue_on(stream, values);
  if (queued != et::Error::Ok) return queued;
  if (const Status recorded = event->record(stream); !recorded.ok()) {
    (void)stream.wait();
    return report(recorded);
  }
  void* const handle = stream.handle();
  auto shared = std::make_shared<cuda::Event>(*std::move(event));
  queued_ = shared;
  run.add(std::make_unique<Queued>(*this, std::move(stream), std::move(shared)), handle);
  return et::Error::Ok;
}

}  // namespace slipway::tensorrt
