#include "compile/artefact.h"

#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "base/try.h"
#include "pte/reader/reader.h"
#include "runtime/plan.h"
#include "runtime/signature.h"

namespace slipway {

namespace {

// A file that our own reader refuses is of no use to anybody.
Status check_readable(const OwnedSpan& bytes, const std::string& name) {
  auto checked = [&]() -> Status {
    SLIPWAY_ASSIGN_OR_RETURN(const pte::File file, pte::File::read(bytes, name));
    for (const std::string& method : runtime::method_names(file)) {
      SLIPWAY_RETURN_IF_ERROR(runtime::Signature::create(file, method));
    }
    return {};
  }();
  if (checked.ok()) return {};
  return unsupported("nothing is written, because the result could not be loaded: {}",
                     checked.error().message());
}

}  // namespace

std::shared_ptr<StartedFile> StartedEngine::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(file_, nullptr);
}

void StartedEngine::is_saved(const std::string& path) {
  const auto identity = FileIdentity::of(path);
  const std::lock_guard lock(mutex_);
  if (!identity.ok()) return;
  saved_ = *identity;
  saved_path_ = path;
}

Status StartedEngine::check_unchanged() const {
  const std::lock_guard lock(mutex_);
  if (!saved_ || saved_->check_unchanged().ok()) return {};
  return io_error("{} was changed after it was saved, and has the engine's bytes: compile it again",
                  saved_path_);
}

Status Artefact::Impl::set_model(onnx::Graph graph, uint64_t most_inline) {
  SLIPWAY_ASSIGN_OR_RETURN(onnx::ModelFiles files,
                           onnx::serialize(graph, onnx::data_path("model.onnx"), most_inline));
  pieces = std::move(files.model);
  data_size = files.data.size();
  max_inline = most_inline;
  if (data_size > 0) model = std::make_shared<const onnx::Graph>(std::move(graph));
  return {};
}

Status Artefact::Impl::check_sources() const {
  for (const FileIdentity& source : sources) SLIPWAY_RETURN_IF_ERROR(source.check_unchanged());
  return started ? started->check_unchanged() : Status();
}

Status Artefact::Impl::check(const OwnedSpan& bytes, const std::string& name) const {
  SLIPWAY_RETURN_IF_ERROR(check_sources());
  return is_pte ? check_readable(bytes, name) : Status();
}

Status Artefact::save(const std::string& path,
                      const std::function<void(uint64_t, uint64_t)>& progress) const {
  return guarded(path, [&]() -> Status {
    for (const FileIdentity& source : impl_->sources) {
      SLIPWAY_RETURN_IF_ERROR(source.check_not_output(path));
      if (impl_->model) SLIPWAY_RETURN_IF_ERROR(source.check_not_output(onnx::data_path(path)));
    }
    SLIPWAY_RETURN_IF_ERROR(impl_->check_sources());
    const auto check = [&](const OwnedSpan& bytes) { return impl_->check(bytes, path); };
    if (!impl_->model) {
      const auto started = impl_->started ? impl_->started->take() : nullptr;
      SLIPWAY_RETURN_IF_ERROR(write_file(path, impl_->pieces, progress, check, started.get()));
      if (started && started->is_used) impl_->started->is_saved(path);
      return {};
    }
    return onnx::save(*impl_->model, path, impl_->max_inline, progress, check);
  });
}

Result<std::vector<std::byte>> Artefact::to_memory() const {
  if (impl_->model) {
    return unsupported(
        "the weights of this ONNX model are past the 2 GB of one message, so that it lies in two "
        "files: save it");
  }
  SLIPWAY_RETURN_IF_ERROR(impl_->check_sources());
  SLIPWAY_ASSIGN_OR_RETURN(auto bytes, write_to_memory(impl_->pieces));
  SLIPWAY_RETURN_IF_ERROR(impl_->check({bytes, nullptr}, "the compiled program"));
  return bytes;
}

uint64_t Artefact::size() const { return impl_->pieces.size() + impl_->data_size; }

}  // namespace slipway
