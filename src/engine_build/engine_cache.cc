#include "engine_build/engine_cache.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <tuple>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/try.h"
#include "engine_build/engine_cache_entry.h"

namespace slipway::engine_build {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".slipway-engine";
// A temporary file that is not complete after that long was left by a process that died.
constexpr int64_t kStaleAfterNs = int64_t{24} * 3600 * 1'000'000'000;

int64_t nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

int64_t now_ns() {
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return nanoseconds(now);
}

// Nothing for a file that is not an entry.
std::optional<std::string> key_of(const std::string& name) {
  if (name.size() != kSha256HexDigits + kExtension.size() || !name.ends_with(kExtension) ||
      name.find_first_not_of("0123456789abcdef") != kSha256HexDigits) {
    return std::nullopt;
  }
  return name.substr(0, kSha256HexDigits);
}

// Read, and only if it is a file itself.
Result<std::shared_ptr<const MappedFile>> map_entry(const std::string& path, bool touch) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return errno_error(errno, path + ": cannot be opened");
  auto mapped = MappedFile::map(descriptor, path);
  // In a folder that cannot be written to, nothing is removed either.
  if (touch && mapped.ok()) std::ignore = ::futimens(descriptor, nullptr);
  ::close(descriptor);
  return mapped;
}

// The files of a folder that exists, with their status. Others may be removing some meanwhile.
template <class Visit>
Status visit_files(const std::string& folder, const Visit& visit) {
  std::error_code error;
  fs::directory_iterator item(folder, error);
  for (; !error && item != fs::directory_iterator(); item.increment(error)) {
    struct stat status = {};
    if (::lstat(item->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    visit(item->path(), status);
  }
  if (!error || error == std::errc::no_such_file_or_directory) return {};
  return errno_error(error.value(), folder + ": the folder cannot be read");
}

}  // namespace

std::string default_cache_folder() {
  for (const auto& [variable, below] : {std::pair("XDG_CACHE_HOME", ""), {"HOME", "/.cache"}}) {
    const char* folder = std::getenv(variable);
    if (folder != nullptr && *folder == '/')
      return folder + std::string(below) + "/slipway/engines";
  }
  return {};
}

std::string EngineCache::path_of(const std::string& key) const {
  return fmt::format("{}/{}{}", folder_, key, kExtension);
}

void EngineCache::warn(const std::string& message) const {
  if (warn_) warn_(message);
}

std::optional<engine::Engine> EngineCache::find(const std::string& key) const {
  const std::string path = path_of(key);
  const auto mapped = map_entry(path, /*touch=*/true);
  if (!mapped.ok()) {
    if (mapped.error().code() != ErrorCode::kNotFound) {
      warn(mapped.error().message() + "; the engine is built again");
    }
    return std::nullopt;
  }
  auto engine = read_entry({(*mapped)->bytes(), *mapped}, key);
  if (engine.ok()) return std::move(*engine);
  const bool removed = ::unlink(path.c_str()) == 0 || errno == ENOENT;
  warn(fmt::format("{}: the cached engine is damaged: {}; it is {}built again", path,
                   engine.error().message(), removed ? "removed and " : ""));
  return std::nullopt;
}

// Folders are made for the user alone, as the XDG specification has it.
Status EngineCache::make_folder() const {
  for (size_t end = folder_.find('/', 1);; end = folder_.find('/', end + 1)) {
    const std::string folder = folder_.substr(0, end);
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST && end == std::string::npos) {
      return errno_error(errno, folder_ + ": the folder cannot be made");
    }
    if (end == std::string::npos) return {};
  }
}

void EngineCache::add(const std::string& key, const engine::EngineRecord& record,
                      const std::string& engine_xxh3, TemporaryFile& file) const {
  const std::string tail = entry_tail(key, record, engine_xxh3);
  Status status = file.append(std::as_bytes(std::span<const char>(tail)));
  if (status.ok()) status = file.publish(key + std::string(kExtension));
  if (!status.ok()) {
    warn(status.error().message() + "; the engine is not kept for the next time");
    return;
  }
  const auto removed = prune(max_bytes_, key);
  if (!removed.ok()) warn(removed.error().message());
}

Result<std::vector<EngineCache::Entry>> EngineCache::entries() const {
  std::vector<Entry> entries;
  SLIPWAY_RETURN_IF_ERROR(
      visit_files(folder_, [&](const fs::path& path, const struct stat& status) {
        if (auto key = key_of(path.filename())) {
          entries.push_back({std::move(*key), static_cast<uint64_t>(status.st_size),
                             nanoseconds(status.st_mtim)});
        }
      }));
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.last_used_ns, a.key) < std::tie(b.last_used_ns, b.key);
  });
  return entries;
}

Result<engine::EngineRecord> EngineCache::record(const Entry& entry) const {
  const std::string path = path_of(entry.key);
  SLIPWAY_ASSIGN_OR_RETURN(const auto mapped, map_entry(path, /*touch=*/false));
  auto record = read_entry_record(mapped->bytes(), entry.key);
  if (!record.ok()) return record.error().with_context(path);
  return record;
}

Result<EngineCache::Removed> EngineCache::prune(uint64_t max_bytes) const {
  return prune(max_bytes, "");
}

Result<EngineCache::Removed> EngineCache::prune(uint64_t max_bytes, const std::string& keep) const {
  const int64_t stale_before = now_ns() - kStaleAfterNs;
  SLIPWAY_RETURN_IF_ERROR(
      visit_files(folder_, [&](const fs::path& path, const struct stat& status) {
        if (is_temporary_name(path.filename()) && nanoseconds(status.st_mtim) < stale_before) {
          ::unlink(path.c_str());
        }
      }));
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Entry> entries, this->entries());
  uint64_t total = 0;
  for (const Entry& entry : entries) total += entry.size;
  Removed removed;
  for (const Entry& entry : entries) {
    if (total <= max_bytes) break;
    if (entry.key == keep) continue;
    const std::string path = path_of(entry.key);
    if (::unlink(path.c_str()) == 0) {
      ++removed.entries;
      removed.bytes += entry.size;
    } else if (errno != ENOENT) {
      return errno_error(errno, path + ": cannot be removed");
    }
    total -= entry.size;
  }
  return removed;
}

}  // namespace slipway::engine_build
