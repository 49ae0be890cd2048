#include "pte/emitter/file_layout.h"

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/try.h"
#include "pte/emitter/program_writer.h"
#include "pte/format/layout.h"

namespace slipway::pte {

namespace {

struct Segment {
  uint64_t size = 0;
  ByteProducer producer;
  uint64_t alignment = 0;
};

// The checksums that the manifest needs, as the pieces before it are written.
struct Checksums {
  std::mutex mutex;
  engine::Manifest manifest;
};

// Passes the segment's bytes on and notes their checksum.
ByteProducer checksummed(ByteProducer producer, std::shared_ptr<Checksums> checksums,
                         size_t entry) {
  return [producer = std::move(producer), checksums = std::move(checksums),
          entry](const ByteSink& sink) -> Status {
    Xxh3 hash;
    SLIPWAY_RETURN_IF_ERROR(producer([&](std::span<const std::byte> bytes) -> Status {
      hash.update(bytes);
      return sink(bytes);
    }));
    std::lock_guard lock(checksums->mutex);
    checksums->manifest.segments[entry].xxh3 = hash.hex();
    return {};
  };
}

ByteProducer manifest_producer(std::shared_ptr<Checksums> checksums) {
  return [checksums = std::move(checksums)](const ByteSink& sink) -> Status {
    std::unique_lock lock(checksums->mutex);
    const std::string json = engine::write_manifest(checksums->manifest);
    lock.unlock();
    return sink(std::as_bytes(std::span(json)));
  };
}

}  // namespace

Result<PieceList> lay_out(const std::vector<EmittedMethod>& methods, const FileData& file_data,
                          engine::Manifest manifest) {
  ProgramParts parts;
  for (const EmittedMethod& method : methods) parts.plans.push_back(&method.plan);
  std::vector<Segment> segments;
  auto add_segment = [&](Segment segment, const char* content) {
    auto index = static_cast<uint32_t>(segments.size());
    manifest.segments.push_back({index, content, segment.size, std::string(kXxh3HexDigits, '0')});
    segments.push_back(std::move(segment));
    return index;
  };
  auto add_data = [&](const SegmentData& data, const char* content) {
    const uint32_t index = add_segment({data.size(), data.producer(), kSegmentAlignment}, content);
    return Subsegments{index, data.offsets()};
  };
  const SegmentData& constants = file_data.constants.segment();
  const SegmentData& mutable_buffers = file_data.mutable_buffers.segment();
  // Without constants the list of offsets still has its first entry: a file that has no list at all
  // is taken for one of an older format.
  parts.constants =
      constants.empty() ? Subsegments{0, constants.offsets()} : add_data(constants, "constants");
  if (!mutable_buffers.empty()) parts.mutable_data = add_data(mutable_buffers, "mutable");
  parts.first_engine = static_cast<uint32_t>(segments.size());
  for (const PieceList& engine : file_data.engines) {
    auto producer = [engine](const ByteSink& sink) { return engine.write(sink); };
    add_segment({engine.size(), std::move(producer), kEngineAlignment}, "engine");
  }
  parts.base_alignment = file_data.engines.empty() ? kSegmentAlignment : kEngineAlignment;
  for (size_t i = 0; i < methods.size(); ++i) {
    for (size_t j = 0; j < methods[i].plan.delegates.size(); ++j) {
      engine::ManifestEngine& engine = manifest.methods[i].engines[j];
      engine.segment = parts.first_engine + methods[i].plan.delegates[j].engine;
      for (engine::ManifestEngine& variant : engine.variants) {
        const std::string key = engine::variant_key(engine.record, variant.record.target);
        variant.segment = parts.first_engine + file_data.variants.at(key);
      }
    }
  }
  for (const auto& [key, engine] : file_data.variants) {
    parts.named_data.push_back({key, parts.first_engine + engine});
  }
  manifest.program_xxh3.assign(kXxh3HexDigits, '0');
  const uint64_t manifest_size = engine::write_manifest(manifest).size();
  parts.named_data.push_back(
      {std::string(engine::kManifestKey), static_cast<uint32_t>(segments.size())});

  uint64_t end = 0;
  auto place = [&](uint64_t size, uint64_t alignment) -> Status {
    auto offset = checked_align(end, alignment);
    auto segment_end = offset ? checked_add(*offset, size) : std::nullopt;
    if (!segment_end) return resource_exhausted("the program's data does not fit in a file");
    parts.segments.push_back({*offset, size});
    end = *segment_end;
    return {};
  };
  for (const Segment& segment : segments) {
    SLIPWAY_RETURN_IF_ERROR(place(segment.size, segment.alignment));
  }
  SLIPWAY_RETURN_IF_ERROR(place(manifest_size, kSegmentAlignment));

  SLIPWAY_ASSIGN_OR_RETURN(std::vector<std::byte> program, write_program(parts));
  manifest.program_xxh3 = xxh3_hex(program);

  auto checksums = std::make_shared<Checksums>();
  checksums->manifest = std::move(manifest);
  PieceList pieces;
  pieces.add(own_bytes(std::move(program)));
  pieces.align(parts.base_alignment);
  for (size_t i = 0; i < segments.size(); ++i) {
    pieces.align(segments[i].alignment);
    pieces.add(segments[i].size, checksummed(std::move(segments[i].producer), checksums, i));
  }
  pieces.align(kSegmentAlignment);
  pieces.add(manifest_size, manifest_producer(checksums));
  return pieces;
}

}  // namespace slipway::pte
