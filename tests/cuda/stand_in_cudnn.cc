// A stand-in for cuDNN's backend API, in the same library as the one for the driver: what its plans
// compute lies in memory of the host, and is done when their stream is waited for. What the real
// one takes without a word and computes wrongly, or dies of, is an error here.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cuda/driver/stand_in_driver_test.h"
#include "cuda/stand_in_cudnn_graph.h"
#include "cuda/stand_in_cudnn_rules.h"
#include "cuda/stand_in_queue.h"

extern "C" slipway::cuda::StandInDriver* slipway_stand_in_driver();

namespace slipway::cuda::stand_in_dnn {
namespace {

constexpr int64_t kEngines = 3;  // that it has for each graph
constexpr int64_t kWorkspace = 64;

struct Described;
struct Value {
  int type = 0;
  int64_t count = 0;
  std::vector<unsigned char> bytes;
  std::vector<std::shared_ptr<const Described>> descriptors;
};

struct Described {
  int kind = 0;
  bool is_finished = false;
  std::map<int, Value> values;
  // What finishing makes of them, according to the kind.
  Tensor tensor;
  Operation operation;
  std::shared_ptr<const Operations> graph;
  int64_t engine = 0;

  bool has(int attribute) const { return values.count(attribute) != 0; }
  template <class T>
  std::vector<T> all(int attribute) const {
    const Value& value = values.at(attribute);
    std::vector<T> items(static_cast<size_t>(value.count));
    std::memcpy(items.data(), value.bytes.data(), value.bytes.size());
    return items;
  }
  template <class T>
  T one(int attribute, T otherwise = {}) const {
    return has(attribute) ? all<T>(attribute).front() : otherwise;
  }
  const Described& other(int attribute) const { return *values.at(attribute).descriptors.front(); }
  // Of 4 or 8 bytes.
  double real(int attribute, double otherwise) const {
    if (!has(attribute)) return otherwise;
    return values.at(attribute).type == kDouble ? one<double>(attribute) : one<float>(attribute);
  }
};

struct Library {
  void* stream = nullptr;
};

std::mutex mutex;
std::map<void*, std::shared_ptr<Described>> descriptors;
std::set<void*> libraries;
thread_local std::string last_error;

int fail(int code, const std::string& text) {
  last_error = text;
  return code;
}

// Null where there is none.
std::shared_ptr<Described> find(void* descriptor) {
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = descriptors.find(descriptor);
  return found == descriptors.end() ? nullptr : found->second;
}
bool is_library(void* handle) {
  const std::lock_guard<std::mutex> lock(mutex);
  return libraries.count(handle) != 0;
}

// Each gives the error of what a descriptor was told, 0 without one.
int finish_tensor(Described& d) {
  Tensor& t = d.tensor;
  t = {.id = d.one<int64_t>(kId),
       .type = d.one<int32_t>(kTypeOfTensor),
       .alignment = d.one<int64_t>(kAlignment),
       .is_virtual = d.one<unsigned char>(kIsVirtual) != 0,
       .is_by_value = d.one<unsigned char>(kIsByValue) != 0,
       .sizes = d.all<int64_t>(kSizes),
       .strides = d.all<int64_t>(kStridesOfTensor)};
  if (t.sizes.size() != t.strides.size()) return fail(kBadParam, "sizes and strides differ");
  const auto below_one = [](int64_t size) { return size < 1; };
  if (std::any_of(t.sizes.begin(), t.sizes.end(), below_one) ||
      std::any_of(t.strides.begin(), t.strides.end(), below_one)) {
    return fail(kBadParam, "a size or stride below 1");
  }
  const std::array known = {kFloat, kHalf, kInt32, kBFloat, kBoolean};
  if (std::find(known.begin(), known.end(), t.type) == known.end()) {
    return fail(kNotSupportedDataType, "a type of data");
  }
  if (t.alignment < 1 || t.alignment % bytes_of(t.type) != 0) {
    return fail(kBadParam, "an alignment");
  }
  if (!t.is_virtual && !t.is_by_value && t.alignment < 16) {
    return fail(kBadParam, "memory that is not aligned to 16 bytes");
  }
  const bool is_one = std::all_of(t.sizes.begin(), t.sizes.end(), [](int64_t s) { return s == 1; });
  if (t.is_by_value && (t.is_virtual || !is_one)) return fail(kBadParam, "a tensor by value");
  return 0;
}

int finish_how(const Described& d) {
  const int precision = d.kind == kPointwiseHow     ? kPrecisionOfPoints
                        : d.kind == kConvolutionHow ? kPrecisionOfConvolution
                        : d.kind == kProductHow     ? kPrecisionOfProduct
                                                    : kPrecisionOfReduction;
  // Indexes are integers, and what is compared is a boolean.
  const bool may_be_other = d.kind == kPointwiseHow && d.one<int32_t>(kModeOfPoints) >= 300;
  if (d.one<int32_t>(precision) != kFloat && !may_be_other) {
    return fail(kNotSupported, "sums that are not of float32");
  }
  if (d.kind != kConvolutionHow) return 0;
  if (d.one<int64_t>(kDimensions) != 2) return fail(kBadParam, "not of 2 dimensions");
  if (d.one<int32_t>(kModeOfConvolution) != 1) return fail(kNotSupported, "no cross correlation");
  for (const int attribute : {kStrides, kDilations, kPadsBefore, kPadsBehind}) {
    const int64_t least = attribute == kStrides || attribute == kDilations ? 1 : 0;
    for (const int64_t value : d.all<int64_t>(attribute)) {
      if (value < least) return fail(kBadParam, "a window");
    }
  }
  return 0;
}

int finish_operation(Described& d) {
  Operation& o = d.operation;
  o = {};
  o.kind = d.kind;
  const auto input = [&](int attribute) {
    if (d.has(attribute)) o.inputs.push_back(d.other(attribute).tensor);
  };
  if (d.kind == kConvolve) {
    input(kXOfConvolution);
    input(kWOfConvolution);
    o.output = d.other(kYOfConvolution).tensor;
    for (const int attribute : {kPadsBefore, kPadsBehind, kStrides, kDilations}) {
      const auto values = d.other(kHowToConvolve).all<int64_t>(attribute);
      o.window.insert(o.window.end(), values.begin(), values.end());
    }
    if (d.real(kAlpha, 1) != 1 || d.real(kBeta, 0) != 0) return fail(kNotSupported, "factors");
  } else if (d.kind == kPointwise) {
    const Described& how = d.other(kHowToPoint);
    o.mode = how.one<int32_t>(kModeOfPoints);
    o.axis = how.one<int64_t>(kAxis, -1);
    o.factors = {how.real(kLowerClip, o.factors[0]), how.real(kUpperClip, o.factors[1]),
                 how.real(kSlope, o.factors[2]), how.real(kSwishBeta, o.factors[3])};
    input(kXOfPoints);
    input(kBOfPoints);
    input(kPredicateOfPoints);
    o.output = d.other(kYOfPoints).tensor;
  } else if (d.kind == kMultiply) {
    input(kA);
    input(kB);
    o.output = d.other(kC).tensor;
  } else {
    o.mode = d.other(kHowToReduce).one<int32_t>(kModeOfReduction);
    input(kXOfReduction);
    o.output = d.other(kYOfReduction).tensor;
  }
  const int code = check(o);
  return code == 0 ? 0 : fail(code, "an operation's tensors");
}

int finish_graph(Described& d) {
  Operations operations;
  for (const auto& operation : d.values.at(kOperationsOfGraph).descriptors) {
    operations.push_back(operation->operation);
  }
  const int code = order(operations);
  if (code != 0) return fail(code, "a graph");
  d.graph = std::make_shared<const Operations>(std::move(operations));
  return 0;
}

int finish_plan(Described& d) {
  if (d.has(kConfigOfPlan) == d.has(kTextOfPlan)) return fail(kBadParam, "neither or both");
  StandInDriver& driver = *slipway_stand_in_driver();
  if (d.has(kConfigOfPlan)) {
    const Described& config = d.other(kConfigOfPlan);
    if (config.engine < driver.unsupported_engines) return fail(kNotSupported, "an engine");
    d.graph = config.graph;
    d.engine = config.engine;
    ++driver.plans_made;
    return 0;
  }
  const auto& text = d.values.at(kTextOfPlan).bytes;
  Operations operations;
  const auto version = static_cast<int64_t>(driver.cudnn_version.load());
  const int code = read_text({reinterpret_cast<const char*>(text.data()), text.size()}, version,
                             operations, d.engine);
  if (code != 0) return fail(code, code == kVersionMismatch ? "cudnn_version != ours" : "a text");
  d.graph = std::make_shared<const Operations>(std::move(operations));
  ++driver.plans_restored;
  return 0;
}

int finish_pack(const Described& d) {
  const auto ids = d.all<int64_t>(kIds);
  if (ids.size() != d.all<void*>(kPointers).size()) return fail(kBadParam, "ids and pointers");
  if (std::set<int64_t>(ids.begin(), ids.end()).size() != ids.size()) {
    return fail(kDuplicatedEntries, "an id twice");
  }
  return 0;
}

int finish(Described& d) {
  if (d.is_finished) return fail(kBadParam, "finished already");
  if (d.kind == kEngineConfig) return fail(kBadParam, "no engine");
  for (const Rule& rule : kRules) {
    if (rule.kind != d.kind) continue;
    if (rule.is_required && !d.has(rule.attribute)) {
      return fail(kBadParam, "attribute " + std::to_string(rule.attribute) + " is missing");
    }
  }
  for (const auto& [attribute, value] : d.values) {
    for (const auto& other : value.descriptors) {
      if (!other->is_finished) return fail(kBadParam, "a descriptor that is not finished");
    }
  }
  if (d.kind == kTensor) return finish_tensor(d);
  if (d.kind == kGraph) return finish_graph(d);
  if (d.kind == kPlan) return finish_plan(d);
  if (d.kind == kPack) return finish_pack(d);
  if (is_operation(d.kind)) return finish_operation(d);
  if (d.kind == kHeuristics) {
    const int mode = d.one<int32_t>(kModeOfHeuristics);
    return mode >= 0 && mode <= 3 ? 0 : fail(kBadParam, "a mode");
  }
  return finish_how(d);
}

int set_value(Described& d, int attribute, int type, int64_t count, const void* values) {
  if (d.is_finished) return fail(kBadParam, "finished already");
  const Rule* found = nullptr;
  for (const Rule& rule : kRules) {
    if (rule.kind != d.kind || rule.attribute != attribute) continue;
    if (found == nullptr || rule.type == type) found = &rule;
  }
  if (found == nullptr) return fail(kBadParam, "no such attribute");
  if (found->type != type) return fail(kWrongAttributeType, "another type");
  if (count < found->least || count > found->most) return fail(kBadParam, "a count");
  if (values == nullptr) return fail(kNullPointer, "no values");
  Value value = {type, count, {}, {}};
  value.bytes.resize(static_cast<size_t>(count) * size_of(type));
  std::memcpy(value.bytes.data(), values, value.bytes.size());
  for (int64_t i = 0; i < count && (type == kDescriptor || type == kHandle); ++i) {
    void* const pointer = static_cast<void* const*>(values)[i];
    if (type == kHandle) {
      if (!is_library(pointer)) return fail(kBadParam, "no handle");
      continue;
    }
    const auto other = find(pointer);
    if (other == nullptr) return fail(kNullPointer, "no descriptor");
    if (attribute == kOperationsOfGraph ? !is_operation(other->kind)
                                        : other->kind != kind_of(attribute)) {
      return fail(kWrongDescriptor, "a descriptor of another kind");
    }
    value.descriptors.push_back(other);
  }
  d.values[attribute] = std::move(value);
  return 0;
}

// Fills the caller's descriptors with engines.
int get_engines(const Described& d, int64_t most, int64_t* count, void* values) {
  const int error = slipway_stand_in_driver()->library_error;
  if (error != 0) return fail(error, "no engine");
  *count = most == 0 ? kEngines : std::min(most, kEngines);
  if (most == 0) return 0;
  if (values == nullptr) return fail(kNullPointer, "no descriptors");
  for (int64_t i = 0; i < *count; ++i) {
    const auto config = find(static_cast<void* const*>(values)[i]);
    if (config == nullptr) return fail(kNullPointer, "no descriptor");
    if (config->kind != kEngineConfig) return fail(kWrongDescriptor, "a descriptor");
    config->graph = d.other(kGraphOfHeuristics).graph;
    config->engine = i;
    config->is_finished = true;
  }
  return 0;
}

int get_bytes(const void* from, int64_t has, size_t size, int64_t most, int64_t* count,
              void* values) {
  *count = most == 0 ? has : std::min(most, has);
  if (most == 0) return 0;
  if (values == nullptr) return fail(kNullPointer, "no room");
  std::memcpy(values, from, static_cast<size_t>(*count) * size);
  return 0;
}

int get_value(const Described& d, int attribute, int type, int64_t most, int64_t* count,
              void* values) {
  const auto wrong_type = [&](int expected) {
    return type == expected ? 0 : fail(kWrongAttributeType, "another type");
  };
  int code = 0;
  if (d.kind == kHeuristics && attribute == kResults) {
    code = wrong_type(kDescriptor);
    return code != 0 ? code : get_engines(d, most, count, values);
  }
  if (d.kind == kPlan && attribute == kWorkspaceOfPlan) {
    code = wrong_type(kInteger);
    return code != 0 ? code : get_bytes(&kWorkspace, 1, sizeof kWorkspace, most, count, values);
  }
  if (d.kind == kPlan && attribute == kTextOfPlan) {
    code = wrong_type(kCharacter);
    if (code != 0) return code;
    const auto version = static_cast<int64_t>(slipway_stand_in_driver()->cudnn_version.load());
    const std::string text = text_of(*d.graph, d.engine, version);
    return get_bytes(text.data(), static_cast<int64_t>(text.size()), 1, most, count, values);
  }
  const auto found = d.values.find(attribute);
  if (found == d.values.end() || !found->second.descriptors.empty()) {
    return fail(kBadParam, "no such attribute");
  }
  code = wrong_type(found->second.type);
  return code != 0 ? code
                   : get_bytes(found->second.bytes.data(), found->second.count, size_of(type), most,
                               count, values);
}

// What a pack has for each tensor of a plan. The error of one that does not fit, 0 without one.
int take_operands(const Described& plan, const Described& pack, std::map<int64_t, Operand>& taken) {
  const auto ids = pack.all<int64_t>(kIds);
  const auto pointers = pack.all<void*>(kPointers);
  for (const auto& [id, tensor] : tensors_in_memory(*plan.graph)) {
    const auto at = std::find(ids.begin(), ids.end(), id);
    if (at == ids.end()) return fail(kBadParam, "no pointer of tensor " + std::to_string(id));
    void* const memory = pointers[static_cast<size_t>(at - ids.begin())];
    if (memory == nullptr) return fail(kNullPointer, "tensor " + std::to_string(id));
    if (tensor.is_by_value) {
      taken[id] = {nullptr, read_number(tensor.type, memory, 0)};
      continue;
    }
    if (reinterpret_cast<uintptr_t>(memory) % static_cast<uintptr_t>(tensor.alignment) != 0) {
      return fail(kMisalignedPointer, "tensor " + std::to_string(id));
    }
    taken[id] = {memory, 0};
  }
  return 0;
}

int execute(const Library& library, const Described& plan, const Described& pack) {
  void* const workspace = pack.one<void*>(kWorkspaceOfPack);
  if (workspace == nullptr) return fail(kNullPointer, "no workspace");
  if (reinterpret_cast<uintptr_t>(workspace) % 16 != 0) {
    return fail(kMisalignedPointer, "the workspace");
  }
  std::map<int64_t, Operand> operands;
  const int code = take_operands(plan, pack, operands);
  if (code != 0) return code;
  ++slipway_stand_in_driver()->library_graphs;
  slipway_stand_in_driver()->last_engine = static_cast<int>(plan.engine);
  const int queued = queue_work(library.stream, [graph = plan.graph, operands, workspace] {
    std::memset(workspace, 0xdd, kWorkspace);
    compute(*graph, operands);
    return 0;
  });
  return queued == 0 ? 0 : fail(kExecutionFailed, "the driver: " + std::to_string(queued));
}

}  // namespace
}  // namespace slipway::cuda::stand_in_dnn

