#include "tensorrt/library/log.h"

#include <thread>

#include <gtest/gtest.h>

#include "tensorrt/library/abi.h"

namespace slipway::tensorrt {
namespace {

TEST(LogTest, AnErrorCarriesTheFirstOne) {
  const auto log = Log::acquire();
  log->add(2, "a warning");
  log->add(3, "information");
  log->add(1, "the cause");
  log->add(0, "In catchCudaError: cudaError 35");
  EXPECT_EQ(log->messages().size(), 3U);
  EXPECT_EQ(log->messages()[2].severity, Severity::kInternalError);
  const Error error = log->error(ErrorCode::kUnsupported, "it fails");
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_EQ(error.message(), "it fails: the cause");

  log->start();
  EXPECT_EQ(log->first_error(), "");
  EXPECT_EQ(log->error(ErrorCode::kInternal, "it fails").message(),
            "it fails, and TensorRT does not say why");
  log->add(1, "[defaultAllocator.cpp] Error Code 1: Cuda Runtime (out of memory)");
  EXPECT_EQ(log->error(ErrorCode::kUnsupported, "it fails").code(), ErrorCode::kResourceExhausted);
}

TEST(LogTest, AThreadsStepsAreItsOwn) {
  const auto log = Log::acquire();
  log->add(1, "of this thread");
  std::thread([&] {
    log->start();
    for (int i = 0; i < 1000; ++i) log->add(1, "of another");
    EXPECT_EQ(log->first_error(), "of another");
  }).join();
  EXPECT_EQ(log->first_error(), "");  // there was room for a thousand
  log->add(1, "again");
  EXPECT_EQ(log->first_error(), "again");
  // What a thread of TensorRT's own says belongs to whoever waits for it.
  log->start();
  std::thread([&] { log->add(1, "of a worker"); }).join();
  EXPECT_EQ(log->first_error(), "of a worker");
}

TEST(LogTest, EachFamilyCallsItsOwnInterface) {
  const auto log = Log::acquire();
  static_cast<PlainLoggerInterface*>(log->interface({Family::kT10, 10, 0, 0}))->log(1, "ten");
  auto* const versioned = static_cast<LoggerInterface*>(log->interface({Family::kRtx, 1, 7, 1}));
  EXPECT_STREQ(versioned->getInterfaceInfo().kind, "ILogger");
  versioned->log(1, "rtx");
  ASSERT_EQ(log->messages().size(), 2U);
  EXPECT_EQ(log->messages()[0].text, "ten");
  EXPECT_EQ(log->messages()[1].text, "rtx");
}

TEST(LogTest, IsUsedAgainButByOneAtATime) {
  auto first = Log::acquire();
  const auto second = Log::acquire();
  EXPECT_NE(first, second);
  const Log* const address = first.get();
  first->add(1, "of the first user");
  first.reset();
  const auto third = Log::acquire();
  EXPECT_EQ(third.get(), address);
  EXPECT_TRUE(third->messages().empty());
}

TEST(LogTest, TakesMessagesOfManyThreads) {
  const auto log = Log::acquire();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 500; ++k) log->add(2, "warning");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(log->messages().size(), 1000U);
}

}  // namespace
}  // namespace slipway::tensorrt
