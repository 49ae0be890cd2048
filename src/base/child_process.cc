#include "base/child_process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "base/error.h"
#include "base/try.h"

namespace slipway {

namespace {

using Clock = std::chrono::steady_clock;
using Deadline = std::optional<Clock::time_point>;

// Where a child finds its end of the channel.
constexpr int kChildSocket = 3;

struct Header {
  static constexpr uint32_t kMagic = 0x6c70'6d73;

  uint32_t magic = kMagic;
  uint32_t kind = 0;
  uint64_t size = 0;
  uint64_t descriptors = 0;
};

Deadline deadline_of(Timeout timeout) {
  return timeout ? Deadline(Clock::now() + *timeout) : std::nullopt;
}

Error closed() { return unavailable("the other process has closed its end of the channel"); }

Error damaged() { return invalid_file("a message of another process is damaged"); }

// Waits until the socket can be read from or written to.
Status await(int socket, short events, Deadline deadline) {
  while (true) {
    int milliseconds = -1;
    if (deadline) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
      milliseconds = static_cast<int>(std::clamp<int64_t>(left, 0, 1'000'000'000));
    }
    pollfd descriptor = {socket, events, 0};
    const int count = ::poll(&descriptor, 1, milliseconds);
    if (count > 0) return {};
    if (count < 0 && errno != EINTR) return errno_error(errno, "a channel can't be used");
    if (deadline && Clock::now() >= *deadline) {
      return unavailable("the other process did not answer in time");
    }
  }
}

Status send_all(int socket, const Header& header, std::span<const std::byte> bytes,
                std::span<const int> descriptors, Deadline deadline) {
  std::vector<std::byte> control(CMSG_SPACE(descriptors.size_bytes()));
  size_t sent = 0;
  while (sent < sizeof header + bytes.size()) {
    SLIPWAY_RETURN_IF_ERROR(await(socket, POLLOUT, deadline));
    const size_t of_header = std::min(sent, sizeof header);
    const size_t of_bytes = sent - of_header;
    iovec parts[] = {{const_cast<char*>(reinterpret_cast<const char*>(&header)) + of_header,
                      sizeof header - of_header},
                     {const_cast<std::byte*>(bytes.data()) + of_bytes, bytes.size() - of_bytes}};
    msghdr message = {};
    message.msg_iov = parts;
    message.msg_iovlen = std::size(parts);
    if (sent == 0 && !descriptors.empty()) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* entry = CMSG_FIRSTHDR(&message);
      entry->cmsg_level = SOL_SOCKET;
      entry->cmsg_type = SCM_RIGHTS;
      entry->cmsg_len = CMSG_LEN(descriptors.size_bytes());
      std::memcpy(CMSG_DATA(entry), descriptors.data(), descriptors.size_bytes());
    }
    const ssize_t count = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      sent += static_cast<size_t>(count);
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return closed();
    } else if (errno != EINTR && errno != EAGAIN) {
      return errno_error(errno, "a message can't be sent to another process");
    }
  }
  return {};
}

// Fills the bytes, and takes the descriptors that come with them. Gives what has come before the
// other end was closed.
Result<size_t> receive_all(int socket, std::span<std::byte> bytes,
                           std::vector<Descriptor>& descriptors, Deadline deadline) {
  std::vector<std::byte> control(CMSG_SPACE(Channel::kMostDescriptors * sizeof(int)));
  size_t received = 0;
  while (received < bytes.size()) {
    SLIPWAY_RETURN_IF_ERROR(await(socket, POLLIN, deadline));
    iovec part = {bytes.data() + received, bytes.size() - received};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t count = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (count < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      if (errno == ECONNRESET) break;
      return errno_error(errno, "a message can't be received from another process");
    }
    for (cmsghdr* entry = CMSG_FIRSTHDR(&message); entry; entry = CMSG_NXTHDR(&message, entry)) {
      if (entry->cmsg_level != SOL_SOCKET || entry->cmsg_type != SCM_RIGHTS) continue;
      for (size_t at = 0; at + sizeof(int) <= entry->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
        int number = -1;
        std::memcpy(&number, CMSG_DATA(entry) + at, sizeof number);
        descriptors.emplace_back(number);
      }
    }
    // The process may have no more descriptors to give.
    if ((message.msg_flags & MSG_CTRUNC) != 0) return damaged();
    if (count == 0) break;
    received += static_cast<size_t>(count);
  }
  return received;
}

// What posix_spawn is told, released at the end.
class SpawnSettings {
 public:
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

Result<pid_t> spawn_with(const std::string& program, const std::vector<std::string>& arguments,
                         int socket, int output) {
  SpawnSettings settings;
  auto* const actions = &settings.actions;
  if (output >= 0) {
    ::posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(actions, output, STDERR_FILENO);
  }
  ::posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(actions, socket, kChildSocket);
  ::posix_spawn_file_actions_addclosefrom_np(actions, kChildSocket + 1);
  // What this process ignores or blocks is its own affair.
  sigset_t signals;
  ::sigfillset(&signals);
  ::posix_spawnattr_setsigdefault(&settings.attributes, &signals);
  ::sigemptyset(&signals);
  ::posix_spawnattr_setsigmask(&settings.attributes, &signals);
  ::posix_spawnattr_setflags(&settings.attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);

  std::vector<char*> words = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  pid_t id = -1;
  const int failure =
      ::posix_spawn(&id, program.c_str(), actions, &settings.attributes, words.data(), ::environ);
  if (failure != 0) return errno_error(failure, program + ": cannot be started");
  return id;
}

void end_when_closed() {
  pollfd socket = {kChildSocket, POLLRDHUP, 0};
  while (::poll(&socket, 1, -1) <= 0) {
  }
  ::_exit(1);
}

}  // namespace

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

Status write_at(int descriptor, std::span<const std::byte> bytes, uint64_t offset,
                const std::string& what) {
  while (!bytes.empty()) {
    const ssize_t count =
        ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0) {
      if (errno == EINTR) continue;
      return errno_error(errno, what + ": cannot be written");
    }
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return {};
}

Result<Channel> Channel::to_parent(Until until) {
  ucred peer = {};
  socklen_t size = sizeof peer;
  if (::getsockopt(kChildSocket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return invalid_argument("this program is started by other programs, not by hand");
  }
  ::fcntl(kChildSocket, F_SETFD, FD_CLOEXEC);
  if (until == Until::kThreadEnds) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // It may have ended before.
  if (::getppid() != peer.pid) return unavailable("the process that started this one has ended");
  if (until == Until::kClosed) std::thread(end_when_closed).detach();
  const rlimit no_core = {0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  std::ofstream("/proc/self/oom_score_adj") << 500;
  return Channel(Descriptor(kChildSocket));
}

Status Channel::send(uint32_t kind, std::span<const std::byte> bytes,
                     std::span<const int> descriptors, Timeout timeout) {
  if (descriptors.size() > kMostDescriptors) {
    return resource_exhausted("{} open files go to another process at once, and {} at most can",
                              descriptors.size(), kMostDescriptors);
  }
  Header header;
  header.kind = kind;
  header.size = bytes.size();
  header.descriptors = descriptors.size();
  return send_all(socket_.number(), header, bytes, descriptors, deadline_of(timeout));
}

Status Channel::send(uint32_t kind, const std::string& text, std::span<const int> descriptors,
                     Timeout timeout) {
  return send(kind, std::as_bytes(std::span(text)), descriptors, timeout);
}

Result<std::optional<Message>> Channel::receive(uint64_t most, Timeout timeout) {
  const Deadline deadline = deadline_of(timeout);
  Header header;
  Message message;
  SLIPWAY_ASSIGN_OR_RETURN(
      const size_t of_header,
      receive_all(socket_.number(), std::as_writable_bytes(std::span(&header, 1)),
                  message.descriptors, deadline));
  if (of_header == 0) return std::optional<Message>();
  if (of_header < sizeof header || header.magic != Header::kMagic ||
      header.descriptors != message.descriptors.size()) {
    return damaged();
  }
  if (header.size > most) {
    return invalid_file("a message of another process has {} bytes, and at most {} are expected",
                        header.size, most);
  }
  message.kind = header.kind;
  message.bytes.resize(header.size);
  SLIPWAY_ASSIGN_OR_RETURN(
      const size_t of_bytes,
      receive_all(socket_.number(), std::as_writable_bytes(std::span(message.bytes)),
                  message.descriptors, deadline));
  if (of_bytes < header.size) return damaged();
  return std::optional(std::move(message));
}

std::string Exit::text() const {
  switch (kind) {
    case Kind::kCode:
      return fmt::format("ended with exit code {}", number);
    case Kind::kSignal:
      return fmt::format("was ended by signal {} ({})", number, ::strsignal(number));
    case Kind::kTimeout:
      return "did not end in time";
  }
  return "";
}

Result<ChildProcess> ChildProcess::spawn(const std::string& program,
                                         const std::vector<std::string>& arguments, int output) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return errno_error(errno, "a channel to another process can't be made");
  }
  Descriptor own(ends[0]);
  Descriptor other(ends[1]);
  // Clear of the numbers that the child's own descriptors take.
  if (other.number() <= kChildSocket) {
    other = Descriptor(::fcntl(other.number(), F_DUPFD_CLOEXEC, kChildSocket + 1));
    if (other.number() < 0) return errno_error(errno, "a channel to another process can't be made");
  }
  SLIPWAY_ASSIGN_OR_RETURN(const pid_t id, spawn_with(program, arguments, other.number(), output));
  return ChildProcess(id, Channel(std::move(own)));
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : id_(std::exchange(other.id_, -1)), exit_(other.exit_), channel_(std::move(other.channel_)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(id_, other.id_);
  std::swap(exit_, other.exit_);
  std::swap(channel_, other.channel_);
  return *this;
}

ChildProcess::~ChildProcess() { kill(); }

Result<Exit> ChildProcess::wait(Timeout timeout) {
  if (exit_) return *exit_;
  if (id_ < 0) return internal_error("there is no process to wait for");
  const Deadline deadline = deadline_of(timeout);
  constexpr std::chrono::milliseconds kNap(2);
  while (true) {
    int status = 0;
    const pid_t ended = ::waitpid(id_, &status, deadline ? WNOHANG : 0);
    if (ended < 0 && errno != EINTR) {
      return errno_error(errno, "the end of another process can't be awaited");
    }
    if (ended == id_) {
      exit_ = WIFSIGNALED(status) ? Exit{Exit::Kind::kSignal, WTERMSIG(status)}
                                  : Exit{Exit::Kind::kCode, WEXITSTATUS(status)};
      return *exit_;
    }
    if (!deadline) continue;
    if (Clock::now() >= *deadline) {
      kill();
      exit_ = Exit{Exit::Kind::kTimeout, 0};
      return *exit_;
    }
    std::this_thread::sleep_for(kNap);
  }
}

void ChildProcess::signal_end() const {
  if (id_ >= 0 && !exit_) ::kill(id_, SIGKILL);
}

void ChildProcess::kill() {
  if (id_ < 0 || exit_) return;
  signal_end();
  const auto ended = wait();
  if (!ended.ok()) exit_ = Exit{Exit::Kind::kSignal, SIGKILL};
}

}  // namespace slipway
