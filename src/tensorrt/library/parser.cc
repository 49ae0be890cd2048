#include "tensorrt/library/parser.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/try.h"

namespace slipway::tensorrt {
namespace {

// Both destructors follow clearErrors, the deleting one last.
int deleting_destructor(Version version) {
  return slot(Method::IParser_clearErrors).of(version) + 2;
}

std::string text(const char* string) { return string == nullptr ? "" : string; }

ParserError read_error(Version version, void* error) {
  return {call_direct<Method::IParserError_code>(version, error),
          text(call_direct<Method::IParserError_desc>(version, error)),
          call_direct<Method::IParserError_node>(version, error),
          text(call_direct<Method::IParserError_nodeName>(version, error)),
          text(call_direct<Method::IParserError_nodeOperator>(version, error))};
}

}  // namespace

Result<Parser> Parser::create(const Network& network) {
  const SessionPointer& session = network.session();
  const Library& library = *session->library;
  SLIPWAY_RETURN_IF_ERROR(library.require_parser());
  SLIPWAY_RETURN_IF_ERROR(require(library.version(), Method::IParser_loadModelProto));
  session->log->start();
  void* const parser =
      library.create_parser(network.object(), session->log->interface(library.version()));
  if (parser == nullptr) {
    return session->log->error(ErrorCode::kUnavailable,
                               fmt::format("{} makes no parser", library.parser_path()));
  }
  return Parser(session, parser);
}

Parser::Parser(Parser&& other) noexcept
    : session_(std::move(other.session_)),
      parser_(std::exchange(other.parser_, nullptr)),
      errors_(std::move(other.errors_)) {}

Parser::~Parser() {
  if (parser_ == nullptr) return;
  detail::Caller<void()>::call(parser_, deleting_destructor(session_->version()));
}

Result<std::vector<Subgraph>> Parser::query_support(std::span<const std::byte> model) {
  const Version version = session_->version();
  start();
  // The path makes the locations of external data relative to the root.
  call_direct<Method::IParser_supportsModelV2>(version, parser_, model.data(), model.size(),
                                               "/model.onnx");
  read_errors();
  const auto of_no_node = std::find_if(errors_.begin(), errors_.end(),
                                       [](const ParserError& error) { return error.node < 0; });
  if (of_no_node != errors_.end()) return failure("to judge the model", *of_no_node);
  std::vector<Subgraph> subgraphs;
  const int64_t count = call_direct<Method::IParser_getNbSubgraphs>(version, parser_);
  for (int64_t i = 0; i < count; ++i) {
    int64_t length = 0;
    const int64_t* const nodes =
        call_direct<Method::IParser_getSubgraphNodes>(version, parser_, i, &length);
    subgraphs.push_back(
        {{}, call_direct<Method::IParser_isSubgraphSupported>(version, parser_, i)});
    if (nodes != nullptr && length > 0) subgraphs.back().nodes.assign(nodes, nodes + length);
  }
  return subgraphs;
}

Status Parser::load_model(std::span<const std::byte> model) {
  start();
  if (call_direct<Method::IParser_loadModelProto>(session_->version(), parser_, model.data(),
                                                  model.size(), nullptr)) {
    return {};
  }
  return failure("the model");
}

Status Parser::load_initializer(const std::string& name, std::span<const std::byte> bytes) {
  start();
  if (call_direct<Method::IParser_loadInitializer>(session_->version(), parser_, name.c_str(),
                                                   bytes.data(), bytes.size())) {
    return {};
  }
  return failure(fmt::format("initializer {}", name));
}

Status Parser::parse() {
  start();
  if (call_direct<Method::IParser_parseModelProto>(session_->version(), parser_)) return {};
  return failure("the model");
}

void Parser::start() {
  session_->log->start();
  call_direct<Method::IParser_clearErrors>(session_->version(), parser_);
  errors_.clear();
}

void Parser::read_errors() {
  const Version version = session_->version();
  const int32_t count = call_direct<Method::IParser_getNbErrors>(version, parser_);
  for (int32_t i = 0; i < count; ++i) {
    void* const error = call_direct<Method::IParser_getError>(version, parser_, i);
    if (error != nullptr) errors_.push_back(read_error(version, error));
  }
}

Error Parser::failure(const std::string& what) {
  read_errors();
  if (!errors_.empty()) return failure(what, errors_.front());
  return session_->log->error(
      ErrorCode::kUnsupported,
      fmt::format("the ONNX parser of {} refuses {}", session_->version().name(), what));
}

Error Parser::failure(const std::string& what, const ParserError& error) const {
  const std::string refusal =
      fmt::format("the ONNX parser of {} refuses {}", session_->version().name(), what);
  if (error.node_operator.empty()) return unsupported("{}: {}", refusal, error.description);
  return unsupported("{}: node {} ({}): {}", refusal, error.node_name, error.node_operator,
                     error.description);
}

}  // namespace slipway::tensorrt
