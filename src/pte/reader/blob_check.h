// What delegates are given, where their descriptions can check it, and the calls of it.
#pragma once

#include <cstdint>
#include <span>

#include "pte/reader/kernel_check.h"
#include "pte/reader/tables.h"
#include "slipway/result.h"

namespace slipway::pte {

// What calls of the delegate give and get; null where nothing checks its blob. An error where the
// blob does not pass. The place of its data is checked.
Result<const std::vector<engine::BlobEnd>*> check_blob(const Tables& tables,
                                                       const fb::BackendDelegate& delegate);

// Whether the arguments, whose indices are in range and which have memory, are what the blob
// takes.
Status check_blob_call(std::span<const engine::BlobEnd> ends, std::span<const int32_t> args,
                       const ValueView& values);

}  // namespace slipway::pte
