#include "slipway/module.h"

#include <optional>

#include <executorch/extension/data_loader/buffer_data_loader.h>

#include "base/error.h"
#include "base/file_reader.h"
#include "base/guard.h"
#include "base/mapped_file.h"
#include "base/try.h"
#include "pte/reader/reader.h"
#include "runtime/method.h"
#include "runtime/plan.h"
#include "runtime/platform.h"
#include "runtime/signature.h"

namespace slipway {

using runtime::LoadedMethod;
using runtime::Signature;
namespace et = executorch::runtime;

class Module::Impl {
 public:
  struct Method {
    std::string name;
    Signature signature;
    std::unique_ptr<LoadedMethod> loaded;  // null until its first use
  };

  Impl(pte::File opened, const LoadOptions& load_options)
      : options(load_options),
        file(std::move(opened)),
        loader(file.bytes().data(), file.bytes().size()) {}

  Status open();
  Result<Method*> find(const std::string& name);
  Result<LoadedMethod*> load(const std::string& name);

  const LoadOptions options;
  pte::File file;
  executorch::extension::BufferDataLoader loader;
  std::optional<et::Program> program;
  std::vector<Method> methods;
};

namespace {

Error moved_from() {
  return invalid_argument("this Module holds no program any more, since it was moved from");
}

Result<Module::Impl::Method*> find_method(Module::Impl* impl, const std::string& name) {
  if (impl == nullptr) return moved_from();
  return impl->find(name);
}

Result<LoadedMethod*> prepared_method(Module::Impl* impl, const std::string& name) {
  if (impl == nullptr) return moved_from();
  return impl->load(name);
}

Result<OwnedSpan> map_file(const std::string& path) {
  SLIPWAY_ASSIGN_OR_RETURN(auto mapped, MappedFile::open(path));
  const auto bytes = mapped->bytes();
  return OwnedSpan{bytes, std::move(mapped)};
}

Result<std::unique_ptr<Module::Impl>> open(OwnedSpan bytes, const std::string& name,
                                           const LoadOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(pte::File file,
                           pte::File::read(std::move(bytes), name, {.trust = options.trust}));
  if (options.verify_checksums) SLIPWAY_RETURN_IF_ERROR(file.verify_checksums());
  auto impl = std::make_unique<Module::Impl>(std::move(file), options);
  SLIPWAY_RETURN_IF_ERROR(impl->open());
  return impl;
}

}  // namespace

Status Module::Impl::open() {
  runtime::initialize_platform();
  for (const std::string& name : runtime::method_names(file)) {
    SLIPWAY_ASSIGN_OR_RETURN(Signature signature, Signature::create(file, name));
    methods.push_back({name, std::move(signature), nullptr});
  }
  runtime::LogCapture log;
  try {
    auto loaded = et::Program::load(&loader, et::Program::Verification::Minimal);
    if (!loaded.ok()) return runtime::translate(loaded.error(), file.name(), log.text());
    program.emplace(std::move(*loaded));
  } catch (const runtime::Aborted&) {
    return invalid_file("{}: {}", file.name(), runtime::first_reason(log.text()));
  }
  return {};
}

Result<Module::Impl::Method*> Module::Impl::find(const std::string& name) {
  for (Method& method : methods) {
    if (method.name == name) return &method;
  }
  std::string names;
  for (const Method& method : methods) names += (names.empty() ? "" : ", ") + method.name;
  return not_found("{} has no method '{}'; it has {}", file.name(), name, names);
}

Result<LoadedMethod*> Module::Impl::load(const std::string& name) {
  SLIPWAY_ASSIGN_OR_RETURN(Method * found, find(name));
  Method& method = *found;
  if (method.loaded != nullptr && method.loaded->broken()) method.loaded.reset();
  if (method.loaded == nullptr) {
    SLIPWAY_ASSIGN_OR_RETURN(method.loaded, guarded(file.name(), [&] {
                               return LoadedMethod::load(file, *program, name, method.signature,
                                                         options);
                             }));
  }
  return method.loaded.get();
}

Module::Module(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Module::Module(Module&&) noexcept = default;
Module& Module::operator=(Module&&) noexcept = default;
Module::~Module() = default;

Result<Module> Module::load(const std::string& path, const LoadOptions& options) {
  return guarded(path, [&]() -> Result<Module> {
    SLIPWAY_ASSIGN_OR_RETURN(OwnedSpan bytes, options.copy ? read_file(path) : map_file(path));
    SLIPWAY_ASSIGN_OR_RETURN(auto impl, open(std::move(bytes), path, options));
    return Module(std::move(impl));
  });
}

Result<Module> Module::load(std::vector<std::byte> bytes, const std::string& name,
                            const LoadOptions& options) {
  return guarded(name, [&]() -> Result<Module> {
    SLIPWAY_ASSIGN_OR_RETURN(auto impl, open(own_bytes(std::move(bytes)), name, options));
    return Module(std::move(impl));
  });
}

std::vector<std::string> Module::method_names() const {
  std::vector<std::string> names;
  if (impl_ == nullptr) return names;
  for (const Impl::Method& method : impl_->methods) names.push_back(method.name);
  return names;
}

Status Module::load_method(const std::string& method) {
  SLIPWAY_RETURN_IF_ERROR(prepared_method(impl_.get(), method));
  return {};
}

Result<std::vector<ValueInfo>> Module::inputs(const std::string& method) const {
  SLIPWAY_ASSIGN_OR_RETURN(const Impl::Method* found, find_method(impl_.get(), method));
  return found->signature.inputs();
}

Result<std::vector<ValueInfo>> Module::outputs(const std::string& method) const {
  SLIPWAY_ASSIGN_OR_RETURN(const Impl::Method* found, find_method(impl_.get(), method));
  return found->signature.outputs();
}

Result<Tree> Module::input_tree(const std::string& method) const {
  SLIPWAY_ASSIGN_OR_RETURN(const Impl::Method* found, find_method(impl_.get(), method));
  return found->signature.input_tree();
}

Result<Tree> Module::output_tree(const std::string& method) const {
  SLIPWAY_ASSIGN_OR_RETURN(const Impl::Method* found, find_method(impl_.get(), method));
  return found->signature.output_tree();
}

Result<std::vector<std::vector<int64_t>>> Module::example_sizes(const std::string& method) const {
  SLIPWAY_ASSIGN_OR_RETURN(const Impl::Method* found, find_method(impl_.get(), method));
  return found->signature.example_sizes();
}

Result<std::vector<Value>> Module::run(std::span<const Value> inputs, const std::string& method) {
  SLIPWAY_ASSIGN_OR_RETURN(LoadedMethod * loaded, prepared_method(impl_.get(), method));
  return guarded(impl_->file.name(), [&] { return loaded->run(inputs); });
}

Result<std::vector<Value>> Module::run(std::initializer_list<Value> inputs,
                                       const std::string& method) {
  return run(std::span<const Value>(inputs.begin(), inputs.size()), method);
}

Result<std::vector<Value>> Module::run(const std::map<std::string, Value>& inputs,
                                       const std::string& method) {
  SLIPWAY_ASSIGN_OR_RETURN(const Impl::Method* found, find_method(impl_.get(), method));
  const Signature& signature = found->signature;
  std::vector<Value> ordered(signature.inputs().size());
  for (const auto& [name, value] : inputs) {
    const auto position = signature.find_input(name);
    if (!position) return invalid_argument("{} has no input '{}'", method, name);
    ordered[*position] = value;
  }
  return run(ordered, method);
}

Result<std::vector<std::pair<std::string, Tensor>>> Module::state(const std::string& method) {
  SLIPWAY_ASSIGN_OR_RETURN(LoadedMethod * loaded, prepared_method(impl_.get(), method));
  return loaded->state();
}

Status Module::reset_state(const std::string& method) {
  SLIPWAY_ASSIGN_OR_RETURN(LoadedMethod * loaded, prepared_method(impl_.get(), method));
  return loaded->reset_state();
}

}  // namespace slipway
