#include <chrono>
#include <map>
#include <optional>

#include <executorch/extension/data_loader/buffer_data_loader.h>

#include "base/error.h"
#include "base/guard.h"
#include "base/log.h"
#include "base/try.h"
#include "runtime/data_file.h"
#include "runtime/method.h"
#include "runtime/module_impl.h"
#include "runtime/plan.h"
#include "runtime/platform.h"
#include "runtime/shared_state.h"

namespace slipway::runtime {
namespace {

// What it gives keeps the file: an engine that is shared may outlive the module.
class KeepingLoader final : public et::DataLoader {
 public:
  // `shared` must outlive it.
  KeepingLoader(const pte::File& file, SharedState& shared)
      : owner_(file.owner()), loader_(file.bytes().data(), file.bytes().size()), shared_(shared) {}

  et::Result<et::FreeableBuffer> load(size_t offset, size_t size,
                                      const SegmentInfo& info) const override {
    using Owner = std::shared_ptr<const void>;
    auto piece = loader_.load(offset, size, info);
    if (!piece.ok()) return piece.error();
    return et::FreeableBuffer(
        piece->data(), size, [](void* owner, void*, size_t) { delete static_cast<Owner*>(owner); },
        new Owner(owner_));
  }
  et::Result<size_t> size() const override { return loader_.size(); }
  et::Error load_into(size_t offset, size_t size, const SegmentInfo& info,
                      void* buffer) const override {
    // An initial value: it must not overwrite what another method has left there.
    if (shared_.has(buffer) && !shared_.filled.insert(buffer).second) return et::Error::Ok;
    return loader_.load_into(offset, size, info, buffer);
  }

 private:
  const std::shared_ptr<const void> owner_;
  const executorch::extension::BufferDataLoader loader_;
  SharedState& shared_;
};

class LocalModule final : public Module::Impl {
 public:
  LocalModule(pte::File opened, std::optional<ptd::DataFile> data, const LoadOptions& options)
      : Impl(std::move(opened), options), data_(std::move(data)), loader_(file(), shared_) {
    if (data_) map_.emplace(*data_);
  }

  Status open();

  Status prepare(size_t method) override {
    SLIPWAY_RETURN_IF_ERROR(prepared(method));
    return {};
  }
  Result<std::vector<Value>> run(size_t method, std::span<const Value> inputs) override {
    SLIPWAY_ASSIGN_OR_RETURN(LoadedMethod * loaded, prepared(method));
    return guarded(file().name(), [&] { return loaded->run(inputs); });
  }
  std::unique_ptr<QueuedCall> queue(size_t method, std::span<const Value> inputs) override {
    LoadedMethod* const loaded = loaded_[method].get();
    return loaded == nullptr || loaded->broken() ? nullptr : loaded->queue(inputs);
  }
  Result<std::vector<std::pair<std::string, Tensor>>> state(size_t method) override {
    SLIPWAY_ASSIGN_OR_RETURN(LoadedMethod * loaded, prepared(method));
    return loaded->state();
  }
  Status reset_state(size_t method) override {
    SLIPWAY_ASSIGN_OR_RETURN(LoadedMethod * loaded, prepared(method));
    return loaded->reset_state();
  }
  Status set_output(size_t method, size_t output, std::optional<Tensor> memory) override {
    SLIPWAY_ASSIGN_OR_RETURN(LoadedMethod * loaded, prepared(method));
    SLIPWAY_RETURN_IF_ERROR(loaded->set_output(output, memory));
    given_outputs_[method][output] = std::move(memory);
    return {};
  }
  Result<Device> input_device(size_t method, size_t input) override {
    SLIPWAY_ASSIGN_OR_RETURN(LoadedMethod * loaded, prepared(method));
    return loaded->input_device(input);
  }
  Result<Device> output_device(size_t method, size_t output) override {
    SLIPWAY_ASSIGN_OR_RETURN(LoadedMethod * loaded, prepared(method));
    return loaded->output_device(output);
  }
  Result<uint64_t> weight_budget(size_t method, const LoadOptions& change) override {
    SLIPWAY_ASSIGN_OR_RETURN(const LoadedMethod* loaded, prepared(method));
    return loaded->weight_budget(change);
  }

 private:
  Result<LoadedMethod*> prepared(size_t method);

  const std::optional<ptd::DataFile> data_;
  std::optional<DataMap> map_;  // of data_
  SharedState shared_;
  KeepingLoader loader_;
  std::optional<et::Program> program_;
  std::vector<std::unique_ptr<LoadedMethod>> loaded_;  // null until its first use
  // The caller's memory, of each method by the outputs' places.
  std::vector<std::map<size_t, std::optional<Tensor>>> given_outputs_;
};

Status LocalModule::open() {
  initialize_platform();
  SLIPWAY_RETURN_IF_ERROR(read_signatures());
  loaded_.resize(methods().size());
  given_outputs_.resize(methods().size());
  SLIPWAY_RETURN_IF_ERROR(shared_.allocate(file(), options()));
  LogCapture log;
  try {
    auto loaded = et::Program::load(&loader_, et::Program::Verification::Minimal);
    if (!loaded.ok()) return translate(loaded.error(), file().name(), log.text());
    program_.emplace(std::move(*loaded));
  } catch (const Aborted&) {
    return invalid_file("{}: {}", file().name(), first_reason(log.text()));
  }
  return {};
}

Result<LoadedMethod*> LocalModule::prepared(size_t method) {
  auto& loaded = loaded_[method];
  const bool was_broken = loaded != nullptr && loaded->broken();
  if (was_broken) loaded.reset();
  if (loaded == nullptr) {
    const auto started = std::chrono::steady_clock::now();
    auto& [name, signature] = methods()[method];
    SLIPWAY_ASSIGN_OR_RETURN(
        auto fresh, guarded(file().name(), [&, &name = name, &signature = signature] {
          return LoadedMethod::load(file(), *program_, map_ ? &*map_ : nullptr, name, signature,
                                    shared_, options(), is_cancelled());
        }));
    // In what is shared lies what it had made of it.
    if (was_broken) SLIPWAY_RETURN_IF_ERROR(fresh->reset_state());
    for (const auto& [output, memory] : given_outputs_[method]) {
      SLIPWAY_RETURN_IF_ERROR(fresh->set_output(output, memory));
    }
    loaded = std::move(fresh);
    const std::chrono::duration<double, std::milli> taken =
        std::chrono::steady_clock::now() - started;
    log(LogLevel::kInfo, "{} of {}: prepared in {:.1f} ms", name, file().name(), taken.count());
  }
  return loaded.get();
}

}  // namespace

Result<std::unique_ptr<Module::Impl>> open_here(pte::File file, std::optional<ptd::DataFile> data,
                                                const LoadOptions& options) {
  auto module = std::make_unique<LocalModule>(std::move(file), std::move(data), options);
  SLIPWAY_RETURN_IF_ERROR(module->open());
  return std::unique_ptr<Module::Impl>(std::move(module));
}

}  // namespace slipway::runtime
