// The interface of what turns a lowered partition into an engine.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/piece_writer.h"
#include "engine/record.h"
#include "engine_build/job.h"
#include "ir/program.h"
#include "onnx/graph.h"
#include "onnx/lowering.h"
#include "partition/integer_ranges.h"
#include "slipway/result.h"
#include "slipway/tensor.h"

namespace slipway::engine_build {

struct BuildOptions {
  // Types may be computed with less precision than their own: float64 in float32, float16 and
  // bfloat16 unrounded or in float32, integers in 32 bits.
  bool allow_reduced_precision = false;
  // Where the library does its work; null: in this process.
  std::shared_ptr<Worker> worker = nullptr;
};

// A node that the library would not take after all.
struct Refusal {
  // onnx::Node::origin; empty: some node, but the library does not say which.
  std::string origin;
  std::string reason;
};

using Outcome = std::variant<engine::EngineRecord, std::vector<Refusal>>;

// May be used by several threads at once.
class Builder {
 public:
  virtual ~Builder() = default;

  // Whatever else than the model decides about the bytes of an engine: library, version, target,
  // options. An error where the library is not here, with the package to install.
  virtual Result<std::string> fingerprint() const = 0;

  virtual onnx::LoweringOptions lowering() const = 0;

  // Why the engine would not compute the node's types exactly, or not at all. Asked only for nodes
  // that can be lowered.
  virtual std::optional<std::string> why_unsupported(
      const ir::Program& program, const ir::Node& node,
      const partition::IntegerRanges& ranges) const = 0;

  // Whether a rule against a fault of the library leaves the node outside, and with it all that the
  // node could be expressed by.
  virtual bool is_left_whole(const ir::Node&) const { return false; }

  // What the library is given in place of the lowered graph.
  virtual Result<onnx::Graph> prepare(onnx::Graph graph) const { return graph; }

  // Of a graph that prepare() gave. Streams the engine's bytes to `sink`, in order, or says which
  // nodes it refuses. `size` and `sha256` of the record are left to the caller.
  virtual Result<Outcome> build(const onnx::Graph& graph, const ByteSink& sink) const = 0;

  // Whether a call may have an output in the memory of an input: state is then changed where it is.
  virtual bool may_write_over_inputs() const { return false; }

  // Whether it computes with weights of 8 bits as they are where what makes floats of them is
  // decomposed: they are not folded before that.
  virtual bool packs_decomposed_weights() const { return false; }

  // Whether run() does, and whether the runtime runs its engines on every machine that has their
  // delegate. Where neither is so, engines are not compared with kernels.
  virtual bool runs_engines() const { return false; }
  virtual bool is_run_by_runtime() const { return false; }

  // Imports an engine of this builder's and runs it on each list of inputs, as a runtime would: the
  // outputs of each. kUnsupported where the library fails at it.
  using Tensors = std::vector<Tensor>;
  virtual Result<std::vector<Tensors>> run(const engine::Engine&,
                                           const std::vector<Tensors>& /*inputs*/) const {
    return unsupported("engines are not run here");
  }
};

}  // namespace slipway::engine_build
