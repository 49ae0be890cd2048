// For tests of how much anonymous memory something takes: a limit under which it has to work, in a
// process of its own where it would hold for the rest of the test, too.
#pragma once

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace slipway {

// Sanitizers need memory of their own: such tests are skipped with them.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
inline constexpr bool kSanitized = false;
#endif

// What the system says of this process under a name with its colon, in bytes.
inline uint64_t size_in_status(const char* name) {
  std::ifstream status("/proc/self/status");
  std::string word;
  uint64_t kilobytes = 0;
  while (status >> word) {
    if (word == name) status >> kilobytes;
  }
  return kilobytes * 1024;
}

// What RLIMIT_DATA counts of this process.
inline uint64_t data_size() { return size_in_status("VmData:"); }

// The memory that it has without mapped files.
inline int64_t anonymous_size() { return static_cast<int64_t>(size_in_status("RssAnon:")); }

// From now on this process may take so much more. Whether the system agreed.
inline bool limit_data(uint64_t allowance) {
  const rlim_t limit = data_size() + allowance;
  const rlimit limits = {limit, limit};
  return ::setrlimit(RLIMIT_DATA, &limits) == 0;
}

// Runs the work in a process of its own, which may limit itself. What it returns is a failure.
inline void in_child(const std::function<std::string()>& work) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const std::string problem = work();
    std::fputs(problem.c_str(), stderr);
    ::_exit(problem.empty() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
}

}  // namespace slipway
