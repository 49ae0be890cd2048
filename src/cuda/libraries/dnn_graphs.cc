#include "cuda/libraries/dnn_graphs.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/try.h"
#include "cuda/libraries/cudnn_numbers.h"

namespace slipway::cuda {
namespace {

constexpr int kMostEngines = 32;       // that the library is asked for
constexpr int64_t kFirstVirtual = 64;  // numbers of tensors that have no memory
constexpr int64_t kScale = 128;

// Row by row.
DnnTensor packed(std::vector<int64_t> sizes) {
  DnnTensor made = {std::move(sizes), {}};
  made.strides.resize(made.sizes.size());
  int64_t stride = 1;
  for (size_t i = made.sizes.size(); i-- > 0;) {
    made.strides[i] = stride;
    stride *= made.sizes[i];
  }
  return made;
}

std::string text_of(const DnnGraph& graph) {
  const std::vector<int64_t>& x = graph.tensors.at(0).sizes;
  const std::vector<int64_t>& w = graph.tensors.at(1).sizes;
  if (graph.kind == DnnGraph::Kind::kProduct) {
    return fmt::format("multiply [{}, {}] by [{}, {}]", x[2], x[3], w[2], w[3]);
  }
  return graph.kind == DnnGraph::Kind::kConvolution
             ? fmt::format("convolve [{}, {}, {}, {}] by [{}, {}, {}, {}]", x[0], x[1], x[2], x[3],
                           w[0], w[1], w[2], w[3])
             : fmt::format("attend from [{}, {}, {}, {}] to {} keys of {} heads", x[0], x[1], x[2],
                           x[3], w[2], w[1]);
}

}  // namespace

// One of the library's descriptions of something. What fails first is kept, and told by finish().
class DnnGraphs::Descriptor {
 public:
  Descriptor(const Cudnn& library, int type) : library_(library) {
    code_ = library.call().create_descriptor(type, &handle_);
  }
  Descriptor(Descriptor&& other) noexcept
      : library_(other.library_),
        handle_(std::exchange(other.handle_, nullptr)),
        code_(other.code_) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (handle_ != nullptr) library_.call().destroy_descriptor(handle_);
  }

  void* handle() const { return handle_; }
  int code() const { return code_; }

  template <class T>
  void set(int attribute, int type, std::span<const T> values) {
    if (code_ != 0) return;
    code_ = library_.call().set(handle_, attribute, type, static_cast<int64_t>(values.size()),
                                values.data());
  }
  template <class T>
  void set(int attribute, int type, const T& value) {
    set(attribute, type, std::span<const T>(&value, 1));
  }
  void set(int attribute, const Descriptor& other) {
    if (code_ == 0) code_ = other.code_;
    set(attribute, dnn::kDescriptorType, other.handle_);
  }
  void set_sizes(int attribute, std::span<const int64_t> sizes) {
    set(attribute, dnn::kInt64Type, sizes);
  }
  int finish() {
    if (code_ == 0) code_ = library_.call().finish(handle_);
    return code_;
  }

 private:
  const Cudnn& library_;
  void* handle_ = nullptr;
  int code_ = 0;
};

// A graph, as the library has it.
class DnnGraphs::Operations {
 public:
  Operations(const Cudnn& library, const DnnGraph& graph) : library_(library), graph_(graph) {
    if (graph.kind == DnnGraph::Kind::kConvolution) convolve();
    if (graph.kind == DnnGraph::Kind::kAttention) attend();
    if (graph.kind == DnnGraph::Kind::kProduct) multiply();
  }
  const std::vector<Descriptor>& all() const { return operations_; }

 private:
  int half() const { return graph_.is_bfloat16 ? dnn::kBFloat16 : dnn::kFloat16; }

