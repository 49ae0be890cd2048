#include "engine_build/helper.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <mutex>
#include <optional>
#include <sys/mman.h>
#include <sys/personality.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/checked.h"
#include "base/error.h"
#include "base/guard.h"
#include "base/mapped_place.h"
#include "base/memory_shortage.h"
#include "base/shared_library.h"
#include "base/try.h"
#include "engine/json.h"
#include "engine_build/constants.h"
#include "engine_build/parse_json.h"
#include "slipway/version.h"

namespace slipway::engine_build {

namespace {

using Json = engine::OrderedJson;

constexpr const char* kHelper = "slipway-build-engine";
// The first message of the helper: both sides are of one build, or don't talk.
std::string greeting() { return std::string("slipway-build-engine ") + version() + ", protocol 1"; }

enum Kind : uint32_t { kReady, kJob, kModel, kBytes, kAnswer, kFailure };

constexpr uint64_t kMostText = uint64_t{1} << 30;
constexpr uint64_t kMostModel = uint64_t{1} << 31;
// An engine's bytes are gathered to messages of this size.
constexpr size_t kChunk = size_t{256} << 10;

// Constants as the helper gets them: files, and places in them.
struct SharedConstants {
  std::vector<Descriptor> files;
  Json places = Json::array();  // [file, offset, size] of each
};

// Bytes of mapped files are mapped by the helper, too; the rest is copied to a file in memory.
Result<SharedConstants> share(const std::vector<std::span<const std::byte>>& constants) {
  SharedConstants shared;
  std::map<const MappedFile*, size_t> known;
  std::optional<size_t> copies;
  uint64_t end = 0;
  const auto file_of = [&](std::span<const std::byte> bytes) -> std::optional<size_t> {
    const MappedFile* const file = find_mapped_file(bytes);
    if (file == nullptr) return std::nullopt;
    if (const auto it = known.find(file); it != known.end()) return it->second;
    // One is left for copies.
    if (shared.files.size() + 1 >= Channel::kMostDescriptors) return std::nullopt;
    auto opened = reopen(*file);
    if (!opened) return std::nullopt;
    shared.files.push_back(std::move(*opened));
    return known[file] = shared.files.size() - 1;
  };
  for (const std::span<const std::byte> bytes : constants) {
    if (bytes.empty()) {
      shared.places.push_back({0, 0, 0});
      continue;
    }
    if (const auto file = file_of(bytes)) {
      const std::byte* const start = find_mapped_file(bytes)->bytes().data();
      shared.places.push_back({*file, bytes.data() - start, bytes.size()});
      continue;
    }
    if (!copies) {
      Descriptor file(::memfd_create("slipway constants", MFD_CLOEXEC));
      if (file.number() < 0) return errno_error(errno, "memory for constants can't be had");
      shared.files.push_back(std::move(file));
      copies = shared.files.size() - 1;
    }
    const auto start = checked_align(end, kConstantAlignment);
    if (!start) return resource_exhausted("the constants of a partition are too large");
    SLIPWAY_RETURN_IF_ERROR(write_at(shared.files[*copies].number(), bytes, *start, "constants"));
    shared.places.push_back({*copies, *start, bytes.size()});
    end = *start + bytes.size();
  }
  return shared;
}

class Helper : public Worker {
 public:
  Helper(std::string program, bool for_each_job, Warn warn)
      : program_(std::move(program)), for_each_job_(for_each_job), warn_(std::move(warn)) {}

  Result<std::string> run(const Job& job, JobHandler handler, const ByteSink& sink) override {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!child_ && !given_up_) start();
    if (given_up_) {
      lock.unlock();
      return handler(job, sink);
    }
    auto answer = converse(job, sink);
    if (for_each_job_) child_.reset();
    return answer;
  }

 private:
  void start() {
    const Status started = try_to_start();
    if (started.ok()) return;
    child_.reset();
    given_up_ = true;
    if (!warn_) return;
    warn_(started.error().message() +
          ": engines are built in this process, which a crash of the engine's library would end");
  }

  Status try_to_start() {
    if (program_.empty()) return not_found("the program libexec/slipway/{} is not here", kHelper);
    // Libraries say there what they can't return.
    output_ = Descriptor(::memfd_create("slipway messages", MFD_CLOEXEC));
    ::fcntl(output_.number(), F_SETFL, O_APPEND);
    SLIPWAY_ASSIGN_OR_RETURN(
        child_,
        ChildProcess::spawn(program_, {executorch_folder(), program_folder()}, output_.number()));
    auto ready = child_->channel().receive(kMostText);
    if (!ready.ok()) return ready.error().with_context(program_);
    if (!*ready) {
      SLIPWAY_ASSIGN_OR_RETURN(const Exit ended, child_->wait());
      return unavailable("{} {} at once{}", program_, ended.text(), last_words());
    }
    if ((*ready)->kind == kReady && (*ready)->bytes == greeting()) return {};
    return unavailable("{} is of another version of Slipway", program_);
  }

