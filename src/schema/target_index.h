// Rows of a table by the operators that they name.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schema/operator_name.h"

namespace slipway::schema {

// A row has `targets`, names as split_targets() takes them. Of rows that name one operator the
// first is found. Keeps pointers to the rows. May be read by several threads at once.
template <class Row>
class TargetIndex {
 public:
  void add(std::span<const Row> rows) {
    for (const Row& row : rows) {
      for (std::string& target : split_targets(row.targets)) rows_.emplace(std::move(target), &row);
    }
  }
  // Null where no row names it.
  const Row* find(std::string_view target) const {
    const auto it = rows_.find(target);
    return it == rows_.end() ? nullptr : it->second;
  }
  std::vector<std::string> targets() const {
    std::vector<std::string> result;
    for (const auto& [target, row] : rows_) result.push_back(target);
    return result;
  }

 private:
  std::map<std::string, const Row*, std::less<>> rows_;
};

}  // namespace slipway::schema
