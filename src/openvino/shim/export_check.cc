#include "openvino/shim/export_check.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace slipway::openvino::shim {
namespace {

constexpr uint64_t kMostElements = uint64_t{1} << 40;
constexpr size_t kMostDepth = 256;

// Bits of an element; others are left to OpenVINO.
constexpr std::pair<std::string_view, uint64_t> kElementTypes[] = {
    {"f64", 64},    {"i64", 64},  {"u64", 64}, {"f32", 32}, {"i32", 32}, {"u32", 32},
    {"f16", 16},    {"bf16", 16}, {"i16", 16}, {"u16", 16}, {"i8", 8},   {"u8", 8},
    {"boolean", 8}, {"u4", 4},    {"i4", 4},   {"nf4", 4},  {"u1", 1},
};

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

struct Tag {
  std::string_view name;
  std::vector<std::pair<std::string_view, std::string_view>> attributes;
  bool opens = true;
  bool closes = false;

  std::optional<std::string_view> find(std::string_view key) const {
    for (const auto& [name_of, value] : attributes) {
      if (name_of == key) return value;
    }
    return std::nullopt;
  }
};

// Tags and the text before each.
class Scanner {
 public:
  explicit Scanner(std::string_view xml) : rest_(xml) {}

  // Nothing at the end.
  std::optional<Tag> next(std::string_view* text) {
    const size_t begin = rest_.find('<');
    *text = rest_.substr(0, begin);
    if (begin == std::string_view::npos) return std::nullopt;
    rest_.remove_prefix(begin + 1);
    Tag tag;
    if (skip('/')) tag = {{}, {}, false, true};
    const bool declares = skip('?');
    tag.name = take_name();
    while (true) {
      while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
      if (skip('>')) break;
      if (skip('/') || (declares && skip('?'))) {
        tag.closes = true;
        continue;
      }
      const std::string_view key = take_name();
      if (!skip('=') || !skip('"')) damaged();
      const size_t end = rest_.find('"');
      if (end == std::string_view::npos) damaged();
      tag.attributes.emplace_back(key, rest_.substr(0, end));
      rest_.remove_prefix(end + 1);
    }
    return tag;
  }

  [[noreturn]] static void damaged() { throw DamagedGraph("its XML is not well-formed"); }