  Result<std::string> converse(const Job& job, const ByteSink& sink) {
    if (::ftruncate(output_.number(), 0) != 0) return errno_error(errno, "a file can't be emptied");
    SLIPWAY_ASSIGN_OR_RETURN(const SharedConstants constants, share(job.constants));
    std::vector<int> files;
    for (const Descriptor& file : constants.files) files.push_back(file.number());
    const std::string head = engine::dump_json(
        Json{{"library", job.library}, {"request", job.request}, {"constants", constants.places}});
    Channel& channel = child_->channel();
    Status sent = channel.send(kJob, head, files);
    if (sent.ok()) sent = channel.send(kModel, job.model);
    while (sent.ok()) {
      auto message = channel.receive(kMostText);
      if (!message.ok() || !*message) break;
      const std::string& bytes = (*message)->bytes;
      if ((*message)->kind == kAnswer) return bytes;
      if ((*message)->kind == kFailure) return read_failure(bytes);
      if ((*message)->kind != kBytes) break;
      if (Status taken = sink(std::as_bytes(std::span(bytes))); !taken.ok()) {
        child_.reset();
        return taken.error();
      }
    }
    return lost();
  }

  static Error read_failure(const std::string& text) {
    const Result<Json> failure = parse_json(text);
    if (!failure.ok() || !failure->is_object())
      return internal_error("the helper's error can't be read: {}", text);
    return Error(static_cast<ErrorCode>(failure->value("code", 0)),
                 failure->value("message", std::string()));
  }

  // The helper no longer talks.
  Error lost() {
    const auto ended = child_->wait();
    child_.reset();
    if (!ended.ok()) return ended.error();
    const std::string words = last_words();
    // The system ends processes so where memory is short.
    const bool is_killed = ended->kind == Exit::Kind::kSignal && ended->number == SIGKILL;
    if (is_killed || lacks_memory(words)) {
      return resource_exhausted("the process that builds engines {}{}: there is not enough memory",
                                ended->text(), words);
    }
    if (ended->kind == Exit::Kind::kSignal && ended->number == SIGBUS) {
      return io_error(
          "the process that builds engines {}{}: a file that it reads has become shorter, or its "
          "disk is full",
          ended->text(), words);
    }
    return unsupported("the process that builds engines {}{}", ended->text(), words);
  }

  // ": " and the end of what the helper has printed, if that is anything.
  std::string last_words() const {
    constexpr size_t kMostWords = 300;
    std::string text(4096, '\0');
    const off_t size = ::lseek(output_.number(), 0, SEEK_END);
    const off_t start = std::max<off_t>(0, size - static_cast<off_t>(text.size()));
    const ssize_t count = ::pread(output_.number(), text.data(), text.size(), start);
    text.resize(static_cast<size_t>(std::max<ssize_t>(0, count)));
    text.erase(text.find_last_not_of(" \t\r\n") + 1);
    text.erase(0, text.size() - std::min(text.size(), kMostWords));
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
    return text.empty() ? "" : ": " + text;
  }

  const std::string program_;
  const bool for_each_job_;
  const Warn warn_;
  std::mutex mutex_;
  bool given_up_ = false;
  Descriptor output_;
  std::optional<ChildProcess> child_;
};

// Gathers an engine's bytes and sends them.
class Sender {
 public:
  explicit Sender(Channel& channel) : channel_(channel) {}

  Status add(std::span<const std::byte> bytes) {
    if (gathered_.size() + bytes.size() > kChunk) SLIPWAY_RETURN_IF_ERROR(flush());
    if (bytes.size() < kChunk) {
      gathered_.insert(gathered_.end(), bytes.begin(), bytes.end());
      return {};
    }
    for (; !bytes.empty(); bytes = bytes.subspan(std::min(bytes.size(), kChunk))) {
      SLIPWAY_RETURN_IF_ERROR(channel_.send(kBytes, bytes.first(std::min(bytes.size(), kChunk))));
    }
    return {};
  }
  Status flush() {
    if (gathered_.empty()) return {};
    Status sent = channel_.send(kBytes, gathered_);
    gathered_.clear();
    return sent;
  }

