#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/try.h"
#include "model_library/library.h"
#include "pte/format/layout.h"
#include "pte/reader/engine_check.h"
#include "pte/reader/header.h"
#include "pte/reader/layout_check.h"
#include "pte/reader/plan_check.h"
#include "pte/reader/reader.h"
#include "pte/reader/tables.h"

namespace slipway::pte {
namespace {

Result<const fb::Program*> verify_flatbuffer(std::span<const std::byte> bytes) {
  if (reinterpret_cast<uintptr_t>(bytes.data()) % kFlatbufferAlignment != 0) {
    return invalid_argument("a program in memory must be aligned to {} bytes",
                            kFlatbufferAlignment);
  }
  flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(),
                                 kMaxTableDepth, kMaxTables);
  if (bytes.size() >= FLATBUFFERS_MAX_BUFFER_SIZE || !fb::VerifyProgramBuffer(verifier)) {
    return invalid_file("its tables are damaged or cut short");
  }
  return fb::GetProgram(bytes.data());
}

Status check_plans(const Tables& tables) {
  const auto* plans = tables.program.execution_plan();
  if (count(plans) == 0) return invalid_file("it has no method");
  if (plans->size() > kMaxMethods) return invalid_file("it has {} methods", plans->size());
  std::unordered_set<std::string_view> names;
  for (const fb::ExecutionPlan* plan : *plans) {
    SLIPWAY_RETURN_IF_ERROR(check_text(plan->name(), "a method's name"));
    if (!names.insert(view(plan->name())).second) {
      return invalid_file("method \"{}\" is there twice", view(plan->name()));
    }
    auto status = check_plan(tables, *plan);
    if (!status.ok()) {
      return status.error().with_context(fmt::format("method {}", view(plan->name())));
    }
  }
  return check_shared_memory(tables);
}

// More than any writer aligns to.
constexpr uint64_t kMaxPadding = uint64_t{1} << 20;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<std::optional<engine::Manifest>> find_manifest(const File& file) {
  if (const auto bytes = file.named_data(std::string(engine::kManifestKey))) {
    SLIPWAY_ASSIGN_OR_RETURN(engine::Manifest manifest, engine::read_manifest(text_of(*bytes)));
    return std::optional(std::move(manifest));
  }
  if (engine::ends_like_manifest(text_of(file.bytes()))) {
    return invalid_file("its program does not name the manifest at its end; it is damaged");
  }
  return std::optional<engine::Manifest>();
}

// Whether the manifest speaks of this file.
Status check_manifest(const engine::Manifest& manifest, const Tables& tables) {
  const auto& plans = *tables.program.execution_plan();
  const bool same_methods =
      std::equal(manifest.methods.begin(), manifest.methods.end(), plans.begin(), plans.end(),
                 [](const engine::ManifestMethod& method, const fb::ExecutionPlan* plan) {
                   return method.name == view(plan->name()) &&
                          method.inputs.size() == plan->inputs()->size() &&
                          method.outputs.size() == plan->outputs()->size();
                 });
  if (!same_methods) return invalid_file("its manifest describes other methods");
  for (const engine::ManifestSegment& segment : manifest.segments) {
    if (segment.index >= tables.segments.size() ||
        segment.size != tables.segments[segment.index].size) {
      return invalid_file("its manifest describes other segments");
    }
  }
  return check_variants(tables, manifest);
}

}  // namespace

Result<File> File::read(OwnedSpan bytes, const std::string& name, const ReadOptions& options) {
  File file;
  file.name_ = name;
  file.bytes_ = std::move(bytes);
  const auto status = [&]() -> Status {
    SLIPWAY_ASSIGN_OR_RETURN(file.bytes_.bytes, model_library::program_of(file.bytes()));
    SLIPWAY_ASSIGN_OR_RETURN(const Header header, read_header(file.bytes()));
    file.program_size_ = header.program_size;
    file.segment_base_ = header.segment_base;
    const auto program = file.bytes().first(file.program_size_);
    SLIPWAY_ASSIGN_OR_RETURN(file.program_, verify_flatbuffer(program));
    SLIPWAY_ASSIGN_OR_RETURN(auto segments,
                             read_segments(*file.program_, header, file.bytes().size()));
    Tables tables{*file.program_, std::move(segments), file.bytes(), options.trust};
    SLIPWAY_RETURN_IF_ERROR(check_layout(tables));
    // Before the methods: that the program is damaged says more than what the damage did.
    SLIPWAY_ASSIGN_OR_RETURN(file.manifest_, find_manifest(file));
    if (file.manifest_ && file.manifest_->program_xxh3 != xxh3_hex(program)) {
      return invalid_file("its program does not have the manifest's checksum; it is damaged");
    }
    if (file.manifest_) tables.manifest = &*file.manifest_;
    SLIPWAY_RETURN_IF_ERROR(check_plans(tables));
    if (file.manifest_) return check_manifest(*file.manifest_, tables);
    return {};
  }();
  if (!status.ok()) return status.error().with_context(name);
  return file;
}

