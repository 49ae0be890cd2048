#include "base/log.h"

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace slipway {
namespace {

using Messages = std::vector<std::pair<LogLevel, std::string>>;

TEST(Log, TellsFromALevelOn) {
  Messages messages;
  set_log_callback(
      [&](LogLevel level, const std::string& text) { messages.emplace_back(level, text); },
      LogLevel::kWarning);
  log(LogLevel::kInfo, "{}", 1);
  EXPECT_FALSE(is_logged(LogLevel::kInfo));
  log(LogLevel::kWarning, "{} and {}", 2, "three");
  log(LogLevel::kError, "{}", 4);
  set_log_callback(nullptr);
  EXPECT_FALSE(is_logged(LogLevel::kError));
  log(LogLevel::kError, "{}", 5);
  EXPECT_EQ(messages, (Messages{{LogLevel::kWarning, "2 and three"}, {LogLevel::kError, "4"}}));
}

TEST(Log, ThreadsMayLogWhileTheCallbackChanges) {
  std::atomic<bool> is_over = false;
  std::atomic<size_t> told = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!is_over) log(LogLevel::kInfo, "{}", 1);
    });
  }
  while (told < 100) {
    set_log_callback([&](LogLevel, const std::string&) { ++told; });
    set_log_callback(nullptr);
    set_log_callback([&](LogLevel, const std::string&) { ++told; });
    std::this_thread::yield();
  }
  is_over = true;
  for (std::thread& thread : threads) thread.join();
  set_log_callback(nullptr);
}

}  // namespace
}  // namespace slipway