  const Descriptor& tensor(int64_t id, const DnnTensor& tensor, int type, bool is_virtual,
                           bool is_by_value = false) {
    Descriptor made(library_, dnn::kTensor);
    made.set(dnn::kTensorType, dnn::kDataTypeType, type);
    made.set_sizes(dnn::kTensorSizes, tensor.sizes);
    made.set_sizes(dnn::kTensorStrides, tensor.strides);
    made.set(dnn::kTensorId, dnn::kInt64Type, id);
    made.set(dnn::kTensorAlignment, dnn::kInt64Type, int64_t{is_by_value ? 4 : 16});
    made.set(dnn::kTensorIsVirtual, dnn::kBooleanType, is_virtual);
    if (is_by_value) made.set(dnn::kTensorIsByValue, dnn::kBooleanType, true);
    made.finish();
    tensors_.push_back(std::make_unique<Descriptor>(std::move(made)));
    return *tensors_.back();
  }
  // As the library has it, which takes products of three dimensions.
  DnnTensor shape(size_t i) const {
    DnnTensor made = graph_.tensors.at(i);
    if (graph_.kind != DnnGraph::Kind::kProduct) return made;
    made.sizes.erase(made.sizes.begin());
    made.strides.erase(made.strides.begin());
    return made;
  }
  const Descriptor& in_memory(size_t i) {
    return tensor(static_cast<int64_t>(i) + 1, shape(i), half(), false);
  }
  const Descriptor& between(const DnnTensor& like, int type) {
    return tensor(kFirstVirtual + virtuals_++, like, type, true);
  }

  // A description of how to compute, with sums in float32.
  Descriptor way(int kind, int precision) {
    Descriptor made(library_, kind);
    made.set(precision, dnn::kDataTypeType, dnn::kFloat32);
    return made;
  }
  // An operation on these tensors, by their attributes, that computes so.
  using Operands = std::initializer_list<std::pair<int, const Descriptor*>>;
  Descriptor operation(int kind, int attribute, Descriptor how, Operands operands) {
    how.finish();
    Descriptor made(library_, kind);
    made.set(attribute, how);
    for (const auto& [place, tensor] : operands) {
      if (tensor != nullptr) made.set(place, *tensor);
    }
    hows_.push_back(std::move(how));
    return made;
  }
  void add(Descriptor operation) {
    operation.finish();
    operations_.push_back(std::move(operation));
  }

  void pointwise(int mode, const Descriptor& x, const Descriptor* b, const Descriptor& y) {
    Descriptor how = way(dnn::kPointwise, dnn::kPointwisePrecision);
    how.set(dnn::kPointwiseMode, dnn::kPointwiseModeType, mode);
    add(operation(dnn::kPointwiseOperation, dnn::kPointwiseHow, std::move(how),
                  {{dnn::kPointwiseX, &x}, {dnn::kPointwiseB, b}, {dnn::kPointwiseY, &y}}));
  }

  void reduce(int mode, const Descriptor& x, const Descriptor& y) {
    Descriptor how = way(dnn::kReduction, dnn::kReductionPrecision);
    how.set(dnn::kReductionMode, dnn::kReductionModeType, mode);
    add(operation(dnn::kReductionOperation, dnn::kReductionHow, std::move(how),
                  {{dnn::kReductionX, &x}, {dnn::kReductionY, &y}}));
  }

  void multiply(const Descriptor& a, const Descriptor& b, const Descriptor& c) {
    add(operation(dnn::kMatmulOperation, dnn::kMatmulHow, way(dnn::kMatmul, dnn::kMatmulPrecision),
                  {{dnn::kMatmulA, &a}, {dnn::kMatmulB, &b}, {dnn::kMatmulC, &c}}));
  }

