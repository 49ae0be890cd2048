#include "cuda/format/check.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/checked.h"
#include "base/error.h"
#include "base/identifier.h"
#include "base/printable.h"
#include "base/try.h"
#include "cuda/format/blob.h"
#include "cuda/format/choices.h"
#include "cuda/format/plans.h"
#include "cuda/format/steps.h"

namespace slipway::cuda {
namespace {

using table::EngineT;

constexpr size_t kMostDimensions = 16;     // ExecuTorch's
constexpr uint64_t kMostThreads = 1024;    // of a block
constexpr uint32_t kMostShared = 232'448;  // bytes of shared memory that a block of any GPU has
constexpr size_t kMostFlags = 4096;
constexpr size_t kMostBuffers = 1 << 16;  // planning their memory is quadratic
constexpr int8_t kLong = 4;

Status check_index(uint64_t index, size_t count, std::string_view what) {
  if (index < count) return {};
  return invalid_file("it names {} {} of {}", what, index, count);
}

template <class Indices>
Status check_indices(const Indices& indices, size_t count, std::string_view what) {
  for (const auto index : indices) SLIPWAY_RETURN_IF_ERROR(check_index(index, count, what));
  return {};
}

bool is_target(std::string_view text) {
  for (const std::string_view prefix : {"sm_", "compute_"}) {
    if (!text.starts_with(prefix)) continue;
    text.remove_prefix(prefix.size());
    if (prefix == "sm_" && text.ends_with('a')) text.remove_suffix(1);
    int number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && number >= 10 &&
           number < 1000;
  }
  return false;
}

Status check_images(const EngineT& engine, uint64_t image_bytes) {
  for (const auto& image : engine.images) {
    if (!is_target(image->target)) {
      return invalid_file("it has an image for '{}'", printable_start(image->target));
    }
    if (image->size == 0 || !range_fits(image->offset, image->size, image_bytes)) {
      return invalid_file("the image for {} goes past the end", image->target);
    }
  }
  for (const std::string& kernel : engine.kernels) {
    if (!is_identifier(kernel))
      return invalid_file("a kernel has the name '{}'", printable_start(kernel));
  }
  if (engine.images.empty() && !engine.kernels.empty()) {
    return invalid_file("it has kernels, and no image that they are in");
  }
  return {};
}

Status check_number(const EngineT& engine, size_t index) {
  const table::NumberT& number = *engine.numbers[index];
  switch (number.kind) {
    case table::NumberKind::Constant:
      return {};
    case table::NumberKind::Dimension:
      SLIPWAY_RETURN_IF_ERROR(check_index(number.a, engine.inputs.size(), "input"));
      return check_index(number.b, engine.inputs[number.a]->sizes.size(), "dimension");
    case table::NumberKind::Element:
      SLIPWAY_RETURN_IF_ERROR(check_index(number.a, engine.inputs.size(), "input"));
      if (engine.inputs[number.a]->type == kLong) return {};
      return invalid_file("a number is an element of input {}, which is not int64", number.a);
    case table::NumberKind::Scale:
      return check_index(number.a, index, "earlier number");
    case table::NumberKind::Add:
    case table::NumberKind::Multiply:
    case table::NumberKind::FloorDivide:
    case table::NumberKind::Modulo:
    case table::NumberKind::Minimum:
    case table::NumberKind::Maximum:
    case table::NumberKind::Power:
      SLIPWAY_RETURN_IF_ERROR(check_index(number.a, index, "earlier number"));
      return check_index(number.b, index, "earlier number");
  }
  return invalid_file("a number is of the unknown kind {}", static_cast<int>(number.kind));
}

Status check_constant(const EngineT& engine, const table::BufferT& buffer) {
  const table::NumberT& bytes = *engine.numbers[buffer.bytes];
  if (bytes.kind != table::NumberKind::Constant || bytes.value < 0) {
    return invalid_file("the size of a constant is not known");
  }
  if (buffer.offset % kAlignment != 0 ||
      !range_fits(buffer.offset, static_cast<uint64_t>(bytes.value), engine.constant_bytes)) {
    return invalid_file("a constant of {} bytes at {} does not lie within the {} bytes of them",
                        bytes.value, buffer.offset, engine.constant_bytes);
  }
  return {};
}

// No more of them is read and written than there are.
Status check_flags(const EngineT& engine, const table::NumberT& bytes) {
  const bool is_known = bytes.kind == table::NumberKind::Constant && bytes.value >= 0;
  if (is_known && static_cast<uint64_t>(bytes.value) <= engine.flags.size() * sizeof(int32_t)) {
    return {};
  }
  return invalid_file("its {} flags are said to take other bytes", engine.flags.size());
}

Status check_buffer(const EngineT& engine, const table::BufferT& buffer) {
  SLIPWAY_RETURN_IF_ERROR(check_index(buffer.bytes, engine.numbers.size(), "number"));
  switch (buffer.home) {
    case table::Home::Input:
      return check_index(buffer.position, engine.inputs.size(), "input");
    case table::Home::Output:
      return check_index(buffer.position, engine.outputs.size(), "output");
    case table::Home::Constant:
      return check_constant(engine, buffer);
    case table::Home::Scratch:
      return {};
    case table::Home::Flags:
      return check_flags(engine, *engine.numbers[buffer.bytes]);
  }
  return invalid_file("a buffer is in the unknown place {}", static_cast<int>(buffer.home));
}

bool is_writable(const EngineT& engine, uint32_t buffer) {
  const table::Home home = engine.buffers[buffer]->home;
  return home != table::Home::Input && home != table::Home::Constant;
}

Status check_launch(const EngineT& engine, const table::LaunchT& launch) {
  SLIPWAY_RETURN_IF_ERROR(check_index(launch.kernel, engine.kernels.size(), "kernel"));
  if (launch.grid.size() != 3 || launch.block.size() != 3) {
    return invalid_file("a launch has a grid or a block without three sizes");
  }
  SLIPWAY_RETURN_IF_ERROR(check_indices(launch.grid, engine.numbers.size(), "number"));
  uint64_t threads = 1;
  for (const uint32_t size : launch.block) {
    if (size == 0 || size > kMostThreads) return invalid_file("a block has the size {}", size);
    threads *= size;
  }
  if (threads > kMostThreads) return invalid_file("a block has {} threads", threads);
  if (launch.shared_bytes > kMostShared) {
    return invalid_file("a block has {} bytes of shared memory", launch.shared_bytes);
  }
  SLIPWAY_RETURN_IF_ERROR(check_indices(launch.reads, engine.buffers.size(), "buffer"));
  SLIPWAY_RETURN_IF_ERROR(check_indices(launch.writes, engine.buffers.size(), "buffer"));
  for (const uint32_t written : launch.writes) {
    if (!is_writable(engine, written)) return invalid_file("a launch writes an input or constant");
  }
  std::vector<uint32_t> named = launch.reads;
  named.insert(named.end(), launch.writes.begin(), launch.writes.end());
  std::sort(named.begin(), named.end());
  for (const table::Argument& argument : launch.arguments) {
    if (argument.kind() == table::ArgumentKind::Number) {
      SLIPWAY_RETURN_IF_ERROR(check_index(argument.index(), engine.numbers.size(), "number"));
      continue;
    }
    if (argument.kind() != table::ArgumentKind::Buffer) {
      return invalid_file("a kernel's argument is of an unknown kind");
    }
    SLIPWAY_RETURN_IF_ERROR(check_index(argument.index(), engine.buffers.size(), "buffer"));
    if (!std::binary_search(named.begin(), named.end(), argument.index())) {
      return invalid_file("a kernel is given a buffer that it neither reads nor writes");
    }
  }
  return {};
}

Status check_copy(const EngineT& engine, const table::CopyT& copy) {
  SLIPWAY_RETURN_IF_ERROR(check_index(copy.from, engine.buffers.size(), "buffer"));
  SLIPWAY_RETURN_IF_ERROR(check_index(copy.to, engine.buffers.size(), "buffer"));
  SLIPWAY_RETURN_IF_ERROR(check_index(copy.bytes, engine.numbers.size(), "number"));
  if (!is_writable(engine, copy.to)) return invalid_file("a copy writes an input or constant");
  return {};
}

bool is_half(int8_t type) {
  constexpr int8_t kFloat16 = 5;
  constexpr int8_t kBFloat16 = 15;
  return type == kFloat16 || type == kBFloat16;
}

// What its sizes come to is known in a call alone.
Status check_product(const EngineT& engine, const table::ProductT& product) {
  if (!is_half(product.type)) {
    return invalid_file("a product by a library is of the type {}", static_cast<int>(product.type));
  }
  const std::array numbers = {product.m, product.n, product.k, product.a_stride, product.b_stride};
  SLIPWAY_RETURN_IF_ERROR(check_indices(numbers, engine.numbers.size(), "number"));
  const std::array buffers = {product.a, product.b, product.d, product.workspace};
  SLIPWAY_RETURN_IF_ERROR(check_indices(buffers, engine.buffers.size(), "buffer"));
  for (const uint32_t added : {product.bias, product.c}) {
    if (added == 0) continue;
    SLIPWAY_RETURN_IF_ERROR(check_index(added - 1, engine.buffers.size(), "buffer"));
  }
  for (const uint32_t written : {product.d, product.workspace}) {
    if (!is_writable(engine, written)) return invalid_file("a product writes an input or constant");
  }
  return {};
}

// Whether its elements lie within its buffer, which is known to have so many bytes.
bool lies_within(const EngineT& engine, const table::GraphTensorT& tensor) {
  const table::NumberT& bytes = *engine.numbers[engine.buffers[tensor.buffer]->bytes];
  if (bytes.kind != table::NumberKind::Constant || bytes.value < 0) return false;
  uint64_t last = tensor.offset;
  for (size_t i = 0; i < tensor.sizes.size(); ++i) {
    const auto reach = checked_mul(tensor.sizes[i] - 1, tensor.strides[i]);
    const auto sum = reach ? checked_add(last, *reach) : std::nullopt;
    if (!sum) return false;
    last = *sum;
  }
  return last < static_cast<uint64_t>(bytes.value) / 2;
}

bool are_sizes(const std::vector<uint64_t>& numbers, size_t count, uint64_t least) {
  constexpr uint64_t kMost = uint64_t{1} << 31;
  return numbers.size() == count &&
         std::all_of(numbers.begin(), numbers.end(),
                     [&](uint64_t number) { return number >= least && number < kMost; });
}

// Whether its tensors' sizes belong together. They are those that the library computes with.
bool fits_together(const table::LibraryGraphT& graph) {
  const auto sizes = [&](size_t i) -> const std::vector<uint64_t>& {
    return graph.tensors[i]->sizes;
  };
  const std::vector<uint64_t>& x = sizes(0);
  const std::vector<uint64_t>& w = sizes(1);
  const std::vector<uint64_t>& y = sizes(result_of(graph));
  if (graph.kind == table::LibraryGraphKind::Attention) {
    return sizes(2) == std::vector<uint64_t>{w[0], w[1], w[2], y[3]} && w[0] == x[0] &&
           w[3] == x[3] && x[1] % w[1] == 0 && y == std::vector<uint64_t>{x[0], x[1], x[2], y[3]};
  }
  const bool is_product = graph.kind == table::LibraryGraphKind::Product;
  const std::vector<uint64_t> bias =
      is_product ? std::vector<uint64_t>{1, 1, 1, y[3]} : std::vector<uint64_t>{1, y[1], 1, 1};
  if (graph.has_bias && sizes(3) != bias) return false;
  if (graph.has_c && sizes(graph.has_bias ? 4 : 3) != y) return false;
  if (is_product) {
    return x == std::vector<uint64_t>{1, 1, y[2], w[2]} && y[0] == 1 && y[1] == 1 &&
           w == std::vector<uint64_t>{1, 1, x[3], y[3]};
  }
  const bool has_steps = are_sizes(graph.strides, 2, 1) && are_sizes(graph.pads, 2, 0) &&
                         are_sizes(graph.dilations, 2, 1);
  if (!has_steps || w[1] != x[1] || y[0] != x[0] || y[1] != w[0]) return false;
  for (const size_t i : {0, 1}) {
    const uint64_t reach = (w[i + 2] - 1) * graph.dilations[i] + 1;
    const uint64_t padded = x[i + 2] + 2 * graph.pads[i];
    if (reach > padded || (padded - reach) / graph.strides[i] + 1 != y[i + 2]) return false;
  }
  return true;
}

Status check_graph(const EngineT& engine, const table::LibraryGraphT& graph) {
  const bool attends = graph.kind == table::LibraryGraphKind::Attention;
  if (graph.kind > table::LibraryGraphKind::MAX ||
      graph.activation > table::LibraryActivation::MAX) {
    return invalid_file("a library's graph is of the unknown kind {}, {}",
                        static_cast<int>(graph.kind), static_cast<int>(graph.activation));
  }
  if (!is_half(graph.type)) {
    return invalid_file("a library's graph is of the type {}", static_cast<int>(graph.type));
  }
  const size_t count = attends ? 4 : 3 + size_t{graph.has_bias} + size_t{graph.has_c};
  if (graph.tensors.size() != count) {
    return invalid_file("a library's graph has {} tensors, and not {}", graph.tensors.size(),
                        count);
  }
  SLIPWAY_RETURN_IF_ERROR(check_index(graph.workspace, engine.buffers.size(), "buffer"));
  for (const auto& tensor : graph.tensors) {
    SLIPWAY_RETURN_IF_ERROR(check_index(tensor->buffer, engine.buffers.size(), "buffer"));
    if (!are_sizes(tensor->sizes, 4, 1) || !are_sizes(tensor->strides, 4, 0) ||
        !lies_within(engine, *tensor)) {
      return invalid_file("a tensor of a library's graph does not lie within its buffer");
    }
  }
  for (const uint32_t written : {graph.tensors[result_of(graph)]->buffer, graph.workspace}) {
    if (!is_writable(engine, written)) {
      return invalid_file("a library's graph writes an input or constant");
    }
  }
  const table::NumberT& workspace = *engine.numbers[engine.buffers[graph.workspace]->bytes];
  if (workspace.kind != table::NumberKind::Constant || workspace.value < 0) {
    return invalid_file("a library's graph has a workspace of no known size");
  }
  if (fits_together(graph)) return {};
  return invalid_file("the tensors of a library's graph do not fit together");
}

Status check_step(const EngineT& engine, const table::StepUnion& step) {
  if (const table::LaunchT* launch = step.AsLaunch()) return check_launch(engine, *launch);
  if (const table::CopyT* copy = step.AsCopy()) return check_copy(engine, *copy);
  if (const table::ProductT* product = step.AsProduct()) return check_product(engine, *product);
  if (const table::LibraryGraphT* graph = step.AsLibraryGraph()) return check_graph(engine, *graph);
  return invalid_file("a step is of an unknown kind");
}

Status check_port(const EngineT& engine, const table::PortT& port) {
  if (element_bytes(port.type) == 0) {
    return invalid_file("'{}' is of the unknown type {}", printable_start(port.name),
                        static_cast<int>(port.type));
  }
  if (port.sizes.size() > kMostDimensions) {
    return invalid_file("'{}' has {} dimensions", printable_start(port.name), port.sizes.size());
  }
  return check_indices(port.sizes, engine.numbers.size(), "number");
}

}  // namespace

uint64_t element_bytes(int8_t type) {
  // By torch's ScalarType, as ExecuTorch numbers it.
  switch (type) {
    case 0:   // uint8
    case 1:   // int8
    case 11:  // bool
      return 1;
    case 2:   // int16
    case 5:   // float16
    case 15:  // bfloat16
    case 27:  // uint16
      return 2;
    case 3:   // int32
    case 6:   // float32
    case 28:  // uint32
      return 4;
    case kLong:
    case 7:   // float64
    case 29:  // uint64
      return 8;
    default:
      return 0;
  }
}

Status check_engine(const EngineT& engine, uint64_t image_bytes) {
  SLIPWAY_RETURN_IF_ERROR(check_images(engine, image_bytes));
  for (const auto* ports : {&engine.inputs, &engine.outputs}) {
    for (const auto& port : *ports) SLIPWAY_RETURN_IF_ERROR(check_port(engine, *port));
  }
  for (size_t i = 0; i < engine.numbers.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(check_number(engine, i));
  }
  for (const auto& buffer : engine.buffers) SLIPWAY_RETURN_IF_ERROR(check_buffer(engine, *buffer));
  for (const auto& step : engine.steps) SLIPWAY_RETURN_IF_ERROR(check_step(engine, step));
  SLIPWAY_RETURN_IF_ERROR(check_choices(engine));
  if (const auto plans = read_plans(engine); !plans.ok()) return plans.error();
  if (engine.buffers.size() > kMostBuffers) {
    return invalid_file("it has {} buffers; {} are the most", engine.buffers.size(), kMostBuffers);
  }
  if (engine.flags.size() > kMostFlags) {
    return invalid_file("it has {} flags", engine.flags.size());
  }
  return {};
}

}  // namespace slipway::cuda
