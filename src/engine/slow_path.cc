#include "engine/slow_path.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "schema/operator_name.h"

namespace slipway::engine {
namespace {

// Between spaces: what takes nearly all of a model's time.
constexpr std::string_view kHeavy =
    " conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution "
    "_convolution linear matmul mm bmm addmm addbmm baddbmm addmv mv dot einsum tensordot inner "
    "bilinear scaled_dot_product_attention _scaled_dot_product_flash_attention_for_cpu "
    "_scaled_dot_product_attention_math _native_multi_head_attention lstm gru rnn_tanh rnn_relu "
    "lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell ";

bool is_heavy(const ManifestOutside& node) {
  const std::string_view name = schema::aten_name(node.op);
  return kHeavy.find(fmt::format(" {} ", name)) != std::string_view::npos;
}

std::string commonest_reason(std::span<const ManifestOutside> outside) {
  std::map<std::string, size_t> counts;
  for (const ManifestOutside& node : outside) ++counts[node.reason];
  return std::max_element(counts.begin(), counts.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

std::string count_text(size_t count) {
  return fmt::format("{} node{}", count, count == 1 ? "" : "s");
}

}  // namespace

std::vector<std::string> slow_path(std::span<const ManifestOutside> outside, size_t inside) {
  std::vector<ManifestOutside> nodes(outside.begin(), outside.end());
  std::erase_if(nodes, [](const auto& node) { return node.reason.starts_with(kExcluded); });
  if (nodes.empty()) return {};
  if (inside == 0) {
    return {fmt::format("no engine is in it: {} on ExecuTorch's kernels, mostly because {}",
                        count_text(outside.size()), commonest_reason(nodes))};
  }
  // By operator and reason; the first node stands for all.
  struct Group {
    std::string first;
    size_t count = 0;
  };
  std::map<std::pair<std::string, std::string>, Group> groups;
  for (const ManifestOutside& node : nodes) {
    if (!is_heavy(node)) continue;
    Group& group = groups[{node.op, node.reason}];
    if (group.count++ == 0) group.first = node.name;
  }
  std::vector<std::string> lines;
  for (const auto& [key, group] : groups) {
    const std::string more = group.count == 1 ? "" : fmt::format(" and {} more", group.count - 1);
    lines.push_back(fmt::format("{}{} ({}) on ExecuTorch's kernels, of {} outside the engines: {}",
                                group.first, more, key.first, count_text(outside.size()),
                                key.second));
  }
  return lines;
}

}  // namespace slipway::engine
