// A kernel in which a thread, a warp or a block of threads works on each of many rows.
#pragma once

#include <functional>
#include <string>

#include "cuda/builder/kernel.h"
#include "cuda/builder/value.h"

namespace slipway::cuda {

class Rows {
 public:
  enum class Form { kThread, kWarp, kBlock };
  // A row for each index of `sizes`.
  Rows(Kernel& kernel, const Sizes& sizes, Form form);
  // A thread for each element of a value, in the order that it has in memory.
  Rows(Kernel& kernel, const Value& value);
  // Blocks for rows that are long, or may be; warps where short ones are many.
  static Form form_for(const Sizes& rows, const ir::SymInt& length);

  const Indices& at() const { return at_; }
  // The place of the row among all.
  const std::string& row() const { return row_; }

  // All elements of a row, combined: `element` gives what enters, of the type, for a position.
  std::string reduce(const std::string& type, const std::string& initial, const char* combine,
                     const ir::SymInt& length,
                     const std::function<std::string(const std::string&)>& element);
  // Once for each position.
  void each(const ir::SymInt& length, const std::function<void(const std::string&)>& body);
  // Once for the row.
  void once(const std::function<void()>& body);

 private:
  Kernel& kernel_;
  const Form form_;
  std::string row_;
  Indices at_;
};

}  // namespace slipway::cuda
