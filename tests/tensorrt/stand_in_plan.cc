#include "tensorrt/stand_in_plan.h"

#include <cstdlib>
#include <cstring>
#include <sstream>
#include <tuple>

namespace slipway::tensorrt {
namespace {

std::pair<std::vector<int64_t>, std::vector<int64_t>> read_sizes(std::istringstream& words) {
  std::pair<std::vector<int64_t>, std::vector<int64_t>> sizes;
  std::string size;
  while (words >> size) {
    const size_t dots = size.find("..");
    sizes.first.push_back(std::stoll(size.substr(0, dots)));
    sizes.second.push_back(std::stoll(dots == std::string::npos ? size : size.substr(dots + 2)));
  }
  return sizes;
}

}  // namespace

int capability_of(const std::string& text) {
  const size_t start = text.rfind(kMagic, 0) == 0 ? std::strlen(kMagic) : 0;
  const size_t size = std::strlen(kFirstLine);
  if (text.compare(start, size, kFirstLine) != 0) return 0;
  return std::atoi(text.c_str() + start + size);
}

bool parse(const std::string& text, Plan& plan) {
  if (text.size() < kHeaderSize || capability_of(text) == 0) return false;
  std::istringstream lines(text.substr(kHeaderSize));
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind == "input" || kind == "shape_input") {
      Tensor& tensor = plan.tensors.emplace_back();
      std::string type;
      words >> tensor.name >> type;
      tensor.is_input = true;
      tensor.is_shape = kind == "shape_input";
      tensor.is_float = type == "float32";
      tensor.profiles.push_back(read_sizes(words));
      std::tie(tensor.min, tensor.max) = tensor.profiles[0];
    } else if (kind == "profile") {
      std::string input;
      words >> input;
      Tensor* const tensor = plan.find(input);
      if (tensor == nullptr) return false;
      tensor->profiles.push_back(read_sizes(words));
    } else if (kind == "output") {
      Tensor tensor;
      std::string input;
      words >> tensor.name >> input >> tensor.a >> tensor.b;
      const Tensor* const source = plan.find(input);
      if (source == nullptr) return false;
      tensor.input = static_cast<size_t>(source - plan.tensors.data());
      tensor.is_float = source->is_float;
      tensor.profiles = source->profiles;
      tensor.min = source->min;
      tensor.max = source->max;
      plan.tensors.push_back(tensor);
    } else if (kind == "format") {
      std::string name;
      words >> name;
      Tensor* const tensor = plan.find(name);
      if (tensor == nullptr) return false;
      words >> tensor->format;
    } else if (kind == "weights") {
      words >> plan.weights;
    } else if (kind == "streamable") {
      words >> plan.streamable;
    } else if (kind == "automatic") {
      words >> plan.automatic;
    } else if (kind == "context") {
      words >> plan.context;
    } else if (kind == "data") {
      words >> plan.data;
      plan.data_offset = kHeaderSize + static_cast<size_t>(lines.tellg());
      return true;
    } else {
      return false;
    }
    if (words.fail() && !words.eof()) return false;
  }
  return true;
}

}  // namespace slipway::tensorrt