  void convolve() {
    Descriptor how = way(dnn::kConvolution, dnn::kConvolutionPrecision);
    how.set(dnn::kConvolutionMode, dnn::kConvolutionModeType, dnn::kCrossCorrelation);
    how.set(dnn::kConvolutionDimensions, dnn::kInt64Type,
            static_cast<int64_t>(graph_.strides.size()));
    how.set_sizes(dnn::kConvolutionPadsBefore, graph_.pads);
    how.set_sizes(dnn::kConvolutionPadsBehind, graph_.pads);
    how.set_sizes(dnn::kConvolutionStrides, graph_.strides);
    how.set_sizes(dnn::kConvolutionDilations, graph_.dilations);
    follow([&](const Descriptor& sums) {
      Descriptor made = operation(dnn::kConvolutionOperation, dnn::kConvolutionHow, std::move(how),
                                  {{dnn::kConvolutionX, &in_memory(0)},
                                   {dnn::kConvolutionW, &in_memory(1)},
                                   {dnn::kConvolutionY, &sums}});
      made.set(dnn::kConvolutionAlpha, dnn::kFloatType, 1.0F);
      made.set(dnn::kConvolutionBeta, dnn::kFloatType, 0.0F);
      add(std::move(made));
    });
  }

  void multiply() {
    follow([&](const Descriptor& sums) { multiply(in_memory(0), in_memory(1), sums); });
  }

  // What gives the sums, and what comes behind them; the last one lies in memory.
  template <class Sum>
  void follow(const Sum& sum) {
    const bool has_activation = graph_.activation != DnnGraph::Activation::kNone;
    const size_t steps = size_t{graph_.has_bias} + size_t{graph_.has_c} + size_t{has_activation};
    size_t step = 0;
    const auto next = [&]() -> const Descriptor& {
      return step++ == steps ? in_memory(2) : between(shape(2), dnn::kFloat32);
    };
    const Descriptor* value = &next();
    sum(*value);
    const auto then = [&](int mode, const Descriptor* other) {
      const Descriptor* const x = value;
      value = &next();
      pointwise(mode, *x, other, *value);
    };
    if (graph_.has_bias) then(dnn::kAdd, &in_memory(3));
    if (graph_.has_c) then(dnn::kAdd, &in_memory(graph_.has_bias ? 4 : 3));
    if (graph_.activation == DnnGraph::Activation::kRelu) then(dnn::kRelu, nullptr);
    if (graph_.activation == DnnGraph::Activation::kGelu) then(dnn::kGelu, nullptr);
  }

  // In the form that the library knows to be attention.
  void attend() {
    const DnnTensor& q = graph_.tensors.at(0);
    const DnnTensor& k = graph_.tensors.at(1);
    const DnnTensor turned = {{k.sizes[0], k.sizes[1], k.sizes[3], k.sizes[2]},
                              {k.strides[0], k.strides[1], k.strides[3], k.strides[2]}};
    const DnnTensor scores = packed({q.sizes[0], q.sizes[1], q.sizes[2], k.sizes[2]});
    const DnnTensor row = packed({q.sizes[0], q.sizes[1], q.sizes[2], 1});
    const auto value = [&](const DnnTensor& like) -> const Descriptor& {
      return between(like, dnn::kFloat32);
    };
    const Descriptor& products = value(scores);
    multiply(in_memory(0), tensor(2, turned, half(), false), products);
    const Descriptor& scaled = value(scores);
    const Descriptor& scale = tensor(kScale, packed({1, 1, 1, 1}), dnn::kFloat32, false, true);
    pointwise(dnn::kMultiply, products, &scale, scaled);
    const Descriptor& highest = value(row);
    reduce(dnn::kHighest, scaled, highest);
    const Descriptor& shifted = value(scores);
    pointwise(dnn::kSubtract, scaled, &highest, shifted);
    const Descriptor& weights = value(scores);
    pointwise(dnn::kExponential, shifted, nullptr, weights);
    const Descriptor& total = value(row);
    reduce(dnn::kSum, weights, total);
    // The library's form has what training would keep, too.
    const Descriptor& logarithm = value(row);
    pointwise(dnn::kLogarithm, total, nullptr, logarithm);
    pointwise(dnn::kAdd, highest, &logarithm, value(row));
    const Descriptor& shares = between(scores, half());
    pointwise(dnn::kDivide, weights, &total, shares);
    multiply(shares, in_memory(2), in_memory(3));
  }

