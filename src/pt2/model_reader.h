// The program in an archive's JSON.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "ir/program.h"
#include "pt2/weights.h"
#include "slipway/result.h"

namespace slipway::pt2 {

// The one that is read and written.
inline constexpr int64_t kSchemaMajor = 8;

// That the document's schema is one that Slipway reads.
Status check_schema_version(const JsonDocument& document);

// Requires that. `source` is the archive's path, for messages. What ir::verify refuses is an error
// of the file.
Result<ir::Program> read_model(const JsonDocument& document, const std::string& source,
                               const Weights& state, const Weights& constants);

}  // namespace slipway::pt2
