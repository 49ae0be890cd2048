#include "stand_in/format/description.h"

#include "stand_in/format/blob.h"

namespace slipway::stand_in {

namespace {

bool is_engine(std::span<const std::byte> bytes) { return begins_engine(bytes); }

}  // namespace

const engine::Description kDescription = {
    .name = "stand_in",
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

namespace slipway::stand_in_twin {

const engine::Description kDescription = {
    .name = "stand_in_twin",
    .title = "the stand-in's twin",
    .backend = "StandInTwinBackend",
    .remedy = "link tests/stand_in into the program",
    .header = stand_in::header_of,
    .engine_of = stand_in::engine_of,
};

}  // namespace slipway::stand_in_twin
