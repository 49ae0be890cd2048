// Zip archives as PyTorch writes them: every entry stored, its data at a multiple of 64 bytes.
//
// An extra field "FB" fills up what lies before the data. Local headers have no sizes and no CRC;
// these follow the data and are in the directory. Past 4 GiB there are zip64 fields, and the record
// at the end always is one of zip64.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_source.h"

namespace slipway::pt2 {

// Collects entries. Not thread-safe.
class ZipWriter {
 public:
  // `root` is the folder that all entries lie in.
  explicit ZipWriter(std::string root) : root_(std::move(root)) {}

  // `name` is a path below the root; whoever adds sees to it that none is added twice.
  void add(const std::string& name, ByteSource content);
  void add(const std::string& name, std::string content);
  // 40 digits that follow from the names and the bytes of all entries before.
  void add_serialization_id(const std::string& name);

  // The archive. Nothing is read or summed up before it is written; may be written several times,
  // and by several threads at once.
  ByteSource finish() &&;

 private:
  struct Entry {
    std::string name;
    ByteSource content;
    bool is_serialization_id = false;
  };
  class Stream;

  std::string root_;
  std::vector<Entry> entries_;
};

}  // namespace slipway::pt2
