#include "openvino/shim/exports.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "openvino/shim/export_check.h"

namespace slipway::openvino::shim {

namespace {

// The block: a magic number, a version in 32 bits, the size of the text in 64, the text.
constexpr std::string_view kMagic = "RR_UPCVO";
constexpr size_t kTextSize = kMagic.size() + sizeof(uint32_t);
constexpr size_t kText = kTextSize + sizeof(uint64_t);

// Then a header: offset and size of custom data, of constants and of the XML, which ends the file.
constexpr size_t kHeaderNumbers = 6;
constexpr size_t kConstantsSize = 3;
constexpr size_t kXmlOffset = 4;
constexpr size_t kXmlSize = 5;
using Header = std::array<uint64_t, kHeaderNumbers>;
static_assert(sizeof(Header) == kHeaderSize);

// What the XML is obscured with, over and over.
constexpr std::array<unsigned char, 12> kCodec = {0x30, 0x60, 0x70, 0x02, 0x04, 0x08,
                                                  0x3F, 0x6F, 0x72, 0x74, 0x78, 0x7F};

void obscure_or_reveal(char* xml, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    xml[i] = static_cast<char>(static_cast<unsigned char>(xml[i]) ^ kCodec[i % kCodec.size()]);
  }
}

// Nothing where the blob does not start like an export: that is left to OpenVINO.
bool read_header(std::string_view graph, Header* header) {
  if (graph.size() < sizeof(Header)) throw CutShort();
  std::memcpy(header->data(), graph.data(), sizeof(Header));
  return header->front() == sizeof(Header);
}

bool is_in(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// OpenVINO 2026 has an operator of its own for the results of subgraphs that become one kernel.
constexpr std::string_view kResultOf2025 = " type=\"Result\" version=\"opset1\"";
constexpr std::string_view kResultOf2026 = " type=\"Result\" version=\"SnippetsOpset\"";

std::string with_results(std::string_view xml, std::string_view old, std::string_view wanted) {
  constexpr std::string_view kSubgraph = " type=\"Subgraph\" version=\"SnippetsOpset\"";
  std::string changed;
  std::vector<bool> is_subgraph;  // of the layers that the place is in
  size_t copied = 0;
  for (size_t at = xml.find('<'); at != std::string_view::npos; at = xml.find('<', at + 1)) {
    const std::string_view rest = xml.substr(at);
    const std::string_view tag = rest.substr(0, rest.find('>'));
    if (tag == "</layer" && !is_subgraph.empty()) {
      is_subgraph.pop_back();
    } else if (tag.substr(0, 7) == "<layer ") {
      const size_t found = tag.find(old);
      if (!is_subgraph.empty() && is_subgraph.back() && found != std::string_view::npos) {
        changed.append(xml.substr(copied, at + found - copied)).append(wanted);
        copied = at + found + old.size();
      }
      if (tag.back() != '/') is_subgraph.push_back(is_in(tag, kSubgraph));
    }
  }
  return changed.append(xml.substr(copied));
}

// The graph with what `change` makes of its XML.
template <class Change>
std::string with_xml(std::string_view graph, Change change) {
  Header header;
  if (!read_header(graph, &header)) return std::string(graph);
  std::string xml(graph.substr(header[kXmlOffset]));
  obscure_or_reveal(xml.data(), xml.size());
  xml = change(xml);
  obscure_or_reveal(xml.data(), xml.size());
  const std::string_view data = graph.substr(sizeof header, header[kXmlOffset] - sizeof header);
  header[kXmlSize] = xml.size();
  std::string changed(reinterpret_cast<const char*>(header.data()), sizeof header);
  return changed.append(data).append(xml);
}

}  // namespace

std::string_view requirements(std::string_view blob) {
  if (blob.substr(0, kMagic.size()) != kMagic) return {};
  if (blob.size() < kText) throw CutShort();
  uint64_t size = 0;
  std::memcpy(&size, blob.data() + kTextSize, sizeof size);
  if (size > blob.size() - kText) throw CutShort();
  return blob.substr(0, kText + size);
}

std::string requirements_text(std::string_view requirements) {
  return std::string(requirements.substr(kText));
}

std::string requirements_version(std::string_view requirements) {
  const std::string text = requirements_text(requirements);
  return text.substr(0, text.find(";isa="));
}

void check_size(std::string_view blob) {
  const std::string_view graph = blob.substr(requirements(blob).size());
  Header header;
  if (!read_header(graph, &header)) return;
  for (size_t i = 0; i < header.size(); i += 2) {
    if (header[i] > graph.size() || header[i + 1] > graph.size() - header[i]) throw CutShort();
  }
}

void check_export(std::string_view blob) {
  check_size(blob);
  const std::string_view graph = blob.substr(requirements(blob).size());
  Header header;
  if (!read_header(graph, &header)) return;
  std::string xml(graph.substr(header[kXmlOffset], header[kXmlSize]));
  obscure_or_reveal(xml.data(), xml.size());
  check_graph(xml, header[kConstantsSize]);
}

std::string with_requirements(std::string_view wanted, std::string_view blob) {
  check_size(blob);
  const std::string_view had = requirements(blob);
  const std::string_view graph = blob.substr(had.size());
  if (!had.empty()) return std::string(wanted).append(graph);
  return std::string(wanted) + with_xml(graph, [](std::string_view xml) {
           return with_results(xml, kResultOf2025, kResultOf2026);
         });
}

std::optional<size_t> xml_offset(std::string_view header) {
  Header numbers;
  if (header.size() != sizeof numbers || !read_header(header, &numbers)) return std::nullopt;
  return numbers[kXmlOffset];
}

std::string with_readable_numbers(std::string xml) {
  constexpr std::string_view kNegative = "-nan";
  obscure_or_reveal(xml.data(), xml.size());
  for (size_t at = xml.find(kNegative); at != std::string::npos; at = xml.find(kNegative, at + 1)) {
    const size_t behind = at + kNegative.size();
    const bool begins = at > 0 && std::string_view("\" ,").find(xml[at - 1]) != std::string::npos;
    const bool ends = behind < xml.size() && (xml[behind] == '"' || xml[behind] == ',');
    if (begins && ends) xml[at] = ' ';
  }
  obscure_or_reveal(xml.data(), xml.size());
  return xml;
}

std::string as_of_2025(std::string_view blob) {
  check_size(blob);
  return with_xml(blob.substr(requirements(blob).size()), [](std::string_view xml) {
    for (const char* number : {"inf", "-inf", "nan", "-nan"}) {
      for (const char* before : {"=\"", " ", ","}) {
        for (const char* after : {"\"", ","}) {
          if (is_in(xml, std::string(before) + number + after)) {
            throw std::runtime_error(std::string("it has the number ") + number +
                                     ", of which OpenVINO 2025.4 makes 0");
          }
        }
      }
    }
    return with_results(xml, kResultOf2026, kResultOf2025);
  });
}

}  // namespace slipway::openvino::shim