 private:
  Channel& channel_;
  std::vector<std::byte> gathered_;
};

// What building an engine takes at least: its constants, laid out in another way, and the rest.
std::atomic<size_t> needed_memory = 0;
constexpr size_t kRest = size_t{64} << 20;
struct sigaction crash_before;

// Libraries go on where they were given no memory, and crash. The parent reads what is said here.
void tell_why(int number, siginfo_t* info, void* /*context*/) {
  constexpr std::string_view kText = "not enough memory\n";
  void* memory = ::mmap(nullptr, needed_memory, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kText.data(), kText.size());
  }
  ::sigaction(number, &crash_before, nullptr);
  // A fault comes again by itself.
  if (info->si_code <= 0) ::raise(number);
}

void catch_crashes() {
  struct sigaction action = {};
  action.sa_sigaction = tell_why;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSEGV, &action, &crash_before);
}

Error unreadable() { return invalid_file("the job can't be read"); }

Result<std::string> answer(const Message& head, const Message& model, Sender& sender,
                           const std::map<std::string, JobHandler>& handlers) {
  const Result<Json> parsed = parse_json(head.bytes);
  if (head.kind != kJob || model.kind != kModel || !parsed.ok() || !parsed->is_object()) {
    return unreadable();
  }
  const Json& json = *parsed;
  Job job = {json.at("library"), json.at("request"), model.bytes, {}};
  std::vector<std::shared_ptr<const MappedFile>> files;
  for (const Descriptor& file : head.descriptors) {
    SLIPWAY_ASSIGN_OR_RETURN(files.emplace_back(),
                             MappedFile::map(file.number(), "a file with constants"));
  }
  size_t needed = kRest;
  for (const Json& place : json.at("constants")) {
    const uint64_t size = place.at(2);
    if (size == 0) {
      job.constants.emplace_back();
      continue;
    }
    const auto bytes = files.at(place.at(0).get<size_t>())->bytes();
    const uint64_t offset = place.at(1);
    if (offset > bytes.size() || size > bytes.size() - offset) {
      return io_error("a file with constants has become shorter");
    }
    job.constants.push_back(bytes.subspan(offset, size));
    needed += size;
  }
  needed_memory = needed;
  const auto handler = handlers.find(job.library);
  if (handler == handlers.end()) return unreadable();
  SLIPWAY_ASSIGN_OR_RETURN(std::string text, handler->second(job, [&](auto bytes) -> Status {
    return sender.add(bytes);
  }));
  SLIPWAY_RETURN_IF_ERROR(sender.flush());
  return text;
}

// Starts this program anew with addresses that are the same each time: some libraries write their
// engines in an order that depends on them.
void fix_addresses(char** arguments) {
  constexpr unsigned long kAsk = 0xffffffff;
  const int before = ::personality(kAsk);
  if (before < 0 || (before & ADDR_NO_RANDOMIZE) != 0) return;
  ::personality(static_cast<unsigned long>(before) | ADDR_NO_RANDOMIZE);
  const int after = ::personality(kAsk);
  if (after >= 0 && (after & ADDR_NO_RANDOMIZE) != 0) ::execv("/proc/self/exe", arguments);
}

int serve(Channel& parent, const std::map<std::string, JobHandler>& handlers) {
  Status sent = parent.send(kReady, greeting());
  while (sent.ok()) {
    auto head = parent.receive(kMostText);
    if (!head.ok()) return 1;
    if (!*head) return 0;
    auto model = parent.receive(kMostModel);
    if (!model.ok() || !*model) return 1;
    Sender sender(parent);
    const Result<std::string> result =
        guarded("building an engine", [&] { return answer(**head, **model, sender, handlers); });
    if (result.ok()) {
      sent = parent.send(kAnswer, *result);
    } else {
      sent = parent.send(kFailure,
                         engine::dump_json(Json{{"code", static_cast<int>(result.error().code())},
                                                {"message", result.error().message()}}));
    }
  }
  return 1;
}

}  // namespace

std::string find_helper() { return find_program(kHelper); }

std::shared_ptr<Worker> make_helper(std::string program, bool for_each_job, Warn warn) {
  return std::make_shared<Helper>(std::move(program), for_each_job, std::move(warn));
}

int run_helper(int argc, char** argv, const std::map<std::string, JobHandler>& handlers) {
  constexpr int kWrongUse = 2;
  if (argc != 3) {
    std::fputs("this program is started by what compiles, not by hand\n", stderr);
    return kWrongUse;
  }
  fix_addresses(argv);
  auto parent = Channel::to_parent();
  if (!parent.ok()) {
    std::fprintf(stderr, "%s\n", parent.error().message().c_str());
    return kWrongUse;
  }
  catch_crashes();
  open_libraries_for(argv[1], argv[2]);
  return serve(*parent, handlers);
}

}  // namespace slipway::engine_build
