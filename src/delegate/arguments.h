// The tensors that a call of a delegate gives to an engine, checked against what the engine takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <executorch/runtime/core/error.h>
#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/exec_aten/exec_aten.h>
#include <executorch/runtime/core/span.h>

namespace slipway::delegate {

// An input or output of an engine.
struct Port {
  // Undefined where ExecuTorch has no such type: no tensor fits then.
  executorch::aten::ScalarType type = executorch::aten::ScalarType::Undefined;
  // -1 where any size goes; nothing where any rank does.
  std::optional<std::vector<int64_t>> sizes;

  bool is_static() const;
  std::string type_text() const;  // "float32[2, ?]"
};

// Arguments by position: the inputs, then the outputs. What is wrong with one is logged with its
// place, and is an error of ExecuTorch's. Immutable.
class Arguments {
 public:
  // `title` begins what is logged, and is not copied.
  Arguments(const char* title, std::vector<Port> inputs, const std::vector<Port>& outputs);

  size_t input_count() const { return inputs_; }
  size_t count() const { return ports_.size(); }
  const Port& port(size_t index) const { return ports_[index]; }
  std::string label(size_t index) const;  // "input 1", "output 0"

  executorch::runtime::Error check_count(size_t given) const;
  // That the argument is a contiguous tensor of the port's type and sizes. Those of outputs may
  // differ so far: an output of static shape is resized.
  executorch::runtime::Error check(size_t index, executorch::runtime::EValue& value) const;
  // Gives an output the sizes of what came out, within its memory.
  executorch::runtime::Error resize(size_t index, const executorch::aten::Tensor& tensor,
                                    std::span<const int64_t> sizes) const;
  // An error where there are elements and no memory for them; `data` is null without elements.
  executorch::runtime::Error find_memory(size_t index, const executorch::aten::Tensor& tensor,
                                         void** data) const;

 private:
  const char* title_;
  size_t inputs_;
  std::vector<Port> ports_;
};

}  // namespace slipway::delegate
