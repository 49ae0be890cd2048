// How the nodes of an engine hang together: for pictures of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace slipway::engine {

// Plain data; empty where it is not known.
struct EngineGraph {
  struct Node {
    int32_t type = -1;           // of what it gives, among `types`; -1: not known
    int32_t place = -1;          // in the user's source, among `places`; likewise
    std::vector<int32_t> reads;  // earlier nodes, and inputs of the engine as -1 - their position
  };
  std::vector<std::string> types;   // each once: "float32[2, 8]"
  std::vector<std::string> places;  // each once: File "m.py", line 3, in forward
  std::vector<Node> nodes;          // those of the engine, in their order
};

}  // namespace slipway::engine
