#include "pte/emitter/kernels.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

namespace slipway::pte {

namespace {

bool is_implied_by_type(std::string_view parameter) {
  constexpr std::array<std::string_view, 5> kNames = {"dtype", "layout", "device", "pin_memory",
                                                      "memory_format"};
  return std::find(kNames.begin(), kNames.end(), parameter) != kNames.end();
}

// Whether the kernel's parameters are the operator's, but for those that the result's type implies.
bool fits(const schema::Schema& kernel, const schema::Schema& op) {
  size_t outs = 0;
  size_t shared = 0;
  for (const schema::Parameter& parameter : kernel.parameters) {
    if (parameter.is_out) {
      ++outs;
    } else if (op.find(parameter.name)) {
      ++shared;
    } else if (parameter.name != "dim_order") {
      return false;
    }
  }
  if (outs == 0 || outs != std::max<size_t>(op.returns.size(), 1)) return false;
  for (const schema::Parameter& parameter : op.parameters) {
    if (!kernel.find(parameter.name) && !is_implied_by_type(parameter.name)) return false;
  }
  return shared > 0 || op.parameters.empty();
}

const schema::Schema* find(const std::string& op) {
  static const std::map<std::string, std::string> kDimOrder = {
      {"aten._to_copy.default", "dim_order_ops::_to_dim_order_copy"},
      {"aten.clone.default", "dim_order_ops::_clone_dim_order"},
      {"aten.empty.memory_format", "dim_order_ops::_empty_dim_order"},
      {"dim_order_ops._to_dim_order_copy.default", "dim_order_ops::_to_dim_order_copy"},
      {"dim_order_ops._clone_dim_order.default", "dim_order_ops::_clone_dim_order"},
      {"dim_order_ops._empty_dim_order.default", "dim_order_ops::_empty_dim_order"},
  };
  auto special = kDimOrder.find(op);
  if (special != kDimOrder.end()) return schema::find_kernel(special->second, "out");
  if (const schema::Schema* kernel = schema::kernel_for(op)) return kernel;
  const schema::Schema* functional = schema::find_operator(op);
  if (!functional) return nullptr;
  for (const char* suffix : {"", "_copy"}) {
    for (const schema::Schema& kernel : schema::kernels()) {
      if (kernel.name == functional->name + suffix && fits(kernel, *functional)) return &kernel;
    }
  }
  return nullptr;
}

}  // namespace

const schema::Schema* select_kernel(const std::string& op) {
  thread_local std::map<std::string, const schema::Schema*> known;
  auto [entry, inserted] = known.try_emplace(op, nullptr);
  if (inserted) entry->second = find(op);
  return entry->second;
}

}  // namespace slipway::pte
