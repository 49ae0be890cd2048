#include "engine_build/build_engine.h"

#include <bit>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/file_writer.h"
#include "base/hash.h"
#include "base/piece_writer.h"
#include "base/try.h"
#include "engine_build/engine_cache_entry.h"
#include "engine_build/spool.h"
#include "onnx/serializer.h"

namespace slipway::engine_build {

namespace {

// What is hashed, each part behind its length, so that no two lists of parts are alike.
class KeyParts {
 public:
  void add(std::string text) {
    add_length(text.size());
    pieces_.add(own_bytes(std::move(text)));
  }
  void add(const onnx::Initializer& initializer) {
    add_length(initializer.data.size());
    pieces_.add(initializer.data);
  }
  Result<std::string> hash() const {
    Sha256 hash;
    SLIPWAY_RETURN_IF_ERROR(pieces_.write([&](std::span<const std::byte> bytes) -> Status {
      hash.update(bytes);
      return {};
    }));
    return hash.hex();
  }

 private:
  void add_length(uint64_t length) {
    static_assert(std::endian::native == std::endian::little);
    pieces_.add(own_bytes(std::string(reinterpret_cast<const char*>(&length), sizeof length)));
  }

  PieceList pieces_;
};

// Does both, the first in a thread of its own where there is enough to do.
template <class First, class Second>
Status beside(size_t bytes, const First& first, const Second& second) {
  constexpr size_t kWorthAThread = size_t{128} << 10;
  const auto policy =
      bytes < kWorthAThread ? std::launch::deferred : std::launch::async | std::launch::deferred;
  std::future<void> done = std::async(policy, first);
  Status status = second();
  done.get();
  return status;
}

Result<EngineOrRefusals> build(const Builder& builder, const onnx::Graph& graph,
                               const std::string& key, const EngineCache* cache, const Warn& warn,
                               const Destination& destination) {
  std::vector<std::string> folders;
  if (cache != nullptr) {
    const Status made = cache->make_folder();
    if (!made.ok()) {
      if (warn) warn(made.error().message() + "; the engine is not kept for the next time");
      cache = nullptr;
    } else {
      folders.push_back(cache->folder());
    }
  }
  folders.push_back(temporary_folder());
  Spool spool(cache == nullptr ? destination : Destination(), std::move(folders));
  Sha256 sha256;
  Xxh3 xxh3;
  uint64_t size = 0;
  SLIPWAY_ASSIGN_OR_RETURN(Outcome outcome,
                           builder.build(graph, [&](std::span<const std::byte> bytes) -> Status {
                             size += bytes.size();
                             return beside(
                                 bytes.size(), [&] { sha256.update(bytes); },
                                 [&] {
                                   xxh3.update(bytes);
                                   return spool.append(bytes);
                                 });
                           }));
  if (auto* refusals = std::get_if<std::vector<Refusal>>(&outcome)) return {std::move(*refusals)};
  engine::Engine engine;
  engine.record = std::move(std::get<engine::EngineRecord>(outcome));
  engine.record.size = size;
  engine.record.sha256 = sha256.hex();
  SLIPWAY_ASSIGN_OR_RETURN(engine.bytes, spool.finish());
  if (auto file = spool.take_started(); file && size >= engine::kLargeEngine) {
    engine.started = std::make_shared<StartedFile>(
        StartedFile{std::move(*file), engine.bytes, destination.offset});
  }
  if (cache == nullptr) return {std::move(engine)};
  if (TemporaryFile* file = spool.first_file()) {
    cache->add(key, engine.record, xxh3.hex(), *file);
  } else if (warn && !spool.failures().empty()) {
    warn(spool.failures().front().message() + "; the engine is not kept for the next time");
  }
  return {std::move(engine)};
}

}  // namespace

Result<EngineOrRefusals> build_engine(const Builder& builder, const onnx::Graph& graph,
                                      const EngineCache* cache, const Warn& warn,
                                      const Destination& destination) {
  std::string key;
  if (cache != nullptr) {
    SLIPWAY_ASSIGN_OR_RETURN(key, engine_key(builder, graph));
    if (auto engine = cache->find(key)) return {std::move(*engine)};
  }
  return build(builder, graph, key, cache, warn, destination);
}

Result<std::string> engine_key(const Builder& builder, const onnx::Graph& graph) {
  KeyParts parts;
  parts.add(fmt::format("slipway engine {}", kEntryFormat));
  SLIPWAY_ASSIGN_OR_RETURN(std::string fingerprint, builder.fingerprint());
  parts.add(std::move(fingerprint));
  SLIPWAY_ASSIGN_OR_RETURN(std::string model,
                           onnx::serialize_by_reference(graph, [](const onnx::Initializer&) {
                             return onnx::ExternalData{"constants", 0};
                           }));
  parts.add(std::move(model));
  for (const onnx::Initializer& initializer : graph.initializers) parts.add(initializer);
  // What the message lacks.
  parts.add(std::to_string(graph.symbol_inputs.size()));
  for (const std::string& symbol : graph.symbol_inputs) parts.add(symbol);
  for (const auto& [symbol, range] : graph.ranges) {
    parts.add(symbol);
    parts.add(range.min ? std::to_string(*range.min) : "");
    parts.add(range.max ? std::to_string(*range.max) : "");
  }
  for (const onnx::StateAlias& state : graph.states) {
    parts.add(state.input);
    parts.add(state.output);
    parts.add(state.target);
    parts.add(state.initial);
  }
  return parts.hash();
}

}  // namespace slipway::engine_build
