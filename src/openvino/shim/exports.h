// What OpenVINO's CPU plugin exports, as bytes (docs/openvino.md): since 2026 a block that says who
// may import it, then a header, constants, and the graph as XML.
#pragma once

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace slipway::openvino::shim {

// Of an export that ends before its end.
struct CutShort : std::runtime_error {
  CutShort() : std::runtime_error("it is cut short") {}
};

// The block at the start, of which the text is a part: "meta=1.0;ov=2026.4.1;isa=Intel AVX2". Empty
// in exports of OpenVINO 2025.
std::string_view requirements(std::string_view blob);
// "meta=1.0;ov=2026.4.1;isa=Intel AVX2"
std::string requirements_text(std::string_view requirements);
// "meta=1.0;ov=2026.4.1"
std::string requirements_version(std::string_view requirements);

// Throws CutShort. OpenVINO itself reads past the end of an export that ends too early.
void check_size(std::string_view blob);

// Throws CutShort or DamagedGraph (openvino/shim/export_check.h). What is no export at all is left
// to OpenVINO.
void check_export(std::string_view blob);

// The same export with another block. Where that of `blob` is empty, the graph is written as
// OpenVINO 2026 has it.
std::string with_requirements(std::string_view requirements, std::string_view blob);

// The header behind the block, and in it, where the XML is: from the header on. Nothing where the
// bytes are no such header.
inline constexpr size_t kHeaderSize = 48;
std::optional<size_t> xml_offset(std::string_view header);

// Of the XML as it is in an export, which keeps its size. The NaN that processors make has a sign,
// and OpenVINO does not read the -nan that it writes for it.
std::string with_readable_numbers(std::string xml);

// As OpenVINO 2025.4 reads it. Throws where the graph has a number that is infinite or NaN, of
// which 2025.4 would make 0.
std::string as_of_2025(std::string_view blob);

}  // namespace slipway::openvino::shim
