// Writes programs as one ExecuTorch file (docs/formats/pte.md).
//
// What whoever runs such a file can rely on:
// - User inputs have no planned memory: the runtime gives their addresses before each run
// (set_input
//   with a tensor).
// - User outputs lie in planned memory, where they stay until the next run. Without
//   EmitOptions::alloc_graph_output they have none, and the runtime must give their addresses
//   before the first run (set_output_data_ptr with at least the largest size).
// - Every output has memory of its own: two outputs, or an output and an input, a constant or a
//   buffer, never share theirs.
// - An input that the program mutates is written in place, at the end of the run.
// - Literals among inputs and outputs are values of the plan like any other. An integer input that
//   the caller chooses is an Int whose manifest entry has one size; its value is set through
//   Method::mutable_input, because set_input takes only the Int's value in the file.
// - State and intermediate results that engines of one CUDA device alone use are planned in its
//   memory, where EmitOptions::device_of names it. Such state gets its initial value at the first
//   run: an instruction jumps over the copies (et_copy::_h2d_copy) and what ends them, a
//   logical_not, where a bool without a name, which begins as true, is false.
// - All tensors are contiguous. A mutable buffer is the tensor value that has its name.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/piece_writer.h"
#include "engine/manifest.h"
#include "engine/record.h"
#include "ir/program.h"
#include "slipway/result.h"

namespace slipway::pte {

struct Method {
  std::string name;
  // What passes::decompose left. Its storages must live as long as the pieces.
  const ir::Program* program = nullptr;
  std::string source_sha256;
  // What the program's calls of engines (ir::kCallEngine) call, by index.
  std::vector<engine::Engine> engines = {};
  // For the manifest: the nodes of each engine's partition, "conv2d (aten.conv2d.default)", and the
  // nodes that no engine took.
  std::vector<std::vector<std::string>> engine_nodes = {};
  std::vector<engine::EngineGraph> engine_graphs = {};                 // of these
  std::vector<std::vector<engine::ManifestOutside>> passed_over = {};  // of each engine
  std::vector<engine::ManifestOutside> outside = {};
};

struct EmitOptions {
  std::string tool_version;
  bool alloc_graph_output = true;
  // Methods have the mutable buffers of one name, which must be of one type, in one place of a
  // memory that they share, and the others there, too: ExecuTorch's runtimes with shared memories
  // (Module's share_memory_arenas) share all that methods plan, so that state is not safe
  // elsewhere. Not with device_of.
  bool share_buffers = false;
  // The name of the file beside it with the engines that have an external_key, for the manifest.
  std::string data_file = {};
  // For the manifest.
  std::optional<engine::Tuning> tuning = {};
  // The CUDA device in whose memory an engine takes its tensors; nothing: it takes the host's.
  // Null: everything is planned on the host.
  std::function<std::optional<int8_t>(const engine::EngineRecord&)> device_of = nullptr;
};

// The file as pieces, in order; the manifest is last, because it holds the checksums of what comes
// before it. Errors: a symbol without an upper bound (names it, and option 'bounds'), an operator
// without a kernel, a type that ExecuTorch lacks.
Result<PieceList> emit(const std::vector<Method>& methods, const EmitOptions& options);

}  // namespace slipway::pte
