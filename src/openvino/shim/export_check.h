// The graph of an export, which OpenVINO trusts more than a damaged one allows: its XML is whole,
// its constants lie among those of the export, its edges lead from ports to ports, and the sizes
// that it has multiply to numbers that memory can hold. Anything else, OpenVINO finds out.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace slipway::openvino::shim {

struct DamagedGraph : std::runtime_error {
  explicit DamagedGraph(const std::string& what) : std::runtime_error("it is damaged: " + what) {}
};

// Throws DamagedGraph. `constants` is how many bytes of them there are.
void check_graph(std::string_view xml, uint64_t constants);

}  // namespace slipway::openvino::shim
