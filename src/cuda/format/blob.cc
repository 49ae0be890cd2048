#include "cuda/format/blob.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "base/checked.h"
#include "base/error.h"
#include "base/try.h"
#include "cuda/format/check.h"

namespace slipway::cuda {
namespace {

constexpr uint32_t kVersion = 1;
constexpr size_t kTableAlignment = 16;
// Of tables, which a damaged file may nest and repeat.
constexpr uint32_t kMostDepth = 8;
constexpr uint32_t kMostTables = 1 << 22;
constexpr size_t kMostTableBytes = size_t{256} << 20;

struct Range {
  uint64_t offset = 0;
  uint64_t size = 0;
};

// As it lies in the file, whose numbers are little-endian.
struct Header {
  std::array<char, 8> magic = {};
  uint32_t version = kVersion;
  uint32_t reserved = 0;
  Range table;
  Range images;
  Range constants;
};
static_assert(sizeof(Header) == 64);

template <class Vector>
uint64_t bytes_of(const Vector* vector) {
  return vector == nullptr ? 0 : uint64_t{vector->size()} * sizeof(*vector->data());
}

uint64_t bytes_of(const table::LibraryGraph& graph) {
  uint64_t sum = bytes_of(graph.origin()) + bytes_of(graph.plan());
  for (const auto* numbers : {graph.strides(), graph.pads(), graph.dilations()}) {
    sum += bytes_of(numbers);
  }
  if (graph.tensors() == nullptr) return sum;
  for (const table::GraphTensor* tensor : *graph.tensors()) {
    sum += bytes_of(tensor->sizes()) + bytes_of(tensor->strides());
  }
  return sum;
}

// A damaged table may name the same list many times over, and so describe more than there is
// memory for: what its lists take together has to be there.
Status check_sizes(const table::Engine& engine, uint64_t table_bytes) {
  uint64_t sum = 0;
  const auto add = [&](uint64_t bytes) { sum += bytes; };
  if (engine.steps() != nullptr) {
    for (uint32_t i = 0; i < engine.steps()->size(); ++i) {
      const table::Step type = engine.steps_type()->Get(i);
      if (type == table::Step::Product) {
        const auto* const product = engine.steps()->GetAs<table::Product>(i);
        add(bytes_of(product->origin()) + bytes_of(product->plan()));
      }
      if (type == table::Step::LibraryGraph) {
        add(bytes_of(*engine.steps()->GetAs<table::LibraryGraph>(i)));
      }
      if (type != table::Step::Launch) continue;
      const auto* const launch = engine.steps()->GetAs<table::Launch>(i);
      for (const auto* list :
           {launch->grid(), launch->block(), launch->reads(), launch->writes()}) {
        add(bytes_of(list));
      }
      add(bytes_of(launch->arguments()));
      add(bytes_of(launch->origin()));
      add(bytes_of(launch->plan()));
      add(bytes_of(launch->target()));
    }
  }
  for (const auto* ports : {engine.inputs(), engine.outputs()}) {
    if (ports == nullptr) continue;
    for (const table::Port* port : *ports) add(bytes_of(port->sizes()) + bytes_of(port->name()));
  }
  for (const auto* texts : {engine.kernels(), engine.flags()}) {
    if (texts == nullptr) continue;
    for (const flatbuffers::String* text : *texts) add(bytes_of(text));
  }
  if (engine.images() != nullptr) {
    for (const table::Image* image : *engine.images()) add(bytes_of(image->target()));
  }
  for (const auto* numbers : {engine.choices(), engine.device(), engine.plans()})
    add(bytes_of(numbers));
  if (sum <= table_bytes) return {};
  return invalid_file("its table of {} bytes describes {}", table_bytes, sum);
}

// A table at an address that it can be read at, wherever it lies in the file.
class AlignedTable {
 public:
  explicit AlignedTable(std::span<const std::byte> bytes)
      : words_((bytes.size() + sizeof(uint64_t) - 1) / sizeof(uint64_t)) {
    std::memcpy(words_.data(), bytes.data(), bytes.size());
  }
  const uint8_t* data() const { return reinterpret_cast<const uint8_t*>(words_.data()); }

