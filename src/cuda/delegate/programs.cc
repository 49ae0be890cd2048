#include "cuda/delegate/programs.h"

#include <mutex>
#include <set>
#include <utility>

namespace slipway::cuda {
namespace {

struct Entries {
  std::mutex mutex;
  std::multiset<std::pair<std::string, int>> devices;  // an engine each, by programs

  static Entries& get() {
    // Never destroyed: engines may live longer than static destructors wait.
    static auto* const process = new Entries;
    return *process;
  }
};

}  // namespace

ProgramDevice::ProgramDevice(std::string program, int device)
    : program_(std::move(program)), device_(device) {
  Entries& entries = Entries::get();
  const std::lock_guard<std::mutex> lock(entries.mutex);
  entries.devices.emplace(program_, device_);
}

ProgramDevice::~ProgramDevice() {
  Entries& entries = Entries::get();
  const std::lock_guard<std::mutex> lock(entries.mutex);
  entries.devices.erase(entries.devices.find({program_, device_}));
}

std::optional<int> ProgramDevice::of(const std::string& program) {
  Entries& entries = Entries::get();
  const std::lock_guard<std::mutex> lock(entries.mutex);
  const auto first = entries.devices.lower_bound({program, 0});
  if (first == entries.devices.end() || first->first != program) return std::nullopt;
  // They are in order.
  const auto end = entries.devices.lower_bound({program, first->second + 1});
  const bool is_only = end == entries.devices.end() || end->first != program;
  return is_only ? std::optional(first->second) : std::nullopt;
}

}  // namespace slipway::cuda
