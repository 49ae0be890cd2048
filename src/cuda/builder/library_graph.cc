#include "cuda/builder/library_graph.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cuda/builder/generator.h"
#include "cuda/builder/layout.h"
#include "cuda/builder/library_step.h"
#include "cuda/builder/tiled_product.h"
#include "cuda/format/steps.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

// Of what the library has for a graph, where there are to be several ways.
constexpr uint32_t kMostEngines = 4;
constexpr int64_t kGraphWorkspace = int64_t{32} << 20;
constexpr int64_t kVector = 8;  // elements of 16 bytes

using Tensor = std::unique_ptr<table::GraphTensorT>;

// Null where any is not known.
Tensor tensor_of(uint32_t buffer, const SymInt& offset, const Sizes& sizes, const Sizes& strides) {
  auto made = std::make_unique<table::GraphTensorT>();
  made->buffer = buffer;
  const auto add = [](std::vector<uint64_t>& to, const SymInt& number, int64_t least) {
    const auto known = number.constant();
    if (!known || *known < least) return false;
    to.push_back(static_cast<uint64_t>(*known));
    return true;
  };
  std::vector<uint64_t> first;
  bool is_known = add(first, offset, 0);
  for (const SymInt& size : sizes) is_known = is_known && add(made->sizes, size, 1);
  for (const SymInt& stride : strides) is_known = is_known && add(made->strides, stride, 0);
  if (!is_known || first.front() % kVector != 0) return nullptr;
  made->offset = first.front();
  // Of one element the stride may be 0, which the library does not take.
  uint64_t whole = 1;
  for (size_t i = 0; i < made->sizes.size(); ++i) {
    whole = std::max(whole, made->sizes[i] * made->strides[i]);
  }
  for (size_t i = 0; i < made->sizes.size(); ++i) {
    if (made->strides[i] == 0) made->strides[i] = whole;
  }
  return made;
}

// The view of a value of the half type in the engine's own memory, or of what it is cast from.
std::optional<View> view_in_memory(Generator& generator, const Value& value, DType type) {
  auto view = view_of(value);
  const bool is_there = view && view->base->buffer && memory_dtype(*view->base) == type &&
                        !generator.is_of_caller(*view->base->buffer);
  if (is_there) return view;
  const bool widens = !value.buffer && value.is_cast && value.dtype == DType::kFloat32 &&
                      !value.operands.empty() && value.operands.front()->dtype == type;
  if (!widens) return std::nullopt;
  return view_in_memory(generator, *value.operands.front(), type);
}

// [images, channels, height, width]
Tensor images_of(Generator& generator, const Value& value, DType type) {
  const auto view = view_in_memory(generator, value, type);
  if (!view || !view->repeats.empty() || value.sizes.size() != 4) return nullptr;
  if (view->strides[1] != SymInt(1)) return nullptr;
  return tensor_of(*view->base->buffer, view->offset, value.sizes, view->strides);
}

// [batch, heads, tokens, width]; heads that share their elements are one.
Tensor heads_of(Generator& generator, const Matrices& x, const Sizes& batch, size_t tokens,
                size_t width, DType type) {
  const Value& value = *x.value;
  const auto view = view_in_memory(generator, value, type);
  if (!view || batch.size() != 2 || x.batch != batch || value.sizes.size() != 4) return nullptr;
  Sizes sizes = {batch[0], batch[1], value.sizes[tokens], value.sizes[width]};
  const Sizes strides = {view->strides[0], view->strides[1], view->strides[tokens],
                         view->strides[width]};
  if (strides[3] != SymInt(1) || !is_multiple(sizes[3], kVector)) return nullptr;
  for (size_t i = 0; i < view->repeats.size(); ++i) {
    if (view->repeats[i] == SymInt(1)) continue;
    if (i != 1) return nullptr;
    sizes[1] = SymInt::floordiv(sizes[1], view->repeats[i]);
  }
  for (size_t i = 0; i < 3; ++i) {
    if (sizes[i] != SymInt(1) && !is_multiple(strides[i], kVector)) return nullptr;
  }
  return tensor_of(*view->base->buffer, view->offset, sizes, strides);
}

