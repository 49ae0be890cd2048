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

Result<size_t> find_method(const Module::Impl* impl, const std::string& name) {
  if (impl == nullptr) return moved_from();
  return impl->find(name);
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
  for (const Impl::Method& method : impl_->methods()) names.push_back(method.name);
  return names;
}

Status Module::load_method(const std::string& method) {
  SLIPWAY_ASSIGN_OR_RETURN(const size_t found, find_method(impl_.get(), method));
  return impl_->prepare(found);
}

Result<std::vector<ValueInfo>> Module::inputs(const std::string& method) const {
  SLIPWAY_ASSIGN_OR_RETURN(const size_t found, find_method(impl_.get(), method));
  return impl_->methods()[found].signature.inputs();
}

Result<std::vector<ValueInfo>> Module::outputs(const std::string& method) const {
  SLIPWAY_ASSIGN_OR_RETURN(const size_t found, find_method(impl_.get(), method));
  return impl_->methods()[found].signature.outputs();
}

Result<Tree> Module::input_tree(const std::string& method) const {
  SLIPWAY_ASSIGN_OR_RETURN(const size_t found, find_method(impl_.get(), method));
  return impl_->methods()[found].signature.input_tree();
}

Result<Tree> Module::output_tree(const std::string& method) const {
  SLIPWAY_ASSIGN_OR_RETURN(const size_t found, find_method(impl_.get(), method));
  return impl_->methods()[found].signature.output_tree();
}

Result<std::vector<std::vector<int64_t>>> Module::example_sizes(const std::string& method) const {
  SLIPWAY_ASSIGN_OR_RETURN(const size_t found, find_method(impl_.get(), method));
  return impl_->methods()[found].signature.example_sizes();
}

Result<std::vector<Value>> Module::run(std::span<const Value> inputs, const std::string& method) {
  SLIPWAY_ASSIGN_OR_RETURN(const size_t found, find_method(impl_.get(), method));
  return impl_->run(found, inputs);
}

Result<std::vector<Value>> Module::run(std::initializer_list<Value> inputs,
                                       const std::string& method) {
  return run(std::span<const Value>(inputs.begin(), inputs.size()), method);
}

Result<std::vector<Value>> Module::run(const std::map<std::string, Value>& inputs,
                                       const std::string& method) {
  SLIPWAY_ASSIGN_OR_RETURN(const size_t found, find_method(impl_.get(), method));
  const auto& signature = impl_->methods()[found].signature;
  std::vector<Value> ordered(signature.inputs().size());
  for (const auto& [name, value] : inputs) {
    const auto position = signature.find_input(name);
    if (!position) return invalid_argument("{} has no input '{}'", method, name);
    ordered[*position] = value;
  }
  return impl_->run(found, ordered);
}

Result<std::vector<std::pair<std::string, Tensor>>> Module::state(const std::string& method) {
  SLIPWAY_ASSIGN_OR_RETURN(const size_t found, find_method(impl_.get(), method));
  return impl_->state(found);
}

Status Module::reset_state(const std::string& method) {
  SLIPWAY_ASSIGN_OR_RETURN(const size_t found, find_method(impl_.get(), method));
  return impl_->reset_state(found);
}

}  // namespace slipway
