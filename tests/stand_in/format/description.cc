#include "stand_in/format/description.h"

#include "stand_in/format/blob.h"

namespace slipway::stand_in {

namespace {

bool is_engine(std::span<const std::byte> bytes) { return begins_engine(bytes); }

}  // namespace

const engine::Description kDescription = {
    .name = kName,
    .title = "the stand-in",
    .backend = "StandInBackend",
    .remedy = "link tests/stand_in into the program",
    .header = header_of,
    .engine_of = engine_of,
    .is_bare_engine = is_engine,
    .bare_engine = "engine of the stand-in",
    .bare_engine_tools = "tests",
};

}  // namespace slipway::stand_in
