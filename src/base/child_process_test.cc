#include "base/child_process.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <string_view>
#include <sys/mman.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

namespace slipway {
namespace {

constexpr const char* kThisProgram = "/proc/self/exe";
constexpr const char* kChildSide = "--child-side";
constexpr uint64_t kMost = uint64_t{64} << 20;

std::string read_all(int descriptor) {
  ::lseek(descriptor, 0, SEEK_SET);
  std::string text(1000, '\0');
  text.resize(static_cast<size_t>(::read(descriptor, text.data(), text.size())));
  return text;
}

// Answers each message with itself and the contents of the files that come with it.
int echo(Channel& channel) {
  while (true) {
    auto message = channel.receive(kMost);
    if (!message.ok()) return 3;
    if (!*message) return 0;
    std::string reply = (*message)->bytes;
    for (const Descriptor& file : (*message)->descriptors) reply += read_all(file.number());
    if (!channel.send((*message)->kind + 1, reply).ok()) return 4;
  }
}

// Spawns a child that sleeps, tells its id, and ends without ending it.
int leave_child(Channel& channel) {
  auto child = ChildProcess::spawn(kThisProgram, {kChildSide, "sleep"});
  if (!child.ok()) return 3;
  auto ready = child->channel().receive(kMost);
  if (!ready.ok() || !*ready || !channel.send(0, (*ready)->bytes).ok()) return 4;
  ::_exit(0);
}

int sleep(Channel& channel) {
  if (!channel.send(0, std::to_string(::getpid())).ok()) return 3;
  while (true) ::pause();
}

int open_descriptors(Channel& channel) {
  std::string numbers;
  for (int number = 0; number < 100; ++number) {
    if (::fcntl(number, F_GETFD) >= 0) numbers += std::to_string(number) + " ";
  }
  return channel.send(0, numbers).ok() ? 0 : 3;
}

// Half a message.
int cut_short(Channel&) {
  const std::string bytes = "half";
  return ::write(3, bytes.data(), bytes.size()) == 4 ? 0 : 3;
}

int print(Channel&) {
  return ::write(1, "to output ", 10) == 10 && ::write(2, "to error", 8) == 8 ? 0 : 3;
}

int ignored_signals(Channel& channel) {
  struct sigaction action = {};
  ::sigaction(SIGPIPE, nullptr, &action);
  return channel.send(action.sa_handler == SIG_DFL ? 1 : 0, std::string()).ok() ? 0 : 3;
}

// Of this program when a test has spawned it; glibc hands the arguments to constructors.
[[gnu::constructor]] void child_side(int argc, char** argv) {
  if (argc < 3 || std::string_view(argv[1]) != kChildSide) return;
  auto channel = Channel::to_parent();
  if (!channel.ok()) ::_exit(99);
  const std::string_view what = argv[2];
  if (what == "echo") ::_exit(echo(*channel));
  if (what == "sleep") ::_exit(sleep(*channel));
  if (what == "leave") ::_exit(leave_child(*channel));
  if (what == "descriptors") ::_exit(open_descriptors(*channel));
  if (what == "cut short") ::_exit(cut_short(*channel));
  if (what == "print") ::_exit(print(*channel));
  if (what == "signals") ::_exit(ignored_signals(*channel));
  if (what == "crash") ::raise(SIGSEGV);
  ::_exit(static_cast<int>(std::strtol(argv[2], nullptr, 10)));
}

ChildProcess spawn(const std::string& what, int output = -1) {
  auto child = ChildProcess::spawn(kThisProgram, {kChildSide, what}, output);
  EXPECT_TRUE(child.ok()) << child.error().message();
  return std::move(*child);
}

Descriptor memory_file(const std::string& text) {
  Descriptor file(::memfd_create("test", MFD_CLOEXEC));
  EXPECT_EQ(::write(file.number(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  return file;
}

TEST(ChildProcessTest, ReportsHowItEnded) {
  ChildProcess good = spawn("0");
  EXPECT_TRUE(good.wait()->ok());
  EXPECT_TRUE(good.wait()->ok());
  const Exit code = *spawn("7").wait();
  EXPECT_EQ(code.number, 7);
  EXPECT_EQ(code.text(), "ended with exit code 7");
  const Exit crash = *spawn("crash").wait();
  EXPECT_EQ(crash.kind, Exit::Kind::kSignal);
  EXPECT_EQ(crash.number, SIGSEGV);
  EXPECT_EQ(crash.text(), "was ended by signal 11 (Segmentation fault)");
  ChildProcess endless = spawn("sleep");
  const Exit late = *endless.wait(std::chrono::milliseconds(20));
  EXPECT_EQ(late.kind, Exit::Kind::kTimeout);
  EXPECT_FALSE(late.ok());
}

TEST(ChildProcessTest, SaysWhatCannotBeStarted) {
  const auto child = ChildProcess::spawn("/nowhere/program", {});
  ASSERT_FALSE(child.ok());
  EXPECT_EQ(child.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(child.error().message().find("/nowhere/program"), std::string::npos);
}

TEST(ChildProcessTest, MessagesGoBothWays) {
  ChildProcess child = spawn("echo");
  for (const size_t size : {size_t{0}, size_t{1}, size_t{10'000'000}}) {
    const std::string text(size, 'x');
    // The child reads before it writes, so that neither waits for the other.
    ASSERT_TRUE(child.channel().send(41, text).ok());
    auto reply = child.channel().receive(kMost);
    ASSERT_TRUE(reply.ok() && *reply);
    EXPECT_EQ((*reply)->kind, 42U);
    EXPECT_EQ((*reply)->bytes, text);
  }
}

TEST(ChildProcessTest, DescriptorsComeWithMessages) {
  ChildProcess child = spawn("echo");
  const Descriptor one = memory_file("one ");
  const Descriptor two = memory_file("two");
  const int files[] = {one.number(), two.number()};
  ASSERT_TRUE(child.channel().send(0, "files: ", files).ok());
  auto reply = child.channel().receive(kMost);
  ASSERT_TRUE(reply.ok() && *reply);
  EXPECT_EQ((*reply)->bytes, "files: one two");
  const std::vector<int> many(Channel::kMostDescriptors + 1, one.number());
  EXPECT_FALSE(child.channel().send(0, "", many).ok());
}

TEST(ChildProcessTest, ChecksLengths) {
  ChildProcess child = spawn("echo");
  ASSERT_TRUE(child.channel().send(0, std::string(100, 'x')).ok());
  const auto reply = child.channel().receive(99);
  ASSERT_FALSE(reply.ok());
  EXPECT_NE(reply.error().message().find("100 bytes"), std::string::npos);

  ChildProcess half = spawn("cut short");
  EXPECT_FALSE(half.channel().receive(kMost).ok());
}

TEST(ChildProcessTest, ANoticedEndIsNoSignal) {
  ChildProcess child = spawn("crash");
  auto message = child.channel().receive(kMost);
  ASSERT_TRUE(message.ok());
  EXPECT_FALSE(*message);
  EXPECT_EQ(child.wait()->kind, Exit::Kind::kSignal);
  EXPECT_FALSE(child.channel().send(0, "text").ok());
}

TEST(ChildProcessTest, GivesUpAfterTheTimeout) {
  ChildProcess child = spawn("sleep");
  ASSERT_TRUE(child.channel().receive(kMost).ok());
  const auto message = child.channel().receive(kMost, std::chrono::milliseconds(10));
  ASSERT_FALSE(message.ok());
  EXPECT_EQ(message.error().code(), ErrorCode::kUnavailable);
  // It reads nothing: the system takes some of it only.
  const std::vector<std::byte> large(10'000'000);
  EXPECT_FALSE(child.channel().send(0, large, {}, std::chrono::milliseconds(10)).ok());
}

// Whether the process is there and is no zombie.
bool is_running(const std::string& id) {
  std::ifstream file("/proc/" + id + "/stat");
  const std::string stat((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const size_t name_end = stat.rfind(") ");
  return name_end != std::string::npos && stat[name_end + 2] != 'Z';
}

TEST(ChildProcessTest, EndsWithItsOwner) {
  std::string id;
  {
    ChildProcess child = spawn("sleep");
    auto ready = child.channel().receive(kMost);
    ASSERT_TRUE(ready.ok() && *ready);
    id = (*ready)->bytes;
    EXPECT_TRUE(is_running(id));
  }
  EXPECT_FALSE(is_running(id));
}

TEST(ChildProcessTest, EndsWithItsParent) {
  ChildProcess child = spawn("leave");
  auto grandchild = child.channel().receive(kMost);
  ASSERT_TRUE(grandchild.ok() && *grandchild);
  EXPECT_TRUE(child.wait()->ok());
  for (int i = 0; i < 1000 && is_running((*grandchild)->bytes); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_FALSE(is_running((*grandchild)->bytes));
}

TEST(ChildProcessTest, GetsNothingElse) {
  const int leaked = ::fcntl(0, F_DUPFD, 50);  // without close-on-exec
  ASSERT_GE(leaked, 50);
  ChildProcess child = spawn("descriptors");
  auto numbers = child.channel().receive(kMost);
  ::close(leaked);
  ASSERT_TRUE(numbers.ok() && *numbers);
  EXPECT_EQ((*numbers)->bytes, "0 1 2 3 ");
}

TEST(ChildProcessTest, IgnoredSignalsAreThisProcesssOwn) {
  auto* const before = std::signal(SIGPIPE, SIG_IGN);
  ChildProcess child = spawn("signals");
  auto reply = child.channel().receive(kMost);
  std::signal(SIGPIPE, before);
  ASSERT_TRUE(reply.ok() && *reply);
  EXPECT_EQ((*reply)->kind, 1U);
}

TEST(ChildProcessTest, OutputGoesWhereItIsSent) {
  const Descriptor file = memory_file("");
  EXPECT_TRUE(spawn("print", file.number()).wait()->ok());
  EXPECT_EQ(read_all(file.number()), "to output to error");
}

TEST(ChildProcessTest, AProgramThatNobodySpawnedHasNoChannel) {
  EXPECT_FALSE(Channel::to_parent().ok());
}

}  // namespace
}  // namespace slipway
