#include "compile/artefact.h"

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "base/try.h"
#include "compile/aoti_package.h"
#include "compile/library_stub.h"
#include "model_library/library.h"
#include "ptd/data_file.h"
#include "pte/reader/reader.h"
#include "runtime/data_file.h"
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

// The keys of the engines that the program at `path` has in a data file; none where it is no
// program.
std::set<std::string> external_keys(const std::string& path) {
  std::set<std::string> keys;
  auto mapped = MappedFile::open(path);
  if (!mapped.ok()) return keys;
  const auto bytes = (*mapped)->bytes();
  const auto file = pte::File::read({bytes, *std::move(mapped)}, path, {.trust = true});
  if (!file.ok()) return keys;
  for (const runtime::ExternalEngine& engine : runtime::external_engines(*file)) {
    keys.insert(engine.key);
  }
  return keys;
}

// A data file is replaced by one that has its engines, too, or together with the program that they
// are of.
Status check_replaces_its_own(const std::string& data, const std::set<std::string>& keys,
                              const std::string& program) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(data, error)) return {};
  SLIPWAY_ASSIGN_OR_RETURN(auto mapped, MappedFile::open(data));
  const auto bytes = mapped->bytes();
  const auto file = ptd::DataFile::read({bytes, std::move(mapped)}, data);
  bool is_own = file.ok();
  if (file.ok()) {
    const std::set<std::string> replaced = external_keys(program);
    for (const ptd::DataFile::Entry& entry : file->entries()) {
      is_own = is_own && (keys.contains(entry.key) || replaced.contains(entry.key));
    }
  }
  if (is_own) return {};
  return invalid_argument(
      "{} is there already, and is not of an earlier {}: give the engines another name with option "
      "'external_engines', or remove it if no other program needs it",
      data, program);
}

}  // namespace

std::shared_ptr<StartedEngine> StartedEngine::take_largest(
    const std::vector<engine::Engine*>& engines) {
  std::shared_ptr<StartedFile> largest;
  for (engine::Engine* engine : engines) {
    const auto file = std::exchange(engine->started, nullptr);
    if (file && (!largest || file->bytes.bytes.size() > largest->bytes.bytes.size())) {
      largest = file;
    }
  }
  return largest ? std::make_shared<StartedEngine>(std::move(largest)) : nullptr;
}

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
  weights_size = files.data.size();
  max_inline = most_inline;
  if (weights_size > 0) model = std::make_shared<const onnx::Graph>(std::move(graph));
  return {};
}

void Artefact::Impl::put_into(Output output, bool on_gpu) {
  if (output == Output::kPte) return;
  pieces = model_library::make_library(library_stub(), pieces);
  if (output != Output::kAotiPackage) return;
  pieces = aoti_package(std::move(pieces), on_gpu ? "cuda" : "cpu");
  is_package = true;
}

Status Artefact::Impl::check_sources() const {
  for (const FileIdentity& source : sources) SLIPWAY_RETURN_IF_ERROR(source.check_unchanged());
  return started ? started->check_unchanged() : Status();
}

Status Artefact::Impl::check(const OwnedSpan& bytes, const std::string& name) const {
  SLIPWAY_RETURN_IF_ERROR(check_sources());
  if (!is_package) return is_pte ? check_readable(bytes, name) : Status();
  SLIPWAY_ASSIGN_OR_RETURN(const OwnedSpan library, library_of_package(bytes, name));
  SLIPWAY_RETURN_IF_ERROR(check_readable(library, name));
  SLIPWAY_ASSIGN_OR_RETURN(const pte::File file, pte::File::read(library, name));
  return check_callable_by_pytorch(file);
}

Status Artefact::Impl::save(const std::string& path, const WriteProgress& progress) const {
  std::vector<FileToWrite> files;
  const auto started_file = started ? started->take() : nullptr;
  if (!data_file.empty()) {
    const std::string data_path = std::filesystem::path(path).replace_filename(data_file).string();
    if (std::filesystem::path(path).filename() == data_file) {
      return invalid_argument(
          "{} can't be both the program and its data file: give one another name", path);
    }
    for (const FileIdentity& source : sources) {
      SLIPWAY_RETURN_IF_ERROR(source.check_not_output(data_path));
    }
    SLIPWAY_RETURN_IF_ERROR(check_replaces_its_own(data_path, data_keys, path));
    files.push_back({data_path, &data, [=](const OwnedSpan& bytes) -> Status {
                       SLIPWAY_RETURN_IF_ERROR(ptd::DataFile::read(bytes, data_path));
                       return {};
                     }});
  }
  files.push_back({path, &pieces, [&](const OwnedSpan& bytes) { return check(bytes, path); }});
  std::string path_of_started;
  for (FileToWrite& file : files) {
    if (!started_file || !file.pieces->offset_of(started_file->bytes.bytes.data())) continue;
    file.started = started_file.get();
    path_of_started = file.path;
  }
  SLIPWAY_RETURN_IF_ERROR(write_files(files, progress));
  if (started_file && started_file->is_used) started->is_saved(path_of_started);
  return {};
}

Status Artefact::save(const std::string& path,
                      const std::function<void(uint64_t, uint64_t)>& progress) const {
  return guarded(path, [&]() -> Status {
    for (const FileIdentity& source : impl_->sources) {
      SLIPWAY_RETURN_IF_ERROR(source.check_not_output(path));
      if (impl_->model) SLIPWAY_RETURN_IF_ERROR(source.check_not_output(onnx::data_path(path)));
    }
    SLIPWAY_RETURN_IF_ERROR(impl_->check_sources());
    if (!impl_->model) return impl_->save(path, progress);
    return onnx::save(*impl_->model, path, impl_->max_inline, progress,
                      [&](const OwnedSpan& bytes) { return impl_->check(bytes, path); });
  });
}

Result<std::vector<std::byte>> Artefact::to_memory() const {
  if (impl_->model) {
    return unsupported(
        "the weights of this ONNX model are past the 2 GB of one message, so that it lies in two "
        "files: save it");
  }
  if (!impl_->data_file.empty()) {
    return unsupported(
        "this program has its engines in a second file (option 'external_engines'): "
        "save it");
  }
  SLIPWAY_RETURN_IF_ERROR(impl_->check_sources());
  SLIPWAY_ASSIGN_OR_RETURN(auto bytes, write_to_memory(impl_->pieces));
  SLIPWAY_RETURN_IF_ERROR(impl_->check({bytes, nullptr}, "the compiled program"));
  return bytes;
}

uint64_t Artefact::size() const {
  return impl_->pieces.size() + impl_->data.size() + impl_->weights_size;
}

}  // namespace slipway