// The value that the only reader gives, with that reader's operator; null where there are others,
// or the value is what the kernel is for.
struct Next {
  const onnx::Node* node = nullptr;
  Value* value = nullptr;
};
Next next_of(Generator& generator, const Value& value, const Value* target) {
  const auto readers = generator.readers(value.name);
  if (&value == target || readers.size() != 1 || value.output) return {};
  return {readers.front(), &generator.value(readers.front()->outputs.front())};
}

// What may follow sums: a bias of a product, another value, an activation.
struct Following {
  std::function<Tensor(const Value&)> bias = nullptr;   // null of what is none
  std::function<Tensor(const Value&)> added = nullptr;  // likewise
  bool has_activation = false;
};

// The other operand's tensor; null where it is none that the library adds.
Tensor added_tensor(Generator& generator, const Value& value, const onnx::Node& add,
                    const std::function<Tensor(const Value&)>& tensor_of) {
  const bool is_first = add.inputs.front() == value.name;
  const Value* const other = generator.find(add.inputs.at(is_first ? 1 : 0));
  return other == nullptr || other == &value ? nullptr : tensor_of(*other);
}

std::optional<table::LibraryActivation> activation_of(const onnx::Node& node) {
  if (node.op_type == "Relu") return table::LibraryActivation::Relu;
  const bool is_exact = onnx::attribute(node, "approximate", std::string("none")) == "none";
  if (node.op_type == "Gelu" && is_exact) return table::LibraryActivation::Gelu;
  return std::nullopt;
}

// Whether the library may write it where it lies.
bool is_of_library(const Generator& generator, const Value& target, const LibraryForm& form) {
  const bool is_product = form.graph.kind == table::LibraryGraphKind::Product;
  return !generator.is_of_caller(*target.buffer) &&
         (!is_product || target.order == Order::kAsGiven);
}

// Adds what follows the sums to the form, as far as the library computes it and what it gives is
// of the half type.
void follow(Generator& generator, LibraryForm& form, const Value& sums, const Value* target,
            DType type, const Following& takes) {
  table::LibraryGraphT& graph = form.graph;
  Tensor c;
  auto activation = table::LibraryActivation::None;
  const Value* value = &sums;
  for (;;) {
    // The caller's memory is written by a kernel, which reads another value.
    if (value == target && !is_of_library(generator, *target, form)) return;
    if (value->dtype == type) {
      form.result = &generator.value(value->name);
      if (c) {
        graph.tensors.push_back(std::exchange(c, nullptr));
        graph.has_c = true;
      }
      graph.activation = activation;
    }
    const Next next = next_of(generator, *value, target);
    if (next.node == nullptr || activation != table::LibraryActivation::None) {
      if (next.node == nullptr || next.node->op_type != "Cast") return;
    } else if (const auto found = activation_of(*next.node)) {
      if (!takes.has_activation) return;
      activation = *found;
    } else if (next.node->op_type == "Add" && takes.bias && value == &sums) {
      Tensor bias = added_tensor(generator, *value, *next.node, takes.bias);
      if (!bias) return;
      graph.tensors.push_back(std::move(bias));
      graph.has_bias = true;
    } else if (next.node->op_type == "Add" && takes.added && !c && !graph.has_c) {
      c = added_tensor(generator, *value, *next.node, takes.added);
      if (!c) return;
    } else if (next.node->op_type != "Cast") {
      return;
    }
    value = next.value;
    if (value->dtype != type && value->dtype != DType::kFloat32) return;
  }
}

// Whether the target's memory is what the library writes.
bool is_written(const Generator& generator, const Value& target, const LibraryForm& form) {
  return has_elements_of(target, *form.result) && is_of_library(generator, target, form);
}

