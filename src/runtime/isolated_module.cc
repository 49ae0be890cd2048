#include <algorithm>
#include <csignal>
#include <map>
#include <mutex>
#include <optional>

#include "base/error.h"
#include "base/shared_library.h"
#include "base/shared_memory.h"
#include "base/try.h"
#include "runtime/memory.h"
#include "runtime/module_impl.h"
#include "runtime/worker.h"
#include "runtime/worker_messages.h"

namespace slipway::runtime {
namespace {

// How much longer than the time limit the process may take before it is ended: it stops by itself
// first where it can, and says where.
constexpr std::chrono::milliseconds kGrace(2'000);

bool is_mutated(const ValueInfo& info) {
  return info.tensor() != nullptr && info.tensor()->mutated;
}

class IsolatedModule final : public Module::Impl {
 public:
  IsolatedModule(pte::File checked, const LoadOptions& options, Descriptors descriptors)
      : Impl(std::move(checked), options), descriptors_(std::move(descriptors)) {}

  Status open() {
    SLIPWAY_RETURN_IF_ERROR(read_signatures());
    memory_.resize(methods().size());
    return start();
  }

  Status prepare(size_t method) override {
    SLIPWAY_RETURN_IF_ERROR(ask(kPrepare, about(method)));
    return {};
  }
  Result<std::vector<Value>> run(size_t method, std::span<const Value> inputs) override;
  Result<std::vector<std::pair<std::string, Tensor>>> state(size_t method) override;
  Status reset_state(size_t method) override {
    SLIPWAY_RETURN_IF_ERROR(ask(kResetState, about(method)));
    return {};
  }
  Status set_output(size_t /*method*/, size_t /*output*/, std::optional<Tensor> memory) override {
    if (!memory) return {};
    return unsupported(
        "{} runs in a process of its own, which has other memory: load it without option "
        "'isolate' to say where outputs are to be",
        file().name());
  }
  Result<Device> input_device(size_t /*method*/, size_t /*input*/) override { return Device(); }
  Result<Device> output_device(size_t /*method*/, size_t /*output*/) override { return Device(); }
  Result<uint64_t> weight_budget(size_t method, const LoadOptions& change) override;

 private:
  // What this process and the other one share for a method.
  struct Memory {
    std::shared_ptr<SharedMemory> inputs;
    std::shared_ptr<SharedMemory> outputs;
    std::shared_ptr<SharedMemory> state;
  };

  static MessageWriter about(size_t method) {
    MessageWriter message;
    message.number<uint64_t>(method);
    return message;
  }
  Status start();
  // Starts the process where it does not run.
  Result<Message> ask(MessageKind kind, const MessageWriter& request,
                      std::span<const int> descriptors = {});
  Result<Message> converse(MessageKind kind, const MessageWriter& request,
                           std::span<const int> descriptors);
  void interrupt() override {
    const std::lock_guard<std::mutex> lock(child_mutex_);
    if (is_running_ && child_) child_->signal_end();
  }
  void set_running(bool is_running) {
    const std::lock_guard<std::mutex> lock(child_mutex_);
    is_running_ = is_running;
  }
  Result<std::vector<Value>> run_here(size_t method, std::span<const Value> inputs);
  Error stopped() const { return cancelled("{} was cancelled (Method::cancel)", file().name()); }
  // The process no longer talks, or did not in time.
  Error lost(bool is_late = false);
  Status check_inputs(size_t method, std::span<const Value> inputs);
  Status check_outputs(size_t method, const std::vector<Value>& outputs);

  const Descriptors descriptors_;
  std::vector<Memory> memory_;  // of each method
  // Another thread may end the process while a run goes on, so that what this thread changes of
  // these, it changes with the mutex.
  std::mutex child_mutex_;
  bool is_running_ = false;
  std::optional<ChildProcess> child_;
};

Status IsolatedModule::start() {
  const std::string program = find_program(kWorker);
  if (program.empty()) {
    return not_found(
        "the program libexec/slipway/{} is not here, in which a module runs that is isolated: it "
        "is "
        "installed with Slipway, in the folder beside bin/ and lib/",
        kWorker);
  }
  SLIPWAY_ASSIGN_OR_RETURN(auto child,
                           ChildProcess::spawn(program, {executorch_folder(), program_folder()}));
  {
    const std::lock_guard<std::mutex> lock(child_mutex_);
    child_ = std::move(child);
  }
  MessageWriter message;
  message.text(worker_version());
  message.text(file().name());
  message.number<uint8_t>(options().trust);
  message.number<int64_t>(options().time_limit ? options().time_limit->count() : -1);
  message.number<uint64_t>(memory_limit(options()));
  message.number<uint32_t>(options().engine_threads.value_or(0));
  message.number<int32_t>(
      options().performance_hint ? static_cast<int32_t>(*options().performance_hint) : -1);
  message.text(options().device);
  write_budgets(message, options());
  message.choice(options().share_engines);
  message.number<uint8_t>(options().share_scratch);
  message.choice(options().cuda_graphs);
  message.number<uint8_t>(options().require_same_environment);
  std::vector<int> descriptors = {descriptors_.program.number()};
  if (descriptors_.data) descriptors.push_back(descriptors_.data->number());
  const auto opened = converse(kOpen, message, descriptors);
  if (!opened.ok()) {
    const std::lock_guard<std::mutex> lock(child_mutex_);
    child_.reset();
    return opened.error();
  }
  return {};
}

Result<Message> IsolatedModule::ask(MessageKind kind, const MessageWriter& request,
                                    std::span<const int> descriptors) {
  if (!child_) SLIPWAY_RETURN_IF_ERROR(start());
  return converse(kind, request, descriptors);
}

Result<Message> IsolatedModule::converse(MessageKind kind, const MessageWriter& request,
                                         std::span<const int> descriptors) {
  Timeout timeout;
  if (options().time_limit) timeout = *options().time_limit + kGrace;
  Channel& channel = child_->channel();
  if (!channel.send(kind, request.bytes(), descriptors, timeout).ok()) return lost();
  auto answer = channel.receive(kMostMessage, timeout);
  while (answer.ok() && *answer && (*answer)->kind == kWarning) {
    MessageReader reader((*answer)->bytes);
    const std::string warning(reader.text());
    if (options().on_warning) options().on_warning(warning);
    answer = channel.receive(kMostMessage, timeout);
  }
  if (!answer.ok() && answer.error().code() == ErrorCode::kUnavailable) {
    return lost(/*is_late=*/true);
  }
  if (!answer.ok() || !*answer) return lost();
  Message& message = **answer;
  if (message.kind == kDone) return std::move(message);
  MessageReader reader(message.bytes);
  const auto code = reader.number<uint32_t>();
  const std::string_view text = reader.text();
  if (message.kind != kFailure || !reader.ok() ||
      code > static_cast<uint32_t>(ErrorCode::kCancelled)) {
    return lost();
  }
  return Error(static_cast<ErrorCode>(code), std::string(text));
}

Error IsolatedModule::lost(bool is_late) {
  // One that answers with nonsense goes on, and one that crashed may have much memory to give back.
  constexpr std::chrono::milliseconds kEnd(5'000);
  const auto ended = [&]() -> Result<Exit> {
    const std::lock_guard<std::mutex> lock(child_mutex_);
    auto exit = is_late ? Result<Exit>(Exit()) : child_->wait(kEnd);
    child_.reset();
    return exit;
  }();
  std::fill(memory_.begin(), memory_.end(), Memory());
  if (is_running_ && is_cancelled()) return stopped();
  if (is_late) {
    return resource_exhausted(
        "{}: the process that ran it was ended {} ms after its time limit of {} ms: give it a "
        "longer one (option 'time_limit') if it is meant to run longer",
        file().name(), kGrace.count(), options().time_limit->count());
  }
  if (!ended.ok()) return ended.error().with_context(file().name());
  const std::string what =
      fmt::format("{}: the process that ran it {}", file().name(), ended->text());
  if (ended->kind == Exit::Kind::kSignal && ended->number == SIGKILL) {
    return resource_exhausted("{}, as the system does where memory is short", what);
  }
  if (ended->kind == Exit::Kind::kSignal && ended->number == SIGBUS) {
    return io_error("{}: the file has become shorter, or memory is short", what);
  }
  return invalid_file("{}: a kernel or an engine crashed, as they do on damaged data", what);
}

// As LoadedMethod has it: what is written to is nothing else's memory.
Status IsolatedModule::check_inputs(size_t method, std::span<const Value> inputs) {
  const auto& infos = methods()[method].signature.inputs();
  std::vector<std::pair<const std::byte*, const std::byte*>> written;
  for (size_t i = 0; i < infos.size() && i < inputs.size(); ++i) {
    const auto* tensor = std::get_if<Tensor>(&inputs[i]);
    if (tensor != nullptr && !tensor->device().is_cpu()) {
      return invalid_argument(
          "{}: input {} '{}' is in the memory of {}, and the module runs in a process of its own: "
          "load it without option 'isolate'",
          file().name(), i, infos[i].name, format_device(tensor->device()));
    }
    if (tensor == nullptr || !is_mutated(infos[i]) || tensor->nbytes() == 0) continue;
    const auto bytes = tensor->bytes();
    for (const auto& [begin, end] : written) {
      if (bytes.data() < end && begin < bytes.data() + bytes.size()) {
        return invalid_argument(
            "{}: input {} '{}' is written to by the program, but lies in the memory of another "
            "input "
            "that is: give a copy of it",
            file().name(), i, infos[i].name);
      }
    }
    written.emplace_back(bytes.data(), bytes.data() + bytes.size());
  }
  return {};
}

Status IsolatedModule::check_outputs(size_t method, const std::vector<Value>& outputs) {
  const auto& expected = methods()[method].signature.outputs();
  bool fit = outputs.size() == expected.size();
  for (size_t i = 0; fit && i < outputs.size(); ++i) {
    const auto* tensor = std::get_if<Tensor>(&outputs[i]);
    const TensorInfo* info = expected[i].tensor();
    fit = (tensor != nullptr) == (info != nullptr) &&
          (tensor == nullptr || tensor->dtype() == info->dtype);
  }
  if (fit) return {};
  return invalid_file("{}: the process that ran it gives other outputs than the file has",
                      file().name());
}

Result<std::vector<Value>> IsolatedModule::run(size_t method, std::span<const Value> inputs) {
  set_running(true);
  auto outputs = run_here(method, inputs);
  set_running(false);
  return outputs;
}

Result<std::vector<Value>> IsolatedModule::run_here(size_t method, std::span<const Value> inputs) {
  SLIPWAY_RETURN_IF_ERROR(check_inputs(method, inputs));
  // Before memory is shared, of which a new process has none.
  if (!child_) SLIPWAY_RETURN_IF_ERROR(start());
  if (is_cancelled()) return stopped();
  std::vector<int> descriptors;
  SLIPWAY_ASSIGN_OR_RETURN(const uint64_t size, shared_size(inputs));
  auto& memory = memory_[method];
  if (memory.inputs == nullptr || memory.inputs->bytes().size() < size) {
    SLIPWAY_ASSIGN_OR_RETURN(memory.inputs, SharedMemory::create(size));
    descriptors.push_back(memory.inputs->descriptor().number());
  }
  const auto given = memory.inputs;
  MessageWriter request = about(method);
  write_values(request, inputs, given->bytes());
  SLIPWAY_ASSIGN_OR_RETURN(Message answer, ask(kRun, request, descriptors));
  if (!answer.descriptors.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(memory.outputs,
                             SharedMemory::open(std::move(answer.descriptors.front())));
  }
  MessageReader reader(answer.bytes);
  SLIPWAY_ASSIGN_OR_RETURN(auto outputs, read_values(reader, memory.outputs));
  SLIPWAY_RETURN_IF_ERROR(check_outputs(method, outputs));
  MessageReader sent(request.bytes());
  sent.number<uint64_t>();
  SLIPWAY_ASSIGN_OR_RETURN(const auto written, read_values(sent, given));
  const auto& infos = methods()[method].signature.inputs();
  for (size_t i = 0; i < infos.size(); ++i) {
    if (!is_mutated(infos[i])) continue;
    auto target = std::get<Tensor>(inputs[i]);
    const auto bytes = std::get<Tensor>(written[i]).bytes();
    if (!bytes.empty()) std::memcpy(target.data(), bytes.data(), bytes.size());
  }
  return outputs;
}

Result<std::vector<std::pair<std::string, Tensor>>> IsolatedModule::state(size_t method) {
  SLIPWAY_ASSIGN_OR_RETURN(Message answer, ask(kState, about(method)));
  auto& memory = memory_[method];
  if (!answer.descriptors.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(memory.state,
                             SharedMemory::open(std::move(answer.descriptors.front())));
  }
  MessageReader reader(answer.bytes);
  SLIPWAY_ASSIGN_OR_RETURN(auto buffers, read_values(reader, memory.state));
  std::vector<std::pair<std::string, Tensor>> state;
  for (Value& buffer : buffers) {
    auto* tensor = std::get_if<Tensor>(&buffer);
    const std::string_view name = reader.text();
    if (tensor == nullptr || !reader.ok()) return lost();
    state.emplace_back(name, std::move(*tensor));
  }
  return state;
}

Result<uint64_t> IsolatedModule::weight_budget(size_t method, const LoadOptions& change) {
  MessageWriter request = about(method);
  write_budgets(request, change);
  SLIPWAY_ASSIGN_OR_RETURN(const Message answer, ask(kBudget, request));
  MessageReader reader(answer.bytes);
  const auto in_force = reader.number<uint64_t>();
  if (!reader.ok()) return lost();
  return in_force;
}

}  // namespace

Result<std::unique_ptr<Module::Impl>> open_isolated(pte::File file, Descriptors descriptors,
                                                    const LoadOptions& options) {
  auto module = std::make_unique<IsolatedModule>(std::move(file), options, std::move(descriptors));
  SLIPWAY_RETURN_IF_ERROR(module->open());
  return std::unique_ptr<Module::Impl>(std::move(module));
}

}  // namespace slipway::runtime
