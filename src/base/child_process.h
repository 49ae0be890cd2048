// Programs that run in a process of their own, and messages between them and who started them: what
// may crash or run out of memory there leaves this process alone.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "slipway/result.h"

namespace slipway {

// An open file descriptor, closed with its owner; -1 is none.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor();

  int number() const { return number_; }

 private:
  int number_ = -1;
};

// Writes all bytes at a place of an open file, which `what` names in the error.
Status write_at(int descriptor, std::span<const std::byte> bytes, uint64_t offset,
                const std::string& what);

// None: without a limit.
using Timeout = std::optional<std::chrono::milliseconds>;

struct Message {
  uint32_t kind = 0;  // what the bytes are, as the two programs agree
  std::string bytes;
  std::vector<Descriptor> descriptors;  // copies of the sender's
};

// One end of a connection between two processes. Not thread-safe. Every failure is an error, that
// of the other end, too: no signal is raised.
class Channel {
 public:
  // The largest number of descriptors that go with a message.
  static constexpr size_t kMostDescriptors = 200;

  explicit Channel(Descriptor socket) : socket_(std::move(socket)) {}

  // With whom a child ends, whatever it does at that time: with the thread that spawned it, by the
  // system's doing, or with the other end of the channel, which a thread of the child's looks
  // after.
  enum class Until : uint8_t { kThreadEnds, kClosed };

  // In the child: its end. An error where no ChildProcess spawned this program. A crash is the
  // parent's to report from then on, and where memory is short, this process is the one to end.
  static Result<Channel> to_parent(Until until = Until::kThreadEnds);

  Status send(uint32_t kind, std::span<const std::byte> bytes,
              std::span<const int> descriptors = {}, Timeout timeout = {});
  Status send(uint32_t kind, const std::string& text, std::span<const int> descriptors = {},
              Timeout timeout = {});

  // The next message; nothing once the other end is closed, which a process does that ends. A
  // message of more than `most` bytes, or one that is cut short, is an error, after which nothing
  // more can be received. So is the timeout: kUnavailable.
  Result<std::optional<Message>> receive(uint64_t most, Timeout timeout = {});

 private:
  Descriptor socket_;
};

// How a process ended.
struct Exit {
  enum class Kind : uint8_t { kCode, kSignal, kTimeout };
  Kind kind = Kind::kCode;
  int number = 0;  // the exit code or the signal

  bool ok() const { return kind == Kind::kCode && number == 0; }
  // "ended with exit code 3", "was ended by signal 11 (Segmentation fault)".
  std::string text() const;
};

// Not thread-safe. What still runs when it is destroyed is killed.
class ChildProcess {
 public:
  // Starts a program, by posix_spawn: nothing of this process is copied. Besides its end of the
  // channel it gets this process's environment, an empty standard input, and for standard output
  // and standard error the descriptor `output` (-1: this process's own). The program has to call
  // Channel::to_parent() to end with its parent.
  static Result<ChildProcess> spawn(const std::string& program,
                                    const std::vector<std::string>& arguments, int output = -1);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();

  Channel& channel() { return channel_; }

  // Waits until it has ended. After the timeout it is killed. May be called again.
  Result<Exit> wait(Timeout timeout = {});
  // Ends it at once, and waits for that.
  void kill();
  // The same without waiting.
  void signal_end() const;

 private:
  ChildProcess(pid_t id, Channel channel) : id_(id), channel_(std::move(channel)) {}

  pid_t id_;
  std::optional<Exit> exit_;
  Channel channel_;
};

}  // namespace slipway