const fb::ExecutionPlan* File::plan(const std::string& method) const {
  for (const fb::ExecutionPlan* plan : *program_->execution_plan()) {
    if (view(plan->name()) == method) return plan;
  }
  return nullptr;
}

Result<std::span<const std::byte>> File::segment(size_t index) const {
  if (index >= count(program_->segments())) {
    return invalid_argument("{}: there is no segment {}", name_, index);
  }
  const fb::DataSegment& segment =
      *program_->segments()->Get(static_cast<flatbuffers::uoffset_t>(index));
  return bytes().subspan(segment_base_ + segment.offset(), segment.size());
}

std::span<const std::byte> File::blob(const fb::BackendDelegate& delegate) const {
  const fb::BackendDelegateDataReference& data = *delegate.processed();
  if (data.location() == fb::DataLocation::SEGMENT) {
    const auto bytes = segment(data.index());
    return bytes.ok() ? *bytes : std::span<const std::byte>();
  }
  const auto* bytes = program_->backend_delegate_data()->Get(data.index())->data();
  return std::as_bytes(std::span(bytes->data(), bytes->size()));
}

std::optional<std::span<const std::byte>> File::named_data(const std::string& key) const {
  for (size_t i = 0; i < count(program_->named_data()); ++i) {
    const fb::NamedData& entry =
        *program_->named_data()->Get(static_cast<flatbuffers::uoffset_t>(i));
    if (view(entry.key()) != key) continue;
    auto bytes = segment(entry.segment_index());
    if (bytes.ok()) return *bytes;
  }
  return std::nullopt;
}

Status File::verify_segment(const engine::ManifestSegment& expected) const {
  SLIPWAY_ASSIGN_OR_RETURN(const auto bytes, segment(expected.index));
  if (xxh3_hex(bytes) == expected.xxh3) return {};
  return invalid_file(
      "{}: segment {} ({}) does not have its checksum; the file is damaged: copy it again, or "
      "compile the model again",
      name_, expected.index, expected.content);
}

Status File::verify_engines(const std::string& method) const {
  const engine::ManifestMethod* known = described(method);
  if (known == nullptr) return {};
  std::unordered_set<uint32_t> engines;  // segments; several engines may share one
  for (const engine::ManifestEngine& engine : known->engines) {
    engines.insert(engine.segment);
    for (const engine::ManifestEngine& variant : engine.variants) engines.insert(variant.segment);
  }
  return verify_engines(std::move(engines));
}

Status File::verify_engine(uint32_t segment) const {
  return manifest_ ? verify_engines(std::unordered_set{segment}) : Status();
}

Status File::verify_engines(std::unordered_set<uint32_t> segments) const {
  for (const engine::ManifestSegment& expected : manifest_->segments) {
    if (segments.erase(expected.index) != 0) SLIPWAY_RETURN_IF_ERROR(verify_segment(expected));
  }
  if (segments.empty()) return {};
  return invalid_file("{}: segment {}, an engine, has no checksum", name_, *segments.begin());
}

Status File::verify_checksums() const {
  if (!manifest_) {
    return not_found("{}: it has no manifest, so there are no checksums to compare", name_);
  }
  std::vector<bool> covered(count(program_->segments()), false);
  for (size_t i = 0; i < count(program_->named_data()); ++i) {
    const fb::NamedData& entry =
        *program_->named_data()->Get(static_cast<flatbuffers::uoffset_t>(i));
    // The manifest itself was compared when it was read.
    if (view(entry.key()) == engine::kManifestKey) covered[entry.segment_index()] = true;
  }
  for (const engine::ManifestSegment& expected : manifest_->segments) {
    SLIPWAY_RETURN_IF_ERROR(verify_segment(expected));
    covered[expected.index] = true;
  }
  uint64_t end = program_size_;
  const auto is_padding = [&](uint64_t from, uint64_t to) {
    const auto gap = bytes().subspan(from, to - from);
    return std::all_of(gap.begin(), gap.end(), [](std::byte byte) { return byte == std::byte{0}; });
  };
  for (size_t i = 0; i < covered.size(); ++i) {
    if (!covered[i]) return invalid_file("{}: segment {} has no checksum", name_, i);
    SLIPWAY_ASSIGN_OR_RETURN(const auto bytes_of_segment, segment(i));
    const auto start = static_cast<uint64_t>(bytes_of_segment.data() - bytes().data());
    if (start - end > kMaxPadding || !is_padding(end, start)) {
      return invalid_file("{}: the padding before segment {} is damaged", name_, i);
    }
    end = start + bytes_of_segment.size();
  }
  // A file that grew, perhaps without bounds, is not read to its end.
  if (bytes().size() - end > kMaxPadding || !is_padding(end, bytes().size())) {
    return invalid_file("{}: the padding after the last segment is damaged", name_);
  }
  return {};
}

}  // namespace slipway::pte