extern "C" {

size_t cudnnGetVersion() { return slipway_stand_in_driver()->cudnn_version; }
const char* cudnnGetErrorString(int status) {
  namespace dnn = slipway::cuda::stand_in_dnn;
  if (status == 0) return "CUDNN_STATUS_SUCCESS";
  if (status == dnn::kNotInitialized) return "CUDNN_STATUS_NOT_INITIALIZED";
  if (status == dnn::kVersionMismatch) return "CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH";
  return status < dnn::kNotSupported      ? "CUDNN_STATUS_BAD_PARAM"
         : status < dnn::kExecutionFailed ? "CUDNN_STATUS_NOT_SUPPORTED"
                                          : "CUDNN_STATUS_EXECUTION_FAILED";
}
// It is told once.
void cudnnGetLastErrorString(char* message, size_t room) {
  if (room != 0) {
    std::snprintf(message, room, "%s", slipway::cuda::stand_in_dnn::last_error.c_str());
  }
  slipway::cuda::stand_in_dnn::last_error.clear();
}
int cudnnCreate(void** handle) {
  namespace dnn = slipway::cuda::stand_in_dnn;
  *handle = new dnn::Library();
  const std::lock_guard<std::mutex> lock(dnn::mutex);
  dnn::libraries.insert(*handle);
  ++slipway_stand_in_driver()->live_libraries;
  return 0;
}
int cudnnDestroy(void* handle) {
  namespace dnn = slipway::cuda::stand_in_dnn;
  const std::lock_guard<std::mutex> lock(dnn::mutex);
  if (dnn::libraries.erase(handle) == 0) return dnn::fail(dnn::kBadParam, "no handle");
  delete static_cast<dnn::Library*>(handle);
  --slipway_stand_in_driver()->live_libraries;
  return 0;
}
int cudnnSetStream(void* handle, void* stream) {
  namespace dnn = slipway::cuda::stand_in_dnn;
  if (!dnn::is_library(handle)) return dnn::fail(dnn::kBadParam, "no handle");
  static_cast<dnn::Library*>(handle)->stream = stream;
  return 0;
}
int cudnnBackendCreateDescriptor(int kind, void** descriptor) {
  namespace dnn = slipway::cuda::stand_in_dnn;
  const bool is_known = kind == dnn::kEngineConfig ||
                        std::any_of(std::begin(dnn::kRules), std::end(dnn::kRules),
                                    [&](const dnn::Rule& rule) { return rule.kind == kind; });
  if (!is_known) return dnn::fail(dnn::kNotSupported, "a kind of descriptor");
  auto made = std::make_shared<dnn::Described>();
  made->kind = kind;
  *descriptor = made.get();
  const std::lock_guard<std::mutex> lock(dnn::mutex);
  dnn::descriptors[*descriptor] = std::move(made);
  ++slipway_stand_in_driver()->live_descriptors;
  return 0;
}
int cudnnBackendDestroyDescriptor(void* descriptor) {
  namespace dnn = slipway::cuda::stand_in_dnn;
  const std::lock_guard<std::mutex> lock(dnn::mutex);
  if (dnn::descriptors.erase(descriptor) == 0) return dnn::fail(dnn::kNullPointer, "none");
  --slipway_stand_in_driver()->live_descriptors;
  return 0;
}
int cudnnBackendSetAttribute(void* descriptor, int attribute, int type, int64_t count,
                             const void* values) {
  namespace dnn = slipway::cuda::stand_in_dnn;
  const auto found = dnn::find(descriptor);
  if (found == nullptr) return dnn::fail(dnn::kNullPointer, "no descriptor");
  return dnn::set_value(*found, attribute, type, count, values);
}
int cudnnBackendGetAttribute(void* descriptor, int attribute, int type, int64_t most,
                             int64_t* count, void* values) {
  namespace dnn = slipway::cuda::stand_in_dnn;
  const auto found = dnn::find(descriptor);
  if (found == nullptr || count == nullptr) return dnn::fail(dnn::kNullPointer, "no descriptor");
  if (!found->is_finished) return dnn::fail(dnn::kNotInitialized, "a descriptor");
  if (most < 0) return dnn::fail(dnn::kBadParam, "a count");
  return dnn::get_value(*found, attribute, type, most, count, values);
}
int cudnnBackendFinalize(void* descriptor) {
  namespace dnn = slipway::cuda::stand_in_dnn;
  const auto found = dnn::find(descriptor);
  if (found == nullptr) return dnn::fail(dnn::kNullPointer, "no descriptor");
  const int code = dnn::finish(*found);
  found->is_finished = found->is_finished || code == 0;
  return code;
}
int cudnnBackendExecute(void* handle, void* plan, void* pack) {
  namespace dnn = slipway::cuda::stand_in_dnn;
  const auto found_plan = dnn::find(plan);
  const auto found_pack = dnn::find(pack);
  if (!dnn::is_library(handle) || found_plan == nullptr || found_pack == nullptr) {
    return dnn::fail(dnn::kNullPointer, "no handle, plan or pack");
  }
  if (found_plan->kind != dnn::kPlan || found_pack->kind != dnn::kPack) {
    return dnn::fail(dnn::kWrongDescriptor, "a descriptor of another kind");
  }
  if (!found_plan->is_finished || !found_pack->is_finished) {
    return dnn::fail(dnn::kNotFinalized, "a descriptor");
  }
  return dnn::execute(*static_cast<dnn::Library*>(handle), *found_plan, *found_pack);
}

}  // extern "C"
