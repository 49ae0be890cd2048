// The checked reader: nothing of a `.pte` reaches ExecuTorch before it has passed here.
//
// ExecuTorch trusts a file: a wrong tag or count aborts the process, a wrong offset reads outside
// the file. Files that pass here do neither.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/mapped_file.h"
#include "engine/manifest.h"
#include "slipway/result.h"

namespace executorch_flatbuffer {
struct Program;
struct ExecutionPlan;
struct BackendDelegate;
}  // namespace executorch_flatbuffer

namespace slipway::pte {

struct ReadOptions {
  // Accept operators without a known schema.
  bool trust = false;
};

// A checked file. Immutable; safe to read from several threads.
class File {
 public:
  // Checks everything but the bytes of segments; `name` is for messages. Of a shared library it is
  // the program behind it. Fails with kInvalidFile, or kUnsupported for an unknown operator.
  static Result<File> read(OwnedSpan bytes, const std::string& name,
                           const ReadOptions& options = {});

  const std::string& name() const { return name_; }
  std::span<const std::byte> bytes() const { return bytes_.bytes; }
  const std::shared_ptr<const void>& owner() const { return bytes_.owner; }
  const executorch_flatbuffer::Program& program() const { return *program_; }
  // The plan of this name, or null.
  const executorch_flatbuffer::ExecutionPlan* plan(const std::string& method) const;
  // Bytes of the program part, from 0.
  size_t program_size() const { return program_size_; }
  // A segment's bytes; the index is checked.
  Result<std::span<const std::byte>> segment(size_t index) const;
  // What one of its delegates is given: an engine with its header.
  std::span<const std::byte> blob(const executorch_flatbuffer::BackendDelegate& delegate) const;
  // Named data by key, or nothing.
  std::optional<std::span<const std::byte>> named_data(const std::string& key) const;
  // Absent in files that other tools made.
  const std::optional<engine::Manifest>& manifest() const { return manifest_; }
  // What the manifest says of the method of this name, or null.
  const engine::ManifestMethod* described(std::string_view method) const {
    return manifest_ ? manifest_->method(method) : nullptr;
  }

  // Compares every segment, and the padding between, with the manifest's checksums. A file without
  // a manifest has nothing to compare: kNotFound.
  Status verify_checksums() const;
  // The same for the engines of a method: a library that is given a damaged engine may do anything.
  // Nothing to compare without a manifest.
  Status verify_engines(const std::string& method) const;
  // The same for one of their segments.
  Status verify_engine(uint32_t segment) const;

 private:
  Status verify_segment(const engine::ManifestSegment& expected) const;
  Status verify_engines(std::unordered_set<uint32_t> segments) const;

  std::string name_;
  OwnedSpan bytes_;
  const executorch_flatbuffer::Program* program_ = nullptr;
  size_t program_size_ = 0;
  uint64_t segment_base_ = 0;
  std::optional<engine::Manifest> manifest_;
};

}  // namespace slipway::pte
