#include "compile/engine_choices.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/try.h"
#include "engine_list/registry.h"

namespace slipway {
namespace {

using engine::BlobChange;

// What becomes of a part of a file that begins at `offset` of it.
Result<PieceList> changed(const OwnedSpan& part, std::vector<BlobChange> changes) {
  std::sort(changes.begin(), changes.end(),
            [](const BlobChange& a, const BlobChange& b) { return a.offset < b.offset; });
  PieceList pieces;
  const auto keep_up_to = [&](uint64_t end) -> Status {
    if (end < pieces.size() || end > part.bytes.size()) {
      return internal_error("changes of a file overlap, or lie outside of it");
    }
    if (end == pieces.size()) return {};
    pieces.add(OwnedSpan{part.bytes.subspan(pieces.size(), end - pieces.size()), part.owner});
    return {};
  };
  for (BlobChange& change : changes) {
    SLIPWAY_RETURN_IF_ERROR(keep_up_to(change.offset));
    const auto bytes = std::make_shared<const std::vector<std::byte>>(std::move(change.bytes));
    pieces.add(OwnedSpan{*bytes, bytes});
  }
  SLIPWAY_RETURN_IF_ERROR(keep_up_to(part.bytes.size()));
  return pieces;
}

struct Digests {
  std::string xxh3;
  std::string sha256;
};

// Of a segment, and of the engine in it, which is behind a header.
Result<Digests> digests_of(const PieceList& segment, uint64_t header) {
  Xxh3 xxh3;
  Sha256 sha256;
  SLIPWAY_RETURN_IF_ERROR(segment.write([&](std::span<const std::byte> bytes) {
    xxh3.update(bytes);
    const uint64_t skipped = std::min<uint64_t>(header, bytes.size());
    header -= skipped;
    sha256.update(bytes.subspan(skipped));
    return Status();
  }));
  return Digests{xxh3.hex(), sha256.hex()};
}

uint64_t place_in(const pte::File& file, std::span<const std::byte> part) {
  return static_cast<uint64_t>(part.data() - file.bytes().data());
}

}  // namespace

Result<std::vector<ChoosingEngine>> choosing_engines(const pte::File& file) {
  std::vector<ChoosingEngine> found;
  if (!file.manifest()) return found;
  const engine::Manifest& manifest = *file.manifest();
  for (const engine::ManifestMethod& method : manifest.methods) {
    for (size_t i = 0; i < method.engines.size(); ++i) {
      const engine::ManifestEngine& made = method.engines[i];
      const engine::Description* known = engine_list::find_backend(made.record.backend);
      if (known == nullptr || known->choose == nullptr) continue;
      SLIPWAY_ASSIGN_OR_RETURN(const auto blob, file.segment(made.segment));
      const auto choices = known->count_choices(blob);
      if (!choices.ok()) {
        return choices.error().with_context(fmt::format("engine {} of {}", i, method.name));
      }
      const auto segment =
          std::find_if(manifest.segments.begin(), manifest.segments.end(),
                       [&](const auto& candidate) { return candidate.index == made.segment; });
      if (*choices == 0 || segment == manifest.segments.end()) continue;
      found.push_back({method.name, static_cast<uint32_t>(i), made.segment, made.record.backend,
                       segment->xxh3});
    }
  }
  return found;
}

Result<PieceList> with_choices(const pte::File& file,
                               const std::map<uint32_t, engine::Choices>& segments) {
  engine::Manifest manifest = *file.manifest();
  std::vector<BlobChange> changes;
  std::map<uint32_t, Digests> digests;
  for (engine::ManifestMethod& method : manifest.methods) {
    for (engine::ManifestEngine& made : method.engines) {
      const auto chosen = segments.find(made.segment);
      if (chosen == segments.end()) continue;
      const auto [known, is_new] = digests.try_emplace(made.segment);
      if (is_new) {
        SLIPWAY_ASSIGN_OR_RETURN(const auto blob, file.segment(made.segment));
        SLIPWAY_ASSIGN_OR_RETURN(
            std::vector<BlobChange> own,
            engine_list::find_backend(made.record.backend)->choose(blob, chosen->second));
        SLIPWAY_ASSIGN_OR_RETURN(const PieceList segment, changed({blob, file.owner()}, own));
        SLIPWAY_ASSIGN_OR_RETURN(known->second, digests_of(segment, made.header_size));
        for (BlobChange& change : own) {
          change.offset += place_in(file, blob);
          changes.push_back(std::move(change));
        }
      }
      made.record.sha256 = known->second.sha256;
    }
  }
  for (engine::ManifestSegment& segment : manifest.segments) {
    const auto known = digests.find(segment.index);
    if (known != digests.end()) segment.xxh3 = known->second.xxh3;
  }
  const auto old = file.named_data(std::string(engine::kManifestKey));
  const std::string text = engine::write_manifest(manifest);
  if (!old || old->size() != text.size()) {
    return unsupported(
        "{} was written by another version of Slipway, whose manifest this one can't write: "
        "compile it again",
        file.name());
  }
  const auto bytes = std::as_bytes(std::span(text));
  changes.push_back({place_in(file, *old), {bytes.begin(), bytes.end()}});
  return changed({file.bytes(), file.owner()}, std::move(changes));
}

}  // namespace slipway
