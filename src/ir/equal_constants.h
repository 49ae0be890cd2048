// Which constants are the same: the one answer for all that merges or shares them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "ir/program.h"
#include "slipway/result.h"

namespace slipway::ir {

// Constants are the same that have equal bytes in order, whatever their shape. One is read when
// another has its size in bytes; those of one XXH3 are held to their SHA-256, too. An expanded one,
// which may be far larger than its storage, is never read: it is the same only where it lies in the
// same place. Not thread-safe.
class EqualConstants {
 public:
  // The number of the first constant that is the same. Constants are numbered from 0 on as they
  // come, the same ones not counted, so that a new one has the number size() before the call.
  Result<size_t> add(const ConstantData& data);
  size_t size() const { return constants_.size(); }

 private:
  struct Constant {
    ConstantData data;
    std::optional<std::string> xxh3;
    std::optional<std::string> sha256;
  };
  // Where the bytes lie, and how they are read.
  using Place =
      std::tuple<const std::byte*, uint64_t, int64_t, std::vector<int64_t>, std::vector<int64_t>>;

  static Result<bool> same(Constant& a, Constant& b);

  std::vector<Constant> constants_;
  std::map<Place, size_t> places_;
  std::map<uint64_t, std::vector<size_t>> by_size_;  // in bytes
};

}  // namespace slipway::ir
