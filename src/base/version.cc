#include "slipway/version.h"

namespace slipway {

const char* version() { return SLIPWAY_VERSION; }

}  // namespace slipway
