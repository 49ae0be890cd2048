#include "slipway/module.h"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <future>

#include "base/error.h"
#include "base/file_reader.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/shared_memory.h"
#include "base/try.h"
#include "runtime/caller_choices.h"
#include "runtime/data_file.h"
#include "runtime/module_impl.h"
#include "runtime/plan.h"
#include "runtime/platform.h"

namespace slipway {
namespace {

Error moved_from() {
  return invalid_argument("this Module holds no program any more, since it was moved from");
}

// A file's bytes, and what another process has them by, where the module runs in one.
struct Opened {
  OwnedSpan bytes;
  Descriptor file;
};

Result<OwnedSpan> map(int file, const std::string& name) {
  SLIPWAY_ASSIGN_OR_RETURN(auto mapped, MappedFile::map(file, name));
  const auto bytes = mapped->bytes();
  return OwnedSpan{bytes, std::move(mapped)};
}

// Of bytes in memory.
Result<Opened> hold(OwnedSpan bytes, const LoadOptions& options) {
  if (!options.isolate) return Opened{std::move(bytes), {}};
  SLIPWAY_ASSIGN_OR_RETURN(const auto memory, SharedMemory::create(bytes.bytes.size()));
  SLIPWAY_RETURN_IF_ERROR(write_at(memory->descriptor().number(), bytes.bytes, 0, "shared memory"));
  Opened opened;
  opened.file = Descriptor(::fcntl(memory->descriptor().number(), F_DUPFD_CLOEXEC, 3));
  SLIPWAY_ASSIGN_OR_RETURN(opened.bytes, map(opened.file.number(), "shared memory"));
  return opened;
}

Result<Opened> open(const std::string& path, const LoadOptions& options) {
  if (options.copy) {
    SLIPWAY_ASSIGN_OR_RETURN(OwnedSpan bytes, read_file(path));
    return hold(std::move(bytes), options);
  }
  Opened opened;
  opened.file = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (opened.file.number() < 0) return errno_error(errno, path + ": cannot be opened");
  SLIPWAY_ASSIGN_OR_RETURN(opened.bytes, map(opened.file.number(), path));
  return opened;
}

// `path` is where its data file is looked for.
Result<std::unique_ptr<Module::Impl>> open_module(Opened program, const std::string& name,
                                                  const std::string& path,
                                                  const LoadOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(
      pte::File file, pte::File::read(std::move(program.bytes), name, {.trust = options.trust}));
  if (options.isolate && options.on_profile) {
    return invalid_argument(
        "{}: runs in a process of its own are not profiled: leave out option 'isolate'", name);
  }
  if (options.verify_checksums) SLIPWAY_RETURN_IF_ERROR(file.verify_checksums());
  runtime::Descriptors descriptors = {std::move(program.file), std::nullopt};
  std::optional<ptd::DataFile> data;
  SLIPWAY_ASSIGN_OR_RETURN(const std::string data_path,
                           runtime::find_data_file(file, path, options.data_file));
  if (!data_path.empty()) {
    auto opened = open(data_path, options);
    if (!opened.ok()) {
      return runtime::missing_data_file(file, opened.error(),
                                        ", or say where it is (option 'data_file')");
    }
    descriptors.data = std::move(opened->file);
    SLIPWAY_ASSIGN_OR_RETURN(data,
                             runtime::read_data_file(std::move(opened->bytes), data_path, file));
  }
  return options.isolate ? runtime::open_isolated(std::move(file), std::move(descriptors), options)
                         : runtime::open_here(std::move(file), std::move(data), options);
}

// Warnings go to the log, too.
LoadOptions with_log(LoadOptions options) {
  if (!is_logged(LogLevel::kError)) return options;
  options.on_warning = logged(LogLevel::kWarning, "", std::move(options.on_warning));
  return options;
}

Status check_idle(const Module::Impl& module) {
  if (!module.is_running) return {};
  return invalid_argument(
      "{} is running (Method::run_async): wait for that first (PendingRun::wait)",
      module.file().name());
}

}  // namespace

uint32_t kernel_threads() { return runtime::thread_count(); }

Status set_kernel_threads(uint32_t count) { return runtime::set_thread_count(count); }

Status Module::Impl::read_signatures() {
  for (const std::string& name : runtime::method_names(file_)) {
    SLIPWAY_ASSIGN_OR_RETURN(auto signature, runtime::Signature::create(file_, name));
    methods_.push_back({name, std::move(signature)});
  }
  return {};
}

Result<size_t> Module::Impl::find(const std::string& name) const {
  std::string names;
  for (size_t i = 0; i < methods_.size(); ++i) {
    if (methods_[i].name == name) return i;
    names += (names.empty() ? "" : ", ") + methods_[i].name;
  }
  return not_found("{} has no method '{}'; it has {}", file_.name(), name, names);
}

Module::Module(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Module::Module(Module&&) noexcept = default;
Module& Module::operator=(Module&&) noexcept = default;
Module::~Module() = default;

Result<Module> Module::load(const std::string& path, const LoadOptions& options) {
  return guarded(path, [&]() -> Result<Module> {
    SLIPWAY_ASSIGN_OR_RETURN(Opened program, open(path, options));
    SLIPWAY_ASSIGN_OR_RETURN(auto impl,
                             open_module(std::move(program), path, path, with_log(options)));
    log(LogLevel::kInfo, "{}: loaded", path);
    return Module(std::move(impl));
  });
}

Result<Module> Module::load(std::vector<std::byte> bytes, const std::string& name,
                            const LoadOptions& options) {
  return guarded(name, [&]() -> Result<Module> {
    SLIPWAY_ASSIGN_OR_RETURN(Opened program, hold(own_bytes(std::move(bytes)), options));
    SLIPWAY_ASSIGN_OR_RETURN(auto impl,
                             open_module(std::move(program), name, "", with_log(options)));
    log(LogLevel::kInfo, "{}: loaded", name);
    return Module(std::move(impl));
  });
}

struct PendingRun::Progress {
  std::atomic<bool> is_done{false};
  std::unique_ptr<runtime::QueuedCall> call;  // null where a thread runs it
};

struct PendingRun::State {
  ~State() {
    if (result.valid()) result.wait();
    if (progress->call != nullptr && !progress->is_done) static_cast<void>(finish());
    module->is_running = false;
  }
  Result<std::vector<Value>> finish() {
    if (progress->call == nullptr) return result.get();
    auto outputs = guarded(module->file().name(), [&] { return progress->call->finish(); });
    progress->is_done = true;
    return outputs;
  }

  std::shared_ptr<Module::Impl> module;
  std::shared_ptr<Progress> progress;
  std::future<Result<std::vector<Value>>> result;  // of the thread; invalid once it was given
};

PendingRun::PendingRun(std::unique_ptr<State> state, std::shared_ptr<Progress> progress)
    : state_(std::move(state)), progress_(std::move(progress)) {}
PendingRun::PendingRun(PendingRun&&) noexcept = default;
PendingRun& PendingRun::operator=(PendingRun&&) noexcept = default;
PendingRun::~PendingRun() = default;

bool PendingRun::is_done() const {
  if (progress_ == nullptr || progress_->is_done) return true;
  return progress_->call != nullptr && progress_->call->is_done();
}

Result<std::vector<Value>> PendingRun::wait() {
  if (state_ == nullptr) return invalid_argument("this run was waited for already");
  Result<std::vector<Value>> result = state_->finish();
  state_.reset();
  return result;
}

std::vector<std::string> Module::method_names() const {
  std::vector<std::string> names;
  if (impl_ == nullptr) return names;
  for (const Impl::Entry& method : impl_->methods()) names.push_back(method.name);
  return names;
}

Result<Method> Module::method(const std::string& name) const {
  if (impl_ == nullptr) return moved_from();
  SLIPWAY_ASSIGN_OR_RETURN(const size_t index, impl_->find(name));
  return Method(impl_, index);
}

Result<Method> Module::method() const {
  if (impl_ == nullptr) return moved_from();
  if (impl_->methods().size() == 1) return Method(impl_, 0);
  return method("forward");
}

const std::string& Method::name() const { return module_->methods()[index_].name; }

const std::vector<ValueInfo>& Method::inputs() const {
  return module_->methods()[index_].signature.inputs();
}

const std::vector<ValueInfo>& Method::outputs() const {
  return module_->methods()[index_].signature.outputs();
}

const Tree& Method::input_tree() const { return module_->methods()[index_].signature.input_tree(); }

const Tree& Method::output_tree() const {
  return module_->methods()[index_].signature.output_tree();
}

std::vector<std::vector<int64_t>> Method::example_sizes() const {
  return *module_->methods()[index_].signature.example_sizes({});
}

Result<std::vector<std::vector<int64_t>>> Method::example_sizes(
    const std::map<std::string, int64_t>& sizes) const {
  return module_->methods()[index_].signature.example_sizes(sizes);
}

Status Method::prepare() const {
  SLIPWAY_RETURN_IF_ERROR(check_idle(*module_));
  return module_->prepare(index_);
}

Result<std::vector<Value>> Method::run(std::span<const Value> inputs) const {
  SLIPWAY_RETURN_IF_ERROR(check_idle(*module_));
  module_->allow_runs();
  log(LogLevel::kDebug, "{} of {}: a run begins", name(), module_->file().name());
  return module_->run(index_, inputs);
}

Result<std::vector<Value>> Method::run(std::initializer_list<Value> inputs) const {
  return run(std::span<const Value>(inputs.begin(), inputs.size()));
}

Result<std::vector<Value>> Method::run(const std::map<std::string, Value>& inputs) const {
  const runtime::Signature& signature = module_->methods()[index_].signature;
  std::vector<Value> ordered(signature.inputs().size());
  for (const auto& [input, value] : inputs) {
    const auto position = signature.find_input(input);
    if (!position) return invalid_argument("{} has no input '{}'", name(), input);
    ordered[*position] = value;
  }
  return run(ordered);
}

Result<PendingRun> Method::run_async(std::span<const Value> inputs) const {
  return guarded(module_->file().name(), [&]() -> Result<PendingRun> {
    SLIPWAY_RETURN_IF_ERROR(check_idle(*module_));
    auto state = std::make_unique<PendingRun::State>();
    auto progress = std::make_shared<PendingRun::Progress>();
    state->module = module_;
    state->progress = progress;
    module_->is_running = true;
    module_->allow_runs();
    progress->call = module_->queue(index_, inputs);
    if (progress->call != nullptr) return PendingRun(std::move(state), std::move(progress));
    state->result = std::async(
        std::launch::async, [module = module_, index = index_, choices = runtime::CallerChoices(),
                             values = std::vector<Value>(inputs.begin(), inputs.end()), progress] {
          choices.adopt();
          auto result = guarded(module->file().name(), [&] { return module->run(index, values); });
          progress->is_done = true;
          return result;
        });
    return PendingRun(std::move(state), std::move(progress));
  });
}

void Method::cancel() const { module_->cancel(); }

Result<std::vector<std::pair<std::string, Tensor>>> Method::state() const {
  SLIPWAY_RETURN_IF_ERROR(check_idle(*module_));
  return module_->state(index_);
}

Result<uint64_t> Method::weight_streaming_budget() const {
  SLIPWAY_RETURN_IF_ERROR(check_idle(*module_));
  return module_->weight_budget(index_, {});
}

Result<uint64_t> Method::set_weight_streaming_budget(uint64_t bytes) const {
  SLIPWAY_RETURN_IF_ERROR(check_idle(*module_));
  return module_->weight_budget(index_, {.weight_streaming_budget = bytes});
}

Result<uint64_t> Method::set_weight_streaming_total(uint64_t bytes) const {
  SLIPWAY_RETURN_IF_ERROR(check_idle(*module_));
  return module_->weight_budget(index_, {.weight_streaming_total = bytes});
}

Status Method::set_output(size_t index, std::optional<Tensor> memory) const {
  SLIPWAY_RETURN_IF_ERROR(check_idle(*module_));
  if (index >= outputs().size()) {
    return invalid_argument("{} has {} outputs, and none {}", name(), outputs().size(), index);
  }
  return module_->set_output(index_, index, std::move(memory));
}

Result<Device> Method::input_device(size_t index) const {
  SLIPWAY_RETURN_IF_ERROR(check_idle(*module_));
  if (index >= inputs().size()) {
    return invalid_argument("{} has {} inputs, and none {}", name(), inputs().size(), index);
  }
  return module_->input_device(index_, index);
}

Result<Device> Method::output_device(size_t index) const {
  SLIPWAY_RETURN_IF_ERROR(check_idle(*module_));
  if (index >= outputs().size()) {
    return invalid_argument("{} has {} outputs, and none {}", name(), outputs().size(), index);
  }
  return module_->output_device(index_, index);
}

Status Method::reset_state() const {
  SLIPWAY_RETURN_IF_ERROR(check_idle(*module_));
  return module_->reset_state(index_);
}

}  // namespace slipway