// Of the result in memory by itself, in this order.
void set_strides(table::GraphTensorT& y, Order order) {
  Value like;
  for (const uint64_t size : y.sizes) like.sizes.emplace_back(static_cast<int64_t>(size));
  like.order = order;
  like.buffer = y.buffer;
  const auto view = view_of(like);
  y.strides.clear();
  for (const SymInt& stride : view->strides) {
    y.strides.push_back(static_cast<uint64_t>(*stride.constant()));
  }
}

bool are_there(const std::vector<Tensor>& tensors) {
  return std::all_of(tensors.begin(), tensors.end(), [](const Tensor& t) { return t != nullptr; });
}

// The result's place among the tensors is taken, until there is memory for it.
std::optional<LibraryForm> with_result(LibraryForm form, const Sizes& sizes) {
  Tensor y = form.result == nullptr ? nullptr : tensor_of(0, 0, sizes, Sizes(4, 1));
  if (!y) return std::nullopt;
  std::vector<Tensor>& tensors = form.graph.tensors;
  tensors.insert(tensors.begin() + static_cast<std::ptrdiff_t>(result_of(form.graph)),
                 std::move(y));
  return form;
}

}  // namespace

std::optional<LibraryForm> library_form(Kernel& kernel, const LibraryConvolution& convolution) {
  Generator& generator = kernel.generator();
  const Window& window = convolution.window;
  const std::vector<int64_t> pads(window.pads.begin(), window.pads.begin() + 2);
  const bool is_even = std::equal(pads.begin(), pads.end(), window.pads.begin() + 2);
  if (!generator.ways().with_cudnn || !is_even || convolution.sums->sizes.size() != 4) return {};
  LibraryForm form;
  table::LibraryGraphT& graph = form.graph;
  graph.type = scalar_type(convolution.type);
  const auto numbers = [](const std::vector<int64_t>& from) {
    return std::vector<uint64_t>(from.begin(), from.end());
  };
  graph.strides = numbers(window.strides);
  graph.pads = numbers(pads);
  graph.dilations = numbers(window.dilations);
  const SymInt& results = convolution.sums->sizes[1];
  const SymInt& channels = convolution.taps[2];
  graph.tensors.push_back(images_of(generator, *convolution.x, convolution.type));
  graph.tensors.push_back(tensor_of(
      convolution.filters, 0, {results, channels, convolution.taps[0], convolution.taps[1]},
      {convolution.filter_stride, 1, convolution.taps[1] * channels, channels}));
  if (convolution.bias != nullptr) {
    const Value* const row = constant_row(*convolution.bias, results, convolution.type);
    if (row == nullptr) return {};
    graph.has_bias = true;
    graph.tensors.push_back(
        tensor_of(generator.constant(*row), 0, {1, results, 1, 1}, {results, 1, 1, 1}));
  }
  const auto added = [&](const Value& other) {
    return other.sizes == convolution.sums->sizes ? images_of(generator, other, convolution.type)
                                                  : nullptr;
  };
  follow(generator, form, *convolution.sums, kernel.target(), convolution.type,
         {.added = added, .has_activation = true});
  const bool are_vectors = is_multiple(channels, kVector) && is_multiple(results, kVector);
  if (!are_there(graph.tensors) || !are_vectors) return {};
  return with_result(std::move(form), convolution.sums->sizes);
}