 private:
  bool skip(char c) {
    if (rest_.empty()) damaged();
    if (rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view take_name() {
    size_t size = 0;
    while (size < rest_.size() && !is_space(rest_[size]) &&
           std::string_view("<>/=\"'?").find(rest_[size]) == std::string_view::npos) {
      ++size;
    }
    if (size == 0) damaged();
    const std::string_view name = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return name;
  }

  std::string_view rest_;
};

struct Layer {
  std::string_view type;
  std::set<uint64_t> inputs;
  std::set<uint64_t> outputs;
  std::set<uint64_t> connected;  // inputs
};
using Layers = std::map<uint64_t, Layer>;

// An element that is open.
struct Element {
  std::string_view name;
  Layer* layer = nullptr;          // the innermost that it is in
  std::shared_ptr<Layers> layers;  // of a graph: what its <layers> holds
  uint64_t elements = 1;           // of a port: its dimensions, multiplied
};

class Checker {
 public:
  explicit Checker(uint64_t constants) : constants_(constants) {}

  void check(std::string_view xml) {
    Scanner scanner(xml);
    std::string_view text;
    while (const auto tag = scanner.next(&text)) {
      if (!tag->opens) {
        if (open_.empty() || open_.back().name != tag->name) Scanner::damaged();
        if (tag->name == "dim") multiply(text);
        open_.pop_back();
        continue;
      }
      Element element = {tag->name, open_.empty() ? nullptr : open_.back().layer, nullptr, 1};
      enter(*tag, &element);
      if (tag->closes) continue;
      if (open_.size() == kMostDepth) throw DamagedGraph("its XML is nested too deep");
      open_.push_back(std::move(element));
    }
    if (!open_.empty()) Scanner::damaged();
  }

 private:
  void enter(const Tag& tag, Element* element) {
    if (open_.empty()) return;
    Element& parent = open_.back();
    if (tag.name == "layers") {
      parent.layers = std::make_shared<Layers>();
    } else if (tag.name == "layer" && parent.name == "layers") {
      enter_layer(tag, element);
    } else if (tag.name == "port" && element->layer != nullptr) {
      auto& ports = parent.name == "input" ? element->layer->inputs : element->layer->outputs;
      const bool lists = parent.name == "input" || parent.name == "output";
      if (lists && !ports.insert(id(tag, "id")).second) throw DamagedGraph("a port is there twice");
    } else if (tag.name == "data" && element->layer != nullptr && parent.name == "layer" &&
               element->layer->type == "Const") {
      check_constant(tag);
    } else if (tag.name == "edge" && parent.name == "edges") {
      check_edge(tag);
    }
  }

  // The graph whose <layers> or <edges> is the innermost element.
  Layers* graph() { return open_.size() < 2 ? nullptr : open_[open_.size() - 2].layers.get(); }

  void enter_layer(const Tag& tag, Element* element) {
    Layers* const layers = graph();
    if (layers == nullptr) Scanner::damaged();
    const auto [found, is_new] = layers->try_emplace(id(tag, "id"));
    if (!is_new) throw DamagedGraph("a layer is there twice");
    found->second.type = tag.find("type").value_or("");
    element->layer = &found->second;
  }

  void check_edge(const Tag& tag) {
    Layers* const layers = graph();
    if (layers == nullptr) Scanner::damaged();
    const auto from = layers->find(id(tag, "from-layer"));
    const auto to = layers->find(id(tag, "to-layer"));
    if (from == layers->end() || to == layers->end() ||
        from->second.outputs.count(id(tag, "from-port")) == 0 ||
        to->second.inputs.count(id(tag, "to-port")) == 0) {
      throw DamagedGraph("an edge leads from or to a port that does not exist");
    }
    if (!to->second.connected.insert(id(tag, "to-port")).second) {
      throw DamagedGraph("two edges lead to a port");
    }
  }

  void check_constant(const Tag& tag) const {
    const auto offset = number(tag.find("offset").value_or(""));
    const auto size = number(tag.find("size").value_or(""));
    if (!offset || !size || *offset > constants_ || *size > constants_ - *offset) {
      throw DamagedGraph("a constant lies outside of the constants");
    }
    const auto type = std::find_if(
        std::begin(kElementTypes), std::end(kElementTypes), [&](const auto& candidate) {
          return candidate.first == tag.find("element_type").value_or("");
        });
    const auto shape = tag.find("shape");
    if (type == std::end(kElementTypes) || !shape) return;
    uint64_t elements = 1;
    for (std::string_view rest = *shape; !rest.empty();) {
      const size_t comma = std::min(rest.find(','), rest.size());
      std::string_view item = rest.substr(0, comma);
      while (!item.empty() && is_space(item.front())) item.remove_prefix(1);
      const auto dimension = number(item);
      if (!dimension) throw DamagedGraph("a constant's shape is no list of sizes");
      elements = multiplied(elements, *dimension);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    if ((elements * type->second + 7) / 8 > *size) {
      throw DamagedGraph("a constant has fewer bytes than its shape needs");
    }
  }

  void multiply(std::string_view text) {
    Element& port = open_[open_.size() - std::min<size_t>(2, open_.size())];
    if (const auto dimension = number(text)) port.elements = multiplied(port.elements, *dimension);
  }
  static uint64_t multiplied(uint64_t elements, uint64_t dimension) {
    if (dimension != 0 && elements > kMostElements / dimension) {
      throw DamagedGraph("a tensor is larger than memory can be");
    }
    return elements * dimension;
  }
  static uint64_t id(const Tag& tag, std::string_view key) {
    const auto value = number(tag.find(key).value_or(""));
    if (!value) throw DamagedGraph("a layer or a port has no number");
    return *value;
  }

  const uint64_t constants_;
  std::vector<Element> open_;
};

}  // namespace

void check_graph(std::string_view xml, uint64_t constants) { Checker(constants).check(xml); }

}  // namespace slipway::openvino::shim
