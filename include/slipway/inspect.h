// What a file holds, whether it is sound, and whether it runs here; for programs and for people.
//
//   auto file = slipway::inspect("model.pte");
//   if (!file.ok()) { std::cerr << file.error().message() << "\n"; return 1; }
//   for (const slipway::MethodInfo& method : file->methods()) ...
//   std::cout << file->to_text();
//
// Files are told apart by their content, not by their names. The functions run no program, print
// nothing, and may be called by several threads at once; a file must not change while one reads it
// (slipway/module.h says why). Sizes are in bytes, and names are as the file has them: they may
// hold anything. docs/inspect.md describes the JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "slipway/compile.h"
#include "slipway/export.h"
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
SLIPWAY_API Result<FileKind> file_kind(const std::string& path);

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
  std::string external_key;                    // in the data file; empty where it is in the program
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
  size_t value_count = 0;                   // tensors, numbers and lists of the program
  std::vector<std::string> instructions;    // "aten::add.out", "engine 0 of XBackend", "move"
  std::map<std::string, size_t> operators;  // kernels, and how often each is called
  std::vector<EngineInfo> engines;          // ExtractOptions::engine counts in this order
  std::vector<NodeReason> outside;          // nodes on kernels although engines were asked
  std::vector<std::pair<std::string, std::string>> state;  // mutable buffers: name and type
  // The other methods that share them, by the buffer's name; without those that none shares.
  std::map<std::string, std::vector<std::string>> shared_state;
};

struct InspectOptions {
  // Take files with operators that Slipway can't check.
  bool trust = false;
  // As LoadOptions has it (slipway/module.h), here and below: the data file of a .pte whose engines
  // are outside of it, where that is not beside it. kInvalidArgument for other files.
  std::string data_file = {};
};

struct TextOptions {
  // Leave nothing out, and show the graph of an archive, or the instructions of a program.
  bool graph = false;
  // What the text says where it leaves something out: how its reader gets the rest.
  std::string graph_hint = {};
};

struct HtmlOptions {
  // The text of an x.json that `slipway run` wrote of the file (option 'profile'); empty: nothing
  // is shown of times.
  std::string profile = {};
};

// What inspect() found. Immutable: may be read by several threads at once. Copies share it. One of
// an archive keeps the file mapped.
class FileInfo {
 public:
  SLIPWAY_API FileKind kind() const;
  // Of a .pte, in the file's order; none in other files.
  SLIPWAY_API const std::vector<MethodInfo>& methods() const;
  // Everything, as an object: a program reads it where the structures above do not reach.
  SLIPWAY_API std::string to_json() const;
  // A page for browsers, which needs no other file and no network: the graph of each method as a
  // picture, its memory over time, weights and engines by size. kInvalidFile for a profile that is
  // none.
  SLIPWAY_API Result<std::string> to_html(const HtmlOptions& options = {}) const;
  // Lines for people, fit for terminals.
  SLIPWAY_API std::string to_text(const TextOptions& options = {}) const;

  class Impl;

 private:
  explicit FileInfo(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

// Reads an archive or a .pte with the checks that loading it makes (kInvalidFile, kUnsupported),
// and names a bare engine.
SLIPWAY_API Result<FileInfo> inspect(const std::string& path, const InspectOptions& options = {});

struct ExtractOptions {
  std::string method = "forward";
  size_t engine = 0;  // of MethodInfo::engines
  // The one for these machines, as EngineInfo calls them; without, the one of EngineInfo::target.
  std::string target = {};
  std::string data_file = {};
};
struct ExtractedEngine {
  std::string backend;
  uint64_t bytes = 0;  // of what was written
};
// Writes an engine of a .pte, or of an archive that came with engines, to a file of its own, for
// the tools of its library: without the header that the delegate reads, and compared with its
// checksum where Slipway made the file. The output appears as a whole or not at all. Errors:
// kInvalidFile of other and damaged files, kNotFound for a method, engine or target that the file
// has not, kInvalidArgument where the output is the file itself, kIo.
SLIPWAY_API Result<ExtractedEngine> extract(const std::string& path, const std::string& output,
                                            const ExtractOptions& options = {});

struct Check {
  enum class Outcome : uint8_t {
    kPassed,
    kSkipped,  // there is nothing to check it by
    kWarning,  // the file may be used, though something is not as it should be
    kFailed,
  };
  std::string name;  // "checksums", "engine 0 of forward"
  Outcome outcome = Outcome::kPassed;
  std::string detail;  // what was found, and what to do where it did not pass
};

struct VerifyOptions {
  // Take files with operators that Slipway can't check.
  bool trust = false;
  // Where the libraries of engines are: options with EngineOption::is_for_machines.
  std::vector<EngineChoice> engines = {};
  std::string data_file = {};
};

// Whether a file is sound and runs here. The first check of an archive is of all but the engines
// that it came with, each of which has its own; that of a .pte is of its structure, and where it
// passes, checksums and what check_machine() looks at follow. What a check finds is no error; the
// errors are those of file_kind(), and kInvalidArgument for options that engines don't have. Reads
// the whole file.
SLIPWAY_API Result<std::vector<Check>> verify(const std::string& path,
                                              const VerifyOptions& options = {});

// Whether this machine runs a .pte or a bare engine: the kernels and delegates of each method, and
// for each engine the version of its library and what it was built for of the device, with both
// sides and what to do. Opens the delegates' libraries and reads no weights. Errors as verify(),
// those of loading the file, and kInvalidFile for an archive, which no machine runs as it is.
SLIPWAY_API Result<std::vector<Check>> check_machine(const std::string& path,
                                                     const VerifyOptions& options = {});

// What this machine has for Slipway, and what to do for what is missing: names ("cpu", "engine
// helper") and texts for people, in the order in which they are of use. Opens the libraries of all
// engines.
SLIPWAY_API std::vector<std::pair<std::string, std::string>> describe_machine();

}  // namespace slipway
