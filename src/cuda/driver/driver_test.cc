// The driver's functions on a stand-in for it, whose devices are memory of the host.
#include "cuda/driver/driver.h"

#include <array>
#include <cstring>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cuda/driver/memory.h"
#include "cuda/driver/stand_in_driver_test.h"

namespace slipway::cuda {
namespace {

using testing::HasSubstr;

class DriverTest : public testing::Test {
 protected:
  void TearDown() override {
    driver.init_error = 0;
    driver.memory = size_t{1} << 30;
    EXPECT_EQ(driver.used, 0u);
    EXPECT_EQ(driver.live_host_allocations, 0);
    EXPECT_EQ(driver.live_contexts, 0);
    EXPECT_EQ(driver.live_streams, 0);
    EXPECT_EQ(driver.live_events, 0);
  }

  // "cuda:0 (stand-in 0, compute capability 8.6)"
  static std::string device_text(size_t index) {
    return describe(list_devices(**Driver::open())->at(index));
  }
  int last() const { return driver.devices - 1; }

  StandInDriver& driver = use_stand_in_driver(SLIPWAY_TEST_DRIVERS);
};

DevicePointer device(int index = 0) {
  auto opened = Device::open(index);
  EXPECT_TRUE(opened.ok()) << opened.error().message();
  return *opened;
}

TEST_F(DriverTest, WithoutADriverTheErrorSaysWhatToInstall) {
  ::setenv(kDriverVariable, "libslipway_no_driver.so", 1);
  const auto missing = Driver::open();
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(missing.error().message(), HasSubstr("NVIDIA's driver is not here "
                                                   "(libslipway_no_driver.so: cannot open"));
  EXPECT_THAT(missing.error().message(), HasSubstr("install it"));
  EXPECT_EQ(Device::open(0).error().code(), ErrorCode::kUnavailable);
  ::setenv(kDriverVariable, "libm.so.6", 1);
  EXPECT_THAT(Driver::open().error().message(), HasSubstr("libm.so.6 lacks cuInit"));
  // A failure is not for ever.
  use_stand_in_driver(SLIPWAY_TEST_DRIVERS);
  EXPECT_TRUE(Driver::open().ok());
}

TEST_F(DriverTest, IsOpenedOnce) {
  const auto first = Driver::open();
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(*first, *Driver::open());
  EXPECT_EQ((*first)->device_count(), driver.devices);
  if (driver.is_real) return;
  EXPECT_EQ((*first)->version(), 13020);
}

TEST_F(DriverTest, ErrorsHaveTheDriversNameAndTextAndWhatToDo) {
  const Driver& opened = **Driver::open();
  EXPECT_TRUE(opened.check(0, "nothing").ok());
  const Status memory = opened.check(2, "no buffer");
  EXPECT_EQ(memory.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(memory.error().message(), "no buffer: CUDA_ERROR_OUT_OF_MEMORY (out of memory)");
  const Status none = opened.check(100, "nothing runs");
  EXPECT_EQ(none.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(none.error().message(),
              HasSubstr("CUDA_ERROR_NO_DEVICE (no CUDA-capable device is detected); no GPU is "
                        "visible: `nvidia-smi`"));
  EXPECT_EQ(opened.check(700, "x").error().code(), ErrorCode::kInternal);
  EXPECT_EQ(opened.check(9999, "x").error().message(), "x: CUDA error 9999");
}

TEST_F(DriverTest, DevicesAreDescribed) {
  const auto list = list_devices(**Driver::open());
  ASSERT_TRUE(list.ok()) << list.error().message();
  ASSERT_EQ(list->size(), static_cast<size_t>(driver.devices));
  EXPECT_EQ((*list)[0].capability, driver.capability);
  EXPECT_FALSE((*list)[0].is_integrated);
  if (!driver.is_real) {
    EXPECT_EQ(describe((*list)[1]), "cuda:1 (stand-in 1, compute capability 8.6)");
  }
  for (const int index : {last() + 1, -1}) {
    const auto missing = Device::open(index);
    ASSERT_FALSE(missing.ok());
    EXPECT_EQ(missing.error().code(), ErrorCode::kUnavailable);
    EXPECT_THAT(missing.error().message(), HasSubstr("this machine has " + device_text(0)));
    EXPECT_THAT(missing.error().message(), HasSubstr(device_text(static_cast<size_t>(last()))));
  }
}

TEST_F(DriverTest, ContextsAreCurrentWhileTheirGuardLives) {
  const DevicePointer first = device(0);
  const DevicePointer second = device(last());
  EXPECT_EQ(first->memory_text(), "free and total are not known");
  {
    const auto outer = first->make_current();
    ASSERT_TRUE(outer.ok());
    const auto inner = second->make_current();
    ASSERT_TRUE(inner.ok());
    EXPECT_EQ(first->memory_text(), "free=1073741824, total=1073741824");
  }
  EXPECT_EQ(first->memory_text(), "free and total are not known");
}

TEST_F(DriverTest, PlacesOfPointersAreTold) {
  const DevicePointer second = device(last());
  DeviceBuffer buffer(second);
  PinnedBuffer pinned(second);
  ASSERT_TRUE(buffer.reserve(64).ok());
  ASSERT_TRUE(pinned.reserve(64).ok());
  const Driver& opened = second->driver();
  const std::array<char, 8> host = {};
  EXPECT_EQ(find_place(opened, host.data())->kind, Place::Kind::kHost);
  EXPECT_EQ(find_place(opened, pinned.data())->kind, Place::Kind::kPinned);
  const auto place = find_place(opened, reinterpret_cast<void*>(buffer.address() + 63));
  ASSERT_TRUE(place.ok());
  EXPECT_EQ(place->kind, Place::Kind::kDevice);
  EXPECT_EQ(place->device, last());
}

TEST_F(DriverTest, BuffersGrowAndStay) {
  DeviceBuffer buffer(device());
  const int before = driver.allocations;
  ASSERT_TRUE(buffer.reserve(0).ok());
  EXPECT_EQ(buffer.address(), 0u);
  for (const size_t size : {100, 50, 100, 0}) ASSERT_TRUE(buffer.reserve(size).ok());
  EXPECT_EQ(driver.allocations, before + 1);
  EXPECT_EQ(driver.used, 100u);
  ASSERT_TRUE(buffer.reserve(200).ok());
  EXPECT_EQ(driver.used, 200u);
  DeviceBuffer moved = std::move(buffer);
  EXPECT_EQ(moved.size(), 200u);
}

TEST_F(DriverTest, WhatDoesNotFitSaysHowMuchThereIs) {
  driver.memory = 1000;
  DeviceBuffer buffer(device());
  ASSERT_TRUE(buffer.reserve(400).ok());
  DeviceBuffer other(device());
  const Status full = other.reserve(601);
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(full.error().message(),
            "no memory of 601 bytes for " + device_text(0) +
                ": CUDA_ERROR_OUT_OF_MEMORY (out of memory): free=600, total=1000");
  EXPECT_EQ(other.size(), 0u);
  EXPECT_TRUE(other.reserve(600).ok());
}

TEST_F(DriverTest, StagingBringsTensorsThereAndBack) {
  const DevicePointer first = device();
  const auto stream = Stream::create(first);
  ASSERT_TRUE(stream.ok()) << stream.error().message();
  const auto current = first->make_current();
  Staging staging(first);
  std::vector<int> values(10);
  std::iota(values.begin(), values.end(), 1);
  const std::vector<int> sent = values;
  const size_t bytes = values.size() * sizeof(int);
  int pinned = 0;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(staging.reserve(bytes).ok());
    ASSERT_TRUE(staging.upload(values.data(), bytes, *stream).ok());
    std::fill(values.begin(), values.end(), 0);
    ASSERT_TRUE(stream->wait().ok());
    ASSERT_TRUE(staging.download(staging.address(), bytes, *stream).ok());
    ASSERT_TRUE(stream->wait().ok());
    ASSERT_TRUE(staging.finish_download(values.data(), bytes, *stream).ok());
    EXPECT_EQ(values, sent);
    if (i == 0) pinned = driver.host_allocations;
    EXPECT_EQ(driver.host_allocations, pinned) << "it is kept";
  }
  const int copies = driver.copies_to_device;
  EXPECT_TRUE(staging.upload(nullptr, 0, *stream).ok());
  EXPECT_EQ(driver.copies_to_device, copies);
}

TEST_F(DriverTest, LargeTensorsAreStagedInParts) {
  const DevicePointer first = device();
  const auto stream = Stream::create(first);
  ASSERT_TRUE(stream.ok()) << stream.error().message();
  const auto current = first->make_current();
  Staging staging(first);
  const int pinned = driver.host_allocations;
  for (const size_t bytes : {2 * Staging::kPinned + 1, Staging::kPinned, 9 * Staging::kChunk - 1,
                             2 * Staging::kChunk + 1}) {
    std::vector<unsigned char> sent(bytes);
    for (size_t i = 0; i < bytes; ++i) sent[i] = static_cast<unsigned char>(i * 2654435761u >> 24);
    std::vector<unsigned char> got(bytes);
    ASSERT_TRUE(staging.reserve(bytes).ok());
    ASSERT_TRUE(staging.upload(sent.data(), bytes, *stream).ok());
    ASSERT_TRUE(staging.download(staging.address(), bytes, *stream).ok());
    ASSERT_TRUE(stream->wait().ok());
    ASSERT_TRUE(staging.finish_download(got.data(), bytes, *stream).ok());
    EXPECT_TRUE(got == sent) << bytes;
  }
  EXPECT_EQ(driver.host_allocations, pinned + 1);
}

TEST_F(DriverTest, StreamsWaitForEventsAndGiveTheErrorsOfTheirWork) {
  const DevicePointer first = device();
  const auto one = Stream::create(first);
  const auto two = Stream::create(first);
  const auto event = Event::create(first);
  ASSERT_TRUE(one.ok() && two.ok() && event.ok());
  const auto current = first->make_current();
  Staging staging(first);
  const int value = 42;
  ASSERT_TRUE(staging.reserve(sizeof value).ok());
  ASSERT_TRUE(staging.upload(&value, sizeof value, *one).ok());
  ASSERT_TRUE(event->record(*one).ok());
  ASSERT_TRUE(two->wait_for(*event).ok());
  Staging back(first);
  ASSERT_TRUE(back.download(staging.address(), sizeof value, *two).ok());
  ASSERT_TRUE(two->wait().ok());
  int got = 0;
  ASSERT_TRUE(back.finish_download(&got, sizeof got, *two).ok());
  EXPECT_EQ(got, 42);
  EXPECT_TRUE(event->wait().ok());
  driver.work_error = 700;
  const Status failed = one->wait();
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().message(),
            "work on " + device_text(0) +
                " did not end well: CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was "
                "encountered)");
}

}  // namespace
}  // namespace slipway::cuda
