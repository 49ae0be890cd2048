// Segments and the lists that refer to them.
#pragma once

#include <vector>

#include "pte/reader/header.h"
#include "pte/reader/tables.h"

namespace slipway::pte {

// The program's segments at their places in the file: in order, apart, within it.
Result<std::vector<Segment>> read_segments(const fb::Program& program, const Header& header,
                                           uint64_t file_size);

// constant_segment, mutable_data_segments, constant_buffer, backend_delegate_data and named_data.
Status check_layout(const Tables& tables);

}  // namespace slipway::pte
