#include "openvino/shim/shim.h"

#include <algorithm>
#include <cstring>
#include <dlfcn.h>
#include <exception>
#include <memory>
#include <new>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <streambuf>
#include <string>
#include <string_view>
#include <vector>

#include <openvino/op/parameter.hpp>
#include <openvino/op/result.hpp>
#include <openvino/openvino.hpp>
#ifdef SLIPWAY_SANITIZE
#include <sanitizer/lsan_interface.h>
#endif

#include "openvino/shim/exports.h"
#include "openvino/shim/narrow_weights.h"
#include "openvino/shim/repeated_weights.h"

namespace slipway::openvino::shim {

struct Model {
  std::string bytes;  // what was imported, where that is not what was given
  ov::CompiledModel compiled;
  std::vector<std::vector<int64_t>> sizes;
  std::vector<Port> inputs;
  std::vector<Port> outputs;
};

struct Request {
  struct Binding {
    void* data = nullptr;
    ov::Shape shape;
  };

  const Model* model = nullptr;
  ov::InferRequest infer;
  std::vector<Binding> inputs;
  std::vector<Binding> outputs;
  std::vector<int64_t> sizes;  // of the output asked for last
};

namespace {

// One a process. Never destroyed: plugins have threads that may outlive static destructors.
ov::Core& core() {
  static auto* const core = new ov::Core();
  return *core;
}

// OpenVINO's messages without the lines that name its own sources.
std::string reason(const std::string& what) {
  std::string text;
  for (size_t begin = 0; begin < what.size();) {
    size_t end = what.find('\n', begin);
    if (end == std::string::npos) end = what.size();
    const std::string line = what.substr(begin, end - begin);
    begin = end + 1;
    const bool names_source =
        line.compare(0, 15, "Exception from ") == 0 ||
        (line.compare(0, 7, "Check '") == 0 && line.find("' failed at src/") != std::string::npos);
    if (line.empty() || names_source) continue;
    text += (text.empty() ? "" : "; ") + line;
  }
  return text.empty() ? what : text;
}

void tell(const Report& report, const std::string& text) {
  report.write(report.context, text.c_str());
}

// What `work` returns; if it throws, `failed`, and the reason is reported.
template <class T, class Work>
T guarded(const Report& error, T failed, Work work) {
#ifdef SLIPWAY_SANITIZE
  // OpenVINO leaves a few bytes behind in libraries that it unloads.
  const __lsan::ScopedDisabler no_leaks;
#endif
  try {
    return work();
  } catch (const std::bad_alloc&) {
    tell(error, "there is not enough memory");
  } catch (const std::exception& exception) {
    tell(error, reason(exception.what()));
  } catch (...) {
    tell(error, "OpenVINO gives no reason");
  }
  return failed;
}

ov::AnyMap any_map(const Properties& properties) {
  ov::AnyMap map;
  for (size_t i = 0; i < properties.size; ++i) {
    map[properties.data[i].name] = std::string(properties.data[i].value);
  }
  return map;
}

// What export writes to. It comes back to its header when all else is written, which a Sink can't:
// so export runs twice, once to learn what it goes back for and once to send.
class ExportBuffer : public std::streambuf {
 public:
  struct Patch {
    size_t position;
    std::string bytes;
  };

  // Learns.
  ExportBuffer() = default;
  // Sends, with the patches of one that learned.
  ExportBuffer(const Sink& sink, const std::vector<Patch>& patches)
      : sink_(&sink), patches_(patches), xml_begin_(find_xml(patches)) {}

  const std::vector<Patch>& patches() const { return patches_; }
  size_t size() const { return end_; }
  bool stopped() const { return stopped_; }
  // Sends the XML, which is last, once all of it is there.
  void finish() {
    xml_ = with_readable_numbers(std::move(xml_));
    stopped_ =
        stopped_ || (!xml_.empty() && !sink_->write(sink_->context, xml_.data(), xml_.size()));
  }