 private:
  std::vector<uint64_t> words_;
};

Result<table::EngineT> read_table(std::span<const std::byte> bytes) {
  if (bytes.empty()) return invalid_file("it has no table");
  if (bytes.size() > kMostTableBytes) {
    return invalid_file("its table has {} bytes; {} are the most", bytes.size(), kMostTableBytes);
  }
  const AlignedTable aligned(bytes);
  flatbuffers::Verifier verifier(aligned.data(), bytes.size(), kMostDepth, kMostTables);
  if (!table::VerifyEngineBuffer(verifier)) return invalid_file("its table is damaged");
  const table::Engine& engine = *table::GetEngine(aligned.data());
  SLIPWAY_RETURN_IF_ERROR(check_sizes(engine, bytes.size()));
  table::EngineT unpacked;
  engine.UnPackTo(&unpacked);
  return unpacked;
}

Result<std::span<const std::byte>> part(std::span<const std::byte> bytes, const Range& range,
                                        const char* what) {
  if (range.offset >= sizeof(Header) && range_fits(range.offset, range.size, bytes.size())) {
    return bytes.subspan(range.offset, range.size);
  }
  return invalid_file(
      "{} of {} bytes at {} do not lie within the {} bytes of the engine: it is cut "
      "short or damaged",
      what, range.size, range.offset, bytes.size());
}

}  // namespace

Status write_blob(table::EngineT& engine, std::span<const std::string> images,
                  const PieceList& constants, const ByteSink& sink) {
  if (images.size() != engine.images.size()) {
    return internal_error("{} images for {} targets", images.size(), engine.images.size());
  }
  uint64_t image_bytes = 0;
  for (size_t i = 0; i < images.size(); ++i) {
    engine.images[i]->offset = image_bytes;
    engine.images[i]->size = images[i].size();
    image_bytes += images[i].size();
  }
  engine.constant_bytes = constants.size();
  if (const Status checked = check_engine(engine, image_bytes); !checked.ok()) {
    return internal_error("the engine that was made is wrong: {}", checked.error().message());
  }
  flatbuffers::FlatBufferBuilder builder;
  table::FinishEngineBuffer(builder, table::Engine::Pack(builder, &engine));

  Header header;
  std::memcpy(header.magic.data(), kMagic.data(), kMagic.size());
  const auto bytes_of = [](const void* data, size_t size) {
    return OwnedSpan{{static_cast<const std::byte*>(data), size}, nullptr};
  };
  PieceList pieces;
  pieces.add(bytes_of(&header, sizeof header));
  header.table = {pieces.add(bytes_of(builder.GetBufferPointer(), builder.GetSize())),
                  builder.GetSize()};
  pieces.align(kTableAlignment);
  header.images = {pieces.size(), image_bytes};
  for (const std::string& image : images) pieces.add(bytes_of(image.data(), image.size()));
  pieces.align(kConstantsAlignment);
  header.constants = {pieces.size(), constants.size()};
  pieces.add(constants.size(), [&](const ByteSink& to) { return constants.write(to); });
  return pieces.write(sink);
}

bool begins_blob(std::span<const std::byte> bytes) {
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())
      .starts_with(kMagic);
}

Result<Blob> read_blob(std::span<const std::byte> bytes) {
  if (!begins_blob(bytes)) return invalid_file("it does not begin with {}", kMagic);
  if (bytes.size() < sizeof(Header)) {
    return invalid_file("it is cut short: {} bytes", bytes.size());
  }
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.version != kVersion) {
    return invalid_file(
        "it is of version {}, and this version of Slipway reads {}: compile the "
        "model again, or use a newer Slipway",
        header.version, kVersion);
  }
  Blob blob;
  SLIPWAY_ASSIGN_OR_RETURN(const auto table, part(bytes, header.table, "its table"));
  SLIPWAY_ASSIGN_OR_RETURN(blob.images, part(bytes, header.images, "its kernels"));
  SLIPWAY_ASSIGN_OR_RETURN(blob.constants, part(bytes, header.constants, "its constants"));
  if (header.constants.offset % kConstantsAlignment != 0) {
    return invalid_file("its constants begin at {}", header.constants.offset);
  }
  SLIPWAY_ASSIGN_OR_RETURN(blob.engine, read_table(table));
  if (blob.engine.constant_bytes != blob.constants.size()) {
    return invalid_file("it has {} bytes of constants, and its table says {}",
                        blob.constants.size(), blob.engine.constant_bytes);
  }
  SLIPWAY_RETURN_IF_ERROR(check_engine(blob.engine, blob.images.size()));
  return blob;
}

Result<ChoicePlaces> find_choices(std::span<const std::byte> bytes) {
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  SLIPWAY_ASSIGN_OR_RETURN(const auto table, part(bytes, header.table, "its table"));
  const AlignedTable aligned(table);
  const table::Engine& engine = *table::GetEngine(aligned.data());
  const auto place = [&](const flatbuffers::Vector<uint8_t>& numbers) {
    return header.table.offset + static_cast<uint64_t>(numbers.data() - aligned.data());
  };
  ChoicePlaces places = {place(*engine.choices()), place(*engine.device()), std::nullopt};
  if (engine.plans() != nullptr) places.plans = place(*engine.plans());
  return places;
}

}  // namespace slipway::cuda
