#include "openvino/shim/exports.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include <gtest/gtest.h>

namespace slipway::openvino::shim {
namespace {

std::string block(const std::string& text) {
  const uint32_t version = 1;
  const uint64_t size = text.size();
  return "RR_UPCVO" + std::string(reinterpret_cast<const char*>(&version), sizeof version) +
         std::string(reinterpret_cast<const char*>(&size), sizeof size) + text;
}

// XORs with OpenVINO's pattern.
std::string obscured(std::string text) {
  const std::string pattern("\x30\x60\x70\x02\x04\x08\x3F\x6F\x72\x74\x78\x7F");
  for (size_t i = 0; i < text.size(); ++i) text[i] ^= pattern[i % pattern.size()];
  return text;
}

std::string graph(const std::string& xml) {
  const std::string data = "<cnndata/>";
  const std::string constants = "1234";
  const std::array<uint64_t, 6> header = {48, data.size(), 58, constants.size(), 62, xml.size()};
  return std::string(reinterpret_cast<const char*>(header.data()), sizeof header) + data +
         constants + obscured(xml);
}

const std::string kHere = block("meta=1.0;ov=2026.4.1;isa=Intel AVX2");

TEST(Exports, FindsTheRequirements) {
  const std::string blob = kHere + graph("<net/>");
  EXPECT_EQ(requirements(blob), kHere);
  EXPECT_EQ(requirements_text(kHere), "meta=1.0;ov=2026.4.1;isa=Intel AVX2");
  EXPECT_EQ(requirements_version(kHere), "meta=1.0;ov=2026.4.1");
  EXPECT_EQ(requirements_version(block("meta=1.0")), "meta=1.0");
  EXPECT_EQ(requirements(graph("<net/>")), "");
  EXPECT_EQ(requirements(""), "");
}

TEST(Exports, SeesWhatIsCutShort) {
  for (const std::string& blob : {kHere + graph("<net/>"), graph("<net/>")}) {
    EXPECT_NO_THROW(check_size(blob));
    for (size_t size = 0; size < blob.size(); ++size) {
      EXPECT_THROW(check_size(blob.substr(0, size)), CutShort) << size;
    }
  }
  // What is no export at all is left to OpenVINO.
  EXPECT_NO_THROW(check_size(std::string(100, 'x')));
  EXPECT_NO_THROW(with_requirements(kHere, std::string(100, 'x')));
}

TEST(Exports, GivesOtherRequirements) {
  const std::string there = block("meta=1.0;ov=2026.4.1;isa=Intel AMX and more");
  const std::string net = graph("<net><layer type=\"Result\" version=\"opset1\"/></net>");
  EXPECT_EQ(with_requirements(kHere, there + net), kHere + net);
}

TEST(Exports, WritesTheResultsOfSubgraphsAs2026Does) {
  const auto net = [](const std::string& version) {
    return "<net><layers>"
           "<layer id=\"0\" type=\"Result\" version=\"opset1\" output_names=\"a\"><input/></layer>"
           "<layer id=\"1\" type=\"If\" version=\"opset8\"><then_body>"
           "<layer id=\"2\" type=\"Subgraph\" version=\"SnippetsOpset\"><body>"
           "<layer id=\"3\" type=\"Parameter\" version=\"opset1\"/>"
           "<layer id=\"4\" type=\"Result\" version=\"" +
           version +
           "\" output_names=\"b\"><input/></layer>"
           "</body></layer>"
           "<layer id=\"5\" type=\"Result\" version=\"opset1\"><input/></layer>"
           "</then_body></layer></layers></net>";
  };
  const std::string made = with_requirements(kHere, graph(net("opset1")));
  EXPECT_EQ(made, kHere + graph(net("SnippetsOpset")));
  EXPECT_NO_THROW(check_size(made));
  EXPECT_EQ(as_of_2025(made), graph(net("opset1")));
  const std::string odd = graph("</layer><layer <layer type=\"Result\" version=\"opset1\"");
  EXPECT_EQ(with_requirements(kHere, odd), kHere + odd);
}

TEST(Exports, HasNoNanWithASign) {
  const std::string xml = "<a-nan b=\"-nan\" c=\"1, -nan,-nan\" d=\"-nano\"/>";
  EXPECT_EQ(with_readable_numbers(obscured(xml)),
            obscured("<a-nan b=\" nan\" c=\"1,  nan, nan\" d=\"-nano\"/>"));
  EXPECT_EQ(with_readable_numbers(""), "");
  EXPECT_EQ(with_readable_numbers(obscured("-nan")), obscured("-nan"));
  EXPECT_EQ(xml_offset(graph(xml).substr(0, kHeaderSize)), 62);
  EXPECT_EQ(xml_offset(graph(xml)), std::nullopt);
  EXPECT_EQ(xml_offset(std::string(kHeaderSize, '\0')), std::nullopt);
}

TEST(Exports, RefusesNumbersThat2025DoesNotRead) {
  for (const std::string number : {"inf", "-inf", "1, inf", "nan, 2"}) {
    EXPECT_THROW(as_of_2025(kHere + graph("<data max=\"" + number + "\"/>")), std::runtime_error);
  }
  const std::string names = graph("<layer name=\"inf_1\"/><data max=\"1\"/>");
  EXPECT_EQ(as_of_2025(kHere + names), names);
}

}  // namespace
}  // namespace slipway::openvino::shim
