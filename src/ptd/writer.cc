#include "ptd/writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "ptd/flat_tensor_generated.h"
#include "ptd/layout.h"

namespace slipway::ptd {
namespace {

namespace fb = flat_tensor_flatbuffer;

template <class Integer>
void append(std::vector<std::byte>& bytes, Integer value) {
  const auto* begin = reinterpret_cast<const std::byte*>(&value);
  bytes.insert(bytes.end(), begin, begin + sizeof value);
}

void append(std::vector<std::byte>& bytes, std::string_view text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  bytes.insert(bytes.end(), begin, begin + text.size());
}

}  // namespace

Result<PieceList> lay_out(const std::vector<NamedBytes>& entries, uint64_t first_offset) {
  flatbuffers::FlatBufferBuilder fbb;
  std::vector<flatbuffers::Offset<fb::DataSegment>> segments;
  std::vector<flatbuffers::Offset<fb::NamedData>> named;
  uint64_t end = 0;
  for (const NamedBytes& entry : entries) {
    const auto offset = checked_align(end, kSegmentAlignment);
    const auto next = offset ? checked_add(*offset, entry.bytes.size()) : std::nullopt;
    if (!next) return resource_exhausted("the program's engines do not fit in a file");
    named.push_back(fb::CreateNamedData(fbb, fbb.CreateString(entry.key),
                                        static_cast<uint32_t>(segments.size())));
    segments.push_back(fb::CreateDataSegment(fbb, *offset, entry.bytes.size()));
    end = *next;
  }
  const auto segments_offset = fbb.CreateVector(segments);
  const auto named_offset = fbb.CreateVector(named);
  fbb.Finish(fb::CreateFlatTensor(fbb, 0, segments_offset, named_offset),
             std::string(kIdentifier).c_str());

  const uint64_t tables_end = fbb.GetSize() + kPaddedHeaderLength;
  const uint64_t base = *checked_align(std::max(tables_end, first_offset), kSegmentAlignment);
  std::vector<std::byte> head;
  uint32_t root = 0;
  std::memcpy(&root, fbb.GetBufferPointer(), sizeof root);
  append(head, static_cast<uint32_t>(root + kPaddedHeaderLength));
  append(head, kIdentifier);
  append(head, kHeaderMagic);
  append(head, kHeaderLength);
  append(head, uint64_t{kPaddedHeaderLength});
  append(head, uint64_t{fbb.GetSize()});
  append(head, base);
  append(head, end);
  head.resize(kHeaderOffset + kPaddedHeaderLength);
  const auto* rest = reinterpret_cast<const std::byte*>(fbb.GetBufferPointer());
  head.insert(head.end(), rest + kHeaderOffset, rest + fbb.GetSize());

  PieceList pieces;
  pieces.add(own_bytes(std::move(head)));
  pieces.pad_to(base);
  for (const NamedBytes& entry : entries) {
    pieces.align(kSegmentAlignment);
    pieces.add(entry.bytes);
  }
  return pieces;
}

}  // namespace slipway::ptd
