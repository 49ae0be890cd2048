#include "openvino/shim/export_check.h"

#include <string>

#include <gtest/gtest.h>

namespace slipway::openvino::shim {
namespace {

std::string error_of(const std::string& xml, uint64_t constants = 24) {
  try {
    check_graph(xml, constants);
  } catch (const DamagedGraph& error) {
    return error.what();
  }
  return "";
}

std::string with_constant(const std::string& data) {
  return R"(<net><layers><layer id="0" type="Const"><data )" + data +
         R"( /></layer></layers></net>)";
}

// A layer that adds two outputs of another.
std::string with_edges(const std::string& edges, const std::string& dims = "<dim>2</dim>") {
  const std::string graph =
      R"(<layers><layer id="0" type="Split"><output><port id="0">)" + dims +
      R"(</port><port id="1"/></output></layer>)"
      R"(<layer id="7" type="Add"><input><port id="0"/><port id="1"/></input></layer></layers>)"
      "<edges>" +
      edges + "</edges>";
  return R"(<?xml version="1.0"?><net name="&lt;a>">)" + graph + "</net>";
}

constexpr const char* kEdges = R"(<edge from-layer="0" from-port="0" to-layer="7" to-port="0"/>)"
                               R"(<edge from-layer="0" from-port="1" to-layer="7" to-port="1" />)";

TEST(CheckGraph, XmlIsWhole) {
  const std::string xml = with_edges(kEdges);
  EXPECT_EQ(error_of(xml), "");
  const size_t declaration = xml.find('>') + 1;  // is whole by itself
  for (size_t size = 1; size < xml.size(); ++size) {
    if (size == declaration) continue;
    EXPECT_NE(error_of(xml.substr(0, size)), "") << size;
  }
  for (const char* damaged : {"<a></b>", "<a b></a>", "<a b=1></a>", "<a b=\"1></a>", "</a>", "<",
                              "<a", "<a b", "<a b=", "< a></a>", "<a><b></a></b>"}) {
    EXPECT_EQ(error_of(damaged), "it is damaged: its XML is not well-formed") << damaged;
  }
  std::string deep;
  for (int i = 0; i < 300; ++i) deep += "<a>";
  EXPECT_EQ(error_of(deep), "it is damaged: its XML is nested too deep");
}

TEST(CheckGraph, ElementsInOtherPlacesAreNotLayers) {
  const std::string stray = R"(<layer type="Const"><data size="99"/><port id="0"/></layer>)";
  EXPECT_EQ(error_of(stray), "");
  EXPECT_EQ(error_of("<net><layers><layer id=\"0\">" + stray + "</layer></layers></net>"), "");
}

// What is read of a flipped graph lies within, which the sanitizers watch.
TEST(CheckGraph, SurvivesEveryFlip) {
  const std::string xml = with_edges(kEdges);
  size_t refused = 0;
  for (size_t i = 0; i < xml.size(); ++i) {
    for (const int mask : {0x01, 0x04, 0x80, 0xff}) {
      std::string flipped = xml;
      flipped[i] = static_cast<char>(flipped[i] ^ mask);
      refused += error_of(flipped).empty() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, xml.size());
}

TEST(CheckGraph, ConstantsLieAmongThose) {
  const auto expect = [](const std::string& data, const std::string& error) {
    EXPECT_EQ(error_of(with_constant(data)), error.empty() ? "" : "it is damaged: " + error)
        << data;
  };
  const std::string outside = "a constant lies outside of the constants";
  const std::string few = "a constant has fewer bytes than its shape needs";
  expect(R"(element_type="f32" offset="0" shape="2,3" size="24")", "");
  expect(R"(element_type="f32" offset="0" shape="2, 3" size="24")", "");
  expect(R"(element_type="f32" offset="20" shape="" size="4")", "");
  expect(R"(element_type="u4" offset="0" shape="3" size="2")", "");
  expect(R"(element_type="f32" offset="4" shape="2,3" size="24")", outside);
  expect(R"(element_type="f32" offset="18446744073709551615" shape="1" size="4")", outside);
  expect(R"(element_type="f32" offset="-4" shape="1" size="4")", outside);
  expect(R"(element_type="f32" shape="1" size="4")", outside);
  expect(R"(element_type="f32" offset="0" shape="2,3" size="20")", few);
  expect(R"(element_type="u4" offset="0" shape="3" size="1")", few);
  expect(R"(element_type="f32" offset="0" shape="4294967296,4294967296" size="0")",
         "a tensor is larger than memory can be");
  expect(R"(element_type="f32" offset="0" shape="2,x" size="24")",
         "a constant's shape is no list of sizes");
  // What it does not know, OpenVINO judges.
  expect(R"(element_type="string" offset="0" shape="9" size="24")", "");
}

TEST(CheckGraph, EdgesLeadFromPortsToPorts) {
  const auto edge = [](const std::string& from, const std::string& out, const std::string& to,
                       const std::string& in) {
    return error_of(with_edges("<edge from-layer=\"" + from + "\" from-port=\"" + out +
                               "\" to-layer=\"" + to + "\" to-port=\"" + in + "\"/>"));
  };
  const std::string missing = "it is damaged: an edge leads from or to a port that does not exist";
  EXPECT_EQ(edge("0", "0", "7", "1"), "");
  EXPECT_EQ(edge("1", "0", "7", "1"), missing);
  EXPECT_EQ(edge("0", "2", "7", "1"), missing);
  EXPECT_EQ(edge("0", "0", "8", "1"), missing);
  EXPECT_EQ(edge("0", "0", "7", "2"), missing);
  EXPECT_EQ(edge("0", "", "7", "1"), "it is damaged: a layer or a port has no number");
  const std::string once = R"(<edge from-layer="0" from-port="0" to-layer="7" to-port="0"/>)";
  EXPECT_EQ(error_of(with_edges(once + once)), "it is damaged: two edges lead to a port");
  EXPECT_EQ(error_of(R"(<net><layers><layer id="1"/><layer id="1"/></layers></net>)"),
            "it is damaged: a layer is there twice");
  EXPECT_EQ(error_of(R"(<net><layers><layer id="1"><input><port id="0"/><port id="0"/></input>)"
                     "</layer></layers></net>"),
            "it is damaged: a port is there twice");
  // A body's layers are its own.
  const std::string inner = with_edges(kEdges).substr(21);
  EXPECT_EQ(error_of("<net><layers><layer id=\"0\" type=\"If\"><body>" + inner +
                     "</body></layer><layer id=\"7\" type=\"Relu\"/></layers></net>"),
            "");
}

TEST(CheckGraph, SizesMultiplyWithinMemory) {
  EXPECT_EQ(error_of(with_edges(kEdges, "<dim>-1</dim><dim>1048576</dim>")), "");
  EXPECT_EQ(error_of(with_edges(kEdges, "<dim>2097152</dim><dim>1048576</dim>")),
            "it is damaged: a tensor is larger than memory can be");
}

}  // namespace
}  // namespace slipway::openvino::shim
