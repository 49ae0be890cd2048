#include "runtime/worker.h"

#include <cstdio>
#include <optional>

#include "base/child_process.h"
#include "base/error.h"
#include "base/guard.h"
#include "base/shared_library.h"
#include "base/try.h"
#include "runtime/data_file.h"
#include "runtime/module_impl.h"
#include "runtime/platform.h"
#include "runtime/worker_messages.h"
#include "slipway/version.h"

namespace slipway::runtime {
namespace {

Error unreadable() { return internal_error("the worker can't read what it is asked"); }

Result<OwnedSpan> map(const Descriptor& file, const std::string& name) {
  SLIPWAY_ASSIGN_OR_RETURN(auto mapped, MappedFile::map(file.number(), name));
  const auto bytes = mapped->bytes();
  return OwnedSpan{bytes, std::move(mapped)};
}

// What is said in answer, and the descriptor that goes with it.
struct Answer {
  MessageWriter message;
  int descriptor = -1;
};

class Worker {
 public:
  Result<Answer> answer(Message& message);
  std::vector<std::string> take_warnings() { return std::exchange(warnings_, {}); }

 private:
  // What this process and the other one share for a method. State is there once it was asked for:
  // from then on the other process may change it between runs.
  struct Memory {
    std::shared_ptr<SharedMemory> inputs;
    std::shared_ptr<SharedMemory> outputs;
    std::shared_ptr<SharedMemory> state;
    std::vector<Value> shared_state;
  };

  Status open(MessageReader& message, std::vector<Descriptor>& descriptors);
  Result<Answer> run(size_t method, MessageReader& message, std::vector<Descriptor>& descriptors);
  Result<Answer> state(size_t method);
  enum class Direction : uint8_t { kIn, kOut };
  Status copy_state(Direction direction);

