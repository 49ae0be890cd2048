#include "cuda/delegate/refuse.h"

#include "cuda/options/options.h"
#include "delegate/log.h"

namespace slipway::cuda {

namespace et = executorch::runtime;

et::Error refuse(const Error& error) { return refuse(error, to_executorch(error.code())); }

et::Error refuse(const Error& error, et::Error code) {
  delegate::log_error(kTitle, error.message());
  return code;
}

}  // namespace slipway::cuda