 protected:
  std::streamsize xsputn(const char* data, std::streamsize count) override {
    const auto size = static_cast<size_t>(count);
    if (position_ == end_) {
      if (sink_ != nullptr && !send(data, size)) return 0;
      end_ += size;
    } else {
      if (position_ > end_ || size > end_ - position_) return 0;
      if (sink_ == nullptr) patches_.push_back({position_, std::string(data, size)});
    }
    position_ += size;
    return count;
  }
  int_type overflow(int_type value) override {
    if (traits_type::eq_int_type(value, traits_type::eof())) return traits_type::not_eof(value);
    const char byte = traits_type::to_char_type(value);
    return xsputn(&byte, 1) == 1 ? value : traits_type::eof();
  }
  pos_type seekoff(off_type offset, std::ios_base::seekdir direction,
                   std::ios_base::openmode mode) override {
    off_type from = 0;
    if (direction == std::ios_base::cur) from = static_cast<off_type>(position_);
    if (direction == std::ios_base::end) from = static_cast<off_type>(end_);
    return seekpos(from + offset, mode);
  }
  pos_type seekpos(pos_type position, std::ios_base::openmode /*mode*/) override {
    const off_type offset = position;
    if (offset < 0 || static_cast<size_t>(offset) > end_) return pos_type(off_type(-1));
    position_ = static_cast<size_t>(offset);
    return position;
  }

 private:
  bool send(const char* data, size_t size) {
    std::string patched;
    for (const Patch& patch : patches_) {
      const size_t begin = std::max(patch.position, end_);
      const size_t end = std::min(patch.position + patch.bytes.size(), end_ + size);
      if (begin >= end) continue;
      if (patched.empty()) patched.assign(data, size);
      patched.replace(begin - end_, end - begin, patch.bytes, begin - patch.position, end - begin);
    }
    if (!patched.empty()) data = patched.data();
    const size_t before = std::min(size, xml_begin_ - std::min(xml_begin_, end_));
    xml_.append(data + before, size - before);
    stopped_ = before > 0 && !sink_->write(sink_->context, data, before);
    return !stopped_;
  }

  // Where the XML begins, by the header, which is what export goes back for.
  static size_t find_xml(const std::vector<Patch>& patches) {
    if (patches.empty()) return std::string::npos;
    size_t begin = patches.front().position;
    for (const Patch& patch : patches) begin = std::min(begin, patch.position);
    std::string header(kHeaderSize, '\0');
    for (const Patch& patch : patches) {
      const size_t offset = patch.position - begin;
      if (offset + patch.bytes.size() > header.size()) return std::string::npos;
      header.replace(offset, patch.bytes.size(), patch.bytes);
    }
    const auto offset = xml_offset(header);
    return offset ? begin + *offset : std::string::npos;
  }