  const Cudnn& library_;
  const DnnGraph& graph_;
  std::vector<std::unique_ptr<Descriptor>> tensors_;
  std::vector<Descriptor> hows_;
  std::vector<Descriptor> operations_;
  int64_t virtuals_ = 0;
};

struct DnnGraphs::Plan {
  Descriptor plan;
};

// Of one graph: those that were made, by their ranks, and what is left to be tried.
struct DnnGraphs::Plans {
  std::map<uint8_t, Plan> restored;
  std::optional<Operations> operations;
  std::optional<Descriptor> graph;
  std::vector<Descriptor> engines;
  size_t next = 0;
  std::optional<Error> error;  // the first one
  std::vector<Plan> made;
};

Result<DnnGraphs> DnnGraphs::create(const Cudnn& library) {
  void* handle = nullptr;
  SLIPWAY_RETURN_IF_ERROR(library.check(library.call().create(&handle), "cuDNN does not start"));
  return DnnGraphs(library, handle);
}

DnnGraphs::DnnGraphs(const Cudnn& library, void* handle)
    : library_(&library), handle_(handle, library.call().destroy) {}
DnnGraphs::DnnGraphs(DnnGraphs&&) noexcept = default;
DnnGraphs::~DnnGraphs() = default;

// Of those that the library names for the graph, as many as can be planned, until there are enough.
Result<const DnnGraphs::Plan*> DnnGraphs::plan_of(const DnnGraph& graph, uint8_t rank) {
  auto& known = plans_[graph];
  if (!known) known = std::make_unique<Plans>();
  Plans& plans = *known;
  if (const auto restored = plans.restored.find(rank); restored != plans.restored.end()) {
    return &restored->second;
  }
  const auto fails = [&](int code) {
    const Status status = library_->check(
        code, fmt::format("cuDNN {} does not {}", library_->version_text(), text_of(graph)));
    if (!status.ok() && !plans.error) plans.error = status.error();
    return !status.ok();
  };
  if (!plans.graph) static_cast<void>(fails(name_engines(graph, plans)));
  for (; plans.made.size() <= rank && plans.next < plans.engines.size(); ++plans.next) {
    Descriptor plan(*library_, dnn::kPlan);
    plan.set(dnn::kPlanHandle, dnn::kHandleType, handle_.get());
    plan.set(dnn::kPlanEngineConfig, plans.engines[plans.next]);
    if (!fails(plan.finish()) && workspace_of(plan) <= graph.workspace_bytes) {
      plans.made.push_back({std::move(plan)});
    }
  }
  if (!plans.made.empty()) return &plans.made.at(std::min(size_t{rank}, plans.made.size() - 1));
  if (!plans.error) static_cast<void>(fails(dnn::kNotSupported));
  return *plans.error;
}

int DnnGraphs::name_engines(const DnnGraph& graph, Plans& plans) const {
  plans.operations.emplace(*library_, graph);
  plans.graph.emplace(*library_, dnn::kOperationGraph);
  std::vector<void*> operations;
  for (const Descriptor& operation : plans.operations->all()) {
    if (operation.code() != 0) return operation.code();
    operations.push_back(operation.handle());
  }
  plans.graph->set(dnn::kGraphOperations, dnn::kDescriptorType, std::span<void* const>(operations));
  plans.graph->set(dnn::kGraphHandle, dnn::kHandleType, handle_.get());
  plans.graph->finish();
  Descriptor heuristics(*library_, dnn::kHeuristics);
  heuristics.set(dnn::kHeuristicsGraph, *plans.graph);
  heuristics.set(dnn::kHeuristicsMode, dnn::kHeuristicsModeType, dnn::kByHeuristics);
  if (const int code = heuristics.finish(); code != 0) return code;
  std::vector<void*> named;
  for (int i = 0; i < kMostEngines; ++i) {
    named.push_back(plans.engines.emplace_back(*library_, dnn::kEngineConfig).handle());
  }
  int64_t count = 0;
  const int code = library_->call().get(heuristics.handle(), dnn::kHeuristicsResults,
                                        dnn::kDescriptorType, kMostEngines, &count, named.data());
  const auto kept =
      static_cast<size_t>(code == 0 ? std::clamp<int64_t>(count, 0, kMostEngines) : 0);
  while (plans.engines.size() > kept) plans.engines.pop_back();
  return code;
}

