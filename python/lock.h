// Work that is done without Python's lock.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>

#include "slipway/slipway_c.h"

namespace nb = nanobind;

// Python's lock is released while this is there. A thread that can't have it back, because the
// interpreter ends, stays here for ever: Python would end the thread in the middle of C++.
class WithoutLock {
 public:
  WithoutLock() : state_(PyEval_SaveThread()) {}
  ~WithoutLock() {
    {
      std::unique_lock lock(mutex());
      if (is_closing()) {
        lock.unlock();
        for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
      }
      ++returning();
    }
    PyEval_RestoreThread(state_);
    const std::lock_guard lock(mutex());
    --returning();
    changed().notify_all();
  }
  WithoutLock(const WithoutLock&) = delete;
  WithoutLock& operator=(const WithoutLock&) = delete;

  // Before the interpreter ends: no thread comes back after this. Of the thread that ends it.
  static void close() {
    PyThreadState* const state = PyEval_SaveThread();
    {
      std::unique_lock lock(mutex());
      is_closing() = true;
      changed().wait(lock, [] { return returning() == 0; });
    }
    PyEval_RestoreThread(state);
  }

 private:
  // None of them is destroyed: threads may be there until the process is gone.
  static std::mutex& mutex() {
    static auto* const mutex = new std::mutex;
    return *mutex;
  }
  static std::condition_variable& changed() {
    static auto* const changed = new std::condition_variable;
    return *changed;
  }
  static bool& is_closing() {
    static bool is_closing = false;
    return is_closing;
  }
  static int& returning() {
    static int returning = 0;
    return returning;
  }

  PyThreadState* state_;
};

// What is logged, from any thread. Python is told after each call, of what came meanwhile.
class Log {
 public:
  static Log& get() {
    static auto* const log = new Log;
    return *log;
  }
  static void add(void* log, slipway_log_level level, const char* message) {
    auto& own = *static_cast<Log*>(log);
    const std::lock_guard<std::mutex> lock(own.mutex_);
    if (own.messages_.size() < kMost) own.messages_.emplace_back(level, message);
  }
  // `function` may be None. With Python's lock, here and below.
  void set(const nb::object& function, int least) {
    tell();
    function_ = new nb::object(function);  // the one before may be at work; none is destroyed
    slipway_set_log(function.is_none() ? nullptr : &Log::add, this,
                    static_cast<slipway_log_level>(least));
  }
  // May throw what the function throws.
  void tell() {
    std::vector<std::pair<int, std::string>> messages;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      messages.swap(messages_);
    }
    if (function_ == nullptr || function_->is_none()) return;
    const nb::object function = *function_;
    for (const auto& [level, message] : messages) {
      function(level, nb::steal(PyUnicode_DecodeUTF8(
                          message.data(), static_cast<Py_ssize_t>(message.size()), "replace")));
    }
  }

 private:
  // Between two calls; what comes then is dropped.
  static constexpr size_t kMost = 10'000;

  std::mutex mutex_;
  std::vector<std::pair<int, std::string>> messages_;
  nb::object* function_ = nullptr;
};

// Warnings of a call, which come from any thread. Python is told after it.
class Warnings {
 public:
  static void add(void* warnings, const char* message) {
    auto& own = *static_cast<Warnings*>(warnings);
    const std::lock_guard lock(own.mutex_);
    own.messages_.emplace_back(message);
  }
  // May throw what the function throws.
  void tell(const nb::object& function) {
    std::vector<std::string> messages;
    {
      const std::lock_guard lock(mutex_);
      messages.swap(messages_);
    }
    for (const std::string& message : messages) {
      function(nb::steal(PyUnicode_DecodeUTF8(message.data(),
                                              static_cast<Py_ssize_t>(message.size()), "replace")));
    }
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> messages_;
};
