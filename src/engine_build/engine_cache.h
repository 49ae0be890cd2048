// A cache of engines on disk, by the hash of what they were made from.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/temporary_file.h"
#include "engine/record.h"
#include "slipway/result.h"

namespace slipway::engine_build {

// Receives what the user should know although the work goes on.
using Warn = std::function<void(const std::string&)>;

// $XDG_CACHE_HOME/slipway/engines, else ~/.cache/slipway/engines; empty where neither variable is
// an absolute path.
std::string default_cache_folder();

// A folder of engines, one file an entry, named by its key: a SHA-256 in hexadecimal digits. May be
// used by several threads and processes at once. Nothing here stops a compile: an entry that is
// damaged is removed, a folder that cannot be written keeps nothing, and both are said to `warn`.
//
// Whoever can write to the folder decides what an engine computes.
class EngineCache {
 public:
  static constexpr uint64_t kDefaultMaxBytes = uint64_t{10} << 30;

  // `max_bytes` is the most that the entries take together after one was added.
  explicit EngineCache(std::string folder, Warn warn = {}, uint64_t max_bytes = kDefaultMaxBytes)
      : folder_(std::move(folder)), warn_(std::move(warn)), max_bytes_(max_bytes) {}

  const std::string& folder() const { return folder_; }

  // The engine, mapped from its entry, which then counts as used now.
  std::optional<engine::Engine> find(const std::string& key) const;

  // Before anything is written there. One that exists already is left as it is.
  Status make_folder() const;
  // Adds an engine whose bytes are in `file`, which is in this folder. Then removes the entries
  // that were not used for longest, as far as the bound asks for it, but never this one.
  void add(const std::string& key, const engine::EngineRecord& record,
           const std::string& engine_xxh3, TemporaryFile& file) const;

  struct Entry {
    std::string key;
    uint64_t size = 0;         // of the file
    int64_t last_used_ns = 0;  // since 1970
  };
  // What was not used for longest comes first. A folder that does not exist has none.
  Result<std::vector<Entry>> entries() const;
  Result<engine::EngineRecord> record(const Entry& entry) const;

  struct Removed {
    uint64_t entries = 0;
    uint64_t bytes = 0;
  };
  // Removes the entries that were not used for longest until the rest takes at most `max_bytes`.
  // Files that are not entries are left alone.
  Result<Removed> prune(uint64_t max_bytes) const;

 private:
  std::string path_of(const std::string& key) const;
  Result<Removed> prune(uint64_t max_bytes, const std::string& keep) const;
  void warn(const std::string& message) const;

  std::string folder_;
  Warn warn_;
  uint64_t max_bytes_;
};

}  // namespace slipway::engine_build
