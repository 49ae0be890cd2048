#include "cuda/driver/device.h"

#include <array>

#include "base/error.h"
#include "base/try.h"

namespace slipway::cuda {
namespace {

// CUDA's numbers of attributes and flags.
constexpr int kProcessors = 16;
constexpr int kIntegrated = 18;
constexpr int kHostPages = 100;
constexpr int kMajorCapability = 75;
constexpr int kMinorCapability = 76;
constexpr unsigned kStreamNonBlocking = 1;
constexpr unsigned kEventWithoutTime = 2;

Result<DeviceInfo> describe_device(const Driver& driver, int index, int* device) {
  const Functions& call = driver.call();
  const std::string what = fmt::format("GPU {} can't be described", index);
  DeviceInfo info;
  info.index = index;
  std::array<char, 256> name = {};
  int major = 0;
  int minor = 0;
  int integrated = 0;
  int host_pages = 0;
  SLIPWAY_RETURN_IF_ERROR(driver.check(call.device(device, index), what));
  SLIPWAY_RETURN_IF_ERROR(driver.check(
      call.device_name(name.data(), static_cast<int>(name.size()) - 1, *device), what));
  for (const auto& [attribute, value] : {std::pair(kMajorCapability, &major),
                                         {kMinorCapability, &minor},
                                         {kProcessors, &info.processors},
                                         {kIntegrated, &integrated},
                                         {kHostPages, &host_pages}}) {
    SLIPWAY_RETURN_IF_ERROR(driver.check(call.device_attribute(value, attribute, *device), what));
  }
  info.name = name.data();
  info.capability = major * 10 + minor;
  info.is_integrated = integrated != 0;
  info.has_host_pages = host_pages != 0;
  return info;
}

}  // namespace

Result<std::vector<DeviceInfo>> list_devices(const Driver& driver) {
  std::vector<DeviceInfo> devices;
  for (int i = 0; i < driver.device_count(); ++i) {
    int device = 0;
    SLIPWAY_ASSIGN_OR_RETURN(devices.emplace_back(), describe_device(driver, i, &device));
  }
  return devices;
}

std::string describe(const DeviceInfo& device) {
  return fmt::format("cuda:{} ({}, compute capability {}.{})", device.index, device.name,
                     device.capability / 10, device.capability % 10);
}

Current::~Current() {
  void* context = nullptr;
  if (driver_ != nullptr) driver_->call().pop_context(&context);
}

Result<DevicePointer> Device::open(int index) {
  SLIPWAY_ASSIGN_OR_RETURN(const Driver* driver, Driver::open());
  if (index < 0 || index >= driver->device_count()) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<DeviceInfo> devices, list_devices(*driver));
    std::string there;
    for (const DeviceInfo& device : devices) {
      there += (there.empty() ? "" : ", ") + describe(device);
    }
    return unavailable("there is no cuda:{}: this machine has {}", index,
                       there.empty() ? "no GPU" : there);
  }
  int device = 0;
  SLIPWAY_ASSIGN_OR_RETURN(DeviceInfo info, describe_device(*driver, index, &device));
  void* context = nullptr;
  SLIPWAY_RETURN_IF_ERROR(driver->check(driver->call().retain_context(&context, device),
                                        fmt::format("{} can't be used", describe(info))));
  return std::make_shared<const Device>(*driver, std::move(info), device, context);
}

Device::~Device() { driver_.call().release_context(device_); }

Result<Current> Device::make_current() const {
  SLIPWAY_RETURN_IF_ERROR(driver_.check(driver_.call().push_context(context_), [&] {
    return fmt::format("{} can't be used", describe(info_));
  }));
  return Current(&driver_);
}

std::string Device::memory_text() const {
  size_t free = 0;
  size_t total = 0;
  if (driver_.call().memory_info(&free, &total) != 0) return "free and total are not known";
  return fmt::format("free={}, total={}", free, total);
}

Result<Stream> Stream::create(DevicePointer device) {
  SLIPWAY_ASSIGN_OR_RETURN(const Current current, device->make_current());
  void* handle = nullptr;
  SLIPWAY_RETURN_IF_ERROR(device->driver().check(
      device->driver().call().create_stream(&handle, kStreamNonBlocking),
      [&] { return fmt::format("no stream on {}", describe(device->info())); }));
  return Stream(std::move(device), handle, true);
}

Result<Stream> Stream::borrow(DevicePointer device, void* handle) {
  int state = 0;
  SLIPWAY_RETURN_IF_ERROR(device->driver().check(
      device->driver().call().stream_capture(handle, &state),
      [&] { return fmt::format("the caller's stream is none of {}", describe(device->info())); }));
  if (state != 0)
    return unsupported("the caller's stream is being captured, and a run waits for it");
  return Stream(std::move(device), handle, false);
}

Stream::~Stream() {
  if (!is_own_) return;
  if (const auto current = device_->make_current(); current.ok()) {
    device_->driver().call().destroy_stream(handle_);
  }
}

Status Stream::wait() const {
  return device_->driver().check(device_->driver().call().wait_for_stream(handle_), [&] {
    return fmt::format("work on {} did not end well", describe(device_->info()));
  });
}

Status Stream::wait_for(const Event& event) const {
  return device_->driver().check(
      device_->driver().call().stream_waits(handle_, event.handle(), 0),
      [&] { return fmt::format("a stream on {} can't wait", describe(device_->info())); });
}

Result<Event> Event::create(DevicePointer device, bool is_timed) {
  SLIPWAY_ASSIGN_OR_RETURN(const Current current, device->make_current());
  void* handle = nullptr;
  SLIPWAY_RETURN_IF_ERROR(device->driver().check(
      device->driver().call().create_event(&handle, is_timed ? 0 : kEventWithoutTime),
      [&] { return fmt::format("no event on {}", describe(device->info())); }));
  return Event(std::move(device), handle);
}

Event::~Event() {
  if (handle_ == nullptr) return;
  if (const auto current = device_->make_current(); current.ok()) {
    device_->driver().call().destroy_event(handle_);
  }
}

Status Event::record(const Stream& stream) const {
  return device_->driver().check(
      device_->driver().call().record_event(handle_, stream.handle()),
      [&] { return fmt::format("an event on {} can't be recorded", describe(device_->info())); });
}

bool Event::is_done() const {
  constexpr int kNotReady = 600;
  const auto current = device_->make_current();
  return !current.ok() || device_->driver().call().query_event(handle_) != kNotReady;
}

Result<std::chrono::nanoseconds> Event::since(const Event& earlier) const {
  float milliseconds = 0;
  SLIPWAY_RETURN_IF_ERROR(device_->driver().check(
      device_->driver().call().time_between(&milliseconds, earlier.handle_, handle_),
      [&] { return fmt::format("{} has no time of its work", describe(device_->info())); }));
  return std::chrono::round<std::chrono::nanoseconds>(
      std::chrono::duration<double, std::milli>(milliseconds));
}

Status Event::wait() const {
  return device_->driver().check(device_->driver().call().wait_for_event(handle_), [&] {
    return fmt::format("work on {} did not end well", describe(device_->info()));
  });
}

}  // namespace slipway::cuda
