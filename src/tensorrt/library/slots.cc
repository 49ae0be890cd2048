#include "tensorrt/library/slots.h"

#include <array>

#include "base/error.h"

namespace slipway::tensorrt {

int Slot::of(Version version) const {
  switch (version.family) {
    case Family::kT10:
      return version.minor >= first_minor_of_t10 ? in_t10 : -1;
    case Family::kT11:
      return in_t11;
    case Family::kRtx:
      return in_rtx;
  }
  return -1;
}

std::span<const Slot> slots() {
  static constexpr auto kSlots = std::to_array<Slot>({
#define SLIPWAY_METHOD(type, method, signature, t10, t11, rtx, first_minor) \
  {#type, #method, t10, t11, rtx, first_minor},
      SLIPWAY_TENSORRT_METHODS(SLIPWAY_METHOD)
#undef SLIPWAY_METHOD
  });
  return kSlots;
}

Status require(Version version, Method method) {
  const Slot& entry = slot(method);
  if (entry.of(version) >= 0) return {};
  if (version.family == Family::kT10 && entry.in_t10 >= 0) {
    return unsupported("{} has no {}: 10.{} or later is needed", version.name(), entry.method,
                       entry.first_minor_of_t10);
  }
  return unsupported("{} has no {}", version.name(), entry.method);
}

}  // namespace slipway::tensorrt
