// The manifest that Slipway puts into a `.pte` as named data (docs/formats/manifest.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine_graph.h"
#include "engine/record.h"
#include "engine/tuning.h"
#include "slipway/result.h"
#include "slipway/tree.h"

namespace slipway::engine {

inline constexpr std::string_view kManifestKey = "slipway.manifest";
inline constexpr int kManifestFormat = 1;

// The named data that is the engine's variant for `target`:
// "slipway.engine.<the first 16 digits of the engine's SHA-256>.<target>".
std::string variant_key(const EngineRecord& engine, std::string_view target);

// That of an engine outside of the program: "slipway.engine.<its SHA-256>".
std::string external_key(const EngineRecord& engine);

// Whether it is a name that a file can have beside another one: no path.
bool is_file_name(std::string_view name);

// One flattened input or output of a method.
struct ManifestValue {
  std::string name;
  // PyTorch's dtype name for a tensor; "int", "float", "bool", "str" or "none" for a literal.
  std::string type;
  // Tensors: each size as text: "3", "s77", "2*s77 + 1".
  std::vector<std::string> sizes;
  // Inputs: the largest size of each dimension, parallel to sizes.
  std::vector<int64_t> max_sizes;
  std::vector<int64_t> min_sizes;
  bool mutated = false;  // an input that the program writes to
};

// A node that no engine took, and why. Read back, nodes of the same operator and reason follow each
// other.
struct ManifestOutside {
  std::string name;
  std::string op;
  std::string reason;
};

// An engine of a method, in the order of ExecutionPlan.delegates.
struct ManifestEngine {
  EngineRecord record;
  uint32_t segment = 0;            // that holds its header and bytes; methods may share it
  std::vector<std::string> nodes;  // of its partition: "conv2d (aten.conv2d.default)"
  uint64_t header_size = 0;        // of what is before its bytes in the segment
  // The key of the data file under which its bytes are, where the segment has the header alone.
  std::string external_key = {};
  // The same for other targets, in segments that are named data (variant_key); without nodes.
  std::vector<ManifestEngine> variants = {};
  // Those of them that engines before it in the list of engines do not take; each reason begins
  // with that engine's name.
  std::vector<ManifestOutside> passed_over = {};
  EngineGraph graph = {};
};

struct ManifestMethod {
  std::string name;
  std::string source_sha256;  // of the archive it was compiled from
  std::string source_torch_version;
  Tree input_tree;
  Tree output_tree;
  std::vector<ManifestValue> inputs;
  std::vector<ManifestValue> outputs;
  std::vector<std::string> mutable_buffers;  // fully qualified names
  // Where each instruction came from, for messages: "node_name: File ..., line ..." one per
  // instruction of the chain; may be empty.
  std::vector<std::string> instruction_origins;
  std::vector<ManifestEngine> engines;
  std::vector<ManifestOutside> outside;  // empty where no engine was asked for
};

struct ManifestSegment {
  uint32_t index = 0;
  // "constants", "mutable" (what mutable buffers start with), "engine", "named:<key>"
  std::string content;
  uint64_t size = 0;
  std::string xxh3;  // of the segment's bytes, kXxh3HexDigits digits
};

struct Manifest {
  int format = kManifestFormat;
  std::string tool_version;
  std::string program_xxh3;  // of the file's bytes from 0 to the end of the program part
  // The file beside this one that has the engines with an external_key; empty: there is none.
  std::string data_file = {};
  std::optional<Tuning> tuning = {};  // where times chose among engines
  std::vector<ManifestMethod> methods;
  std::vector<ManifestSegment> segments;  // all but the manifest's own

  // The method of this name, or null.
  const ManifestMethod* method(std::string_view name) const;
};

// JSON with the manifest's own checksum over the rest of it. The length depends on everything but
// the checksums' values, so that it is known before they are.
std::string write_manifest(const Manifest& manifest);
// Checks the format number, the checksum, counts and lengths. Unknown fields are ignored.
Result<Manifest> read_manifest(std::string_view json);
// Whether the text ends as a manifest does. A file that does, but names none, has lost it.
bool ends_like_manifest(std::string_view text);

}  // namespace slipway::engine
