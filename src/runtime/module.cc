#include "slipway/module.h"

#include <cerrno>
#include <fcntl.h>

#include "base/error.h"
#include "base/file_reader.h"
#include "base/guard.h"
#include "base/shared_memory.h"
#include "base/try.h"
#include "runtime/module_impl.h"
#include "runtime/plan.h"

namespace slipway {
namespace {

Error moved_from() {
  return invalid_argument("this Module holds no program any more, since it was moved from");
}

Result<OwnedSpan> map_file(const std::string& path) {
  SLIPWAY_ASSIGN_OR_RETURN(auto mapped, MappedFile::open(path));
  const auto bytes = mapped->bytes();
  return OwnedSpan{bytes, std::move(mapped)};
}

Result<Descriptor> open_file(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.number() < 0) return errno_error(errno, path + ": cannot be opened");
  return file;
}

// As a file, which another process can map, too.
Result<Descriptor> file_of(std::span<const std::byte> bytes) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto memory, SharedMemory::create(bytes.size()));
  SLIPWAY_RETURN_IF_ERROR(write_at(memory->descriptor().number(), bytes, 0, "shared memory"));
  return Descriptor(::fcntl(memory->descriptor().number(), F_DUPFD_CLOEXEC, 3));
}

}  // namespace

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
    std::unique_ptr<Impl> impl;
    if (!options.isolate) {
      SLIPWAY_ASSIGN_OR_RETURN(OwnedSpan bytes, options.copy ? read_file(path) : map_file(path));
      SLIPWAY_ASSIGN_OR_RETURN(impl, runtime::open_here(std::move(bytes), path, options));
      return Module(std::move(impl));
    }
    Descriptor file;
    if (options.copy) {
      SLIPWAY_ASSIGN_OR_RETURN(const OwnedSpan bytes, read_file(path));
      SLIPWAY_ASSIGN_OR_RETURN(file, file_of(bytes.bytes));
    } else {
      SLIPWAY_ASSIGN_OR_RETURN(file, open_file(path));
    }
    SLIPWAY_ASSIGN_OR_RETURN(impl, runtime::open_isolated(std::move(file), path, options));
    return Module(std::move(impl));
  });
}

Result<Module> Module::load(std::vector<std::byte> bytes, const std::string& name,
                            const LoadOptions& options) {
  return guarded(name, [&]() -> Result<Module> {
    std::unique_ptr<Impl> impl;
    if (options.isolate) {
      SLIPWAY_ASSIGN_OR_RETURN(Descriptor file, file_of(bytes));
      SLIPWAY_ASSIGN_OR_RETURN(impl, runtime::open_isolated(std::move(file), name, options));
    } else {
      SLIPWAY_ASSIGN_OR_RETURN(impl,
                               runtime::open_here(own_bytes(std::move(bytes)), name, options));
    }
    return Module(std::move(impl));
  });
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
  return module_->methods()[index_].signature.example_sizes();
}

Status Method::prepare() const { return module_->prepare(index_); }

Result<std::vector<Value>> Method::run(std::span<const Value> inputs) const {
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

Result<std::vector<std::pair<std::string, Tensor>>> Method::state() const {
  return module_->state(index_);
}

Result<uint64_t> Method::weight_streaming_budget() const {
  return module_->weight_budget(index_, {});
}

Result<uint64_t> Method::set_weight_streaming_budget(uint64_t bytes) const {
  return module_->weight_budget(index_, {.weight_streaming_budget = bytes});
}

Result<uint64_t> Method::set_weight_streaming_total(uint64_t bytes) const {
  return module_->weight_budget(index_, {.weight_streaming_total = bytes});
}

Status Method::reset_state() const { return module_->reset_state(index_); }

}  // namespace slipway