  std::unique_ptr<Module::Impl> module_;
  std::vector<Memory> memory_;
  std::vector<std::string> warnings_;  // that the parent was not told yet
};

Status Worker::open(MessageReader& message, std::vector<Descriptor>& descriptors) {
  if (message.text() != worker_version()) {
    return unavailable("libexec/slipway/{} is of another version of Slipway", kWorker);
  }
  const std::string name(message.text());
  LoadOptions options;
  options.trust = message.number<uint8_t>() != 0;
  if (const auto limit = message.number<int64_t>(); limit >= 0) {
    options.time_limit = std::chrono::milliseconds(limit);
  }
  options.memory_limit = message.number<uint64_t>();
  if (const auto threads = message.number<uint32_t>(); threads > 0) {
    options.engine_threads = threads;
    SLIPWAY_RETURN_IF_ERROR(set_thread_count(threads));
  }
  if (const auto hint = message.number<int32_t>(); hint >= 0) {
    options.performance_hint = static_cast<PerformanceHint>(hint);
  }
  options.device = message.text();
  read_budgets(message, options);
  options.share_engines = message.choice();
  options.share_scratch = message.number<uint8_t>() != 0;
  options.cuda_graphs = message.choice();
  options.require_same_environment = message.number<uint8_t>() != 0;
  options.on_warning = [this](const std::string& warning) { warnings_.push_back(warning); };
  if (!message.ok() || descriptors.empty() || descriptors.size() > 2) return unreadable();
  SLIPWAY_ASSIGN_OR_RETURN(OwnedSpan bytes, map(descriptors[0], name));
  SLIPWAY_ASSIGN_OR_RETURN(pte::File file,
                           pte::File::read(std::move(bytes), name, {.trust = options.trust}));
  std::optional<ptd::DataFile> data;
  if (descriptors.size() == 2) {
    const std::string data_name = "the data file of " + name;
    SLIPWAY_ASSIGN_OR_RETURN(OwnedSpan data_bytes, map(descriptors[1], data_name));
    SLIPWAY_ASSIGN_OR_RETURN(data, read_data_file(std::move(data_bytes), data_name, file));
  }
  SLIPWAY_ASSIGN_OR_RETURN(module_, open_here(std::move(file), std::move(data), options));
  memory_.resize(module_->methods().size());
  return {};
}

// Between the module's own memory and what is shared with the other process, of all methods whose
// state that has, because they may have state in common.
Status Worker::copy_state(Direction direction) {
  std::vector<std::pair<Tensor, Tensor>> changed;  // here and there
  for (size_t method = 0; method < memory_.size(); ++method) {
    if (memory_[method].state == nullptr) continue;
    const auto& shared = memory_[method].shared_state;
    SLIPWAY_ASSIGN_OR_RETURN(const auto own, module_->state(method));
    for (size_t i = 0; i < own.size() && i < shared.size(); ++i) {
      const Tensor& here = own[i].second;
      const auto& there = std::get<Tensor>(shared[i]);
      const size_t size = here.nbytes();
      if (size == 0 || std::memcmp(here.data(), there.data(), size) == 0) continue;
      changed.emplace_back(here, there);
    }
  }
  // Only now: the other methods' tensors still have what one of them replaces.
  for (auto& [here, there] : changed) {
    if (direction == Direction::kOut) std::swap(here, there);
    std::memcpy(here.data(), there.data(), there.nbytes());
  }
  return {};
}

Result<Answer> Worker::run(size_t method, MessageReader& message,
                           std::vector<Descriptor>& descriptors) {
  Memory& memory = memory_[method];
  if (!descriptors.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(memory.inputs, SharedMemory::open(std::move(descriptors.front())));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const auto inputs, read_values(message, memory.inputs));
  SLIPWAY_RETURN_IF_ERROR(copy_state(Direction::kIn));
  const auto outputs = module_->run(method, inputs);
  const Status copied = copy_state(Direction::kOut);
  if (!outputs.ok()) return outputs.error();
  if (!copied.ok()) return copied.error();
  SLIPWAY_ASSIGN_OR_RETURN(const uint64_t size, shared_size(*outputs));
  Answer answer;
  if (memory.outputs == nullptr || memory.outputs->bytes().size() < size) {
    SLIPWAY_ASSIGN_OR_RETURN(memory.outputs, SharedMemory::create(size));
    answer.descriptor = memory.outputs->descriptor().number();
  }
  write_values(answer.message, *outputs, memory.outputs->bytes());
  return answer;
}

Result<Answer> Worker::state(size_t method) {
  Memory& memory = memory_[method];
  Answer answer;
  if (memory.state == nullptr) {
    SLIPWAY_ASSIGN_OR_RETURN(auto own, module_->state(method));
    for (auto& [name, tensor] : own) memory.shared_state.emplace_back(tensor);
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t size, shared_size(memory.shared_state));
    SLIPWAY_ASSIGN_OR_RETURN(memory.state, SharedMemory::create(size));
    answer.descriptor = memory.state->descriptor().number();
    MessageWriter places;
    write_values(places, memory.shared_state, memory.state->bytes());
    MessageReader reader(places.bytes());
    SLIPWAY_ASSIGN_OR_RETURN(memory.shared_state, read_values(reader, memory.state));
  }
  write_values(answer.message, memory.shared_state, memory.state->bytes());
  SLIPWAY_ASSIGN_OR_RETURN(const auto own, module_->state(method));
  for (const auto& [name, tensor] : own) answer.message.text(name);
  return answer;
}

Result<Answer> Worker::answer(Message& message) {
  MessageReader reader(message.bytes);
  if (message.kind == kOpen) {
    SLIPWAY_RETURN_IF_ERROR(open(reader, message.descriptors));
    return Answer();
  }
  const auto method = reader.number<uint64_t>();
  if (!reader.ok() || module_ == nullptr || method >= memory_.size()) return unreadable();
  switch (message.kind) {
    case kPrepare:
      SLIPWAY_RETURN_IF_ERROR(module_->prepare(method));
      return Answer();
    case kRun:
      return run(method, reader, message.descriptors);
    case kState:
      return state(method);
    case kResetState:
      SLIPWAY_RETURN_IF_ERROR(module_->reset_state(method));
      SLIPWAY_RETURN_IF_ERROR(copy_state(Direction::kOut));
      return Answer();
    case kBudget: {
      LoadOptions change;
      read_budgets(reader, change);
      if (!reader.ok()) return unreadable();
      SLIPWAY_ASSIGN_OR_RETURN(const uint64_t in_force, module_->weight_budget(method, change));
      Answer answer;
      answer.message.number(in_force);
      return answer;
    }
    default:
      return unreadable();
  }
}

int serve(Channel& channel) {
  Worker worker;
  while (true) {
    auto message = channel.receive(kMostMessage);
    if (!message.ok()) return 1;
    if (!*message) return 0;
    const auto answer = guarded("a module", [&] { return worker.answer(**message); });
    Status sent;
    for (const std::string& text : worker.take_warnings()) {
      MessageWriter warning;
      warning.text(text);
      sent = channel.send(kWarning, warning.bytes());
      if (!sent.ok()) return 1;
    }
    if (answer.ok()) {
      std::vector<int> descriptors;
      if (answer->descriptor >= 0) descriptors.push_back(answer->descriptor);
      sent = channel.send(kDone, answer->message.bytes(), descriptors);
    } else {
      MessageWriter failure;
      failure.number(static_cast<uint32_t>(answer.error().code()));
      failure.text(answer.error().message());
      sent = channel.send(kFailure, failure.bytes());
    }
    if (!sent.ok()) return 1;
  }
}

}  // namespace

std::string worker_version() { return std::string("slipway-worker ") + version() + ", protocol 4"; }

int run_worker(int argc, char** argv) {
  constexpr int kWrongUse = 2;
  if (argc != 3) {
    std::fputs("this program is started by what runs modules, not by hand\n", stderr);
    return kWrongUse;
  }
  auto parent = Channel::to_parent(Channel::Until::kClosed);
  if (!parent.ok()) {
    std::fprintf(stderr, "%s\n", parent.error().message().c_str());
    return kWrongUse;
  }
  open_libraries_for(argv[1], argv[2]);
  return serve(*parent);
}

}  // namespace slipway::runtime