  const Sink* sink_ = nullptr;
  std::vector<Patch> patches_;
  size_t xml_begin_ = std::string::npos;
  std::string xml_;
  size_t position_ = 0;
  size_t end_ = 0;
  bool stopped_ = false;
};

void export_to(const ov::CompiledModel& compiled, ExportBuffer* buffer) {
  // export_model only reads the model, but is not const.
  ov::CompiledModel model = compiled;
  std::ostream stream(buffer);
  model.export_model(stream);
  if (!stream && !buffer->stopped()) {
    throw std::runtime_error("OpenVINO's export writes in an order that Slipway does not follow");
  }
}

ElementType element_type(const ov::element::Type& type) {
  switch (static_cast<ov::element::Type_t>(type)) {
    case ov::element::Type_t::u8:
      return ElementType::kUInt8;
    case ov::element::Type_t::i8:
      return ElementType::kInt8;
    case ov::element::Type_t::i16:
      return ElementType::kInt16;
    case ov::element::Type_t::i32:
      return ElementType::kInt32;
    case ov::element::Type_t::i64:
      return ElementType::kInt64;
    case ov::element::Type_t::f16:
      return ElementType::kFloat16;
    case ov::element::Type_t::f32:
      return ElementType::kFloat32;
    case ov::element::Type_t::f64:
      return ElementType::kFloat64;
    case ov::element::Type_t::boolean:
      return ElementType::kBool;
    case ov::element::Type_t::bf16:
      return ElementType::kBFloat16;
    case ov::element::Type_t::u16:
      return ElementType::kUInt16;
    case ov::element::Type_t::u32:
      return ElementType::kUInt32;
    case ov::element::Type_t::u64:
      return ElementType::kUInt64;
    default:
      return ElementType::kUnknown;
  }
}

std::vector<Port> describe(const std::vector<ov::Output<const ov::Node>>& values, Model* model) {
  std::vector<Port> ports;
  for (const ov::Output<const ov::Node>& value : values) {
    Port port{element_type(value.get_element_type()), false, 0, nullptr};
    const ov::PartialShape& shape = value.get_partial_shape();
    std::vector<int64_t> sizes;
    if (shape.rank().is_static()) {
      port.has_rank = true;
      port.rank = shape.size();
      for (const ov::Dimension& dimension : shape) {
        sizes.push_back(dimension.is_static() ? dimension.get_length() : -1);
      }
    }
    model->sizes.push_back(std::move(sizes));
    port.sizes = model->sizes.back().data();
    ports.push_back(port);
  }
  return ports;
}

const char* version() { return ov::get_openvino_version().buildNumber; }

const char* path() {
  Dl_info info;
  const auto* function = reinterpret_cast<const void*>(&ov::get_openvino_version);
  return ::dladdr(function, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
}

// The kernel that the plugin writes for many joined operators may need more vector registers than
// processors without AVX-512 have. Then none is written.
ov::CompiledModel compile_model(const std::shared_ptr<const ov::Model>& model, const char* device,
                                ov::AnyMap map) {
  try {
    return core().compile_model(model, device, map);
  } catch (const std::exception& exception) {
    const std::string_view message = exception.what();
    if (message.find("not enough registers") == std::string_view::npos) throw;
  }
  map["SNIPPETS_MODE"] = "DISABLE";
  return core().compile_model(model, device, map);
}

CompileResult compile(const void* model, size_t size, const char* device, Properties properties,
                      Sink sink, Report error) {
  bool stopped = false;
  const auto result = guarded(error, CompileResult::kRefused, [&] {
    const std::string bytes(static_cast<const char*>(model), size);
    ov::AnyMap map = any_map(properties);
    const bool for_2025 = map.erase(kCompatProperty) > 0;
    const std::shared_ptr<ov::Model> read = core().read_model(bytes, ov::Tensor());
    keep_narrow_weights(read);
    keep_repeated_weights(read);
    ov::CompiledModel compiled = compile_model(read, device, map);
    if (for_2025) {
      std::ostringstream stream;
      compiled.export_model(stream);
      const std::string blob = as_of_2025(stream.str());
      stopped = !sink.write(sink.context, blob.data(), blob.size());
      return CompileResult::kDone;
    }
    ExportBuffer learned;
    export_to(compiled, &learned);
    ExportBuffer sent(sink, learned.patches());
    export_to(compiled, &sent);
    if (!sent.stopped()) sent.finish();
    stopped = sent.stopped();
    if (!stopped && sent.size() != learned.size()) {
      throw std::runtime_error("OpenVINO's export gives other bytes the second time");
    }
    return CompileResult::kDone;
  });
  return stopped ? CompileResult::kStopped : result;
}

// What this library exports begin with on this machine.
const std::string& own_requirements() {
  static const auto* const own = [] {
    const auto input = std::make_shared<ov::op::v0::Parameter>(ov::element::f32, ov::Shape{1});
    const auto output = std::make_shared<ov::op::v0::Result>(input);
    const auto model =
        std::make_shared<ov::Model>(ov::ResultVector{output}, ov::ParameterVector{input});
    std::ostringstream stream;
    core().compile_model(model, "CPU").export_model(stream);
    return new std::string(requirements(stream.str()));
  }();
  return *own;
}

// Whether OpenVINO would turn the export away for its start alone: one of 2025, or of this version
// but of a processor with other instruction sets.
bool needs_own_requirements(std::string_view blob, const std::string& device) {
  if (device != "CPU") return false;
  const std::string_view given = requirements(blob);
  if (given.empty()) return true;
  const ov::AnyMap asked = {{ov::runtime_requirements.name(), requirements_text(given)}};
  return core().get_property(device, ov::compatibility_check, asked) ==
             ov::CompatibilityCheck::UNSUPPORTED &&
         requirements_version(given) == requirements_version(own_requirements());
}

Model* import_model(const void* blob, size_t size, const char* device, Properties properties,
                    Report error) {
  return guarded(error, static_cast<Model*>(nullptr), [&] {
    std::string_view bytes(static_cast<const char*>(blob), size);
    check_export(bytes);
    auto model = std::make_unique<Model>();
    if (needs_own_requirements(bytes, device)) {
      model->bytes = with_requirements(own_requirements(), bytes);
      bytes = model->bytes;
    }
    const ov::Tensor tensor(ov::element::u8, ov::Shape{bytes.size()},
                            const_cast<char*>(bytes.data()));
    model->compiled = core().import_model(tensor, device, any_map(properties));
    model->inputs = describe(model->compiled.inputs(), model.get());
    model->outputs = describe(model->compiled.outputs(), model.get());
    return model.release();
  });
}

void destroy_model(Model* model) { delete model; }

Ports inputs(const Model* model) { return {model->inputs.data(), model->inputs.size()}; }
Ports outputs(const Model* model) { return {model->outputs.data(), model->outputs.size()}; }

bool property(const Model* model, const char* name, Report value, Report error) {
  return guarded(error, false, [&] {
    tell(value, model->compiled.get_property(name).as<std::string>());
    return true;
  });
}

Request* create_request(Model* model, Report error) {
  return guarded(error, static_cast<Request*>(nullptr), [&] {
    auto request = std::make_unique<Request>();
    request->model = model;
    request->infer = model->compiled.create_infer_request();
    request->inputs.resize(model->inputs.size());
    request->outputs.resize(model->outputs.size());
    return request.release();
  });
}

void destroy_request(Request* request) { delete request; }

bool is_static(const Port& port) {
  bool all = port.has_rank;
  for (size_t i = 0; i < port.rank; ++i) all = all && port.sizes[i] >= 0;
  return all;
}

// True if OpenVINO must be told of the tensor.
bool changed(const Tensor& tensor, Request::Binding* binding) {
  bool same = binding->data == tensor.data && binding->shape.size() == tensor.rank;
  for (size_t i = 0; same && i < tensor.rank; ++i) {
    same = binding->shape[i] == static_cast<size_t>(tensor.sizes[i]);
  }
  if (same) return false;
  binding->data = tensor.data;
  binding->shape.assign(tensor.sizes, tensor.sizes + tensor.rank);
  return true;
}

bool infer(Request* request, const Tensor* inputs, const Tensor* outputs, Report error) {
  return guarded(error, false, [&] {
    try {
      for (size_t i = 0; i < request->inputs.size(); ++i) {
        Request::Binding& binding = request->inputs[i];
        if (!changed(inputs[i], &binding)) continue;
        const auto type = request->model->compiled.input(i).get_element_type();
        request->infer.set_input_tensor(i, ov::Tensor(type, binding.shape, binding.data));
      }
      for (size_t i = 0; i < request->outputs.size(); ++i) {
        Request::Binding& binding = request->outputs[i];
        if (!is_static(request->model->outputs[i]) || !changed(outputs[i], &binding)) continue;
        const auto type = request->model->compiled.output(i).get_element_type();
        request->infer.set_output_tensor(i, ov::Tensor(type, binding.shape, binding.data));
      }
      request->infer.infer();
      return true;
    } catch (...) {
      // A binding that was noted may not have been made.
      for (Request::Binding& binding : request->inputs) binding = {};
      for (Request::Binding& binding : request->outputs) binding = {};
      throw;
    }
  });
}

bool layers(const Request* request, LayerSink sink, Report error) {
  return guarded(error, false, [&] {
    for (const ov::ProfilingInfo& layer : request->infer.get_profiling_info()) {
      if (layer.status != ov::ProfilingInfo::Status::EXECUTED) continue;
      const std::string kind = layer.node_type + ", " + layer.exec_type;
      sink.write(sink.context, layer.node_name.c_str(), kind.c_str(),
                 static_cast<uint64_t>(layer.real_time.count()));
    }
    return true;
  });
}

bool output(Request* request, size_t index, Tensor* tensor, Report error) {
  return guarded(error, false, [&] {
    ov::Tensor made = request->infer.get_output_tensor(index);
    const ov::Shape& shape = made.get_shape();
    request->sizes.assign(shape.begin(), shape.end());
    *tensor = {made.data(), request->sizes.size(), request->sizes.data()};
    return true;
  });
}

}  // namespace
}  // namespace slipway::openvino::shim

const slipway::openvino::shim::Functions* slipway_openvino() {
  namespace shim = slipway::openvino::shim;
  static const shim::Functions functions = {
      shim::version, shim::path,    shim::compile,  shim::import_model,   shim::destroy_model,
      shim::inputs,  shim::outputs, shim::property, shim::create_request, shim::destroy_request,
      shim::infer,   shim::layers,  shim::output};
  return &functions;
}
