#include "base/progress.h"

#include <algorithm>
#include <chrono>
#include <unistd.h>
#include <utility>

#include <fmt/core.h>

namespace slipway {
namespace {

constexpr int64_t kQuietNs = 1'000'000'000;
constexpr int64_t kRedrawNs = 100'000'000;
constexpr int kBarWidth = 30;

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Progress::Progress(std::FILE* stream) : stream_(stream), terminal_(isatty(fileno(stream)) == 1) {}

Progress::~Progress() { finish(); }

void Progress::step(std::string name) {
  finish();
  name_ = std::move(name);
  started_ns_ = now_ns();
}

void Progress::update(uint64_t done, uint64_t total) {
  if (name_.empty() || total == 0) return;
  const int64_t now = now_ns();
  if (now - started_ns_ < kQuietNs) return;
  if (terminal_) {
    if (now - drawn_ns_ < kRedrawNs) return;
    drawn_ns_ = now;
    draw(done, total);
    return;
  }
  const int quarter = static_cast<int>(static_cast<double>(done) / static_cast<double>(total) * 4);
  if (quarter <= last_quarter_) return;
  last_quarter_ = quarter;
  draw(done, total);
}

void Progress::finish() {
  if (shown_ && terminal_) fmt::print(stream_, "\r\x1b[K");
  if (shown_) std::fflush(stream_);
  name_.clear();
  drawn_ns_ = 0;
  last_quarter_ = 0;
  shown_ = false;
}

void Progress::draw(uint64_t done, uint64_t total) {
  const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const int percent = static_cast<int>(share * 100);
  if (terminal_) {
    const int filled = static_cast<int>(share * kBarWidth);
    fmt::print(stream_, "\r[{:=<{}}{: <{}}] {:3}% {}\x1b[K", "", filled, "", kBarWidth - filled,
               percent, name_);
  } else {
    fmt::print(stream_, "{}: {}%\n", name_, percent);
  }
  std::fflush(stream_);
  shown_ = true;
}

}  // namespace slipway
