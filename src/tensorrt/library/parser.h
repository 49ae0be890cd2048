// TensorRT's own ONNX parser.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "slipway/result.h"
#include "tensorrt/library/builder.h"

namespace slipway::tensorrt {

struct ParserError {
  int code;  // nvonnxparser::ErrorCode
  std::string description;
  int node;  // index in the model's graph; -1 for none
  std::string node_name;
  std::string node_operator;
};

// Nodes that the parser takes.
struct Subgraph {
  std::vector<int64_t> nodes;  // indices in the model's graph
  bool certain;                // false: ask again with a model of these nodes alone
};

// Reads a model into a network. It, and the memory of all initializers, must live until the network
// is built. Not thread-safe.
class Parser {
 public:
  // kUnavailable where the parser's library is missing, kUnsupported for TensorRT before 10.13,
  // which takes no initializers by reference.
  static Result<Parser> create(const Network& network);
  ~Parser();
  Parser(Parser&& other) noexcept;
  Parser& operator=(Parser&&) = delete;

  // Which nodes of a serialized model the parser takes, before it is loaded: those of no subgraph
  // it refuses, and errors() says why. It looks at operators and types only, and approves of some
  // that the build refuses. External data must be there: an absolute path and an offset, of which
  // only small tensors are read, so that a sparse file will do. An error where the model can't be
  // judged. This parser can't load a model afterwards, and its network is spoilt.
  Result<std::vector<Subgraph>> query_support(std::span<const std::byte> model);

  // In this order: a ModelProto whose initializers may be external data (their location is
  // ignored), the data of each that is, and then the parse. An error holds the parser's first;
  // errors() has them all.
  Status load_model(std::span<const std::byte> model);
  Status load_initializer(const std::string& name, std::span<const std::byte> bytes);
  Status parse();

  // Of the last call.
  const std::vector<ParserError>& errors() const { return errors_; }

 private:
  Parser(SessionPointer session, void* parser) : session_(std::move(session)), parser_(parser) {}
  void start();
  void read_errors();
  Error failure(const std::string& what);
  Error failure(const std::string& what, const ParserError& error) const;

  SessionPointer session_;
  void* parser_;
  std::vector<ParserError> errors_;
};

}  // namespace slipway::tensorrt