std::optional<LibraryForm> library_form(Kernel& kernel, const TiledProduct& product) {
  Generator& generator = kernel.generator();
  const bool is_one = ir::numel(product.batch) == SymInt(1) && product.sums != nullptr;
  if (!generator.ways().with_cudnn || !is_half(product.type) || !is_one) return {};
  for (const TiledOperand* const operand : {&product.a, &product.b}) {
    if (!is_whole(generator, *operand)) return {};
  }
  const SymInt& m = product.m;
  const SymInt& n = product.n;
  LibraryForm form;
  table::LibraryGraphT& graph = form.graph;
  graph.kind = table::LibraryGraphKind::Product;
  graph.type = scalar_type(product.type);
  graph.tensors.push_back(tensor_of(*product.a.buffer, 0, {1, 1, m, product.k},
                                    {0, 0, *product.a.row_stride, *product.a.k_stride}));
  graph.tensors.push_back(tensor_of(*product.b.buffer, 0, {1, 1, product.k, n},
                                    {0, 0, *product.b.k_stride, *product.b.row_stride}));
  const auto bias = [&](const Value& other) -> Tensor {
    const Value* const row = constant_row(other, n, product.type);
    return row == nullptr ? nullptr
                          : tensor_of(generator.constant(*row), 0, {1, 1, 1, n}, {0, 0, 0, 1});
  };
  const auto added = [&](const Value& other) -> Tensor {
    const auto buffer = other.sizes == product.sums->sizes
                            ? memory_of(generator, other, product.type)
                            : std::nullopt;
    return buffer ? tensor_of(*buffer, 0, {1, 1, m, n}, {0, 0, n, 1}) : nullptr;
  };
  follow(generator, form, *product.sums, kernel.target(), product.type,
         {.bias = bias, .added = added, .has_activation = true});
  const bool are_vectors = is_multiple(n, kVector) && is_multiple(product.k, kVector);
  if (!are_there(graph.tensors) || !are_vectors) return {};
  return with_result(std::move(form), {1, 1, m, n});
}

std::optional<LibraryForm> library_form(Kernel& kernel, const LibraryAttention& attention) {
  Generator& generator = kernel.generator();
  if (!generator.ways().with_cudnn) return {};
  LibraryForm form;
  table::LibraryGraphT& graph = form.graph;
  graph.kind = table::LibraryGraphKind::Attention;
  graph.type = scalar_type(attention.type);
  graph.scale = attention.scale;
  const auto heads = [&](const Matrices& x, size_t tokens, size_t width) {
    return heads_of(generator, x, attention.batch, tokens, width, attention.type);
  };
  const Matrices& query = attention.query;
  const Matrices& key = attention.key;
  const Matrices& value = attention.value;
  graph.tensors.push_back(heads(query, query.row_dimension, query.k_dimension));
  graph.tensors.push_back(heads(key, key.row_dimension, key.k_dimension));
  graph.tensors.push_back(heads(value, value.k_dimension, value.row_dimension));
  if (!are_there(graph.tensors) || graph.tensors[1]->sizes[1] != graph.tensors[2]->sizes[1]) {
    return {};
  }
  follow(generator, form, *attention.result, kernel.target(), attention.type, {});
  if (attention.result->sizes.size() != 4) return {};
  return with_result(std::move(form), attention.result->sizes);
}

uint32_t library_ways(const Generator& generator, const std::optional<LibraryForm>& form) {
  return form ? std::min(generator.ways().candidates, kMostEngines) : 0;
}

void emit_library_graph(Kernel& kernel, const LibraryForm& form, uint8_t rank) {
  Generator& generator = kernel.generator();
  kernel.alternative().plan = rank == 0 ? "cuDNN" : fmt::format("cuDNN, engine {}", rank);
  Value& target = *kernel.target();
  Value& result = *form.result;
  table::LibraryGraphT graph = form.graph;
  const bool is_all = is_written(generator, target, form);
  table::GraphTensorT& y = *graph.tensors.at(result_of(graph));
  const Order order = is_all                                               ? target.order
                      : graph.kind == table::LibraryGraphKind::Convolution ? Order::kChannelsLast
                                                                           : Order::kAsGiven;
  set_strides(y, order);
  y.buffer = is_all ? *target.buffer
                    : generator.scratch(ir::numel(result.sizes) *
                                        static_cast<int64_t>(dtype_size(result.dtype)));
  graph.workspace = generator.scratch(kGraphWorkspace);
  graph.rank = rank;
  const uint32_t memory = y.buffer;
  emit_library_step(kernel, std::move(graph), result, memory, order);
}

}  // namespace slipway::cuda
