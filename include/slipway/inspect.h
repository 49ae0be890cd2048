// What a file holds, for programs and for people.
//
//   auto file = slipway::inspect("model.pte");
//   if (!file.ok()) { std::cerr << file.error().message() << "\n"; return 1; }
//   for (const slipway::MethodInfo& method : file->methods()) ...
//   std::cout << file->to_text();
//
// Files are told apart by their content, not by their names. The functions run no program, print
// nothing, and may be called by several threads at once; a file must not change while one reads it
// (slipway/module.h says why). Sizes are in bytes, and names are as the file has them: they may
// hold anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "slipway/result.h"
#include "slipway/tree.h"
#include "slipway/value_info.h"

namespace slipway {

enum class FileKind : uint8_t {
  kArchive,  // of torch.export: a .pt2
  kProgram,  // a .pte
  kEngine,   // a bare engine
};
// kInvalidFile for anything else, and what it looks like where that is known.
Result<FileKind> file_kind(const std::string& path);

// A node, and why an engine did not take it.
struct NodeReason {
  std::string name;
  std::string op;
  std::string reason;
};

// An engine of a method.
struct EngineInfo {
  std::string backend;  // the delegate that runs it
  uint64_t bytes = 0;   // with the header that the delegate reads
  // The rest is known of files that Slipway made.
  std::string engine;           // engine_names() of slipway/compile.h
  std::string library_version;  // of what built it
  std::string device;           // "CPU"
  // The machines that it runs on, where engines are built for some only ("sm_80,sm_86"), and those
  // that other engines of the file are for, which hold the same part of the program.
  std::string target;
  std::vector<std::string> other_targets;
  std::map<std::string, std::string> options;  // what it was built with
  std::string sha256;                          // without its header
  std::vector<std::string> nodes;              // "conv2d (aten.conv2d.default)"
  std::vector<NodeReason> passed_over;         // its nodes that engines of higher priority left
};

struct MethodInfo {
  std::string name;
  std::vector<ValueInfo> inputs;
  std::vector<ValueInfo> outputs;
  Tree input_tree;
  Tree output_tree;
  uint64_t planned_bytes = 0;               // memory that the method works in
  std::map<std::string, size_t> operators;  // kernels, and how often each is called
  std::vector<EngineInfo> engines;          // `slipway extract` counts in this order
  std::vector<NodeReason> outside;          // nodes on kernels although engines were asked
  std::vector<std::pair<std::string, std::string>> state;  // mutable buffers: name and type
};

struct InspectOptions {
  // Take files with operators that Slipway can't check.
  bool trust = false;
};

struct TextOptions {
  // Leave nothing out, and show the graph of an archive, or the instructions of a program.
  bool graph = false;
  // What the text says where it leaves something out: how its reader gets the rest.
  std::string graph_hint = {};
};

// What inspect() found. Immutable: may be read by several threads at once. Copies share it. One of
// an archive keeps the file mapped.
class FileInfo {
 public:
  FileKind kind() const;
  // Of a .pte, in the file's order; none in other files.
  const std::vector<MethodInfo>& methods() const;
  // Everything, as an object: a program reads it where the structures above do not reach.
  std::string to_json() const;
  // Lines for people, fit for terminals.
  std::string to_text(const TextOptions& options = {}) const;

  class Impl;

 private:
  explicit FileInfo(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

// Reads an archive or a .pte with the checks that loading it makes (kInvalidFile, kUnsupported),
// and names a bare engine.
Result<FileInfo> inspect(const std::string& path, const InspectOptions& options = {});

}  // namespace slipway