uint64_t DnnGraphs::workspace_of(const Descriptor& plan) const {
  int64_t bytes = 0;
  int64_t count = 0;
  const int code =
      library_->call().get(plan.handle(), dnn::kPlanWorkspace, dnn::kInt64Type, 1, &count, &bytes);
  return code == 0 && bytes >= 0 ? static_cast<uint64_t>(bytes)
                                 : std::numeric_limits<uint64_t>::max();
}

Status DnnGraphs::prepare(const DnnGraph& graph, uint8_t rank) {
  const auto plan = plan_of(graph, rank);
  if (plan.ok()) return {};
  return plan.error();
}

Result<std::string> DnnGraphs::store(const DnnGraph& graph, uint8_t rank) {
  SLIPWAY_ASSIGN_OR_RETURN(const Plan* plan, plan_of(graph, rank));
  const auto get = [&](int64_t room, int64_t& size, char* text) {
    return library_->check(library_->call().get(plan->plan.handle(), dnn::kPlanText, dnn::kCharType,
                                                room, &size, text),
                           "cuDNN does not give a plan");
  };
  int64_t size = 0;
  SLIPWAY_RETURN_IF_ERROR(get(0, size, nullptr));
  std::string text(static_cast<size_t>(size), '\0');
  SLIPWAY_RETURN_IF_ERROR(get(size, size, text.data()));
  text.resize(std::min(text.size(), static_cast<size_t>(size)));
  return text;
}

Status DnnGraphs::restore(const DnnGraph& graph, uint8_t rank, std::string_view text) {
  Descriptor plan(*library_, dnn::kPlan);
  plan.set(dnn::kPlanHandle, dnn::kHandleType, handle_.get());
  plan.set(dnn::kPlanText, dnn::kCharType, std::span<const char>(text));
  SLIPWAY_RETURN_IF_ERROR(library_->check(plan.finish(), "cuDNN does not take a plan"));
  if (workspace_of(plan) > graph.workspace_bytes) {
    return unsupported("a plan of cuDNN needs more memory than there is for it");
  }
  auto& known = plans_[graph];
  if (!known) known = std::make_unique<Plans>();
  known->restored.erase(rank);
  known->restored.emplace(rank, Plan{std::move(plan)});
  return {};
}

Status DnnGraphs::run(const DnnGraph& graph, uint8_t rank, std::span<const Address> tensors,
                      Address workspace, const Stream& stream) {
  SLIPWAY_ASSIGN_OR_RETURN(const Plan* plan, plan_of(graph, rank));
  std::vector<int64_t> ids;
  std::vector<void*> pointers;
  for (const Address address : tensors) {
    ids.push_back(static_cast<int64_t>(ids.size()) + 1);
    pointers.push_back(reinterpret_cast<void*>(address));
  }
  float scale = graph.scale;
  if (graph.kind == DnnGraph::Kind::kAttention) {
    ids.push_back(kScale);
    pointers.push_back(&scale);
  }
  Descriptor operands(*library_, dnn::kOperands);
  operands.set(dnn::kOperandIds, dnn::kInt64Type, std::span<const int64_t>(ids));
  operands.set(dnn::kOperandPointers, dnn::kPointerType, std::span<void* const>(pointers));
  operands.set(dnn::kOperandWorkspace, dnn::kPointerType, reinterpret_cast<void*>(workspace));
  int code = operands.finish();
  if (code == 0) code = library_->call().set_stream(handle_.get(), stream.handle());
  if (code == 0) {
    code = library_->call().execute(handle_.get(), plan->plan.handle(), operands.handle());
  }
  return library_->check(code, fmt::format("cuDNN does not {}", text_of(graph)));
}

}  // namespace slipway::cuda
