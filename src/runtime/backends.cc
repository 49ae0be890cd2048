#include "runtime/backends.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <mutex>
#include <string_view>
#include <variant>

#include <executorch/runtime/backend/interface.h>

#include "base/error.h"
#include "base/shared_library.h"
#include "base/try.h"
#include "engine_list/registry.h"
#include "runtime/caller_choices.h"
#include "runtime/platform.h"

namespace slipway::runtime {

namespace {

et::BackendOption to_executorch(const engine::Description::Setting& setting) {
  et::BackendOption option;
  std::strncpy(option.key, setting.first, sizeof option.key - 1);
  if (const int* number = std::get_if<int>(&setting.second)) {
    option.value = *number;
  } else if (const bool* flag = std::get_if<bool>(&setting.second)) {
    option.value = *flag;
  } else {
    auto& text = option.value.emplace<std::array<char, et::kMaxOptionValueLength>>();
    std::strncpy(text.data(), std::get<std::string>(setting.second).c_str(), text.size() - 1);
  }
  return option;
}

// Whether the backend is registered and says what is asked; the answers stand in `asked` then.
bool answers(const char* backend, et::Span<et::BackendOption> asked) {
  return et::get_backend_class(backend) != nullptr &&
         et::get_option(backend, asked) == et::Error::Ok;
}

// The file that a backend's code is in; empty where that is not known.
std::string_view file_of(const et::BackendInterface& backend) {
  Dl_info info;
  const void* const table = *reinterpret_cast<const void* const*>(&backend);
  return ::dladdr(table, &info) == 0 || info.dli_fname == nullptr ? "" : info.dli_fname;
}

// The file of a library that registered the backend and is not Slipway's own; empty where it is, or
// nothing is known of it.
std::string_view other_library(const engine::Description* known,
                               const et::BackendInterface& backend) {
  if (known == nullptr || known->library == nullptr) return "";
  const std::string_view file = file_of(backend);
  return file.substr(file.rfind('/') + 1) == known->library ? "" : file;
}

// The library that a backend's code is in, which stays open.
class Library {
 public:
  explicit Library(const et::BackendInterface& backend)
      : handle_(::dlopen(std::string(file_of(backend)).c_str(), RTLD_NOW | RTLD_NOLOAD)) {}
  ~Library() {
    if (handle_ != nullptr) ::dlclose(handle_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  void* handle() const { return handle_; }
  // Null where it has no such function.
  template <class Function>
  Function find(const char* name) const {
    return handle_ == nullptr ? nullptr : reinterpret_cast<Function>(::dlsym(handle_, name));
  }

 private:
  void* handle_;
};

// A delegate that plans the engines of a method together must be Slipway's own: another one of its
// name does not know how.
Status check_origin(const std::string& id, const et::BackendInterface& backend) {
  const engine::Description* known = engine_list::find_backend(id);
  if (known == nullptr || known->weight_budget == nullptr) return {};
  const std::string_view file = other_library(known, backend);
  if (file.empty()) return {};
  return unavailable(
      "backend {} is registered by {}, and not by Slipway's {}: load no other delegate of this "
      "name",
      id, file, known->library);
}

// Whether it is here, and plans the engines of a method together.
bool plans_programs(const engine::Description& engine) {
  if (engine.weight_budget == nullptr) return false;
  const et::BackendInterface* const backend = et::get_backend_class(engine.backend);
  return backend != nullptr && check_origin(engine.backend, *backend).ok();
}

// Of the memory that its engines take from the caller (engine::Description::takes_cuda_memory);
// null where they don't, or its delegate is not here.
et::DeviceAllocator* allocator_of(const engine::Description& engine) {
  if (!engine.takes_cuda_memory) return nullptr;
  const et::BackendInterface* const backend = et::get_backend_class(engine.backend);
  if (backend == nullptr || !check_origin(engine.backend, *backend).ok()) return nullptr;
  const auto allocator =
      Library(*backend).find<et::DeviceAllocator* (*)()>("slipway_cuda_allocator");
  return allocator == nullptr ? nullptr : allocator();
}

// What the delegate runs with; empty where it does not tell.
std::string settings_of(const engine::Description& engine) {
  et::BackendOptions<2> asked;
  asked.set_option("num_threads", 0);
  asked.set_option("performance_hint", "");
  int threads = 0;
  const char* hint = "";
  const bool found = answers(engine.backend, asked.view()) &&
                     asked.get_option("num_threads", threads) == et::Error::Ok &&
                     asked.get_option("performance_hint", hint) == et::Error::Ok;
  if (!found || threads == 0) return "";
  return fmt::format("{} {}, {}", threads, threads == 1 ? "thread" : "threads", hint);
}

}  // namespace

std::string other_origin(const std::string& backend) {
  const engine::Description* const known = engine_list::find_backend(backend);
  const et::BackendInterface* const registered = et::get_backend_class(backend.c_str());
  const std::string_view file = registered == nullptr ? "" : other_library(known, *registered);
  if (file.empty()) return "";
  return fmt::format(
      "; {} is the delegate of {}, which was there before Slipway's {}: load a module of Slipway's "
      "before what brings that library, such as ExecuTorch's Python package, or in another process "
      "(option 'isolate')",
      backend, file, known->library);
}

BackendSettings::BackendSettings(const LoadOptions& options, const std::string& program,
                                 bool is_checked) {
  for (const engine::Description* engine : engine_list::descriptions()) {
    if (engine->load_settings == nullptr) continue;
    auto& own = settings_.emplace_back(engine->backend, std::vector<et::BackendOption>()).second;
    for (const auto& setting : engine->load_settings(options)) {
      own.push_back(to_executorch(setting));
    }
    if (engine->weight_budget != nullptr || engine->takes_cuda_memory) {
      own.push_back(to_executorch({engine::kProgramOption, program}));
      own.push_back(to_executorch({engine::kCheckedOption, is_checked}));
    }
  }
}

et::LoadBackendOptionsMap BackendSettings::map() {
  et::LoadBackendOptionsMap map;
  for (auto& [backend, options] : settings_) {
    map.set_options(backend, et::Span<et::BackendOption>(options.data(), options.size()));
  }
  return map;
}

Status finish_program(const std::string& program, std::string& log) {
  for (const engine::Description* engine : engine_list::descriptions()) {
    if (!plans_programs(*engine)) continue;
    std::array options = {to_executorch({engine::kProgramOption, program}),
                          to_executorch({engine::kFinishOption, true})};
    const LogCapture own;
    const et::Error error = et::set_option(engine->backend, {options.data(), options.size()});
    if (error != et::Error::Ok) {
      return translate(error, "its engines can't be made ready", own.text());
    }
    log += own.text();
  }
  return {};
}

Result<uint64_t> weight_budget(const std::string& program, const LoadOptions& change) {
  for (const engine::Description* engine : engine_list::descriptions()) {
    if (!plans_programs(*engine)) continue;
    const std::string context = "the budget of weights on the device";
    std::vector<et::BackendOption> options = {to_executorch({engine::kProgramOption, program})};
    for (const auto& setting : engine->load_settings(change)) {
      options.push_back(to_executorch(setting));
    }
    LogCapture log;
    et::Error error = et::set_option(engine->backend, {options.data(), options.size()});
    if (error != et::Error::Ok) return translate(error, context, log.text());
    std::array asked = {to_executorch({engine::kProgramOption, program}),
                        to_executorch({engine->weight_budget, ""})};
    error = et::get_option(engine->backend, {asked.data(), asked.size()});
    if (error != et::Error::Ok) return translate(error, context, log.text());
    const auto& text = std::get<std::array<char, et::kMaxOptionValueLength>>(asked[1].value);
    return std::strtoull(text.data(), nullptr, 10);
  }
  return unsupported("it has no engine whose budget of weights can be changed");
}

std::optional<CudaMemory> cuda_memory_of(const std::string& backend, const std::string& program) {
  const engine::Description* known = engine_list::find_backend(backend);
  et::DeviceAllocator* const allocator = known == nullptr ? nullptr : allocator_of(*known);
  if (allocator == nullptr) return std::nullopt;
  std::array asked = {to_executorch({engine::kProgramOption, program}),
                      to_executorch({engine::kCudaDeviceOption, 0})};
  const LogCapture log;
  if (et::get_option(known->backend, {asked.data(), asked.size()}) != et::Error::Ok) {
    return std::nullopt;
  }
  const int* device = std::get_if<int>(&asked[1].value);
  return device == nullptr ? std::nullopt : std::optional(CudaMemory{allocator, *device});
}

Result<et::DeviceMemoryBuffer> plan_on_device(uint64_t size, int8_t device,
                                              const std::string& what) {
  constexpr auto kCuda = et::etensor::DeviceType::CUDA;
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  // A second one for the same kind of device ends the process.
  for (const engine::Description* engine : engine_list::descriptions()) {
    if (et::get_device_allocator(kCuda) != nullptr) break;
    if (et::DeviceAllocator* const allocator = allocator_of(*engine)) {
      et::register_device_allocator(allocator);
    }
  }
  if (et::get_device_allocator(kCuda) == nullptr) {
    return unavailable(
        "{} is on cuda:{}, and nothing in this process gives ExecuTorch memory of CUDA devices: "
        "load the library of an engine that does into the process first",
        what, device);
  }
  LogCapture log;
  constexpr size_t kAlignment = 256;  // what CUDA gives, and engines want
  auto memory = et::DeviceMemoryBuffer::create(size, kCuda, device, kAlignment);
  if (!memory.ok()) return translate(memory.error(), what, log.text());
  return std::move(*memory);
}

std::string engine_settings() {
  for (const engine::Description* engine : engine_list::descriptions()) {
    if (engine->load_settings == nullptr) continue;
    if (std::string settings = settings_of(*engine); !settings.empty()) return settings;
  }
  return "";
}

Environment environment_of(const std::string& backend) {
  const auto text = [&](const char* name) -> std::string {
    et::BackendOption asked = to_executorch({name, ""});
    if (!answers(backend.c_str(), {&asked, 1})) return "";
    const auto* answer = std::get_if<std::array<char, et::kMaxOptionValueLength>>(&asked.value);
    return answer != nullptr ? answer->data() : "";
  };
  return {text("library_version"), text("capabilities")};
}

Status require_backend(const std::string& id) {
  initialize_platform();
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  et::BackendInterface* backend = et::get_backend_class(id.c_str());
  if (backend == nullptr) {
    const engine::Description* known = engine_list::find_backend(id);
    if (known == nullptr) {
      return unavailable(
          "backend '{}' is not one that Slipway knows: load the shared library that registers it "
          "into the process first",
          id);
    }
    if (known->library == nullptr) {
      return unavailable("backend {} is not here: {}", id, known->remedy);
    }
    LogCapture capture;
    const auto opened = open_library(known->library, known->remedy);
    if (!opened.ok()) return opened.error().with_context(fmt::format("backend {}", id));
    backend = et::get_backend_class(id.c_str());
    if (backend == nullptr) {
      return unavailable(
          "{} does not register backend {}: is it from another version of ExecuTorch? {}",
          known->library, id, capture.text().empty() ? "" : first_reason(capture.text()));
    }
  }
  if (Status ours = check_origin(id, *backend); !ours.ok()) return ours;
  // It may have been opened by somebody else.
  const Library library(*backend);
  if (library.handle() != nullptr) share_caller_choices(library.handle());
  if (!backend->is_available()) {
    return unavailable("backend {} says that it can't work on this machine", id);
  }
  return {};
}

Result<TuningGuard> TuningGuard::create(const std::string& backend, engine::Tuner& tuner) {
  SLIPWAY_RETURN_IF_ERROR(require_backend(backend));
  const auto set =
      Library(*et::get_backend_class(backend.c_str())).find<Set>("slipway_tune_engines");
  if (set == nullptr) {
    return unavailable("backend {} does not tune its engines{}", backend, other_origin(backend));
  }
  set(&tuner);
  return TuningGuard(set);
}

TuningGuard::~TuningGuard() {
  if (set_ != nullptr) set_(nullptr);
}

}  // namespace slipway::runtime
