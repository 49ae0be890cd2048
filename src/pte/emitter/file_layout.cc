#include "pte/emitter/file_layout.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/try.h"
#include "engine/record.h"
#include "pte/emitter/program_writer.h"
#include "pte/format/layout.h"

namespace slipway::pte {

namespace {

struct Segment {
  uint64_t size = 0;
  ByteProducer producer;
  uint64_t alignment = 0;
  const PieceList* pieces = nullptr;  // what the producer sends, where it lies somewhere
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

// The largest of them, if it is large enough to have a place of its own (engine/record.h).
std::optional<size_t> find_large(const std::vector<EngineData>& engines) {
  const auto size = [](const EngineData& engine) {
    return engine.pieces.size() - engine.header_size;
  };
  const auto largest =
      std::max_element(engines.begin(), engines.end(),
                       [&](const auto& a, const auto& b) { return size(a) < size(b); });
  if (largest == engines.end() || size(*largest) < engine::kLargeEngine ||
      largest->header_size > engine::kLargeEngineOffset) {
    return std::nullopt;
  }
  return static_cast<size_t>(largest - engines.begin());
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
  parts.engines.resize(file_data.engines.size());
  auto add_engine = [&](size_t i) {
    const PieceList& engine = file_data.engines[i].pieces;
    auto producer = [engine](const ByteSink& sink) { return engine.write(sink); };
    parts.engines[i] =
        add_segment({engine.size(), std::move(producer), kEngineAlignment, &engine}, "engine");
  };
  const std::optional<size_t> large = find_large(file_data.engines);
  if (large) {
    parts.least_base = engine::kLargeEngineOffset - file_data.engines[*large].header_size;
    add_engine(*large);
  }
  const SegmentData& constants = file_data.constants.segment();
  const SegmentData& mutable_buffers = file_data.mutable_buffers.segment();
  // Without constants the list of offsets still has its first entry: a file that has no list at all
  // is taken for one of an older format.
  parts.constants =
      constants.empty() ? Subsegments{0, constants.offsets()} : add_data(constants, "constants");
  if (!mutable_buffers.empty()) parts.mutable_data = add_data(mutable_buffers, "mutable");
  for (size_t i = 0; i < file_data.engines.size(); ++i) {
    if (large != i) add_engine(i);
  }
  parts.base_alignment = file_data.engines.empty() ? kSegmentAlignment : kEngineAlignment;
  for (size_t i = 0; i < methods.size(); ++i) {
    for (size_t j = 0; j < methods[i].plan.delegates.size(); ++j) {
      engine::ManifestEngine& engine = manifest.methods[i].engines[j];
      engine.segment = parts.engines[methods[i].plan.delegates[j].engine];
      for (engine::ManifestEngine& variant : engine.variants) {
        const std::string key = engine::variant_key(engine.record, variant.record.target);
        variant.segment = parts.engines[file_data.variants.at(key)];
      }
    }
  }
  for (const auto& [key, engine] : file_data.variants) {
    parts.named_data.push_back({key, parts.engines[engine]});
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
  pieces.pad_to(segment_base(parts, pieces.size()));
  for (size_t i = 0; i < segments.size(); ++i) {
    Segment& segment = segments[i];
    pieces.align(segment.alignment);
    ByteProducer producer = checksummed(std::move(segment.producer), checksums, i);
    if (segment.pieces != nullptr) {
      pieces.add(*segment.pieces, std::move(producer));
    } else {
      pieces.add(segment.size, std::move(producer));
    }
  }
  pieces.align(kSegmentAlignment);
  pieces.add(manifest_size, manifest_producer(checksums));
  return pieces;
}

}  // namespace slipway::pte
