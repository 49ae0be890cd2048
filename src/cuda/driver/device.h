// A GPU, and work on it: its context, streams and events.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cuda/driver/driver.h"
#include "slipway/result.h"

namespace slipway::cuda {

struct DeviceInfo {
  int index = 0;
  std::string name;
  int capability = 0;          // 90 for compute capability 9.0
  int processors = 0;          // multiprocessors
  bool is_integrated = false;  // its memory is the machine's
  // It reads and writes all memory of the host, by the host's page tables.
  bool has_host_pages = false;
};

// Of all GPUs that the driver sees; no context is made.
Result<std::vector<DeviceInfo>> list_devices(const Driver& driver);

// "cuda:1 (NVIDIA H100, compute capability 9.0)"
std::string describe(const DeviceInfo& device);

class Device;
using DevicePointer = std::shared_ptr<const Device>;

// Makes a device's context the calling thread's current one while it lives; the one before it comes
// back then.
class Current {
 public:
  explicit Current(const Driver* driver) : driver_(driver) {}
  Current(Current&& other) noexcept : driver_(std::exchange(other.driver_, nullptr)) {}
  Current& operator=(Current&&) = delete;
  ~Current();

 private:
  const Driver* driver_;
};

// Holds the primary context, which CUDA's runtime interface uses too. Immutable: any thread may use
// it.
class Device {
 public:
  // kUnavailable names the GPUs that are there.
  static Result<DevicePointer> open(int index);
  Device(const Driver& driver, DeviceInfo info, int device, void* context)
      : driver_(driver), info_(std::move(info)), device_(device), context_(context) {}
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device();

  const Driver& driver() const { return driver_; }
  const DeviceInfo& info() const { return info_; }
  Result<Current> make_current() const;
  // "free=1024, total=4096": of its memory, in bytes; while it is current.
  std::string memory_text() const;

 private:
  const Driver& driver_;
  DeviceInfo info_;
  int device_;
  void* context_;
};

class Event;

// A queue of work. For one thread at a time.
class Stream {
 public:
  static Result<Stream> create(DevicePointer device);
  // Somebody else's, who keeps it; null is the default stream. kUnsupported where it is being
  // captured. While the device is current.
  static Result<Stream> borrow(DevicePointer device, void* handle);
  Stream(Stream&& other) noexcept
      : device_(std::move(other.device_)),
        handle_(other.handle_),
        is_own_(std::exchange(other.is_own_, false)) {}
  Stream& operator=(Stream&&) = delete;
  ~Stream();

  void* handle() const { return handle_; }
  // Until all that was queued is done; an error of that work is given.
  Status wait() const;
  // What is queued from now on begins after what the event was recorded behind.
  Status wait_for(const Event& event) const;

 private:
  Stream(DevicePointer device, void* handle, bool is_own)
      : device_(std::move(device)), handle_(handle), is_own_(is_own) {}
  DevicePointer device_;
  void* handle_;
  bool is_own_;
};

// A place in a stream. For one thread at a time.
class Event {
 public:
  static Result<Event> create(DevicePointer device) { return create(std::move(device), false); }
  // One that says when its place was reached, too.
  static Result<Event> create_timed(DevicePointer device) {
    return create(std::move(device), true);
  }
  Event(Event&& other) noexcept
      : device_(std::move(other.device_)), handle_(std::exchange(other.handle_, nullptr)) {}
  Event& operator=(Event&&) = delete;
  ~Event();

  void* handle() const { return handle_; }
  Status record(const Stream& stream) const;
  Status wait() const;
  // Whether wait() would return at once. Any thread may ask, also while another waits.
  bool is_done() const;
  // Of two that are timed and done.
  Result<std::chrono::nanoseconds> since(const Event& earlier) const;

 private:
  static Result<Event> create(DevicePointer device, bool is_timed);
  Event(DevicePointer device, void* handle) : device_(std::move(device)), handle_(handle) {}
  DevicePointer device_;
  void* handle_;
};

}  // namespace slipway::cuda
