#include "pte/reader/layout_check.h"

#include <unordered_set>

#include "base/checked.h"
#include "base/try.h"

namespace slipway::pte {
namespace {

Status check_subsegments(const Tables& tables, const fb::SubsegmentOffsets& subsegments,
                         std::string_view what) {
  // Entry 0 is a placeholder; a list of it alone needs no segment.
  if (count(subsegments.offsets()) <= 1) return {};
  if (subsegments.segment_index() >= tables.segments.size()) {
    return invalid_file("{} is in segment {} of {}", what, subsegments.segment_index(),
                        tables.segments.size());
  }
  SLIPWAY_RETURN_IF_ERROR(check_aligned(*subsegments.offsets()));
  const uint64_t size = tables.segments[subsegments.segment_index()].size;
  for (const uint64_t offset : *subsegments.offsets()) {
    if (offset > size) {
      return invalid_file("{} has an offset {} in a segment of {} bytes", what, offset, size);
    }
  }
  return {};
}

Status check_named_data(const Tables& tables) {
  const auto* named_data = tables.program.named_data();
  if (named_data == nullptr) return {};
  if (named_data->size() > kMaxSegments) {
    return invalid_file("it has {} pieces of named data", named_data->size());
  }
  std::unordered_set<std::string_view> keys;
  for (const fb::NamedData* entry : *named_data) {
    SLIPWAY_RETURN_IF_ERROR(check_text(entry->key(), "a key of named data"));
    if (!keys.insert(view(entry->key())).second) {
      return invalid_file("named data \"{}\" is there twice", view(entry->key()));
    }
    if (entry->segment_index() >= tables.segments.size()) {
      return invalid_file("named data \"{}\" is in segment {} of {}", view(entry->key()),
                          entry->segment_index(), tables.segments.size());
    }
  }
  return {};
}

}  // namespace

Result<std::vector<Segment>> read_segments(const fb::Program& program, const Header& header,
                                           uint64_t file_size) {
  std::vector<Segment> segments;
  if (count(program.segments()) == 0) return segments;
  if (program.segments()->size() > kMaxSegments) {
    return invalid_file("it has {} segments", program.segments()->size());
  }
  const uint64_t limit = header.segment_end.value_or(file_size);
  uint64_t end = header.segment_base;
  for (const fb::DataSegment* entry : *program.segments()) {
    const auto offset = checked_add(header.segment_base, entry->offset());
    if (!offset || *offset < end || !range_fits(*offset, entry->size(), limit)) {
      return invalid_file("segment {}, {} bytes at {}, is not between {} and {}", segments.size(),
                          entry->size(), entry->offset(), end - header.segment_base,
                          limit - header.segment_base);
    }
    segments.push_back({*offset, entry->size()});
    end = *offset + entry->size();
  }
  return segments;
}

Status check_layout(const Tables& tables) {
  const fb::Program& program = tables.program;
  if (const auto* constants = program.constant_segment()) {
    SLIPWAY_RETURN_IF_ERROR(check_subsegments(tables, *constants, "constant_segment"));
    if (count(constants->offsets()) > 1 && count(program.constant_buffer()) > 0) {
      return invalid_file("it has both constant_segment and constant_buffer");
    }
  }
  if (count(program.mutable_data_segments()) > kMaxSegments) {
    return invalid_file("it has {} mutable data segments", program.mutable_data_segments()->size());
  }
  for (size_t i = 0; i < count(program.mutable_data_segments()); ++i) {
    SLIPWAY_RETURN_IF_ERROR(check_subsegments(
        tables, *program.mutable_data_segments()->Get(static_cast<flatbuffers::uoffset_t>(i)),
        "mutable_data_segments"));
  }
  if (program.backend_delegate_data() != nullptr) {
    for (const fb::BackendDelegateInlineData* data : *program.backend_delegate_data()) {
      if (data->data() == nullptr) return invalid_file("a delegate's inline data is missing");
    }
  }
  return check_named_data(tables);
}

}  // namespace slipway::pte
