// What readers of pickles have in common: the bytes, and the stack of the machine that they are
// for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/checked.h"
#include "base/error.h"
#include "base/try.h"
#include "slipway/result.h"

namespace slipway::pt2 {

// Objects lie in one table and name each other by index: a pickle can tie knots, and so nothing
// here follows references. `name` is for messages, and is kept as a reference. Not thread-safe.
template <class Object>
class PickleStack {
 protected:
  using Index = uint32_t;

  PickleStack(std::span<const std::byte> pickle, const std::string& name)
      : name_(name), pickle_(pickle) {}

  Error damaged(const std::string& what) const {
    return invalid_file("{} {} (byte {})", name_, what, at_);
  }
  uint64_t position() const { return at_; }

  Result<std::string_view> take_text(uint64_t count) {
    if (!range_fits(at_, count, pickle_.size())) return damaged("is cut short");
    const auto* begin = reinterpret_cast<const char*>(pickle_.data()) + at_;
    at_ += count;
    return std::string_view(begin, count);
  }
  // A little-endian number of `count` bytes.
  Result<uint64_t> take_number(size_t count) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::string_view bytes, take_text(count));
    uint64_t value = 0;
    std::memcpy(&value, bytes.data(), count);
    return value;
  }
  // Without its end.
  Result<std::string_view> take_line() {
    const auto* begin = reinterpret_cast<const char*>(pickle_.data()) + at_;
    const auto* end = static_cast<const char*>(std::memchr(begin, '\n', pickle_.size() - at_));
    if (end == nullptr) return damaged("is cut short");
    at_ += static_cast<uint64_t>(end - begin) + 1;
    return std::string_view(begin, static_cast<size_t>(end - begin));
  }

  Status push(Object object) {
    stack_.push_back(static_cast<Index>(objects_.size()));
    objects_.push_back(std::move(object));
    return {};
  }
  void push_again(Index object) { stack_.push_back(object); }
  void mark() { marks_.push_back(stack_.size()); }
  Result<Index> top() const {
    if (available() == 0) return damaged("takes more values than it has");
    return stack_.back();
  }
  Result<Index> pop() {
    SLIPWAY_ASSIGN_OR_RETURN(const Index object, top());
    stack_.pop_back();
    return object;
  }
  Result<std::vector<Index>> pop(size_t count) {
    if (available() < count) return damaged("takes more values than it has");
    std::vector<Index> items(stack_.end() - static_cast<ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }
  Result<std::vector<Index>> pop_to_mark() {
    if (marks_.empty()) return damaged("has no mark where it needs one");
    auto items = pop(available());
    marks_.pop_back();
    return items;
  }

  const std::string& name_;
  std::vector<Object> objects_;

 private:
  // The mark in use bounds what may be popped.
  size_t available() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }

  std::span<const std::byte> pickle_;
  uint64_t at_ = 0;
  std::vector<Index> stack_;
  std::vector<size_t> marks_;
};

}  // namespace slipway::pt2
